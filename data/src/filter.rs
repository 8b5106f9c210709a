//! Removing rows that teach nothing or cost too much: exact duplicates, rows with an empty text, over-long rows.

use std::collections::HashSet;
use std::fmt;

use redline_model::qac::{Qac, Question};
use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::row::DataRow;

/// What is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterOptions {
    /// Most Unicode scalar values in all texts of a row together.
    pub max_chars: usize,
}

impl Default for FilterOptions {
    /// Some 2,048 tokens of English, twice over: the length the released Aligners were trained at.
    fn default() -> Self {
        Self { max_chars: 16_384 }
    }
}

/// What was read, removed and kept. A row is counted once, under the first reason in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterReport {
    /// Rows before.
    pub read: usize,
    /// Rows that could not be used, which the reader left out.
    #[serde(default)]
    pub unusable: usize,
    /// Rows with a text of white space only.
    pub empty: usize,
    /// Rows above the length limit.
    pub over_long: usize,
    /// Rows equal to an earlier one.
    pub duplicates: usize,
    /// Rows left.
    pub kept: usize,
}

impl FilterReport {
    /// Counts rows too that a reader left out before.
    pub fn with_unusable(self, n_rows: usize) -> Self {
        Self { read: self.read + n_rows, unusable: n_rows, ..self }
    }
}

impl fmt::Display for FilterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, unusable, empty, over_long, duplicates, kept } = self;
        write!(f, "{read} read, ")?;
        if *unusable > 0 {
            write!(f, "{unusable} unusable, ")?;
        }
        write!(f, "{empty} empty, {over_long} over-long, {duplicates} duplicates, {kept} kept")
    }
}

/// A row made of texts.
pub trait TextRow {
    /// All texts that must not be empty; rows with the same texts are duplicates.
    fn texts(&self) -> Vec<&str>;
}

impl TextRow for Qac {
    fn texts(&self) -> Vec<&str> {
        vec![&self.question, &self.answer, &self.correction]
    }
}

impl TextRow for Question {
    fn texts(&self) -> Vec<&str> {
        vec![&self.question, &self.answer]
    }
}

impl TextRow for DataRow {
    fn texts(&self) -> Vec<&str> {
        Self::texts(self).into_iter().map(|(_, text)| text).collect()
    }
}

/// Removes empty, over-long and repeated rows; the order of the others stays.
///
/// # Errors
/// [`DataError::NothingLeft`].
pub fn filter_rows<R: TextRow>(rows: Vec<R>, options: &FilterOptions) -> Result<(Vec<R>, FilterReport), DataError> {
    let mut report = FilterReport { read: rows.len(), ..FilterReport::default() };
    let mut seen: HashSet<Vec<&str>> = HashSet::with_capacity(rows.len());
    let mut keep = Vec::with_capacity(rows.len());
    for row in &rows {
        let texts = row.texts();
        let is_empty = texts.iter().any(|text| text.trim().is_empty());
        let is_long = texts.iter().map(|text| text.chars().count()).sum::<usize>() > options.max_chars;
        let is_kept = !is_empty && !is_long && seen.insert(texts);
        let counter = match (is_empty, is_long, is_kept) {
            (true, _, _) => &mut report.empty,
            (_, true, _) => &mut report.over_long,
            (_, _, false) => &mut report.duplicates,
            (_, _, true) => &mut report.kept,
        };
        *counter += 1;
        keep.push(is_kept);
    }
    if report.kept == 0 {
        return Err(DataError::NothingLeft { report });
    }
    let kept = rows.into_iter().zip(keep).filter(|(_, is_kept)| *is_kept);
    Ok((kept.map(|(row, _)| row).collect(), report))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(question: &str, answer: &str) -> Question {
        Question { question: question.into(), answer: answer.into() }
    }

    #[test]
    fn each_reason_is_counted_once_and_the_order_stays() {
        let rows =
            vec![row("b", "1"), row("a", " \n"), row("a", "123456"), row("b", "1"), row("a", "é2345"), row("a", "")];
        let (kept, report) = filter_rows(rows, &FilterOptions { max_chars: 6 }).unwrap();
        assert_eq!(kept, [row("b", "1"), row("a", "é2345")]);
        assert_eq!(report, FilterReport { read: 6, unusable: 0, empty: 2, over_long: 1, duplicates: 1, kept: 2 });
        assert_eq!(report.to_string(), "6 read, 2 empty, 1 over-long, 1 duplicates, 2 kept");
    }

    #[test]
    fn an_empty_result_is_an_error_that_says_why() {
        let error = filter_rows(vec![row("a", "")], &FilterOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "no rows are left: 1 read, 1 empty, 0 over-long, 0 duplicates, 0 kept");
        assert!(filter_rows(Vec::<Qac>::new(), &FilterOptions::default()).is_err());
    }
}
