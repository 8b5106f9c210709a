//! Which rows serve what: pairs for the direction, prompts for the line, others to verify on. No question serves twice.

use std::collections::HashSet;

use redline_probe::artifact::question_hash;
use redline_probe::split::normalise;

use super::Tuning;
use crate::built_in::BuiltIn;
use crate::error::{Error, Result};
use crate::observer::Observer;

/// Row numbers by what they serve.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) pairs: Vec<usize>,
    pub(super) prompts: Vec<usize>,
    pub(super) verify: Vec<usize>,
}

/// How many rows serve what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Pairs for the direction; 0 where a vector is given.
    pub pairs: usize,
    /// Prompts for the line.
    pub prompts: usize,
    /// Others to verify the coefficient on.
    pub verify: usize,
}

impl Counts {
    /// Counts that suit rows and model.
    pub fn suited(are_embedded: bool, model: Option<BuiltIn>) -> Self {
        let (pairs, prompts) = match (are_embedded, model) {
            (false, _) => (64, 24),
            (true, Some(BuiltIn::Embedded)) => (160, 96),
            (true, _) => (96, 32),
        };
        Self { pairs, prompts, verify: prompts }
    }
}

/// Takes rows from the first on, one of each question, none that the vector has seen or that was swept before, none without
/// room for the output.
pub(super) fn choose(
    run: &Tuning<'_>,
    counts: Counts,
    taken: &Taken,
    max_new_tokens: usize,
    observer: &mut dyn Observer,
) -> Result<Chosen> {
    let Tuning { aligner, rows, options } = *run;
    let limit = aligner.model.decoder.config().context.saturating_sub(max_new_tokens);
    let limit = limit.min(options.extraction.max_tokens);
    let are_embedded = rows.is_embedded;
    let mut chosen = Chosen::default();
    let mut questions = taken.questions.clone();
    let (mut n_seen, mut n_too_long) = (0, 0);
    for (row, qac) in rows.triples.iter().enumerate().skip(options.skip) {
        // the corpus inside holds clean answers too, which tell nothing of how far a flawed one is rewritten
        let is_copy = qac.answer.trim() == qac.correction.trim();
        let part = match () {
            () if chosen.pairs.len() < counts.pairs && !is_copy => &mut chosen.pairs,
            () if chosen.pairs.len() < counts.pairs || (are_embedded && is_copy) => continue,
            () if chosen.prompts.len() < counts.prompts => &mut chosen.prompts,
            () if chosen.verify.len() < counts.verify => &mut chosen.verify,
            () => break,
        };
        if taken.hashes.contains(&question_hash(&qac.question)) {
            n_seen += 1;
        } else if aligner.prompt(&qac.question, &qac.answer)?.len() > limit {
            n_too_long += 1;
        } else if questions.insert(normalise(&qac.question)) {
            part.push(row);
        }
    }
    for (n, reason) in [(n_seen, "the vector has seen their questions"), (n_too_long, "no room for the output")] {
        if n > 0 {
            let rows = if n == 1 { "1 row".into() } else { format!("{n} rows") };
            observer.note(&format!("note: {rows} left out: {reason}"));
        }
    }
    let asked = counts.pairs + counts.prompts + counts.verify;
    let found = chosen.pairs.len() + chosen.prompts.len() + chosen.verify.len();
    if found < asked {
        let Counts { pairs, prompts, verify } = counts;
        return Err(Error::option(
            format!(
                "{}: {found} rows can serve, {asked} are needed: {pairs} pairs, {prompts} prompts, {verify} to verify on",
                rows.name.display()
            ),
            "lower --pairs, --prompts or --verify, or give more rows with --data; equal questions count once",
        ));
    }
    Ok(chosen)
}

/// Questions that are spent.
#[derive(Default)]
pub(super) struct Taken {
    /// Hashes of those that the vector has seen.
    pub(super) hashes: HashSet<String>,
    /// Those of an earlier sweep, normalised.
    pub(super) questions: HashSet<String>,
}
