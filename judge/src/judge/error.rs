//! What can be wrong with judges, and with the files of answers, judgements and preferences.

use std::path::PathBuf;

use redline_model::UnknownName;

use super::dimension::Dimension;
use super::record::RecordFault;

/// Why nothing was judged, or a record was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// A file cannot be read or written, or the user ended the work.
    #[error(transparent)]
    File(#[from] redline_model::Error),
    /// A dimension or form that is none.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// The first line of a file does not say what it holds.
    #[error("{path}:1: the first line has no `schema`; expected {expected}", path = path.display())]
    NoSchema {
        /// The file.
        path: PathBuf,
        /// The schema that was looked for.
        expected: &'static str,
    },
    /// A file holds something else.
    #[error("{path}:1: holds `{got}`; expected {expected}", path = path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The schema that was looked for.
        expected: &'static str,
        /// The one that it has.
        got: String,
    },
    /// A line breaks a rule of its record.
    #[error("{path}:{line}: {fault}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The rule.
        fault: RecordFault,
    },
    /// A file to write at the end of is, or would be called, a compressed one.
    #[error("{path}: a compressed file cannot be continued", path = path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
    },
    /// Two lines have the same key, and say different things.
    #[error("{path}: lines {first} and {second} have the same key and different verdicts", path = path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// One line, from 1.
        first: usize,
        /// The other.
        second: usize,
        /// The key.
        key: String,
    },
    /// A system has two outputs for one row at one coefficient.
    #[error("{path}: lines {first} and {second} are both row {row} of `{system}`", path = path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// One line, from 1.
        first: usize,
        /// The other.
        second: usize,
        /// The row.
        row: usize,
        /// The system, with its coefficient.
        system: String,
    },
    /// A row has two questions.
    #[error("{path}: lines {first} and {second} are both row {row}, with different questions", path = path.display())]
    OtherQuestion {
        /// The file.
        path: PathBuf,
        /// One line, from 1.
        first: usize,
        /// The other.
        second: usize,
        /// The row.
        row: usize,
    },
    /// Some preferences have a margin and some have none.
    #[error("{path}: line {with} has a margin and line {without} has none", path = path.display())]
    SomeMargins {
        /// The file.
        path: PathBuf,
        /// A line with a margin, from 1.
        with: usize,
        /// A line without.
        without: usize,
    },
    /// A file of judgements holds none.
    #[error("{path}: holds no judgements", path = path.display())]
    NoJudgements {
        /// The file.
        path: PathBuf,
    },
    /// A file of judgements holds more than one judge.
    #[error("{path}: holds judgements of several judges: {}", judges.join(", "), path = path.display())]
    SeveralJudges {
        /// The file.
        path: PathBuf,
        /// Each judge with its template.
        judges: Vec<String>,
    },
    /// A file of judgements has nothing of a judge.
    #[error("{path}: holds nothing of `{asked}`; it holds {}", judges.join(", "), path = path.display())]
    NoSuchJudge {
        /// The file.
        path: PathBuf,
        /// The judge asked for.
        asked: String,
        /// Each judge that is there, with its template.
        judges: Vec<String>,
    },
    /// A file of judgements does not hold what is asked.
    #[error("{path}: {missing} of {asked} judgements are missing, the first: row {row}, {dimension}", path = path.display())]
    NotRecorded {
        /// The file.
        path: PathBuf,
        /// How many are not there.
        missing: usize,
        /// How many were asked for.
        asked: usize,
        /// Row of the first that is missing.
        row: usize,
        /// Its dimension.
        dimension: Dimension,
    },
    /// A judge gave more or fewer judgements than it was asked for.
    #[error("judge `{judge}` was asked {asked} times and gave {got} judgements")]
    Count {
        /// The judge.
        judge: String,
        /// Comparisons it was given.
        asked: usize,
        /// Judgements it gave.
        got: usize,
    },
    /// A judge reported a judgement of a comparison that it was not given.
    #[error("judge `{judge}` was asked {asked} times and reported a judgement of number {index}")]
    Unasked {
        /// The judge.
        judge: String,
        /// Comparisons it was given.
        asked: usize,
        /// The one it reported, from 0.
        index: usize,
    },
    /// The name of a judge is empty, spans lines, or may hold a secret. It is not shown.
    #[error("the name of a model that judges or writes {rule}")]
    JudgeId {
        /// What it must not.
        rule: &'static str,
    },
    /// An instrument gave an output a score that is none.
    #[error("judge `{judge}` scores an output of row {row} ({dimension}) with {got}, which is no finite number")]
    Score {
        /// The judge.
        judge: String,
        /// The row.
        row: usize,
        /// The dimension.
        dimension: Dimension,
        /// The score.
        got: f64,
    },
    /// Scores cannot be told apart by a tolerance that is none.
    #[error("the tolerance of judge `{judge}` is {got}, not a finite number from 0")]
    Tolerance {
        /// The judge.
        judge: String,
        /// The tolerance.
        got: f64,
    },
    /// A judge could not do its work.
    #[error("judge `{judge}`")]
    Failed {
        /// The judge.
        judge: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl JudgeError {
    /// What went wrong with a judge's work.
    pub fn failed(judge: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed { judge: judge.into(), source: Box::new(source) }
    }

    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::File(error) => return error.hint(),
            Self::Name(error) => return Some(error.hint()),
            Self::NoSchema { .. } | Self::Schema { .. } => "check that it is the file you mean",
            Self::Line { fault, .. } => return fault.hint(),
            Self::Compressed { .. } => "inflate it first, or name another file",
            Self::Conflict { .. } => "remove one of the two lines; a judge that changes its mind needs another name",
            Self::Twice { .. } => "remove one of the two lines, or give the systems different names",
            Self::OtherQuestion { .. } => "the outputs were made on different files of rows; keep them apart",
            Self::SomeMargins { .. } => "give all preferences a margin or none",
            Self::NoJudgements { .. } => "run the judge first",
            Self::SeveralJudges { .. } => "say which judge is meant: --judge recorded=FILE#JUDGE",
            Self::NoSuchJudge { .. } => "name one of those that are there",
            Self::NotRecorded { .. } => "ask the judge itself, with the file as its log: only what is missing is asked",
            Self::JudgeId { .. } => "name the model and the address without user, password or query",
            Self::Score { .. } => "give no score where the instrument cannot tell",
            Self::Tolerance { .. } => "0 makes ties of equal scores only",
            Self::Failed { .. } => "the same command goes on; with --judgements FILE it asks only what is missing",
            Self::Count { .. } | Self::Unasked { .. } => return None,
        })
    }
}
