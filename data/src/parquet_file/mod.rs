//! Parquet: its rows as JSON objects, one by one, and rows of JSON as Parquet.
//!
//! A file is recognised by its content: it begins with `PAR1`. Lists and structs become lists and objects, maps become objects
//! whose keys are text; what single values become is in the table of `value.rs`: in short, bytes that are no UTF-8 become
//! `{"base64": "…"}`, NaN and the infinities null, decimals and timestamps text. Compression is snappy, gzip or none; other codecs need a C
//! compiler and are refused by their names.
//!
//! No size in a file is trusted: pages inflate at most fifty-fold beyond the first 64 MiB of a file, a row takes at most 64 MiB of memory,
//! lists have at most 2²⁴ elements in a row group, columns are nested at most 24 levels deep. A panic of the library on a damaged file
//! becomes an error.
//!
//! # Example
//! ```
//! use redline_data::parquet_file::{ParquetFile, to_parquet};
//! use redline_model::qac::Fields;
//!
//! let rows = [Fields::read(r#"{"prompt": [{"role": "user", "content": "Why?"}], "score": 0.5}"#)?];
//! let mut bytes = Vec::new();
//! to_parquet(&rows, &mut bytes)?;
//! let file = ParquetFile::from_bytes("rows.parquet".as_ref(), bytes)?;
//! assert_eq!(file.n_rows(), 1);
//! let row = file.rows().next().expect("there is one row")?;
//! assert_eq!(row["prompt"][0]["content"], "Why?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod column;
mod error;
mod footer;
mod pages;
mod rows;
mod schema;
mod value;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use redline_model::qac::Fields;
use serde_json::{Map, Value};

pub use error::ParquetError;
use pages::Codec;
pub use rows::ParquetRows;
use schema::Node;
pub use write::{to_parquet, write_parquet};

/// Most columns, those within structs included.
const MOST_COLUMNS: usize = 4096;

/// Whether a file's content is Parquet, whole or cut short: its first four bytes are `PAR1`, or `PARE` where it is encrypted. No other file of
/// rows begins so.
///
/// # Errors
/// The file cannot be read.
pub fn is_parquet(path: &Path) -> redline_model::Result<bool> {
    let mut file = redline_model::files::open(path)?;
    let mut begins = || -> std::io::Result<bool> {
        let mut head = [0; 4];
        // what a pipe holds can be read once only
        let found = file.metadata()?;
        if !found.is_file() || found.len() < 4 {
            return Ok(false);
        }
        file.read_exact(&mut head)?;
        Ok(is_magic(&head))
    };
    begins().map_err(|source| redline_model::Error::Io { path: path.into(), source })
}

fn is_magic(bytes: &[u8; 4]) -> bool {
    bytes == footer::MAGIC || bytes == b"PARE"
}

/// A Parquet file whose footer was read.
#[derive(Debug)]
pub struct ParquetFile<R = File> {
    path: PathBuf,
    file: Arc<R>,
    metadata: Arc<ParquetMetaData>,
    fields: Arc<Vec<(String, Node)>>,
}

impl ParquetFile<File> {
    /// Opens a file; only its footer is read.
    ///
    /// # Errors
    /// [`ParquetError::Open`]; what is wrong with the footer; [`ParquetError::Codec`] where a column cannot be inflated.
    pub fn open(path: &Path) -> Result<Self, ParquetError> {
        let file = redline_model::files::open(path)?;
        Self::of(path, file)
    }
}

impl ParquetFile<Bytes> {
    /// The same of bytes, such as those of the standard input; `path` is for messages.
    ///
    /// # Errors
    /// As [`ParquetFile::open`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, ParquetError> {
        Self::of(path, Bytes::from(bytes))
    }
}

impl<R: ChunkReader + 'static> ParquetFile<R> {
    fn of(path: &Path, file: R) -> Result<Self, ParquetError> {
        let metadata = footer::read(path, &file)?;
        let schema = metadata.file_metadata().schema();
        if metadata.file_metadata().schema_descr().num_columns() > MOST_COLUMNS {
            return Err(ParquetError::too_large(path, format!("it has more than {MOST_COLUMNS} columns")));
        }
        let fields = schema::fields(schema).map_err(|rule| ParquetError::malformed(path, rule))?;
        let n_columns = metadata.file_metadata().schema_descr().num_columns();
        for (index, group) in metadata.row_groups().iter().enumerate() {
            check_group(path, index, group, n_columns, file.len())?;
        }
        let (file, metadata, fields) = (Arc::new(file), Arc::new(metadata), Arc::new(fields));
        Ok(Self { path: path.into(), file, metadata, fields })
    }

    /// How many rows the file says it has.
    pub fn n_rows(&self) -> u64 {
        self.metadata.row_groups().iter().fold(0, |n, group| n.saturating_add(group.num_rows().max(0) as u64))
    }

    /// The names of a row's fields, in their order in the file.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The rows, read as they are asked for.
    pub fn rows(&self) -> ParquetRows<R> {
        ParquetRows::new(self.path.clone(), self.file.clone(), self.metadata.clone(), self.fields.clone())
    }

    /// A row with its fields in the order of the file's columns, as the readers of JSON Lines give theirs.
    pub fn in_order(&self, mut row: Map<String, Value>) -> Fields {
        let mut fields = Fields::default();
        for name in self.columns() {
            fields.put(name, row.remove(name).unwrap_or_default());
        }
        fields
    }
}

/// Checks what the footer says of a row group.
fn check_group(
    path: &Path,
    index: usize,
    group: &RowGroupMetaData,
    n_columns: usize,
    n_bytes: u64,
) -> Result<(), ParquetError> {
    let malformed = |rule: &str| ParquetError::malformed(path, format!("row group {index} {rule}"));
    if group.num_rows() < 0 {
        return Err(malformed("has less than no rows"));
    }
    if group.num_columns() != n_columns {
        return Err(malformed("lacks columns"));
    }
    for column in group.columns() {
        if Codec::of(column.compression()).is_none() {
            let codec = column.compression().to_string();
            let codec = codec.split('(').next().unwrap_or_default().to_lowercase();
            return Err(ParquetError::Codec { path: path.into(), column: column.column_path().string(), codec });
        }
        if column.file_path().is_some() {
            return Err(malformed("has columns in another file"));
        }
        if !is_within(column, n_bytes) {
            return Err(malformed("lies outside of the file"));
        }
    }
    Ok(())
}

/// Whether the bytes of a column are within the file.
fn is_within(column: &ColumnChunkMetaData, n_bytes: u64) -> bool {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let (Ok(start), Ok(length)) = (u64::try_from(start), u64::try_from(column.compressed_size())) else { return false };
    start.checked_add(length).is_some_and(|end| end <= n_bytes)
}

#[cfg(test)]
mod tests;
