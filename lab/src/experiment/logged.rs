//! Sweeps that a file keeps: what is in the file is not written again.

use std::path::Path;

use redline_model::Qac;
use redline_steer::{
    Arm, NamedVector, SweepLog, SweepObserver, SweepOptions, SweepPrompt, SweepRow, sweep as sweep_unlogged,
};

use crate::aligner::Aligner;
use crate::error::Result;
use crate::observer::Observer;

/// What is swept: every prompt under every arm.
#[derive(Debug, Clone, Copy)]
pub struct Swept<'a> {
    /// Held-out prompts.
    pub prompts: &'a [SweepPrompt],
    /// What is injected.
    pub vectors: &'a [NamedVector],
    /// Which vector, how strongly.
    pub arms: &'a [Arm],
    /// How.
    pub options: &'a SweepOptions,
}

/// The prompts of triples, each with its row number; `data` is what errors call the file they come from.
///
/// # Errors
/// A prompt that leaves no room for the output.
pub fn sweep_prompts(
    aligner: &Aligner,
    triples: &[(usize, &Qac)],
    max_new_tokens: usize,
    data: &Path,
) -> Result<Vec<SweepPrompt>> {
    let prompt = |&(row, qac): &(usize, &Qac)| {
        let origin = format!("{}: row {row}", data.display());
        Ok(SweepPrompt {
            row,
            tokens: aligner.prompt_with_room([&qac.question, &qac.answer], max_new_tokens, &origin)?,
            answer: qac.answer.clone(),
            correction: Some(qac.correction.clone()),
        })
    };
    triples.iter().map(prompt).collect()
}

/// Sweeps the prompts that the file does not hold yet; its rows are those of all prompts afterwards. `label` names the stage.
///
/// # Errors
/// Those of [`redline_steer::sweep()`], or the file cannot be written.
pub fn sweep_logged(
    aligner: &Aligner,
    swept: &Swept<'_>,
    log: &mut SweepLog,
    label: &str,
    observer: &mut dyn Observer,
) -> Result<()> {
    let Swept { prompts, vectors, arms, options } = *swept;
    log.drop_incomplete(arms.len())?;
    let complete = log.complete_rows(arms.len());
    let left: Vec<SweepPrompt> = prompts.iter().filter(|prompt| !complete.contains(&prompt.row)).cloned().collect();
    if left.len() < prompts.len() {
        let n_there = prompts.len() - left.len();
        observer.note(&format!("{label}: {n_there} of {} prompts are there already", prompts.len()));
    }
    let mut watch = Watch::new(label, left.len(), arms.len().saturating_mul(options.max_new_tokens), log, observer);
    let model = &aligner.model;
    sweep_unlogged(&model.decoder, model.tokenizer()?, &left, vectors, arms, options, &mut watch)?;
    observer.end(label);
    Ok(())
}

/// Reports progress and writes rows to the file. Tokens are what takes time; outputs end early, so a finished prompt
/// counts as all the tokens it could have had.
struct Watch<'a> {
    label: &'a str,
    observer: &'a mut dyn Observer,
    log: &'a mut SweepLog,
    tokens: usize,
    prompts: usize,
    tokens_per_prompt: usize,
    total: usize,
}

impl<'a> Watch<'a> {
    fn new(
        label: &'a str,
        n_prompts: usize,
        tokens_per_prompt: usize,
        log: &'a mut SweepLog,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let total = n_prompts.saturating_mul(tokens_per_prompt);
        Self { label, observer, log, tokens: 0, prompts: 0, tokens_per_prompt, total }
    }

    fn report(&mut self) -> redline_model::Result<()> {
        self.observer.progress(self.label, self.tokens.min(self.total), self.total)
    }
}

impl SweepObserver for Watch<'_> {
    fn on_token(&mut self) -> redline_model::Result<()> {
        self.tokens += 1;
        self.report()
    }

    fn on_rows(&mut self, rows: &[SweepRow]) -> redline_steer::Result<()> {
        self.log.append(rows)?;
        self.prompts += 1;
        self.tokens = self.tokens.max(self.prompts.saturating_mul(self.tokens_per_prompt));
        Ok(self.report()?)
    }
}
