//! KTO (Ethayarajh et al. 2024): a policy learns from single completions that somebody called good or bad, by TRL's definition.
//!
//! With s = ln π − ln π′ of a completion, summed over its tokens, and z₀ = max(0, mean of s over mismatched completions of the batch):
//!
//! ```text
//! good   w⁺ · (1 − σ(β(s − z₀)))
//! bad    w⁻ · (1 − σ(β(z₀ − s)))
//! ```
//!
//! z₀ estimates how far the policy is from the reference, and is a constant in the derivative. Mismatched: the prompt of a row with the
//! completion of the row before it within its group of rows, cyclically, as in TRL. The loss of a batch is the mean over its rows.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::objective::{bell, log_sigmoid};
use super::pass::{piece_seed, sequence_log_probs, sums};
use crate::train::loss::{GradientOptions, GradientSums, Task, add_gradients, cross_entropy};
use crate::train::{Example, Gradients, Parameters};
use crate::{Decoder, Error, Result};

/// A completion that somebody called good or bad.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledExample {
    /// Prompt and completion.
    pub example: Example,
    /// The same prompt with the completion of another row, see [`mismatched`].
    pub mismatched: Example,
    /// Whether it is called good.
    pub is_good: bool,
}

/// The constants of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KtoOptions {
    /// β: how strongly log-probabilities count.
    pub beta: f64,
    /// w⁺: weight of good completions.
    pub good_weight: f64,
    /// w⁻: weight of bad ones.
    pub bad_weight: f64,
}

impl Default for KtoOptions {
    fn default() -> Self {
        Self { beta: 0.1, good_weight: 1.0, bad_weight: 1.0 }
    }
}

/// The loss of a completion with its derivative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KtoLoss {
    /// The loss.
    pub loss: f64,
    /// Its derivative by Σ ln π of the completion.
    pub by_policy: f64,
    /// β · s: the implicit reward.
    pub reward: f64,
}

impl KtoOptions {
    /// Refuses constants out of range.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        let refuse = |option, got: f64, expected| Err(Error::TrainOption { option, got: got.to_string(), expected });
        let is_weight = |weight: f64| weight.is_finite() && weight >= 0.0;
        match () {
            () if !(self.beta.is_finite() && self.beta > 0.0) => refuse("beta", self.beta, "a finite number above 0"),
            () if !is_weight(self.good_weight) => {
                refuse("good weight", self.good_weight, "a finite number of at least 0")
            }
            () if !is_weight(self.bad_weight) => refuse("bad weight", self.bad_weight, "a finite number of at least 0"),
            () => Ok(()),
        }
    }

    /// The loss of a completion by s; `divergence` is z₀.
    ///
    /// # Example
    /// ```
    /// use redline_model::train::preference::KtoOptions;
    /// let options = KtoOptions { beta: 0.5, good_weight: 2.0, ..KtoOptions::default() };
    /// assert_eq!(options.loss(0.0, true, 0.0).loss, 1.0, "2 · (1 − σ(0))");
    /// assert!(options.loss(1.0, true, 0.0).by_policy < 0.0 && options.loss(1.0, false, 0.0).by_policy > 0.0);
    /// ```
    pub fn loss(&self, log_ratio: f64, is_good: bool, divergence: f64) -> KtoLoss {
        let (weight, sign) = if is_good { (self.good_weight, 1.0) } else { (self.bad_weight, -1.0) };
        let at = sign * self.beta * (log_ratio - divergence);
        KtoLoss {
            // 1 − σ(x) = σ(−x)
            loss: weight * log_sigmoid(-at).exp(),
            by_policy: -sign * weight * self.beta * bell(at),
            reward: self.beta * log_ratio,
        }
    }
}

