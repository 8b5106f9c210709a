//! Filters of rows: each looks at the text that is learnt and says why a row should go.
//!
//! | filter | removes a row whose target | unless |
//! |---|---|---|
//! | `character_count`, `word_count` | has fewer or more than the bounds | |
//! | `mean_word_length` | has words that are too short or too long in the mean | it is short |
//! | `alpha_numeric` | has too large a share of characters that are neither letters, digits nor white space | it is short |
//! | `repeated_lines` | has too small a share of different lines | it has fewer than three lines |
//! | `repeating_top_ngrams` | owes too large a share of its characters to its most frequent run of n words | it is short |
//! | `answer_is_question` | repeats the question | |
//! | `boilerplate` | begins with a phrase that says nothing | |
//! | `refusal` | begins like a refusal | (off by default) |
//! | `code_fence` | opens a code block and does not close it | |
//! | `language` | is not of the language asked for | it is short (off by default) |
//!
//! `mean_word_length`, `alpha_numeric`, `repeated_lines` and `repeating_top_ngrams` have the names and limits of NeMo Curator, which has
//! them from Gopher (Rae et al. 2021); its 50 words at least are for pages of the web and are 1 here. As shares of a few words say
//! nothing, those filters pass targets below [`RowFilterOptions::fewest_words_for_shares`]. They presume words with spaces between them:
//! for Chinese or Japanese switch them off. A row is counted under the first filter in the order of the table.

mod measures;
mod options;
mod phrases;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use redline_model::{Qac, Question};
use redline_probe::split::normalise;

use crate::DataRow;
use crate::filter::TextRow;

pub use measures::{
    is_fence_open, latin_share, mean_word_length, non_alphanumeric_share, stop_word_share, top_n_gram_share,
    unique_line_share,
};
pub use options::{LanguageOptions, Range, RowFilterOptions, TopNGram};
pub use phrases::{BOILERPLATE, REFUSALS, begins_with_any};

/// A row of which it is known what was asked and which text is learnt.
pub trait TargetRow: TextRow {
    /// What was asked.
    fn question(&self) -> &str;

    /// The text that is learnt: the correction, or the answer where there is none; none of a question alone.
    fn target(&self) -> Option<&str>;
}

impl TargetRow for Question {
    fn question(&self) -> &str {
        &self.question
    }

    fn target(&self) -> Option<&str> {
        Some(&self.answer)
    }
}

impl TargetRow for Qac {
    fn question(&self) -> &str {
        &self.question
    }

    fn target(&self) -> Option<&str> {
        Some(&self.correction)
    }
}

impl TargetRow for DataRow {
    fn question(&self) -> &str {
        &self.question
    }

    fn target(&self) -> Option<&str> {
        self.correction.as_deref().or(self.answer.as_deref())
    }
}

/// Why a row is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowFilter {
    /// Too few or too many characters.
    CharacterCount,
    /// Too few or too many words.
    WordCount,
    /// Words too short or too long.
    MeanWordLength,
    /// Too many symbols.
    AlphaNumeric,
    /// Too many lines that are there already.
    RepeatedLines,
    /// Too much of one phrase.
    RepeatingTopNgrams,
    /// The question again.
    AnswerIsQuestion,
    /// A lead that says nothing.
    Boilerplate,
    /// A refusal.
    Refusal,
    /// A code block without end.
    CodeFence,
    /// Another language.
    Language,
}

