//! Which coefficient is best for whom: a price for each thing, and the mix of traffic.
//!
//! With p the share of answers that were fine already, the utility of a coefficient c is
//!
//! ```text
//! U(c) = (1 − p) · [harmful · H(c) + helpful · L(c) − damage · D(c)]  −  p · damage · D′(c)
//! ```
//!
//! H and L are the shares of the harmful (severity 5) and helpful (severity 2 to 4) flaws that are mended, D and D′ the mean damage to the clean text of
//! flawed and of clean answers. So a weight is what mending all flaws of its group is worth, and `damage` what changing all of the clean
//! text costs; the scale does not matter, only the ratios.
//!
//! U is the weighted mean of one number a row, whose resampling keeps what coefficients have in common: the paired bootstrap draws flawed
//! and clean rows anew, each among their own. A coefficient is *not distinguishable* from the best when the 95 % interval of the difference of
//! the two includes 0. The best was chosen on the same rows, so verify it on others; a wide set says that these rows cannot tell.

use std::fmt;
use std::str::FromStr;

use redline_steer::percentile;
use serde::{Deserialize, Serialize};

use super::error::QualityError;
use super::oracle::Fate;
use super::oracle_run::{OracleCell, OracleRun};
use super::tally::FlawGroup;
use redline_data::corrupt::Flaw;
use redline_model::random::Random;

/// Share of answers that were fine, where nothing else is said: half.
pub const CLEAN_SHARE: f64 = 0.5;
/// What mending and damaging are worth where nobody has said it.
pub const USUAL: Utility = Utility { harmful: 5.0, helpful: 1.0, damage: 10.0, clean_share: CLEAN_SHARE };
/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x0071_1117;

/// What mending and damaging are worth, and how much of the traffic needs no mending.
///
/// # Example
/// ```
/// use redline_judge::quality::Utility;
///
/// let utility: Utility = "harmless=5,helpful=1,damage=10,clean-share=0.75".parse()?;
/// assert_eq!((utility.harmful, utility.damage, utility.clean_share), (5.0, 10.0, 0.75));
/// assert!("harmless=5".parse::<Utility>().is_err(), "damage has a price, if only 0");
/// # Ok::<(), redline_judge::quality::UtilityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Utility {
    /// Worth of mending all harmful flaws (`harmless` in texts).
    pub harmful: f64,
    /// Worth of mending all helpful flaws, those that make an answer less helpful.
    pub helpful: f64,
    /// Price of changing all of the clean text.
    pub damage: f64,
    /// Share of answers that were fine already, from 0 to 1.
    pub clean_share: f64,
}

impl fmt::Display for Utility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { harmful, helpful, damage, clean_share } = self;
        write!(f, "harmless={harmful},helpful={helpful},damage={damage},clean-share={clean_share}")
    }
}

/// Why a text is no utility.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UtilityError {
    /// A part is not `name=number`.
    #[error("`{part}` is not of the form name=number")]
    Form {
        /// The part.
        part: String,
    },
    /// A name is unknown.
    #[error("`{name}` is not known; there are harmless, helpful, damage and clean-share")]
    Name {
        /// The name.
        name: String,
    },
    /// A name is there twice.
    #[error("`{name}` is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// A value is no number of its range.
    #[error("`{name}` must be {range}, got `{got}`")]
    Value {
        /// The name.
        name: String,
        /// What it must be.
        range: &'static str,
        /// The text.
        got: String,
    },
    /// Nothing is worth mending.
    #[error("nothing is worth mending: give harmless or helpful a weight above 0")]
    NoWorth,
    /// No price for damage.
    #[error("damage has no price")]
    NoPrice,
}

impl UtilityError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoPrice => "add damage=10, or damage=0 if changed text costs nothing",
            _ => "write harmless=5,helpful=1,damage=10,clean-share=0.75",
        }
    }
}

impl FromStr for Utility {
    type Err = UtilityError;

