//! Steering profiles: a tuned dial as a small file, to be used by name.
//!
//! A profile says which vector is added (by path and SHA-256), with which coefficient, at which layers and positions, to the
//! outputs of which model, prompted how; and which line the coefficient was read from. `redline tune` writes profiles,
//! `redline correct --profile` and `redline sweep --profile` use them, [`Profile::control_vector`] does in a program. The rules of
//! the file are in `docs/formats.md`.
//!
//! ```no_run
//! use redline_lab::profile::{Profile, find};
//!
//! let model = redline_lab::embedded::model()?;
//! let path = find("gentle")?;
//! let profile = Profile::load(&path)?;
//! let (vector, coefficient) = (profile.control_vector(&path, &model)?, profile.coefficient);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod error;
mod place;

use std::path::{Path, PathBuf};

pub use redline_model::files::{file_hash, hash_of};
use redline_model::files::{read, write_atomically};
use redline_model::{AlignerTemplate, Error as ModelError, Model};
use redline_probe::Reading;
use redline_steer::control_file::read_control_vector;
use redline_steer::{ControlVector, EditRatioVariant, InsideFile, Interval, TokenRange, Unit, reading_control_vector};
use serde::{Deserialize, Serialize};

use crate::domain::Domain;
use crate::policy::Policy;
use crate::quality::Utility;

pub use error::{ProfileError, Result};
pub use place::{DEFAULT_FOLDER, FOLDER_VARIABLE, find, folder, place, relative};

/// Value of the `schema` key.
pub const SCHEMA: &str = "redline.profile.v1";
/// Value of the `operator` key: how the vector meets the activation. Only `add` is a dial.
pub const OPERATOR: &str = "add";
/// Value of the `unit` key for a GGUF vector, whose scales are part of its tensors.
pub const FILE_UNIT: &str = "file";
/// Largest file believed to be a profile.
const MAX_BYTES: u64 = 1 << 20;

/// A tuned dial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`SCHEMA`].
    pub schema: String,
    /// What people call it.
    pub name: String,
    /// The vector that is added.
    pub vector: VectorFile,
    /// [`OPERATOR`].
    pub operator: String,
    /// The signed strength.
    pub coefficient: f32,
    /// 95 % interval of the coefficient, from the bootstrap over prompts of the line.
    pub coefficient_interval: Interval,
    /// Layers at whose output the vector is added, ascending.
    pub layers: Vec<usize>,
    /// Unit of the coefficient: `gap`, `std`, `unit`, or [`FILE_UNIT`] for a GGUF vector and an Aligner inside a model.
    pub unit: String,
    /// Positions that are steered.
    #[serde(with = "as_text")]
    pub range: TokenRange,
    /// How the model is prompted.
    pub template: ProfileTemplate,
    /// The model the profile was made with.
    pub model: ProfileModel,
    /// The line that the coefficient was read from.
    pub fit: ProfileFit,
    /// What came out at the coefficient, on prompts that the line does not know; `None` when nobody looked.
    pub verified: Option<Verification>,
    /// What the coefficient was chosen for, where that was no ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_for: Option<ProfileUtility>,
    /// A coefficient for each request instead of [`Profile::coefficient`], where that was better on rows held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// What answers the model knows, by the rows that the profile was tuned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Program and version that wrote the file.
    pub made_with: String,
}

/// The utility that a coefficient was chosen by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileUtility {
    /// What mending and damaging are worth, and the share of clean answers.
    pub utility: Utility,
    /// Coefficients that its rows could not tell from the best one.
    pub not_distinguishable: Vec<f64>,
    /// Share of resamples of the rows in which it was the best.
    pub best_share: f64,
}

/// A vector file, named so that another file in its place is found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorFile {
    /// Path relative to the profile, with `/` between folders; absolute where nothing else leads there.
    pub file: String,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
}

/// The prompt template of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileTemplate {
    /// Its name, for messages.
    pub name: String,
    /// Its text, with `{question}` and `{answer}`.
    pub text: String,
}

/// The model of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileModel {
    /// [`Model::fingerprint`]: SHA-256 of the weights, and of the adapter where there is one.
    pub fingerprint: String,
    /// Name of its file or folder, for messages.
    pub name: String,
    /// Architecture name.
    pub architecture: String,
}

/// The line of a profile: mean edit ratio = intercept + slope · coefficient, within the coherent range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFit {
    /// Which edit ratio.
    pub variant: EditRatioVariant,
    /// The ratio that was asked for.
    pub target: f64,
    /// Slope of the line.
    pub slope: f64,
    /// Its 95 % interval.
    pub slope_interval: Interval,
    /// Ratio of the line at coefficient 0.
    pub intercept: f64,
    /// Its 95 % interval.
    pub intercept_interval: Interval,
    /// Share of the variation of the means that the line explains.
    pub r2: Option<f64>,
    /// Lowest and highest coefficient at which outputs stay coherent.
    pub coherent_range: Interval,
    /// Largest change of the mean negative log-likelihood per token that counted as coherent, in nats.
    pub coherence_bound: f64,
    /// Prompts that the line was fitted on.
    pub n_prompts: usize,
}

