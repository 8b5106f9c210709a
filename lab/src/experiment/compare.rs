//! Which direction makes the best dial: methods × layers × units, compared by propensity at equal strength.
//!
//! Strength is Σ over the injected layers of ‖Δ‖ / ‖h‖, with ‖h‖ the mean norm of the training activations there. Every
//! candidate is scaled to the strength of the first, so that none wins by being larger. For a choice on a development split;
//! the winner is measured once on other questions.

use std::collections::{BTreeMap, HashSet};

use redline_model::{AlignerTemplate, Model, Qac, Site};
use redline_probe::stats::mean;
use redline_probe::{
    ContrastPair, ExtractOptions, LayerVector, Method, PairBuilder, PairDesign, Scaling, extract_directions, fit_layers,
};
use redline_steer::controls::random_like;
use redline_steer::{
    Arm, BootstrapOptions, ControlVector, Interval, Operator, Propensity, PropensityOptions, Result, TokenRange, Unit,
    bootstrap_sweep, control_vector, percentile, propensity,
};
use serde::{Deserialize, Serialize};

use super::{Extracted, ExtractionSettings, LayerSpec, OnProgress, extract};

/// What is compared, and on how much.
#[derive(Debug, Clone)]
pub struct CompareOptions {
    /// Methods with their scaling.
    pub methods: Vec<(Method, Scaling)>,
    /// Choices of injected layers.
    pub layers: Vec<LayerSpec>,
    /// Units of the coefficient.
    pub units: Vec<Unit>,
    /// Coefficients, ascending, 0 among them.
    pub coefficients: Vec<f32>,
    /// Which positions are steered.
    pub range: TokenRange,
    /// Held-out pairs to measure on.
    pub n_measured: usize,
    /// Tokens from the first difference on that are scored.
    pub max_tokens: usize,
    /// Random directions beside the first candidate.
    pub n_random: usize,
}

/// How one candidate did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// How the direction was found.
    pub method: Method,
    /// What dimensions were divided by first.
    pub scaling: Scaling,
    /// Injected layers, as they were asked for.
    pub layers: String,
    /// Unit before the scaling to equal strength: how the layers weigh against each other.
    pub unit: Unit,
    /// What one unit of coefficient in `unit` was multiplied by.
    pub factor: f64,
    /// Nats of log p(correction) − log p(answer) for one unit of coefficient.
    pub slope: f64,
    /// Its interval over pairs.
    pub slope_interval: Interval,
    /// Of the line through the means.
    pub r2: Option<f64>,
    /// Share of pairs with a negative slope.
    pub negative_slope_share: f64,
    /// Nats per token that correction and answer lose together, on average over the coefficients other than 0: what
    /// steering costs in likelihood, whatever it does to the difference.
    pub cost: f64,
}

/// All candidates, the best slope first, with the random directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Strength that all are scaled to.
    pub strength: f64,
    /// Pairs measured.
    pub n_measured: usize,
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// Slopes of random directions with the norms of the first candidate asked for.
    pub random_slopes: Vec<f64>,
    /// 95th percentile of their magnitudes.
    pub random_p95: f64,
}

