//! How far a system moves answers in two scores at once, such as helpfulness (a reward model) and harmlessness (a cost model, its sign
//! turned): the numbers of the score shift figure.
//!
//! Each row has two scores of the answer before and two of the answer after, larger is better in both. Both are put on one scale: less the
//! mean of the answers before, in their sample standard deviations. So 0 is the mean before, and a mean shift of 1 is as much as one
//! standard deviation of the answers that were there. Rows are paired: a shift is after less before, row by row, and a row is one unit of
//! all intervals.
//!
//! What a score is worth is the held-out accuracy of the model behind it: the share of labelled pairs that it never saw and puts in the
//! right order. Without it nobody can tell what an axis means, so there is no score shift without it. Not for scores of different answers
//! or in other units, as of two judges: the standard deviations of one are not those of another.

mod ellipse;
mod error;
#[cfg(test)]
mod tests;

use redline_probe::stats::{Estimate, FEWEST_UNITS, Interval, estimate, wilson_interval};
use serde::{Deserialize, Serialize};

pub use ellipse::Ellipse;
pub use error::ShiftError;

const N_RESAMPLES: usize = 1000;
/// A score whose range is this share of its largest value or less is constant up to rounding.
const ROUNDING: f64 = 1e-12;

/// How often the model behind a score puts held-out pairs in the right order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldOutAccuracy {
    /// The share of the pairs, by chance one half.
    pub value: f64,
    /// How many pairs.
    pub n: usize,
    /// Its 95 % interval.
    pub interval: Interval,
}

impl HeldOutAccuracy {
    /// The accuracy of so many right of `n` pairs, with Wilson's interval.
    ///
    /// # Errors
    /// No pairs, or more right than pairs.
    pub fn of(n_right: usize, n: usize) -> redline_probe::Result<Self> {
        let interval = wilson_interval(n_right, n)?;
        Ok(Self { value: n_right as f64 / n as f64, n, interval })
    }

    /// Whether its interval lies above one half, which is chance.
    pub fn is_above_chance(&self) -> bool {
        self.interval.low > 0.5
    }

    fn is_sound(&self) -> bool {
        let (low, high) = (self.interval.low, self.interval.high);
        (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high) && low <= self.value && self.value <= high
    }
}

/// Shares of rows around the mean of the answers before; a row at the mean counts as above it. They add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quadrants {
    /// Above in both scores.
    pub both_above: f64,
    /// Above in the first score only.
    pub first_above: f64,
    /// Above in the second score only.
    pub second_above: f64,
    /// Below in both scores.
    pub both_below: f64,
}

impl Quadrants {
    fn of(points: &[[f64; 2]]) -> Self {
        let share = |sides: [bool; 2]| share(points, |point| point.map(|value| value >= 0.0) == sides);
        Self {
            both_above: share([true, true]),
            first_above: share([true, false]),
            second_above: share([false, true]),
            both_below: share([false, false]),
        }
    }
}

/// Two scores of a system's answers, before and after. All scores and shifts are in standard deviations of the answers before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreShift {
    /// The system, or a checkpoint of it.
    pub system: String,
    /// What the first score (drawn to the right) and the second (drawn upwards) are called, with their models.
    pub names: [String; 2],
    /// What each score is worth.
    pub accuracies: [HeldOutAccuracy; 2],
    /// How many rows.
    pub n: usize,
    /// Mean of each score before, in the score's own unit.
    pub centers: [f64; 2],
    /// Sample standard deviation of each score before, in the score's own unit.
    pub scales: [f64; 2],
    /// Mean of after less before, with a bootstrap interval over rows.
    pub mean_shift: [Estimate; 2],
    /// Covariance of the mean shift: that of the rows' shifts, divided by their number.
    pub covariance: [[f64; 2]; 2],
    /// Where the answers before are.
    pub quadrants_before: Quadrants,
    /// Where the answers after are.
    pub quadrants_after: Quadrants,
    /// Share of rows made worse, in each score.
    pub worse: [f64; 2],
    /// Share of rows made worse in one of the scores at least.
    pub worse_in_either: f64,
    /// Share of rows that keep both scores.
    pub unmoved: f64,
    /// The answers before, row by row.
    pub before: Vec<[f64; 2]>,
    /// The answers after, row by row.
    pub after: Vec<[f64; 2]>,
}

