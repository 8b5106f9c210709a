//! Pearson's correlation: how well a straight line with any slope describes two sequences, −1 … 1.

use super::WinRateError;
use super::error::check_finite;

/// Pearson's correlation Σ(x − x̄)(y − ȳ) / √(Σ(x − x̄)² Σ(y − ȳ)²); `None` when one of the sequences is constant, where it is
/// undefined.
///
/// # Errors
/// [`WinRateError::Sizes`], [`WinRateError::TooFew`] for fewer than two pairs, [`WinRateError::NotFinite`].
///
/// # Example
/// ```
/// let r = redline_judge::win_rate::pearson(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).unwrap();
/// assert_eq!(r, Some(-1.0));
/// ```
pub fn pearson(x: &[f64], y: &[f64]) -> Result<Option<f64>, WinRateError> {
    if x.len() != y.len() {
        return Err(WinRateError::Sizes { what: "y of a correlation", got: y.len(), expected: x.len() });
    }
    if x.len() < 2 {
        return Err(WinRateError::TooFew { what: "pairs of a correlation", got: x.len(), needed: 2 });
    }
    check_finite("x of a correlation", x)?;
    check_finite("y of a correlation", y)?;
    // Scaled to at most 1 first, so that no square overflows or vanishes.
    let (x, y) = (centred(x), centred(y));
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (xx, yy) = (sum(&x, &x), sum(&y, &y));
    Ok((xx > 0.0 && yy > 0.0).then(|| (sum(&x, &y) / (xx * yy).sqrt()).clamp(-1.0, 1.0)))
}

/// The values less their mean, divided by the largest of these; all 0 for equal values.
fn centred(values: &[f64]) -> Vec<f64> {
    if values.iter().all(|value| *value == values[0]) {
        return vec![0.0; values.len()];
    }
    let n = values.len() as f64;
    let mean = values.iter().map(|value| value / n).sum::<f64>();
    let largest = values.iter().map(|value| (value / 2.0 - mean / 2.0).abs()).fold(0.0, f64::max);
    values.iter().map(|value| (value / 2.0 - mean / 2.0) / largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files_for_tests::golden;

    #[test]
    fn the_golden_case_comes_out() {
        let case = &golden("winrate/expected.json")["pearson_spearman"];
        let column = |name: &str| serde_json::from_value::<Vec<f64>>(case[name].clone()).unwrap();
        let r = pearson(&column("x"), &column("y")).unwrap().unwrap();
        assert!((r - case["pearson"].as_f64().unwrap()).abs() < 1e-12, "{r}");
    }

    #[test]
    fn by_hand() {
        // about their means −1 0 1 and −1 1 0: product 1, both squares 2
        let r = pearson(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]).unwrap().unwrap();
        assert!((r - 0.5).abs() < 1e-15);
        // the mean of six times 0.1 is not 0.1 in floating point
        assert_eq!(pearson(&[0.1; 6], &[1.0, 3.0, 2.0, 5.0, 4.0, 6.0]).unwrap(), None);
        let x = [0.0, 1.0 / 7.0, 6.0];
        assert_eq!(pearson(&x, &x.map(|x| 3.0 * x)).unwrap(), Some(1.0), "rounding leads beyond 1");
        let huge = pearson(&[-1e308, 0.0, 1e308], &[-1e-300, 0.0, 1e-300]).unwrap().unwrap();
        assert!((huge - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_pair_of_numbers_is_refused() {
        assert!(matches!(pearson(&[1.0], &[1.0]), Err(WinRateError::TooFew { got: 1, .. })));
        assert!(matches!(pearson(&[1.0, 2.0], &[1.0]), Err(WinRateError::Sizes { got: 1, expected: 2, .. })));
        assert!(matches!(pearson(&[1.0, 2.0], &[1.0, f64::NAN]), Err(WinRateError::NotFinite { index: 1, .. })));
    }
}
