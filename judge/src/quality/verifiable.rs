//! Answers that can be checked: solutions of sums, right when their last number is the reference's.
//!
//! A solution names its result behind `####` (GSM8K) or `A:`; the last number behind the last of these marks is the result, without the commas that
//! group digits. A solution without such a mark, or without a number behind it, has no result and is wrong.
//!
//! A corrector should **do no harm** (right answers stay right) and, where it can, **help** (wrong ones become right).

use redline_model::Qac;
use serde::{Deserialize, Serialize};

/// What a result stands behind.
const MARKS: [&str; 2] = ["####", "A:"];

/// The result of a solution.
///
/// # Example
/// ```
/// use redline_judge::quality::final_number;
///
/// assert_eq!(final_number("6 * 200 = 1200\n#### 1,200"), Some(1200.0));
/// assert_eq!(final_number("It takes 3 bolts."), None);
/// ```
pub fn final_number(solution: &str) -> Option<f64> {
    let behind = MARKS.iter().filter_map(|mark| solution.rfind(mark).map(|at| at + mark.len())).max()?;
    solution[behind..]
        .split(|symbol: char| !symbol.is_ascii_digit() && !".,-".contains(symbol))
        .filter_map(number)
        .next_back()
}

/// The last number of a word of digits and `.,-`; a hyphen between digits is no sign.
fn number(word: &str) -> Option<f64> {
    let word = word.trim_end_matches(['.', ',', '-']);
    let (sign, digits) = match word.rsplit_once('-') {
        Some(("", digits)) => (-1.0, digits),
        Some((_, digits)) => (1.0, digits),
        None => (1.0, word),
    };
    digits.replace(',', "").parse::<f64>().ok().map(|number| sign * number)
}

/// Whether an answer was right before its correction, and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The answer has the reference's result.
    pub right_before: bool,
    /// The output has it.
    pub right_after: bool,
    /// The output names no result.
    pub without_result: bool,
}

impl Checked {
    /// Checks an output of a row; `None` when the reference names no result. A cut output that names a result counts by it.
    pub fn new(row: &Qac, output: &str) -> Option<Self> {
        let right = final_number(&row.correction)?;
        let after = final_number(output);
        Some(Self {
            right_before: final_number(&row.answer) == Some(right),
            right_after: after == Some(right),
            without_result: after.is_none(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_behind_the_last_mark_is_the_result() {
        for (solution, result) in [
            ("2+1=3\nA: 3", Some(3.0)),
            ("#### 72", Some(72.0)),
            ("A: 5 of 1,234,567 grams.", Some(1_234_567.0)),
            ("#### $-2.50", Some(-2.5)),
            ("A: .5", Some(0.5)),
            ("A: 1\n#### 2", Some(2.0)),
            ("#### 2\nA: 1", Some(1.0)),
            ("A: 3. Then more", Some(3.0)),
            ("A: 7,", Some(7.0)),
            ("A: 48-24", Some(24.0)),
            ("A: -", None),
            ("A: none", None),
            ("the answer is 7", None),
            ("", None),
        ] {
            assert_eq!(final_number(solution), result, "{solution}");
        }
    }

    #[test]
    fn harm_and_help_are_told_apart() {
        let row = |answer: &str| Qac { question: "q".into(), answer: answer.into(), correction: "#### 18".into() };
        let checked = |answer: &str, output: &str| Checked::new(&row(answer), output).unwrap();
        assert_eq!(
            checked("A: 18.0", "A: 17"),
            Checked { right_before: true, right_after: false, without_result: false }
        );
        assert_eq!(
            checked("A: 17", "#### 18"),
            Checked { right_before: false, right_after: true, without_result: false }
        );
        assert!(checked("A: 18", "It is").without_result);
        let unknown = Qac { question: "q".into(), answer: "A: 1".into(), correction: "one".into() };
        assert_eq!(Checked::new(&unknown, "A: 1"), None);
    }
}
