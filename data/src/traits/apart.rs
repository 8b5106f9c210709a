//! Rows to train on and rows to hold out that share no situation, no sentence of acknowledgement, no fact and no question.

use std::collections::BTreeSet;

use redline_probe::split::normalise;

use super::{InstructOptions, InstructedRow, TraitCorpus, TraitOptions, TraitRow};
use crate::corrupt::{CorruptOptions, Corruptor};
use crate::error::DataError;

/// The share of situations, sentences, facts and phrases of flaws that are held out.
pub const HELD_OUT_SHARE: f64 = 0.25;
/// Seeds of the part that is held out are so far from the others.
const FAR: u64 = 0x00fa_4000;

/// Rows of a trait in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraitsApart {
    /// To train on.
    pub train: Vec<TraitRow>,
    /// To measure on.
    pub held_out: Vec<TraitRow>,
}

/// Rows with an instruction in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstructedApart {
    /// To train on.
    pub train: Vec<InstructedRow>,
    /// To measure on.
    pub held_out: Vec<InstructedRow>,
}

/// Writes rows of a trait in two parts. The seed parts the material and draws the rows of both.
///
/// # Errors
/// As [`TraitCorpus::split`] and [`TraitCorpus::rows`].
pub fn traits_apart(corpus: &TraitCorpus, options: &TraitOptions, n_held_out: usize) -> Result<TraitsApart, DataError> {
    let [near, far] = corpus.split(HELD_OUT_SHARE, options.seed)?;
    let train = near.rows(options)?;
    let seed = options.seed.wrapping_add(FAR);
    let known: BTreeSet<String> = train.iter().map(|row| normalise(&row.question)).collect();
    let write = |n_rows: usize| far.rows(&TraitOptions { seed, n_rows, ..*options });
    let held_out = enough(n_held_out, write, |row: &TraitRow| !known.contains(&normalise(&row.question)))?;
    Ok(TraitsApart { train, held_out })
}

/// Writes rows with an instruction in two parts, whose flaws are made of different phrases too.
///
/// # Errors
/// As [`TraitCorpus::split`] and [`TraitCorpus::instructed_rows`].
pub fn instructed_apart(
    corpus: &TraitCorpus,
    options: &InstructOptions,
    n_held_out: usize,
) -> Result<InstructedApart, DataError> {
    let InstructOptions { seed, clean_share, .. } = *options;
    let [near, far] = corpus.split(HELD_OUT_SHARE, seed)?;
    let of_seed = |seed: u64| -> Result<[Corruptor; 2], DataError> {
        Corruptor::new(CorruptOptions { seed, clean_share })?.split_phrases(HELD_OUT_SHARE, options.seed)
    };
    let [near_corruptor, _] = of_seed(seed)?;
    let train = near.instructed_rows_by(&near_corruptor, options)?;
    let seed = seed.wrapping_add(FAR);
    let [_, corruptor] = of_seed(seed)?;
    let known: BTreeSet<String> = train.iter().map(|row| normalise(&row.row.question)).collect();
    let write = |n_rows: usize| far.instructed_rows_by(&corruptor, &InstructOptions { seed, n_rows, clean_share });
    let held_out = enough(n_held_out, write, |row: &InstructedRow| !known.contains(&normalise(&row.row.question)))?;
    Ok(InstructedApart { train, held_out })
}

/// So many rows that may be kept: more are written than are needed.
fn enough<R>(
    n: usize,
    write: impl Fn(usize) -> Result<Vec<R>, DataError>,
    is_kept: impl Fn(&R) -> bool,
) -> Result<Vec<R>, DataError> {
    let mut asked = n;
    loop {
        let mut rows: Vec<R> = write(asked)?.into_iter().filter(&is_kept).collect();
        if rows.len() >= n {
            rows.truncate(n);
            return Ok(rows);
        }
        asked += 2 * (n - rows.len());
    }
}
