//! How well scores tell the poles apart: four statistics of the scores of pairs.
//!
//! | | within a pair | across pairs |
//! |---|---|---|
//! | a share | pair accuracy: the positive scores above its own negative | AUROC: a positive scores above any negative |
//! | an effect size | Cohen's d (`d_z`): mean of the score differences / their standard deviation | d′: difference of the means / pooled standard deviation of the poles |
//!
//! Ties count half. Deviations of differences divide by `n − 1`; those of the poles are root mean squares, as in
//! `d′ = (μ₊ − μ₋) / √((σ₊² + σ₋²) / 2)`. What is undefined (no spread, one pair) is `None`, never NaN.
//!
//! Each takes `counts`, how often each pair counts: ones for the data as they are, a resample for a bootstrap.

use crate::stats::area_under;

/// Spread below this share of the largest score is rounding.
const NO_SPREAD: f64 = 1e-12;

/// Scores of pairs, sorted once.
#[derive(Debug, Clone)]
pub struct PairScores {
    positive: Vec<f64>,
    negative: Vec<f64>,
    /// Places of all scores in rising order; `i < n` is positive `i`, the others are negative `i − n`.
    rising: Vec<usize>,
}

impl PairScores {
    /// Scores of the positive and the negative activation of each pair; a surplus on one side is dropped.
    pub fn new(mut positive: Vec<f64>, mut negative: Vec<f64>) -> Self {
        let n = positive.len().min(negative.len());
        positive.truncate(n);
        negative.truncate(n);
        let mut scores = Self { positive, negative, rising: Vec::new() };
        let mut rising: Vec<usize> = (0..2 * n).collect();
        rising.sort_by(|&a, &b| scores.at(a).total_cmp(&scores.at(b)));
        scores.rising = rising;
        scores
    }

    /// Number of pairs.
    pub fn n_pairs(&self) -> usize {
        self.positive.len()
    }

    /// Share of pairs whose positive scores above its negative.
    pub fn pair_accuracy(&self, counts: &[u32]) -> Option<f64> {
        let (mut won, mut total) = (0.0, 0.0);
        for ((positive, negative), &count) in self.positive.iter().zip(&self.negative).zip(counts) {
            total += f64::from(count);
            won += f64::from(count) * win(*positive, *negative);
        }
        (total > 0.0).then(|| won / total)
    }

    /// Chance that a positive scores above a negative, each drawn from all pairs: the area under the ROC curve.
    pub fn auroc(&self, counts: &[u32]) -> Option<f64> {
        let n = self.n_pairs();
        let tied = |a: &usize, b: &usize| self.at(*a) == self.at(*b);
        area_under(self.rising.chunk_by(tied).map(|group| {
            let (mut positives, mut negatives) = (0.0, 0.0);
            for &place in group {
                match place.checked_sub(n) {
                    None => positives += count_of(counts, place),
                    Some(pair) => negatives += count_of(counts, pair),
                }
            }
            [positives, negatives]
        }))
    }

    /// Mean score of the positives less that of the negatives: how far apart the poles are, in the units of the activations.
    pub fn gap(&self, counts: &[u32]) -> Option<f64> {
        let weighted = self.positive.iter().zip(&self.negative).zip(counts).map(|((p, n), &c)| f64::from(c) * (p - n));
        let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
        (total > 0.0).then(|| weighted.sum::<f64>() / total)
    }

    /// Mean of the score differences over their standard deviation: Cohen's d of paired data, `d_z`.
    pub fn cohens_d(&self, counts: &[u32]) -> Option<f64> {
        let differences = self.positive.iter().zip(&self.negative).map(|(positive, negative)| positive - negative);
        let moments = Moments::of(differences, counts)?;
        let variance = moments.variance * moments.n / (moments.n - 1.0);
        self.effect_size(moments.mean, variance)
    }

    /// Difference of the poles' mean scores over their pooled standard deviation.
    pub fn d_prime(&self, counts: &[u32]) -> Option<f64> {
        let positive = Moments::of(self.positive.iter().copied(), counts)?;
        let negative = Moments::of(self.negative.iter().copied(), counts)?;
        self.effect_size(positive.mean - negative.mean, (positive.variance + negative.variance) / 2.0)
    }

    fn effect_size(&self, mean: f64, variance: f64) -> Option<f64> {
        let largest = |place: Option<&usize>| place.map_or(0.0, |&place| self.at(place).abs());
        let size = largest(self.rising.first()).max(largest(self.rising.last()));
        let deviation = variance.sqrt();
        (deviation > NO_SPREAD * size).then(|| mean / deviation)
    }

    fn at(&self, place: usize) -> f64 {
        match place.checked_sub(self.n_pairs()) {
            None => self.positive[place],
            Some(pair) => self.negative[pair],
        }
    }
}

/// A pair without a count counts for nothing.
fn count_of(counts: &[u32], pair: usize) -> f64 {
    counts.get(pair).copied().map_or(0.0, f64::from)
}

/// 1 when the positive score is above, 1/2 on a tie.
fn win(positive: f64, negative: f64) -> f64 {
    if positive > negative {
        1.0
    } else if positive == negative {
        0.5
    } else {
        0.0
    }
}

