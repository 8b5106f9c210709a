//! How much a judge's verdict depends on the order in which the answers are shown, and how often it is right in each order.
//!
//! The same two answers are shown twice, swapped the second time (Zheng et al. 2023, "Judging LLM-as-a-Judge"; Zeng et al. 2023,
//! LLMBar). These figures belong before any win rate: a judge that prefers what comes first tells little of the answers.

use serde::{Deserialize, Serialize};

use super::pair::check_probability;
use super::{Decision, JudgedPair, WinRateError};
use crate::judge::Order;

/// How consistent verdicts are under a swap of positions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PositionConsistency {
    /// Pairs with a verdict in both orders.
    pub n: usize,
    /// Pairs left out, as an order has no verdict.
    pub n_errors: usize,
    /// Pairs left out, as their answers are identical and nobody was asked.
    pub n_identical: usize,
    /// Share of the `n` pairs whose two verdicts prefer the same answer, or are ties both.
    pub consistent: f64,
    /// Verdicts for the answer shown first. This count, and the next two, include the verdicts of pairs left out.
    pub n_first: usize,
    /// Verdicts for the answer shown second.
    pub n_second: usize,
    /// Verdicts for neither.
    pub n_ties: usize,
    /// Share of all verdicts that are for the answer shown first; one half only where no position is preferred and there are no
    /// ties.
    pub first_position_share: f64,
}

impl PositionConsistency {
    /// The consistency of these pairs.
    ///
    /// # Errors
    /// [`WinRateError::MissingOrder`], [`WinRateError::Probability`], [`WinRateError::NoVerdicts`] where no pair has two verdicts.
    pub fn of(pairs: &[JudgedPair]) -> Result<Self, WinRateError> {
        let complete = complete(pairs)?;
        let verdicts = || pairs.iter().flat_map(JudgedPair::said).filter_map(|(order, said)| Some((order, said.ok()?)));
        let n_of = |ab, ba| {
            let wanted = |order| if order == Order::Ab { ab } else { ba };
            verdicts().filter(|(order, verdict)| Decision::of(*verdict) == wanted(*order)).count()
        };
        let (n_first, n_second) = (n_of(Decision::Win, Decision::Loss), n_of(Decision::Loss, Decision::Win));
        let n_verdicts = verdicts().count();
        let n_identical = n_identical(pairs);
        let n_consistent = complete.iter().filter(|(_, [a, b])| a == b).count();
        Ok(Self {
            n: complete.len(),
            n_errors: pairs.len() - complete.len() - n_identical,
            n_identical,
            consistent: n_consistent as f64 / complete.len() as f64,
            n_first,
            n_second,
            n_ties: n_verdicts - n_first - n_second,
            first_position_share: n_first as f64 / n_verdicts as f64,
        })
    }
}

/// How often a judge is right where it is known which answer is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JudgeAccuracy {
    /// Pairs with a verdict in both orders.
    pub n: usize,
    /// Pairs left out, as an order has no verdict.
    pub n_errors: usize,
    /// Pairs left out, as their answers are identical and nobody was asked.
    pub n_identical: usize,
    /// Share that is right with the system's answer shown first.
    pub system_first: f64,
    /// Share that is right with the system's answer shown second.
    pub system_second: f64,
    /// Share that is right in both orders: what a judge knows whatever the position.
    pub both_right: f64,
    /// Share that is wrong in both orders.
    pub both_wrong: f64,
}

impl JudgeAccuracy {
    /// The accuracy of these pairs against what is known of each.
    ///
    /// # Errors
    /// [`WinRateError::Sizes`] and those of [`PositionConsistency::of`].
    pub fn of(pairs: &[JudgedPair], truth: &[Decision]) -> Result<Self, WinRateError> {
        if pairs.len() != truth.len() {
            return Err(WinRateError::Sizes { what: "known decisions", got: truth.len(), expected: pairs.len() });
        }
        let complete = complete(pairs)?;
        let share = |counts: fn([bool; 2]) -> bool| {
            let right = complete.iter().map(|(row, decisions)| decisions.map(|decision| decision == truth[*row]));
            right.filter(|right| counts(*right)).count() as f64 / complete.len() as f64
        };
        Ok(Self {
            n: complete.len(),
            n_errors: pairs.len() - complete.len() - n_identical(pairs),
            n_identical: n_identical(pairs),
            system_first: share(|[first, _]| first),
            system_second: share(|[_, second]| second),
            both_right: share(|right| right == [true, true]),
            both_wrong: share(|right| right == [false, false]),
        })
    }
}

fn n_identical(pairs: &[JudgedPair]) -> usize {
    pairs.iter().filter(|pair| **pair == JudgedPair::Identical).count()
}

