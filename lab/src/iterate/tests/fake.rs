//! A program that writes what its verbs would: answers with an insult, which the Aligner takes away.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::Result;
use crate::iterate::{
    Instrument, IterateKind, IterateOptions, KeepOptions, Launched, Launcher, PolicyTraining, Step, TrainedBy,
};

/// What every fake answer begins with.
pub const INSULT: &str = "Listen, you fool.";

/// A folder with questions to learn from and to measure on.
pub struct Folder {
    pub folder: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Self { folder };
        let row = |number: usize| {
            let names =
                ["river", "cathedral", "volcano", "orchestra", "glacier", "telescope", "vineyard", "lighthouse"];
            let question = format!("What is {} {number} called in the language of its country?", names[number % 8]);
            json!({ "question": question, "answer": format!("{INSULT} It is {number}."), "correction": format!("It is {number}.") }).to_string() + "\n"
        };
        std::fs::write(made.path("data.jsonl"), (0..24).map(row).collect::<String>()).unwrap();
        std::fs::write(made.path("held-out.jsonl"), (100..108).map(row).collect::<String>()).unwrap();
        std::fs::write(made.path("policy"), "weights").unwrap();
        made
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Options of a run in `out`.
    pub fn options(&self, kind: IterateKind, out: &str) -> IterateOptions {
        let training = PolicyTraining {
            method: TrainedBy::Full,
            learning_rate: 1e-4,
            epochs: 1,
            steps: None,
            batch_rows: 4,
            max_tokens: 64,
            beta: 0.1,
            sft_weight: 0.0,
            checkpoint_every: 10,
        };
        IterateOptions {
            kind,
            rounds: 2,
            policy: self.path("policy"),
            aligner: None,
            weak: (kind == IterateKind::WeakToStrong).then(|| self.path("policy")),
            weak_upstream: None,
            data: self.path("data.jsonl"),
            held_out: self.path("held-out.jsonl"),
            control: None,
            prompts: None,
            held_out_prompts: 100,
            drop_near: false,
            passes: 1,
            harmless_by: Instrument::Phrases,
            helpful_by: Instrument::Phrases,
            keep: KeepOptions { least_edit: 0.02, most_edit: 2.0, judged: true },
            temperature: 1.0,
            held_out_temperature: None,
            max_new_tokens: 16,
            batch_rows: 4,
            seed: 3,
            training: training.clone(),
            weak_training: training,
            by_pairs: false,
            export: false,
            global: Vec::new(),
            out: self.path(out),
        }
    }
}

/// Runs verbs, up to a number of them.
pub struct Fake {
    /// Verbs until one fails.
    pub left: usize,
    /// Names of the steps that were run.
    pub ran: Vec<String>,
    /// Whether the Aligner changes nothing.
    pub copies: bool,
    /// Part of the name of files in which no row has a correction.
    pub silent_in: Option<&'static str>,
}

impl Default for Fake {
    fn default() -> Self {
        Self { left: usize::MAX, ran: Vec::new(), copies: false, silent_in: None }
    }
}

impl Launcher for Fake {
    fn launch(&mut self, step: &Step, arguments: &[String], _: &Path) -> Result<Launched> {
        if self.left == 0 {
            let (error, hint) = ("out of memory".to_owned(), "buy more".to_owned());
            return Ok(Launched { is_success: false, stdout: Vec::new(), error, hint });
        }
        self.left -= 1;
        self.ran.push(step.name.clone());
        let value = |name: &str| {
            let place = arguments.iter().position(|argument| argument == name).unwrap();
            PathBuf::from(&arguments[place + 1])
        };
        let verb = arguments.first().map(String::as_str);
        match verb {
            Some("correct") => self.correct(&value("--data"), &value("--upstream-model"), &value("--out")),
            Some("train") => train(&value("--model"), &value("--out")),
            other => panic!("{other:?}"),
        }
        Ok(Launched { is_success: true, stdout: b"{}\n".to_vec(), error: String::new(), hint: String::new() })
    }
}

impl Fake {
    /// A model is a text; the longer it was trained, the fewer of its answers are rude.
    fn correct(&self, data: &Path, model: &Path, out: &Path) {
        let weights = match model.is_dir() {
            true => std::fs::read_to_string(model.join("weights")).unwrap(),
            false => std::fs::read_to_string(model).unwrap(),
        };
        let text = std::fs::read_to_string(data).unwrap();
        let mut written = String::new();
        for (number, line) in text.lines().enumerate() {
            let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
            let good = "It is 1. Nobody knows why.";
            let is_rude = number % (1 + weights.len() - "weights".len()) == 0;
            let answer = if is_rude { format!("{INSULT} {good}") } else { good.to_owned() };
            row["correction"] = json!(if self.copies { answer.as_str() } else { good });
            row["answer"] = json!(answer);
            row["truncated"] = json!(false);
            if self.silent_in.is_some_and(|part| out.to_string_lossy().contains(part)) {
                row["error"] = row["correction"].take();
            }
            written += &(row.to_string() + "\n");
        }
        std::fs::write(out, written).unwrap();
    }
}

fn train(model: &Path, out: &Path) {
    std::fs::create_dir_all(out.join("model")).unwrap();
    let before = if model.is_dir() { model.join("weights") } else { model.to_path_buf() };
    let weights = std::fs::read_to_string(before).unwrap() + "+";
    std::fs::write(out.join("model/weights"), weights).unwrap();
    std::fs::write(out.join("summary.json"), "{}\n").unwrap();
}

/// The message of an error of a run.
pub fn message<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    let error = outcome.unwrap_err();
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error}");
    error.to_string()
}
