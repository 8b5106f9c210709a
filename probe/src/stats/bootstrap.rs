//! The bootstrap: how far a statistic would move if other units of the same kind had been drawn.
//!
//! A resample draws `n` of the `n` units (pairs, prompts, directions) with replacement and is given as counts: how often each was
//! drawn. The interval is the 2.5th to 97.5th percentile over the resamples (Efron 1979). Draws depend on seed and level alone. Not
//! for testing a hypothesis; for that compare with nulls.

use redline_model::random::Random;
use serde::{Deserialize, Serialize};

use super::Interval;

/// A statistic with its interval; no interval where resampling says nothing, as with one pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The statistic on all units.
    pub value: f64,
    /// Its interval over resampled units.
    pub interval: Option<Interval>,
}

/// Resamples of `n` units: each item says how often every unit was drawn, and adds up to `n`.
///
/// # Example
/// ```
/// use redline_probe::stats::Resamples;
/// let all: Vec<Vec<u32>> = Resamples::new(5, 100, 0).collect();
/// assert!(all.len() == 100 && all.iter().all(|counts| counts.iter().sum::<u32>() == 5));
/// ```
#[derive(Debug, Clone)]
pub struct Resamples {
    random: Random,
    n: usize,
    left: usize,
}

impl Resamples {
    /// `n_resamples` draws of `n` units; the same seed gives the same draws wherever it is used.
    pub fn new(n: usize, n_resamples: usize, seed: u64) -> Self {
        Self { random: Random::named(&[seed], "bootstrap"), n, left: n_resamples }
    }

    /// Draws of a second kind of unit beside those of [`Resamples::new`], independent of them: for two-level resampling.
    pub fn second_level(n: usize, n_resamples: usize, seed: u64) -> Self {
        Self { random: Random::named(&[seed], "bootstrap, second level"), n, left: n_resamples }
    }
}

impl Iterator for Resamples {
    type Item = Vec<u32>;

    fn next(&mut self) -> Option<Vec<u32>> {
        self.left = self.left.checked_sub(1)?;
        let mut counts = vec![0; self.n];
        for _ in 0..self.n {
            counts[self.random.below(self.n)] += 1;
        }
        Some(counts)
    }
}

/// Computes `K` statistics on all `n` units and on resamples of them.
///
/// `statistics` takes how often each unit counts. Resamples in which a statistic is undefined are left out of its interval.
pub fn estimate<const K: usize>(
    n: usize,
    n_resamples: usize,
    seed: u64,
    statistics: impl Fn(&[u32]) -> [Option<f64>; K],
) -> [Option<Estimate>; K] {
    let values = statistics(&vec![1; n]);
    let mut resampled: [Vec<f64>; K] = std::array::from_fn(|_| Vec::with_capacity(n_resamples));
    for counts in Resamples::new(n, if n < 2 { 0 } else { n_resamples }, seed) {
        for (seen, value) in resampled.iter_mut().zip(statistics(&counts)) {
            seen.extend(value);
        }
    }
    let mut resampled = resampled.into_iter();
    values.map(|value| {
        let interval = resampled.next().and_then(Interval::of);
        value.map(|value| Estimate { value, interval })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(values: &[f64], counts: &[u32]) -> [Option<f64>; 1] {
        let total: f64 = values.iter().zip(counts).map(|(value, count)| value * f64::from(*count)).sum();
        [Some(total / values.len() as f64)]
    }

    #[test]
    fn the_interval_of_a_mean_has_the_width_theory_gives() {
        // 400 values, half 0 and half 1: the mean's standard error is 0.5 / 20 = 0.025
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let [found] = estimate(400, 4000, 1, |counts| mean_of(&values, counts));
        let Estimate { value, interval: Some(Interval { low, high }) } = found.unwrap() else { panic!("no interval") };
        assert_eq!(value, 0.5);
        assert!((low - (0.5 - 1.96 * 0.025)).abs() < 0.005, "{low}");
        assert!((high - (0.5 + 1.96 * 0.025)).abs() < 0.005, "{high}");
    }

    #[test]
    fn a_seed_fixes_the_interval() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let run = |seed| estimate(50, 200, seed, |counts| mean_of(&values, counts));
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn one_pair_and_undefined_statistics_give_no_interval() {
        let [one] = estimate(1, 100, 0, |_| [Some(2.0)]);
        assert_eq!(one, Some(Estimate { value: 2.0, interval: None }));
        let [undefined] = estimate(9, 100, 0, |_| [None]);
        assert_eq!(undefined, None);
    }

    #[test]
    fn the_draws_stay_what_they_are() {
        // every published interval rests on them
        let first = |mut resamples: Resamples| resamples.next().unwrap();
        assert_eq!(first(Resamples::new(8, 1, 0)), PINNED_FIRST);
        assert_eq!(first(Resamples::second_level(8, 1, 0)), PINNED_SECOND);
    }

    const PINNED_FIRST: [u32; 8] = [0, 1, 0, 2, 2, 1, 1, 1];
    const PINNED_SECOND: [u32; 8] = [0, 1, 2, 1, 2, 0, 1, 1];
}
