//! What tuning is told.

use std::path::PathBuf;

use redline_model::sampling::SamplingOptions;
use redline_steer::{BootstrapOptions, EditRatioVariant, Operator, TokenRange, Unit};

use super::rows::Counts;
use crate::error::{Error, Result};
use crate::experiment::{ExtractionSettings, LayerSpec};
use crate::reproduce::{check_coherence_bound, check_line, check_new_tokens};

/// What is said of a sweep's vector besides what the sweep itself says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenVector {
    /// Its file, where it has moved since.
    pub vector: Option<PathBuf>,
    /// Whether a vector of other weights is accepted.
    pub any_model: bool,
    /// Whether it comes from llama.cpp's generator.
    pub from_llama_cpp_generator: bool,
}

/// Everything that a tuned coefficient depends on, besides model, rows and target.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneOptions {
    /// How many rows serve what.
    pub counts: Counts,
    /// Rows to verify on after an earlier sweep; as many as it has unless told otherwise.
    pub verify: Option<usize>,
    /// Rows passed over.
    pub skip: usize,
    /// Which edit ratio.
    pub variant: EditRatioVariant,
    /// Coefficients of the sweep, ascending, 0 among them.
    pub coefficients: Vec<f32>,
    /// Largest change of the mean negative log-likelihood per token that counts as coherent, in nats.
    pub coherence_bound: f64,
    /// How a direction is found, where none is given.
    pub extraction: ExtractionSettings,
    /// Layers to inject, where no vector is given.
    pub layers: LayerSpec,
    /// Unit of the coefficient, where no vector is given.
    pub unit: Unit,
    /// Positions that are steered, where no vector is given.
    pub range: TokenRange,
    /// What is said of an earlier sweep's vector.
    pub given: GivenVector,
    /// How tokens are chosen.
    pub sampling: SamplingOptions,
    /// Longest output, in tokens.
    pub max_new_tokens: usize,
    /// Whether a coefficient for each request is fitted and tested beside the one for all; takes a utility.
    pub per_request: bool,
    /// Seed of splits, directions and intervals.
    pub seed: u64,
    /// Rows decoded together.
    pub batch_rows: usize,
}

impl TuneOptions {
    /// Refuses options that break a rule, before anything is computed.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn check(&self) -> Result<()> {
        check_line(&self.coefficients)?;
        check_new_tokens(self.max_new_tokens)?;
        check_coherence_bound(self.coherence_bound)?;
        let Counts { pairs, prompts, verify } = self.counts;
        for (name, count, least) in
            [("--prompts", prompts, 2), ("--verify", self.verify.unwrap_or(verify), 2), ("--pairs", pairs, 4)]
        {
            if count < least {
                return Err(Error::option(format!("{name} is {count}"), format!("give at least {least}")));
            }
        }
        Ok(())
    }

    pub(super) fn bootstrap(&self) -> BootstrapOptions {
        BootstrapOptions { seed: self.seed, ..BootstrapOptions::default() }
    }
}

/// Refuses operators other than addition: lines and profiles are those of additions.
///
/// # Errors
/// Another operator.
pub fn only_add(operator: Operator) -> Result<()> {
    match operator {
        Operator::Add => Ok(()),
        other => Err(Error::option(format!("operator {other}: profiles hold additions"), "tune with --operator add")),
    }
}
