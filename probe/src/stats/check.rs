//! Rules for lists of numbers, each an error of its own.

use crate::error::{Error, Result};

/// Refuses the first NaN or infinite value.
///
/// # Errors
/// [`Error::NotFinite`].
pub fn check_finite(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

/// Refuses values that are not finite or not in strictly ascending order.
///
/// # Errors
/// [`Error::NotFinite`], [`Error::NotAscending`].
pub fn check_ascending(what: &'static str, values: &[f64]) -> Result<()> {
    check_finite(what, values)?;
    match values.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(index) => {
            Err(Error::NotAscending { what, index: index + 1, previous: values[index], value: values[index + 1] })
        }
        None => Ok(()),
    }
}

/// Refuses two paired sequences of different length, or fewer than `needed` pairs.
///
/// # Errors
/// [`Error::LengthMismatch`], [`Error::TooFew`].
pub fn check_pairs(what: &'static str, got: usize, expected: usize, needed: usize) -> Result<()> {
    match got {
        got if got != expected => Err(Error::LengthMismatch { what, got, expected }),
        got if got < needed => Err(Error::TooFew { what, got, needed }),
        _ => Ok(()),
    }
}
