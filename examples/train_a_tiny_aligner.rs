//! An Aligner from nothing: rows, a tokenizer, random weights, some steps, a folder that transformers loads too.
//!
//! The few steps here show the way, not a good Aligner: `redline train` goes on for thousands, resumable.
//!
//! `cargo run --release --example train_a_tiny_aligner`

use redline::aligner::{AlignerShape, from_scratch};
use redline::data::corrupt::{CorruptOptions, Corruptor};
use redline::data::synth::Corpus;
use redline::model::train::export::{StoredType, export_hugging_face};
use redline::model::train::{Observer, Saving, StepReport, TrainData, TrainOptions, TrainRun, train};
use redline::prelude::*;

const STEPS: usize = 8;

struct Print;

impl Observer for Print {
    fn on_step(&mut self, report: &StepReport) -> redline::model::Result<()> {
        println!("step {} loss {:.3}", report.step, report.loss);
        Ok(())
    }
}

/// The whole example; public, because a test runs it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let corruptor = Corruptor::new(CorruptOptions { seed: 1, ..CorruptOptions::default() })?;
    let mut rows = Vec::new();
    for (row, text) in (0..).zip(Corpus::built_in()?.texts(1, 300)?) {
        rows.push(text.corrupted(row, &corruptor)?.to_qac());
    }
    let template = AlignerTemplate::by_name_or_file("aligner")?;
    let shape = AlignerShape { vocab_size: 400, hidden_size: 64, n_layers: 2, ..AlignerShape::default() };
    let (parameters, tokenizer) = from_scratch(&rows, &template, &shape, 0)?;

    let options =
        TrainOptions { n_steps: Some(STEPS), batch_rows: 4, max_tokens: shape.context, ..TrainOptions::default() };
    let run = TrainRun {
        parameters: &parameters,
        tokenizer: &tokenizer,
        template: &template,
        data: TrainData { rows: &rows, identity_rows: None, held_out: &[], ..TrainData::default() },
        options: &options,
        saving: Saving::default(),
    };
    let outcome = train(&run, &mut Print)?;
    let folder = tempfile::tempdir()?;
    export_hugging_face(folder.path(), &parameters, &tokenizer, StoredType::F32)?;
    let aligner = Aligner::load(folder.path(), "aligner")?;
    let output = aligner.correct().max_new_tokens(8).run("What is the capital of France?", "Paris.")?;
    println!("{} steps; an Aligner of {} blocks writes {output:?}", outcome.n_steps, shape.n_layers);
    Ok(())
}
