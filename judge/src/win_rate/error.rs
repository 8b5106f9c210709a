//! What can be wrong with verdicts and what is computed from them.

use super::FEWEST_SYSTEMS;
use crate::judge::Orders;

/// Why verdicts were not summed up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WinRateError {
    /// Two things that belong together differ in number.
    #[error("there are {got} {what}, not {expected}")]
    Sizes {
        /// What there is another number of.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many belong there.
        expected: usize,
    },
    /// There is too little for the statistic to be defined.
    #[error("there are {got} {what}; at least {needed} are needed")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A number is NaN or infinite.
    #[error("{what}: number {index} is {got}")]
    NotFinite {
        /// Where the number stands.
        what: &'static str,
        /// Its place, from 0.
        index: usize,
        /// The number.
        got: f64,
    },
    /// An item was rated by another number of raters than the first.
    #[error("item {item} has {got} ratings, the first has {expected}")]
    Raters {
        /// The item, from 0.
        item: usize,
        /// Its ratings.
        got: usize,
        /// Those of the first item.
        expected: usize,
    },
    /// Two rows that should differ have one index.
    #[error("there are two {what}s with index {index}")]
    Duplicate {
        /// What kind of row.
        what: &'static str,
        /// The index.
        index: u64,
    },
    /// A row belongs to no instruction.
    #[error("a {what} has index {index}, which no instruction has")]
    NoInstruction {
        /// What kind of row.
        what: &'static str,
        /// The index.
        index: u64,
    },
    /// A preference is neither a draw nor from 1 to 2.
    #[error("the preference of row {index} is {got}, neither from 1 to 2 nor 0 for a draw")]
    Preference {
        /// Index of the row.
        index: u64,
        /// The preference.
        got: f64,
    },
    /// No row has a preference.
    #[error("no row has a preference; {n_left_out} have none")]
    NoPreferences {
        /// Rows without.
        n_left_out: usize,
    },
    /// A difficulty is no number.
    #[error("the difficulty of instruction {index} is {got}")]
    Difficulty {
        /// Index of the instruction.
        index: u64,
        /// The difficulty.
        got: f64,
    },
    /// An instruction has no difficulty, while others do.
    #[error("instruction {index} has no difficulty, while others have")]
    MissingDifficulty {
        /// Index of the instruction.
        index: u64,
    },
    /// A field of a gamed row is out of range.
    #[error("{what} of the gamed row of {model} with index {index} is {got}")]
    Gamed {
        /// The field.
        what: &'static str,
        /// Index of the row.
        index: u64,
        /// The gamed baseline.
        model: String,
        /// The value.
        got: f64,
    },
    /// The strength of regularisation is not above 0.
    #[error("C is {got}, not a finite number above 0")]
    Regularisation {
        /// The value.
        got: f64,
    },
    /// Too few systems for difficulties.
    #[error("difficulties are estimated from {FEWEST_SYSTEMS} systems or more, not from {got}")]
    TooFewSystems {
        /// Systems there are.
        got: usize,
    },
    /// A fit did not end.
    #[error("the fit of a {what} did not end in {n_steps} steps")]
    NotConverged {
        /// What was fitted.
        what: &'static str,
        /// Steps taken.
        n_steps: usize,
    },
    /// There are no battles.
    #[error("there are no battles")]
    NoBattles,
    /// A model is not in the list.
    #[error("the {what} is model {model}, and there are {n_models}")]
    Model {
        /// Where it stands.
        what: &'static str,
        /// Its place, from 0.
        model: usize,
        /// Models there are.
        n_models: usize,
    },
    /// A model is listed twice.
    #[error("{model} is listed twice")]
    DuplicateModel {
        /// Its name.
        model: String,
    },
    /// A model fights itself.
    #[error("battle {battle} is {model} against itself")]
    OwnBattle {
        /// The battle, from 0.
        battle: usize,
        /// The model.
        model: String,
    },
    /// A score is not from 0 to 1.
    #[error("the score of battle {battle} is {got}, not from 0 to 1")]
    Score {
        /// The battle, from 0.
        battle: usize,
        /// The score.
        got: f64,
    },
    /// A model is in no battle.
    #[error("{model} is in no battle")]
    NoBattlesOf {
        /// The model.
        model: String,
    },
    /// Two groups of models never met.
    #[error("{} never met {}, so their strengths cannot be compared", list(.apart), list(.together))]
    Disconnected {
        /// The group of the first model.
        together: Vec<String>,
        /// All others.
        apart: Vec<String>,
    },
    /// A group of models never lost a point to the others.
    #[error("{} scored every point against {}, so their strengths have no finite estimate", list(.unbeaten), list(.others))]
    Separable {
        /// The group that never lost a point.
        unbeaten: Vec<String>,
        /// All others.
        others: Vec<String>,
    },
    /// Strengths and style together foretell battles for certain.
    #[error("models and style features foretell battles for certain, so their coefficients have no finite estimate")]
    SeparableStyle,
    /// A style feature is no number.
    #[error("style feature {name:?} of battle {battle} is {got}")]
    StyleFeature {
        /// The battle, from 0.
        battle: usize,
        /// The feature.
        name: String,
        /// The value.
        got: f64,
    },
    /// A style feature is the same in all battles.
    #[error("style feature {name:?} is the same in all battles")]
    ConstantStyle {
        /// The feature.
        name: String,
    },
    /// A style feature follows from the others.
    #[error("style feature {name:?} follows from models and other features")]
    DependentStyle {
        /// The feature.
        name: String,
    },
    /// A pair has other verdicts than its judge gives.
    #[error("the pair of row {row} has {got} verdicts, not {}", wanted(*.orders))]
    Orders {
        /// The row of the pair.
        row: usize,
        /// In which orders its judge wants to be asked.
        orders: Orders,
        /// Verdicts it has.
        got: usize,
    },
    /// A pair was judged in one order only.
    #[error("pair {row} was not judged in both orders")]
    MissingOrder {
        /// The pair, from 0.
        row: usize,
    },
    /// A probability where the rule needs a verdict in letters.
    #[error("pair {row} has a probability for a verdict, which the rule cannot weigh")]
    SoftVerdict {
        /// The pair, from 0.
        row: usize,
    },
    /// A verdict in letters where the rule needs a probability.
    #[error("pair {row} has a verdict without a probability, which the rule needs")]
    HardVerdict {
        /// The pair, from 0.
        row: usize,
    },
    /// A probability is not from 0 to 1.
    #[error("a verdict on pair {row} has probability {got}")]
    Probability {
        /// The pair, from 0.
        row: usize,
        /// The probability.
        got: f64,
    },
    /// No pair has all its verdicts.
    #[error("no pair has all its verdicts; {n_errors} have errors")]
    NoVerdicts {
        /// Pairs with an error.
        n_errors: usize,
    },
    /// Intervals were asked of no resamples.
    #[error("0 resamples make no interval")]
    NoResamples,
}

/// Names as a sentence has them, the first few of many.
fn list(names: &[String]) -> String {
    const MOST: usize = 4;
    let shown = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        n => format!("{shown} and {n} more"),
    }
}

/// The verdicts that orders give.
fn wanted(orders: Orders) -> &'static str {
    match orders {
        Orders::Both => "one in each order",
        Orders::Drawn => "one in the order that was drawn",
        Orders::AsGiven => "one",
    }
}

/// Refuses the first NaN or infinite value.
pub(super) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), WinRateError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(WinRateError::NotFinite { what, index, got: values[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_is_wrong() {
        let names = |n: usize| (0..n).map(|k| format!("m{k}")).collect::<Vec<_>>();
        let error = WinRateError::Separable { unbeaten: names(1), others: names(6) };
        assert_eq!(
            error.to_string(),
            "m0 scored every point against m0, m1, m2, m3 and 2 more, so their strengths have no finite estimate"
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("Wilson")));
        assert_eq!(
            WinRateError::TooFewSystems { got: 2 }.to_string(),
            "difficulties are estimated from 5 systems or more, not from 2"
        );
        assert_eq!(
            WinRateError::NoInstruction { what: "row", index: 7 }.to_string(),
            "a row has index 7, which no instruction has"
        );
    }
}