/// Extracts on one part of the questions, measures all candidates on the other.
///
/// # Errors
/// As [`extract`] and [`propensity`]; a layer that the model does not have.
pub fn compare(
    model: &Model,
    template: &AlignerTemplate,
    triples: &[(usize, &Qac)],
    settings: &ExtractionSettings,
    options: &CompareOptions,
    on_progress: OnProgress<'_>,
) -> Result<Comparison> {
    let Extracted { train, held_out, .. } = extract(model, template, triples, settings, &mut |_, _| on_progress(0, 1))?;
    let mut named = Vec::new();
    for &(method, scaling) in &options.methods {
        let extraction = ExtractOptions { method, scaling, ..settings.extract };
        let reading = fit_layers(&extract_directions(&train, &extraction)?.directions, &train)?;
        let site: Site = settings.site.parse()?;
        let found = candidates(&reading, method, scaling, model.decoder.config().n_layers, options)?;
        named.extend(found.into_iter().map(|(candidate, vector)| (candidate, vector.at(site))));
    }
    let norms: BTreeMap<usize, f64> = train.iter().map(|pairs| (pairs.layer(), pairs.mean_norm())).collect();
    let strength = named.first().map_or(0.0, |(_, vector)| relative_strength(vector, &norms));
    for (candidate, vector) in &mut named {
        candidate.factor = strength / relative_strength(vector, &norms).max(f64::MIN_POSITIVE);
        *vector = &*vector * (candidate.factor as f32);
    }
    let mut vectors: Vec<ControlVector> = named.iter().map(|(_, vector)| vector.clone()).collect();
    for seed in 0..options.n_random {
        vectors.push(random_like(&named[0].1, settings.seed.wrapping_add(seed as u64))?);
    }

    let mut pairs = forced_pairs(model, template, triples, settings, held_out)?;
    // tokens before the first difference take time and cancel out
    pairs.sort_by_key(|pair| pair.first_difference > options.max_tokens);
    pairs.truncate(options.n_measured.max(2));
    let plain: Vec<&ControlVector> = vectors.iter().collect();
    let arms = redline_steer::arms(vectors.len(), &options.coefficients)?;
    let measure = PropensityOptions { range: options.range, operator: Operator::Add, max_tokens: options.max_tokens };
    let mut progress = |done: usize, total: usize| Ok(on_progress(done, total)?);
    let values = propensity(&model.decoder, &pairs, &plain, &arms, &measure, &mut progress)?;

    let table = Table { values: &values, arms: &arms, coefficients: &options.coefficients };
    let bootstrap = BootstrapOptions { seed: settings.seed, ..BootstrapOptions::default() };
    let mut candidates = Vec::with_capacity(named.len());
    for (index, (candidate, _)) in named.into_iter().enumerate() {
        candidates.push(table.judged(index, candidate, &bootstrap)?);
    }
    let random_slopes = (candidates.len()..vectors.len()).map(|i| table.slope(i)).collect::<Result<Vec<f64>>>()?;
    let mut magnitudes: Vec<f64> = random_slopes.iter().map(|slope| slope.abs()).collect();
    magnitudes.sort_by(f64::total_cmp);
    let random_p95 = if magnitudes.is_empty() { 0.0 } else { percentile(&magnitudes, 95.0)? };
    candidates.sort_by(|a, b| b.slope.total_cmp(&a.slope));
    Ok(Comparison { strength, n_measured: pairs.len(), candidates, random_slopes, random_p95 })
}

/// Pairs of correction and answer after the same prompt, of the rows of `held_out`: what propensity is measured on, whatever the direction was
/// found from.
fn forced_pairs(
    model: &Model,
    template: &AlignerTemplate,
    triples: &[(usize, &Qac)],
    settings: &ExtractionSettings,
    held_out: Vec<ContrastPair>,
) -> Result<Vec<ContrastPair>> {
    if settings.design == PairDesign::Forced {
        return Ok(held_out);
    }
    let rows: HashSet<usize> = held_out.iter().map(|pair| pair.row).collect();
    let builder = PairBuilder::new(model, template, PairDesign::Forced, settings.max_tokens)?;
    Ok(builder.pairs(triples.iter().copied().filter(|(row, _)| rows.contains(row)))?.pairs)
}

/// The candidates of one method, not yet measured.
fn candidates(
    reading: &[LayerVector],
    method: Method,
    scaling: Scaling,
    n_layers: usize,
    options: &CompareOptions,
) -> Result<Vec<(Candidate, ControlVector)>> {
    let mut found = Vec::new();
    for layers in &options.layers {
        for &unit in &options.units {
            let vector = control_vector(reading, &layers.resolve(n_layers)?, unit)?;
            let candidate = Candidate {
                method,
                scaling,
                layers: layers.to_string(),
                unit,
                factor: 1.0,
                slope: 0.0,
                slope_interval: Interval { low: 0.0, high: 0.0 },
                r2: None,
                negative_slope_share: 0.0,
                cost: 0.0,
            };
            found.push((candidate, vector));
        }
    }
    Ok(found)
}

fn relative_strength(vector: &ControlVector, norms: &BTreeMap<usize, f64>) -> f64 {
    vector.norms().iter().filter_map(|(layer, norm)| Some(norm / norms.get(layer).filter(|n| **n > 0.0)?)).sum()
}

