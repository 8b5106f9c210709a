//! The file of a sweep: JSON Lines, one header and one row an output, written as the rows come.
//!
//! - Line 1 MUST be `{"schema": "redline.sweep.v1", "settings": …}`.
//! - Every further line MUST be a [`SweepRow`]. A last line without its line break is what a kill left; it is cut off.
//! - A file whose settings differ from those of the run MUST NOT be continued.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use redline_model::Error as ModelError;
use redline_model::files::open_to_append;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Result, SweepRow};

/// Value of the `schema` key.
pub const SCHEMA: &str = "redline.sweep.v1";

#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) schema: String,
    pub(crate) settings: Value,
}

/// What a sweep file holds.
pub(crate) struct Lines {
    pub(crate) settings: Value,
    pub(crate) rows: Vec<SweepRow>,
    /// The complete lines after the header, as they stand there.
    pub(crate) text: String,
    /// Length of all complete lines, in bytes; 0 for an empty file.
    complete: u64,
}

/// A sweep file open for more rows.
pub struct SweepLog {
    path: PathBuf,
    file: File,
    rows: Vec<SweepRow>,
}

impl SweepLog {
    /// Starts a file, or continues one of the same settings.
    ///
    /// # Errors
    /// The file cannot be written, is no sweep, or has other settings.
    pub fn open(path: &Path, settings: &Value) -> Result<Self> {
        let io = |source| Error::Model(ModelError::io(path, source));
        if path.exists() {
            let file = open_to_append(path)?;
            let Lines { settings: found, rows, complete, .. } = read(path)?;
            if !rows.is_empty() || complete > 0 {
                if found != *settings {
                    return Err(Error::OtherSettings {
                        path: path.into(),
                        difference: first_difference(&found, settings),
                    });
                }
                file.set_len(complete).map_err(io)?;
                return Ok(Self { path: path.into(), file, rows });
            }
        }
        let header = Header { schema: SCHEMA.into(), settings: settings.clone() };
        // whole or not at all: a file shows by its header whose it is
        redline_model::files::write_atomically(path, line(&header)?.as_bytes())?;
        Ok(Self { path: path.into(), file: open_to_append(path)?, rows: Vec::new() })
    }

    /// Rows there so far.
    pub fn rows(&self) -> &[SweepRow] {
        &self.rows
    }

    /// Triples that have all their rows, `n_arms` each.
    pub fn complete_rows(&self, n_arms: usize) -> HashSet<usize> {
        let mut counts = std::collections::HashMap::new();
        for row in &self.rows {
            *counts.entry(row.row).or_insert(0) += 1;
        }
        counts.into_iter().filter(|(_, count)| *count >= n_arms).map(|(row, _)| row).collect()
    }

    /// Drops the rows of triples that are not complete: they are made again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn drop_incomplete(&mut self, n_arms: usize) -> Result<()> {
        let complete = self.complete_rows(n_arms);
        if self.rows.iter().all(|row| complete.contains(&row.row)) {
            return Ok(());
        }
        let Lines { settings, mut rows, .. } = read(&self.path)?;
        rows.retain(|row| complete.contains(&row.row));
        let mut text = line(&Header { schema: SCHEMA.into(), settings })?;
        for row in &rows {
            text.push_str(&line(row)?);
        }
        redline_model::files::write_atomically(&self.path, text.as_bytes())?;
        self.file = open_to_append(&self.path)?;
        self.rows = rows;
        Ok(())
    }

    /// Appends rows; they are on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, rows: &[SweepRow]) -> Result<()> {
        for row in rows {
            self.write_line(row)?;
        }
        let io = |source| Error::Model(ModelError::io(&self.path, source));
        self.file.sync_data().map_err(io)?;
        self.rows.extend_from_slice(rows);
        Ok(())
    }

    fn write_line(&mut self, value: &impl Serialize) -> Result<()> {
        let io = |source| Error::Model(ModelError::io(&self.path, source));
        self.file.write_all(line(value)?.as_bytes()).and_then(|()| self.file.flush()).map_err(io)
    }
}

/// Reads a sweep file: settings and rows; a line that a kill cut short is left out.
///
/// # Errors
/// The file is missing or no sweep, or a line is malformed.
pub fn read_sweep(path: &Path) -> Result<(Value, Vec<SweepRow>)> {
    let lines = lines_of(path)?;
    Ok((lines.settings, lines.rows))
}

/// As [`read_sweep`], with the lines as they stand there.
pub(crate) fn lines_of(path: &Path) -> Result<Lines> {
    match read(path)? {
        Lines { complete: 0, .. } => Err(Error::NotASweep { path: path.into() }),
        lines => Ok(lines),
    }
}