impl RowFilter {
    /// All of them, in the order in which they look at a row.
    pub const ALL: [Self; 11] = [
        Self::CharacterCount,
        Self::WordCount,
        Self::MeanWordLength,
        Self::AlphaNumeric,
        Self::RepeatedLines,
        Self::RepeatingTopNgrams,
        Self::AnswerIsQuestion,
        Self::Boilerplate,
        Self::Refusal,
        Self::CodeFence,
        Self::Language,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::CharacterCount => "character_count",
            Self::WordCount => "word_count",
            Self::MeanWordLength => "mean_word_length",
            Self::AlphaNumeric => "alpha_numeric",
            Self::RepeatedLines => "repeated_lines",
            Self::RepeatingTopNgrams => "repeating_top_ngrams",
            Self::AnswerIsQuestion => "answer_is_question",
            Self::Boilerplate => "boilerplate",
            Self::Refusal => "refusal",
            Self::CodeFence => "code_fence",
            Self::Language => "language",
        }
    }

    /// Whether this filter removes a row; never when it is switched off, or when the row has no target.
    pub fn removes<R: TargetRow + ?Sized>(self, row: &R, options: &RowFilterOptions) -> bool {
        let Some(text) = row.target() else { return false };
        let has_shares = || text.split_whitespace().nth(options.fewest_words_for_shares.saturating_sub(1)).is_some();
        match self {
            Self::CharacterCount => options.characters.is_some_and(|range| !range.has(text.chars().count())),
            Self::WordCount => options.words.is_some_and(|range| !range.has(text.split_whitespace().count())),
            Self::MeanWordLength => {
                let is_out = |range: Range<f64>| mean_word_length(text).is_some_and(|length| !range.has(length));
                options.mean_word_length.is_some_and(|range| has_shares() && is_out(range))
            }
            Self::AlphaNumeric => {
                options.most_symbols.is_some_and(|most| has_shares() && non_alphanumeric_share(text) > most)
            }
            Self::RepeatedLines => {
                options.least_unique_lines.is_some_and(|least| unique_line_share(text).is_some_and(|got| got < least))
            }
            Self::RepeatingTopNgrams => {
                let is_over = |gram: &TopNGram| top_n_gram_share(text, gram.n) > gram.most;
                has_shares() && options.top_n_grams.iter().any(is_over)
            }
            Self::AnswerIsQuestion => options.answer_is_question && normalise(text) == normalise(row.question()),
            Self::Boilerplate => begins_with_any(text, &options.boilerplate),
            Self::Refusal => begins_with_any(text, &options.refusals),
            Self::CodeFence => options.code_fence && is_fence_open(text),
            Self::Language => options.language.is_some_and(|language| !language.accepts(text, has_shares())),
        }
    }
}

/// How many rows a filter removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterCount {
    /// The filter.
    pub filter: RowFilter,
    /// Rows it removed that no filter before it removed.
    pub removed: usize,
    /// Rows left after it.
    pub left: usize,
}

/// For each row the first filter that removes it.
pub fn first_reasons<R: TargetRow + Sync>(rows: &[R], options: &RowFilterOptions) -> Vec<Option<RowFilter>> {
    let first = |row: &R| RowFilter::ALL.into_iter().find(|filter| filter.removes(row, options));
    rows.par_iter().map(first).collect()
}

/// Removes rows; the order of the others stays. The counts are those of the filters that are on, in their order.
///
/// # Example
/// ```
/// use redline_data::filters::{RowFilterOptions, filter_by_reason};
/// use redline_model::{Qac, Question};
///
/// let row = |question: &str, answer: &str| Question { question: question.into(), answer: answer.into() };
/// let rows = vec![row("2 + 2?", "4"), row("Who?", "who?"), row("Code?", "```rust\nfn main() {}")];
/// let (kept, counts) = filter_by_reason(rows, &RowFilterOptions::default());
/// assert_eq!(kept, [row("2 + 2?", "4")]);
/// assert_eq!(counts.iter().map(|count| count.removed).sum::<usize>(), 2);
/// ```
pub fn filter_by_reason<R: TargetRow + Sync>(rows: Vec<R>, options: &RowFilterOptions) -> (Vec<R>, Vec<FilterCount>) {
    let reasons = first_reasons(&rows, options);
    let counts = count_reasons(&reasons, options);
    let kept = rows.into_iter().zip(reasons).filter(|(_, reason)| reason.is_none());
    (kept.map(|(row, _)| row).collect(), counts)
}

/// How many rows each filter that is on removed.
pub fn count_reasons(reasons: &[Option<RowFilter>], options: &RowFilterOptions) -> Vec<FilterCount> {
    let mut left = reasons.len();
    let count = |filter: RowFilter| {
        let removed = reasons.iter().filter(|reason| **reason == Some(filter)).count();
        left -= removed;
        FilterCount { filter, removed, left }
    };
    RowFilter::ALL.into_iter().filter(|filter| options.is_on(*filter)).map(count).collect()
}

#[cfg(test)]
mod tests;
