//! Checks of plot data, shared by all plots.

use super::{Estimate, PlotError, ends_of};

/// Every value must be finite.
pub(super) fn finite(plot: &'static str, what: &str, values: &[f64]) -> Result<(), PlotError> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(&value) => Err(PlotError::NotFinite { plot, what: what.to_owned(), value }),
    }
}

/// A list must have the length of its axis.
pub(super) fn length(plot: &'static str, what: &str, got: usize, expected: usize) -> Result<(), PlotError> {
    if got == expected {
        return Ok(());
    }
    Err(PlotError::Ragged { plot, what: what.to_owned(), got, expected })
}

/// There must be something to draw.
pub(super) fn some(plot: &'static str, what: &'static str, n: usize) -> Result<(), PlotError> {
    if n == 0 { Err(PlotError::Empty { plot, what }) } else { Ok(()) }
}

/// Positions must grow.
pub(super) fn ascending<T: PartialOrd>(
    plot: &'static str,
    what: &'static str,
    positions: &[T],
) -> Result<(), PlotError> {
    match positions.windows(2).position(|pair| pair[0] >= pair[1]) {
        None => Ok(()),
        Some(before) => Err(PlotError::NotAscending { plot, what, position: before + 1 }),
    }
}

/// An interval's numbers must be finite and its ends in order.
pub(super) fn interval(plot: &'static str, what: &str, estimate: &Estimate) -> Result<(), PlotError> {
    let (lower, upper) = ends_of(estimate);
    finite(plot, what, &[estimate.value, lower, upper])?;
    ends(plot, what, lower, upper)
}

/// The ends of an interval must be in order.
pub(super) fn ends(plot: &'static str, what: &str, lower: f64, upper: f64) -> Result<(), PlotError> {
    if lower <= upper {
        return Ok(());
    }
    Err(PlotError::ReversedInterval { plot, what: what.to_owned(), lower, upper })
}

/// A number must lie in a range, ends included.
pub(super) fn within(plot: &'static str, what: &str, value: f64, (low, high): (f64, f64)) -> Result<(), PlotError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(PlotError::OutOfRange { plot, what: what.to_owned(), value, low, high })
}
