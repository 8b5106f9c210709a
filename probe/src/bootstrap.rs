//! Bootstrap intervals over pairs: how far a statistic would move if other pairs of the same kind had been drawn.
//!
//! A resample draws `n` of the `n` pairs with replacement and is given as counts: how often each pair was drawn. The interval is
//! the 2.5th to 97.5th percentile over the resamples, interpolated linearly. Draws depend on the seed alone. Not for
//! testing a hypothesis; for that compare with controls.

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// Share of the resamples an interval covers.
pub const COVERAGE: f64 = 0.95;

/// A 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

/// A statistic with its interval; no interval where resampling says nothing, as with one pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The statistic on all pairs.
    pub value: f64,
    /// Its interval over resampled pairs.
    pub interval: Option<Interval>,
}

/// Computes `K` statistics on all `n` pairs and on resamples of them.
///
/// `statistics` takes how often each pair counts. Resamples in which a statistic is undefined are left out of its interval.
pub fn estimate<const K: usize>(
    n: usize,
    n_resamples: usize,
    seed: u64,
    statistics: impl Fn(&[u32]) -> [Option<f64>; K],
) -> [Option<Estimate>; K] {
    let values = statistics(&vec![1; n]);
    let mut resampled: [Vec<f64>; K] = std::array::from_fn(|_| Vec::with_capacity(n_resamples));
    let mut rng = StdRng::seed_from_u64(seed);
    let mut counts = vec![0; n];
    for _ in 0..if n < 2 { 0 } else { n_resamples } {
        draw(&mut rng, &mut counts);
        for (seen, value) in resampled.iter_mut().zip(statistics(&counts)) {
            seen.extend(value);
        }
    }
    let mut resampled = resampled.into_iter();
    values.map(|value| {
        let interval = resampled.next().and_then(interval);
        value.map(|value| Estimate { value, interval })
    })
}

fn draw(rng: &mut StdRng, counts: &mut [u32]) {
    counts.fill(0);
    for _ in 0..counts.len() {
        counts[rng.random_range(0..counts.len())] += 1;
    }
}

fn interval(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - COVERAGE) / 2.0;
    Some(Interval { low: percentile(&values, tail)?, high: percentile(&values, 1.0 - tail)? })
}

/// The value below which `share` of the sorted values lie.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
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
    fn percentiles_interpolate() {
        assert_eq!(percentile(&[0.0, 1.0, 2.0], 0.25), Some(0.5));
        assert_eq!(percentile(&[3.0], 0.975), Some(3.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
