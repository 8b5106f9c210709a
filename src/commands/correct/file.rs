//! A file of rows that a stopped run left and the same command continues.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use redline::lab::shards::{RUN, SHARD, SHARD_DATA};
use redline::model::Error as ModelError;
use redline::model::files::{MOST_TEXT, open_to_append, read_if_there};
use redline::model::qac::Fields;
use redline::probe::shard::Share;
use serde_json::json;

use super::row::Row;
use crate::failure::hinted;

/// Keys that a run writes, whatever stood there.
const WRITTEN: [&str; 15] = [
    "schema",
    "answer_truncated",
    "correction",
    "edit_ratio",
    "exact_copy",
    "truncated",
    "coefficient",
    "domain",
    "steps",
    "kept",
    "scan",
    "error",
    RUN,
    SHARD,
    SHARD_DATA,
];

/// Whether runs write this key.
pub fn is_written(name: &str) -> bool {
    WRITTEN.contains(&name)
}

/// What rows of a part say of it.
pub struct PartMarks {
    pub share: Share,
    /// Hash of the rows of all parts.
    pub data: String,
}

/// The file, open at its end.
pub struct OutFile {
    path: PathBuf,
    file: File,
    hash: String,
    part: Option<PartMarks>,
    /// Rows that were there.
    done: Vec<Fields>,
}

impl OutFile {
    /// Opens the file and, once its rows are known to be of this run, cuts off a last line that a kill left half.
    pub fn open(path: &Path, hash: String, part: Option<PartMarks>) -> anyhow::Result<Self> {
        let io = |source| ModelError::io(path, source);
        let file = open_to_append(path)?;
        let text = read_if_there(path, MOST_TEXT)?.unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole == 0 && !text.is_empty() {
            return Err(other_run(path, 0));
        }
        let mut done = Vec::new();
        for (index, line) in text[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
            let row: Option<Fields> = serde_json::from_slice(line).ok();
            let row = row.filter(|row| row.text(RUN).as_ref() == Some(&hash));
            done.push(row.ok_or_else(|| other_run(path, index))?);
        }
        file.set_len(whole as u64).map_err(io)?;
        Ok(Self { path: path.into(), file, hash, part, done })
    }

    /// Refuses a file whose rows are not the first ones of `rows`.
    pub fn check(&self, rows: &[Row]) -> anyhow::Result<()> {
        let same = |(done, row): (&Fields, &Row)| {
            let is_open = |name: &str| is_written(name) || (name == "answer" && row.answer.is_none());
            row.fields.names().all(|name| is_open(name) || is_same(done, &row.fields, name))
        };
        match self.done.iter().zip(rows).position(|pair| !same(pair)) {
            Some(index) => Err(other_run(&self.path, index)),
            None if self.done.len() > rows.len() => Err(other_run(&self.path, rows.len())),
            None => Ok(()),
        }
    }

    pub fn n_done(&self) -> usize {
        self.done.len()
    }

    /// How many rows that were there have no correction.
    pub fn n_failed(&self) -> usize {
        self.done.iter().filter(|row| row.has("error")).count()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a row in one go.
    pub fn write(&mut self, mut row: Fields) -> anyhow::Result<()> {
        row.put(RUN, self.hash.as_str());
        if let Some(part) = &self.part {
            row.put(SHARD, json!(part.share));
            row.put(SHARD_DATA, part.data.as_str());
        }
        let line = serde_json::to_string(&row)? + "\n";
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        Ok(written.map_err(|source| ModelError::io(&self.path, source))?)
    }
}

/// Whether a field holds the same in both, however it is spelt.
fn is_same(a: &Fields, b: &Fields, name: &str) -> bool {
    let value = |fields: &Fields| fields.value(name).and_then(Result::ok);
    a.raw(name) == b.raw(name) || value(a).is_some_and(|a| Some(a) == value(b))
}

fn other_run(path: &Path, index: usize) -> anyhow::Error {
    hinted(
        format!("{}: line {} is not of this run", path.display(), index + 1),
        "its rows were made with other data or settings; give another --out, or remove the file",
    )
}