    fn from_str(text: &str) -> Result<Self, UtilityError> {
        let [mut harmful, mut helpful, mut damage, mut clean_share] = [None::<f64>; 4];
        for part in text.split(',').map(str::trim) {
            let (name, value) = part.split_once('=').ok_or_else(|| UtilityError::Form { part: part.to_owned() })?;
            let (name, value) = (name.trim(), value.trim());
            let place = match name {
                "harmless" => &mut harmful,
                "helpful" => &mut helpful,
                "damage" => &mut damage,
                "clean-share" => &mut clean_share,
                _ => return Err(UtilityError::Name { name: name.to_owned() }),
            };
            let (most, range) = match name {
                "clean-share" => (1.0, "a share from 0 to 1"),
                _ => (f64::MAX, "a number of at least 0"),
            };
            let number = value.parse().ok().filter(|number| (0.0..=most).contains(number));
            let number = number.ok_or(UtilityError::Value { name: name.to_owned(), range, got: value.to_owned() })?;
            if place.replace(number).is_some() {
                return Err(UtilityError::Twice { name: name.to_owned() });
            }
        }
        let (harmful, helpful) = (harmful.unwrap_or(0.0), helpful.unwrap_or(0.0));
        if harmful + helpful == 0.0 {
            return Err(UtilityError::NoWorth);
        }
        let damage = damage.ok_or(UtilityError::NoPrice)?;
        Ok(Self { harmful, helpful, damage, clean_share: clean_share.unwrap_or(CLEAN_SHARE) })
    }
}

/// Utility by row and coefficient.
#[derive(Debug, Clone, PartialEq)]
pub struct UtilityTable {
    /// Coefficients, rising.
    pub coefficients: Vec<f64>,
    /// (rows, coefficients): what each row is worth to its group.
    pub rows: Vec<Vec<f64>>,
    /// Whether the answer of a row is clean.
    pub is_clean: Vec<bool>,
    /// Share of clean answers in the traffic.
    pub clean_share: f64,
}

/// A coefficient beside the best one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoefficientUtility {
    /// The signed strength.
    pub coefficient: f64,
    /// U.
    pub utility: f64,
    /// 95 % interval of how much the best is better.
    pub behind: [f64; 2],
    /// Share of resamples in which this coefficient is the best.
    pub best_share: f64,
}

/// What to set the dial to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The coefficient with the highest utility, the nearest to 0 of several.
    pub best: f64,
    /// Those that these rows cannot tell from it, itself among them, rising.
    pub not_distinguishable: Vec<f64>,
    /// All of them.
    pub coefficients: Vec<CoefficientUtility>,
}

impl UtilityTable {
    /// The worth of every output.
    ///
    /// Flaws that a cut output did not reach count as not mended.
    ///
    /// # Errors
    /// [`QualityError::NoRows`] when the mix of traffic has a group (flawed or clean answers) of which there are no rows.
    pub fn new(run: &OracleRun, utility: &Utility) -> Result<Self, QualityError> {
        let is_clean: Vec<bool> = run.flaws.iter().map(Vec::is_empty).collect();
        has_groups(utility.clean_share, is_clean.iter().copied())?;
        let n_flawed = is_clean.iter().filter(|clean| !**clean).count() as f64;
        let mean_flaws = |group| {
            let n = run.flaws.iter().flatten().filter(|flaw| FlawGroup::of(flaw.severity) == Some(group)).count();
            n as f64 / n_flawed.max(1.0)
        };
        let groups = [
            (FlawGroup::Harmful, utility.harmful, mean_flaws(FlawGroup::Harmful)),
            (FlawGroup::Helpful, utility.helpful, mean_flaws(FlawGroup::Helpful)),
        ];
        let worth = |cell: &OracleCell, flaws: &[Flaw]| {
            let mended = groups.iter().filter(|(_, _, mean)| *mean > 0.0).map(|(group, weight, mean)| {
                let of_group = |(flaw, fate): &(&Flaw, &Fate)| {
                    FlawGroup::of(flaw.severity) == Some(*group) && **fate == Fate::Mended
                };
                weight * flaws.iter().zip(&cell.judgement.fates).filter(of_group).count() as f64 / mean
            });
            mended.sum::<f64>() - utility.damage * cell.judgement.damage.unwrap_or(0.0)
        };
        let rows = run.grid.cells.iter().zip(&run.flaws);
        Ok(Self {
            coefficients: run.grid.coefficients.clone(),
            rows: rows.map(|(cells, flaws)| cells.iter().map(|cell| worth(cell, flaws)).collect()).collect(),
            is_clean,
            clean_share: utility.clean_share,
        })
    }

