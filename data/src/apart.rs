//! Rows to train on and rows to hold out that share no fact, no phrase of a flaw, no sentence and no question.
//!
//! Rows of the generated corpus are best *made* apart ([`rows_apart`]): facts and phrases are parted first, and each side is written from its own.
//! [`split_apart`] parts rows that are there, and has to drop those that mix the two sides, which are most of the flawed ones.

use std::collections::{BTreeMap, BTreeSet};

use super::corrupt::{CorruptOptions, CorruptedRow, Corruptor};
use super::error::DataError;
use super::shared::{clean_sentences, held_out, held_out_of_each};
use super::synth::Corpus;
use redline_model::random::Random;

/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x000a_9a47;

/// How to make rows apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApartOptions {
    /// The seed of everything random.
    pub seed: u64,
    /// Rows to train on.
    pub n_train: usize,
    /// Rows to hold out.
    pub n_held_out: usize,
    /// The share of rows that stay clean copies.
    pub clean_share: f64,
    /// The share of facts (a table counts as one) and of the phrases of each list that are held out.
    pub held_out_share: f64,
}

impl Default for ApartOptions {
    fn default() -> Self {
        Self { seed: 0, n_train: 800, n_held_out: 200, clean_share: 1.0 / 3.0, held_out_share: 0.25 }
    }
}

/// Rows in two parts that share nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// To train on.
    pub train: Vec<CorruptedRow>,
    /// To measure on.
    pub held_out: Vec<CorruptedRow>,
    /// Rows left out: they mixed the two sides, or were to be held out and had a sentence or question that is trained on.
    pub n_dropped: usize,
}

/// Writes rows in two parts from a corpus.
///
/// # Errors
/// [`DataError::Share`] for a share that leaves a part empty, [`DataError::TooFewTexts`] when the facts of a part do not hold so many texts.
///
/// # Example
/// ```
/// use redline_data::apart::{ApartOptions, rows_apart};
/// use redline_data::shared::shared_material;
/// use redline_data::synth::Corpus;
///
/// let options = ApartOptions { n_train: 40, n_held_out: 20, ..ApartOptions::default() };
/// let apart = rows_apart(&Corpus::built_in()?, &options)?;
/// assert!(shared_material(&apart.train, &apart.held_out)?.is_apart());
/// # Ok::<(), redline_data::DataError>(())
/// ```
pub fn rows_apart(corpus: &Corpus, options: &ApartOptions) -> Result<Apart, DataError> {
    let ApartOptions { seed, n_train, n_held_out, clean_share, held_out_share } = *options;
    let [train_corpus, held_out_corpus] = corpus.split(held_out_share, seed)?;
    let corruptor = Corruptor::new(CorruptOptions { seed, clean_share })?;
    let [train_corruptor, held_out_corruptor] = corruptor.split_phrases(held_out_share, seed)?;
    let write = |corpus: &Corpus, corruptor: &Corruptor, first: u64, n: usize| -> Result<Vec<_>, DataError> {
        let texts = corpus.texts(seed.wrapping_add(first), n)?;
        (first..).zip(&texts).map(|(row, text)| text.corrupted(row, corruptor)).collect()
    };
    let train = write(&train_corpus, &train_corruptor, 0, n_train)?;
    // some sentences belong to several facts: more rows are written than are needed
    let mut asked = n_held_out;
    loop {
        let written = write(&held_out_corpus, &held_out_corruptor, n_train as u64, asked)?;
        let mut held_out = without_shared(&train, written);
        let n_dropped = asked - held_out.len();
        if held_out.len() >= n_held_out {
            held_out.truncate(n_held_out);
            return Ok(Apart { train, held_out, n_dropped });
        }
        asked += 2 * (n_held_out - held_out.len());
    }
}

/// Parts rows that are there. Rows without a fact are kept apart by question and sentence alone.
///
/// # Errors
/// [`DataError::Share`] for a share that leaves a part empty, or rows of a single fact.
pub fn split_apart(rows: &[CorruptedRow], held_out_share: f64, seed: u64) -> Result<Apart, DataError> {
    let corpus = Corpus::built_in()?;
    let phrases = Corruptor::new(CorruptOptions::default())?;
    let group = |row: &CorruptedRow| {
        let fact = row.fact.clone().unwrap_or_else(|| row.question.clone());
        corpus.group_of(&fact).map_or(fact.clone(), str::to_owned)
    };
    let names = |row: &CorruptedRow| row.flaws.iter().filter_map(|flaw| phrases.phrase_of(flaw)).collect::<Vec<_>>();
    let groups: Vec<String> = rows.iter().map(group).collect();
    let far_groups = held_out(&groups, held_out_share, &mut Random::of_row(seed, STREAM, 0))?;
    let mut lists: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in rows.iter().flat_map(names) {
        let list = name.rsplit_once('/').map_or(name.as_str(), |(list, _)| list).to_owned();
        lists.entry(list).or_default().insert(name);
    }
    lists.retain(|_, names| names.len() > 1);
    let far_phrases = held_out_of_each(&lists, held_out_share, seed, STREAM + 1)?;
    let (mut train, mut far) = (Vec::new(), Vec::new());
    for (row, group) in rows.iter().zip(&groups) {
        let is_far = far_groups.contains(group);
        if names(row).iter().all(|name| far_phrases.contains(name) == is_far) {
            if is_far { far.push(row.clone()) } else { train.push(row.clone()) }
        }
    }
    let held_out = without_shared(&train, far);
    let n_dropped = rows.len() - train.len() - held_out.len();
    Ok(Apart { train, held_out, n_dropped })
}

