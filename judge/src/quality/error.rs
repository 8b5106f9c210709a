//! What can be wrong with what is to be judged.

use redline_data::DataError;

use super::align::MOST_CELLS;

/// Why outputs were not judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QualityError {
    /// The flaws do not fit the clean text.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The answer is not the clean text with the flaws in it, so they say nothing about it.
    #[error("the answer to {question:?} is not its clean text with the flaws that are listed")]
    Inconsistent {
        /// The question of the row.
        question: String,
    },
    /// A flaw replaces a text by itself.
    #[error("flaw {flaw} of the answer to {question:?} changes nothing")]
    NoFlaw {
        /// Its place in the list, from 0.
        flaw: usize,
        /// The question of the row.
        question: String,
    },
    /// Two texts are too long to be aligned.
    #[error(
        "a text of {reference} symbols and an output of {output} are too long to be aligned; at most {MOST_CELLS} pairs of symbols are compared"
    )]
    TooLong {
        /// Symbols of the clean text and the flaws.
        reference: usize,
        /// Symbols of the output.
        output: usize,
    },
    /// There is nothing to judge.
    #[error("there are no outputs to judge")]
    NoOutputs,
    /// An output belongs to a row that is not there.
    #[error("an output belongs to row {row}, and there are {n} rows")]
    NoRow {
        /// Index of the row.
        row: usize,
        /// Rows there are.
        n: usize,
    },
    /// A coefficient is no number.
    #[error("an output of row {row} has coefficient {got}")]
    Coefficient {
        /// Index of the row.
        row: usize,
        /// The coefficient.
        got: f64,
    },
    /// A row has two outputs at one coefficient.
    #[error("row {row} has two outputs at coefficient {coefficient}")]
    Twice {
        /// Index of the row.
        row: usize,
        /// The coefficient.
        coefficient: f64,
    },
    /// A row has no output at a coefficient that others have.
    #[error("row {row} has no output at coefficient {coefficient}, which other rows have")]
    Missing {
        /// Index of the row.
        row: usize,
        /// The coefficient.
        coefficient: f64,
    },
    /// A group of rows is empty.
    #[error("there are no rows with {what}, which the mix of traffic asks for")]
    NoRows {
        /// What they have.
        what: &'static str,
    },
    /// Nothing was written without steering.
    #[error("coefficient 0, which the others are compared with, is not among the coefficients")]
    NoBaseline,
}

impl QualityError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Data(error) => return error.hint(),
            Self::Inconsistent { .. } | Self::NoFlaw { .. } => "make the file anew with `redline data corrupt`",
            Self::TooLong { .. } => "leave out long answers, or give a lower length limit",
            Self::NoOutputs | Self::Missing { .. } => "finish the sweep first",
            Self::NoRow { .. } => "give the file of rows that the sweep was made on",
            Self::Coefficient { .. } => "make the sweep anew",
            Self::Twice { .. } => "give the rows of one vector at a time",
            Self::NoRows { .. } => "sweep such rows too, or set clean-share to 0 or 1",
            Self::NoBaseline => "sweep with 0 among the coefficients",
        })
    }
}
