//! Arms of an experiment: a control vector at a coefficient.

use serde::{Deserialize, Serialize};

use crate::{ControlVector, Error, Result};

/// Name of a vector in results.
pub const CORRECTION: &str = "correction";

/// A named control vector.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedVector {
    /// `correction`, `random-3`, `shuffled`: the name in results.
    pub name: String,
    /// The vector.
    pub vector: ControlVector,
}

/// One condition that every prompt runs under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Index of the vector.
    pub vector: usize,
    /// The signed strength.
    pub coefficient: f32,
}

/// Every vector at every coefficient; coefficient 0 only once, since it is the same for all.
///
/// # Errors
/// No coefficient, one that is not finite, or one given twice.
pub fn arms(n_vectors: usize, coefficients: &[f32]) -> Result<Vec<Arm>> {
    check_coefficients(coefficients)?;
    let arm = |vector| {
        coefficients
            .iter()
            .filter(move |&&coefficient| vector == 0 || coefficient != 0.0)
            .map(move |&coefficient| Arm { vector, coefficient })
    };
    Ok((0..n_vectors).flat_map(arm).collect())
}

/// Largest coefficient, in either direction: far beyond where any text stays whole, and far below where activations overflow.
pub const LARGEST_COEFFICIENT: f32 = 1000.0;

/// Refuses coefficients that no sweep can use.
///
/// # Errors
/// No coefficient, one that is not finite or beyond [`LARGEST_COEFFICIENT`], or one given twice.
pub fn check_coefficients(coefficients: &[f32]) -> Result<()> {
    if coefficients.is_empty() {
        return Err(Error::NoCoefficients);
    }
    for (i, &coefficient) in coefficients.iter().enumerate() {
        if !coefficient.is_finite() {
            return Err(Error::CoefficientNotFinite { coefficient });
        }
        if coefficient.abs() > LARGEST_COEFFICIENT {
            return Err(Error::CoefficientTooLarge { coefficient, most: LARGEST_COEFFICIENT });
        }
        if coefficients[..i].contains(&coefficient) {
            return Err(Error::CoefficientTwice { coefficient });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_runs_once() {
        let arms = arms(2, &[-1.0, 0.0, 1.0]).unwrap();
        let pairs: Vec<(usize, f32)> = arms.iter().map(|arm| (arm.vector, arm.coefficient)).collect();
        assert_eq!(pairs, [(0, -1.0), (0, 0.0), (0, 1.0), (1, -1.0), (1, 1.0)]);
    }

    #[test]
    fn bad_coefficients_are_refused() {
        assert!(matches!(check_coefficients(&[]), Err(Error::NoCoefficients)));
        assert!(matches!(check_coefficients(&[f32::INFINITY]), Err(Error::CoefficientNotFinite { .. })));
        assert!(check_coefficients(&[-LARGEST_COEFFICIENT, LARGEST_COEFFICIENT]).is_ok());
        assert!(matches!(check_coefficients(&[0.0, 1e30]), Err(Error::CoefficientTooLarge { .. })));
        assert!(matches!(check_coefficients(&[1.0, 1.0]), Err(Error::CoefficientTwice { .. })));
    }
}
