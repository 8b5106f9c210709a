//! Which of several corrections for this request? A mixture of Aligners: candidates that differ in vector or coefficient, and a router that
//! chooses between them by the mean activation of the Aligner's prompt at one layer.
//!
//! The candidates are the arms of sweeps of one Aligner over the same rows; what each is worth for a row is told by the row's flaws
//! ([`Utility`]), or by the likeness to its correction. The router is fitted on half of the questions and compared on the others
//! ([`RouteTest`]) with the best single candidate of the fit, with a random one, and with the best in hindsight, which no router exceeds.

mod candidates;
mod file;
mod fit;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use redline_model::Site;
use redline_probe::router::Router;
use redline_probe::stats::Estimate;
use serde::{Deserialize, Serialize};

use crate::prompt_read::PromptPlaces;
use crate::quality::Utility;
use crate::vector_unit::VectorUnit;

pub use file::{CheckedRoute, SCHEMA};
pub use fit::{RouteOptions, fit_route};

/// The site whose activations are read.
pub const SITE: Site = Site::ResidPost;

/// A way to correct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// What replies call its vector: the name of the file.
    pub vector: String,
    /// The file, as the sweep names it.
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub hash: String,
    /// The signed strength.
    pub coefficient: f32,
    /// Layers that are steered.
    pub layers: Vec<usize>,
    /// Unit of the coefficient.
    pub unit: VectorUnit,
    /// Positions that are steered.
    pub range: String,
    /// Nats that a unit of coefficient takes from the logit of the answer's next token.
    pub copy_bias: f32,
}

/// A router between candidates, and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// [`SCHEMA`].
    pub schema: String,
    /// Fingerprint of the Aligner.
    pub model: String,
    /// Template that it is prompted with.
    pub template: String,
    /// Block that is read, after it.
    pub layer: usize,
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// Chooses between them.
    pub router: Router,
    /// What that is worth.
    pub tested: RouteTest,
    /// The sweeps that the candidates were taken from.
    pub sweeps: Vec<PathBuf>,
    /// The rows that were swept.
    pub data: PathBuf,
    /// What mending and damaging are worth; none where likeness to the correction decides.
    pub utility: Option<Utility>,
    /// Seed of split, folds and intervals.
    pub seed: u64,
    /// Program and version that wrote it.
    pub made_with: String,
}

/// What a router is worth on questions that it was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTest {
    /// Rows of the fit.
    pub n_fit: usize,
    /// Rows of the test.
    pub n_test: usize,
    /// The candidate that is best for all rows of the fit, by number.
    pub single: usize,
    /// Mean worth of what the router chooses.
    pub routed_worth: f64,
    /// Mean worth of that candidate.
    pub single_worth: f64,
    /// Mean worth of a candidate drawn at random.
    pub random_worth: f64,
    /// Mean worth of the best candidate of each row, chosen with hindsight.
    pub oracle_worth: f64,
    /// Router less best single, with its 95 % interval over questions.
    pub over_single: Estimate,
    /// Router less random.
    pub over_random: Estimate,
    /// Hindsight less best single: what there is to win.
    pub headroom: Estimate,
    /// How often each candidate was chosen.
    pub n_chosen: Vec<usize>,
}

impl RouteTest {
    /// Whether the router is better than the best single candidate: the interval of the difference lies above 0.
    pub fn is_better(&self) -> bool {
        self.over_single.interval.is_some_and(|interval| interval.low > 0.0)
    }
}

impl Route {
    /// What must be kept of the pass over a prompt to choose.
    pub fn places(&self) -> PromptPlaces {
        PromptPlaces { last: None, mean: Some((SITE, self.layer)) }
    }
}

impl Candidate {
    /// In a word: vector and coefficient.
    pub fn name(&self) -> String {
        if self.coefficient == 0.0 { "unsteered".into() } else { format!("{}:{}", self.vector, self.coefficient) }
    }
}
