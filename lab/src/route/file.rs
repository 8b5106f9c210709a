//! A router as a file, and its candidates ready for an Aligner.

use std::path::Path;

use redline_model::files::{as_text, file_hash, read, write_atomically};
use redline_steer::{ControlVector, TokenRange, Unit};

use super::Route;
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::experiment::LayerSpec;
use crate::steering::Steering;
use crate::vector_unit::VectorUnit;

/// Value of the `schema` key.
pub const SCHEMA: &str = "redline.route.v1";
/// Largest file believed to be a route.
const MAX_BYTES: u64 = 64 << 20;
/// Most candidates believed.
const MOST_CANDIDATES: usize = 256;
const CURE: &str = "give a file that `redline route` wrote";

/// A route with its vectors, of this Aligner.
#[derive(Debug)]
pub struct CheckedRoute {
    /// The route.
    pub route: Route,
    /// The vector of each candidate, and the positions that it steers.
    pub vectors: Vec<(ControlVector, TokenRange)>,
}

impl Route {
    /// Reads a file.
    ///
    /// # Errors
    /// No such file, or one that breaks a rule of the format.
    pub fn load(path: &Path) -> Result<Self> {
        let text = as_text(path, read(path, MAX_BYTES)?)?;
        let broken = |rule: String| Error::option(format!("{}: no route: {rule}", path.display()), CURE);
        let route: Self = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        match () {
            () if route.schema != SCHEMA => Err(broken(format!("`schema` is `{}`, expected `{SCHEMA}`", route.schema))),
            () if !(2..=MOST_CANDIDATES).contains(&route.candidates.len()) => {
                Err(broken(format!("it has {} candidates, expected 2 to {MOST_CANDIDATES}", route.candidates.len())))
            }
            () if route.candidates.iter().any(|one| !one.coefficient.is_finite() || !one.copy_bias.is_finite()) => {
                Err(broken("a coefficient or copy bias is no finite number".into()))
            }
            () if route.tested.single >= route.candidates.len() => {
                Err(broken("`single` is none of its candidates".into()))
            }
            () => Ok(route),
        }
    }

    /// Writes a file, which appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::option(error.to_string(), CURE))?;
        Ok(write_atomically(path, (text + "\n").as_bytes())?)
    }

    /// The route with its vectors, for the Aligner that it was fitted to.
    ///
    /// # Errors
    /// Another Aligner, template or vector than it was fitted with, or a router that does not fit the model.
    pub fn open(path: &Path, aligner: &Aligner) -> Result<CheckedRoute> {
        let route = Self::load(path)?;
        let config = aligner.model.decoder.config();
        let other = |what: String| {
            Error::option(
                format!("{}: the route was fitted with {what}", path.display()),
                "fit it again: redline route SWEEPS --out FILE",
            )
        };
        if route.model != aligner.model.fingerprint {
            return Err(other("another Aligner".into()));
        }
        if route.template != aligner.template.source() {
            return Err(other("another template".into()));
        }
        if route.layer >= config.n_layers {
            return Err(redline_steer::Error::NoSuchLayer { layer: route.layer, n_layers: config.n_layers }.into());
        }
        let fits = route.router.check(config.hidden_size, route.candidates.len());
        fits.map_err(|rule| Error::option(format!("{}: no route: {rule}", path.display()), CURE))?;
        let mut vectors = Vec::with_capacity(route.candidates.len());
        for candidate in &route.candidates {
            if file_hash(&candidate.file)? != candidate.hash {
                return Err(other(format!("another {}", candidate.file.display())));
            }
            let range = candidate
                .range
                .parse::<TokenRange>()
                .map_err(|error| Error::option(format!("{}: no route: `range`: {error}", path.display()), CURE))?;
            let unit = match candidate.unit {
                VectorUnit::Scaled(unit) => unit,
                VectorUnit::File => Unit::Gap,
            };
            let steering = Steering::by(&candidate.file, LayerSpec::List(candidate.layers.clone()), unit);
            vectors.push((steering.load(&aligner.model)?.vector, range));
        }
        Ok(CheckedRoute { route, vectors })
    }
}