/// The rows that have no sentence and no question of others.
fn without_shared(others: &[CorruptedRow], rows: Vec<CorruptedRow>) -> Vec<CorruptedRow> {
    let texts = |row: &CorruptedRow| {
        let mut texts = clean_sentences(row);
        texts.push(redline_probe::split::normalise(&row.question));
        texts
    };
    let known: BTreeSet<String> = others.iter().flat_map(texts).collect();
    rows.into_iter().filter(|row| texts(row).iter().all(|text| !known.contains(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corrupt::FlawKind;
    use crate::shared::shared_material;

    fn mixed(n: usize) -> Vec<CorruptedRow> {
        let corruptor = Corruptor::new(CorruptOptions { seed: 8, clean_share: 0.3 }).unwrap();
        let texts = Corpus::built_in().unwrap().texts(8, n).unwrap();
        (0..).zip(&texts).map(|(row, text)| text.corrupted(row, &corruptor).unwrap()).collect()
    }

    #[test]
    fn rows_of_one_corpus_share_nearly_everything_and_are_counted() {
        let rows = mixed(900);
        let shared = shared_material(&rows[..700], &rows[700..]).unwrap();
        assert!(!shared.is_apart());
        assert!(shared.phrases.shared > 80 && shared.phrases.second_share == Some(1.0), "{shared:?}");
        assert!(shared.facts.second_share.unwrap() > 0.5 && shared.sentences.second_share.unwrap() > 0.2, "{shared:?}");
        let itself = shared_material(&rows, &rows).unwrap();
        assert_eq!((itself.facts.shared, itself.sentences.second_share), (itself.facts.first, Some(1.0)));
        assert_eq!(shared_material(&rows, &[]).unwrap().facts.second_share, None);
    }

    #[test]
    fn every_flaw_of_a_phrase_is_recognised() {
        let corruptor = Corruptor::new(CorruptOptions::default()).unwrap();
        for flaw in mixed(400).iter().flat_map(|row| &row.flaws) {
            let name = corruptor.phrase_of(flaw);
            let is_of_answer = matches!(
                flaw.kind,
                FlawKind::WrongNumber | FlawKind::RepeatedSentence | FlawKind::Misspelling | FlawKind::Contradiction
            );
            assert!(is_of_answer || name.is_some(), "{flaw:?}");
            let is_own = name.as_deref().is_none_or(|name| name.starts_with(flaw.kind.name()));
            assert!(is_own, "{name:?} {flaw:?}");
        }
    }

    #[test]
    fn rows_made_apart_share_nothing() {
        let options = ApartOptions { seed: 5, n_train: 400, n_held_out: 150, ..ApartOptions::default() };
        let apart = rows_apart(&Corpus::built_in().unwrap(), &options).unwrap();
        assert_eq!((apart.train.len(), apart.held_out.len()), (400, 150));
        let shared = shared_material(&apart.train, &apart.held_out).unwrap();
        assert!(shared.is_apart(), "{shared:?}");
        assert!(shared.phrases.first > 60 && shared.phrases.second > 20, "both sides have flaws: {shared:?}");
        assert!(apart.held_out.iter().all(CorruptedRow::is_consistent));
        assert_eq!(rows_apart(&Corpus::built_in().unwrap(), &options).unwrap(), apart);
        for held_out_share in [0.0, 1.0, f64::NAN] {
            let options = ApartOptions { held_out_share, ..options };
            assert!(matches!(rows_apart(&Corpus::built_in().unwrap(), &options), Err(DataError::Share { .. })));
        }
    }

    #[test]
    fn rows_that_are_there_are_parted_at_a_price() {
        let rows = mixed(1200);
        let apart = split_apart(&rows, 0.4, 3).unwrap();
        assert!(shared_material(&apart.train, &apart.held_out).unwrap().is_apart());
        assert_eq!(apart.train.len() + apart.held_out.len() + apart.n_dropped, rows.len());
        assert!(apart.train.len() > 100 && apart.held_out.len() > 20, "{} {}", apart.train.len(), apart.held_out.len());
        assert!(apart.held_out.iter().any(|row| !row.is_clean()));
        assert!(matches!(split_apart(&rows[..1], 0.5, 0), Err(DataError::Share { .. })));
    }
}
