//! A judge made from a score: of two outputs, that with the higher one is better.
//!
//! An instrument that scores each output alone has no order, so a pair is asked about once. Each output is scored once, however many
//! others it is compared with.

use std::collections::HashMap;
use std::time::Instant;

use super::super::Result;
use super::super::dimension::Dimension;
use super::super::error::JudgeError;
use super::super::judge::{Comparison, Judge, JudgeObserver, Judged, check_id};
use super::super::order::Orders;
use super::super::verdict::{NoVerdict, Verdict};

/// Says how good an output is, alone.
pub trait Score {
    /// Who scores, as [`Judge::id`].
    fn id(&self) -> &str;

    /// What else the score depends on beside the texts, as [`Judge::template`]: the hash of rows, weights or rules.
    fn template(&self) -> &str;

    /// The score of an output for a row, in one dimension: higher is better, in whatever unit. None where the instrument cannot tell.
    ///
    /// # Errors
    /// [`JudgeError::Failed`] where no further output can be scored.
    fn score(&mut self, row: usize, question: &str, output: &str, dimension: Dimension) -> Result<Option<f64>>;
}

/// A closure as a [`Score`].
pub struct ScoreFn<F> {
    id: String,
    template: String,
    score: F,
}

impl<F: FnMut(usize, &str, &str, Dimension) -> Result<Option<f64>>> ScoreFn<F> {
    /// Names a closure that takes what [`Score::score`] takes.
    pub fn new(id: impl Into<String>, template: impl Into<String>, score: F) -> Self {
        Self { id: id.into(), template: template.into(), score }
    }
}

impl<F: FnMut(usize, &str, &str, Dimension) -> Result<Option<f64>>> Score for ScoreFn<F> {
    fn id(&self) -> &str {
        &self.id
    }

    fn template(&self) -> &str {
        &self.template
    }

    fn score(&mut self, row: usize, question: &str, output: &str, dimension: Dimension) -> Result<Option<f64>> {
        (self.score)(row, question, output, dimension)
    }
}

impl Score for Box<dyn Score> {
    fn id(&self) -> &str {
        (**self).id()
    }

    fn template(&self) -> &str {
        (**self).template()
    }

    fn score(&mut self, row: usize, question: &str, output: &str, dimension: Dimension) -> Result<Option<f64>> {
        (**self).score(row, question, output, dimension)
    }
}

/// What a score depends on: row, dimension, question and output.
type Scored = (usize, Dimension, String, String);

/// A [`Score`] as a [`Judge`].
///
/// # Example
/// ```
/// use redline_judge::judge::local::{ScoreFn, ScoreJudge};
/// use redline_judge::judge::{Dimension, Judge, Pair, Plan, Shown, Verdict};
///
/// let shorter = ScoreFn::new("shorter", "1", |_, _, output: &str, _| Ok(Some(-(output.len() as f64))));
/// let mut judge = ScoreJudge::new(shorter)?;
/// let [a, b] = ["No.", "No, since it is not so."].map(|output| Shown { system: "s", output });
/// let pair = Pair { row: 0, question: "Is it?", a, b, dimension: Dimension::Overall, reference: None };
/// let plan = Plan::new(&[pair], &judge);
/// let judged = judge.judge(plan.comparisons(), &mut ())?;
/// assert_eq!(judged[0].verdict, Ok(Verdict::First));
/// # Ok::<(), redline_judge::judge::JudgeError>(())
/// ```
pub struct ScoreJudge<S> {
    score: S,
    tolerance: f64,
    template: String,
    known: HashMap<Scored, Option<f64>>,
}

impl<S: Score> ScoreJudge<S> {
    /// A judge for which only equal scores are a tie.
    ///
    /// # Errors
    /// [`JudgeError::JudgeId`].
    pub fn new(score: S) -> Result<Self> {
        check_id(score.id())?;
        let template = score.template().to_owned();
        Ok(Self { score, tolerance: 0.0, template, known: HashMap::new() })
    }