/// Propensities by pair, vector and coefficient.
struct Table<'a> {
    values: &'a [Propensity],
    arms: &'a [Arm],
    coefficients: &'a [f32],
}

impl Table<'_> {
    /// One line a pair, one value a coefficient.
    fn rows(&self, vector: usize, measure: impl Fn(&Propensity) -> f64) -> Vec<Vec<f64>> {
        let at = |values: &[Propensity], coefficient: f32| {
            let found =
                values.iter().find(|v| v.coefficient == coefficient && (v.vector == vector || coefficient == 0.0));
            found.map_or(f64::NAN, &measure)
        };
        let pairs = self.values.chunks(self.arms.len().max(1));
        pairs.map(|values| self.coefficients.iter().map(|&c| at(values, c)).collect()).collect()
    }

    fn x(&self) -> Vec<f64> {
        self.coefficients.iter().map(|&c| f64::from(c)).collect()
    }

    fn slope(&self, vector: usize) -> Result<f64> {
        let rows = self.rows(vector, Propensity::total);
        let means: Vec<f64> =
            (0..self.coefficients.len()).filter_map(|i| mean(rows.iter().map(|row| row[i]))).collect();
        Ok(redline_steer::fit_line(&self.x(), &means)?.slope)
    }

    fn judged(&self, vector: usize, candidate: Candidate, bootstrap: &BootstrapOptions) -> Result<Candidate> {
        let fit = bootstrap_sweep(&self.x(), &self.rows(vector, Propensity::total), bootstrap)?;
        let both = |value: &Propensity| {
            (value.correction + value.answer) / (value.correction_tokens + value.answer_tokens) as f64
        };
        let likelihoods = self.rows(vector, both);
        let losses = likelihoods.iter().flat_map(|row| {
            let baseline = self.coefficients.iter().position(|c| *c == 0.0).map_or(f64::NAN, |i| row[i]);
            let others = self.coefficients.iter().zip(row).filter(|(c, _)| **c != 0.0);
            others.map(move |(_, value)| baseline - value).collect::<Vec<f64>>()
        });
        Ok(Candidate {
            slope: fit.line.slope,
            slope_interval: fit.slope_interval,
            r2: fit.line.r2,
            negative_slope_share: fit.negative_slope_share,
            cost: mean(losses).unwrap_or(f64::NAN),
            ..candidate
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_judged_by_their_own_arms() {
        let value = |row, vector, coefficient, correction| Propensity {
            row,
            vector,
            coefficient,
            correction,
            correction_tokens: 4,
            answer: -10.0,
            answer_tokens: 4,
        };
        let arms = redline_steer::arms(2, &[-1.0, 0.0, 1.0]).unwrap();
        // vector 0 moves the correction by 2 nats a unit, vector 1 by −1; row 1 lies 3 nats lower
        let rows = |row: usize, level: f64| {
            let at = |arm: &Arm| {
                let slope = if arm.vector == 0 { 2.0 } else { -1.0 };
                value(row, arm.vector, arm.coefficient, level + slope * f64::from(arm.coefficient))
            };
            arms.iter().map(at).collect::<Vec<_>>()
        };
        let values = [rows(0, -5.0), rows(1, -8.0)].concat();
        let table = Table { values: &values, arms: &arms, coefficients: &[-1.0, 0.0, 1.0] };
        assert!((table.slope(0).unwrap() - 2.0).abs() < 1e-12 && (table.slope(1).unwrap() + 1.0).abs() < 1e-12);
        let candidate = Candidate {
            method: Method::MeanDiff,
            scaling: Scaling::None,
            layers: "all".into(),
            unit: Unit::Gap,
            factor: 1.0,
            slope: 0.0,
            slope_interval: Interval { low: 0.0, high: 0.0 },
            r2: None,
            negative_slope_share: 0.0,
            cost: 1.0,
        };
        let judged = table.judged(1, candidate, &BootstrapOptions::default()).unwrap();
        assert!((judged.slope + 1.0).abs() < 1e-12 && judged.negative_slope_share == 1.0);
        assert!(judged.cost.abs() < 1e-12, "what −1 gains, 1 loses");
    }
}
