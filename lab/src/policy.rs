//! A coefficient for each request, from the LAT score of its last prompt token.
//!
//! ```text
//! s(x) = mean over layers of (score at the last prompt token − mean) / deviation
//! c(x) = the nearest swept coefficient to a + b · s(x)
//! ```
//!
//! Mean and deviation are those of the prompts that the policy was made with, unsteered. `redline tune --per-request` fits and tests a policy
//! ([`PolicyTest`]) and keeps it in the profile where it is better than the best constant; whoever uses the profile then reads each prompt
//! once more, before it is corrected. Not for vectors without scores (GGUF).

use redline_model::generate::PREFILL_TOKENS;
use redline_model::{Chunk, Decoder, Past, Wanted};
use redline_probe::capture::Capture;
use redline_probe::{LayerVector, Reading};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::quality::PolicyTest;

/// A tested line from scores to coefficients, and what makes the score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How scores of layers become one.
    pub scale: ScoreScale,
    /// The line, and what it is worth.
    pub tested: PolicyTest,
}

/// Layers that are read, and what their scores are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreScale {
    /// Blocks, ascending.
    pub layers: Vec<usize>,
    /// Mean score of each.
    pub mean: Vec<f64>,
    /// Standard deviation of each.
    pub deviation: Vec<f64>,
}

impl ScoreScale {
    /// The scale of these scores: (prompts, layers).
    pub fn of(layers: &[usize], scores: &[Vec<f64>]) -> Self {
        let n = scores.len().max(1) as f64;
        let column = |place: usize| scores.iter().map(move |row| row[place]);
        let mean: Vec<f64> = (0..layers.len()).map(|place| column(place).sum::<f64>() / n).collect();
        let deviation =
            |place: usize| (column(place).map(|score| (score - mean[place]).powi(2)).sum::<f64>() / n).sqrt();
        Self { layers: layers.to_vec(), deviation: (0..layers.len()).map(deviation).collect(), mean }
    }

    /// One score of those of the layers; a layer that never varies counts 0.
    pub fn score(&self, scores: &[f64]) -> f64 {
        let scaled = scores.iter().zip(self.mean.iter().zip(&self.deviation));
        let sum: f64 = scaled.map(|(score, (mean, std))| if *std > 0.0 { (score - mean) / std } else { 0.0 }).sum();
        sum / scores.len().max(1) as f64
    }
}

impl Policy {
    /// Refuses values that mean nothing, with the broken rule.
    ///
    /// # Errors
    /// Numbers that are not finite, or lists of other sizes.
    pub fn check(&self) -> std::result::Result<(), String> {
        let ScoreScale { layers, mean, deviation } = &self.scale;
        let rises = !layers.is_empty() && layers.windows(2).all(|two| two[0] < two[1]);
        let is_whole = |values: &[f64]| values.len() == layers.len() && values.iter().all(|value| value.is_finite());
        match rises && is_whole(mean) && is_whole(deviation) && deviation.iter().all(|value| *value >= 0.0) {
            true => self.tested.line.check(),
            false => Err("ascending layers, each with a finite mean and deviation".into()),
        }
    }
}

/// A policy with the vector that it reads by.
#[derive(Debug, Clone)]
pub struct ReadPolicy {
    policy: Policy,
    reading: Reading,
}

impl ReadPolicy {
    /// Puts a policy to its vector.
    ///
    /// # Errors
    /// The vector lacks a layer of the policy.
    pub fn new(policy: Policy, reading: Reading) -> Result<Self> {
        vectors(&reading, &policy.scale.layers)?;
        Ok(Self { policy, reading })
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The coefficient of a prompt, which is read once, unsteered.
    ///
    /// # Errors
    /// The pass fails, or a score is not finite.
    pub fn coefficient(&self, decoder: &Decoder, prompt: &[u32]) -> Result<f32> {
        let Policy { scale, tested } = &self.policy;
        let scores = prompt_scores(decoder, &self.reading, &scale.layers, prompt)?;
        Ok(tested.line.coefficient(scale.score(&scores)) as f32)
    }
}

fn vectors<'a>(reading: &'a Reading, layers: &[usize]) -> Result<Vec<&'a LayerVector>> {
    let of = |layer: &usize| {
        let found = reading.layers.iter().find(|vector| vector.layer == *layer);
        found.ok_or_else(|| Error::from(redline_steer::Error::LayerNotRead { layer: *layer }))
    };
    layers.iter().map(of).collect()
}

