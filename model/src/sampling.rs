//! From logits to a token: greedy, or seeded sampling with temperature, top-k and top-p, after a repetition penalty.

use std::collections::HashSet;

use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Repetition penalties that leave logits finite.
const PENALTIES: std::ops::RangeInclusive<f32> = 1e-6..=1e6;

/// Below it a temperature chooses as this one does: among the largest logits only. Logits divided by it stay finite.
const LEAST_TEMPERATURE: f64 = 1e-20;

/// How the next token is chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplingOptions {
    /// 0 is greedy: the token with the largest logit, the lowest id among equals.
    pub temperature: f64,
    /// Sample among the k most likely tokens only.
    pub top_k: Option<usize>,
    /// Sample among the most likely tokens whose probabilities add up to p.
    pub top_p: Option<f64>,
    /// Divides the logits of tokens already present (multiplies negative ones); 1 changes nothing. From a millionth to a million.
    pub repetition_penalty: f32,
    /// Seed; a row's stream depends on it and on the row id alone, not on the rows beside it.
    pub seed: u64,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: None, top_p: None, repetition_penalty: 1.0, seed: 0 }
    }
}

impl SamplingOptions {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// Names the option.
    pub fn check(&self) -> Result<()> {
        let refuse = |what, got: String, expected: &str| Err(Error::Request { what, got, expected: expected.into() });
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return refuse("temperature", self.temperature.to_string(), "a finite number from 0");
        }
        if self.top_k == Some(0) {
            return refuse("top-k", "0".into(), "at least 1");
        }
        if let Some(p) = self.top_p
            && !(p > 0.0 && p <= 1.0)
        {
            return refuse("top-p", p.to_string(), "above 0, at most 1");
        }
        if !PENALTIES.contains(&self.repetition_penalty) {
            return refuse("repetition penalty", self.repetition_penalty.to_string(), "from 0.000001 to 1000000");
        }
        Ok(())
    }

    /// The draws of one row, unless it is greedy.
    fn draws(&self, row: usize) -> Option<Draws> {
        // the odd multiplier spreads neighbouring rows over the seed space
        let seed = self.seed ^ (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (self.temperature != 0.0).then(|| Draws {
            generator: ChaCha12Rng::seed_from_u64(seed),
            temperature: self.temperature.max(LEAST_TEMPERATURE),
            top_k: self.top_k,
            top_p: self.top_p.map(|p| p as f32),
        })
    }
}

/// The chooser of one row.
pub(crate) struct Sampler {
    row: usize,
    draws: Option<Draws>,
    repetition_penalty: f32,
}

impl Sampler {
    pub(crate) fn new(options: &SamplingOptions, row: usize) -> Self {
        Self { row, draws: options.draws(row), repetition_penalty: options.repetition_penalty }
    }

    /// Chooses from `logits`, (vocab_size); `context` holds the ids so far, for the repetition penalty.
    pub(crate) fn choose(&mut self, logits: &[f32], context: &[u32]) -> Result<u32> {
        let refuse = || Error::LogitsNotFinite { row: self.row, position: context.len() };
        let best = argmax(logits).ok_or_else(refuse)?;
        if self.draws.is_none() && self.repetition_penalty == 1.0 {
            return Ok(best);
        }
        let logits = penalised(logits, self.repetition_penalty, context);
        match &mut self.draws {
            Some(draws) => draws.next(logits)?.ok_or_else(refuse),
            None => argmax(&logits).ok_or_else(refuse),
        }
    }
}

