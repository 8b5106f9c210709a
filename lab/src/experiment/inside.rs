//! An Aligner inside a model: small networks behind chosen blocks, trained on corrections while the model's weights stay as they are.

use std::path::Path;

use redline_model::random::Random;
use redline_model::{InsideBlock, LoraOptions, ModelConfig, Site};
use redline_probe::{TokenText, capture_tokens};
use redline_steer::ControlVector;
use redline_steer::inside_file::{ACTIVATION, InsideFile, InsideOrigin, SCHEMA};
use redline_steer::trained::{TrainingRow, VectorTraining};
use serde::{Deserialize, Serialize};

use super::trained::TrainingParts;
use super::{Goal, TrainedSettings, TrainingPlan};
use crate::error::{Error, Result};
use crate::observer::Observer;

/// Rank of networks where none is asked for.
pub const RANK: usize = 16;
/// Texts that the size of activations is read from.
const MOST_READ: usize = 8;
/// Tokens of each of them.
const MOST_TOKENS: usize = 128;

/// Settings that suit networks; the rest is as of a trained vector.
pub fn inside_settings() -> TrainedSettings {
    let training = VectorTraining { n_steps: 240, learning_rate: 0.1, ..VectorTraining::default() };
    TrainedSettings { goal: Goal::Correction, training, ..TrainedSettings::default() }
}

/// How many numbers each handle on a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterCounts {
    /// Of the networks.
    pub inside: usize,
    /// Of a vector over the same layers.
    pub vector: usize,
    /// Of a LoRA adapter of rank 1 at all linear layers of the model.
    pub lora_rank_1: usize,
    /// The rank of the LoRA adapter that has the most nearly as many as the networks.
    pub lora_rank: usize,
}

impl ParameterCounts {
    /// For networks of this rank at so many layers of a model.
    pub fn of(config: &ModelConfig, n_layers: usize, rank: usize) -> Self {
        let vector = n_layers * config.hidden_size;
        let inside = 2 * rank * vector;
        let lora_rank_1 = LoraOptions { rank: 1, ..LoraOptions::default() }.n_parameters(config);
        let lora_rank = (inside as f64 / lora_rank_1 as f64).round().max(1.0) as usize;
        Self { inside, vector, lora_rank_1, lora_rank }
    }

    /// In words.
    pub fn sentence(&self) -> String {
        let Self { inside, vector, lora_rank_1, lora_rank } = self;
        format!(
            "{inside} parameters; a vector over the same layers has {vector}, a LoRA of rank {lora_rank} at all linear layers {}",
            lora_rank * lora_rank_1
        )
    }
}

/// Trains networks of rank `rank` behind the layers of the plan, each of which adds nothing at the start.
///
/// # Errors
/// No rank, too few rows, no flaws for the goal that needs them, or as [`train_vector`](redline_steer::trained::train_vector).
pub fn train_inside(
    plan: &TrainingPlan<'_>,
    rank: usize,
    max_tokens: usize,
    checkpoint: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<InsideFile> {
    let (model, template) = (&plan.aligner.model, &plan.aligner.template);
    let config = model.decoder.config();
    if rank == 0 || rank > config.hidden_size {
        let message = format!("a rank of {rank} for activations of {} values", config.hidden_size);
        return Err(Error::option(message, "give a rank from 1 to the model's width, such as 16"));
    }
    let parts = plan.parts(&[], max_tokens, observer)?;
    let start = start(plan, &parts, rank)?;
    let (trained, training) = plan.train(&start, &parts, checkpoint, observer)?;
    let mut questions = parts.questions;
    questions.sort();
    questions.dedup();
    let origin = InsideOrigin {
        schema: SCHEMA.into(),
        rank,
        layers: start.steered_layers(),
        activation: ACTIVATION.into(),
        site: Site::ResidPost.to_string(),
        model_hash: model.fingerprint.clone(),
        model_name: model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        architecture: config.architecture.clone(),
        hidden_size: config.hidden_size,
        n_layers: config.n_layers,
        template: template.name().to_owned(),
        questions,
        training,
    };
    Ok(InsideFile { control: trained.vector, origin })
}

/// W_up = 0, and W_down drawn so that what it makes of the activations there is of about 1.
fn start(plan: &TrainingPlan<'_>, parts: &TrainingParts, rank: usize) -> Result<ControlVector> {
    let (decoder, layers) = (&plan.aligner.model.decoder, plan.layers);
    let width = decoder.config().hidden_size;
    let mut squares = vec![0.0; layers.len()];
    let mut n_tokens = 0;
    for TrainingRow { prompt, outputs } in parts.train.iter().take(MOST_READ) {
        let output = outputs.first().map_or_else(Vec::new, |output| output.tokens.clone());
        let text = TokenText { prompt: prompt.clone(), output };
        let read = capture_tokens(decoder, &text, Site::ResidPost, layers, MOST_TOKENS)?;
        n_tokens += read.len();
        for token in &read {
            let square = |values: &Vec<f32>| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            squares.iter_mut().zip(token).for_each(|(sum, values)| *sum += square(values));
        }
    }
    let block = |(&layer, sum): (&usize, f64)| -> Result<(usize, InsideBlock)> {
        // the mean length of an activation
        let length = (sum / n_tokens.max(1) as f64).sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 1.0 };
        let mut random = Random::named(&[plan.settings.training.seed, layer as u64], "network inside a block");
        let down = (0..rank * width).map(|_| (random.normal() * scale) as f32).collect();
        Ok((layer, InsideBlock::new(width, down, vec![0.0; rank * width])?))
    };
    let blocks = layers.iter().zip(squares).map(block).collect::<Result<_>>()?;
    Ok(ControlVector::of_networks(blocks)?)
}