/// The score of a prompt's last token at each of these layers.
///
/// # Errors
/// The vector lacks a layer, the pass fails, or a score is not finite.
pub fn prompt_scores(decoder: &Decoder, reading: &Reading, layers: &[usize], prompt: &[u32]) -> Result<Vec<f64>> {
    let vectors = vectors(reading, layers)?;
    let mut capture = Capture::new(reading.site()?, layers.to_vec());
    capture.request(0, std::slice::from_ref(&(prompt.len().saturating_sub(1)..prompt.len())));
    let mut cache = decoder.cache(vec![0], prompt.len())?;
    for tokens in prompt.chunks(PREFILL_TOKENS) {
        let chunk = Chunk { tokens, past: Past::Cache(&mut cache) };
        decoder.forward(&mut [chunk], &mut capture, &Wanted::Nothing)?;
    }
    let last = capture.take(0).into_iter().flatten().next().unwrap_or_default();
    let width = last.len() / layers.len().max(1);
    Ok(vectors
        .iter()
        .zip(last.chunks(width))
        .map(|(vector, x)| vector.score(x))
        .collect::<redline_probe::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use redline_probe::activations::capture_tokens;

    use super::*;
    use crate::experiment::{ExtractionSettings, extract};
    use crate::quality::PolicyLine;

    #[test]
    fn scores_are_in_deviations_of_those_they_were_made_with() {
        let scale = ScoreScale::of(&[1, 4], &[vec![1.0, 7.0], vec![3.0, 7.0]]);
        assert_eq!((scale.mean.as_slice(), scale.deviation.as_slice()), (&[2.0, 7.0][..], &[1.0, 0.0][..]));
        assert_eq!(scale.score(&[4.0, 9.0]), 1.0, "two deviations at one layer, none at the one that never varies");
    }

    #[test]
    fn a_prompt_is_scored_where_its_last_token_stands() {
        let aligner = crate::aligner::Aligner::embedded().unwrap();
        let rows = crate::rows::Rows::embedded(None).unwrap();
        let flawed: Vec<usize> =
            (0..40).filter(|&row| rows.triples[row].answer != rows.triples[row].correction).collect();
        let options = ExtractionSettings::default();
        let (model, template) = (&aligner.model, &aligner.template);
        let reading = extract(model, template, &rows.at(&flawed), &options, &mut |_, _| Ok(())).unwrap().reading;
        let decoder = &model.decoder;
        let prompt: Vec<u32> = (5..25).collect();
        let found = prompt_scores(decoder, &reading, &[0, 2], &prompt).unwrap();
        // the last token as the first of an output
        let text = redline_probe::TokenText { prompt: prompt[..19].to_vec(), output: vec![prompt[19]] };
        let last = capture_tokens(decoder, &text, reading.site().unwrap(), &[0, 2], 1).unwrap().remove(0);
        for ((place, x), found) in [0, 2].into_iter().zip(&last).zip(&found) {
            let expected = reading.layers[place].score(x).unwrap();
            assert!((expected - found).abs() < 1e-4 * expected.abs().max(1.0), "{expected} {found}");
        }

        let line = PolicyLine { intercept: 0.0, slope: 1e6, coefficients: vec![-1.0, 1.0] };
        let interval = redline_probe::stats::Interval { low: 0.0, high: 0.0 };
        let tested = PolicyTest {
            line,
            n_fit: 2,
            n_test: 2,
            constant: 0.0,
            constant_utility: 0.0,
            policy_utility: 0.0,
            hindsight_utility: 0.0,
            difference: interval,
        };
        let scale = |below: f64| ScoreScale { layers: vec![0], mean: vec![found[0] + below], deviation: vec![1.0] };
        let policy = |below| Policy { scale: scale(below), tested: tested.clone() };
        let chosen = |below| ReadPolicy::new(policy(below), reading.clone()).unwrap().coefficient(decoder, &prompt);
        assert_eq!((chosen(-0.5).unwrap(), chosen(0.5).unwrap()), (1.0, -1.0));
        let scale = ScoreScale { layers: vec![99], mean: vec![0.0], deviation: vec![1.0] };
        let absent = Policy { scale, tested: tested.clone() };
        assert!(absent.check().is_ok() && ReadPolicy::new(absent, reading).is_err());
        assert!(Policy { scale: ScoreScale::of(&[], &[]), tested: policy(0.0).tested }.check().is_err());
    }
}
