//! Rows of a run: read, cleaned, and split by question.

use std::path::Path;

use anyhow::Context;
use redline::data::{FilterOptions, Need, filter_rows, split_rows};
use redline::model::{Qac, Question};
use redline::probe::split::{PartSizes, overlap};

use crate::cli::train::TrainArgs;
use crate::failure::hinted;
use crate::{output, rows};

/// Which part of a run rows are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Corrections to learn, or to evaluate on.
    Corrections,
    /// Answers to copy.
    Identity,
}

/// The rows of a run.
pub struct TrainingRows {
    pub training: Vec<Qac>,
    pub identity: Option<Vec<Qac>>,
    pub held_out: Vec<Qac>,
}

impl TrainingRows {
    /// Reads all files; no question is in two of training and evaluation.
    pub fn read(args: &TrainArgs) -> anyhow::Result<Self> {
        let rows = read_part(&args.data, Part::Corrections)?;
        let (training, mut held_out) = match &args.validation {
            Some(path) => (rows, read_part(path, Part::Corrections)?),
            None if args.held_out_share == 0.0 => (rows, Vec::new()),
            None => {
                let keys: Vec<String> = rows.iter().map(|row| row.question.clone()).collect();
                let sizes = PartSizes::Shares(vec![1.0 - args.held_out_share, args.held_out_share]);
                let mut parts = split_rows(&rows, &keys, &sizes, args.run.seed)
                    .with_context(|| args.data.display().to_string())?
                    .into_iter();
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
        };
        let identity = args.run.warmup_data.as_deref().map(|path| read_part(path, Part::Identity)).transpose()?;
        if let Some(path) = &args.validation {
            refuse_overlap(&args.data, &training, path, &held_out)?;
        }
        if let (Some(path), Some(identity)) = (&args.run.warmup_data, &identity) {
            refuse_overlap(path, identity, args.validation.as_deref().unwrap_or(&args.data), &held_out)?;
        }
        held_out.truncate(args.held_out_rows);
        Ok(Self { training, identity, held_out })
    }

    /// About how many steps the run will take, which tells how often to evaluate.
    pub fn n_steps_hint(&self, args: &TrainArgs) -> usize {
        let run = &args.run;
        let share = (self.training.len() as f64 * run.warmup_share).round() as usize;
        let batches = |rows: usize| rows.div_ceil(run.batch_rows.max(1));
        let identity = batches(self.identity.as_ref().map_or(share, Vec::len)).saturating_mul(run.warmup_epochs);
        run.steps.unwrap_or(identity.saturating_add(batches(self.training.len()).saturating_mul(run.epochs)))
    }
}

/// Reads a file's rows without duplicates and empty ones, and says how many were left out.
pub fn read_part(path: &Path, part: Part) -> anyhow::Result<Vec<Qac>> {
    let need = if part == Part::Corrections { Need::Triple } else { Need::Answer };
    let file = rows::read_with_empty(path, need)?;
    let rows = match part {
        Part::Corrections => file.triples(),
        Part::Identity => file.answers().into_iter().map(copy).collect(),
    };
    let (rows, report) = filter_rows(rows, &FilterOptions::default()).with_context(|| path.display().to_string())?;
    output::note!("{}: {}", path.display(), report.with_unusable(file.report.n_left_out()));
    Ok(rows)
}

/// An answer as its own correction.
fn copy(text: Question) -> Qac {
    Qac { question: text.question, correction: text.answer.clone(), answer: text.answer }
}

fn refuse_overlap(a_path: &Path, a: &[Qac], b_path: &Path, b: &[Qac]) -> anyhow::Result<()> {
    let questions = |rows: &[Qac]| rows.iter().map(|row| row.question.clone()).collect::<Vec<_>>();
    let shared = overlap(&questions(a), &questions(b));
    match shared.first() {
        None => Ok(()),
        Some(first) => Err(hinted(
            format!(
                "{} questions to train on are also among those to evaluate on ({} and {}), the first: {first:?}",
                shared.len(),
                a_path.display(),
                b_path.display(),
            ),
            "leave --validation out to split --data by question, or remove the shared questions",
        )),
    }
}
