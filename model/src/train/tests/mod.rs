//! Training as a whole: against PyTorch and PEFT, against finite differences, and against itself after a stop.

mod export;
mod families;
mod golden;
mod gradients;
mod instructions;
mod kto;
mod lora;
mod policy;
mod preference;
mod resume;
mod speed;
mod wrong_input;

use std::path::PathBuf;

use crate::train::bpe::{BpeOptions, train_bpe};
use crate::train::*;
use crate::{AlignerTemplate, ModelConfig, Qac, Tokenizer};

fn golden_folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn tiny_config(vocab_size: usize) -> ModelConfig {
    ModelConfig { n_kv_heads: 2, eos_token_ids: vec![0], ..ModelConfig::llama([vocab_size, 32, 64, 2, 4], 256) }
}

/// Rows whose correction replaces a word, and some that are clean.
fn rows(n: usize) -> Vec<Qac> {
    let things = ["water", "rice", "tea", "bread", "soup"];
    let row = |i: usize| {
        let thing = things[i % things.len()];
        let correction = format!("You boil {thing} for {} minutes and serve it.", 2 + i % 7);
        let answer = if i.is_multiple_of(3) { correction.clone() } else { correction.replace("boil", "burn") };
        Qac { question: format!("How do I make {thing} number {i}?"), answer, correction }
    };
    (0..n).map(row).collect()
}

fn tokenizer() -> Tokenizer {
    let rows = rows(40);
    let texts: Vec<&str> = rows.iter().flat_map(|row| [row.question.as_str(), row.correction.as_str()]).collect();
    train_bpe(&texts, &BpeOptions { vocab_size: 300, ..BpeOptions::default() }).unwrap()
}

fn short_template() -> AlignerTemplate {
    AlignerTemplate::from_text("short", "Q: {question} A: {answer} C:").unwrap()
}

fn options() -> TrainOptions {
    TrainOptions {
        seed: 5,
        n_steps: Some(12),
        batch_rows: 4,
        schedule: Schedule { learning_rate: 3e-3, ..Schedule::default() },
        evaluate_every: Some(3),
        n_generated: 3,
        max_new_tokens: 8,
        ..TrainOptions::default()
    }
}

/// Keeps the losses, and stops the run after a number of steps.
#[derive(Default)]
struct Watcher {
    losses: Vec<f64>,
    evaluations: Vec<Evaluation>,
    stop_after: Option<usize>,
}

impl Observer for Watcher {
    fn on_step(&mut self, report: &StepReport) -> crate::Result<()> {
        self.losses.push(report.loss);
        match self.stop_after {
            Some(steps) if self.losses.len() >= steps => Err(crate::Error::Interrupted),
            _ => Ok(()),
        }
    }

    fn on_evaluation(&mut self, evaluation: &Evaluation) -> crate::Result<()> {
        self.evaluations.push(evaluation.clone());
        Ok(())
    }
}
