//! The CSV of EmpatheticDialogues, which is no CSV of the usual kind: its texts have `_comma_` for each comma, and their quotation marks stand
//! for themselves. So a line is a row, and it is parted at each comma.

use std::io::{BufRead, BufReader};
use std::path::Path;

use redline_model::qac::{Fields, JsonRow, LineFault};
use redline_model::{Error, files};

use crate::error::DataError;

/// What the file begins with.
const HEAD: &str = "conv_id,utterance_idx,";
/// Longest line.
const MOST_LINE: u64 = 1 << 20;

/// Whether a file is this CSV, by its first bytes.
///
/// # Errors
/// It cannot be read.
pub fn is_csv(path: &Path) -> Result<bool, DataError> {
    let mut head = Vec::new();
    let file = files::open(path)?;
    let read = std::io::Read::read_to_end(&mut std::io::Read::take(file, 64), &mut head);
    read.map_err(|source| Error::Io { path: path.into(), source })?;
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    Ok(head.starts_with(HEAD.as_bytes()))
}

/// Calls `take` with each row: numbers in `utterance_idx` and `speaker_idx`, text in all other fields.
///
/// # Errors
/// The file cannot be read, or has a line of more than 1 MiB; what `take` says.
pub fn each_row(path: &Path, mut take: impl FnMut(JsonRow) -> Result<(), DataError>) -> Result<(), DataError> {
    let mut input = BufReader::new(files::open(path)?);
    let mut names: Option<Vec<String>> = None;
    for line in 1.. {
        let mut bytes = Vec::new();
        let n_read = std::io::Read::take(&mut input, MOST_LINE + 1).read_until(b'\n', &mut bytes);
        let n_read = n_read.map_err(|source| Error::Io { path: path.into(), source })?;
        if n_read == 0 {
            break;
        }
        if n_read as u64 > MOST_LINE {
            let rule = format!("line {line} is longer than {} MiB", MOST_LINE >> 20);
            return Err(Error::Malformed { path: path.into(), format: "CSV", rule }.into());
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']),
            Err(error) => {
                take(JsonRow { line, fields: Err(LineFault::NotUtf8 { byte: error.valid_up_to() + 1 }) })?;
                continue;
            }
        };
        match &names {
            None => names = Some(text.split(',').map(str::to_owned).collect()),
            Some(_) if text.trim().is_empty() => {}
            Some(names) => take(JsonRow { line, fields: Ok(row(names, text)) })?,
        }
    }
    Ok(())
}

/// A line's fields. Lines of the file often lack the last field, or have an empty one more.
fn row(names: &[String], line: &str) -> Fields {
    let mut fields = Fields::default();
    for (name, text) in names.iter().zip(line.split(',')) {
        match text.parse::<i64>() {
            Ok(number) if matches!(name.as_str(), "utterance_idx" | "speaker_idx") => fields.put(name, number),
            _ => fields.put(name, text),
        }
    }
    fields
}
