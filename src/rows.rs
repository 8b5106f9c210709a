//! Rows of data files for commands: what is left out of them is said, or ends the run with `--strict`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use redline::data::corrupt::CorruptedRow;
use redline::data::{DataFile, Need, ReadOptions, ReadReport, read_corrupted, read_data};
use redline::embedded;
use redline::lab::rows::{Rows, at_strictness};
use redline::lab::tune::PastSweep;
use redline::model::Qac;
use redline::model::qac::data_bytes;
use redline::profile::hash_of;
use serde::Serialize;

use crate::failure::hinted;

static STRICT: OnceLock<bool> = OnceLock::new();
static SAID: Mutex<Vec<Said>> = Mutex::new(Vec::new());

/// What was said of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    file: PathBuf,
    #[serde(flatten)]
    report: ReadReport,
}

/// Decides for the whole run whether the first row that cannot be used ends it.
pub fn set_strict(is_strict: bool) {
    STRICT.get_or_init(|| is_strict);
}

/// Whether the first row that cannot be used ends the run.
pub fn is_strict() -> bool {
    STRICT.get().copied().unwrap_or_default()
}

/// Says what there is to say of a file's rows, once.
pub fn say(path: &Path, report: &ReadReport) {
    say_as(path, report, "left out");
}

/// The same where something else becomes of rows that cannot be used.
pub fn say_as(path: &Path, report: &ReadReport, fate: &str) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let new = Said { file: path.to_path_buf(), report: report.clone() };
    if report.is_plain() || said.contains(&new) {
        return;
    }
    report.told(fate).lines().for_each(|line| crate::output::note!("note: {}: {line}", path.display()));
    said.push(new);
}

/// What was said so far.
pub fn said() -> Vec<Said> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Reads rows that hold what is needed, none of it empty.
pub fn read(path: &Path, need: Need) -> anyhow::Result<DataFile> {
    read_with(path, ReadOptions::new(need))
}

/// The same with empty texts, for a filter that counts them.
pub fn read_with_empty(path: &Path, need: Need) -> anyhow::Result<DataFile> {
    read_with(path, ReadOptions { allows_empty: true, ..ReadOptions::new(need) })
}

/// The same, and nothing is said yet: more rows may be left out.
pub fn read_quietly(path: &Path, need: Need) -> anyhow::Result<DataFile> {
    let options = ReadOptions { allows_empty: true, is_strict: is_strict(), ..ReadOptions::new(need) };
    Ok(read_data(path, &options)?)
}

fn read_with(path: &Path, options: ReadOptions) -> anyhow::Result<DataFile> {
    let file = read_data(path, &ReadOptions { is_strict: is_strict(), ..options })?;
    say(path, &file.report);
    Ok(file)
}

/// Reads triples, of rows of any kind that hold them.
pub fn triples(path: &Path) -> anyhow::Result<Vec<Qac>> {
    Ok(read(path, Need::Triple)?.triples())
}

/// Reads rows that carry their flaws; none where they carry none.
pub fn corrupted(path: &Path) -> anyhow::Result<Option<Vec<CorruptedRow>>> {
    Ok(corrupted_with_fields(path)?.map(|(rows, _)| rows))
}

/// The same, each with all its fields.
pub fn corrupted_with_fields(path: &Path) -> anyhow::Result<Option<(Vec<CorruptedRow>, DataFile)>> {
    let options = ReadOptions { is_strict: is_strict(), ..ReadOptions::new(Need::Triple) };
    let Some((rows, file)) = read_corrupted(path, &options)? else { return Ok(None) };
    say(path, &file.report);
    Ok(Some((rows, file)))
}

/// Reads triples; with a strictness, of rows that carry their flaws, each with the correction of that strictness.
pub fn read_triples(path: &Path, strictness: Option<u8>) -> anyhow::Result<Vec<Qac>> {
    let Some(strictness) = strictness else { return triples(path) };
    let rows = corrupted(path)?.ok_or_else(|| {
        let message = format!("{}: --strictness is given, but the rows carry no flaws", path.display());
        hinted(message, "leave --strictness out, or make the rows with `redline data corrupt`")
    })?;
    Ok(at_strictness(&rows, strictness)?)
}

/// The rows of an experiment: those of the file, with their flaws where they carry them, or the built-in ones.
pub fn of_experiment(path: Option<&Path>, strictness: Option<u8>) -> anyhow::Result<Rows> {
    let Some(path) = path else { return Ok(Rows::embedded(strictness)?) };
    let triples = read_triples(path, strictness)?;
    let hash = hash_of(&data_bytes(path)?);
    // quality can be measured exactly where the flaws of every row are known
    let flawed = corrupted(path)?.filter(|flawed| flawed.len() == triples.len());
    Ok(Rows { triples, flawed, name: path.into(), hash, strictness, is_embedded: false })
}

/// The rows to tune on: those asked for, those of an earlier sweep, or the built-in ones.
pub fn to_tune(asked: Option<&Path>, past: Option<&PastSweep>, strictness: Option<u8>) -> anyhow::Result<Rows> {
    let is_file = |data: &&Path| *data != Path::new(embedded::ROWS_NAME) || data.exists();
    let swept = past.map(|past| past.settings.data.as_path()).filter(is_file);
    of_experiment(asked.or(swept), strictness)
}
