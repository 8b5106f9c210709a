//! What can be wrong with data files and with the material behind the synthetic corpus.

use std::path::PathBuf;

#[cfg(feature = "tables")]
use super::convert::ConvertFault;
use super::filter::FilterReport;
use super::left_out::RowFault;
#[cfg(feature = "tables")]
use super::parquet_file::ParquetError;

/// Why data was not read, made or accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be read, or is not JSON.
    #[error(transparent)]
    Read(#[from] redline_model::Error),
    /// A Parquet file cannot be read or written.
    #[cfg(feature = "tables")]
    #[error(transparent)]
    Parquet(Box<ParquetError>),
    /// Rows of one kind cannot become rows of another.
    #[cfg(feature = "tables")]
    #[error(transparent)]
    Convert(Box<ConvertFault>),
    /// Rows that are all in one cluster cannot be split.
    #[error("{n_rows} rows in {n_clusters} clusters cannot be split into two parts that share no cluster")]
    OneCluster {
        /// Rows.
        n_rows: usize,
        /// Their clusters.
        n_clusters: usize,
    },
    /// The rows cannot be split as asked.
    #[error(transparent)]
    Split(Box<redline_probe::Error>),
    /// A row cannot be used.
    #[error("{path}:{line}: {fault}", path = path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row's line.
        line: usize,
        /// Why.
        fault: RowFault,
    },
    /// No row of a file can be used.
    #[error("{path}:{line}: {fault}; none of the {n_rows} rows can be used, and this is the first", path = path.display())]
    NoUsableRow {
        /// The file.
        path: PathBuf,
        /// How many rows it has.
        n_rows: usize,
        /// The line of the first one.
        line: usize,
        /// What is wrong with that one.
        fault: RowFault,
    },
    /// Every row was removed.
    #[error("no rows are left: {report}")]
    NothingLeft {
        /// How many were removed, and why.
        report: FilterReport,
    },
    /// Two files share questions.
    #[error("{n_shared} questions are in both {a} and {b}, the first: {first:?}", a = a.display(), b = b.display())]
    Leak {
        /// One file.
        a: PathBuf,
        /// The other.
        b: PathBuf,
        /// Number of distinct questions in both.
        n_shared: usize,
        /// The first of them in alphabetical order.
        first: String,
    },
    /// A share is not between 0 and 1.
    #[error("{what} must lie between 0 and 1, got {got}")]
    Share {
        /// The option.
        what: &'static str,
        /// Its value.
        got: f64,
    },
    /// A strictness is out of range.
    #[error("the strictness must lie between {least} and {most}, got {got}")]
    Strictness {
        /// The value.
        got: u8,
        /// The lowest: everything is mended.
        least: u8,
        /// The highest.
        most: u8,
    },
    /// The flaws of a row cannot be read.
    #[error("{path}:{line}: the row's flaws cannot be read: {rule}", path = path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// The row's line.
        line: usize,
        /// What is wrong.
        rule: String,
    },
    /// A flaw does not fit the clean answer it is said to be in.
    #[error("flaw {flaw} replaces bytes {start} to {end} of a clean answer of {length} bytes, which it cannot")]
    FlawRange {
        /// Its place in the list, from 0.
        flaw: usize,
        /// First byte replaced.
        start: usize,
        /// End of the bytes replaced.
        end: usize,
        /// Length of the clean answer.
        length: usize,
    },
    /// An answer has no text to put flaws into.
    #[error("row {row}: the answer to corrupt is empty")]
    EmptyAnswer {
        /// The row's number.
        row: u64,
    },
    /// A file of facts or phrases breaks a rule of its format.
    #[error("{file}:{line}: {rule}")]
    Material {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The rule that is broken.
        rule: String,
    },
    /// The facts do not hold as many different texts as were asked for.
    #[error("the facts gave {got} different texts, {asked} were asked for")]
    TooFewTexts {
        /// Texts found.
        got: usize,
        /// Texts asked for.
        asked: usize,
    },
    /// There is no word to make texts of.
    #[error("the texts hold no word")]
    NoWords,
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

#[cfg(feature = "tables")]
impl From<ParquetError> for DataError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(Box::new(error))
    }
}

#[cfg(feature = "tables")]
impl From<ConvertFault> for DataError {
    fn from(fault: ConvertFault) -> Self {
        Self::Convert(Box::new(fault))
    }
}

impl From<redline_probe::Error> for DataError {
    fn from(error: redline_probe::Error) -> Self {
        Self::Split(Box::new(error))
    }
}

impl DataError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Read(error) => return error.hint(),
            Self::Split(error) => return error.hint(),
            #[cfg(feature = "tables")]
            Self::Parquet(error) => return error.hint(),
            #[cfg(feature = "tables")]
            Self::Convert(fault) => fault.hint(),
            Self::OneCluster { .. } => "raise the threshold of near-duplicates, or take rows from more sources",
            Self::Row { fault, .. } | Self::NoUsableRow { fault, .. } => fault.hint(),
            Self::NothingLeft { .. } => "raise the length limit, or check that the fields hold text",
            Self::Leak { .. } => "split one file by question instead, or remove the shared questions",
            Self::Share { .. } => "give a share such as 0.33",
            Self::Strictness { .. } => "1 mends every flaw, 5 only the gravest",
            Self::Corrupted { .. } => "make the file anew with `redline data corrupt`, or remove the field `flaws`",
            Self::FlawRange { .. } => "the list of flaws belongs to another text; make the file anew",
            Self::EmptyAnswer { .. } => "remove rows without an answer first",
            Self::Material { .. } => {
                "mend the line; the format is described in the documentation of `redline::data::synth`"
            }
            Self::NoWords => "give texts with words",
            Self::TooFewTexts { .. } => "ask for fewer rows, or add facts",
            Self::Write { .. } => "check that the folder exists, is writable and has room",
        })
    }
}
