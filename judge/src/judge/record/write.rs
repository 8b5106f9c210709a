//! Writing a file of records, whole or not at all.

use std::path::Path;

use redline_model::files::write_atomically;
use serde::Serialize;

use super::super::Result;
use super::super::error::JudgeError;
use super::lines::GZIP_MAGIC;
use super::{FirstLine, Record, RecordFault};

/// The first row beside the schema.
#[derive(Serialize)]
struct WithSchema<'a, R> {
    schema: &'static str,
    #[serde(flatten)]
    row: &'a R,
}

/// The first line, where no row stands in it.
pub(super) fn header<R: Record>() -> String {
    format!("{{\"schema\":\"{}\"}}\n", R::SCHEMA)
}

/// A record as a line, checked first: JSON would turn a number that is none into `null`. `path` and `number` are for messages.
pub(super) fn line<R: Record>(path: &Path, number: usize, record: &R) -> Result<String> {
    let fault = |fault| JudgeError::Line { path: path.into(), line: number, fault };
    record.check().map_err(fault)?;
    let text = serde_json::to_string(record).map_err(|error| fault(RecordFault::from(error)))?;
    Ok(text + "\n")
}

/// Writes records to a file, which appears only when it is complete. The same records give the same bytes.
///
/// # Errors
/// [`JudgeError::Line`] with the line that a record would have; what [`Record::check_all`] refuses; [`JudgeError::Compressed`] for a name
/// in `.gz`; the file cannot be written.
pub fn write_records<R: Record>(path: &Path, records: &[R]) -> Result<()> {
    refuse_compressed(path, &[])?;
    let n_before = usize::from(R::FIRST_LINE == FirstLine::Header);
    let numbered = |(index, record)| (index + 1 + n_before, record);
    let located: Vec<(usize, &R)> = records.iter().enumerate().map(numbered).collect();
    let mut text = String::new();
    if n_before == 1 || records.is_empty() {
        text.push_str(&header::<R>());
    }
    for &(number, record) in &located {
        let line = line(path, number, record)?;
        match number {
            1 => {
                let first = serde_json::to_string(&WithSchema { schema: R::SCHEMA, row: record });
                let fault = |error| JudgeError::Line { path: path.into(), line: 1, fault: RecordFault::from(error) };
                text.push_str(&(first.map_err(fault)? + "\n"));
            }
            _ => text.push_str(&line),
        }
    }
    R::check_all(path, &located)?;
    Ok(write_atomically(path, text.as_bytes())?)
}

/// Refuses a file that is compressed, or would be taken for one by its name.
pub(super) fn refuse_compressed(path: &Path, bytes: &[u8]) -> Result<()> {
    let is_named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    match is_named || bytes.starts_with(&GZIP_MAGIC) {
        true => Err(JudgeError::Compressed { path: path.into() }),
        false => Ok(()),
    }
}
