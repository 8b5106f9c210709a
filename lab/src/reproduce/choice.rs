//! Which rows serve: long prompts and copies are left out, and the rest is split by question before anything is fitted.

use std::collections::HashSet;

use redline_probe::split::{PartSizes, normalise, split_by_question};

use super::ReproduceOptions;
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::rows::Rows;

/// Rows by number.
pub(super) struct Choice {
    /// For the direction.
    pub(super) pairs: Vec<usize>,
    /// For the sweep: other questions, one row each.
    pub(super) prompts: Vec<usize>,
    /// For a vector that is trained: every row with another question than those of the sweep, clean answers among them.
    pub(super) training: Vec<usize>,
}

impl Choice {
    pub(super) fn new(
        aligner: &Aligner,
        rows: &Rows,
        options: &ReproduceOptions,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let usable = usable_rows(aligner, rows, options, observer)?;
        let keys: Vec<&str> = usable.iter().map(|&row| rows.triples[row].question.as_str()).collect();
        let sizes = PartSizes::Counts(vec![options.n_pairs, options.n_prompts]);
        let parts = split_by_question(&keys, &sizes, options.seed).map_err(|error| {
            let message = format!("{}: {} rows are usable: {error}", rows.name.display(), usable.len());
            Error::option(message, "lower --pairs or --prompts, or give more rows; equal questions count once")
        })?;
        let numbers = |part: &[usize]| part.iter().map(|&index| usable[index]).collect::<Vec<usize>>();
        let prompts = numbers(&first_of_question(&keys, &parts[1]));
        let training = other_questions(rows, &prompts);
        Ok(Self { pairs: numbers(&parts[0]), prompts, training })
    }
}

/// Rows with another question than these have.
fn other_questions(rows: &Rows, taken: &[usize]) -> Vec<usize> {
    let question = |row: usize| normalise(&rows.triples[row].question);
    let taken: HashSet<String> = taken.iter().map(|&row| question(row)).collect();
    (0..rows.triples.len()).filter(|&row| !taken.contains(&question(row))).collect()
}

/// One row of each question: intervals take prompts to be independent.
fn first_of_question(keys: &[&str], rows: &[usize]) -> Vec<usize> {
    let mut seen = HashSet::new();
    rows.iter().copied().filter(|&row| seen.insert(normalise(keys[row]))).collect()
}

/// Rows whose prompt leaves room for an output and whose correction differs from the answer.
fn usable_rows(
    aligner: &Aligner,
    rows: &Rows,
    options: &ReproduceOptions,
    observer: &mut dyn Observer,
) -> Result<Vec<usize>> {
    let context = aligner.model.decoder.config().context;
    let limit = options.extraction.max_tokens.min(context).saturating_sub(options.max_new_tokens);
    let mut usable = Vec::new();
    let (mut too_long, mut copies) = (0, 0);
    // enough questions for what is asked, and no more: tokenising takes time
    let needed = 2 * (options.n_pairs + options.n_prompts);
    let mut questions = HashSet::new();
    for (row, qac) in rows.triples.iter().enumerate() {
        if questions.len() >= needed {
            break;
        }
        if qac.answer.trim() == qac.correction.trim() {
            copies += 1;
        } else if aligner.prompt(&qac.question, &qac.answer)?.len() > limit
            || aligner.prompt(&qac.question, &qac.correction)?.len() > limit
        {
            too_long += 1;
        } else {
            usable.push(row);
            questions.insert(normalise(&qac.question));
        }
    }
    let n = usable.len();
    observer.note(&format!("data: {n} usable rows looked at, {copies} copies and {too_long} too long left out"));
    Ok(usable)
}
