//! Passes over completions: from advantages to gradients.

use candle_core::Tensor;

use super::{PolicyLoss, PolicyOptions, advantages};
use crate::train::loss::{GradientOptions, GradientSums, Task, add_gradients, cross_entropy, states};
use crate::train::{Example, Gradients, Parameters};
use crate::{Decoder, Error, NoHook, Result};

/// What was drawn for a prompt, with its reward.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Prompt and completion.
    pub example: Example,
    /// How good it is; none where nobody can tell.
    pub reward: Option<f64>,
    /// ln π_ref of its tokens, where the loss needs them.
    pub reference: Vec<f64>,
}

/// A step over groups of completions.
#[derive(Debug, Clone)]
pub struct PolicyBatch {
    /// The loss; it says little by itself, as its expectation does not fall.
    pub loss: f64,
    /// Its derivative by every trained parameter.
    pub gradients: Gradients,
    /// Mean estimate (k3) of the divergence from the reference, in nats a token; none without a reference.
    pub divergence: Option<f64>,
}

/// ln p of each counted token of each example.
///
/// # Shapes
/// `[example][token]`
///
/// # Errors
/// As [`Decoder::forward`].
pub fn token_log_probs(decoder: &Decoder, examples: &[&Example]) -> Result<Vec<Vec<f64>>> {
    let Task { reads, targets } = Task::new(decoder, examples)?;
    let logits = decoder.logits(&states(decoder, reads, &mut NoHook)?)?;
    Ok(cut(examples, cross_entropy::log_probs(&logits, &targets)?))
}

/// Cuts numbers of all counted tokens into those of each example.
fn cut(examples: &[&Example], tokens: Vec<f64>) -> Vec<Vec<f64>> {
    let mut rest = tokens.into_iter();
    examples.iter().map(|example| rest.by_ref().take(example.n_counted()).collect()).collect()
}

/// Loss and gradients of completions, `group` of each prompt after another.
///
/// # Errors
/// No completions, groups that are not whole, references that are missing, or as [`Decoder::forward`].
pub fn policy_gradients(
    parameters: &Parameters,
    completions: &[Completion],
    options: &PolicyOptions,
    how: GradientOptions,
    dropout_seed: Option<u64>,
) -> Result<PolicyBatch> {
    check(completions, options)?;
    let weighed = weigh(parameters, completions, options, how)?;
    let (mut sums, mut weighted) = (GradientSums::new(parameters), 0.0);
    let piece_rows = completions.len().div_ceil(how.n_pieces.max(1)).max(1);
    for (piece, (part, weighed)) in completions.chunks(piece_rows).zip(weighed.weights.chunks(piece_rows)).enumerate() {
        let seed = dropout_seed.map(|seed| seed.wrapping_add(piece as u64));
        let decoder = parameters.training_decoder(seed, how.precision)?;
        let examples: Vec<&Example> = part.iter().map(|own| &own.example).collect();
        let Task { reads, targets } = Task::new(&decoder, &examples)?;
        let weights: Vec<f32> = weighed.iter().flatten().map(|weight| *weight as f32).collect();
        let mut head =
            |states: &Tensor| cross_entropy::weighted_sum(&decoder.logits(states)?, targets.clone(), weights.clone());
        weighted += add_gradients(&decoder, reads, &mut head, how.checkpointing, &mut sums)?;
    }
    // without a reference the weights are all there is to the loss
    let loss = if options.beta > 0.0 { weighed.loss } else { weighted };
    Ok(PolicyBatch { loss, gradients: sums.finish()?, divergence: weighed.divergence })
}

fn check(completions: &[Completion], options: &PolicyOptions) -> Result<()> {
    let refuse = |got: String, expected: &str| {
        Err(Error::Request { what: "completions to learn from", got, expected: expected.into() })
    };
    if completions.is_empty() || !completions.len().is_multiple_of(options.group) {
        return refuse(format!("{} in groups of {}", completions.len(), options.group), "at least one whole group");
    }
    let lacks = |own: &&Completion| own.reference.len() != own.example.n_counted();
    match completions.iter().find(lacks) {
        Some(own) if options.beta > 0.0 => {
            refuse(format!("{} log-probabilities of the reference", own.reference.len()), "one of each token")
        }
        _ => Ok(()),
    }
}

/// The loss as weights of the tokens' −ln π.
struct Weighed {
    /// `[completion][token]`
    weights: Vec<Vec<f64>>,
    loss: f64,
    divergence: Option<f64>,
}

fn weigh(
    parameters: &Parameters,
    completions: &[Completion],
    options: &PolicyOptions,
    how: GradientOptions,
) -> Result<Weighed> {
    let has_reference = options.beta > 0.0;
    // without a reference nothing depends on what π is
    let policy = match has_reference {
        true => policy_log_probs(parameters, completions, how)?,
        false => completions.iter().map(|own| vec![0.0; own.example.n_counted()]).collect(),
    };
    let n_tokens: usize = completions.iter().map(|own| own.example.n_counted()).sum();
    let gap = |place: usize| -> f64 {
        if !has_reference {
            return 0.0;
        }
        policy[place].iter().zip(&completions[place].reference).map(|(own, of)| own - of).sum()
    };
    let (mut weights, mut loss, mut divergence) = (Vec::with_capacity(completions.len()), 0.0, 0.0);
    for (group, part) in completions.chunks(options.group).enumerate() {
        let penalised = |(place, own): (usize, &Completion)| {
            let penalty =
                if options.loss == PolicyLoss::Rloo { options.beta * gap(group * options.group + place) } else { 0.0 };
            own.reward.map(|reward| reward - penalty)
        };
        let rewards: Vec<Option<f64>> = part.iter().enumerate().map(penalised).collect();
        for (place, (own, advantage)) in part.iter().zip(advantages(options.loss, &rewards)).enumerate() {
            let policy = &policy[group * options.group + place];
            let ratios = policy.iter().zip(&own.reference).map(|(own, of)| of - own);
            let ratios: Vec<f64> = if has_reference { ratios.collect() } else { vec![0.0; policy.len()] };
            let k3: f64 = ratios.iter().map(|ratio| ratio.exp_m1() - ratio).sum();
            divergence += k3;
            let (scale, of_divergence) = match options.loss {
                PolicyLoss::Grpo => (1.0 / n_tokens.max(1) as f64, options.beta),
                PolicyLoss::Rloo => (1.0 / completions.len() as f64, 0.0),
            };
            loss -= scale * (advantage * policy.iter().sum::<f64>() - of_divergence * k3);
            // d k3 / d ln π = 1 − π_ref / π
            let weight = |ratio: &f64| scale * (advantage + of_divergence * ratio.exp_m1());
            weights.push(ratios.iter().map(weight).collect());
        }
    }
    let divergence = has_reference.then(|| divergence / n_tokens.max(1) as f64);
    Ok(Weighed { weights, loss, divergence })
}

/// ln π of all tokens at this moment, without dropout.
fn policy_log_probs(
    parameters: &Parameters,
    completions: &[Completion],
    how: GradientOptions,
) -> Result<Vec<Vec<f64>>> {
    let decoder = parameters.inference_decoder()?;
    let piece_rows = completions.len().div_ceil(how.n_pieces.max(1)).max(1);
    let mut found = Vec::with_capacity(completions.len());
    for part in completions.chunks(piece_rows) {
        let examples: Vec<&Example> = part.iter().map(|own| &own.example).collect();
        found.extend(token_log_probs(&decoder, &examples)?);
    }
    Ok(found)
}
