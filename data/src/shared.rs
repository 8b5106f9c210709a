//! What two sets of rows share beside questions: facts, phrases of flaws, and whole sentences.
//!
//! Rows may share no question and still say nothing about new text: of the embedded Aligner's held-out rows every fact and 88 % of the sentences occur in
//! training. And a model of quality that is trained on the phrases of flaws recognises phrases.

use std::collections::{BTreeMap, BTreeSet};

use redline_probe::split::normalise;
use serde::{Deserialize, Serialize};

use super::corrupt::{CorruptOptions, CorruptedRow, Corruptor, sentences};
use super::error::DataError;
use redline_model::random::Random;

/// How much of one kind two sets share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// Different ones in the first set.
    pub first: usize,
    /// Different ones in the second set.
    pub second: usize,
    /// Different ones in both.
    pub shared: usize,
    /// Share of all occurrences in the second set that are of ones in the first; none without any.
    pub second_share: Option<f64>,
}

impl Overlap {
    fn new(first: &[String], second: &[String]) -> Self {
        let known: BTreeSet<&String> = first.iter().collect();
        let new: BTreeSet<&String> = second.iter().collect();
        let n_known = second.iter().filter(|item| known.contains(item)).count();
        Self {
            first: known.len(),
            second: new.len(),
            shared: known.intersection(&new).count(),
            second_share: (!second.is_empty()).then(|| n_known as f64 / second.len() as f64),
        }
    }
}

/// What two sets of rows share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharedMaterial {
    /// Facts; rows that name none count nowhere.
    pub facts: Overlap,
    /// Phrases that flaws are made of.
    pub phrases: Overlap,
    /// Sentences of clean answers, by their words.
    pub sentences: Overlap,
    /// Questions.
    pub questions: Overlap,
}

impl SharedMaterial {
    /// Whether the second set has no fact, phrase, sentence or question of the first.
    pub fn is_apart(&self) -> bool {
        [self.facts, self.phrases, self.sentences, self.questions].iter().all(|overlap| overlap.shared == 0)
    }
}

/// Counts what two sets of rows share.
///
/// # Errors
/// [`DataError::Material`] when the build's own phrases are broken.
pub fn shared_material(first: &[CorruptedRow], second: &[CorruptedRow]) -> Result<SharedMaterial, DataError> {
    let phrases = Corruptor::new(CorruptOptions::default())?;
    let overlap = |of: &dyn Fn(&CorruptedRow) -> Vec<String>| {
        let all = |rows: &[CorruptedRow]| rows.iter().flat_map(of).collect::<Vec<String>>();
        Overlap::new(&all(first), &all(second))
    };
    Ok(SharedMaterial {
        facts: overlap(&|row| row.fact.iter().cloned().collect()),
        phrases: overlap(&|row| row.flaws.iter().filter_map(|flaw| phrases.phrase_of(flaw)).collect()),
        sentences: overlap(&clean_sentences),
        questions: overlap(&|row| vec![normalise(&row.question)]),
    })
}

/// The sentences of a clean answer, in the form in which they are compared.
pub(super) fn clean_sentences(row: &CorruptedRow) -> Vec<String> {
    sentences(&row.clean).into_iter().map(|range| normalise(&row.clean[range])).collect()
}

/// Draws those to hold out; at least one stays on each side.
///
/// # Errors
/// [`DataError::Share`] when the share is not between 0 and 1, or there are fewer than two to share.
pub(super) fn held_out<T: Ord + Clone>(all: &[T], share: f64, rng: &mut Random) -> Result<BTreeSet<T>, DataError> {
    let mut order: Vec<&T> = all.iter().collect::<BTreeSet<&T>>().into_iter().collect();
    if !(share > 0.0 && share < 1.0) || order.len() < 2 {
        return Err(DataError::Share { what: "the share to hold out", got: share });
    }
    rng.shuffle(&mut order);
    let n = ((order.len() as f64 * share).round() as usize).clamp(1, order.len() - 1);
    Ok(order[..n].iter().map(|item| (*item).clone()).collect())
}

/// Draws names to hold out from each group of names by itself.
///
/// # Errors
/// As [`held_out`].
pub(super) fn held_out_of_each(
    names: &BTreeMap<String, BTreeSet<String>>,
    share: f64,
    seed: u64,
    stream: u64,
) -> Result<BTreeSet<String>, DataError> {
    let mut all = BTreeSet::new();
    for (number, group) in (0..).zip(names.values()) {
        let group: Vec<String> = group.iter().cloned().collect();
        all.extend(held_out(&group, share, &mut Random::of_row(seed, stream, number))?);
    }
    Ok(all)
}
