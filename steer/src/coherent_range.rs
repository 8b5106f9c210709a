//! The coherent range: how far the coefficient can be turned before the output falls apart.
//!
//! It is the widest contiguous run of coefficients around 0 at which a measure of coherence (for instance the negative
//! log-likelihood per token under the unsteered model) stays within a bound of its value at 0, on either side. The bound
//! is fixed before the run. A coherent coefficient beyond an incoherent one does not count.

use redline_probe::stats::{check_ascending, check_pairs};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Coefficients around 0 at which the output stays coherent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoherentRange {
    /// Index of the lowest coherent coefficient.
    pub first: usize,
    /// Index of the highest coherent coefficient (inclusive).
    pub last: usize,
    /// The lowest coherent coefficient.
    pub low: f64,
    /// The highest coherent coefficient.
    pub high: f64,
    /// The value at coefficient 0.
    pub baseline: f64,
    /// The largest difference from the baseline that counts as coherent.
    pub bound: f64,
}

impl CoherentRange {
    /// Whether a coefficient, measured or not, lies in the range.
    pub fn contains(&self, coefficient: f64) -> bool {
        (self.low..=self.high).contains(&coefficient)
    }

    /// The indices of the coherent coefficients, for slicing.
    pub fn indices(&self) -> std::ops::RangeInclusive<usize> {
        self.first..=self.last
    }
}

/// Finds the coherent range of a sweep; `values[i]` belongs to `coefficients[i]`, and a missing one is not coherent.
///
/// # Errors
/// [`Error::OutOfRange`] for a bound that is negative or not finite, [`Error::LengthMismatch`],
/// [`Error::NotAscending`] or [`Error::NotFinite`] for the coefficients, [`Error::NotFinite`] for a value,
/// [`Error::NoBaseline`] when 0 is not among the coefficients, [`Error::BaselineMissing`] when its value is missing.
///
/// # Example
/// ```
/// let coefficients = [-2.0, -1.0, 0.0, 1.0, 2.0];
/// let nll = [Some(4.0), Some(2.1), Some(2.0), Some(2.3), None];
/// let range = redline_steer::coherent_range(&coefficients, &nll, 0.5).unwrap();
/// assert_eq!((range.low, range.high), (-1.0, 1.0));
/// ```
pub fn coherent_range(coefficients: &[f64], values: &[Option<f64>], bound: f64) -> Result<CoherentRange> {
    if !(bound.is_finite() && bound >= 0.0) {
        return Err(Error::OutOfRange {
            what: "bound of coherence",
            got: bound,
            expected: "a finite number of at least 0",
        });
    }
    check_pairs("values of coherence", values.len(), coefficients.len(), 0)?;
    check_ascending("coefficients", coefficients)?;
    check_values(values)?;
    let zero = coefficients.iter().position(|&coefficient| coefficient == 0.0);
    let zero = zero.ok_or(Error::NoBaseline { n: coefficients.len() })?;
    let baseline = values[zero].ok_or(Error::BaselineMissing { index: zero })?;

    let coherent = |value: &&Option<f64>| value.is_some_and(|value| (value - baseline).abs() <= bound);
    let first = zero - values[..zero].iter().rev().take_while(coherent).count();
    let last = zero + values[zero + 1..].iter().take_while(coherent).count();
    Ok(CoherentRange { first, last, low: coefficients[first], high: coefficients[last], baseline, bound })
}

fn check_values(values: &[Option<f64>]) -> Result<()> {
    let bad = values
        .iter()
        .enumerate()
        .find_map(|(index, value)| value.filter(|value| !value.is_finite()).map(|value| (index, value)));
    match bad {
        Some((index, value)) => Err(Error::NotFinite { what: "values of coherence", index, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COEFFICIENTS: [f64; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];

    #[test]
    fn stops_at_the_first_departure_on_each_side() {
        // Coefficient 1 is within the bound again, but lies beyond an incoherent one.
        let values = [1.2, 1.5, 1.0, 2.0, 1.0].map(Some);
        let range = coherent_range(&COEFFICIENTS, &values, 0.5).unwrap();
        assert_eq!((range.first, range.last, range.low, range.high), (0, 2, -1.0, 0.0));
        assert_eq!(range.indices().count(), 3);
        assert!(range.contains(-0.7) && !range.contains(0.1));
    }

    #[test]
    fn departures_downwards_count_and_the_bound_is_inclusive() {
        let values = [0.5, 0.75, 1.0, 1.25, 1.5].map(Some);
        let range = coherent_range(&COEFFICIENTS, &values, 0.25).unwrap();
        assert_eq!((range.low, range.high), (-0.5, 0.5));
        let alone = coherent_range(&COEFFICIENTS, &values, 0.0).unwrap();
        assert_eq!((alone.first, alone.last), (2, 2));
    }

    #[test]
    fn a_missing_value_ends_the_range() {
        let values = [Some(1.0), None, Some(1.0), Some(1.0), Some(1.0)];
        let range = coherent_range(&COEFFICIENTS, &values, 9.0).unwrap();
        assert_eq!((range.low, range.high), (0.0, 1.0));
    }

    #[test]
    fn bad_input_is_refused() {
        let ones = [Some(1.0); 2];
        assert!(matches!(coherent_range(&[0.5, 1.0], &ones, 1.0), Err(Error::NoBaseline { n: 2 })));
        assert!(matches!(coherent_range(&[], &[], 1.0), Err(Error::NoBaseline { n: 0 })));
        assert!(matches!(
            coherent_range(&[0.0, 1.0], &[None, Some(1.0)], 1.0),
            Err(Error::BaselineMissing { index: 0 })
        ));
        assert!(matches!(coherent_range(&[1.0, 0.0], &ones, 1.0), Err(Error::NotAscending { index: 1, .. })));
        assert!(matches!(coherent_range(&[0.0, 0.0], &ones, 1.0), Err(Error::NotAscending { .. })));
        assert!(matches!(coherent_range(&[0.0, f64::NAN], &ones, 1.0), Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(
            coherent_range(&[0.0, 1.0], &[Some(1.0), Some(f64::NAN)], 1.0),
            Err(Error::NotFinite { index: 1, .. })
        ));
        assert!(matches!(coherent_range(&[0.0, 1.0], &ones[..1], 1.0), Err(Error::LengthMismatch { .. })));
        for bound in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(coherent_range(&[0.0, 1.0], &ones, bound), Err(Error::OutOfRange { .. })));
        }
    }

    proptest! {
        #[test]
        fn a_wider_bound_never_narrows_the_range(
            values in prop::collection::vec(prop::option::weighted(0.9, 0.0f64..4.0), 1..20),
            zero in 0usize..20, bounds in (0.0f64..4.0, 0.0f64..4.0),
        ) {
            let zero = zero % values.len();
            let mut values = values;
            values[zero] = Some(2.0);
            let coefficients: Vec<f64> = (0..values.len()).map(|i| i as f64 - zero as f64).collect();
            let narrow = coherent_range(&coefficients, &values, bounds.0.min(bounds.1)).unwrap();
            let wide = coherent_range(&coefficients, &values, bounds.0.max(bounds.1)).unwrap();
            prop_assert!(wide.first <= narrow.first && narrow.last <= wide.last);
            prop_assert!(narrow.contains(0.0));
            for index in wide.indices() {
                prop_assert!((values[index].unwrap() - 2.0).abs() <= wide.bound);
            }
        }
    }
}