fn read(path: &Path) -> Result<Lines> {
    let bytes = redline_model::files::read(path, redline_model::files::MOST_TEXT).map_err(Error::Model)?;
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let not_a_sweep = || Error::NotASweep { path: path.into() };
    let whole = std::str::from_utf8(&bytes[..complete]).map_err(|_| not_a_sweep())?;
    let Some((first, text)) = whole.split_once('\n') else {
        return match bytes.is_empty() {
            true => Ok(Lines { settings: Value::Null, rows: Vec::new(), text: String::new(), complete: 0 }),
            false => Err(not_a_sweep()),
        };
    };
    let header = redline_model::parse_settings(path, first.as_bytes()).ok();
    let header: Option<Header> = header.and_then(|header| serde_json::from_value(header).ok());
    let header = header.filter(|header| header.schema == SCHEMA).ok_or_else(not_a_sweep)?;
    // the header is line 1
    let malformed =
        |index: usize, source| Error::Model(ModelError::MalformedLine { path: path.into(), line: index + 2, source });
    let rows = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| serde_json::from_str(line).map_err(|source| malformed(index, source)))
        .collect::<Result<Vec<SweepRow>>>()?;
    Ok(Lines { settings: header.settings, rows, text: text.to_owned(), complete: complete as u64 })
}

pub(crate) fn line(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value).map_err(|source| Error::Serialize { source })? + "\n")
}

/// The first key in which two settings differ, as `key: before → now`, or `outer.inner: before → now`.
pub fn first_difference(before: &Value, now: &Value) -> String {
    match (before.as_object(), now.as_object()) {
        (Some(before), Some(now)) => {
            let keys = before.keys().chain(now.keys());
            let differing = keys.into_iter().find(|key| before.get(*key) != now.get(*key));
            differing.map_or_else(String::new, |key| match (before.get(key), now.get(key)) {
                (Some(before @ Value::Object(_)), Some(now @ Value::Object(_))) => {
                    format!("{key}.{}", first_difference(before, now))
                }
                (before, now) => {
                    let show = |value: Option<&Value>| value.map_or("none".into(), Value::to_string);
                    format!("{key}: {} → {}", show(before), show(now))
                }
            })
        }
        _ => format!("{before} → {now}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::EditRatios;
    use serde_json::json;

    pub(crate) fn row(row: usize, coefficient: f32) -> SweepRow {
        SweepRow {
            vector: "correction".into(),
            row,
            coefficient,
            output: "line\nbreak".into(),
            n_tokens: 2,
            truncated: false,
            ratios: EditRatios::new("abc", "abd"),
            reference_similarity: Some(1.0 / 3.0),
            repetition: 0.0,
            nll: Some(0.1),
            effect: Default::default(),
        }
    }

    #[test]
    fn rows_survive_a_kill_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.jsonl");
        let settings = json!({"seed": 1});
        let mut log = SweepLog::open(&path, &settings).unwrap();
        log.append(&[row(0, 0.0), row(0, 1.0), row(1, 0.0)]).unwrap();
        drop(log);
        let mut bytes = std::fs::read(&path).unwrap();
        // in the middle of a letter
        bytes.extend("{\"vector\": \"corré".as_bytes());
        bytes.pop();
        std::fs::write(&path, bytes).unwrap();

        let mut log = SweepLog::open(&path, &settings).unwrap();
        assert_eq!(log.rows().len(), 3);
        assert_eq!(log.complete_rows(2), HashSet::from([0]));
        log.drop_incomplete(2).unwrap();
        log.append(&[row(1, 0.0), row(1, 1.0)]).unwrap();
        let (_, rows) = read_sweep(&path).unwrap();
        assert_eq!(rows, [row(0, 0.0), row(0, 1.0), row(1, 0.0), row(1, 1.0)]);
    }

    #[test]
    fn other_settings_are_not_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.jsonl");
        SweepLog::open(&path, &json!({"seed": 1})).unwrap().append(&[row(0, 0.0)]).unwrap();
        let Err(error) = SweepLog::open(&path, &json!({"seed": 2})) else { panic!("must refuse") };
        assert!(error.to_string().ends_with("(seed: 1 → 2)"), "{error}");
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.jsonl");
        std::fs::write(&path, "{\"question\": \"q\"}\n").unwrap();
        assert!(matches!(SweepLog::open(&path, &json!({})), Err(Error::NotASweep { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"question\": \"q\"}\n", "untouched");
    }
}
