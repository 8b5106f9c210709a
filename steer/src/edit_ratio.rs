//! Edit ratio: how much of the original answer the Aligner rewrote, for one row and over many.
//!
//! With d the [Levenshtein distance](crate::levenshtein_distance) between the original answer and the output, in
//! Unicode scalar values, and |·| a length in the same unit:
//!
//! | variant | value | range |
//! |---|---|---|
//! | `char` (default) | d / \|original\| | 0 … ∞; undefined for an empty original |
//! | `token` | the same on tokens | 0 … ∞; undefined for an original without tokens |
//! | `max` | d / max(\|original\|, \|output\|) | 0 … 1; 0 for two empty texts |
//! | `micro` | Σd / Σ\|original\| over rows | 0 … ∞; long answers weigh more |
//!
//! The normalised similarity is 1 − `max`. An output that loops has a high ratio without correcting anything: read the
//! ratio beside [`repetition_rate`](crate::repetition_rate) and the share of truncated outputs.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::error::{Error, Result};
use crate::levenshtein::{levenshtein_distance, levenshtein_distance_tokens};
use redline_probe::stats::median;

/// Which denominator and which unit an edit ratio has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EditRatioVariant {
    /// Distance over the length of the original, in Unicode scalar values.
    #[default]
    Char,
    /// Distance over the length of the original, in tokens.
    Token,
    /// Distance over the longer length, in Unicode scalar values.
    Max,
    /// Sum of distances over sum of original lengths, in Unicode scalar values.
    Micro,
}

redline_model::named_enum! {
    "edit ratio variant", EditRatioVariant { Char = "char", Token = "token", Max = "max", Micro = "micro" }
}

/// How one output differs from its original answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EditRatios {
    /// Levenshtein distance in Unicode scalar values.
    pub distance: usize,
    /// Unicode scalar values of the original.
    pub original_length: usize,
    /// Unicode scalar values of the output.
    pub output_length: usize,
    /// Levenshtein distance in tokens.
    pub token_distance: usize,
    /// Tokens of the original.
    pub original_tokens: usize,
    /// Tokens of the output.
    pub output_tokens: usize,
    /// `distance / original_length`; `None` when the original is empty.
    pub char: Option<f64>,
    /// `token_distance / original_tokens`; `None` when the original has no tokens.
    pub token: Option<f64>,
    /// `distance` over the longer length; 0 for two empty texts.
    pub max: f64,
    /// Normalised similarity, 1 − `max`.
    pub similarity: f64,
    /// The output is the original, scalar value for scalar value.
    pub exact_copy: bool,
}

impl EditRatios {
    /// Compares an output with its original; tokens are the words of [`split_words`].
    ///
    /// # Example
    /// ```
    /// use redline_steer::EditRatios;
    ///
    /// let ratios = EditRatios::new("It is a dreadful map.", "It is a map.");
    /// assert_eq!(ratios.char, Some(9.0 / 21.0));
    /// assert_eq!(EditRatios::new("", "text").char, None);
    /// ```
    pub fn new(original: &str, output: &str) -> Self {
        let mut ids = HashMap::new();
        let original_ids = word_ids(original, &mut ids);
        let output_ids = word_ids(output, &mut ids);
        Self::with_tokens(original, output, &original_ids, &output_ids)
    }

    /// Compares an output with its original, with the token ids of both by the same tokenizer.
    pub fn with_tokens(original: &str, output: &str, original_ids: &[u32], output_ids: &[u32]) -> Self {
        let distance = levenshtein_distance(original, output);
        let token_distance = levenshtein_distance_tokens(original_ids, output_ids);
        let original_length = original.chars().count();
        let output_length = output.chars().count();
        let max = share(distance, original_length.max(output_length)).unwrap_or(0.0);
        Self {
            distance,
            original_length,
            output_length,
            token_distance,
            original_tokens: original_ids.len(),
            output_tokens: output_ids.len(),
            char: share(distance, original_length),
            token: share(token_distance, original_ids.len()),
            max,
            similarity: 1.0 - max,
            exact_copy: original == output,
        }
    }

    /// The ratio of that variant. One row's `micro` is its `char`.
    pub fn ratio(&self, variant: EditRatioVariant) -> Option<f64> {
        match variant {
            EditRatioVariant::Char | EditRatioVariant::Micro => self.char,
            EditRatioVariant::Token => self.token,
            EditRatioVariant::Max => Some(self.max),
        }
    }
}

