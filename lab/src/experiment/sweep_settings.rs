//! What the outputs of a sweep depend on, as its file keeps it.

use std::path::Path;

use redline_model::Qac;
use redline_model::sampling::SamplingOptions;
use redline_probe::shard::Share;
use redline_steer::sweep_shards::SHARD;
use serde_json::{Value, json};

use crate::aligner::Aligner;
use crate::rows::rows_hash;
use crate::steering::{LoadedVector, Steering};

/// Everything that the outputs of a sweep depend on.
pub struct SweepSettings<'a> {
    /// Model and template.
    pub aligner: &'a Aligner,
    /// How the vector is injected.
    pub steering: &'a Steering,
    /// The vector.
    pub loaded: &'a LoadedVector,
    /// The coefficients.
    pub coefficients: &'a [f32],
    /// Name of the rows' file.
    pub data: &'a Path,
    /// All rows of `data`: a sweep goes on only where they are the same.
    pub triples: &'a [Qac],
    /// Rows passed over.
    pub skip: usize,
    /// Which part of the rows after these is swept, where they are shared out between machines.
    pub share: Option<Share>,
    /// Longest output, in tokens.
    pub max_new_tokens: usize,
    /// How tokens are chosen.
    pub sampling: &'a SamplingOptions,
}

impl SweepSettings<'_> {
    /// The settings as they stand in the first line of a sweep file.
    pub fn to_json(&self) -> Value {
        let mut settings = json!({
            "model_hash": self.aligner.model.fingerprint,
            "numerics": self.aligner.model.decoder.numerics(),
            "template": self.aligner.template.source(),
            "vector": self.steering.vector,
            "vector_norms": self.loaded.vector.norms(),
            "unit": self.loaded.unit,
            "range": self.steering.range.to_string(),
            "operator": self.steering.operator,
            "coefficients": self.coefficients,
            "data": self.data,
            "data_hash": rows_hash(self.triples.iter().map(|row| [row.question.as_str(), &row.answer, &row.correction])),
            "skip": self.skip,
            "max_new_tokens": self.max_new_tokens,
            "sampling": self.sampling,
        });
        if let Some(share) = self.share {
            settings[SHARD] = json!(share);
        }
        if self.steering.copy_bias != 0.0 {
            settings["copy_bias"] = self.steering.copy_bias.into();
        }
        settings
    }
}