impl ScoreShift {
    /// The shift between the scores of the answers before and of those after, of which each row has one.
    ///
    /// # Errors
    /// [`ShiftError`]; accuracies are looked at first, and one without pairs is none.
    ///
    /// # Example
    /// ```
    /// use redline_lab::contest::{HeldOutAccuracy, ScoreShift, ShiftError};
    ///
    /// let before: Vec<[f64; 2]> = (0..8).map(|row| [f64::from(row), f64::from(row % 3)]).collect();
    /// let after: Vec<[f64; 2]> = before.iter().map(|[x, y]| [x + 1.0, *y]).collect();
    /// let names = || ["helpful (reward-4m)".to_owned(), "harmless (cost-4m)".to_owned()];
    /// let known = HeldOutAccuracy::of(70, 100).unwrap();
    /// let found = ScoreShift::of("aligner", names(), &before, &after, [known, known], 0).unwrap();
    /// assert!(found.mean_shift[0].value > 0.4 && found.mean_shift[1].value == 0.0 && found.worse == [0.0, 0.0]);
    /// let refused = ScoreShift::of("aligner", names(), &before, &after, [Some(known), None], 0);
    /// assert!(matches!(refused, Err(ShiftError::NoAccuracy { .. })));
    /// ```
    pub fn of(
        system: &str,
        names: [String; 2],
        before: &[[f64; 2]],
        after: &[[f64; 2]],
        accuracies: [impl Into<Option<HeldOutAccuracy>>; 2],
        seed: u64,
    ) -> Result<Self, ShiftError> {
        let accuracies = checked_accuracies(&names, accuracies.map(Into::into))?;
        check_rows(&names, before, after)?;
        let n = before.len();
        let [(center_x, scale_x), (center_y, scale_y)] = [scale(&names, before, 0)?, scale(&names, before, 1)?];
        let (centers, scales) = ([center_x, center_y], [scale_x, scale_y]);
        let standard = |row: &[f64; 2]| [0, 1].map(|axis| (row[axis] - centers[axis]) / scales[axis]);
        let [standard_before, standard_after] =
            [before, after].map(|rows| rows.iter().map(standard).collect::<Vec<_>>());
        let shift = |(old, new): (&[f64; 2], &[f64; 2])| [0, 1].map(|axis| (new[axis] - old[axis]) / scales[axis]);
        let shifts: Vec<[f64; 2]> = before.iter().zip(after).map(shift).collect();
        let (_, covariance) = mean_and_covariance(&shifts);
        let mean_shift = mean_shifts(&shifts, seed);
        let numbers = mean_shift.iter().map(|mean| mean.value).chain(covariance.into_iter().flatten());
        if !numbers.chain(standard_after.iter().copied().flatten()).all(f64::is_finite) {
            return Err(ShiftError::TooWide { scores: names });
        }
        let pairs: Vec<([f64; 2], [f64; 2])> = before.iter().copied().zip(after.iter().copied()).collect();
        let is_worse = |axis: usize| move |(old, new): &([f64; 2], [f64; 2])| new[axis] < old[axis];
        Ok(Self {
            system: system.to_owned(),
            names,
            accuracies,
            n,
            centers,
            scales,
            mean_shift,
            covariance,
            quadrants_before: Quadrants::of(&standard_before),
            quadrants_after: Quadrants::of(&standard_after),
            worse: [0, 1].map(|axis| share(&pairs, is_worse(axis))),
            worse_in_either: share(&pairs, |pair| is_worse(0)(pair) || is_worse(1)(pair)),
            unmoved: share(&pairs, |(old, new)| old == new),
            before: standard_before,
            after: standard_after,
        })
    }

