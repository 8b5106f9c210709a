//! The log of a training run.

use redline_model::train::policy::PolicyFigures;
use redline_model::train::preference::PairFigures;
use serde::{Deserialize, Serialize};

/// A step of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its number, from 0.
    pub step: usize,
    /// `identity`, `correction`, `pairs` or `policy`.
    pub phase: String,
    /// Mean loss per token, in nats; of a run over pairs, per pair.
    pub loss: f64,
    /// Norm of the gradient before it was clipped.
    pub gradient_norm: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Tokens that the loss is the mean of.
    pub n_tokens: usize,
    /// How fast it went.
    pub tokens_per_second: f64,
    /// What the step's pairs came to, of a run over pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairFigures>,
    /// What completions came to, of a run on rewards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFigures>,
}

/// An evaluation of the log; `step` counts the steps done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    /// Steps done.
    pub step: usize,
    /// Held-out loss per token, in nats; of a run over pairs, per pair; of a run on rewards, the mean reward with the sign turned.
    pub loss: f64,
    /// Whether it is the lowest so far.
    pub is_best: bool,
    /// Share of clean answers that were copied.
    pub exact_copy_rate: Option<f64>,
    /// Mean edit ratio (`char`).
    pub edit_ratio: Option<f64>,
    /// Mean similarity to the correction.
    pub similarity: Option<f64>,
    /// Share of outputs that the limit cut.
    pub cut_share: Option<f64>,
    /// Outputs that these are the means of.
    pub n_generated: usize,
    /// What the held-out pairs came to, of a run over pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairFigures>,
    /// What completions came to, of a run on rewards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFigures>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TrainingRecord {
    /// A step.
    Step(StepRecord),
    /// An evaluation.
    Evaluation(EvaluationRecord),
}
