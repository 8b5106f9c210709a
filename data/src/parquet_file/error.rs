//! What can be wrong with a Parquet file, or with rows that are to become one.

use std::path::{Path, PathBuf};

/// Why a Parquet file is not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParquetError {
    /// The file does not begin and end as Parquet does.
    #[error("{path}: not a Parquet file: {rule}", path = path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// What is missing.
        rule: &'static str,
    },
    /// The file is encrypted.
    #[error("{path}: the Parquet file is encrypted, which is not supported", path = path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A column is compressed in a way that is not built in.
    #[error(
        "{path}: column `{column}` is compressed with {codec}, which is not built in; snappy, gzip and none are",
        path = path.display()
    )]
    Codec {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The codec's name.
        codec: String,
    },
    /// A column is encoded in a way that is not read, since nobody can say how large its values become.
    #[error("{path}: column `{column}` is encoded as {encoding}, which is not supported", path = path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The encoding's name.
        encoding: String,
    },
    /// The file breaks a rule of the format.
    #[error("{path}: not a valid Parquet file: {rule}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The rule that is broken, with the place.
        rule: String,
    },
    /// The file asks for more than is read of any file.
    #[error("{path}: {what}", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is too large, with the limit.
        what: String,
    },
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] redline_model::Error),
    /// The file cannot be written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A value has no place in its column.
    #[error("row {row}: column `{column}` holds {expected}, but here is {got}")]
    Column {
        /// The row, from 1.
        row: usize,
        /// The column.
        column: String,
        /// What the rows before hold there.
        expected: &'static str,
        /// What this row holds.
        got: String,
    },
    /// Rows without any field cannot be written.
    #[error("there are no rows with fields to write as Parquet")]
    NoColumns,
    /// The writer fails.
    #[error("the rows cannot be written as Parquet: {rule}")]
    Write {
        /// What it says.
        rule: String,
    },
}

impl ParquetError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotParquet { .. } => "give a whole Parquet file: it begins and ends with `PAR1`",
            Self::Encrypted { .. } => "write it anew without encryption",
            Self::Codec { .. } | Self::Encoding { .. } => {
                "write it anew with snappy: `pyarrow.parquet.write_table(pyarrow.parquet.read_table(FILE), OUT, compression=\"snappy\")`"
            }
            Self::Malformed { .. } => "the file is damaged or cut short; fetch it anew, or write it anew with pyarrow",
            Self::TooLarge { .. } => {
                "give the rows in several files, or as JSON Lines: `pandas.read_parquet(FILE).to_json(OUT, orient=\"records\", lines=True)`"
            }
            Self::Open(error) => return error.hint(),
            Self::Io { .. } => "check that the folder exists, is writable and has room",
            Self::Column { .. } => {
                "write the rows as JSON Lines, which takes rows of any kind, or make the column's values alike"
            }
            Self::NoColumns => "give at least one row with a field",
            Self::Write { .. } => "write the rows as JSON Lines instead",
        })
    }

    /// A broken rule of the format; what the library says is cut to one line.
    pub(super) fn malformed(path: &Path, rule: impl ToString) -> Self {
        let rule = rule.to_string();
        let rule = rule.trim_start_matches("Parquet error: ").lines().next().unwrap_or_default().to_owned();
        Self::Malformed { path: path.into(), rule }
    }

    pub(super) fn too_large(path: &Path, what: String) -> Self {
        Self::TooLarge { path: path.into(), what }
    }
}