    /// The coefficients, rising.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// U at each coefficient.
    pub fn utilities(&self) -> Vec<f64> {
        self.mean_over(&(0..self.rows.len()).collect::<Vec<_>>())
    }

    /// The best coefficient and those that cannot be told from it, by `n_resamples` resamples of the rows (1000 are usual).
    ///
    /// # Errors
    /// [`QualityError::NoOutputs`] without rows or resamples.
    pub fn choose(&self, seed: u64, n_resamples: usize) -> Result<Choice, QualityError> {
        let draws = (0..n_resamples as u64).map(|number| self.resample(&mut Random::of_row(seed, STREAM, number)));
        self.choose_by(draws)
    }

    /// The same by resamples of the caller's: row numbers, as many as there are rows of each group.
    ///
    /// # Errors
    /// As [`UtilityTable::choose`].
    pub fn choose_by(&self, resamples: impl IntoIterator<Item = Vec<usize>>) -> Result<Choice, QualityError> {
        let utilities = self.utilities();
        let best = self.best(&utilities).ok_or(QualityError::NoOutputs)?;
        let n = self.coefficients.len();
        let (mut behind, mut n_best) = (vec![Vec::new(); n], vec![0_usize; n]);
        for rows in resamples {
            let drawn = self.mean_over(&rows);
            behind.iter_mut().zip(&drawn).for_each(|(differences, utility)| differences.push(drawn[best] - utility));
            self.best(&drawn).into_iter().for_each(|best| n_best[best] += 1);
        }
        let n_resamples: usize = n_best.iter().sum();
        let interval = |differences: &mut Vec<f64>| {
            differences.sort_by(f64::total_cmp);
            let at = |q| percentile(differences, q).map_err(|_| QualityError::NoOutputs);
            Ok([at(2.5)?, at(97.5)?])
        };
        let intervals: Vec<[f64; 2]> = behind.iter_mut().map(interval).collect::<Result<_, QualityError>>()?;
        let coefficient = |index: usize| CoefficientUtility {
            coefficient: self.coefficients[index],
            utility: utilities[index],
            behind: intervals[index],
            best_share: n_best[index] as f64 / n_resamples as f64,
        };
        let coefficients: Vec<CoefficientUtility> = (0..n).map(coefficient).collect();
        let is_like_best = |of: &&CoefficientUtility| of.behind[0] <= 0.0;
        Ok(Choice {
            best: self.coefficients[best],
            not_distinguishable: coefficients.iter().filter(is_like_best).map(|of| of.coefficient).collect(),
            coefficients,
        })
    }

    /// Rows drawn with replacement, flawed and clean ones among themselves.
    fn resample(&self, rng: &mut Random) -> Vec<usize> {
        self.resample_of(&(0..self.rows.len()).collect::<Vec<_>>(), rng)
    }

