//! Percentiles of sorted values, by linear interpolation between neighbours: numpy's default.

use super::check_finite;
use crate::error::{Error, Result};

/// The `q`-th percentile (`q` from 0 to 100) of values in ascending order.
///
/// The place (n − 1) · q / 100 falls on a value or between two, which are then interpolated.
///
/// # Errors
/// [`Error::TooFew`] for no values, [`Error::NotFinite`], [`Error::NotAscending`] for values out of order (equal
/// neighbours are fine), [`Error::OutOfRange`] for `q`.
///
/// # Example
/// ```
/// assert_eq!(redline_probe::stats::percentile(&[1.0, 2.0, 4.0], 75.0).unwrap(), 3.0);
/// ```
pub fn percentile(sorted: &[f64], q: f64) -> Result<f64> {
    if !(0.0..=100.0).contains(&q) {
        return Err(Error::OutOfRange { what: "percentile", got: q, expected: "0 to 100" });
    }
    if sorted.is_empty() {
        return Err(Error::TooFew { what: "values of a percentile", got: 0, needed: 1 });
    }
    check_finite("values of a percentile", sorted)?;
    if let Some(index) = sorted.windows(2).position(|pair| pair[0] > pair[1]) {
        return Err(Error::NotAscending {
            what: "values of a percentile",
            index: index + 1,
            previous: sorted[index],
            value: sorted[index + 1],
        });
    }
    Ok(interpolate(sorted, q))
}

/// The median of values known to be finite and in ascending order; `None` when there are none.
pub fn median(sorted: &[f64]) -> Option<f64> {
    (!sorted.is_empty()).then(|| interpolate(sorted, 50.0))
}

/// The percentile of values known to be finite, ascending and not empty, for a `q` in range.
pub(super) fn interpolate(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = last as f64 * (q / 100.0);
    let below = (place.floor() as usize).min(last);
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    let t = place - below as f64;
    // From the nearer end, as numpy does: exact at both ends and never outside them.
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equals_numpy() {
        // numpy.percentile([1, 2, 3, 4, 10], [0, 2.5, 25, 40, 90, 97.5, 100])
        let sorted = [1.0, 2.0, 3.0, 4.0, 10.0];
        let expected = [(0.0, 1.0), (2.5, 1.1), (25.0, 2.0), (40.0, 2.6), (90.0, 7.6), (97.5, 9.4), (100.0, 10.0)];
        for (q, value) in expected {
            assert!((percentile(&sorted, q).unwrap() - value).abs() < 1e-12, "{q}");
        }
        assert_eq!(percentile(&[7.5], 2.5).unwrap(), 7.5);
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(matches!(percentile(&[], 50.0), Err(Error::TooFew { got: 0, .. })));
        assert!(matches!(percentile(&[1.0], 100.1), Err(Error::OutOfRange { .. })));
        assert!(matches!(percentile(&[1.0], f64::NAN), Err(Error::OutOfRange { .. })));
        assert!(matches!(percentile(&[1.0, f64::NAN], 50.0), Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(percentile(&[2.0, 1.0], 50.0), Err(Error::NotAscending { index: 1, .. })));
    }

    proptest! {
        #[test]
        fn rises_with_q_and_stays_inside(mut values in prop::collection::vec(-1e6f64..1e6, 1..50), q in 0.0f64..100.0, r in 0.0f64..100.0) {
            values.sort_by(f64::total_cmp);
            let (low, high) = (percentile(&values, q.min(r)).unwrap(), percentile(&values, q.max(r)).unwrap());
            prop_assert!(low <= high);
            prop_assert!(values[0] <= low && high <= values[values.len() - 1]);
        }
    }
}
