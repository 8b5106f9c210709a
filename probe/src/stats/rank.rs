//! Spearman's rank correlation: Pearson's correlation of ranks, equal values sharing the mean of their ranks.

use super::{check_finite, check_pairs};
use crate::error::Result;

/// Ranks from 1 in ascending order; equal values get the mean of the ranks they span.
///
/// # Errors
/// [`Error::NotFinite`](crate::Error::NotFinite).
///
/// # Example
/// ```
/// assert_eq!(redline_probe::stats::average_ranks(&[20.0, 10.0, 20.0]).unwrap(), [2.5, 1.0, 2.5]);
/// ```
pub fn average_ranks(values: &[f64]) -> Result<Vec<f64>> {
    check_finite("values to rank", values)?;
    Ok(ranks_of_finite(values))
}

fn ranks_of_finite(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut next = 1;
    // `==` and not the sort's order, so that 0 and −0 tie.
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = next as f64 + (ties.len() - 1) as f64 / 2.0;
        ties.iter().for_each(|&index| ranks[index] = mean);
        next += ties.len();
    }
    ranks
}

/// Spearman's rank correlation of two sequences, −1 … 1; `None` when one of them is constant, where it is undefined.
///
/// # Errors
/// [`LengthMismatch`](crate::Error::LengthMismatch), [`TooFew`](crate::Error::TooFew) for fewer than two pairs,
/// [`NotFinite`](crate::Error::NotFinite).
///
/// # Example
/// ```
/// let rho = redline_probe::stats::spearman(&[1.0, 2.0, 3.0], &[1.0, 10.0, 1000.0]).unwrap();
/// assert_eq!(rho, Some(1.0));
/// ```
pub fn spearman(x: &[f64], y: &[f64]) -> Result<Option<f64>> {
    check_pairs("y of a rank correlation", y.len(), x.len(), 2)?;
    check_finite("x of a rank correlation", x)?;
    check_finite("y of a rank correlation", y)?;
    Ok(spearman_of_ranks(&ranks_of_finite(x), &ranks_of_finite(y)))
}

fn spearman_of_ranks(x: &[f64], y: &[f64]) -> Option<f64> {
    // Average ranks always have this mean, and are halves: the sums below are exact.
    let mean = (x.len() + 1) as f64 / 2.0;
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let (xx, yy) = (sum(x, x), sum(y, y));
    (xx > 0.0 && yy > 0.0).then(|| (sum(x, y) / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use proptest::prelude::*;

    #[test]
    fn equals_the_definition_by_hand() {
        // No ties: 1 − 6 Σd² / (n (n² − 1)) = 1 − 6 · 4 / (5 · 24) = 0.8.
        let rho = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 1.0, 4.0, 3.0, 5.0]).unwrap().unwrap();
        assert!((rho - 0.8).abs() < 1e-15);
        // Ties, scipy.stats.spearmanr([1, 2, 3, 4], [1, 1, 2, 3]): ranks 1.5 1.5 3 4, 4.5 / sqrt(5 · 4.5).
        let rho = spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0, 2.0, 3.0]).unwrap().unwrap();
        assert!((rho - 0.948_683_298_050_513_8).abs() < 1e-15);
    }

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(average_ranks(&[3.0, 1.0, 3.0, 3.0]).unwrap(), [3.0, 1.0, 3.0, 3.0]);
        assert_eq!(average_ranks(&[0.0, -0.0]).unwrap(), [1.5, 1.5]);
        assert!(average_ranks(&[]).unwrap().is_empty());
    }

    #[test]
    fn undefined_and_bad_input() {
        assert_eq!(spearman(&[1.0, 2.0], &[5.0, 5.0]).unwrap(), None);
        assert!(matches!(spearman(&[1.0], &[1.0]), Err(Error::TooFew { got: 1, needed: 2, .. })));
        assert!(matches!(spearman(&[1.0, 2.0], &[1.0]), Err(Error::LengthMismatch { got: 1, expected: 2, .. })));
        assert!(matches!(spearman(&[1.0, 2.0], &[1.0, f64::INFINITY]), Err(Error::NotFinite { index: 1, .. })));
    }

    fn pairs() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        // Small integers, so that there are ties and the maps below keep distinct values distinct.
        prop::collection::vec((-9i32..9, -9i32..9), 2..40)
            .prop_map(|pairs| pairs.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).unzip())
    }

    proptest! {
        #[test]
        fn unchanged_by_rising_maps_and_flipped_by_falling_ones((x, y) in pairs()) {
            let rho = spearman(&x, &y).unwrap();
            let mapped: Vec<f64> = x.iter().map(|x| x.exp()).collect();
            prop_assert_eq!(spearman(&mapped, &y).unwrap(), rho);
            let cubed: Vec<f64> = y.iter().map(|y| y.powi(3) + 5.0).collect();
            prop_assert_eq!(spearman(&x, &cubed).unwrap(), rho);
            let negated: Vec<f64> = y.iter().map(|y| -y).collect();
            prop_assert_eq!(spearman(&x, &negated).unwrap(), rho.map(|rho| -rho));
        }

        #[test]
        fn symmetric_and_one_with_itself((x, y) in pairs()) {
            prop_assert_eq!(spearman(&x, &y).unwrap(), spearman(&y, &x).unwrap());
            let own = spearman(&x, &x).unwrap();
            prop_assert!(own.is_none_or(|rho| (rho - 1.0).abs() < 1e-15));
        }
    }
}
