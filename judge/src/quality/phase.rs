//! Which coefficient is best for whom, at a glance: the best one at every share of answers that were fine and every price of damage.

use serde::{Deserialize, Serialize};

use super::error::QualityError;
use super::oracle_run::OracleRun;
use super::utility::{USUAL, Utility, UtilityTable};

/// Shares of answers that were fine.
const CLEAN_SHARES: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
/// Prices of damage, where mending all flaws of a group is worth what `harmful` and `helpful` say.
const PRICES: [usize; 9] = [0, 1, 2, 5, 10, 20, 50, 100, 200];
/// Resamples of the rows in a cell.
const N_RESAMPLES: usize = 200;
/// Share of the coefficients above which a set that cannot be told from the best one is wide.
pub const WIDE: f64 = 0.5;

/// The best coefficient by share of clean answers and price of damage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseDiagram {
    /// What mending all harmful flaws is worth.
    pub harmful: f64,
    /// What mending all helpful flaws is worth.
    pub helpful: f64,
    /// Shares of answers that were fine, rising.
    pub clean_shares: Vec<f64>,
    /// Prices of changing all of the clean text, rising.
    pub prices: Vec<usize>,
    /// The coefficients among which the best was sought.
    pub coefficients: Vec<f64>,
    /// The best coefficient: a row a price, a column a share.
    pub best: Vec<Vec<f64>>,
    /// Coefficients that cannot be told from it, itself among them.
    pub n_alike: Vec<Vec<usize>>,
}

impl PhaseDiagram {
    /// The diagram of a sweep, or none where it lacks flawed or clean answers.
    ///
    /// # Errors
    /// As [`UtilityTable::choose`].
    pub fn new(run: &OracleRun, harmful: f64, helpful: f64, seed: u64) -> Result<Option<Self>, QualityError> {
        let (mut best, mut n_alike) = (Vec::new(), Vec::new());
        for price in PRICES {
            let utility = Utility { harmful, helpful, damage: price as f64, ..USUAL };
            let mut table = match UtilityTable::new(run, &utility) {
                Err(QualityError::NoRows { .. }) => return Ok(None),
                table => table?,
            };
            let choice = |clean_share: f64| {
                table.clean_share = clean_share;
                table.choose(seed, N_RESAMPLES)
            };
            let row = CLEAN_SHARES.into_iter().map(choice).collect::<Result<Vec<_>, _>>()?;
            best.push(row.iter().map(|choice| choice.best).collect());
            n_alike.push(row.iter().map(|choice| choice.not_distinguishable.len()).collect());
        }
        Ok(Some(Self {
            harmful,
            helpful,
            clean_shares: CLEAN_SHARES.to_vec(),
            prices: PRICES.to_vec(),
            coefficients: run.grid.coefficients.clone(),
            best,
            n_alike,
        }))
    }

    /// Whether these rows leave the choice open: more than half of the coefficients cannot be told from the best.
    pub fn is_wide(&self, price: usize, share: usize) -> bool {
        self.n_alike[price][share] as f64 > WIDE * self.coefficients.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Sample;
    use redline_data::corrupt::{CorruptOptions, CorruptedRow, Corruptor};

    const CLEAN: &str =
        "Bees collect nectar from flowers. They carry it home. The water in it dries off within 3 days.";

    /// −1 copies, 0 mends the gravest flaws, 1 mends everything and cuts ten characters off.
    fn run(clean_share: f64) -> OracleRun {
        let corruptor = Corruptor::new(CorruptOptions { seed: 2, clean_share }).unwrap();
        let rows: Vec<CorruptedRow> = (0..60).map(|row| corruptor.corrupt(row, "q", CLEAN).unwrap()).collect();
        let written = |row: &CorruptedRow| {
            let all = row.correction_at(1).unwrap();
            [row.answer.clone(), row.correction_at(4).unwrap(), all[..all.len() - 10].to_owned()]
        };
        let outputs: Vec<[String; 3]> = rows.iter().map(written).collect();
        let samples = outputs.iter().enumerate().flat_map(|(row, outputs)| {
            let sample = move |(coefficient, output)| Sample { row, coefficient, output, truncated: false, nll: None };
            [-1.0, 0.0, 1.0].into_iter().zip(outputs.iter().map(String::as_str)).map(sample)
        });
        OracleRun::new(&rows, &samples.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn turned_up_where_damage_is_cheap_and_down_where_all_is_fine() {
        let phases = PhaseDiagram::new(&run(0.5), 5.0, 1.0, 3).unwrap().unwrap();
        let at = |price: usize, share: usize| phases.best[price][share];
        assert_eq!(at(0, 0), 1.0, "nothing to lose");
        assert_eq!(at(8, 0), 0.0, "too dear for what it mends beyond");
        assert_eq!(at(8, 10), 0.0, "of all that change no clean answer the nearest to 0");
        assert!(!phases.is_wide(0, 0) && phases.is_wide(8, 10), "{:?}", phases.n_alike);
        let falls = |row: &Vec<f64>| row.windows(2).all(|two| two[1] <= two[0]);
        assert!(phases.best.iter().skip(1).all(falls), "{:?}", phases.best);
    }

    #[test]
    fn without_clean_answers_there_is_none() {
        assert_eq!(PhaseDiagram::new(&run(0.0), 5.0, 1.0, 3).unwrap(), None);
    }
}
