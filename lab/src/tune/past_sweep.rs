//! A sweep that was run before: its rows, and the settings that a coefficient found in them depends on.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use redline_model::AlignerTemplate;
use redline_model::sampling::SamplingOptions;
use redline_model::template::TEMPLATE_NAMES;
use redline_probe::split::normalise;
use redline_steer::sweep_shards::SHARD;
use redline_steer::{Error as SteerError, Operator, SweepRow, read_sweep};
use serde::Deserialize;

use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::rows::Rows;
use crate::steering::LoadedVector;
use crate::vector_unit::VectorUnit;

/// The settings of `redline sweep` that matter here.
#[derive(Deserialize)]
pub struct PastSettings {
    /// SHA-256 of the weights.
    pub model_hash: String,
    /// Source of the prompt template.
    pub template: String,
    /// File of the vector.
    pub vector: PathBuf,
    /// Norms of what one unit of coefficient adds, by layer.
    pub vector_norms: BTreeMap<usize, f64>,
    /// Unit of the coefficients.
    pub unit: VectorUnit,
    /// Positions that were steered.
    pub range: String,
    /// How the vector met activations.
    #[serde(default)]
    pub operator: Operator,
    /// File of the rows.
    pub data: PathBuf,
    /// Longest output, in tokens.
    pub max_new_tokens: usize,
    /// How tokens were chosen.
    pub sampling: SamplingOptions,
    /// Nats that a unit of coefficient took from the logit of the answer's next token.
    #[serde(default)]
    pub copy_bias: f32,
}

/// A sweep file.
pub struct PastSweep {
    /// The file.
    pub path: PathBuf,
    /// How it was run.
    pub settings: PastSettings,
    /// What was written.
    pub rows: Vec<SweepRow>,
}

impl PastSweep {
    /// Reads a file of `redline sweep` or `redline tune --out`.
    ///
    /// # Errors
    /// No sweep, or one whose settings do not say how it was steered.
    pub fn read(path: &Path) -> Result<Self> {
        let (settings, rows) = read_sweep(path)?;
        if settings.get(SHARD).is_some() {
            let message = format!("{}: only a part of a sweep", path.display());
            return Err(Error::option(message, "put it together with the others: `redline merge`"));
        }
        let settings: PastSettings = serde_json::from_value(settings).map_err(|error| {
            Error::option(
                format!("{}: its settings do not tell how it was steered: {error}", path.display()),
                "give a file of `redline sweep`; those of `redline reproduce` have their settings elsewhere",
            )
        })?;
        Ok(Self { path: path.into(), settings, rows })
    }

    /// The template that was swept with, under its name where it is a built-in one.
    ///
    /// # Errors
    /// A template without `{question}` or `{answer}`.
    pub fn template(&self) -> Result<AlignerTemplate> {
        let source = &self.settings.template;
        let known = TEMPLATE_NAMES.iter().filter_map(|name| AlignerTemplate::by_name(name));
        let found = known.into_iter().find(|template| template.source() == *source);
        Ok(found.map_or_else(|| AlignerTemplate::from_text("of the sweep", source), Ok)?)
    }

    /// Refuses a model, a template or a vector that is not the one of the sweep.
    pub(super) fn check(&self, aligner: &Aligner, loaded: &LoadedVector) -> Result<()> {
        let other = |what: &str, hint: &str| {
            Err(Error::option(format!("{}: the sweep was run with another {what}", self.path.display()), hint))
        };
        if self.settings.model_hash != aligner.model.fingerprint {
            return other("model", "give --model (and --adapter) as in the sweep");
        }
        if self.settings.template != aligner.template.source() {
            return other("template", "leave --template out: that of the sweep is taken");
        }
        if self.settings.vector_norms != loaded.vector.norms() || self.settings.unit != loaded.unit {
            return other("vector", "give --vector (and --from-llama-cpp-generator) as in the sweep");
        }
        Ok(())
    }

    /// Questions of the rows that were swept, normalised; refuses rows that are not those of the sweep.
    pub(crate) fn questions(&self, rows: &Rows) -> Result<HashSet<String>> {
        let n_rows = rows.triples.len();
        let question = |swept: &SweepRow| {
            let qac = rows.triples.get(swept.row).ok_or(SteerError::NoSuchRow { row: swept.row, n_rows })?;
            // a cut output is compared with a part of the answer only
            if !swept.truncated && swept.ratios.original_length != qac.answer.chars().count() {
                let message = format!("{}: row {} is not the one of the sweep", rows.name.display(), swept.row);
                return Err(Error::option(message, "give --data as in the sweep"));
            }
            Ok(normalise(&qac.question))
        };
        self.rows.iter().map(question).collect()
    }

    /// Number of prompts.
    pub(super) fn n_prompts(&self) -> usize {
        self.rows.iter().map(|row| row.row).collect::<HashSet<_>>().len()
    }
}
