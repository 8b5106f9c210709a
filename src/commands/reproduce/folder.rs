//! The report folder: what is in it, and whether it belongs to this run.

use std::path::{Path, PathBuf};

use redline::experiment::ExtractionSettings;
use redline::model::files::{read, read_text, write_atomically};
use redline::steer::sweep_log::first_difference;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::inputs::Inputs;
use crate::cli::ReproduceArgs;
use crate::cli::writes::reproduced;
use crate::output;
use crate::session::Session;

/// Most bytes of a file of numbers.
const MOST_RESULT: u64 = 1 << 30;

/// A folder whose settings are those of this run.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Starts a folder, or continues one of the same settings.
    pub fn open(path: &Path, settings: &Value) -> anyhow::Result<Self> {
        let folder = Self { path: path.into() };
        match folder.read_json::<Value>("settings.json")? {
            None => {
                folder.clear()?;
                folder.write_json("settings.json", settings)?;
            }
            Some(found) if found == *settings => output::note!("{}: continuing", path.display()),
            Some(found) => {
                let path = folder.file("settings.json");
                let difference = first_difference(&found, settings);
                return Err(redline::steer::Error::OtherSettings { path, difference }.into());
            }
        }
        Ok(folder)
    }

    /// Removes what lies there under names of a run: without settings it is of none, and only `--force` lets it come so far.
    fn clear(&self) -> anyhow::Result<()> {
        for path in reproduced().iter().map(|named| self.file(&named.name)).filter(|path| path.is_file()) {
            std::fs::remove_file(&path).map_err(|error| redline::model::Error::io(&path, error))?;
        }
        Ok(())
    }

    /// Path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A JSON file of the folder; `None` when it is not there.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let path = self.file(name);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read(&path, MOST_RESULT)?;
        let value = serde_json::from_slice(&bytes).map_err(|source| redline::model::Error::Malformed {
            path,
            format: "JSON",
            rule: source.to_string(),
        })?;
        Ok(Some(value))
    }

    /// Writes a JSON file, indented.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        output::json_file(&self.file(name), value)
    }

    /// Writes one JSON line a value.
    pub fn write_lines<T: Serialize>(&self, name: &str, values: &[T]) -> anyhow::Result<()> {
        let lines = values.iter().map(|value| Ok(serde_json::to_string(value)? + "\n"));
        self.write(name, &lines.collect::<anyhow::Result<String>>()?)
    }

    /// Writes a file whole.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(write_atomically(&self.file(name), text.as_bytes())?)
    }

    /// Reads what [`Folder::write_lines`] wrote; `None` when it is not there.
    pub fn read_lines<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<Vec<T>>> {
        let path = self.file(name);
        if !path.exists() {
            return Ok(None);
        }
        let text = read_text(&path, MOST_RESULT)?;
        let parse = |(number, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|source| {
                redline::model::Error::MalformedLine { path: path.clone(), line: number + 1, source }.into()
            })
        };
        text.lines().enumerate().map(parse).collect::<anyhow::Result<Vec<T>>>().map(Some)
    }
}

/// Everything that the numbers depend on.
pub fn settings(
    args: &ReproduceArgs,
    inputs: &Inputs,
    session: &Session,
    extraction: &ExtractionSettings,
    layers: &[usize],
) -> anyhow::Result<Value> {
    Ok(json!({
        "schema": "redline.settings.v1",
        "version": env!("CARGO_PKG_VERSION"),
        "model_hash": session.model.fingerprint,
        "numerics": session.model.decoder.numerics(),
        "data_hash": inputs.hash,
        "strictness": inputs.strictness,
        "template": session.template.source(),
        "pairs": inputs.pairs,
        "prompts": inputs.prompts,
        "coefficients": inputs.coefficients,
        "seed": args.seed,
        "extraction": extraction,
        "layers": layers,
        "unit": args.unit,
        "range": inputs.range.to_string(),
        "max_new_tokens": inputs.max_new_tokens,
        "coherence_bound": args.coherence_bound,
        "random_generated": args.random_generated,
        "random_propensity": args.random_propensity,
        "control_prompts": inputs.control_prompts,
    }))
}
