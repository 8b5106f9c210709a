//! Keeping a tuned dial as a profile.

use std::path::{Path, PathBuf};

use redline_model::Error as ModelError;
use redline_model::files::folder_of;
use redline_steer::Interval;

use super::{ChosenFor, Outcome, no_line};
use crate::aligner::Aligner;
use crate::error::Result;
use crate::profile::{
    OPERATOR, Profile, ProfileFit, ProfileModel, ProfileTemplate, ProfileUtility, SCHEMA, VectorFile, file_hash, place,
    relative,
};

/// Where a profile goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its file.
    pub path: PathBuf,
    /// What people call it.
    pub name: String,
}

/// A profile that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its file.
    pub path: PathBuf,
    /// What people call it.
    pub name: String,
    /// The file of its vector.
    pub vector: PathBuf,
}

impl Place {
    /// Finds the place of a name, or of a path.
    ///
    /// # Errors
    /// A name that stands for no file.
    pub fn new(asked: &str) -> Result<Self> {
        let path = place(asked)?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self { path, name })
    }
}

/// Writes the profile, and first its vector where no file holds it.
///
/// # Errors
/// Another file is where the vector would go, or one cannot be written.
pub fn save(aligner: &Aligner, outcome: &Outcome, place: &Place) -> Result<Saved> {
    let folder = folder_of(&place.path);
    std::fs::create_dir_all(folder).map_err(|error| ModelError::io(folder, error))?;
    let vector = outcome.dial.file_for(&place.path)?;
    let profile = profile(aligner, outcome, place, &vector)?;
    profile.save(&place.path)?;
    Ok(Saved { path: place.path.clone(), name: place.name.clone(), vector })
}

fn profile(aligner: &Aligner, outcome: &Outcome, place: &Place, vector: &Path) -> Result<Profile> {
    let file = relative(&place.path, vector).map_err(|error| ModelError::io(vector, error))?;
    let (model, template, analysis) = (&aligner.model, &aligner.template, &outcome.analysis);
    let fit = analysis.fit.as_ref().ok_or_else(|| no_line(analysis))?;
    let range = analysis.coherent_range.as_ref().ok_or_else(|| no_line(analysis))?;
    Ok(Profile {
        schema: SCHEMA.into(),
        name: place.name.clone(),
        vector: VectorFile { file, sha256: file_hash(vector)? },
        operator: OPERATOR.into(),
        coefficient: outcome.tuned.coefficient as f32,
        coefficient_interval: outcome.tuned.interval,
        layers: outcome.dial.loaded.vector.steered_layers(),
        unit: outcome.dial.loaded.unit.to_string(),
        range: outcome.dial.steering.range,
        template: ProfileTemplate { name: template.name().into(), text: template.source() },
        model: ProfileModel {
            fingerprint: model.fingerprint.clone(),
            name: model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            architecture: model.decoder.config().architecture.clone(),
        },
        fit: ProfileFit {
            variant: analysis.variant,
            target: outcome.target,
            slope: fit.line.slope,
            slope_interval: fit.slope_interval,
            intercept: fit.line.intercept,
            intercept_interval: fit.intercept_interval,
            r2: fit.line.r2,
            coherent_range: Interval { low: range.low, high: range.high },
            coherence_bound: range.bound,
            n_prompts: fit.n_prompts,
        },
        verified: Some(outcome.verification),
        chosen_for: outcome.chosen_for.as_ref().map(kept),
        policy: outcome.chosen_for.as_ref().and_then(ChosenFor::kept_policy).cloned(),
        domain: outcome.domain.clone(),
        made_with: concat!("redline ", env!("CARGO_PKG_VERSION")).into(),
    })
}

fn kept(chosen: &ChosenFor) -> ProfileUtility {
    let best = chosen.choice.coefficients.iter().find(|at| at.coefficient == chosen.choice.best);
    ProfileUtility {
        utility: chosen.utility,
        not_distinguishable: chosen.choice.not_distinguishable.clone(),
        best_share: best.map_or(0.0, |at| at.best_share),
    }
}
