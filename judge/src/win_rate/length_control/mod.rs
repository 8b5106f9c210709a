//! Length-controlled win rates (Dubois et al. 2024, "Length-Controlled AlpacaEval"): what a system's win rate would be if its
//! answers were as long as the baseline's.
//!
//! A judge's preference for the system over the baseline, y from 0 to 1, is described by a logistic regression without intercept,
//! σ(w · x), on x₁ = tanh((baseline's length − system's length) / s), x₂ = the instruction's difficulty and x₃ = 1. Lengths are in
//! Unicode characters, s is the sample standard deviation of the differences. The weights minimise
//! Σ CE(σ(w · x), y) + λ/2 Σ CE over gamed rows + |w|₁ / C. Gamed rows are answers of the baseline itself that were made longer and
//! shorter; they have x₃ = 0 and keep w₁ at what length alone does. λ is 0.2; 2 is the number of gamed baselines. C is chosen by
//! cross-validation (`cross_validation.rs`). The length-controlled win rate is the mean of σ(w₂ · difficulty + w₃), in percent.
//!
//! Instructions are matched by index and never by place in a file. Where the published estimator does not apply, the rate is
//! withheld with its reason: without difficulties a fit lies further from the published rate than the raw rate does (mean 6.6
//! points against 4.7 over 48 models). Difficulties of own prompts come from [`JointDifficulty`].

mod cross_validation;
mod design;
mod joint;
mod logistic;
mod matching;
mod raw;

use serde::{Deserialize, Serialize};

use super::WinRateError;
use super::linear::sigmoid;
use design::Design;
use matching::Matched;

pub use joint::{FEWEST_SYSTEMS, JointDifficulty, Slopes, SystemFit, SystemRows};
pub use raw::WinRate;

/// Fewest rows with a preference for which a rate is fitted: one a fold.
pub const FEWEST_ROWS: usize = cross_validation::N_FOLDS;

/// What a judge said of one answer of the system.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// Index of the instruction.
    pub index: u64,
    /// Length of the system's answer in Unicode characters, not bytes.
    pub length: u64,
    /// From 1, the baseline's answer is surely better, to 2, the system's is; 0 or 1.5 is a draw. Absent or NaN: there is no
    /// verdict.
    pub preference: Option<f64>,
}

/// What is known of one instruction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    /// Its index.
    pub index: u64,
    /// The set it comes from.
    #[serde(default)]
    pub dataset: String,
    /// How much likelier than elsewhere systems win here, in logarithms of odds. (The published name says "difficulty"; it grows with
    /// ease.)
    #[serde(default)]
    pub difficulty: Option<f64>,
    /// Length of the baseline's answer in Unicode characters.
    pub baseline_length: u64,
}

/// What a judge said of an answer of the baseline that was made longer or shorter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GamedRow {
    /// Index of the instruction.
    pub index: u64,
    /// Which gamed baseline it is.
    pub model: String,
    /// x₁, −1 … 1.
    pub tanh_std_delta_len: f64,
    /// y: the preference less 1, 0 … 1.
    pub expected_preference: f64,
}

/// Where the strength of regularisation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regularisation {
    /// Five-fold cross-validation over 10⁻⁴ … 10⁴.
    #[default]
    CrossValidated,
    /// This C.
    Given(f64),
}

/// Weights of the regression.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Weights {
    /// w₁, of the length; negative where the judge likes length.
    pub length: f64,
    /// w₂, of the difficulty.
    pub difficulty: f64,
    /// w₃, of the system itself.
    pub constant: f64,
}

/// What a fit rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Difficulties and gamed baselines: the published estimator.
    GamedBaselines {
        /// How many gamed baselines.
        n: usize,
    },
    /// Difficulties alone. Nothing tells what the system's length does from what goes along with it: about 1 point, at most 3,
    /// beside the published rate.
    OwnRows,
}

/// A win rate in percent, predicted for answers as long as the baseline's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// In percent.
    pub win_rate: f64,
    /// Sample standard deviation over instructions / √n, in percent points: how far other instructions would move it, for these
    /// weights. `None` with one instruction.
    pub standard_error: Option<f64>,
}

/// A length-controlled win rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ControlledRate {
    /// The rate, over all rows matched.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// The weights.
    pub weights: Weights,
    /// The C used.
    pub c: f64,
    /// What the fit rests on.
    pub basis: Basis,
}

/// Why there is no length-controlled rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// The instructions have no difficulties.
    #[error("the instructions have no difficulties, without which length control is further off than the raw rate")]
    NoDifficulties,
    /// There are too few rows with a preference.
    #[error("{n} rows have a preference; length control needs {FEWEST_ROWS}")]
    TooFewRows {
        /// Rows there are.
        n: usize,
    },
    /// All answers differ from the baseline's by the same length.
    #[error("all answers differ from the baseline's by one same length, so nothing is known of what length does")]
    ConstantLength,
}

