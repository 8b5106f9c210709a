//! In which order the outputs of a pair are shown, and what the verdicts say about the pair.
//!
//! Judges prefer a place, mostly the first. So a pair is shown in both orders; where one token costs one request, as with `logprob`, one
//! order is drawn for each pair. The draw is no random number: of the two orders that one is asked whose [key](mod@super::key) is the
//! smaller, which is a coin toss by SHA-256 that comes out the same in every run, on every machine, and whichever system is called the
//! first.
//!
//! Two outputs that are the same up to white space at their ends are a tie by construction. They are counted and not asked: a judge that
//! must choose between equals shows the place it prefers, and nothing about the systems.

use serde::{Deserialize, Serialize};

use super::Result;
use super::dimension::Dimension;
use super::error::JudgeError;
use super::judge::{Comparison, Judge, Judged, Shown};
use super::key::key;
use super::verdict::{NoVerdict, Verdict};

/// Which system of a pair is shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The pair's first.
    Ab,
    /// The pair's second.
    Ba,
}

/// In which orders a pair is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Orders {
    /// In both.
    Both,
    /// In one of the two, drawn by the hash of the texts.
    Drawn,
    /// Once, the pair's first system first: for judges that look at each output alone.
    AsGiven,
}

/// Two outputs for a row that are to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair<'a> {
    /// The row of the file of rows, from 0.
    pub row: usize,
    /// The question of the row.
    pub question: &'a str,
    /// One system with its output.
    pub a: Shown<'a>,
    /// The other.
    pub b: Shown<'a>,
    /// By what they are compared.
    pub dimension: Dimension,
    /// A right answer, which the judge is shown as such.
    pub reference: Option<&'a str>,
}

impl<'a> Pair<'a> {
    /// Whether there is nothing to compare: the outputs are the same up to white space at their ends.
    pub fn is_identical(&self) -> bool {
        self.a.output.trim() == self.b.output.trim()
    }

    /// The comparison that shows the pair in an order.
    pub fn in_order(&self, order: Order) -> Comparison<'a> {
        let Self { row, question, a, b, dimension, reference } = *self;
        let (first, second) = match order {
            Order::Ab => (a, b),
            Order::Ba => (b, a),
        };
        Comparison { row, question, first, second, order, dimension, reference }
    }
}

/// What is asked about pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<'a> {
    judge: String,
    pairs: Vec<Pair<'a>>,
    comparisons: Vec<Comparison<'a>>,
    /// The comparisons of each pair; none where its outputs are the same.
    places: Vec<std::ops::Range<usize>>,
}

/// A verdict in the order in which it was given, and what it says of the pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderVerdict {
    /// Which system was shown first.
    pub order: Order,
    /// The verdict with the pair's first system as the first, in whichever order they were shown; or why there is none.
    pub verdict: std::result::Result<Verdict, NoVerdict>,
}

/// What is known about a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairJudgement<'a> {
    /// The pair.
    pub pair: Pair<'a>,
    /// Whether its outputs are the same: a tie that nobody was asked about.
    pub is_identical: bool,
    /// The verdicts; none where the outputs are the same.
    pub verdicts: Vec<OrderVerdict>,
}

