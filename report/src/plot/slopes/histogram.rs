//! Bins of slopes.

use crate::plot::frame::{extent, round_step};

/// Slopes from `low` up to, but not at, `high`.
#[derive(Debug, PartialEq)]
pub(in crate::plot) struct Bin {
    pub low: f64,
    pub high: f64,
    pub count: usize,
}

/// Bins of round width, one edge at 0; about as many as the square root of the count suggests, doubled.
pub(in crate::plot) fn histogram(slopes: &[f64]) -> Vec<Bin> {
    let (low, high) = extent(slopes.iter().copied()).unwrap_or((0.0, 0.0));
    let span = if high - low > 0.0 { high - low } else { high.abs().max(1.0) };
    let n = (2.0 * (slopes.len() as f64).sqrt()).clamp(4.0, 40.0);
    let step = round_step(span, n as usize);
    let place = |slope: f64| (slope / step).floor() as i64;
    if low.abs().max(high.abs()) > 1e9 * step {
        return Vec::new(); // equal up to rounding and far from 0: the rows show them
    }
    let (first, last) = (place(low), place(high));
    let bin = |i: i64| Bin {
        low: i as f64 * step,
        high: (i + 1) as f64 * step,
        count: slopes.iter().filter(|slope| place(**slope) == i).count(),
    };
    (first..=last).map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_meet_at_zero_and_hold_every_slope() {
        let slopes = [-0.31, -0.02, 0.0, 0.05, 0.4, 0.41, 1.2];
        let bins = histogram(&slopes);
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), slopes.len());
        assert!(bins.iter().all(|bin| bin.low >= 0.0 || bin.high <= 1e-12));
        let negative: usize = bins.iter().filter(|bin| bin.low < 0.0).map(|bin| bin.count).sum();
        assert_eq!(negative, 2);
    }

    #[test]
    fn equal_slopes_make_one_bin() {
        let bins = histogram(&[0.5, 0.5, 0.5]);
        assert_eq!(bins.iter().filter(|bin| bin.count > 0).count(), 1);
    }
}
