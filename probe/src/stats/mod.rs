//! The statistics that all results rest on: one mean, one percentile, one interval, one bootstrap, one rank correlation.
//!
//! Everything random takes a seed and draws from the project's own generator ([`redline_model::random`]), so that the same seed gives
//! the same draws everywhere and for ever. What concerns sweeps (lines, straightness, places among nulls) is in `redline-steer`.

mod bootstrap;
mod check;
mod interval;
mod percentile;
mod rank;
mod roc;
mod significance;
mod spread;
mod wilson;

pub use bootstrap::{Estimate, Resamples, estimate};
pub use check::{check_ascending, check_finite, check_pairs};
pub use interval::{COVERAGE, Interval};
pub use percentile::{median, percentile};
pub use rank::{average_ranks, spearman};
pub(crate) use roc::area_under;
pub use roc::{Roc, RocPoint};
pub use significance::{NullPlace, SignTest, f_tail};
pub use spread::{FEWEST_UNITS, MeanEstimate, Spread};
pub use wilson::wilson_interval;

/// Cosine of two vectors of one size; `None` where one of them is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    (norms > 0.0).then(|| (dot(a, b) / norms).clamp(-1.0, 1.0))
}

/// Mean of the values; `None` without any.
///
/// # Example
/// ```
/// assert_eq!(redline_probe::stats::mean([1.0, 2.0, 6.0]), Some(3.0));
/// ```
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.into_iter().fold((0.0, 0usize), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}
