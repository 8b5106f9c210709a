//! A calibration as a file: where a gate opens, for what it holds, and what it is worth on rows held out.

use std::path::{Path, PathBuf};

use redline_probe::stats::{Estimate, Interval, RocPoint};
use serde::{Deserialize, Serialize};

use super::{GateKind, GateSpec, Instrument};
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::json_file::JsonKind;

/// Value of the `schema` key.
pub const SCHEMA: &str = "redline.gate.v1";
const FILE: JsonKind = JsonKind {
    refusal: "no calibration of a gate",
    cure: "give a file that `redline gate` wrote",
    most_bytes: 16 << 20,
};

/// Where a gate opens, and what that is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateCalibration {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the gate reads.
    pub kind: GateKind,
    /// The model, head or vector that it reads by.
    pub instrument: PathBuf,
    /// SHA-256 of that.
    pub instrument_hash: String,
    /// Fingerprint of the Aligner before which it stands, for a gate that reads its prompts.
    pub aligner: Option<String>,
    /// Template that the Aligner was prompted with, for the same.
    pub template: Option<String>,
    /// Layers of the vector that are read.
    pub layers: Option<Vec<usize>>,
    /// Where it opens.
    pub threshold: f64,
    /// Share of answers that need no correction which may be corrected all the same, as asked for.
    pub false_corrections: f64,
    /// What the threshold was chosen on.
    pub fitted_on: FittedOn,
    /// What it does on rows of other questions.
    pub held_out: HeldOutRates,
    /// The curve of the held-out rows.
    pub roc: Vec<RocPoint>,
    /// What a gate costs and saves.
    pub speed: GateSpeed,
    /// The rows' file.
    pub data: PathBuf,
    /// Seed of split and intervals.
    pub seed: u64,
    /// Program and version that wrote it.
    pub made_with: String,
}

/// Rows that the threshold was chosen on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedOn {
    /// Rows that need a correction.
    pub n_needed: usize,
    /// Rows that need none.
    pub n_fine: usize,
    /// Share of the fine ones that the threshold corrects.
    pub false_rate: f64,
}

/// What a threshold does on rows of other questions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOutRates {
    /// Rows that need a correction.
    pub n_needed: usize,
    /// Rows that need none.
    pub n_fine: usize,
    /// Area under the ROC curve, with its interval over questions.
    pub auc: Estimate,
    /// Share of the needed ones that are corrected.
    pub true_rate: f64,
    /// Its 95 % interval (Wilson).
    pub true_interval: Interval,
    /// Share of the fine ones that are corrected all the same.
    pub false_rate: f64,
    /// Its 95 % interval (Wilson).
    pub false_interval: Interval,
    /// Share of all that are corrected.
    pub corrected_share: f64,
}

/// Seconds, as measured while calibrating, one row at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSpeed {
    /// Mean seconds until the gate knows.
    pub gate_seconds: f64,
    /// Mean seconds of a correction, without a gate; none where none was written.
    pub correction_seconds: Option<f64>,
    /// Corrections that this mean is of.
    pub n_corrections: usize,
    /// Share of the time that the gate saves for traffic like the held-out rows: below 0 where it costs more than it saves.
    pub saved_share: Option<f64>,
}

impl GateCalibration {
    /// What speaks against the gate, where something does: on rows held out it does not surely tell better than chance.
    pub fn doubt(&self) -> Option<String> {
        let auc = &self.held_out.auc;
        let (low, high) = auc.interval.map_or((auc.value, auc.value), |interval| (interval.low, interval.high));
        if high < 0.5 {
            return Some(format!(
                "the gate is the wrong way round: it corrects answers that need none rather than those that do (AUC {:.3}); a vector that was read at \
                 the last prompt token (`extract --design decision`) may tell them apart",
                auc.value
            ));
        }
        (low <= 0.5).then(|| {
            format!(
                "the gate is not shown to tell which answers need a correction: AUC {:.3}, and 0.5 is chance{}",
                auc.value,
                match self.kind {
                    GateKind::Lat =>
                        "; a vector that was read at the last prompt token (`extract --design decision`) may",
                    GateKind::Cost | GateKind::Reward => "",
                }
            )
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// No such file, or one that breaks a rule of the format.
    pub fn load(path: &Path) -> Result<Self> {
        FILE.load(path, Self::check)
    }

    /// Writes a file, which appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        FILE.save(self, path)
    }

    /// Refuses values that mean nothing.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self) -> std::result::Result<(), String> {
        let is_lat = self.kind == GateKind::Lat;
        match () {
            () if self.schema != SCHEMA => Err(format!("`schema` is `{}`, expected `{SCHEMA}`", self.schema)),
            () if !self.threshold.is_finite() => Err(format!("`threshold` is {}", self.threshold)),
            () if is_lat != (self.aligner.is_some() && self.template.is_some() && self.layers.is_some()) => {
                Err("`aligner`, `template` and `layers` belong to gates of the kind `lat`, which need them".into())
            }
            () if self.layers.as_ref().is_some_and(Vec::is_empty) => Err("`layers` is empty".into()),
            () => Ok(()),
        }
    }

    /// Refuses another model, head, vector, Aligner or template than it was made with: the threshold means nothing there.
    ///
    /// # Errors
    /// Which of them differs.
    pub(crate) fn check_fits(
        &self,
        place: &Path,
        spec: &GateSpec,
        aligner: &Aligner,
        instrument: &Instrument,
    ) -> Result<()> {
        let is_other = |known: &Option<String>, found: &str| known.as_ref().is_some_and(|known| known != found);
        let other = match () {
            () if self.kind != spec.kind => "another kind of gate",
            () if self.instrument_hash != instrument.hash(spec)? => match spec.kind {
                GateKind::Lat => "another vector",
                GateKind::Cost | GateKind::Reward => "another model or head",
            },
            () if is_other(&self.aligner, &aligner.model.fingerprint) => "another Aligner",
            () if is_other(&self.template, &aligner.template.source()) => "another template",
            () => return Ok(()),
        };
        Err(Error::option(
            format!("{}: the gate was calibrated with {other}", place.display()),
            format!("calibrate again: redline gate {spec} --data ROWS"),
        ))
    }
}
