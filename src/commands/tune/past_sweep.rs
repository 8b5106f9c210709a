//! A sweep that was run before: its rows, and the settings that a coefficient found in them depends on.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use redline::model::AlignerTemplate;
use redline::model::sampling::SamplingOptions;
use redline::model::template::TEMPLATE_NAMES;
use redline::probe::split::normalise;
use redline::steer::{Error as SteerError, Operator, SweepRow, read_sweep};
use serde::Deserialize;

use super::rows::Rows;
use crate::session::{Session, hinted};
use crate::steering::LoadedVector;

/// The settings of `redline sweep` that matter here.
#[derive(Deserialize)]
pub struct PastSettings {
    pub model_hash: String,
    pub template: String,
    pub vector: PathBuf,
    pub vector_norms: BTreeMap<usize, f64>,
    pub unit: String,
    pub range: String,
    #[serde(default)]
    pub operator: Operator,
    pub data: PathBuf,
    pub max_new_tokens: usize,
    pub sampling: SamplingOptions,
}

/// A sweep file.
pub struct PastSweep {
    pub path: PathBuf,
    pub settings: PastSettings,
    pub rows: Vec<SweepRow>,
}

impl PastSweep {
    /// Reads a file of `redline sweep` or `redline tune --out`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let (settings, rows) = read_sweep(path)?;
        let settings = serde_json::from_value(settings).map_err(|error| {
            hinted(
                format!("{}: its settings do not tell how it was steered: {error}", path.display()),
                "give a file of `redline sweep`; those of `redline reproduce` have their settings elsewhere",
            )
        })?;
        Ok(Self { path: path.into(), settings, rows })
    }

    /// The template that was swept with, under its name where it is a built-in one.
    pub fn template(&self) -> anyhow::Result<AlignerTemplate> {
        let source = &self.settings.template;
        let known = TEMPLATE_NAMES.iter().filter_map(|name| AlignerTemplate::by_name(name));
        let found = known.into_iter().find(|template| template.source() == *source);
        Ok(found.map_or_else(|| AlignerTemplate::from_text("of the sweep", source), Ok)?)
    }

    /// Refuses a model, a template or a vector that is not the one of the sweep.
    pub fn check(&self, session: &Session, loaded: &LoadedVector) -> anyhow::Result<()> {
        let other = |what: &str, hint: &str| {
            Err(hinted(format!("{}: the sweep was run with another {what}", self.path.display()), hint))
        };
        if self.settings.model_hash != session.model.fingerprint {
            return other("model", "give --model (and --adapter) as in the sweep");
        }
        if self.settings.template != session.template.source() {
            return other("template", "leave --template out: that of the sweep is taken");
        }
        if self.settings.vector_norms != loaded.vector.norms() || self.settings.unit != loaded.unit {
            return other("vector", "give --vector (and --from-llama-cpp-generator) as in the sweep");
        }
        Ok(())
    }

    /// Questions of the rows that were swept, normalised; refuses rows that are not those of the sweep.
    pub fn questions(&self, rows: &Rows) -> anyhow::Result<HashSet<String>> {
        let n_rows = rows.triples.len();
        let question = |swept: &SweepRow| {
            let qac = rows.triples.get(swept.row).ok_or(SteerError::NoSuchRow { row: swept.row, n_rows })?;
            // a cut output is compared with a part of the answer only
            if !swept.truncated && swept.ratios.original_length != qac.answer.chars().count() {
                let message = format!("{}: row {} is not the one of the sweep", rows.name.display(), swept.row);
                return Err(hinted(message, "give --data as in the sweep"));
            }
            Ok(normalise(&qac.question))
        };
        self.rows.iter().map(question).collect()
    }

    /// Number of prompts.
    pub fn n_prompts(&self) -> usize {
        self.rows.iter().map(|row| row.row).collect::<HashSet<_>>().len()
    }
}
