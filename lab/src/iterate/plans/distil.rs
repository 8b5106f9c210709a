//! Amplify and distil.

use std::path::{Path, PathBuf};

use super::{ALIGNER, deal, lab, summary};
use crate::iterate::options::IterateOptions;
use crate::iterate::places::Places;
use crate::iterate::plan::{Correct, Step, Train};
use crate::iterate::work::LabWork;

pub fn steps(options: &IterateOptions, places: &Places) -> Vec<Step> {
    let round_questions = (1..=options.rounds).map(|round| places.questions(round)).collect();
    let start = places.in_round(0, "measure.json");
    let mut steps = vec![deal(options, places, round_questions)];
    steps.push(held_out(0, &options.policy, options, places));
    steps.push(measure(0, None, places));
    let mut reports = vec![places.rows_report(), start.clone()];
    let mut policy = options.policy.clone();
    for round in 1..=options.rounds {
        let (amplified, taught) = (places.in_round(round, "amplified.jsonl"), places.in_round(round, "taught.jsonl"));
        let temperature = Some(options.temperature);
        let seed = options.seed.wrapping_add(round as u64);
        steps.push(
            correct(places.questions(round), &policy, temperature, seed, &amplified, options)
                .step(format!("round-{round}/amplified"), &[]),
        );
        let funnel = places.in_round(round, "funnel.json");
        let mut outputs = vec![taught.clone(), funnel.clone()];
        outputs.extend(options.export.then(|| places.in_round(round, "taught.parquet")));
        let work = LabWork::Teach { round, read: amplified.clone(), out: taught.clone() };
        steps.push(lab(format!("round-{round}/taught"), vec![amplified], outputs, work));
        let train = Train {
            objective: "sft",
            data: taught,
            model: policy.clone(),
            out: places.in_round(round, "policy"),
            seed: options.seed,
            training: &options.training,
            options,
        };
        policy = train.result();
        steps.push(train.step(format!("round-{round}/policy")));
        steps.push(held_out(round, &policy, options, places));
        steps.push(measure(round, Some(&start), places));
        reports.extend([places.in_round(round, "measure.json"), funnel]);
    }
    steps.push(summary(places, reports));
    steps
}

fn correct<'a>(
    questions: PathBuf,
    policy: &Path,
    temperature: Option<f64>,
    seed: u64,
    out: &Path,
    options: &'a IterateOptions,
) -> Correct<'a> {
    let aligner = options.aligner_or_embedded();
    let (upstream, out, passes) = (policy.into(), out.into(), options.passes);
    Correct { questions, upstream, temperature, seed, aligner, passes, out, options }
}

fn held_out(round: usize, policy: &Path, options: &IterateOptions, places: &Places) -> Step {
    let out = places.in_round(round, "held-out.jsonl");
    let correct = correct(places.held_out(), policy, options.held_out_temperature, options.seed, &out, options);
    correct.step(format!("round-{round}/held-out"), &[])
}

fn measure(round: usize, start: Option<&PathBuf>, places: &Places) -> Step {
    let answers = places.in_round(round, "held-out.jsonl");
    let inputs = std::iter::once(answers.clone()).chain(start.cloned()).collect();
    let out = places.in_round(round, "measure.json");
    let work = LabWork::Measure { arms: vec![(ALIGNER, answers)], start: start.cloned(), out: out.clone() };
    lab(format!("round-{round}/measure"), inputs, vec![out], work)
}
