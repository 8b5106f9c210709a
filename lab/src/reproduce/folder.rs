//! The folder of an experiment: what is in it, and whether it belongs to this run.

use std::path::{Path, PathBuf};

use redline_model::Error as ModelError;
use redline_model::files::remove_if_there;
use redline_model::files::{read, read_text, write_atomically};
use redline_steer::sweep_log::first_difference;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::FILES;
use crate::error::Result;
use crate::observer::Observer;

/// Most bytes of a file of numbers.
const MOST_RESULT: u64 = 1 << 30;

/// A folder whose settings are those of this run.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Starts a folder, or continues one of the same settings. Files of a run that lie there without settings belong to no run, and
    /// are removed.
    pub(super) fn open(path: &Path, settings: &Value, observer: &mut dyn Observer) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|error| ModelError::io(path, error))?;
        let folder = Self { path: path.into() };
        match folder.read_json::<Value>("settings.json")? {
            None => {
                for path in FILES.iter().map(|name| folder.file(name)).filter(|path| path.is_file()) {
                    remove_if_there(&path)?;
                }
                folder.write_json("settings.json", settings)?;
            }
            Some(found) if found == *settings => observer.note(&format!("{}: continuing", path.display())),
            Some(found) => {
                let path = folder.file("settings.json");
                let difference = first_difference(&found, settings);
                return Err(redline_steer::Error::OtherSettings { path, difference }.into());
            }
        }
        Ok(folder)
    }

    /// Path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A JSON file of the folder; `None` when it is not there.
    pub(super) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.file(name);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read(&path, MOST_RESULT)?;
        let malformed =
            |source: serde_json::Error| ModelError::Malformed { path, format: "JSON", rule: source.to_string() };
        Ok(Some(serde_json::from_slice(&bytes).map_err(malformed)?))
    }

    /// Writes a JSON file, indented.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        self.write(name, &(text_of(serde_json::to_string_pretty(value), &self.file(name))? + "\n"))
    }

    /// Writes one JSON line a value.
    pub(super) fn write_lines<T: Serialize>(&self, name: &str, values: &[T]) -> Result<()> {
        let lines = values.iter().map(|value| Ok(text_of(serde_json::to_string(value), &self.file(name))? + "\n"));
        self.write(name, &lines.collect::<Result<String>>()?)
    }

    /// Writes a file whole.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(write_atomically(&self.file(name), text.as_bytes())?)
    }

    /// Reads one value a line; `None` when the file is not there.
    pub(super) fn read_lines<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Vec<T>>> {
        let path = self.file(name);
        if !path.exists() {
            return Ok(None);
        }
        let text = read_text(&path, MOST_RESULT)?;
        let parse = |(number, line): (usize, &str)| {
            let malformed = |source| ModelError::MalformedLine { path: path.clone(), line: number + 1, source };
            Ok(serde_json::from_str(line).map_err(malformed)?)
        };
        text.lines().enumerate().map(parse).collect::<Result<Vec<T>>>().map(Some)
    }
}

/// JSON of a result, or what is wrong with it.
fn text_of(json: serde_json::Result<String>, path: &Path) -> Result<String> {
    let malformed =
        |error: serde_json::Error| ModelError::Malformed { path: path.into(), format: "JSON", rule: error.to_string() };
    Ok(json.map_err(malformed)?)
}