/// Logits of which those of tokens in `context` are divided by the penalty, or multiplied where they are negative.
fn penalised(logits: &[f32], penalty: f32, context: &[u32]) -> Vec<f32> {
    let mut logits = logits.to_vec();
    if penalty != 1.0 {
        for id in context.iter().collect::<HashSet<_>>() {
            if let Some(logit) = logits.get_mut(*id as usize) {
                *logit = if *logit >= 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }
    logits
}

/// Seeded draws. The generator is named, so the tokens of a seed are the same on every machine.
struct Draws {
    generator: ChaCha12Rng,
    temperature: f64,
    top_k: Option<usize>,
    top_p: Option<f32>,
}

impl Draws {
    /// The next token; `None` where no token has a probability.
    fn next(&mut self, logits: Vec<f32>) -> Result<Option<u32>> {
        let logits = Tensor::new(logits, &Device::Cpu)?;
        let probabilities = candle_nn::ops::softmax_last_dim(&(logits / self.temperature)?)?.to_vec1::<f32>()?;
        let mut ids: Vec<usize> = (0..probabilities.len()).collect();
        if let Some(k) = self.top_k.filter(|&k| k < ids.len()) {
            ids.select_nth_unstable_by(k, |&a, &b| probabilities[b].total_cmp(&probabilities[a]));
            ids.truncate(k);
        }
        let mut weights: Vec<f32> = ids.iter().map(|&id| probabilities[id]).collect();
        if let Some(p) = self.top_p {
            keep_most_likely(&mut weights, p);
        }
        Ok(WeightedIndex::new(weights).ok().map(|index| ids[index.sample(&mut self.generator)] as u32))
    }
}

/// Sets to 0 all weights but the largest ones that add up to `p`.
fn keep_most_likely(weights: &mut [f32], p: f32) {
    if p >= weights.iter().sum::<f32>().min(1.0) {
        return;
    }
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    let mut sum = 0.0;
    for index in order {
        if sum >= p {
            weights[index] = 0.0;
        } else {
            sum += weights[index];
        }
    }
}

/// Index of the largest value, the lowest among equals; `None` when any value is NaN or +∞, or there are none.
fn argmax(values: &[f32]) -> Option<u32> {
    const LANES: usize = 16;
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut largest = [f32::NEG_INFINITY; LANES];
    let mut is_nan = [false; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            largest[lane] = largest[lane].max(chunk[lane]);
            is_nan[lane] |= chunk[lane].is_nan();
        }
    }
    let largest = largest.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    if !largest.is_finite() || is_nan.contains(&true) || rest.iter().any(|value| value.is_nan()) {
        return None;
    }
    values.iter().position(|&value| value == largest).map(|index| index as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_takes_the_first_of_equals_and_refuses_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[1.0, f32::NAN]), None);
        assert_eq!(argmax(&[]), None);
        let mut many: Vec<f32> = (0..50).map(|i| i as f32 % 37.0).collect();
        assert_eq!(argmax(&many), Some(36));
        many[20] = f32::NAN;
        assert_eq!(argmax(&many), None);
    }

    #[test]
    fn same_seed_same_row_same_tokens() {
        let options = SamplingOptions { temperature: 1.0, top_k: Some(5), seed: 7, ..SamplingOptions::default() };
        let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.37).sin()).collect();
        let draw = |row| -> Vec<u32> {
            let mut sampler = Sampler::new(&options, row);
            (0..20).map(|_| sampler.choose(&logits, &[]).unwrap()).collect()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    /// As the sampler of candle-transformers, token for token.
    #[test]
    fn draws_are_those_of_candle() {
        use candle_transformers::generation::{LogitsProcessor, Sampling};
        use candle_transformers::utils::apply_repeat_penalty;
        let temperature = 0.8;
        for (top_k, top_p, sampling) in [
            (None, None, Sampling::All { temperature }),
            (Some(7), None, Sampling::TopK { k: 7, temperature }),
            (Some(500), None, Sampling::TopK { k: 500, temperature }),
            (None, Some(0.6), Sampling::TopP { p: 0.6, temperature }),
            (None, Some(1.0), Sampling::TopP { p: 1.0, temperature }),
            (Some(9), Some(0.5), Sampling::TopKThenTopP { k: 9, p: 0.5, temperature }),
            (Some(9), Some(1.0), Sampling::TopKThenTopP { k: 9, p: 1.0, temperature }),
        ] {
            let options = SamplingOptions { temperature, top_k, top_p, seed: 11, repetition_penalty: 1.3 };
            let mut ours = Sampler::new(&options, 0);
            let mut theirs = LogitsProcessor::from_sampling(11, sampling);
            for step in 0..200_u32 {
                let logits: Vec<f32> = (0..90).map(|i| 3.0 * (i as f32 * 0.37 + step as f32).sin()).collect();
                let context = [step % 90, (step * 7) % 90, step % 90];
                let tensor = Tensor::new(logits.as_slice(), &Device::Cpu).unwrap();
                let expected = theirs.sample(&apply_repeat_penalty(&tensor, 1.3, &context).unwrap()).unwrap();
                assert_eq!(ours.choose(&logits, &context).unwrap(), expected, "{options:?}, step {step}");
            }
        }
    }

    #[test]
    fn a_temperature_near_0_is_greedy() {
        let logits: Vec<f32> = (0..50).map(|i| 100.0 * (i as f32 * 0.37).sin()).collect();
        for temperature in [f64::MIN_POSITIVE, 1e-308, 1e-40, 1e-9] {
            for (top_k, top_p) in [(None, None), (Some(5), None), (None, Some(0.9)), (Some(5), Some(0.9))] {
                let options = SamplingOptions { temperature, top_k, top_p, ..SamplingOptions::default() };
                let options = SamplingOptions { repetition_penalty: 1e-6, ..options };
                options.check().unwrap();
                let mut sampler = Sampler::new(&options, 0);
                assert_eq!(sampler.choose(&logits, &[3]).unwrap(), 3, "{temperature}, {top_k:?}, {top_p:?}");
            }
        }
    }

    #[test]
    fn options_out_of_range_are_refused() {
        for options in [
            SamplingOptions { temperature: f64::NAN, ..SamplingOptions::default() },
            SamplingOptions { top_k: Some(0), ..SamplingOptions::default() },
            SamplingOptions { top_p: Some(1.5), ..SamplingOptions::default() },
            SamplingOptions { repetition_penalty: 0.0, ..SamplingOptions::default() },
            SamplingOptions { repetition_penalty: 1e-30, ..SamplingOptions::default() },
            SamplingOptions { repetition_penalty: f32::MAX, ..SamplingOptions::default() },
        ] {
            assert!(options.check().is_err(), "{options:?}");
        }
    }
}