struct Moments {
    n: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    /// `None` for fewer than two values.
    fn of(values: impl Iterator<Item = f64> + Clone, counts: &[u32]) -> Option<Self> {
        let weighted = values.zip(counts.iter().map(|count| f64::from(*count)));
        let n: f64 = weighted.clone().map(|(_, count)| count).sum();
        if n < 2.0 {
            return None;
        }
        let mean = weighted.clone().map(|(value, count)| value * count).sum::<f64>() / n;
        let variance = weighted.map(|(value, count)| count * (value - mean).powi(2)).sum::<f64>() / n;
        Some(Self { n, mean, variance })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ones(scores: &PairScores) -> Vec<u32> {
        vec![1; scores.n_pairs()]
    }

    #[test]
    fn known_values() {
        let scores = PairScores::new(vec![1.0, 3.0, 2.0, 5.0], vec![0.0, 3.0, 4.0, 1.0]);
        let counts = ones(&scores);
        assert_eq!(scores.pair_accuracy(&counts), Some(2.5 / 4.0));
        assert_eq!((scores.gap(&counts), scores.gap(&[0, 0, 0, 2])), (Some(0.75), Some(4.0)));
        // wins against 0, 3, 4, 1: 1.5 for 1, 2.5 for 3, 2 for 2, 4 for 5
        assert_eq!(scores.auroc(&counts), Some(10.0 / 16.0));
        // differences 1, 0, -2, 4: mean 0.75, sum of squares about it 18.75
        assert!((scores.cohens_d(&counts).unwrap() - 0.75 / 6.25_f64.sqrt()).abs() < 1e-12);
        // variances 2.1875 and 2.5
        assert!((scores.d_prime(&counts).unwrap() - 0.75 / 2.34375_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn degenerate_scores_are_none_or_chance() {
        let flat = PairScores::new(vec![0.1; 7], vec![0.1; 7]);
        let counts = ones(&flat);
        assert_eq!(flat.auroc(&counts), Some(0.5));
        assert_eq!(flat.pair_accuracy(&counts), Some(0.5));
        assert_eq!((flat.cohens_d(&counts), flat.d_prime(&counts)), (None, None));
        let one = PairScores::new(vec![2.0], vec![1.0]);
        assert_eq!((one.auroc(&[1]), one.pair_accuracy(&[1])), (Some(1.0), Some(1.0)));
        assert_eq!((one.cohens_d(&[1]), one.d_prime(&[1])), (None, None));
        let none = PairScores::new(vec![], vec![]);
        assert_eq!((none.auroc(&[]), none.pair_accuracy(&[]), none.cohens_d(&[])), (None, None, None));
        // differences that are equal but for rounding have no spread either
        let shifted = PairScores::new(vec![0.1 + 0.2, 0.3 + 0.2, 0.7 + 0.2], vec![0.1, 0.3, 0.7]);
        assert_eq!(shifted.cohens_d(&[1, 1, 1]), None);
    }

    /// Few distinct values, so that ties are common.
    fn few_values() -> impl Strategy<Value = Vec<(f64, f64, u32)>> {
        prop::collection::vec((0..6_i32, 0..6_i32, 0..4_u32), 1..20)
            .prop_map(|rows| rows.into_iter().map(|(p, n, c)| (f64::from(p), f64::from(n), c)).collect())
    }

    proptest! {
        #[test]
        fn auroc_is_the_count_of_all_comparisons(rows in few_values()) {
            let scores = PairScores::new(rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect());
            let counts: Vec<u32> = rows.iter().map(|r| r.2).collect();
            let (mut won, mut total) = (0.0, 0.0);
            for (positive, _, a) in &rows {
                for (_, negative, b) in &rows {
                    won += f64::from(a * b) * win(*positive, *negative);
                    total += f64::from(a * b);
                }
            }
            match scores.auroc(&counts) {
                None => prop_assert_eq!(total, 0.0),
                Some(area) => prop_assert!((area - won / total).abs() < 1e-12),
            }
        }

        #[test]
        fn counts_mean_repeated_pairs(rows in few_values()) {
            let scores = PairScores::new(rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect());
            let counts: Vec<u32> = rows.iter().map(|r| r.2).collect();
            let repeat = |pick: fn(&(f64, f64, u32)) -> f64| -> Vec<f64> {
                rows.iter().flat_map(|r| std::iter::repeat_n(pick(r), r.2 as usize)).collect()
            };
            let repeated = PairScores::new(repeat(|r| r.0), repeat(|r| r.1));
            let all = ones(&repeated);
            let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-9,
                (a, b) => a == b,
            };
            prop_assert!(same(scores.pair_accuracy(&counts), repeated.pair_accuracy(&all)));
            prop_assert!(same(scores.auroc(&counts), repeated.auroc(&all)));
            prop_assert!(same(scores.cohens_d(&counts), repeated.cohens_d(&all)));
            prop_assert!(same(scores.d_prime(&counts), repeated.d_prime(&all)));
        }

        #[test]
        fn swapped_poles_mirror_every_statistic(rows in few_values()) {
            let (p, n): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.0, r.1)).unzip();
            let (scores, swapped) = (PairScores::new(p.clone(), n.clone()), PairScores::new(n, p));
            let all = ones(&scores);
            prop_assert!((scores.auroc(&all).unwrap() + swapped.auroc(&all).unwrap() - 1.0).abs() < 1e-12);
            prop_assert!((scores.pair_accuracy(&all).unwrap() + swapped.pair_accuracy(&all).unwrap() - 1.0).abs() < 1e-12);
            prop_assert_eq!(scores.cohens_d(&all).map(|d| -d), swapped.cohens_d(&all));
            prop_assert_eq!(scores.d_prime(&all).map(|d| -d), swapped.d_prime(&all));
        }
    }
}