/// Rows with their mismatched completions: in groups of `group` rows, each prompt with the completion of the row before, the first with that of
/// the last. A group of one would match; it is joined to the one before.
pub fn mismatched(rows: Vec<(Example, bool)>, group: usize) -> Vec<LabelledExample> {
    let (n, group) = (rows.len(), group.max(2));
    let n_groups = (n / group).max(1) + usize::from(n > group && n % group > 1);
    let range = |place: usize| {
        let end = if place + 1 == n_groups { n } else { (place + 1) * group };
        (place * group, end)
    };
    let before = |row: usize| {
        let (start, end) = range((row / group).min(n_groups - 1));
        if row == start { end - 1 } else { row - 1 }
    };
    let example = |row: usize| {
        let ((own, is_good), (other, _)) = (&rows[row], &rows[before(row)]);
        let mut tokens = own.tokens[..own.prompt_len].to_vec();
        tokens.extend(&other.tokens[other.prompt_len..]);
        LabelledExample {
            example: own.clone(),
            mismatched: Example { row: own.row, tokens, prompt_len: own.prompt_len },
            is_good: *is_good,
        }
    };
    (0..n).map(example).collect()
}

/// z₀ of a batch: [`sequence_log_probs`] of its mismatched completions by the policy and by the reference.
pub fn divergence(policy: &[f64], reference: &[f64]) -> f64 {
    let n = policy.len().max(1) as f64;
    (policy.iter().zip(reference).map(|(policy, reference)| policy - reference).sum::<f64>() / n).max(0.0)
}

/// A batch: its loss, the gradients of it, and what each row came to.
#[derive(Debug, Clone)]
pub struct KtoBatch {
    /// Mean over the rows.
    pub loss: f64,
    /// Its derivative by every trained parameter.
    pub gradients: Gradients,
    /// Row by row.
    pub rows: Vec<KtoLoss>,
    /// Σ ln π of each completion.
    pub log_probs: Vec<f64>,
    /// z₀.
    pub divergence: f64,
}

/// Loss and gradients of a batch; `reference` holds Σ ln π′ of each row's completion and of its mismatched one.
///
/// # Errors
/// No rows, other numbers of references than rows, or as [`Decoder::forward`].
pub fn kto_gradients(
    parameters: &Parameters,
    rows: &[&LabelledExample],
    reference: &[[f64; 2]],
    options: &KtoOptions,
    how: GradientOptions,
    dropout_seed: Option<u64>,
) -> Result<KtoBatch> {
    if rows.is_empty() || rows.len() != reference.len() {
        return Err(Error::Request {
            what: "training batch",
            got: format!("{} rows and {} references", rows.len(), reference.len()),
            expected: "at least one row, and as many references".into(),
        });
    }
    let size = rows.len().div_ceil(how.n_pieces.max(1)).max(1);
    let z = batch_divergence(&parameters.inference_decoder()?, rows, reference, size)?;
    let mut gradients = GradientSums::new(parameters);
    let (mut losses, mut log_probs) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    let scale = 1.0 / rows.len() as f64;
    for (piece, (part, reference)) in rows.chunks(size).zip(reference.chunks(size)).enumerate() {
        let decoder = parameters.training_decoder(piece_seed(dropout_seed, piece), how.precision)?;
        let examples: Vec<&Example> = part.iter().map(|row| &row.example).collect();
        let Task { reads, targets } = Task::new(&decoder, &examples)?;
        let mut found = Vec::new();
        let mut head = |states: &Tensor| {
            let logits = decoder.logits(states)?;
            let policy = sums(&examples, &cross_entropy::log_probs(&logits, &targets)?);
            let mut weights = Vec::with_capacity(targets.len());
            found.clear();
            for ((row, policy), [reference, _]) in part.iter().zip(policy).zip(reference) {
                let loss = options.loss(policy - reference, row.is_good, z);
                // a token's own loss is −ln p
                let weight = (-scale * loss.by_policy) as f32;
                weights.resize(weights.len() + row.example.n_counted(), weight);
                found.push((loss, policy));
            }
            cross_entropy::weighted_sum(&logits, targets.clone(), weights)
        };
        add_gradients(&decoder, reads, &mut head, how.checkpointing, &mut gradients)?;
        let (of_piece, policy): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        losses.extend(of_piece);
        log_probs.extend(policy);
    }
    let loss = scale * losses.iter().map(|row: &KtoLoss| row.loss).sum::<f64>();
    Ok(KtoBatch { loss, gradients: gradients.finish()?, rows: losses, log_probs, divergence: z })
}