impl<'a> Plan<'a> {
    /// What a judge is to be asked about pairs, in the orders that it wants.
    pub fn new(pairs: &[Pair<'a>], judge: &(impl Judge + ?Sized)) -> Self {
        let (mut comparisons, mut places) = (Vec::new(), Vec::new());
        for pair in pairs {
            let start = comparisons.len();
            let [ab, ba] = [Order::Ab, Order::Ba].map(|order| pair.in_order(order));
            let hash = |comparison: &Comparison<'_>| key(judge.id(), judge.template(), comparison);
            match judge.orders() {
                _ if pair.is_identical() => {}
                Orders::Both => comparisons.extend([ab, ba]),
                Orders::Drawn => comparisons.push(if hash(&ab) <= hash(&ba) { ab } else { ba }),
                Orders::AsGiven => comparisons.push(ab),
            }
            places.push(start..comparisons.len());
        }
        Self { judge: judge.id().into(), pairs: pairs.to_vec(), comparisons, places }
    }

    /// What is asked, pair by pair.
    pub fn comparisons(&self) -> &[Comparison<'a>] {
        &self.comparisons
    }

    /// Pairs that are not asked about, since their outputs are the same.
    pub fn n_identical(&self) -> usize {
        self.places.iter().filter(|places| places.is_empty()).count()
    }

    /// What the judgements, in the order of the comparisons, say about each pair.
    ///
    /// # Errors
    /// [`JudgeError::Count`] where they are not as many as the comparisons.
    pub fn judgements(&self, judged: &[Judged]) -> Result<Vec<PairJudgement<'a>>> {
        let asked = self.comparisons.len();
        if judged.len() != asked {
            return Err(JudgeError::Count { judge: self.judge.clone(), asked, got: judged.len() });
        }
        let verdict = |index: usize| {
            let (order, verdict) = (self.comparisons[index].order, judged[index].verdict);
            let verdict = match order {
                Order::Ab => verdict,
                Order::Ba => verdict.map(Verdict::swapped),
            };
            OrderVerdict { order, verdict }
        };
        let of_pair = |(pair, places): (&Pair<'a>, &std::ops::Range<usize>)| PairJudgement {
            pair: *pair,
            is_identical: places.is_empty(),
            verdicts: places.clone().map(verdict).collect(),
        };
        Ok(self.pairs.iter().zip(&self.places).map(of_pair).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, pair};
    use super::*;

    fn judgements<'a>(pairs: &[Pair<'a>], mut judge: Scripted) -> Vec<PairJudgement<'a>> {
        let plan = Plan::new(pairs, &judge);
        let judged = judge.judge(plan.comparisons(), &mut ()).unwrap();
        plan.judgements(&judged).unwrap()
    }

    #[test]
    fn a_judge_of_texts_agrees_with_itself_and_a_judge_of_places_does_not() {
        let pairs = [pair(0, "q", "good", "bad")];
        let of_texts = |asked: &Comparison<'_>| {
            Ok(if asked.first.output == "good" { Verdict::StrongFirst } else { Verdict::StrongSecond })
        };
        let [judged] = &judgements(&pairs, Scripted::new(of_texts))[..] else { panic!("one pair") };
        let verdicts: Vec<_> = judged.verdicts.iter().map(|of| (of.order, of.verdict)).collect();
        assert_eq!(verdicts, [(Order::Ab, Ok(Verdict::StrongFirst)), (Order::Ba, Ok(Verdict::StrongFirst))]);

        let [judged] = &judgements(&pairs, Scripted::new(|_| Ok(Verdict::Soft(0.75))))[..] else { panic!("one pair") };
        let p: Vec<f64> = judged.verdicts.iter().map(|of| of.verdict.unwrap().p_first()).collect();
        assert_eq!(p, [0.75, 0.25], "the first place, whatever stands there");
    }

    #[test]
    fn garbage_in_one_order_stays_garbage_in_that_order() {
        let garbage = |asked: &Comparison<'_>| match asked.order {
            Order::Ab => Ok(Verdict::Second),
            Order::Ba => Err(NoVerdict::NoToken),
        };
        let [judged] = &judgements(&[pair(0, "q", "a", "b")], Scripted::new(garbage))[..] else { panic!("one pair") };
        assert_eq!(judged.verdicts[0].verdict, Ok(Verdict::Second));
        assert_eq!(judged.verdicts[1].verdict, Err(NoVerdict::NoToken));
        assert!(!judged.is_identical);
    }

    #[test]
    fn equal_texts_are_a_tie_that_is_not_asked() {
        let pairs =
            [pair(0, "q", "same", "same\n"), pair(1, "q", "a", "b"), pair(2, "q", "", " "), pair(3, "q", "A", "a")];
        let judge = Scripted::new(|_| Ok(Verdict::First));
        let plan = Plan::new(&pairs, &judge);
        assert_eq!((plan.n_identical(), plan.comparisons().len()), (2, 4));
        let judged = judgements(&pairs, judge);
        assert_eq!(judged.iter().map(|of| of.is_identical).collect::<Vec<_>>(), [true, false, true, false]);
        assert_eq!(judged.iter().map(|of| of.verdicts.len()).collect::<Vec<_>>(), [0, 2, 0, 2]);
    }

    #[test]
    fn the_drawn_order_is_even_and_the_same_whoever_is_called_first() {
        let judge = Scripted::new(|_| Ok(Verdict::First)).with_orders(Orders::Drawn);
        let questions: Vec<String> = (0..400).map(|row| format!("question {row}")).collect();
        let pairs: Vec<Pair<'_>> =
            questions.iter().enumerate().map(|(row, question)| pair(row, question, "a", "b")).collect();
        let mirrored: Vec<Pair<'_>> = pairs.iter().map(|pair| Pair { a: pair.b, b: pair.a, ..*pair }).collect();
        let [plan, other] = [&pairs, &mirrored].map(|pairs| Plan::new(pairs, &judge));
        let n_swapped = plan.comparisons().iter().filter(|asked| asked.order == Order::Ba).count();
        // four standard deviations of 400 tosses
        assert!((160..=240).contains(&n_swapped), "{n_swapped}");
        for (one, other) in plan.comparisons().iter().zip(other.comparisons()) {
            assert_eq!((one.first, one.second), (other.first, other.second));
            assert_ne!(one.order, other.order);
        }
    }

    #[test]
    fn too_few_judgements_are_refused() {
        let judge = Scripted::new(|_| Ok(Verdict::First));
        let plan = Plan::new(&[pair(0, "q", "a", "b")], &judge);
        let one = [Judged::local(Ok(Verdict::First), 0.0)];
        assert!(matches!(plan.judgements(&one), Err(JudgeError::Count { asked: 2, got: 1, .. })));
    }
}
