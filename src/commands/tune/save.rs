//! Keeping a tuned dial as a profile.

use std::path::{Path, PathBuf};

use anyhow::Context;
use redline::model::files::folder_of;
use redline::profile::{
    OPERATOR, Profile, ProfileFit, ProfileModel, ProfileTemplate, SCHEMA, VectorFile, file_hash, place, relative,
};
use redline::steer::Interval;

use super::{Outcome, Run};
use crate::session::make_folder;

/// Where a profile goes.
pub struct Place {
    pub path: PathBuf,
    pub name: String,
}

/// A profile that was written.
pub struct Saved {
    pub path: PathBuf,
    pub name: String,
    pub vector: PathBuf,
}

impl Place {
    /// Finds the place.
    pub fn new(asked: &str) -> anyhow::Result<Self> {
        let path = place(asked)?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self { path, name })
    }
}

/// Writes the profile, and first its vector where no file holds it.
pub fn save(run: &Run<'_>, outcome: &Outcome, place: &Place) -> anyhow::Result<Saved> {
    make_folder(folder_of(&place.path))?;
    let vector = run.dial.file_for(&place.path)?;
    let profile = profile(run, outcome, place, &vector)?;
    profile.save(&place.path)?;
    Ok(Saved { path: place.path.clone(), name: place.name.clone(), vector })
}

fn profile(run: &Run<'_>, outcome: &Outcome, place: &Place, vector: &Path) -> anyhow::Result<Profile> {
    let file = relative(&place.path, vector).with_context(|| vector.display().to_string())?;
    let (model, template, analysis) = (&run.session.model, &run.session.template, &outcome.analysis);
    let fit = analysis.fit.as_ref().context("a tuned coefficient has a line")?;
    let range = analysis.coherent_range.as_ref().context("a tuned coefficient has a coherent range")?;
    Ok(Profile {
        schema: SCHEMA.into(),
        name: place.name.clone(),
        vector: VectorFile { file, sha256: file_hash(vector)? },
        operator: OPERATOR.into(),
        coefficient: outcome.tuned.coefficient as f32,
        coefficient_interval: outcome.tuned.interval,
        layers: run.dial.loaded.vector.layers.keys().copied().collect(),
        unit: run.dial.loaded.unit.clone(),
        range: run.dial.steering.range,
        template: ProfileTemplate { name: template.name().into(), text: template.source() },
        model: ProfileModel {
            fingerprint: model.fingerprint.clone(),
            name: model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            architecture: model.decoder.config().architecture.clone(),
        },
        fit: ProfileFit {
            variant: analysis.variant,
            target: outcome.target.ratio,
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
        made_with: concat!("redline ", env!("CARGO_PKG_VERSION")).into(),
    })
}
