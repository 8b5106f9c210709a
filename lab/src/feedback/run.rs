//! Writing the outputs: a sweep for each instruction, each in its own file that goes on where it was stopped.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use redline_model::{AlignerTemplate, Qac};
use redline_steer::{BootstrapOptions, CORRECTION, NamedVector, SweepLog, SweepOptions, SweepRow, arms};

use super::table::FeedbackTable;
use crate::aligner::Aligner;
use crate::data::corrupt::CorruptedRow;
use crate::data::traits::Instruction;
use crate::error::{Error, Result};
use crate::experiment::{SweepSettings, Swept, sweep_logged, sweep_prompts};
use crate::observer::Observer;
use crate::steering::{LoadedVector, Steering};

/// An instruction: what it is called, and what the prompt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedFor {
    /// Its name in tables and files.
    pub name: String,
    /// The words; none where nothing is asked for.
    pub text: String,
}

impl AskedFor {
    /// Reads a known name, or `NAME=TEXT`.
    ///
    /// # Errors
    /// A name that is not known and has no text, or that cannot be the name of a file.
    pub fn read(given: &str) -> Result<Self> {
        let (name, text) = match given.split_once('=') {
            Some((name, text)) => (name.trim(), text.trim().to_owned()),
            None => {
                let known: Instruction = given.trim().parse().map_err(|error: redline_model::UnknownName| {
                    Error::option(error.to_string(), "choose one of those known, or give NAME=TEXT")
                })?;
                (given.trim(), known.wording()?)
            }
        };
        let is_plain = |symbol: char| symbol.is_ascii_alphanumeric() || "-_".contains(symbol);
        if name.is_empty() || !name.chars().all(is_plain) {
            let message = format!("`{name}` cannot be the name of an instruction");
            return Err(Error::option(message, "take letters, digits, - and _, as in brief='Be brief'"));
        }
        Ok(Self { name: name.to_owned(), text })
    }

    /// The file of its outputs.
    pub fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.jsonl", self.name))
    }
}

/// What is run.
pub struct FeedbackRun<'a> {
    /// Model and template; the template has a place for instructions.
    pub aligner: &'a mut Aligner,
    /// How the vector is injected.
    pub steering: &'a Steering,
    /// The vector.
    pub loaded: &'a LoadedVector,
    /// Rows with their flaws, no two with the same question and answer.
    pub rows: &'a [CorruptedRow],
    /// Name of their file.
    pub data: &'a Path,
    /// The instructions; the others are compared with the first.
    pub asked: &'a [AskedFor],
    /// The coefficients.
    pub coefficients: &'a [f32],
    /// How outputs are written.
    pub options: &'a SweepOptions,
    /// Where files go.
    pub folder: &'a Path,
}

impl FeedbackRun<'_> {
    /// Writes what is not there yet, and measures all of it.
    ///
    /// # Errors
    /// Fewer than two instructions or one twice, a template without a place for them, no rows, a prompt without room, a file of other settings,
    /// or what the observer returns.
    pub fn run(self, bootstrap: &BootstrapOptions, observer: &mut dyn Observer) -> Result<FeedbackTable> {
        self.check()?;
        let plain = self.aligner.template.clone();
        let mut outputs = Vec::with_capacity(self.asked.len());
        for asked in self.asked {
            self.aligner.template = plain.with_instruction(&asked.text)?;
            let written = self.sweep(asked, observer);
            self.aligner.template = plain.clone();
            outputs.push((asked.clone(), written?));
        }
        FeedbackTable::measure(self.rows, &outputs, bootstrap)
    }

    fn check(&self) -> Result<()> {
        let template: &AlignerTemplate = &self.aligner.template;
        if let Some(asked) = self.asked.iter().find(|asked| !asked.text.is_empty() && !template.takes_instruction()) {
            return Err(Error::option(
                format!(
                    "instruction {} is given, and the template {} has no place for it",
                    asked.name,
                    template.name()
                ),
                "put {instruction} into the template, or choose aligner with --template",
            ));
        }
        let mut names = HashSet::new();
        if let Some(twice) = self.asked.iter().find(|asked| !names.insert(&asked.name)) {
            return Err(Error::option(format!("instruction {} is given twice", twice.name), "give each one once"));
        }
        if self.asked.len() < 2 {
            return Err(Error::option("there is one instruction, and nothing to compare", "give none and another one"));
        }
        match self.rows.is_empty() {
            true => Err(Error::option(format!("{}: no rows", self.data.display()), "give rows with flaws")),
            false => Ok(()),
        }
    }

    /// All outputs under one instruction.
    fn sweep(&self, asked: &AskedFor, observer: &mut dyn Observer) -> Result<Vec<SweepRow>> {
        let triples: Vec<Qac> = self.rows.iter().map(CorruptedRow::to_qac).collect();
        let settings = SweepSettings {
            aligner: self.aligner,
            steering: self.steering,
            loaded: self.loaded,
            coefficients: self.coefficients,
            data: self.data,
            triples: &triples,
            skip: 0,
            share: None,
            max_new_tokens: self.options.max_new_tokens,
            sampling: &self.options.sampling,
        };
        let numbered: Vec<(usize, &Qac)> = triples.iter().enumerate().collect();
        let prompts = sweep_prompts(self.aligner, &numbered, self.options.max_new_tokens, self.data)?;
        let arms = arms(1, self.coefficients)?;
        let mut log = SweepLog::open(&asked.file(self.folder), &settings.to_json())?;
        let vectors = [NamedVector { name: CORRECTION.into(), vector: self.loaded.vector.clone() }];
        let swept = Swept { prompts: &prompts, vectors: &vectors, arms: &arms, options: self.options };
        sweep_logged(self.aligner, &swept, &mut log, &asked.name, observer)?;
        Ok(log.rows().to_vec())
    }
}

/// Rows without those whose question and answer were there before: rows with an instruction hold each text several times.
pub fn unique_rows(rows: Vec<CorruptedRow>) -> Vec<CorruptedRow> {
    let mut seen = HashSet::new();
    rows.into_iter().filter(|row| seen.insert((row.question.clone(), row.answer.clone()))).collect()
}
