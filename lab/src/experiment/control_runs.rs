//! Slopes of control directions, on the same prompts and coefficients as the direction they are compared with.

use redline_probe::stats::NullPlace;
use redline_probe::stats::mean;
use redline_steer::{Arm, EditRatioVariant, NamedVector, Propensity, Result, SweepRow, fit_line, percentile};
use serde::{Deserialize, Serialize};

/// Mean edit ratio of one vector over the prompts and coefficients of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlLine {
    /// Name of the vector.
    pub name: String,
    /// At each coefficient.
    pub mean_edit_ratio: Vec<f64>,
    /// Least-squares slope.
    pub slope: f64,
}

/// Places of a slope among the slopes of directions that know nothing of correction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NullPlaces {
    /// Among isotropic directions of the same norm; `None` without any.
    pub random: Option<NullPlace>,
    /// Among mean differences of exchanged labels, scaled to the same norm; `None` without any.
    pub shuffled: Option<NullPlace>,
}

impl NullPlaces {
    pub(crate) fn of(slope: f64, random: &[f64], shuffled: &[f64]) -> Result<Self> {
        let place = |nulls: &[f64]| (!nulls.is_empty()).then(|| NullPlace::among(slope, nulls)).transpose();
        Ok(Self { random: place(random)?, shuffled: place(shuffled)? })
    }
}

/// The slope of the mean edit ratio for the direction under test and for its controls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlSlopes {
    /// Coefficients of the comparison, 0 included.
    pub coefficients: Vec<f64>,
    /// Prompts of the comparison, by the index of their triple.
    pub prompts: Vec<usize>,
    /// The direction under test.
    pub correction: ControlLine,
    /// Random directions of equal norm.
    pub random: Vec<ControlLine>,
    /// 95th percentile of the magnitudes of the random slopes.
    pub random_p95: f64,
    /// Mean differences of pairs with exchanged labels.
    pub shuffled: Vec<ControlLine>,
    /// Place of the slope among each kind of null.
    pub places: NullPlaces,
}

/// The same for propensity: nats of log p(correction) − log p(answer) per unit of coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropensitySlopes {
    /// Coefficients of the comparison, 0 included.
    pub coefficients: Vec<f64>,
    /// Mean propensity of the direction under test at each of `all_coefficients`, per pair.
    pub mean_total: Vec<f64>,
    /// The same per token.
    pub mean_per_token: Vec<f64>,
    /// Coefficients of the direction under test.
    pub all_coefficients: Vec<f64>,
    /// Pairs measured.
    pub n_pairs: usize,
    /// Of the direction under test.
    pub correction: f64,
    /// Of random directions of equal norm.
    pub random: Vec<f64>,
    /// 95th percentile of the magnitudes of the random slopes.
    pub random_p95: f64,
    /// Of mean differences of pairs with exchanged labels.
    pub shuffled: Vec<f64>,
    /// Place of the slope among each kind of null.
    pub places: NullPlaces,
}

/// Means and slope of `vector` over `prompts` and `coefficients`; `None` when a value is missing.
fn control_line(
    rows: &[SweepRow],
    vector: &str,
    prompts: &[usize],
    coefficients: &[f64],
    variant: EditRatioVariant,
) -> Result<Option<ControlLine>> {
    let mean_at = |&coefficient: &f64| {
        let value = |&prompt: &usize| {
            let found = rows.iter().find(|row| {
                row.row == prompt
                    && f64::from(row.coefficient) == coefficient
                    && (row.vector == vector || coefficient == 0.0)
            });
            found.and_then(|row| row.ratios.ratio(variant))
        };
        let values: Option<Vec<f64>> = prompts.iter().map(value).collect();
        mean(values?)
    };
    match coefficients.iter().map(mean_at).collect::<Option<Vec<f64>>>() {
        Some(mean_edit_ratio) => {
            let slope = fit_line(coefficients, &mean_edit_ratio)?.slope;
            Ok(Some(ControlLine { name: vector.into(), mean_edit_ratio, slope }))
        }
        None => Ok(None),
    }
}

