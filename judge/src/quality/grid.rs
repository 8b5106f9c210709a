//! Judgements of a sweep: rows × coefficients.

use std::collections::BTreeMap;

use redline_steer::SweepRow;

use super::error::QualityError;

/// One output of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Index of the row it belongs to.
    pub row: usize,
    /// The signed strength.
    pub coefficient: f64,
    /// What was written.
    pub output: &'a str,
    /// Whether the length limit cut it.
    pub truncated: bool,
    /// Mean negative log-likelihood per token under the unsteered model, in nats, where it was measured.
    pub nll: Option<f64>,
}

impl<'a> From<&'a SweepRow> for Sample<'a> {
    fn from(row: &'a SweepRow) -> Self {
        let SweepRow { row, coefficient, output, truncated, nll, .. } = row;
        Self { row: *row, coefficient: f64::from(*coefficient), output, truncated: *truncated, nll: *nll }
    }
}

/// A full table: one cell a row and coefficient.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid<J> {
    /// Indices of the rows, rising.
    pub rows: Vec<usize>,
    /// Coefficients, rising.
    pub coefficients: Vec<f64>,
    /// (rows, coefficients).
    pub cells: Vec<Vec<J>>,
}

impl<J> Grid<J> {
    /// Sorts cells into a table.
    ///
    /// # Errors
    /// [`QualityError::NoOutputs`] without any, [`QualityError::Coefficient`] for a coefficient that is not finite, [`QualityError::Twice`] for two
    /// cells of one row and coefficient, [`QualityError::Missing`] for one that is not there.
    pub fn new(cells: impl IntoIterator<Item = (usize, f64, J)>) -> Result<Self, QualityError> {
        let mut by_row: BTreeMap<usize, Vec<(f64, J)>> = BTreeMap::new();
        for (row, coefficient, cell) in cells {
            if !coefficient.is_finite() {
                return Err(QualityError::Coefficient { row, got: coefficient });
            }
            by_row.entry(row).or_default().push((coefficient, cell));
        }
        let mut coefficients: Vec<f64> = by_row.values().flatten().map(|(coefficient, _)| *coefficient).collect();
        coefficients.sort_by(f64::total_cmp);
        coefficients.dedup();
        if coefficients.is_empty() {
            return Err(QualityError::NoOutputs);
        }
        let rows = by_row.keys().copied().collect();
        let sorted = |(row, mut cells): (usize, Vec<(f64, J)>)| {
            cells.sort_by(|a, b| a.0.total_cmp(&b.0));
            if let Some(pair) = cells.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(QualityError::Twice { row, coefficient: pair[0].0 });
            }
            let is_missing = |coefficient: &&f64| !cells.iter().any(|(other, _)| other == *coefficient);
            match coefficients.iter().find(is_missing) {
                Some(&coefficient) => Err(QualityError::Missing { row, coefficient }),
                None => Ok(cells.into_iter().map(|(_, cell)| cell).collect()),
            }
        };
        let cells = by_row.into_iter().map(sorted).collect::<Result<_, _>>()?;
        Ok(Self { rows, coefficients, cells })
    }

    /// The cells of one coefficient, by its index.
    pub fn column(&self, coefficient: usize) -> impl Iterator<Item = &J> + Clone {
        self.cells.iter().map(move |row| &row[coefficient])
    }

    /// One figure of each cell.
    ///
    /// # Shapes
    /// (rows, coefficients), as paired resampling over rows takes it.
    pub fn values<V>(&self, of: impl Fn(&J) -> V) -> Vec<Vec<V>> {
        self.cells.iter().map(|row| row.iter().map(&of).collect()).collect()
    }

    /// The index of coefficient 0.
    ///
    /// # Errors
    /// [`QualityError::NoBaseline`].
    pub fn zero(&self) -> Result<usize, QualityError> {
        self.coefficients.iter().position(|&coefficient| coefficient == 0.0).ok_or(QualityError::NoBaseline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_find_their_places() {
        let grid = Grid::new([(7, 1.0, 'd'), (2, -1.0, 'a'), (7, -1.0, 'c'), (2, 1.0, 'b')]).unwrap();
        assert_eq!((&grid.rows[..], &grid.coefficients[..]), (&[2, 7][..], &[-1.0, 1.0][..]));
        assert_eq!(grid.cells, [['a', 'b'], ['c', 'd']]);
        assert_eq!(grid.column(1).collect::<String>(), "bd");
        assert_eq!(grid.values(|cell| *cell as u32 - 97), [[0, 1], [2, 3]]);
        assert!(matches!(grid.zero(), Err(QualityError::NoBaseline)));
        // minus nought is nought
        assert_eq!(Grid::new([(0, -0.0, ()), (1, 0.0, ())]).unwrap().zero().unwrap(), 0);
    }

    #[test]
    fn a_table_with_holes_is_refused() {
        let error = |cells: &[(usize, f64)]| Grid::new(cells.iter().map(|&(row, c)| (row, c, ()))).unwrap_err();
        assert!(matches!(error(&[]), QualityError::NoOutputs));
        assert!(matches!(error(&[(0, 0.0), (0, 1.0), (1, 0.0)]), QualityError::Missing { row: 1, coefficient: 1.0 }));
        assert!(matches!(error(&[(0, 0.0), (0, 0.0)]), QualityError::Twice { row: 0, coefficient: 0.0 }));
        assert!(matches!(error(&[(3, f64::NAN)]), QualityError::Coefficient { row: 3, .. }));
    }
}
