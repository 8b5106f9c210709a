//! The steps of a run, in order.

use std::path::{Path, PathBuf};

use super::options::{IterateOptions, PolicyTraining, TrainedBy};
use super::places::model_in;
use super::plans;
use super::work::LabWork;

/// How far a verb is, by a file that grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// The file.
    pub file: PathBuf,
    /// Lines that it will have.
    pub lines: Lines,
}

impl Gauge {
    /// Lines that the file will have, where they are known; `n_lines` counts those of another.
    pub fn total(&self, n_lines: impl Fn(&Path) -> Option<usize>) -> Option<usize> {
        match &self.lines {
            Lines::As(path) => n_lines(path),
            Lines::Training { steps: Some(steps), .. } => Some(*steps),
            Lines::Training { rows, epochs, batch_rows, steps: None } => {
                Some(n_lines(rows)?.div_ceil((*batch_rows).max(1)).saturating_mul(*epochs))
            }
        }
    }
}

/// How many lines a file will have.
#[derive(Debug, Clone, PartialEq)]
pub enum Lines {
    /// As many as another one.
    As(PathBuf),
    /// As many as there are steps of training on the rows of a file.
    Training {
        /// The rows.
        rows: PathBuf,
        /// Passes over them.
        epochs: usize,
        /// Rows of a step.
        batch_rows: usize,
        /// Steps instead.
        steps: Option<usize>,
    },
}

/// When a verb that ended has done its work.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// When it succeeded.
    Success,
    /// When this file has as many lines as the other: a verb that ends with an error since some rows could not be done has done all that it could.
    Rows {
        /// What was read.
        read: PathBuf,
        /// What was written.
        written: PathBuf,
    },
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A verb of this program, by its arguments.
    Verb {
        /// The arguments.
        arguments: Vec<String>,
        /// When it is done.
        done: Done,
        /// How far it is.
        gauge: Option<Gauge>,
    },
    /// A function of this crate.
    Lab(LabWork),
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name, such as `round-1/pairs`.
    pub name: String,
    /// What it reads.
    pub inputs: Vec<PathBuf>,
    /// What is there once it is done.
    pub outputs: Vec<PathBuf>,
    /// What it does.
    pub work: Work,
}

/// All steps of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In order; each reads what those before it wrote.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of these options. Nothing is read or written.
    pub fn new(options: &IterateOptions) -> Self {
        Self { steps: plans::steps(options) }
    }

    /// The plan as commands for a shell, a line each. `own` are the arguments of the run itself, after the program's name, by which functions of this
    /// crate are done one by one.
    pub fn commands(&self, own: &[String]) -> Vec<String> {
        let command = |step: &Step| match &step.work {
            Work::Verb { arguments, .. } => quoted(arguments),
            Work::Lab(_) => {
                let arguments: Vec<String> =
                    own.iter().cloned().chain(["--step".to_owned(), step.name.clone()]).collect();
                quoted(&arguments)
            }
        };
        self.steps.iter().map(|step| format!("redline {}", command(step))).collect()
    }
}

/// Arguments as a shell takes them.
pub fn quoted(arguments: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+#%".contains(c);
    let quote = |argument: &String| match !argument.is_empty() && argument.chars().all(is_plain) {
        true => argument.clone(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Arguments, one by one.
#[derive(Debug, Default)]
pub(super) struct Arguments(Vec<String>);

impl Arguments {
    pub fn of(verb: &str, options: &IterateOptions) -> Self {
        Self(options.global.iter().cloned().chain([verb.to_owned()]).collect())
    }

    pub fn option(mut self, name: &str, value: impl ToString) -> Self {
        self.0.extend([name.to_owned(), value.to_string()]);
        self
    }

    pub fn path(self, name: &str, path: &Path) -> Self {
        self.option(name, path.display())
    }

    pub fn optional(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.option(name, value),
            None => self,
        }
    }
}

/// Answers of a model to questions, and their corrections.
pub(super) struct Correct<'a> {
    pub questions: PathBuf,
    pub upstream: PathBuf,
    /// A temperature, for answers that are drawn.
    pub temperature: Option<f64>,
    pub seed: u64,
    pub aligner: String,
    pub passes: usize,
    pub out: PathBuf,
    pub options: &'a IterateOptions,
}

impl Correct<'_> {
    pub fn step(self, name: String, more_inputs: &[PathBuf]) -> Step {
        let Self { questions, upstream, temperature, seed, aligner, passes, out, options } = self;
        let mut arguments = Arguments::of("correct", options)
            .path("--data", &questions)
            .path("--upstream-model", &upstream)
            .optional("--upstream-temperature", temperature)
            // nothing else is drawn
            .optional("--seed", temperature.map(|_| seed))
            .option("--max-new-tokens", options.max_new_tokens)
            .option("--batch-rows", options.batch_rows);
        for _ in 0..passes {
            arguments = arguments.option("--aligner", &aligner);
        }
        let arguments = arguments.path("--out", &out).0;
        let gauge = Gauge { file: out.clone(), lines: Lines::As(questions.clone()) };
        let done = Done::Rows { read: questions.clone(), written: out.clone() };
        let inputs = [vec![questions, upstream], more_inputs.to_vec()].concat();
        Step { name, inputs, outputs: vec![out], work: Work::Verb { arguments, done, gauge: Some(gauge) } }
    }
}

/// A training run.
pub(super) struct Train<'a> {
    pub objective: &'static str,
    pub data: PathBuf,
    pub model: PathBuf,
    pub out: PathBuf,
    pub seed: u64,
    pub training: &'a PolicyTraining,
    pub options: &'a IterateOptions,
}

impl Train<'_> {
    /// The model that it leaves.
    pub fn result(&self) -> PathBuf {
        model_in(&self.out, self.training.method)
    }

    pub fn step(self, name: String) -> Step {
        let result = self.result();
        let Self { objective, data, model, out, seed, training, options } = self;
        let mut arguments = Arguments::of("train", options)
            .option("--objective", objective)
            .path("--data", &data)
            .path("--model", &model)
            .option("--learning-rate", training.learning_rate)
            .optional("--epochs", training.steps.is_none().then_some(training.epochs))
            .optional("--steps", training.steps)
            .option("--batch-rows", training.batch_rows)
            .option("--max-tokens", training.max_tokens)
            .option("--seed", seed)
            .option("--checkpoint-every", training.checkpoint_every)
            // what is learnt is measured on questions held out of all rounds
            .option("--held-out-share", 0)
            .path("--out", &out);
        arguments = match objective {
            "dpo" => arguments.option("--beta", training.beta).option("--sft-weight", training.sft_weight),
            _ => arguments.option("--generate", 0),
        };
        if training.method == TrainedBy::Lora {
            arguments = arguments.option("--method", "lora").path("--gguf", &result).option("--gguf-store", "f16");
        }
        let steps = Lines::Training {
            rows: data.clone(),
            epochs: training.epochs,
            batch_rows: training.batch_rows,
            steps: training.steps,
        };
        let gauge = Some(Gauge { file: out.join("train.jsonl"), lines: steps });
        let work = Work::Verb { arguments: arguments.0, done: Done::Success, gauge };
        Step { name, inputs: vec![data, model], outputs: vec![result, out.join("summary.json")], work }
    }
}