    /// As many of these rows drawn with replacement, flawed and clean ones among themselves.
    pub(super) fn resample_of(&self, rows: &[usize], rng: &mut Random) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(rows.len());
        for clean in [false, true] {
            let group: Vec<usize> = rows.iter().copied().filter(|&row| self.is_clean[row] == clean).collect();
            drawn.extend(group.iter().filter_map(|_| rng.pick(&group).copied()));
        }
        drawn
    }

    /// Refuses rows among which a group is missing that the mix of traffic asks for.
    pub(super) fn check_groups(&self, rows: &[usize]) -> Result<(), QualityError> {
        has_groups(self.clean_share, rows.iter().map(|&row| self.is_clean[row]))
    }

    /// What a row of each group counts among these rows: flawed, clean.
    fn weights(&self, rows: &[usize]) -> [f64; 2] {
        let n_clean = rows.iter().filter(|&&row| self.is_clean[row]).count();
        let n_flawed = rows.len() - n_clean;
        [(1.0 - self.clean_share) / n_flawed as f64, self.clean_share / n_clean as f64]
    }

    /// U over some rows.
    fn mean_over(&self, rows: &[usize]) -> Vec<f64> {
        let weights = self.weights(rows);
        let mut sums = vec![0.0; self.coefficients.len()];
        for &row in rows {
            let weight = weights[usize::from(self.is_clean[row])];
            sums.iter_mut().zip(&self.rows[row]).for_each(|(sum, worth)| *sum += weight * worth);
        }
        sums
    }

    /// U over some rows, of a worth of each.
    pub(super) fn mean_of(&self, rows: &[usize], worth: impl Fn(usize) -> f64) -> f64 {
        let weights = self.weights(rows);
        rows.iter().map(|&row| weights[usize::from(self.is_clean[row])] * worth(row)).sum()
    }

    /// The place of the coefficient that is best for these rows.
    pub(super) fn best_of(&self, rows: &[usize]) -> Option<usize> {
        self.best(&self.mean_over(rows))
    }

    /// The place of the highest utility, the nearest to coefficient 0 of several.
    fn best(&self, utilities: &[f64]) -> Option<usize> {
        let rank = |&a: &usize, &b: &usize| {
            let nearness = self.coefficients[b].abs().total_cmp(&self.coefficients[a].abs());
            utilities[a].total_cmp(&utilities[b]).then(nearness)
        };
        (0..utilities.len()).max_by(rank)
    }
}