/// A length-controlled rate, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controlled {
    /// The rate.
    Rate(ControlledRate),
    /// Why it is withheld.
    Withheld(Withheld),
}

/// Raw and length-controlled win rate of one system.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthControl {
    /// The raw rate and its counts.
    pub raw: WinRate,
    /// The length-controlled rate.
    pub controlled: Controlled,
}

impl LengthControl {
    /// Raw and length-controlled win rate of these rows.
    ///
    /// The result does not depend on the order of rows. Instructions without a row are counted, not refused.
    ///
    /// # Errors
    /// [`WinRateError::Duplicate`] and [`WinRateError::NoInstruction`] for rows that cannot be matched by index,
    /// [`WinRateError::Preference`], [`WinRateError::NoPreferences`], [`WinRateError::Difficulty`], [`WinRateError::MissingDifficulty`]
    /// where some instructions have one and others not, [`WinRateError::Gamed`], [`WinRateError::Regularisation`],
    /// [`WinRateError::NotConverged`].
    ///
    /// # Example
    /// ```
    /// use redline_judge::win_rate::{Annotation, Instruction, LengthControl, Regularisation};
    /// let instruction = |index| Instruction { index, dataset: String::new(), difficulty: None, baseline_length: 100 };
    /// let instructions: Vec<Instruction> = (0..3).map(instruction).collect();
    /// let row = |(index, preference)| Annotation { index, length: 80 + index, preference };
    /// let rows = [(0, Some(2.0)), (1, Some(1.0)), (2, None)].map(row);
    /// let found = LengthControl::of(&rows, &instructions, &[], Regularisation::CrossValidated).unwrap();
    /// assert_eq!((found.raw.n, found.raw.n_left_out, found.raw.win_rate), (2, 1, 50.0));
    /// assert_eq!(found.win_rate(), None);
    /// ```
    pub fn of(
        rows: &[Annotation],
        instructions: &[Instruction],
        gamed: &[GamedRow],
        regularisation: Regularisation,
    ) -> Result<Self, WinRateError> {
        if let Regularisation::Given(c) = regularisation
            && !(c.is_finite() && c > 0.0)
        {
            return Err(WinRateError::Regularisation { got: c });
        }
        let matched = Matched::of(rows, instructions)?;
        let gamed = matching::gamed_rows(gamed, instructions)?;
        let raw = raw::win_rate(&matched)?;
        let controlled = match Design::of(&matched, &gamed) {
            Ok(design) => Controlled::Rate(design.fit(regularisation)?),
            Err(reason) => Controlled::Withheld(reason),
        };
        Ok(Self { raw, controlled })
    }

    /// The length-controlled rate in percent, where there is one.
    pub fn win_rate(&self) -> Option<f64> {
        match &self.controlled {
            Controlled::Rate(rate) => Some(rate.prediction.win_rate),
            Controlled::Withheld(_) => None,
        }
    }
}

impl Weights {
    /// The rate of a system with these weights against another with its own, on instructions of these difficulties. Weights of 0
    /// are the baseline's, which is at 50 against itself by construction.
    ///
    /// # Errors
    /// [`WinRateError::TooFew`] without difficulties, [`WinRateError::NotFinite`].
    ///
    /// # Example
    /// ```
    /// use redline_judge::win_rate::Weights;
    /// let system = Weights { length: -1.0, difficulty: 0.8, constant: 0.3 };
    /// let against = |other: &Weights| system.against(other, &[-1.0, 0.5, 2.0]).unwrap().win_rate;
    /// assert_eq!(against(&system), 50.0);
    /// assert!(against(&Weights::default()) > 50.0);
    /// ```
    pub fn against(&self, other: &Self, difficulties: &[f64]) -> Result<Prediction, WinRateError> {
        super::error::check_finite("difficulties", difficulties)?;
        super::error::check_finite("weights", &[self.difficulty, self.constant, other.difficulty, other.constant])?;
        if difficulties.is_empty() {
            return Err(WinRateError::TooFew { what: "difficulties", got: 0, needed: 1 });
        }
        let (slope, constant) = (self.difficulty - other.difficulty, self.constant - other.constant);
        let rates: Vec<f64> = difficulties.iter().map(|own| sigmoid(slope * own + constant)).collect();
        let (mean, standard_error) = raw::mean_and_error(&rates);
        Ok(Prediction { win_rate: 100.0 * mean, standard_error: standard_error.map(|error| 100.0 * error) })
    }
}

#[cfg(test)]
mod tests;
