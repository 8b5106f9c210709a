//! Reading a file of records.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use redline_model::Error as ModelError;
use redline_model::files::{MOST_TEXT, read_input};
use serde::Deserialize;

use super::super::Result;
use super::super::error::JudgeError;
use super::{FirstLine, Record, RecordFault};

/// What gzip begins with.
pub(super) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A last line that a kill cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Its number, from 1.
    pub line: usize,
    /// Bytes that are left of it.
    pub n_bytes: usize,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Records<R> {
    /// The records, in the order of the file.
    pub rows: Vec<R>,
    /// The line of each, from 1.
    pub lines: Vec<usize>,
    /// What was left out at the end.
    pub torn: Option<Torn>,
    /// Bytes up to and with the last record that is whole.
    pub(super) n_whole: u64,
    /// Whether these end in a line break.
    pub(super) is_ended: bool,
}

impl<R> Records<R> {
    /// Says that a line was left out, where one was.
    pub fn note(&self, path: &Path) -> Option<String> {
        self.torn.map(|Torn { line, n_bytes }| {
            format!(
                "{}:{line}: the last line was cut short ({n_bytes} bytes are left of it) and is left out",
                path.display()
            )
        })
    }

    /// Each record with its line.
    pub(super) fn with_lines(&self) -> Vec<(usize, &R)> {
        self.lines.iter().copied().zip(&self.rows).collect()
    }
}

/// Reads a file of records, also a compressed one; `-` is the standard input.
///
/// # Errors
/// It cannot be read; [`JudgeError::NoSchema`], [`JudgeError::Schema`]; [`JudgeError::Line`] with the line; what [`Record::check_all`] refuses.
pub fn read_records<R: Record>(path: &Path) -> Result<Records<R>> {
    // `-` is the standard input
    parse(path, &inflated(path, read_input(path, MOST_TEXT)?)?)
}

/// Bytes of a file, inflated where they are compressed.
fn inflated(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes.as_slice()).take(MOST_TEXT + 1);
    decoder.read_to_end(&mut text).map_err(|source| ModelError::io(path, source))?;
    match text.len() as u64 > MOST_TEXT {
        true => Err(ModelError::TooLarge { path: path.into(), limit: MOST_TEXT }.into()),
        false => Ok(text),
    }
}

/// The records of a text; `path` is for messages.
pub(super) fn parse<R: Record>(path: &Path, text: &[u8]) -> Result<Records<R>> {
    let mut records = Records { rows: Vec::new(), lines: Vec::new(), torn: None, n_whole: 0, is_ended: true };
    let mut end = 0;
    for (index, piece) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        end += piece.len() as u64;
        let line = index + 1;
        let is_ended = piece.ends_with(b"\n");
        let content = piece.trim_ascii();
        let row = match index {
            0 => first_line::<R>(path, content)?,
            _ if content.is_empty() => None,
            _ => match serde_json::from_slice::<R>(content) {
                Ok(row) => Some(row),
                Err(_) if !is_ended => {
                    records.torn = Some(Torn { line, n_bytes: piece.len() });
                    break;
                }
                Err(error) => return Err(JudgeError::Line { path: path.into(), line, fault: error.into() }),
            },
        };
        if let Some(row) = row {
            row.check().map_err(|fault| JudgeError::Line { path: path.into(), line, fault })?;
            records.rows.push(row);
            records.lines.push(line);
        }
        (records.n_whole, records.is_ended) = (end, is_ended);
    }
    if records.n_whole == 0 {
        return Err(JudgeError::NoSchema { path: path.into(), expected: R::SCHEMA });
    }
    R::check_all(path, &records.with_lines())?;
    Ok(records)
}

#[derive(Deserialize)]
struct Header {
    schema: Option<String>,
}

/// Checks the schema; gives the row that stands beside it, where one does.
fn first_line<R: Record>(path: &Path, line: &[u8]) -> Result<Option<R>> {
    let expected = R::SCHEMA;
    match serde_json::from_slice::<Header>(line).ok().and_then(|header| header.schema) {
        None => return Err(JudgeError::NoSchema { path: path.into(), expected }),
        Some(got) if got != expected => return Err(JudgeError::Schema { path: path.into(), expected, got }),
        Some(_) => {}
    }
    let is_alone = serde_json::from_slice::<serde_json::Map<_, _>>(line).is_ok_and(|fields| fields.len() == 1);
    if R::FIRST_LINE == FirstLine::Header || is_alone {
        return Ok(None);
    }
    let fault =
        |error: serde_json::Error| JudgeError::Line { path: path.into(), line: 1, fault: RecordFault::from(error) };
    serde_json::from_slice(line).map(Some).map_err(fault)
}
