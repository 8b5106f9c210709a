//! Outcomes as they come: reported, held back, or left open.

use redline_lab::judge::{JudgeObserver, Judged, Result};

use super::super::upstream_error::UpstreamError;
use super::refusal::ServerJudgeError;

/// Comparisons in a row that fail before the run ends.
const MOST_FAILED: usize = 3;
/// Comparisons in a row that the server refuses, once it has answered others: long texts often lie together.
const MOST_REFUSED: usize = 20;

/// What became of a comparison.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was answered.
    Judged(Judged),
    /// The server refused it; `judged` says so, if it proves to be about this comparison.
    Refused { error: UpstreamError, judged: Judged },
    /// The server did not get to it.
    Open(UpstreamError),
}

/// The comparisons of one call.
pub(super) struct Run<'a> {
    judge: &'a str,
    observer: &'a mut dyn JudgeObserver,
    judged: Vec<Option<Judged>>,
    /// Refused ones, until it is known that others are answered.
    held: Vec<(usize, Judged)>,
    n_failed_in_a_row: usize,
    is_answered: bool,
    n_open: usize,
    last_error: Option<UpstreamError>,
}

impl<'a> Run<'a> {
    pub(super) fn new(judge: &'a str, n: usize, observer: &'a mut dyn JudgeObserver) -> Self {
        Self {
            judge,
            observer,
            judged: vec![None; n],
            held: Vec::new(),
            n_failed_in_a_row: 0,
            is_answered: false,
            n_open: 0,
            last_error: None,
        }
    }

    pub(super) fn judge(&self) -> &'a str {
        self.judge
    }

    /// Tells the observer something.
    pub(super) fn note(&mut self, text: &str) {
        self.observer.note(text);
    }

    /// Takes what became of a comparison.
    pub(super) fn take(&mut self, index: usize, outcome: Outcome) -> Result<()> {
        let (error, most) = match outcome {
            Outcome::Judged(judged) => {
                (self.n_failed_in_a_row, self.is_answered) = (0, true);
                self.report(index, judged)?;
                return self.release();
            }
            Outcome::Refused { error, judged } => {
                self.held.push((index, judged));
                (error, if self.is_answered { MOST_REFUSED } else { MOST_FAILED })
            }
            Outcome::Open(error) => {
                self.n_open += 1;
                (error, MOST_FAILED)
            }
        };
        self.n_failed_in_a_row += 1;
        if self.n_failed_in_a_row >= most {
            let failed = ServerJudgeError::InARow { n: self.n_failed_in_a_row, error: Box::new(error) };
            return Err(failed.of(self.judge));
        }
        self.last_error = Some(error);
        Ok(())
    }

    /// All judgements in order, if all are there.
    pub(super) fn finish(mut self) -> Result<Vec<Judged>> {
        self.release()?;
        match (self.n_open, self.last_error) {
            (n @ 1.., Some(error)) => {
                let asked = self.judged.len();
                Err(ServerJudgeError::Open { n, asked, error: Box::new(error) }.of(self.judge))
            }
            _ => Ok(self.judged.into_iter().flatten().collect()),
        }
    }

    fn release(&mut self) -> Result<()> {
        for (index, judged) in std::mem::take(&mut self.held) {
            self.report(index, judged)?;
        }
        Ok(())
    }

    fn report(&mut self, index: usize, judged: Judged) -> Result<()> {
        self.observer.judged(index, &judged)?;
        self.judged[index] = Some(judged);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redline_lab::judge::{NoVerdict, Verdict};

    use super::*;

    struct Heard<'a>(&'a mut Vec<usize>);

    impl JudgeObserver for Heard<'_> {
        fn judged(&mut self, index: usize, _: &Judged) -> Result<()> {
            self.0.push(index);
            Ok(())
        }

        fn note(&mut self, _: &str) {}
    }

    fn answered() -> Outcome {
        Outcome::Judged(Judged::local(Ok(Verdict::First), 0.0))
    }

    fn error() -> UpstreamError {
        UpstreamError::Reply { rule: "it is none".into() }
    }

    fn refused() -> Outcome {
        Outcome::Refused { error: error(), judged: Judged::local(Err(NoVerdict::NoReply), 0.0) }
    }

    /// Indices reported after outcomes, and how many of the outcomes were taken.
    fn taken(outcomes: Vec<Outcome>) -> (Vec<usize>, usize) {
        let (mut heard, n) = (Vec::new(), outcomes.len());
        let mut observer = Heard(&mut heard);
        let mut run = Run::new("judge", n, &mut observer);
        let n_taken = outcomes.into_iter().enumerate().map_while(|(index, it)| run.take(index, it).ok()).count();
        (heard, n_taken)
    }

    #[test]
    fn a_refused_comparison_is_reported_once_another_one_is_answered() {
        assert_eq!(taken(vec![refused(), refused()]), (vec![], 2));
        assert_eq!(taken(vec![refused(), refused(), answered(), refused()]), (vec![2, 0, 1], 4));
    }

    #[test]
    fn only_failures_in_a_row_end_the_run() {
        assert_eq!(taken(vec![refused(), refused(), refused()]).1, 2);
        let open = || Outcome::Open(error());
        assert_eq!(taken(vec![open(), open(), answered(), open(), open(), answered()]).1, 6);
        assert_eq!(taken(vec![answered(), open(), open(), open()]).1, 3);
        let mut many: Vec<Outcome> = (0..MOST_REFUSED).map(|_| refused()).collect();
        many.insert(0, answered());
        assert_eq!(taken(many).1, MOST_REFUSED, "all but the last one");
    }
}
