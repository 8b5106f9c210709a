//! Files of a run: lines, JSON, hashes.

use std::path::{Path, PathBuf};

use redline_model::Error as ModelError;
use redline_model::files::{MOST_TEXT, file_hash, hash_of, read_text, write_atomically};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::IterateError;
use crate::error::Result;

/// Most folders in each other that are hashed.
const MOST_DEPTH: usize = 8;

/// One value a line; a `schema` that stands beside the first is passed over.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = read_text(path, MOST_TEXT)?;
    let parse = |(number, line): (usize, &str)| {
        let malformed = |source| ModelError::MalformedLine { path: path.into(), line: number + 1, source };
        Ok(serde_json::from_str(line).map_err(malformed)?)
    };
    text.lines().enumerate().map(parse).collect()
}

/// Writes one value a line, whole or not at all.
pub(super) fn write_lines<T: Serialize>(path: &Path, values: &[T]) -> Result<()> {
    make_folder_of(path)?;
    Ok(crate::data::write_json_lines(values, path)?)
}

/// A JSON document.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let malformed = |error: serde_json::Error| IterateError::Malformed { path: path.into(), rule: error.to_string() };
    Ok(serde_json::from_str(&read_text(path, MOST_TEXT)?).map_err(malformed)?)
}

/// Writes a JSON document, whole or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    make_folder_of(path)?;
    let malformed = |error: serde_json::Error| IterateError::Malformed { path: path.into(), rule: error.to_string() };
    let text = serde_json::to_string_pretty(value).map_err(malformed)? + "\n";
    Ok(write_atomically(path, text.as_bytes())?)
}

/// Makes the folder that a file is to be in.
pub(super) fn make_folder_of(path: &Path) -> Result<()> {
    let folder = redline_model::files::folder_of(path);
    Ok(std::fs::create_dir_all(folder).map_err(|error| ModelError::io(folder, error))?)
}

/// SHA-256 of a file, or of the names and hashes of all that is in a folder.
pub(super) fn hash_path(path: &Path) -> Result<String> {
    hash_below(path, 0)
}

fn hash_below(path: &Path, depth: usize) -> Result<String> {
    if !path.is_dir() {
        return Ok(file_hash(path)?);
    }
    if depth > MOST_DEPTH {
        let rule = format!("more than {MOST_DEPTH} folders in each other");
        return Err(IterateError::Malformed { path: path.into(), rule }.into());
    }
    let io = |error| ModelError::io(path, error);
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        entries.push(entry.map_err(io)?.path());
    }
    entries.sort();
    // what a run that goes on leaves for itself is no part of what it made
    entries.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    let mut text = String::new();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        text += &format!("{name} {}\n", hash_below(&entry, depth + 1)?);
    }
    Ok(hash_of(text.as_bytes()))
}
