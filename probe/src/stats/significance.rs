//! How surprising a result is where nothing is there: its place among nulls, the sign test, the tail of F.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, FisherSnedecor};

use super::check_finite;
use crate::error::{Error, Result};

/// Where a statistic stands among those of nulls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NullPlace {
    /// Nulls it was compared with.
    pub n_nulls: usize,
    /// Nulls that are at least as far from 0, on either side.
    pub n_as_large: usize,
    /// Two-sided p: (1 + `n_as_large`) / (`n_nulls` + 1) (Davison and Hinkley 1997, 4.2). It cannot fall below
    /// 1 / (`n_nulls` + 1): a test at 5 % needs 19 nulls.
    pub p: f64,
}

impl NullPlace {
    /// The place of `statistic` among the same statistic of `nulls`, by magnitude.
    ///
    /// # Errors
    /// [`Error::NotFinite`].
    ///
    /// # Example
    /// ```
    /// use redline_probe::stats::NullPlace;
    /// let place = NullPlace::among(2.0, &[-3.0, 0.5, 1.0]).unwrap();
    /// assert_eq!((place.n_as_large, place.p), (1, 0.5));
    /// ```
    pub fn among(statistic: f64, nulls: &[f64]) -> Result<Self> {
        check_finite("statistic", &[statistic])?;
        check_finite("statistics of nulls", nulls)?;
        let n_as_large = nulls.iter().filter(|null| null.abs() >= statistic.abs()).count();
        Ok(Self { n_nulls: nulls.len(), n_as_large, p: (1 + n_as_large) as f64 / (nulls.len() + 1) as f64 })
    }

    /// Whether there are nulls enough for p to reach `level` at all.
    pub fn can_reach(&self, level: f64) -> bool {
        1.0 / (self.n_nulls + 1) as f64 <= level
    }
}

/// The exact sign test of paired differences: are there more of one sign than a fair coin gives?
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SignTest {
    /// Differences above 0.
    pub n_positive: usize,
    /// Differences below 0.
    pub n_negative: usize,
    /// Differences of 0, which say nothing and are left out.
    pub n_ties: usize,
    /// Two-sided p by the binomial distribution; 1 where all differences are 0.
    pub p: f64,
}

impl SignTest {
    /// The test of these differences. It assumes nothing of their distribution, so it holds for few of them as well.
    ///
    /// # Errors
    /// [`Error::NotFinite`].
    ///
    /// # Example
    /// ```
    /// use redline_probe::stats::SignTest;
    /// // six of six: 2 / 2⁶
    /// assert!((SignTest::of(&[0.1; 6]).unwrap().p - 0.03125).abs() < 1e-12);
    /// ```
    pub fn of(differences: &[f64]) -> Result<Self> {
        check_finite("differences of a sign test", differences)?;
        let n_positive = differences.iter().filter(|difference| **difference > 0.0).count();
        let n_negative = differences.iter().filter(|difference| **difference < 0.0).count();
        let n_ties = differences.len() - n_positive - n_negative;
        let (n, fewer) = ((n_positive + n_negative) as u64, n_positive.min(n_negative) as u64);
        let p = Binomial::new(0.5, n).map_or(1.0, |coin| f64::min(2.0 * coin.cdf(fewer), 1.0));
        Ok(Self { n_positive, n_negative, n_ties, p })
    }
}

/// P(F ≥ f) for F with these degrees of freedom.
///
/// # Errors
/// [`Error::OutOfRange`] for degrees of freedom that are not above 0 or an `f` that is below 0 or not finite.
pub fn f_tail(f: f64, numerator: f64, denominator: f64) -> Result<f64> {
    let refuse = |what, got, expected| Err(Error::OutOfRange { what, got, expected });
    if !(f.is_finite() && f >= 0.0) {
        return refuse("F", f, "a finite number from 0");
    }
    match FisherSnedecor::new(numerator, denominator) {
        Ok(distribution) => Ok(distribution.sf(f)),
        Err(_) => refuse("degrees of freedom of F", numerator.min(denominator), "a finite number above 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_two_sided_and_never_below_one_in_n() {
        let nulls: Vec<f64> = (1..=19).map(f64::from).collect();
        let place = NullPlace::among(-20.0, &nulls).unwrap();
        assert_eq!((place.n_as_large, place.p), (0, 0.05));
        assert!(place.can_reach(0.05) && !place.can_reach(0.01));
        assert_eq!(NullPlace::among(-19.0, &nulls).unwrap().p, 0.1);
        assert_eq!(NullPlace::among(1.0, &[]).unwrap().p, 1.0);
        assert!(matches!(NullPlace::among(f64::NAN, &nulls), Err(Error::NotFinite { .. })));
    }

    #[test]
    fn signs_are_counted_exactly() {
        // scipy.stats.binomtest(1, 9): 0.0390625
        let test = SignTest::of(&[1.0, 2.0, 0.0, 1.0, 3.0, 1.0, 1.0, 1.0, 2.0, -5.0]).unwrap();
        assert_eq!((test.n_positive, test.n_negative, test.n_ties), (8, 1, 1));
        assert!((test.p - 0.039_062_5).abs() < 1e-12, "{test:?}");
        assert_eq!(SignTest::of(&[0.0, 0.0]).unwrap().p, 1.0);
        assert_eq!(SignTest::of(&[1.0, -1.0]).unwrap().p, 1.0);
        assert!((SignTest::of(&[1.0; 3]).unwrap().p - 0.25).abs() < 1e-12, "three of three are no evidence");
    }

    #[test]
    fn the_tail_of_f_is_that_of_tables() {
        // 5 % points: F(1, 10) 4.9646, F(5, 100) 2.3053; F(2, d) has the tail (1 + 2 f / d)^(−d/2)
        assert!((f_tail(4.964_603, 1.0, 10.0).unwrap() - 0.05).abs() < 1e-6);
        assert!((f_tail(2.305_318, 5.0, 100.0).unwrap() - 0.05).abs() < 1e-6);
        assert!((f_tail(3.0, 2.0, 8.0).unwrap() - 1.75_f64.powi(-4)).abs() < 1e-9);
        assert_eq!(f_tail(0.0, 3.0, 3.0).unwrap(), 1.0);
        assert!(f_tail(f64::NAN, 1.0, 1.0).is_err() && f_tail(1.0, 0.0, 1.0).is_err());
    }
}
