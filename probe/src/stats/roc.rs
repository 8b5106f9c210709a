//! The ROC curve of a score: what share of each kind lies above a threshold, for every threshold.
//!
//! A row counts as found where its score is *above* the threshold. Equal scores fall together, so a curve over ties has one point for
//! them, and the area beneath it counts ties half: the chance that a score of the kind sought is above one of the other kind.

use serde::{Deserialize, Serialize};

use super::{check_finite, check_pairs};
use crate::error::{Error, Result};

/// The area under a ROC curve: how often one of the first kind comes after one of the second, ties counting half; `None` where a kind is missing.
///
/// # Shapes
/// For each group of equal scores, in order, the weight of the first kind and that of the second.
pub(crate) fn area_under(groups: impl Iterator<Item = [f64; 2]>) -> Option<f64> {
    let (mut won, mut firsts, mut seconds) = (0.0, 0.0, 0.0);
    for [tied_firsts, tied_seconds] in groups {
        won += tied_firsts * (seconds + tied_seconds / 2.0);
        firsts += tied_firsts;
        seconds += tied_seconds;
    }
    (firsts > 0.0 && seconds > 0.0).then(|| won / (firsts * seconds))
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Scores above it are found; none stands for a threshold below all scores.
    pub threshold: Option<f64>,
    /// Share of the rows of the other kind that are found all the same.
    pub false_rate: f64,
    /// Share of the rows of the kind sought that are found.
    pub true_rate: f64,
}

/// Scores of two kinds of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Roc {
    /// Score and whether the row is of the kind sought, falling.
    falling: Vec<(f64, bool, usize)>,
}

impl Roc {
    /// Takes scores, and whether each row is of the kind sought.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], [`Error::NotFinite`], [`Error::TooFew`] without rows of either kind.
    pub fn new(scores: &[f64], is_sought: &[bool]) -> Result<Self> {
        check_pairs("kinds of scored rows", is_sought.len(), scores.len(), 1)?;
        check_finite("scores", scores)?;
        let n_sought = is_sought.iter().filter(|sought| **sought).count();
        for (what, got) in [("rows of the kind sought", n_sought), ("rows of the other kind", scores.len() - n_sought)]
        {
            if got == 0 {
                return Err(Error::TooFew { what, got, needed: 1 });
            }
        }
        let mut falling: Vec<_> = scores.iter().zip(is_sought).enumerate().map(|(row, (s, k))| (*s, *k, row)).collect();
        falling.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(Self { falling })
    }

    /// The curve, from the threshold that no score exceeds to the one that all do.
    pub fn points(&self) -> Vec<RocPoint> {
        let [n_sought, n_other] = self.counts();
        let (mut sought, mut other) = (0.0, 0.0);
        let mut points = Vec::new();
        for ties in self.ties() {
            let threshold = Some(ties[0].0);
            points.push(RocPoint { threshold, false_rate: other / n_other, true_rate: sought / n_sought });
            let n = ties.iter().filter(|(_, is_sought, _)| *is_sought).count();
            sought += n as f64;
            other += (ties.len() - n) as f64;
        }
        points.push(RocPoint { threshold: None, false_rate: 1.0, true_rate: 1.0 });
        points
    }

    /// The lowest threshold among the scores at which at most `false_rate` of the other kind is found.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a rate that is none.
    pub fn threshold_at(&self, false_rate: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&false_rate) {
            return Err(Error::OutOfRange { what: "false rate", got: false_rate, expected: "0 to 1" });
        }
        let kept = self.points().into_iter().take_while(|point| point.false_rate <= false_rate);
        // the highest score stands first, and nothing is above it
        Ok(kept.filter_map(|point| point.threshold).last().unwrap_or(self.falling[0].0))
    }

    /// The area under the curve, where row `i` counts `weights[i]` times; `None` where a kind has no weight left.
    ///
    /// # Shapes
    /// `weights` has an entry a row; a missing one is 0.
    pub fn area(&self, weights: &[u32]) -> Option<f64> {
        let weight = |row: usize| weights.get(row).copied().map_or(0.0, f64::from);
        area_under(self.ties().map(|ties| {
            [false, true].map(|kind| ties.iter().filter(|tie| tie.1 == kind).map(|tie| weight(tie.2)).sum())
        }))
    }

    fn ties(&self) -> impl Iterator<Item = &[(f64, bool, usize)]> {
        // `==` and not the sort's order, so that 0 and −0 tie
        self.falling.chunk_by(|a, b| a.0 == b.0)
    }

    fn counts(&self) -> [f64; 2] {
        let n_sought = self.falling.iter().filter(|(_, is_sought, _)| *is_sought).count();
        [n_sought as f64, (self.falling.len() - n_sought) as f64]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sought 3 2 2 0, other 2 1 0 0.
    fn by_hand() -> Roc {
        let scores = [3.0, 2.0, 2.0, 0.0, 2.0, 1.0, 0.0, -0.0];
        Roc::new(&scores, &[true, true, true, true, false, false, false, false]).unwrap()
    }

    #[test]
    fn equals_the_example_by_hand() {
        let point = |threshold, false_rate, true_rate| RocPoint { threshold, false_rate, true_rate };
        let expected = [
            point(Some(3.0), 0.0, 0.0),
            point(Some(2.0), 0.0, 0.25),
            point(Some(1.0), 0.25, 0.75),
            point(Some(0.0), 0.5, 0.75),
            point(None, 1.0, 1.0),
        ];
        assert_eq!(by_hand().points(), expected);
        // wins against 2, 1, 0, 0: 4 for 3, 3.5 for each 2, 1 for 0
        assert_eq!(by_hand().area(&[1; 8]), Some(12.0 / 16.0));
        // the trapezia of the curve have the same area
        let under = |points: &[RocPoint]| {
            let wide = |two: &[RocPoint]| {
                (two[1].false_rate - two[0].false_rate) * (two[0].true_rate + two[1].true_rate) / 2.0
            };
            points.windows(2).map(wide).sum::<f64>()
        };
        assert_eq!(under(&by_hand().points()), 0.75);
    }

    #[test]
    fn a_threshold_keeps_the_rate_that_was_asked_for() {
        for (rate, expected) in [(0.0, 2.0), (0.2, 2.0), (0.25, 1.0), (0.49, 1.0), (0.5, 0.0), (1.0, 0.0)] {
            let threshold = by_hand().threshold_at(rate).unwrap();
            assert_eq!(threshold, expected, "{rate}");
        }
        // ties fall together: one of two equal scores cannot be found alone
        let tied = Roc::new(&[1.0, 1.0, 1.0, 0.0], &[true, false, true, false]).unwrap();
        assert_eq!(tied.threshold_at(0.4).unwrap(), 1.0);
        assert!(by_hand().threshold_at(1.5).is_err() && by_hand().threshold_at(f64::NAN).is_err());
    }

    #[test]
    fn weights_count_rows_and_a_missing_kind_has_no_area() {
        let roc = by_hand();
        assert_eq!(roc.area(&[2, 0, 0, 0, 1, 0, 0, 0]), Some(1.0));
        assert_eq!(roc.area(&[0, 0, 0, 1, 0, 0, 1, 1]), Some(0.5));
        assert_eq!(roc.area(&[1, 1, 1, 1, 0, 0, 0, 0]), None);
        assert!(matches!(Roc::new(&[1.0], &[true]), Err(Error::TooFew { got: 0, .. })));
        assert!(matches!(Roc::new(&[1.0, f64::NAN], &[true, false]), Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(Roc::new(&[1.0, 2.0], &[true]), Err(Error::LengthMismatch { .. })));
    }
}