/// Splits a text into words, runs of white space and single punctuation marks, by the word boundaries of Unicode
/// (UAX #29). Nothing is dropped: the pieces joined are the text. Scripts written without spaces split into single
/// characters (Han, Hiragana) or runs (Katakana).
///
/// # Example
/// ```
/// let words: Vec<&str> = redline_steer::split_words("Can't stop,  now").collect();
/// assert_eq!(words, ["Can't", " ", "stop", ",", "  ", "now"]);
/// ```
pub fn split_words(text: &str) -> impl Iterator<Item = &str> {
    text.split_word_bounds()
}

/// Numbers the words of a text, the same word the same number across calls with one map.
fn word_ids<'a>(text: &'a str, ids: &mut HashMap<&'a str, u32>) -> Vec<u32> {
    let mut numbered = Vec::new();
    for word in split_words(text) {
        let next = ids.len() as u32;
        numbered.push(*ids.entry(word).or_insert(next));
    }
    numbered
}

/// `part / whole`, undefined when the whole is 0.
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Compares many (original, output) rows, in parallel; results are in the order of the rows.
pub fn edit_ratios<O, C>(rows: &[(O, C)]) -> Vec<EditRatios>
where
    O: AsRef<str> + Sync,
    C: AsRef<str> + Sync,
{
    rows.par_iter().map(|(original, output)| EditRatios::new(original.as_ref(), output.as_ref())).collect()
}

/// One variant over many rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatioSummary {
    /// Rows that have a ratio; rows with an empty original have none, except under `max` and `micro`.
    pub n: usize,
    /// Mean over those rows; for `micro` the ratio of sums. `None` when undefined for every row.
    pub mean: Option<f64>,
    /// Median over those rows; `None` for `micro`, which is one number.
    pub median: Option<f64>,
}

impl RatioSummary {
    fn of_rows(rows: &[EditRatios], variant: EditRatioVariant) -> Self {
        let mut ratios: Vec<f64> = rows.iter().filter_map(|row| row.ratio(variant)).collect();
        ratios.sort_by(f64::total_cmp);
        let n = ratios.len();
        let mean = (n > 0).then(|| ratios.iter().sum::<f64>() / n as f64);
        Self { n, mean, median: median(&ratios) }
    }

    fn of_sums(rows: &[EditRatios]) -> Self {
        let distance = rows.iter().map(|row| row.distance).sum();
        let length = rows.iter().map(|row| row.original_length).sum();
        Self { n: rows.len(), mean: share(distance, length), median: None }
    }
}

/// Edit ratios over many rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EditRatioSummary {
    /// Number of rows.
    pub n: usize,
    /// Share of rows whose output is the original unchanged.
    pub exact_copy_share: f64,
    /// Mean normalised similarity.
    pub mean_similarity: f64,
    /// Distance over the length of the original.
    pub char: RatioSummary,
    /// The same in tokens.
    pub token: RatioSummary,
    /// Distance over the longer length.
    pub max: RatioSummary,
    /// Sum of distances over sum of lengths.
    pub micro: RatioSummary,
}

impl EditRatioSummary {
    /// The summary of that variant.
    pub fn ratio(&self, variant: EditRatioVariant) -> RatioSummary {
        match variant {
            EditRatioVariant::Char => self.char,
            EditRatioVariant::Token => self.token,
            EditRatioVariant::Max => self.max,
            EditRatioVariant::Micro => self.micro,
        }
    }
}

/// Mean, median and share of exact copies over rows.
///
/// # Errors
/// [`Error::TooFew`] when there are no rows.
pub fn summarize_edit_ratios(rows: &[EditRatios]) -> Result<EditRatioSummary> {
    if rows.is_empty() {
        return Err(Error::TooFew { what: "rows of edit ratios", got: 0, needed: 1 });
    }
    let n = rows.len() as f64;
    Ok(EditRatioSummary {
        n: rows.len(),
        exact_copy_share: rows.iter().filter(|row| row.exact_copy).count() as f64 / n,
        mean_similarity: rows.iter().map(|row| row.similarity).sum::<f64>() / n,
        char: RatioSummary::of_rows(rows, EditRatioVariant::Char),
        token: RatioSummary::of_rows(rows, EditRatioVariant::Token),
        max: RatioSummary::of_rows(rows, EditRatioVariant::Max),
        micro: RatioSummary::of_sums(rows),
    })
}

#[cfg(test)]
mod tests;