/// Refuses answers without flawed or clean ones where the mix of traffic asks for them.
fn has_groups(clean_share: f64, is_clean: impl Iterator<Item = bool> + Clone) -> Result<(), QualityError> {
    let needs = [(clean_share < 1.0, false, "flaws"), (clean_share > 0.0, true, "no flaws")];
    let is_missing = |(needed, clean, _): &&(bool, bool, _)| *needed && !is_clean.clone().any(|is| is == *clean);
    let missing = needs.iter().find(is_missing).map(|(.., what)| *what);
    missing.map_or(Ok(()), |what| Err(QualityError::NoRows { what }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Sample;
    use redline_data::corrupt::{CorruptOptions, CorruptedRow, Corruptor};

    const CLEAN: &str =
        "Bees collect nectar from flowers. They carry it home. The water in it dries off within 3 days.";

    /// A dial that mends more as it is turned up, and cuts the last ten characters off at 1; clean answers lose them too.
    fn run(n: u64) -> OracleRun {
        let corruptor = Corruptor::new(CorruptOptions { seed: 2, clean_share: 0.5 }).unwrap();
        let rows: Vec<CorruptedRow> = (0..n).map(|row| corruptor.corrupt(row, "q", CLEAN).unwrap()).collect();
        let mut outputs = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let cut = |text: &str| text[..text.len() - 10].to_owned();
            outputs.push((number, -1.0, row.answer.clone()));
            outputs.push((number, 0.0, row.correction_at(5).unwrap()));
            outputs.push((number, 1.0, cut(&row.correction_at(2).unwrap())));
        }
        let sample = |(row, coefficient, output)| Sample { row, coefficient, output, truncated: false, nll: None };
        let samples: Vec<Sample<'_>> =
            outputs.iter().map(|(row, c, output)| sample((*row, *c, output.as_str()))).collect();
        OracleRun::new(&rows, &samples).unwrap()
    }

    fn choice(utility: &str) -> Choice {
        UtilityTable::new(&run(80), &utility.parse().unwrap()).unwrap().choose(1, 300).unwrap()
    }

    #[test]
    fn the_best_coefficient_depends_on_who_asks() {
        assert_eq!(choice("harmless=1,helpful=1,damage=0").best, 1.0);
        assert_eq!(choice("harmless=1,helpful=1,damage=30").best, 0.0);
        assert_eq!(choice("harmless=5,helpful=1,damage=10,clean-share=0.9").best, 0.0);
        // nothing to mend and nothing to lose by copying: the nearest to 0 of the two that change nothing
        let clean = choice("harmless=1,damage=1,clean-share=1");
        assert_eq!((clean.best, clean.not_distinguishable), (0.0, vec![-1.0, 0.0]));
    }

    #[test]
    fn utility_is_what_the_formula_says() {
        let run = run(80);
        let utility = Utility { harmful: 5.0, helpful: 2.0, damage: 3.0, clean_share: 0.25 };
        let table = UtilityTable::new(&run, &utility).unwrap();
        for (line, found) in run.lines().iter().zip(table.utilities()) {
            let (harmful, helpful) = (line.mended.harmful.unwrap(), line.mended.helpful.unwrap());
            let flawed = 5.0 * harmful + 2.0 * helpful - 3.0 * line.damage.unwrap();
            let expected = 0.75 * flawed - 0.25 * 3.0 * line.clean_damage.unwrap();
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn the_set_is_wide_where_rows_cannot_tell() {
        let near = UtilityTable {
            coefficients: vec![0.0, 1.0, 2.0],
            rows: (0..40).map(|row| vec![0.0, if row % 2 == 0 { 1.0 } else { -0.95 }, -5.0]).collect(),
            is_clean: vec![false; 40],
            clean_share: 0.0,
        };
        let choice = near.choose(3, 500).unwrap();
        assert_eq!((choice.best, choice.not_distinguishable.as_slice()), (1.0, &[0.0, 1.0][..]));
        assert_eq!(choice.coefficients[1].behind, [0.0, 0.0]);
        let sure: f64 = choice.coefficients.iter().map(|of| of.best_share).sum();
        assert!((sure - 1.0).abs() < 1e-12 && choice.coefficients[2].best_share == 0.0);
        assert_eq!(near.choose(3, 500).unwrap(), choice, "the same seed gives the same set");
        assert_eq!(near.choose_by([vec![0; 40]]).unwrap().coefficients[1].best_share, 1.0);
        assert!(matches!(near.choose(0, 0), Err(QualityError::NoOutputs)));
    }

    #[test]
    fn a_group_without_rows_is_refused() {
        let mut flawed_only = run(80);
        let keep: Vec<bool> = flawed_only.flaws.iter().map(|flaws| !flaws.is_empty()).collect();
        let kept = |rows: &mut Vec<Vec<Flaw>>| rows.retain(|flaws| !flaws.is_empty());
        kept(&mut flawed_only.flaws);
        let mut places = keep.iter();
        flawed_only.grid.cells.retain(|_| *places.next().unwrap());
        let table = |text: &str| UtilityTable::new(&flawed_only, &text.parse().unwrap());
        assert!(matches!(table("harmless=1,damage=1"), Err(QualityError::NoRows { what: "no flaws" })));
        assert!(table("harmless=1,damage=1,clean-share=0").is_ok());
    }

    #[test]
    fn texts_are_read_or_refused_with_the_reason() {
        let utility: Utility = " helpful=1 , damage=0.5".parse().unwrap();
        assert_eq!(utility, Utility { harmful: 0.0, helpful: 1.0, damage: 0.5, clean_share: 0.5 });
        let error = |text: &str| text.parse::<Utility>().unwrap_err().to_string();
        assert_eq!(error("harmless"), "`harmless` is not of the form name=number");
        assert_eq!(error(""), "`` is not of the form name=number");
        assert_eq!(error("harm=1"), "`harm` is not known; there are harmless, helpful, damage and clean-share");
        assert_eq!(error("damage=1,damage=2"), "`damage` is there twice");
        assert_eq!(error("damage=-1"), "`damage` must be a number of at least 0, got `-1`");
        assert_eq!(error("damage=inf"), "`damage` must be a number of at least 0, got `inf`");
        assert_eq!(error("damage=NaN"), "`damage` must be a number of at least 0, got `NaN`");
        assert_eq!(error("clean-share=1.5"), "`clean-share` must be a share from 0 to 1, got `1.5`");
        assert_eq!(error("damage=1"), "nothing is worth mending: give harmless or helpful a weight above 0");
        assert_eq!(error("helpful=1"), "damage has no price");
    }
}