    /// The 95 % ellipse of the mean shift, by chi-square with two degrees of freedom. It rests on many rows: of six rows, one that covers
    /// 95 % would be 1.7 times as wide, of thirty 1.07 times.
    pub fn ellipse(&self) -> Ellipse {
        Ellipse::of(self.mean_shift.map(|mean| mean.value), self.covariance)
    }
}

/// Share of the rows of which something holds.
fn share<T>(rows: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    rows.iter().filter(|row| holds(row)).count() as f64 / rows.len() as f64
}

fn checked_accuracies(
    names: &[String; 2],
    accuracies: [Option<HeldOutAccuracy>; 2],
) -> Result<[HeldOutAccuracy; 2], ShiftError> {
    let checked = |axis: usize| {
        let score = || names[axis].clone();
        let found =
            accuracies[axis].filter(|found| found.n > 0).ok_or_else(|| ShiftError::NoAccuracy { score: score() })?;
        found.is_sound().then_some(found).ok_or_else(|| ShiftError::Accuracy { score: score(), got: found })
    };
    Ok([checked(0)?, checked(1)?])
}

fn check_rows(names: &[String; 2], before: &[[f64; 2]], after: &[[f64; 2]]) -> Result<(), ShiftError> {
    if before.len() != after.len() {
        return Err(ShiftError::Sizes { before: before.len(), after: after.len() });
    }
    if before.len() < FEWEST_UNITS {
        return Err(ShiftError::TooFew { got: before.len(), needed: FEWEST_UNITS });
    }
    for (when, rows) in [("before", before), ("after", after)] {
        for (row, scores) in rows.iter().enumerate() {
            if let Some(axis) = scores.iter().position(|score| !score.is_finite()) {
                return Err(ShiftError::NotFinite { score: names[axis].clone(), when, row, got: scores[axis] });
            }
        }
    }
    Ok(())
}

/// Mean and sample standard deviation of one score before.
fn scale(names: &[String; 2], before: &[[f64; 2]], axis: usize) -> Result<(f64, f64), ShiftError> {
    let scores = || before.iter().map(|row| row[axis]);
    let (low, high) = scores().fold((f64::MAX, f64::MIN), |(low, high), score| (low.min(score), high.max(score)));
    if high - low <= ROUNDING * low.abs().max(high.abs()) {
        return Err(ShiftError::Constant { score: names[axis].clone(), value: low });
    }
    let n = before.len() as f64;
    // from the first score, so that large scores close to each other keep their digits
    let mean = low + scores().map(|score| score - low).sum::<f64>() / n;
    let deviation = (scores().map(|score| (score - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    match mean.is_finite() && deviation.is_finite() && deviation > 0.0 {
        true => Ok((mean, deviation)),
        false => Err(ShiftError::TooWide { scores: names.clone() }),
    }
}

/// The mean of shifts and its covariance.
fn mean_and_covariance(shifts: &[[f64; 2]]) -> ([f64; 2], [[f64; 2]; 2]) {
    let n = shifts.len() as f64;
    let mean = [0, 1].map(|axis| shifts.iter().map(|shift| shift[axis]).sum::<f64>() / n);
    let product = |a: usize, b: usize| {
        let sum: f64 = shifts.iter().map(|shift| (shift[a] - mean[a]) * (shift[b] - mean[b])).sum();
        sum / (n - 1.0) / n
    };
    (mean, [[product(0, 0), product(0, 1)], [product(1, 0), product(1, 1)]])
}

/// Mean shifts with their intervals; each resample draws whole rows, so that both scores and both answers of a row stay together.
fn mean_shifts(shifts: &[[f64; 2]], seed: u64) -> [Estimate; 2] {
    let mean = |axis: usize, counts: &[u32]| {
        let sum: f64 = shifts.iter().zip(counts).map(|(shift, count)| shift[axis] * f64::from(*count)).sum();
        Some(sum / shifts.len() as f64)
    };
    let found = estimate(shifts.len(), N_RESAMPLES, seed, |counts| [mean(0, counts), mean(1, counts)]);
    found.map(|mean| mean.expect("a mean of six rows or more is defined"))
}
