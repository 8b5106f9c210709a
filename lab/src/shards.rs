//! Work that was shared out between machines, put together again: the bytes that one machine would have written.
//!
//! A part of a sweep says in its settings which part it is ([`redline_steer::sweep_shards`]); a part of corrected rows says it in each row, under
//! [`SHARD`], with a hash of the rows of all parts under [`SHARD_DATA`].

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use redline_model::Error as ModelError;
use redline_model::files::{MOST_TEXT, open, read};
use redline_model::qac::Fields;
use redline_probe::Error as ProbeError;
use redline_probe::shard::{Shard, Share, check_complete};
use redline_steer::{Error as SteerError, merged_sweep, sweep_log};

use crate::error::{Error, Result};

/// Key of the hash of what outputs of corrected rows depend on.
pub const RUN: &str = "run";
/// Key of a corrected row that says which part it is of.
pub const SHARD: &str = "shard";
/// Key of the hash of the rows of all parts.
pub const SHARD_DATA: &str = "shard_data";

/// All parts in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// `sweep` or `corrections`.
    pub kind: &'static str,
    /// The file's text.
    pub text: String,
    /// Its rows.
    pub n_rows: usize,
}

/// Puts the parts of a sweep or of corrected rows together, given in any order.
///
/// # Errors
/// A file that is no part, parts of other settings or data, missing, repeated or unfinished ones.
pub fn merged(paths: &[PathBuf]) -> Result<Merged> {
    // where there are more parts than rows, some have none to write
    let holds_rows = |path: &&PathBuf| !path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0);
    let filled: Vec<PathBuf> = paths.iter().filter(holds_rows).cloned().collect();
    let Some(first) = filled.first() else {
        return Err(Error::option("no part to put together holds a row", "give the files of all parts"));
    };
    match first_line(first)?.text("schema").as_deref() {
        Some(sweep_log::SCHEMA) => {
            let text = merged_sweep(paths)?;
            Ok(Merged { kind: "sweep", n_rows: text.lines().count() - 1, text })
        }
        _ => {
            let parts = filled.iter().map(|path| Part::read(path)).collect::<Result<Vec<_>>>()?;
            let rows = in_order(parts)?;
            let text: String = rows.iter().map(line).collect::<Result<_>>()?;
            Ok(Merged { kind: "corrections", n_rows: rows.len(), text })
        }
    }
}

/// A part of corrected rows.
struct Part {
    path: PathBuf,
    share: Share,
    /// Hashes of run and rows.
    hashes: [String; 2],
    rows: Vec<Fields>,
}

impl Part {
    fn read(path: &Path) -> Result<Self> {
        let bytes = read(path, MOST_TEXT)?;
        let mut rows = Vec::new();
        let mut first = None;
        for (index, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            // a last line without its end is what a kill left
            if !text.ends_with(b"\n") {
                break;
            }
            let row = std::str::from_utf8(text).ok().and_then(|text| Fields::read(text).ok());
            let marks = row.as_ref().and_then(marks);
            let (Some(mut row), Some(marks)) = (row, marks) else {
                return Err(other(path, format!("line {} is of no part of corrected rows", index + 1)));
            };
            if *first.get_or_insert_with(|| marks.clone()) != marks {
                return Err(other(path, format!("line {} is of another run than line 1", index + 1)));
            }
            row.retain(|name| name != SHARD && name != SHARD_DATA);
            rows.push(row);
        }
        let (share, hashes) = first.ok_or_else(|| other(path, "holds no rows of corrected answers".into()))?;
        Ok(Self { path: path.into(), share, hashes, rows })
    }
}

/// The rows of all parts, one after the other.
fn in_order(mut parts: Vec<Part>) -> Result<Vec<Fields>> {
    let mut shares: Vec<(PathBuf, Share)> = parts.iter().map(|part| (part.path.clone(), part.share)).collect();
    for part in &parts[1..] {
        let differing = part.hashes.iter().zip(&parts[0].hashes).position(|(its, first)| its != first);
        if let Some(place) = differing {
            let what = ["options", "rows"][place];
            return Err(other(&part.path, format!("was made with other {what} than {}", parts[0].path.display())));
        }
    }
    shares.extend(without_rows(&shares));
    check_complete(&shares)?;
    parts.sort_by_key(|part| part.share.part);
    for part in &parts {
        let (found, expected) = (part.rows.len(), part.share.rows().len());
        if found != expected {
            let rule = format!("holds {found} of the {expected} rows of part {}", part.share);
            return Err(SteerError::from(ProbeError::ShardUnfinished { path: part.path.clone(), rule }).into());
        }
    }
    Ok(parts.into_iter().flat_map(|part| part.rows).collect())
}

/// Parts that have no row to write, so that nothing is missing with them.
fn without_rows(there: &[(PathBuf, Share)]) -> Vec<(PathBuf, Share)> {
    let Some((_, Share { of, n, .. })) = there.first().filter(|(_, share)| share.is_sound()) else { return Vec::new() };
    let is_there = |part: usize| there.iter().any(|(_, share)| share.part == part);
    let shard = |part: usize| format!("{part}/{of}").parse::<Shard>().ok();
    let empty = (1..=*of).filter(|part| !is_there(*part)).filter_map(|part| Some(shard(part)?.of_rows(*n)));
    empty.filter(|share| share.rows().is_empty()).map(|share| (PathBuf::new(), share)).collect()
}

fn marks(row: &Fields) -> Option<(Share, [String; 2])> {
    let share = serde_json::from_str(row.raw(SHARD)?).ok()?;
    Some((share, [row.text(RUN)?, row.text(SHARD_DATA)?]))
}

fn first_line(path: &Path) -> Result<Fields> {
    let mut line = Vec::new();
    let io = |source| ModelError::io(path, source);
    BufReader::new(open(path)?.take(MOST_TEXT)).read_until(b'\n', &mut line).map_err(io)?;
    let fields = std::str::from_utf8(&line).ok().and_then(|text| Fields::read(text).ok());
    fields.ok_or_else(|| other(path, "is no part of a sweep or of corrected rows".into()))
}

fn line(row: &Fields) -> Result<String> {
    let text = serde_json::to_string(row).map_err(|source| SteerError::Serialize { source })?;
    Ok(text + "\n")
}

fn other(path: &Path, rule: String) -> Error {
    ProbeError::Shards { path: path.into(), rule }.into()
}
