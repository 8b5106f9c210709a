//! A router as a file, and its candidates ready for an Aligner.

use std::path::Path;

use redline_model::files::file_hash;
use redline_steer::{ControlVector, TokenRange, Unit};

use super::Route;
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::experiment::LayerSpec;
use crate::json_file::JsonKind;
use crate::steering::Steering;
use crate::vector_unit::VectorUnit;

/// Value of the `schema` key.
pub const SCHEMA: &str = "redline.route.v1";
/// Most candidates believed.
const MOST_CANDIDATES: usize = 256;
const FILE: JsonKind =
    JsonKind { refusal: "no route", cure: "give a file that `redline route` wrote", most_bytes: 64 << 20 };

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
        FILE.load(path, Self::check)
    }

    /// Refuses values that mean nothing.
    fn check(&self) -> std::result::Result<(), String> {
        let Self { schema, candidates, tested, .. } = self;
        match () {
            () if schema != SCHEMA => Err(format!("`schema` is `{schema}`, expected `{SCHEMA}`")),
            () if !(2..=MOST_CANDIDATES).contains(&candidates.len()) => {
                Err(format!("it has {} candidates, expected 2 to {MOST_CANDIDATES}", candidates.len()))
            }
            () if candidates.iter().any(|one| !one.coefficient.is_finite() || !one.copy_bias.is_finite()) => {
                Err("a coefficient or copy bias is no finite number".into())
            }
            () if tested.single >= candidates.len() => Err("`single` is none of its candidates".into()),
            () => Ok(()),
        }
    }

    /// Writes a file, which appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        FILE.save(self, path)
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
        let broken = |rule: String| FILE.broken(&path.display().to_string(), &rule);
        fits.map_err(|rule| broken(rule.to_string()))?;
        let mut vectors = Vec::with_capacity(route.candidates.len());
        for candidate in &route.candidates {
            if file_hash(&candidate.file)? != candidate.hash {
                return Err(other(format!("another {}", candidate.file.display())));
            }
            let range = candidate.range.parse::<TokenRange>().map_err(|error| broken(format!("`range`: {error}")))?;
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