/// What a coefficient does on held-out prompts, and coefficient 0 beside it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Number of prompts.
    pub n_prompts: usize,
    /// At the coefficient.
    pub steered: Measured,
    /// At coefficient 0.
    pub unsteered: Measured,
}

/// Means over prompts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Mean edit ratio.
    pub edit_ratio: f64,
    /// Its 95 % interval over prompts.
    pub interval: Interval,
    /// Mean negative log-likelihood per token under the unsteered model, in nats.
    pub nll: Option<f64>,
    /// Mean share of repeated 4-grams.
    pub repetition: f64,
    /// Share of outputs cut by the length limit.
    pub truncated_share: f64,
    /// Share of outputs equal to the answer.
    pub exact_copy_share: f64,
}

/// The key that says what a file is; a profile of another version may have any others.
#[derive(Deserialize)]
struct SchemaOnly {
    #[serde(default)]
    schema: Option<serde_json::Value>,
}

impl Profile {
    /// Reads and checks a profile. The vector is read by [`Profile::control_vector`].
    ///
    /// # Errors
    /// Any broken rule of the format, with the file and the key.
    pub fn load(path: &Path) -> Result<Self> {
        let text = read(path, MAX_BYTES).map_err(|error| match error {
            ModelError::TooLarge { path, limit } => ProfileError::TooLarge { path, most: limit },
            other => other.into(),
        })?;
        let malformed = |source: serde_json::Error| ProfileError::Malformed { path: path.into(), source };
        // the schema first: a later version may have other keys
        let value: SchemaOnly = serde_json::from_slice(&text).map_err(malformed)?;
        match value.schema.as_ref().and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => {}
            got => return Err(ProfileError::Schema { path: path.into(), got: got.map(str::to_owned) }),
        }
        let profile: Self = serde_json::from_slice(&text).map_err(malformed)?;
        profile.check(path)?;
        Ok(profile)
    }

    /// Writes the profile, which appears under its name only when complete.
    ///
    /// # Errors
    /// A value that [`Profile::load`] would refuse, or the folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        let malformed = |source: serde_json::Error| ProfileError::Malformed { path: path.into(), source };
        let text = serde_json::to_string_pretty(self).map_err(malformed)? + "\n";
        write_atomically(path, text.as_bytes()).map_err(ProfileError::from)
    }

    /// Where the vector lies, for a profile that was read from `path`.
    pub fn vector_path(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or(Path::new("")).join(&self.vector.file)
    }

    /// The template.
    ///
    /// # Errors
    /// A text that breaks a rule of templates, which a loaded profile does not have.
    pub fn aligner_template(&self) -> Result<AlignerTemplate> {
        AlignerTemplate::from_text(&self.template.name, &self.template.text).map_err(ProfileError::from)
    }

    /// Refuses a model of other weights than the profile was made with.
    ///
    /// # Errors
    /// [`ProfileError::OtherModel`].
    pub fn check_model(&self, path: &Path, model: &Model) -> Result<()> {
        match self.model.fingerprint == model.fingerprint {
            true => Ok(()),
            false => Err(ProfileError::OtherModel { path: path.into(), name: self.model.name.clone() }),
        }
    }

    /// Refuses a vector file that is not the one the profile was made with.
    ///
    /// # Errors
    /// [`ProfileError::VectorMissing`], [`ProfileError::VectorChanged`].
    pub fn check_vector(&self, path: &Path) -> Result<()> {
        let vector = self.vector_path(path);
        let missing = |_| ProfileError::VectorMissing { path: path.into(), vector: vector.clone() };
        let got = file_hash(&vector).map_err(missing)?;
        match got == self.vector.sha256 {
            true => Ok(()),
            false => Err(ProfileError::VectorChanged { path: path.into(), vector }),
        }
    }

    /// What one unit of coefficient adds to the outputs of `model`, for a profile that was read from `path`.
    ///
    /// # Errors
    /// Another model, another vector file, or one that lacks a layer of the profile.
    pub fn control_vector(&self, path: &Path, model: &Model) -> Result<ControlVector> {
        self.check_model(path, model)?;
        self.check_vector(path)?;
        let file = self.vector_path(path);
        let vector = match self.unit.parse::<Unit>() {
            Ok(unit) => {
                let reading = Reading::load(&file).map_err(redline_steer::Error::from)?;
                reading.check_shape(&file, model.decoder.config()).map_err(redline_steer::Error::from)?;
                reading_control_vector(&reading, &self.layers, unit)?
            }
            Err(_) => {
                let vector = match InsideFile::is_one(&file) {
                    true => InsideFile::load(&file)?.control,
                    false => read_control_vector(&file)?.vector,
                };
                vector.restrict(self.layers.iter().copied())?
            }
        };
        vector.check(model.decoder.config())?;
        Ok(vector)
    }
}

/// Values that are written as their names.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
