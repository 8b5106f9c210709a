//! Symmetric positive definite systems of equations, for Newton steps and standard errors.
//!
//! Cholesky's factor, row by row; sizes are those of models and style features, some dozens at most.

/// Smallest share of a diagonal entry that may be left of it after elimination; below, columns count as dependent.
const SMALLEST_PIVOT: f64 = 1e-12;

/// The lower triangular factor of a matrix.
pub(super) struct Cholesky {
    lower: Vec<Vec<f64>>,
}

impl Cholesky {
    /// The factor of a symmetric matrix given by rows; the number of the first column that depends on those before it where the
    /// matrix is not positive definite.
    pub(super) fn of(matrix: &[Vec<f64>]) -> Result<Self, usize> {
        let n = matrix.len();
        let mut lower = vec![vec![0.0; n]; n];
        for row in 0..n {
            for column in 0..=row {
                let done: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
                let left = matrix[row][column] - done;
                lower[row][column] = if row != column {
                    left / lower[column][column]
                } else if left > SMALLEST_PIVOT * matrix[row][row] && left.is_finite() {
                    left.sqrt()
                } else {
                    return Err(row);
                };
            }
        }
        Ok(Self { lower })
    }

    /// The solution of the system with this right-hand side.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = right.len();
        let mut x = right.to_vec();
        for row in 0..n {
            let done: f64 = (0..row).map(|k| self.lower[row][k] * x[k]).sum();
            x[row] = (x[row] - done) / self.lower[row][row];
        }
        for row in (0..n).rev() {
            let done: f64 = (row + 1..n).map(|k| self.lower[k][row] * x[k]).sum();
            x[row] = (x[row] - done) / self.lower[row][row];
        }
        x
    }

    /// The diagonal of the inverse.
    pub(super) fn inverse_diagonal(&self) -> Vec<f64> {
        let n = self.lower.len();
        let unit = |k: usize| (0..n).map(|row| f64::from(u8::from(row == k))).collect::<Vec<_>>();
        (0..n).map(|k| self.solve(&unit(k))[k]).collect()
    }
}

/// σ(x) = 1 / (1 + e^−x).
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Cross entropy of σ(x) and a target from 0 to 1: ln(1 + eˣ) − target · x.
pub(super) fn cross_entropy(x: f64, target: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p() - target * x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_its_inverse_known() {
        // 4 2 / 2 3: determinant 8, inverse 3/8 −1/4 / −1/4 1/2
        let factor = Cholesky::of(&[vec![4.0, 2.0], vec![2.0, 3.0]]).ok().unwrap();
        let x = factor.solve(&[8.0, 8.0]);
        assert!((x[0] - 1.0).abs() < 1e-14 && (x[1] - 2.0).abs() < 1e-14, "{x:?}");
        let diagonal = factor.inverse_diagonal();
        assert!((diagonal[0] - 0.375).abs() < 1e-14 && (diagonal[1] - 0.5).abs() < 1e-14, "{diagonal:?}");
    }

    #[test]
    fn dependent_columns_are_named() {
        assert_eq!(Cholesky::of(&[vec![1.0, 2.0], vec![2.0, 4.0]]).err(), Some(1));
        assert_eq!(Cholesky::of(&[vec![0.0]]).err(), Some(0));
        assert_eq!(Cholesky::of(&[vec![1.0, 1.0], vec![1.0, 1.0 + 1e-14]]).err(), Some(1), "but for rounding");
        assert_eq!(Cholesky::of(&[vec![f64::NAN]]).err(), Some(0));
    }

    #[test]
    fn cross_entropy_neither_overflows_nor_loses_digits() {
        assert!((cross_entropy(0.0, 0.3) - std::f64::consts::LN_2).abs() < 1e-15);
        assert!((cross_entropy(1.5, 0.3) + 0.3 * sigmoid(1.5).ln() + 0.7 * (1.0 - sigmoid(1.5)).ln()).abs() < 1e-14);
        assert_eq!(cross_entropy(1000.0, 0.0), 1000.0);
        assert_eq!(cross_entropy(-1000.0, 0.0), 0.0);
    }
}