/// z₀ of these rows, `size` of them a pass.
pub(super) fn batch_divergence(
    decoder: &Decoder,
    rows: &[&LabelledExample],
    reference: &[[f64; 2]],
    size: usize,
) -> Result<f64> {
    let mut policy = Vec::with_capacity(rows.len());
    for part in rows.chunks(size.max(1)) {
        policy.extend(sequence_log_probs(decoder, &part.iter().map(|row| &row.mismatched).collect::<Vec<_>>())?);
    }
    Ok(divergence(&policy, &reference.iter().map(|both| both[1]).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn losses_are_those_of_the_formula() {
        let options = KtoOptions { beta: 0.2, good_weight: 1.5, bad_weight: 0.5 };
        // TRL's kto_loss with these numbers, by hand: kl = clamp(mean([0.4, 1.6]), 0) = 1
        let z = divergence(&[-9.6, -8.4], &[-10.0, -10.0]);
        assert!((z - 1.0).abs() < 1e-12);
        let good = options.loss(3.0, true, z);
        assert!((good.loss - 1.5 * (1.0 - sigmoid(0.2 * 2.0))).abs() < 1e-12);
        let bad = options.loss(3.0, false, z);
        assert!((bad.loss - 0.5 * (1.0 - sigmoid(0.2 * (1.0 - 3.0)))).abs() < 1e-12);
        assert!((good.reward - 0.6).abs() < 1e-12 && bad.reward == good.reward);
        assert_eq!(divergence(&[-12.0], &[-10.0]), 0.0, "never below 0");
    }

    #[test]
    fn derivatives_are_those_of_the_losses() {
        let options = KtoOptions { beta: 0.4, good_weight: 1.2, bad_weight: 0.7 };
        for is_good in [true, false] {
            let by = (options.loss(0.7 + 1e-5, is_good, 0.3).loss - options.loss(0.7 - 1e-5, is_good, 0.3).loss) / 2e-5;
            assert!((options.loss(0.7, is_good, 0.3).by_policy - by).abs() < 1e-8);
            let far = options.loss(if is_good { -1e6 } else { 1e6 }, is_good, 0.0);
            assert!(far.loss.is_finite() && far.by_policy.is_finite());
        }
        let wrong = |options: KtoOptions| options.check().is_err();
        assert!(wrong(KtoOptions { beta: 0.0, ..options }) && wrong(KtoOptions { good_weight: -1.0, ..options }));
        assert!(wrong(KtoOptions { bad_weight: f64::NAN, ..options }) && options.check().is_ok());
    }

    #[test]
    fn completions_move_one_row_on_within_their_group() {
        let row = |row: usize| {
            (Example { row, tokens: vec![100 + row as u32, row as u32], prompt_len: 1 }, row.is_multiple_of(2))
        };
        let others = |n: usize, group: usize| -> Vec<u32> {
            let rows = mismatched((0..n).map(row).collect(), group);
            assert!(rows.iter().all(|own| own.mismatched.tokens[0] == own.example.tokens[0]), "its own prompt");
            rows.iter().map(|own| own.mismatched.tokens[1]).collect()
        };
        assert_eq!(others(4, 2), [1, 0, 3, 2]);
        assert_eq!(others(6, 4), [3, 0, 1, 2, 5, 4]);
        assert_eq!(others(5, 2), [1, 0, 4, 2, 3], "a single row at the end joins the group before");
        assert_eq!(others(3, 8), [2, 0, 1]);
        assert_eq!(others(4, 1), [1, 0, 3, 2], "one row alone has nothing to be mismatched with");
        assert_eq!(others(1, 4), [0]);
        assert!(others(0, 4).is_empty());
    }
}
