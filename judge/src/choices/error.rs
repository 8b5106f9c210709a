//! What can be wrong with multiple choice.

use std::path::PathBuf;

use super::fault::ChoiceFault;
use redline_model::Error as ModelError;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// The file cannot be read, the model fails, or the user ended the work.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file of TruthfulQA lacks columns.
    #[error("{path}:1: the table lacks {}", list(.columns), path = path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// What is missing.
        columns: Vec<&'static str>,
    },
    /// No row of a file can be used.
    #[error("{path}:{line}: {fault}; none of the rows ({n_rows}) can be used, and this is the first", path = path.display())]
    NoUsableRow {
        /// The file.
        path: PathBuf,
        /// How many rows it has.
        n_rows: usize,
        /// The line of the first.
        line: usize,
        /// What is wrong with that one.
        fault: ChoiceFault,
    },
    /// There is nothing to measure.
    #[error("no rows with choices")]
    NoRows,
    /// Intervals are to be made of no resamples.
    #[error("an interval needs at least one resample")]
    NoResamples,
    /// Another number of log-probabilities than of choices came back.
    #[error("line {line} has {expected} choices, and {got} log-probabilities came back")]
    Count {
        /// The row's line.
        line: usize,
        /// Log-probabilities.
        got: usize,
        /// Choices.
        expected: usize,
    },
}

impl ChoiceError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Count { .. } => None,
            Self::Columns { .. } => {
                Some("TruthfulQA.csv has Question, Best Answer, Correct Answers and Incorrect Answers")
            }
            Self::NoUsableRow { fault, .. } => Some(fault.hint()),
            Self::NoRows => Some("give a file with rows of a question and its choices"),
            Self::NoResamples => Some("ask for at least 1000 resamples"),
        }
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
