//! A weak Aligner and a strong model, a seed at a time.

use std::path::{Path, PathBuf};

use super::{deal, lab, summary};
use crate::iterate::levels::LevelFiles;
use crate::iterate::options::IterateOptions;
use crate::iterate::places::{Places, model_in};
use crate::iterate::plan::{Correct, Step, Train};
use crate::iterate::work::LabWork;

pub fn steps(options: &IterateOptions, places: &Places) -> Vec<Step> {
    let mut steps = vec![deal(options, places, vec![places.of("rows/data.jsonl")])];
    let mut reports = vec![places.rows_report()];
    for seed in 1..=options.rounds {
        let of_seed = Seed { seed, options, places };
        steps.extend(of_seed.steps());
        reports.push(of_seed.file("levels.json"));
    }
    steps.push(summary(places, reports));
    steps
}

struct Seed<'a> {
    seed: usize,
    options: &'a IterateOptions,
    places: &'a Places,
}

impl Seed<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.places.in_seed(self.seed, name)
    }

    fn name(&self, name: &str) -> String {
        format!("seed-{}/{name}", self.seed)
    }

    /// The weak Aligner as `--aligner` takes it, and its path where the run trains it.
    fn aligner(&self) -> (String, Option<PathBuf>) {
        match &self.options.aligner {
            Some(spec) => (spec.clone(), None),
            None => {
                let path = model_in(&self.file("aligner"), self.options.weak_training.method);
                (path.display().to_string(), Some(path))
            }
        }
    }

    fn weak(&self) -> PathBuf {
        let own = || model_in(&self.file("weak"), self.options.weak_training.method);
        self.options.weak_upstream.clone().unwrap_or_else(own)
    }

    fn steps(&self) -> Vec<Step> {
        let Self { seed, options, places } = *self;
        let halves = ["a.jsonl", "a-gold.jsonl", "b.jsonl", "b-gold.jsonl"].map(|name| self.file(name));
        let data = vec![places.of("rows/data.jsonl")];
        let mut steps = vec![lab(self.name("halves"), data, halves.to_vec(), LabWork::Halves(seed))];
        if let Some(weak) = &options.weak {
            let own_aligner = options.aligner.is_none().then_some(("correction", "a.jsonl", "aligner"));
            let own_answers = options.weak_upstream.is_none().then_some(("sft", "a-gold.jsonl", "weak"));
            for (objective, rows, name) in own_aligner.into_iter().chain(own_answers) {
                steps.push(self.train(objective, rows, weak, name, true).step(self.name(name)));
            }
        }
        let strong = &options.policy;
        let (held_out, drawn) = (places.held_out(), options.held_out_temperature);
        steps.push(self.correct(&held_out, strong, drawn, "before"));
        steps.push(self.correct(&held_out, &self.weak(), drawn, "weak-alone"));
        steps.push(self.correct(&self.file("b.jsonl"), strong, Some(options.temperature), "labels"));
        let (labels, taught) = (self.file("labels.jsonl"), self.file("taught.jsonl"));
        let mut outputs = vec![taught.clone(), self.file("funnel.json")];
        if options.export {
            outputs.push(self.file("taught.parquet"));
            let exported = ["unpaired.jsonl", "unpaired.parquet"].map(|name| self.file(name));
            outputs.extend(exported.into_iter().filter(|_| options.by_pairs));
        }
        let work = LabWork::Teach { round: seed, read: labels.clone(), out: taught };
        steps.push(lab(self.name("taught"), vec![labels], outputs, work));
        let objective = if options.by_pairs { "dpo" } else { "sft" };
        for (objective, rows, name, answers) in
            [(objective, "taught.jsonl", "strong", "after"), ("sft", "b-gold.jsonl", "ceiling", "ceiling-answers")]
        {
            let train = self.train(objective, rows, strong, name, false);
            let result = train.result();
            steps.push(train.step(self.name(name)));
            steps.push(self.correct(&held_out, &result, drawn, answers));
        }
        let [before, weak, after, ceiling] =
            ["before", "weak-alone", "after", "ceiling-answers"].map(|name| self.file(&format!("{name}.jsonl")));
        let inputs = vec![before.clone(), weak.clone(), after.clone(), ceiling.clone()];
        let out = self.file("levels.json");
        let work = LabWork::Levels { seed, files: LevelFiles { before, weak, after, ceiling }, out: out.clone() };
        steps.push(lab(self.name("levels"), inputs, vec![out], work));
        steps
    }

    fn train<'b>(&'b self, objective: &'static str, rows: &str, model: &Path, name: &str, is_weak: bool) -> Train<'b> {
        let options = self.options;
        Train {
            objective,
            data: self.file(rows),
            model: model.into(),
            out: self.file(name),
            seed: options.seed.wrapping_add(self.seed as u64),
            training: if is_weak { &options.weak_training } else { &options.training },
            options,
        }
    }

    fn correct(&self, questions: &Path, upstream: &Path, temperature: Option<f64>, name: &str) -> Step {
        let (aligner, trained) = self.aligner();
        let correct = Correct {
            questions: questions.into(),
            upstream: upstream.into(),
            temperature,
            seed: self.options.seed.wrapping_add(self.seed as u64),
            aligner,
            passes: 1,
            out: self.file(&format!("{name}.jsonl")),
            options: self.options,
        };
        correct.step(self.name(name), &trained.into_iter().collect::<Vec<_>>())
    }
}