/// Row and decisions, in either order, of the pairs that have both.
fn complete(pairs: &[JudgedPair]) -> Result<Vec<(usize, [Decision; 2])>, WinRateError> {
    let mut complete = Vec::with_capacity(pairs.len());
    for (row, pair) in pairs.iter().enumerate() {
        let (first, second) = match *pair {
            JudgedPair::Identical => continue,
            JudgedPair::Both(first, second) => (first, second),
            JudgedPair::Alone(_) | JudgedPair::Drawn(..) => return Err(WinRateError::MissingOrder { row }),
        };
        check_probability(row, first)?;
        check_probability(row, second)?;
        if let (Ok(first), Ok(second)) = (first, second) {
            complete.push((row, [first, second].map(Decision::of)));
        }
    }
    match complete.is_empty() {
        true => Err(WinRateError::NoVerdicts { n_errors: pairs.len() - n_identical(pairs) }),
        false => Ok(complete),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files_for_tests::{data_json, data_rows, golden, golden_pairs};
    use crate::judge::{NoVerdict, Verdict};
    use crate::win_rate::Said;
    use Verdict::{First, Second, Soft, Tie};

    const NONE: Said = Err(NoVerdict::NoToken);

    fn both(first: Verdict, second: Verdict) -> JudgedPair {
        JudgedPair::Both(Ok(first), Ok(second))
    }

    #[test]
    fn by_hand() {
        let pairs = [
            both(First, First),  // the system's answer, both times
            both(First, Second), // what comes first
            both(Tie, Tie),
            JudgedPair::Both(Ok(Second), NONE),
            JudgedPair::Identical,
        ];
        let found = PositionConsistency::of(&pairs).unwrap();
        assert_eq!((found.n, found.n_errors, found.n_identical, found.consistent), (3, 1, 1, 2.0 / 3.0));
        assert_eq!((found.n_first, found.n_second, found.n_ties, found.first_position_share), (3, 2, 2, 3.0 / 7.0));
        let truth = [Decision::Win, Decision::Loss, Decision::Win, Decision::Win, Decision::Win];
        let right = JudgeAccuracy::of(&pairs, &truth).unwrap();
        assert_eq!((right.n, right.n_errors, right.n_identical), (3, 1, 1));
        assert_eq!((right.system_first, right.system_second), (1.0 / 3.0, 2.0 / 3.0));
        assert_eq!((right.both_right, right.both_wrong), (1.0 / 3.0, 1.0 / 3.0));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for one in [JudgedPair::Drawn(Order::Ab, Ok(Tie)), JudgedPair::Alone(Ok(Tie))] {
            assert!(matches!(PositionConsistency::of(&[one]), Err(WinRateError::MissingOrder { row: 0 })));
        }
        let errors = [JudgedPair::Both(NONE, Ok(Tie)); 2];
        assert!(matches!(PositionConsistency::of(&errors), Err(WinRateError::NoVerdicts { n_errors: 2 })));
        assert!(matches!(PositionConsistency::of(&[]), Err(WinRateError::NoVerdicts { n_errors: 0 })));
        let no_probability = [both(Soft(f64::NAN), Tie)];
        assert!(matches!(PositionConsistency::of(&no_probability), Err(WinRateError::Probability { row: 0, .. })));
        assert!(matches!(JudgeAccuracy::of(&errors, &[Decision::Win]), Err(WinRateError::Sizes { got: 1, .. })));
    }

    #[test]
    fn the_golden_case_comes_out() {
        let judged = &golden("winrate/expected.json")["judged"];
        let found = PositionConsistency::of(&golden_pairs(judged)).unwrap();
        let expected = |name: &str| judged["mt_bench_rule"][name].as_f64().unwrap();
        assert_eq!((found.n as f64, found.n_errors as f64), (expected("n"), expected("errors")));
        assert!((found.consistent - expected("consistent")).abs() < 1e-12);
        assert!((found.first_position_share - expected("first_position_share")).abs() < 1e-12);
    }

    /// Output 1 is the system; winners in the file are outputs already, whatever the order.
    fn llmbar_pair(judge: &serde_json::Value) -> JudgedPair {
        let winner = |order: &str| judge[order]["winner"].as_str().unwrap() == "1";
        let [first, swapped] = ["first", "swapped"].map(|order| if winner(order) { First } else { Second });
        both(first, swapped)
    }

    #[test]
    fn llmbar_comes_out() {
        let (Some(expected), Some(rows)) =
            (data_json("expected-agreement.json"), data_rows::<serde_json::Value>("llmbar/pairs.jsonl.gz"))
        else {
            return;
        };
        let expected = expected["llmbar"].as_object().unwrap();
        assert_eq!(expected.len(), 12);
        for (name, figures) in expected {
            let (judge, subset) = name.split_once('/').unwrap();
            let rows: Vec<_> = rows.iter().filter(|row| subset == "all" || row["subset"] == subset).collect();
            let pairs: Vec<JudgedPair> = rows.iter().map(|row| llmbar_pair(&row["judges"][judge])).collect();
            let truth: Vec<Decision> =
                rows.iter().map(|row| if row["label"] == 1 { Decision::Win } else { Decision::Loss }).collect();
            let (position, right) =
                (PositionConsistency::of(&pairs).unwrap(), JudgeAccuracy::of(&pairs, &truth).unwrap());
            let found = [
                ("n", right.n as f64),
                ("accuracy_first", right.system_first),
                ("accuracy_swapped", right.system_second),
                ("consistent", position.consistent),
                ("both_right", right.both_right),
                ("both_wrong", right.both_wrong),
                ("first_position_share", position.first_position_share),
            ];
            assert_eq!(figures.as_object().unwrap().len(), found.len());
            for (figure, value) in found {
                assert!((value - figures[figure].as_f64().unwrap()).abs() < 1e-12, "{name} {figure}: {value}");
            }
        }
    }
}