    /// The same judge, for which scores that differ by at most `tolerance` are a tie. A tolerance other than 0 is part of its template:
    /// its judgements are others.
    ///
    /// # Errors
    /// [`JudgeError::Tolerance`] for one that is no finite number from 0.
    pub fn with_tolerance(self, tolerance: f64) -> Result<Self> {
        if !(tolerance.is_finite() && tolerance >= 0.0) {
            return Err(JudgeError::Tolerance { judge: self.score.id().into(), got: tolerance });
        }
        let template = match self.score.template() {
            template if tolerance == 0.0 => template.to_owned(),
            template => format!("{template}, tie within {tolerance}"),
        };
        Ok(Self { tolerance, template, ..self })
    }

    /// The score behind the judge.
    pub fn inner(&self) -> &S {
        &self.score
    }

    /// The score of one output of a comparison.
    fn of(&mut self, comparison: &Comparison<'_>, output: &str) -> Result<Option<f64>> {
        let Comparison { row, question, dimension, .. } = *comparison;
        let scored = (row, dimension, question.to_owned(), output.to_owned());
        if let Some(known) = self.known.get(&scored) {
            return Ok(*known);
        }
        let found = self.score.score(row, question, output, dimension)?;
        if let Some(got) = found.filter(|score| !score.is_finite()) {
            return Err(JudgeError::Score { judge: self.score.id().into(), row, dimension, got });
        }
        self.known.insert(scored, found);
        Ok(found)
    }

    fn verdict(&self, scores: [Option<f64>; 2]) -> std::result::Result<Verdict, NoVerdict> {
        let [Some(first), Some(second)] = scores else { return Err(NoVerdict::NoInstrument) };
        Ok(match first - second {
            above if above > self.tolerance => Verdict::First,
            below if below < -self.tolerance => Verdict::Second,
            _ => Verdict::Tie,
        })
    }
}

impl<S: Score> Judge for ScoreJudge<S> {
    fn id(&self) -> &str {
        self.score.id()
    }

    fn template(&self) -> &str {
        &self.template
    }

    fn orders(&self) -> Orders {
        Orders::AsGiven
    }

