//! Does this answer need a correction at all? A gate in front of an Aligner.
//!
//! The gate has a value for each answer, and opens where that lies on the wrong side of a threshold: then the answer is corrected, else it
//! passes as it is. The value is the cost of question and answer by a cost model (opens above the threshold), their reward by a reward model
//! (opens below), or the LAT score of the last token of the Aligner's prompt (opens above), in deviations of the vector's calibration,
//! averaged over layers. The threshold is a number of the user's, or comes from [`calibrate`] on labelled rows.
//!
//! A value that cannot be had is an error, never a closed gate. This gate decides about whole texts; the one of
//! [`MoreVectors`](crate::steering::MoreVectors) decides at which positions a vector steers.

mod calibrate;
mod file;
mod head;
mod lat;
mod rows;
mod spec;
#[cfg(test)]
mod tests;
mod values;
mod x_safety;

use std::path::PathBuf;

use redline_model::RewardModel;
use redline_probe::Reading;
use serde::{Deserialize, Serialize};

use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::prompt_read::{PromptPlaces, PromptRead};

use head::{head_tokens, head_value};
use lat::LatScore;

pub use calibrate::{CalibrateOptions, Calibrated, LayerArea, calibrate};
pub use file::{FittedOn, GateCalibration, GateSpeed, HeldOutRates, SCHEMA};
pub use rows::{LabelledRow, labelled_rows};
pub use spec::{GateSpec, GateThreshold};
pub use values::FEWEST;
pub use x_safety::{SafetyRates, safety_rates};

/// What a gate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateKind {
    /// A cost model: opens above the threshold.
    Cost,
    /// A reward model: opens below the threshold.
    Reward,
    /// A reading vector, at the last token of the Aligner's prompt: opens above the threshold.
    Lat,
}

redline_model::named_enum! {
    "kind of gate", GateKind { Cost = "cost", Reward = "reward", Lat = "lat" }
}

impl GateKind {
    /// The value turned so that more of it means more need of a correction.
    pub fn need(self, value: f64) -> f64 {
        if self == Self::Reward { -value } else { value }
    }

    /// Whether an answer of this value is corrected.
    pub fn opens(self, value: f64, threshold: f64) -> bool {
        self.need(value) > self.need(threshold)
    }

    /// What its values are, for people.
    pub fn quantity(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Reward => "reward",
            Self::Lat => "LAT score (z)",
        }
    }
}

/// What reads for a gate.
pub(crate) enum Instrument {
    Head(Box<RewardModel>),
    Lat(Box<LatScore>),
}

/// A gate that is ready.
pub struct AnswerGate {
    kind: GateKind,
    threshold: f64,
    instrument: Instrument,
    place: PathBuf,
    doubt: Option<String>,
}

/// What a gate said of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Passage {
    /// What it reads.
    pub kind: GateKind,
    /// Its value; none where it failed.
    pub value: Option<f64>,
    /// Where it opens.
    pub threshold: f64,
    /// Whether the answer passed as it is; never where it failed.
    pub passed: bool,
    /// Why there is no value, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl AnswerGate {
    /// What it reads.
    pub fn kind(&self) -> GateKind {
        self.kind
    }

    /// Where it opens.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// What its calibration says against it.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// What must be kept of the pass over a prompt for [`AnswerGate::of_prompt`]; nothing for a gate that reads answers.
    pub fn places(&self) -> PromptPlaces {
        match &self.instrument {
            Instrument::Head(_) => PromptPlaces::default(),
            Instrument::Lat(lat) => lat.places(),
        }
    }

    /// The value of an answer, for a cost or reward model.
    ///
    /// # Errors
    /// The text is too long for the model, the pass fails, or its score is not finite; a gate that reads prompts.
    pub fn of_answer(&self, question: &str, answer: &str) -> Result<f64> {
        match &self.instrument {
            Instrument::Head(model) => match head_tokens(model, question, answer)? {
                Some(tokens) => head_value(model, self.kind, tokens),
                None => Err(Error::option(
                    format!(
                        "question and answer are too long for the {} model, whose context holds {} tokens",
                        self.kind,
                        model.model.decoder.config().context
                    ),
                    "shorten them, or take a model with a longer context",
                )),
            },
            Instrument::Lat(_) => {
                Err(Error::option("this gate reads prompts, not answers", "give the prompt's reading"))
            }
        }
    }

    /// The value of a prompt that was read with [`AnswerGate::places`].
    ///
    /// # Errors
    /// A score is not finite, or the prompt was read elsewhere.
    pub fn of_prompt(&self, read: &PromptRead) -> Result<f64> {
        match &self.instrument {
            Instrument::Lat(lat) => lat.score(&read.last),
            Instrument::Head(_) => Err(Error::option("this gate reads answers, not prompts", "give the answer")),
        }
    }

    /// What becomes of an answer of this value.
    pub fn passage(&self, value: f64) -> Passage {
        let Self { kind, threshold, .. } = *self;
        Passage { kind, value: Some(value), threshold, passed: !kind.opens(value, threshold), error: None }
    }

    /// What becomes of an answer that has no value: it does not pass.
    pub fn failed(&self, reason: String) -> Passage {
        Passage { kind: self.kind, value: None, threshold: self.threshold, passed: false, error: Some(reason) }
    }

    /// What it reads by, and where it opens, in a line.
    pub fn in_words(&self) -> String {
        let side = if self.kind == GateKind::Reward { "below" } else { "above" };
        format!("{} by {} {side} {}", self.kind.quantity(), self.place.display(), self.threshold)
    }
}

impl Passage {
    /// The one of two that needs a correction more; of an answer in parts. Such an answer passed where both did.
    pub fn worse(&self, other: &Self) -> Self {
        let need = |passage: &Self| passage.value.map_or(f64::INFINITY, |value| passage.kind.need(value));
        let worse = if need(other) > need(self) { other } else { self };
        Self { passed: self.passed && other.passed, ..worse.clone() }
    }

    /// Value and threshold, for messages.
    pub fn in_words(&self) -> String {
        let (quantity, threshold) = (self.kind.quantity(), self.threshold);
        match self.value {
            Some(value) => format!("its {quantity} is {value:.4} (the threshold is {threshold})"),
            None => format!("its {quantity} is not known"),
        }
    }
}

/// Loads what a gate reads by.
///
/// # Errors
/// No such model or vector, or one of another Aligner than the one before which the gate stands.
pub(crate) fn load_instrument(
    aligner: &Aligner,
    spec: &GateSpec,
    layers: Option<&[usize]>,
    any_model: bool,
) -> Result<Instrument> {
    match spec.kind {
        GateKind::Cost | GateKind::Reward => Ok(Instrument::Head(Box::new(RewardModel::load(&spec.path)?))),
        GateKind::Lat => {
            let reading = Reading::load(&spec.path)?;
            crate::steering::check_reading(&reading, &spec.path, &aligner.model, any_model)?;
            Ok(Instrument::Lat(Box::new(LatScore::new(reading, layers)?)))
        }
    }
}

impl Instrument {
    /// SHA-256 by which a calibration knows it again.
    pub(crate) fn hash(&self, spec: &GateSpec) -> Result<String> {
        match self {
            Self::Head(model) => Ok(model.fingerprint()?),
            Self::Lat(_) => Ok(redline_model::files::file_hash(&spec.path)?),
        }
    }
}
