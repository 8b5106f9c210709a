//! One regression: its rows, its weights, its rate.

use super::super::WinRateError;
use super::cross_validation::choose_c;
use super::logistic::{Row, fit};
use super::matching::{Gamed, Matched};
use super::{Basis, ControlledRate, FEWEST_ROWS, Regularisation, Weights, Withheld};

/// λ: how much all gamed rows together count against as many rows of the system.
const GAMED_WEIGHT: f64 = 0.2;

/// The rows of one regression.
pub(super) struct Design {
    /// Gamed rows, then rows with a preference, by index.
    rows: Vec<Row<3>>,
    /// Difficulties of all rows of the system, those without a preference too.
    difficulties: Vec<f64>,
    basis: Basis,
}

impl Design {
    /// The rows of a regression, or why there is none.
    pub(super) fn of(matched: &Matched, gamed: &[Gamed]) -> Result<Self, Withheld> {
        let difficulties = matched.difficulties().ok_or(Withheld::NoDifficulties)?;
        let n = matched.rows.iter().filter(|row| row.target.is_some()).count();
        if n < FEWEST_ROWS {
            return Err(Withheld::TooFewRows { n });
        }
        let tanh = matched.tanh_lengths().ok_or(Withheld::ConstantLength)?;
        let mut models: Vec<&str> = gamed.iter().map(|row| row.model).collect();
        models.sort_unstable();
        models.dedup();
        let weight = GAMED_WEIGHT / models.len().max(1) as f64;
        let mut rows: Vec<Row<3>> =
            gamed.iter().map(|row| Row { x: [row.tanh, row.difficulty, 0.0], y: row.target, weight }).collect();
        let own = matched.rows.iter().zip(&tanh).zip(&difficulties);
        rows.extend(own.filter_map(|((row, tanh), difficulty)| {
            Some(Row { x: [*tanh, *difficulty, 1.0], y: row.target?, weight: 1.0 })
        }));
        let basis = if models.is_empty() { Basis::OwnRows } else { Basis::GamedBaselines { n: models.len() } };
        Ok(Self { rows, difficulties, basis })
    }

    /// The rate.
    pub(super) fn fit(&self, regularisation: Regularisation) -> Result<ControlledRate, WinRateError> {
        let c = match regularisation {
            Regularisation::Given(c) => c,
            Regularisation::CrossValidated => choose_c(&self.rows)?,
        };
        let [length, difficulty, constant] = fit(&self.rows, 1.0 / c)?;
        let weights = Weights { length, difficulty, constant };
        let prediction = weights.against(&Weights::default(), &self.difficulties)?;
        Ok(ControlledRate { prediction, weights, c, basis: self.basis })
    }
}