/// Slopes of the random and shuffled directions in `rows`, beside that of `correction`.
///
/// # Errors
/// Fewer than two coefficients.
pub fn random_slopes(
    rows: &[SweepRow],
    vectors: &[NamedVector],
    prompts: &[usize],
    coefficients: &[f64],
    variant: EditRatioVariant,
) -> Result<Option<ControlSlopes>> {
    let line = |name: &str| control_line(rows, name, prompts, coefficients, variant);
    let Some(correction) = line(redline_steer::CORRECTION)? else { return Ok(None) };
    let mut random = Vec::new();
    let mut shuffled = Vec::new();
    for named in vectors {
        match line(&named.name)? {
            Some(value) if named.name.starts_with("random") => random.push(value),
            Some(value) if named.name.starts_with("shuffled") => shuffled.push(value),
            _ => {}
        }
    }
    let random_p95 = magnitude_p95(random.iter().map(|line: &ControlLine| line.slope))?;
    let (coefficients, prompts) = (coefficients.to_vec(), prompts.to_vec());
    let slopes = |lines: &[ControlLine]| lines.iter().map(|line| line.slope).collect::<Vec<_>>();
    let places = NullPlaces::of(correction.slope, &slopes(&random), &slopes(&shuffled))?;
    Ok(Some(ControlSlopes { coefficients, prompts, correction, random, random_p95, shuffled, places }))
}

/// Slopes of the mean total propensity for every vector; `arms` are those the propensities were measured under.
///
/// # Errors
/// Fewer than two coefficients.
pub fn propensity_slopes(
    values: &[Propensity],
    vectors: &[NamedVector],
    arms: &[Arm],
    coefficients: &[f64],
) -> Result<PropensitySlopes> {
    let mean_at = |vector: usize, coefficient: f64, measure: &dyn Fn(&Propensity) -> f64| {
        let at = values.iter().filter(|value| {
            f64::from(value.coefficient) == coefficient && (value.vector == vector || coefficient == 0.0)
        });
        mean(at.map(measure)).unwrap_or(f64::NAN)
    };
    let slope = |vector: usize| -> Result<f64> {
        let means: Vec<f64> = coefficients.iter().map(|&c| mean_at(vector, c, &Propensity::total)).collect();
        Ok(fit_line(coefficients, &means)?.slope)
    };
    let mut all_coefficients: Vec<f64> =
        arms.iter().filter(|arm| arm.vector == 0).map(|arm| f64::from(arm.coefficient)).collect();
    all_coefficients.sort_by(f64::total_cmp);
    let mut random = Vec::new();
    let mut shuffled = Vec::new();
    for (index, named) in vectors.iter().enumerate() {
        if named.name.starts_with("random") {
            random.push(slope(index)?);
        } else if named.name.starts_with("shuffled") {
            shuffled.push(slope(index)?);
        }
    }
    let means = |measure: &dyn Fn(&Propensity) -> f64| {
        all_coefficients.iter().map(|&c| mean_at(0, c, measure)).collect::<Vec<f64>>()
    };
    let n_pairs = values.iter().map(|value| value.row).collect::<std::collections::BTreeSet<_>>().len();
    let correction = slope(0)?;
    Ok(PropensitySlopes {
        places: NullPlaces::of(correction, &random, &shuffled)?,
        coefficients: coefficients.to_vec(),
        mean_total: means(&Propensity::total),
        mean_per_token: means(&Propensity::per_token),
        all_coefficients,
        n_pairs,
        correction,
        random_p95: magnitude_p95(random.iter().copied())?,
        random,
        shuffled,
    })
}

/// 95th percentile of the magnitudes; 0 without any.
fn magnitude_p95(slopes: impl Iterator<Item = f64>) -> Result<f64> {
    let mut magnitudes: Vec<f64> = slopes.map(f64::abs).collect();
    magnitudes.sort_by(f64::total_cmp);
    if magnitudes.is_empty() { Ok(0.0) } else { Ok(percentile(&magnitudes, 95.0)?) }
}
