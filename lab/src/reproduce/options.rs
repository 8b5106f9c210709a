//! What an experiment is told.

use redline_model::Site;
use redline_steer::{Error as SteerError, TokenRange, Unit};
use serde_json::{Value, json};

use crate::aligner::Aligner;
use crate::built_in::{self, BuiltIn};
use crate::error::{Error, Result};
use crate::experiment::{DEFAULT_COHERENCE_BOUND, ExtractionSettings, LayerSpec, TrainedSettings};
use crate::rows::Rows;

/// Longest output, in tokens, of the built-in rows.
const MOST_EMBEDDED_TOKENS: usize = 160;

/// Everything that the numbers of an experiment depend on, besides model and rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReproduceOptions {
    /// Triples for the direction and its held-out report.
    pub n_pairs: usize,
    /// Other triples, for the sweep.
    pub n_prompts: usize,
    /// Coefficients of the sweep, ascending, 0 among them.
    pub coefficients: Vec<f32>,
    /// Seed of splits, directions, intervals and controls.
    pub seed: u64,
    /// How the direction is found.
    pub extraction: ExtractionSettings,
    /// How it is trained further, where it is.
    pub trained: Option<TrainedSettings>,
    /// Layers to inject.
    pub layers: LayerSpec,
    /// Unit of the coefficient.
    pub unit: Unit,
    /// Positions that are steered.
    pub range: TokenRange,
    /// Longest output, in tokens.
    pub max_new_tokens: usize,
    /// Largest change of the mean negative log-likelihood per token that counts as coherent, in nats.
    pub coherence_bound: f64,
    /// Random directions that generate text: isotropic ones of the direction's norm.
    pub random_generated: usize,
    /// Directions from exchanged labels that generate text, and whose propensity is measured.
    pub shuffled_generated: usize,
    /// Random directions whose propensity is measured.
    pub random_propensity: usize,
    /// Prompts of the sweep that the controls run on.
    pub control_prompts: usize,
    /// Rows decoded together.
    pub batch_rows: usize,
}

impl ReproduceOptions {
    /// Rows of one's own, and a model of one's own.
    pub fn new() -> Self {
        Self::for_model(None)
    }

    /// The built-in Aligner and rows.
    pub fn embedded() -> Self {
        let all = Self::embedded_rows(Some(BuiltIn::Embedded));
        Self { n_pairs: 160, n_prompts: 200, control_prompts: 32, ..all }
    }

    /// The built-in rows, with a model that takes its time.
    pub fn embedded_rows(model: Option<BuiltIn>) -> Self {
        Self { n_pairs: 96, n_prompts: 32, max_new_tokens: MOST_EMBEDDED_TOKENS, ..Self::for_model(model) }
    }

    /// Rows of one's own, with this model.
    pub fn for_model(model: Option<BuiltIn>) -> Self {
        let mut extraction = ExtractionSettings::default();
        extraction.extract.method = built_in::method(model).unwrap_or(extraction.extract.method);
        let is_small = model == Some(BuiltIn::Embedded);
        Self {
            n_pairs: 64,
            n_prompts: 24,
            coefficients: built_in::coefficients(model).to_vec(),
            seed: 0,
            extraction,
            trained: None,
            layers: built_in::layers(model, &LayerSpec::Auto),
            unit: Unit::default(),
            range: built_in::range(model),
            max_new_tokens: 96,
            coherence_bound: DEFAULT_COHERENCE_BOUND,
            random_generated: 19,
            shuffled_generated: 8,
            random_propensity: 20,
            control_prompts: 8,
            // the blocks of the built-in Aligner are so small that many rows fit
            batch_rows: if is_small { 144 } else { 48 },
        }
    }

    /// Refuses options that break a rule, before anything is computed.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn check(&self) -> Result<()> {
        if self.extraction.site.parse::<Site>()? != Site::default() {
            let message = format!("--site {}: reproduce reads and steers the outputs of blocks", self.extraction.site);
            return Err(Error::option(message, "use extract, sweep and fit one after the other, or leave --site out"));
        }
        check_line(&self.coefficients)?;
        check_new_tokens(self.max_new_tokens)?;
        if self.n_pairs < 4 || self.n_prompts < 2 {
            let message = format!("--pairs is {}, --prompts is {}", self.n_pairs, self.n_prompts);
            return Err(Error::option(message, "give at least 4 pairs and 2 prompts"));
        }
        check_coherence_bound(self.coherence_bound)
    }

    /// The lowest coefficient, 0, and the highest: what controls run at.
    pub(super) fn end_coefficients(&self) -> Vec<f32> {
        let all = &self.coefficients;
        let mut ends = vec![all[0], 0.0, all[all.len() - 1]];
        ends.dedup();
        ends
    }

    /// The coefficient farthest from 0, and 0, ascending: what random directions are compared at by propensity.
    pub(super) fn far_coefficients(&self) -> Vec<f32> {
        let far = self.end_coefficients().into_iter().reduce(|far, c| if c.abs() > far.abs() { c } else { far });
        let mut both = vec![far.unwrap_or(0.0), 0.0];
        both.sort_by(f32::total_cmp);
        both
    }

    /// Seed of the null direction of this number.
    pub(super) fn null_seed(&self, i: usize) -> u64 {
        self.seed.wrapping_mul(1_000_003).wrapping_add(i as u64)
    }

    /// The settings as they stand in `settings.json`.
    pub(super) fn settings(&self, aligner: &Aligner, rows: &Rows, layers: &[usize]) -> Value {
        json!({
            "schema": "redline.settings.v1",
            "version": env!("CARGO_PKG_VERSION"),
            "model_hash": aligner.model.fingerprint,
            "numerics": aligner.model.decoder.numerics(),
            "data_hash": rows.hash,
            "strictness": rows.strictness,
            "template": aligner.template.source(),
            "pairs": self.n_pairs,
            "prompts": self.n_prompts,
            "coefficients": self.coefficients,
            "seed": self.seed,
            "extraction": self.extraction,
            "trained": self.trained,
            "layers": layers,
            "unit": self.unit,
            "range": self.range.to_string(),
            "max_new_tokens": self.max_new_tokens,
            "coherence_bound": self.coherence_bound,
            "random_generated": self.random_generated,
            "shuffled_generated": self.shuffled_generated,
            "random_propensity": self.random_propensity,
            "control_prompts": self.control_prompts,
        })
    }
}

impl Default for ReproduceOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Refuses coefficients that no line with a baseline goes through.
///
/// # Errors
/// Fewer than three, or no 0.
pub fn check_line(coefficients: &[f32]) -> Result<()> {
    if !coefficients.contains(&0.0) {
        return Err(SteerError::NoBaseline { n: coefficients.len() }.into());
    }
    match coefficients.len() {
        0..3 => Err(Error::option(
            "a line takes at least three coefficients",
            "give more --coefficients, such as -1,-0.5,0,0.5",
        )),
        _ => Ok(()),
    }
}

/// Refuses outputs of no token.
///
/// # Errors
/// 0.
pub fn check_new_tokens(max_new_tokens: usize) -> Result<()> {
    match max_new_tokens {
        0 => Err(Error::option("--max-new-tokens is 0", "give at least 1")),
        _ => Ok(()),
    }
}

/// Refuses a bound of coherence that is no number of nats above 0.
///
/// # Errors
/// Not finite, or not above 0.
pub fn check_coherence_bound(bound: f64) -> Result<()> {
    match bound.is_finite() && bound > 0.0 {
        true => Ok(()),
        false => Err(Error::option(format!("--coherence-bound is {bound}"), "give a number of nats above 0")),
    }
}
