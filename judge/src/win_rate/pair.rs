//! What a judge said of a system's answer and another's to one prompt, and what that means for the system.
//!
//! Verdicts here have the system as the first, in whichever order the answers were shown, as those of
//! [`PairJudgement`] have.

use serde::{Deserialize, Serialize};

use super::WinRateError;
use crate::judge::{NoVerdict, Order, Orders, PairJudgement, Verdict};

/// What came out of a comparison for the system that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The system's answer is better.
    Win,
    /// Neither answer is better.
    Tie,
    /// The other answer is better.
    Loss,
}

/// Scores nearer to one half than this are one half: the mean of 0.1 and 0.9 is a tie whatever the rounding.
const ROUNDING: f64 = 1e-12;

impl Decision {
    /// Win above one half, loss below.
    pub fn of_score(score: f64) -> Self {
        match score - 0.5 {
            above if above > ROUNDING => Self::Win,
            below if below < -ROUNDING => Self::Loss,
            _ => Self::Tie,
        }
    }

    /// What a verdict with the system as the first says.
    pub fn of(verdict: Verdict) -> Self {
        Self::of_score(verdict.p_first())
    }
}

/// A verdict with the system as the first, or why there is none.
pub type Said = Result<Verdict, NoVerdict>;

/// The verdicts on one prompt: the system's answer against the other's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JudgedPair {
    /// The answers are the same: a tie by construction, about which nobody was asked.
    Identical,
    /// Said by an instrument that looks at each answer alone: the same in either order.
    Alone(Said),
    /// Said in one order, which was drawn.
    Drawn(Order, Said),
    /// Said with the system's answer shown first, and with it shown second.
    Both(Said, Said),
}

impl JudgedPair {
    /// The pair whose first output is the system's, judged in the orders that its judge wants.
    ///
    /// # Errors
    /// [`WinRateError::Orders`] where the verdicts are not those of these orders.
    pub fn new(judgement: &PairJudgement<'_>, orders: Orders) -> Result<Self, WinRateError> {
        let said: Vec<(Order, Said)> = judgement.verdicts.iter().map(|own| (own.order, own.verdict)).collect();
        match (orders, &said[..]) {
            (_, []) if judgement.is_identical => Ok(Self::Identical),
            (Orders::Both, [(Order::Ab, first), (Order::Ba, second)]) => Ok(Self::Both(*first, *second)),
            (Orders::Both, [(Order::Ba, second), (Order::Ab, first)]) => Ok(Self::Both(*first, *second)),
            (Orders::Drawn, [(order, said)]) => Ok(Self::Drawn(*order, *said)),
            (Orders::AsGiven, [(_, said)]) => Ok(Self::Alone(*said)),
            _ => Err(WinRateError::Orders { row: judgement.pair.row, orders, got: said.len() }),
        }
    }

    /// The verdicts that were given, each with the order of the answers; the system's answer is that of [`Order::Ab`].
    pub fn said(&self) -> impl Iterator<Item = (Order, Said)> + use<> {
        let (first, second) = match *self {
            Self::Identical => (None, None),
            Self::Alone(said) => (Some((Order::Ab, said)), None),
            Self::Drawn(order, said) => (Some((order, said)), None),
            Self::Both(first, second) => (Some((Order::Ab, first)), Some((Order::Ba, second))),
        };
        first.into_iter().chain(second)
    }

    /// Whether an order that was asked for has no verdict.
    pub fn has_error(&self) -> bool {
        self.said().any(|(_, said)| said.is_err())
    }
}

/// Refuses a soft verdict that is no probability.
pub(super) fn check_probability(row: usize, said: Said) -> Result<(), WinRateError> {
    match said {
        Ok(Verdict::Soft(got)) if !(0.0..=1.0).contains(&got) => Err(WinRateError::Probability { row, got }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Dimension, OrderVerdict, Pair, Shown};

    fn judgement(outputs: [&'static str; 2], verdicts: &[(Order, Said)]) -> PairJudgement<'static> {
        let [a, b] = outputs.map(|output| Shown { system: "s", output });
        let pair = Pair { row: 4, question: "q", a, b, dimension: Dimension::Overall, reference: None };
        let verdicts = verdicts.iter().map(|&(order, verdict)| OrderVerdict { order, verdict }).collect();
        PairJudgement { pair, is_identical: pair.is_identical(), verdicts }
    }

    #[test]
    fn a_judgement_is_read_as_its_orders_say() {
        use Order::{Ab, Ba};
        let (win, none) = (Ok(Verdict::First), Err(NoVerdict::NoToken));
        let of = |orders, verdicts: &[(Order, Said)]| JudgedPair::new(&judgement(["a", "b"], verdicts), orders).ok();
        assert_eq!(of(Orders::Both, &[(Ab, win), (Ba, none)]), Some(JudgedPair::Both(win, none)));
        assert_eq!(of(Orders::Both, &[(Ba, none), (Ab, win)]), Some(JudgedPair::Both(win, none)));
        assert_eq!(of(Orders::Drawn, &[(Ba, win)]), Some(JudgedPair::Drawn(Ba, win)));
        assert_eq!(of(Orders::AsGiven, &[(Ab, win)]), Some(JudgedPair::Alone(win)));
        for orders in [Orders::Both, Orders::Drawn, Orders::AsGiven] {
            let same = JudgedPair::new(&judgement(["a", "a "], &[]), orders).unwrap();
            assert_eq!((same, same.has_error(), same.said().count()), (JudgedPair::Identical, false, 0));
            assert_eq!(of(orders, &[]), None, "different texts about which nothing was said");
        }
        assert_eq!(of(Orders::Both, &[(Ab, win)]), None);
        assert_eq!(of(Orders::Both, &[(Ab, win), (Ab, win)]), None);
        let refused = JudgedPair::new(&judgement(["a", "b"], &[(Ab, win), (Ba, win)]), Orders::Drawn);
        assert!(matches!(refused, Err(WinRateError::Orders { row: 4, orders: Orders::Drawn, got: 2 })));
    }

    #[test]
    fn verdicts_keep_their_order_and_errors_are_seen() {
        let (win, none) = (Ok(Verdict::First), Err(NoVerdict::NoToken));
        let said: Vec<_> = JudgedPair::Both(win, none).said().collect();
        assert_eq!(said, [(Order::Ab, win), (Order::Ba, none)]);
        assert_eq!(JudgedPair::Drawn(Order::Ba, win).said().collect::<Vec<_>>(), [(Order::Ba, win)]);
        assert!(JudgedPair::Both(win, none).has_error() && !JudgedPair::Both(win, win).has_error());
        assert!(JudgedPair::Alone(none).has_error());
    }

    #[test]
    fn a_score_is_decided_with_room_for_rounding() {
        assert_eq!(Decision::of_score(0.5 + 1e-15), Decision::Tie);
        assert_eq!(Decision::of_score(0.5 - 1e-15), Decision::Tie);
        assert_eq!((Decision::of_score(0.51), Decision::of_score(0.0)), (Decision::Win, Decision::Loss));
        assert_eq!(Decision::of(Verdict::StrongSecond), Decision::Loss);
        assert_eq!(
            (Decision::of(Verdict::Soft(0.25)), Decision::of(Verdict::Soft(0.5))),
            (Decision::Loss, Decision::Tie)
        );
    }
}