    /// # Errors
    /// [`JudgeError::Score`] for a score that is no finite number; those of the score and of the observer.
    fn judge(&mut self, comparisons: &[Comparison<'_>], observer: &mut dyn JudgeObserver) -> Result<Vec<Judged>> {
        let mut all = Vec::with_capacity(comparisons.len());
        for (index, comparison) in comparisons.iter().enumerate() {
            let start = Instant::now();
            let scores =
                [self.of(comparison, comparison.first.output)?, self.of(comparison, comparison.second.output)?];
            let judged = Judged::local(self.verdict(scores), start.elapsed().as_secs_f64());
            observer.judged(index, &judged)?;
            all.push(judged);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::order::Plan;
    use super::super::super::scripted::{comparison, pair, stop_after};
    use super::*;

    /// Scores a text by the number in it, counting how often it is asked.
    struct Number {
        n_asked: usize,
    }

    impl Score for Number {
        fn id(&self) -> &str {
            "number"
        }

        fn template(&self) -> &str {
            "t"
        }

        fn score(&mut self, _: usize, _: &str, output: &str, _: Dimension) -> Result<Option<f64>> {
            self.n_asked += 1;
            Ok(output.parse().ok())
        }
    }

    fn number() -> ScoreJudge<Number> {
        ScoreJudge::new(Number { n_asked: 0 }).unwrap()
    }

    fn verdicts(
        judge: &mut ScoreJudge<Number>,
        pairs: &[(&str, &str)],
    ) -> Vec<std::result::Result<Verdict, NoVerdict>> {
        let asked: Vec<_> = pairs.iter().map(|(a, b)| comparison(0, "q", a, b)).collect();
        judge.judge(&asked, &mut ()).unwrap().into_iter().map(|judged| judged.verdict).collect()
    }

    #[test]
    fn the_higher_score_is_better_and_none_is_no_verdict() {
        let found = verdicts(&mut number(), &[("2", "1"), ("1", "2"), ("1", "1.0"), ("1", "one"), ("one", "two")]);
        let none = Err(NoVerdict::NoInstrument);
        assert_eq!(found, [Ok(Verdict::First), Ok(Verdict::Second), Ok(Verdict::Tie), none, none]);
    }

    #[test]
    fn scores_within_the_tolerance_are_a_tie_and_the_judge_another() {
        let mut judge = number().with_tolerance(0.5).unwrap();
        let found = verdicts(&mut judge, &[("1.5", "1"), ("1", "1.5"), ("1.75", "1"), ("1", "1.75")]);
        assert_eq!(found, [Ok(Verdict::Tie), Ok(Verdict::Tie), Ok(Verdict::First), Ok(Verdict::Second)]);
        assert_eq!(judge.template(), "t, tie within 0.5");
        assert_eq!(judge.with_tolerance(0.0).unwrap().template(), "t");
        for tolerance in [-0.1, f64::NAN, f64::INFINITY] {
            let refused = number().with_tolerance(tolerance).err();
            assert!(matches!(refused, Some(JudgeError::Tolerance { .. })), "{tolerance}");
        }
    }

    #[test]
    fn each_output_of_a_row_is_scored_once() {
        let mut judge = number();
        verdicts(&mut judge, &[("2", "1"), ("3", "1"), ("2", "3"), ("x", "1"), ("x", "2")]);
        assert_eq!(judge.inner().n_asked, 4, "1, 2, 3 and x, which has no score");
        verdicts(&mut judge, &[("3", "2")]);
        assert_eq!(judge.inner().n_asked, 4);
        let other = [
            comparison(1, "q", "3", "2"),
            Comparison { dimension: Dimension::Honest, ..comparison(0, "q", "3", "2") },
            comparison(0, "another", "3", "2"),
        ];
        judge.judge(&other, &mut ()).unwrap();
        assert_eq!(judge.inner().n_asked, 10, "another row, dimension or question is scored anew");
    }

    #[test]
    fn a_pair_is_asked_once_and_reported() {
        let mut judge = number();
        let pairs = [pair(0, "q", "2", "1"), pair(1, "q", "2", "2"), pair(2, "q", "1", "2")];
        let plan = Plan::new(&pairs, &judge);
        assert_eq!((plan.comparisons().len(), plan.n_identical()), (2, 1));
        let judged = judge.judge(plan.comparisons(), &mut ()).unwrap();
        assert!(judged.iter().all(|own| own.cost == Some(0.0) && own.raw.is_empty() && own.seconds >= 0.0));
        let stopped = judge.judge(plan.comparisons(), &mut stop_after(1)).unwrap_err();
        assert!(stopped.to_string().contains("interrupted"), "{stopped}");
    }

    #[test]
    fn scores_that_are_no_numbers_and_failures_end_the_work() {
        let error = number().judge(&[comparison(7, "q", "1", "inf")], &mut ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "judge `number` scores an output of row 7 (helpful) with inf, which is no finite number"
        );
        assert!(error.hint().is_some());
        let failing = ScoreFn::new("f", "t", |_, _, _: &str, _| -> Result<Option<f64>> {
            Err(JudgeError::Failed { judge: "f".into(), source: "out of weights".into() })
        });
        let error = ScoreJudge::new(failing).unwrap().judge(&[comparison(0, "q", "a", "b")], &mut ()).unwrap_err();
        assert!(matches!(error, JudgeError::Failed { .. }));
        let unnamed = ScoreFn::new(" ", "t", |_, _, _: &str, _| Ok(None));
        assert!(matches!(ScoreJudge::new(unnamed).err(), Some(JudgeError::JudgeId { .. })));
    }
}
