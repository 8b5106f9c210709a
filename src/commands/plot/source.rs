//! What lies in a file of numbers, found by what it holds.

use std::collections::BTreeMap;
use std::path::Path;

use redline::experiment::{EvaluationRecord, PlaceProfile, StepRecord, TrainingRecord};
use redline::lab::directions::read_directions;
use redline::model::files::read_text;
use redline::model::{Error as ModelError, parse_settings};
use redline::probe::{LatScan, LayerReading};
use redline::steer::{SweepRow, read_sweep};

use crate::sweep_words::warn_of_part;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::schemas::NamedResult;
use crate::failure::hinted;

/// Most bytes of a file of numbers.
const MOST_RESULT: u64 = 256 << 20;

/// Numbers of one kind.
pub enum Source {
    /// LAT scans.
    Scans(Vec<LatScan>),
    /// Held-out reading by layer.
    Layers(Vec<LayerReading>),
    /// The same at several places of the text.
    Places(Vec<PlaceProfile>),
    /// A sweep: unit and rows.
    Sweep(String, Vec<SweepRow>),
    /// Directions by layer.
    Directions(BTreeMap<usize, Vec<f32>>),
    /// A training log.
    Training(Vec<StepRecord>, Vec<EvaluationRecord>),
    /// A result that its schema names.
    Result(Box<NamedResult>),
}

impl Source {
    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        if let Some(directions) = read_directions(path)? {
            return Ok(Self::Directions(directions));
        }
        let text = read_text(path, MOST_RESULT)?;
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        match parse_settings(path, first.as_bytes()) {
            Ok(line) if line.is_object() => Self::of_lines(path, &text, &line),
            _ => Self::of_document(path, &text),
        }
    }

    /// What results call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scans(_) => "scans",
            Self::Layers(_) | Self::Places(_) => "layers",
            Self::Sweep(..) => "sweep",
            Self::Directions(_) => "directions",
            Self::Training(..) => "training",
            Self::Result(result) => result.kind(),
        }
    }

    /// A file of JSON Lines, told by its first.
    fn of_lines(path: &Path, text: &str, first: &Value) -> anyhow::Result<Self> {
        let has = |key: &str| first.get(key).is_some();
        if first["schema"] == redline::steer::sweep_log::SCHEMA {
            let (settings, rows) = read_sweep(path)?;
            warn_of_part(path, &settings);
            return Ok(Self::Sweep(settings["unit"].as_str().unwrap_or("gap").to_owned(), rows));
        }
        if first["kind"] == "step" || first["kind"] == "evaluation" {
            let (mut steps, mut evaluations) = (Vec::new(), Vec::new());
            for record in parsed::<TrainingRecord>(path, text)? {
                match record {
                    TrainingRecord::Step(step) => steps.push(step),
                    TrainingRecord::Evaluation(evaluation) => evaluations.push(evaluation),
                }
            }
            return Ok(Self::Training(steps, evaluations));
        }
        if has("tokens") && has("z") {
            return Ok(Self::Scans(parsed(path, text)?));
        }
        if has("layer") && has("pair_accuracy") {
            return Ok(Self::Layers(parsed(path, text)?));
        }
        Self::of_document(path, text)
    }

    /// A file of one JSON value.
    fn of_document(path: &Path, text: &str) -> anyhow::Result<Self> {
        let Ok(mut document) = parse_settings(path, text.as_bytes()) else { return Err(unknown(path)) };
        let malformed = |source: serde_json::Error| ModelError::Malformed {
            path: path.into(),
            format: "result",
            rule: source.to_string(),
        };
        match document["schema"].as_str().unwrap_or_default() {
            "redline.layers.v1" => {
                let places = serde_json::from_value(document["places"].take()).map_err(malformed)?;
                Ok(Self::Places(places))
            }
            "redline.extract.v1" | "redline.summary.v1" => {
                let layers = serde_json::from_value(document["layers"].take()).map_err(malformed)?;
                Ok(Self::Layers(layers))
            }
            _ => match NamedResult::of_document(path, document)? {
                Some(result) => Ok(Self::Result(Box::new(result))),
                None => Err(unknown(path)),
            },
        }
    }
}

/// The lines of a file; a last one without line break is what a kill left, and no line.
fn parsed<T: DeserializeOwned>(path: &Path, text: &str) -> anyhow::Result<Vec<T>> {
    let mut values = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str(line) {
            _ if line.trim().is_empty() => {}
            Ok(value) => values.push(value),
            Err(_) if !line.ends_with('\n') && number > 0 => {}
            Err(source) => {
                return Err(ModelError::MalformedLine { path: path.into(), line: number + 1, source }.into());
            }
        }
    }
    Ok(values)
}

fn unknown(path: &Path) -> anyhow::Error {
    hinted(
        format!("{}: not numbers that can be drawn", path.display()),
        "give scans, layers, a sweep, a vector, a training log or a result that has a figure; `redline plot --help` says which files hold them",
    )
}
