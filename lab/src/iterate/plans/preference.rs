//! Rounds of preferences.

use std::path::{Path, PathBuf};

use super::{ALIGNER, CONTROL, deal, lab, summary};
use crate::iterate::closeness::ArmPairs;
use crate::iterate::options::IterateOptions;
use crate::iterate::places::Places;
use crate::iterate::plan::{Correct, Step, Train};
use crate::iterate::work::LabWork;

pub fn steps(options: &IterateOptions, places: &Places) -> Vec<Step> {
    let round_questions = (1..=options.rounds).map(|round| places.questions(round)).collect();
    let mut steps = vec![deal(options, places, round_questions)];
    let arms: Vec<&'static str> = std::iter::once(ALIGNER).chain(options.control.as_ref().map(|_| CONTROL)).collect();
    let start = places.in_round(0, "measure.json");
    steps.push(measured(0, ALIGNER, &options.policy, options, places));
    steps.push(measure(0, &[ALIGNER], None, places));
    let mut reports = vec![places.rows_report(), start.clone()];
    let mut policies: Vec<PathBuf> = arms.iter().map(|_| options.policy.clone()).collect();
    for round in 1..=options.rounds {
        steps.push(draws(round, &policies[0], options, places));
        steps.push(pairs(round, options, places));
        let mut compared = Vec::new();
        for (&arm, policy) in arms.iter().zip(&mut policies) {
            let pairs = places.in_round(round, if arm == ALIGNER { "pairs.jsonl" } else { "control-pairs.jsonl" });
            let train = Train {
                objective: "dpo",
                data: pairs.clone(),
                model: policy.clone(),
                out: places.in_round(round, if arm == ALIGNER { "policy" } else { CONTROL }),
                seed: options.seed,
                training: &options.training,
                options,
            };
            let result = train.result();
            steps.push(train.step(format!("round-{round}/{}", if arm == ALIGNER { "policy" } else { CONTROL })));
            compared.push(ArmPairs { arm, pairs, policies: [policy.clone(), result.clone()] });
            steps.push(measured(round, arm, &result, options, places));
            *policy = result;
        }
        let out = places.in_round(round, "closeness.json");
        let inputs =
            compared.iter().flat_map(|arm| [vec![arm.pairs.clone()], arm.policies.to_vec()].concat()).collect();
        let work = LabWork::Closeness { arms: compared, out: out.clone() };
        steps.push(lab(format!("round-{round}/closeness"), inputs, vec![out.clone()], work));
        steps.push(measure(round, &arms, Some(&start), places));
        reports.extend([out, places.in_round(round, "measure.json"), places.in_round(round, "funnel.json")]);
    }
    steps.push(summary(places, reports));
    steps
}

/// Answers of a round, drawn from the policy, and their corrections.
fn draws(round: usize, policy: &Path, options: &IterateOptions, places: &Places) -> Step {
    let correct = Correct {
        questions: places.questions(round),
        upstream: policy.into(),
        temperature: Some(options.temperature),
        seed: options.seed.wrapping_add(round as u64),
        aligner: options.aligner_or_embedded(),
        passes: 1,
        out: places.in_round(round, "draws.jsonl"),
        options,
    };
    correct.step(format!("round-{round}/draws"), &[])
}

fn pairs(round: usize, options: &IterateOptions, places: &Places) -> Step {
    let mut inputs = vec![places.in_round(round, "draws.jsonl")];
    let mut outputs = vec![places.in_round(round, "pairs.jsonl"), places.in_round(round, "funnel.json")];
    if options.control.is_some() {
        inputs.push(places.control_pairs());
        inputs.extend((1..round).map(|round| places.in_round(round, "funnel.json")));
        outputs.push(places.in_round(round, "control-pairs.jsonl"));
    }
    if options.export {
        let exported = ["pairs.parquet", "unpaired.jsonl", "unpaired.parquet"];
        outputs.extend(exported.map(|name| places.in_round(round, name)));
    }
    lab(format!("round-{round}/pairs"), inputs, outputs, LabWork::Pairs(round))
}

/// File of the held-out answers of an arm.
fn answers(round: usize, arm: &str, places: &Places) -> PathBuf {
    places.in_round(round, if arm == ALIGNER { "held-out.jsonl" } else { "held-out-control.jsonl" })
}

/// Held-out answers of a policy.
fn measured(round: usize, arm: &str, policy: &Path, options: &IterateOptions, places: &Places) -> Step {
    let name = if arm == ALIGNER { "held-out" } else { "held-out-control" };
    let correct = Correct {
        questions: places.held_out(),
        upstream: policy.into(),
        temperature: options.held_out_temperature,
        seed: options.seed,
        aligner: options.aligner_or_embedded(),
        passes: 1,
        out: answers(round, arm, places),
        options,
    };
    correct.step(format!("round-{round}/{name}"), &[])
}

fn measure(round: usize, arms: &[&'static str], start: Option<&PathBuf>, places: &Places) -> Step {
    let arms: Vec<(&'static str, PathBuf)> = arms.iter().map(|arm| (*arm, answers(round, arm, places))).collect();
    let inputs = arms.iter().map(|(_, path)| path.clone()).chain(start.cloned()).collect();
    let out = places.in_round(round, "measure.json");
    let work = LabWork::Measure { arms, start: start.cloned(), out: out.clone() };
    lab(format!("round-{round}/measure"), inputs, vec![out], work)
}
