//! Judgements as the progress of a piece of work.

use super::Result;
use super::judge::{JudgeObserver, Judged};
use redline_data::observer::Observer;

/// Tells an [`Observer`] how many judgements are there, and counts those without a verdict.
pub struct Watch<'a> {
    observer: &'a mut dyn Observer,
    stage: &'a str,
    n_done: usize,
    n_failed: usize,
    total: usize,
}

impl<'a> Watch<'a> {
    /// Watches `total` comparisons; `stage` names the work.
    pub fn new(observer: &'a mut dyn Observer, stage: &'a str, total: usize) -> Self {
        Self { observer, stage, n_done: 0, n_failed: 0, total }
    }

    /// The work is over: says how many replies named no verdict, where some did.
    pub fn end(self) {
        self.observer.end(self.stage);
        if self.n_failed > 0 {
            let text = format!("{}: {} of {} replies name no verdict", self.stage, self.n_failed, self.n_done);
            self.observer.note(&text);
        }
    }
}

impl JudgeObserver for Watch<'_> {
    fn judged(&mut self, _: usize, judged: &Judged) -> Result<()> {
        self.n_done += 1;
        self.n_failed += usize::from(judged.verdict.is_err());
        Ok(self.observer.progress(self.stage, self.n_done.min(self.total), self.total)?)
    }

    fn note(&mut self, text: &str) {
        self.observer.note(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::Judge;
    use super::super::scripted::{Scripted, comparison};
    use super::super::verdict::{NoVerdict, Verdict};
    use super::*;

    #[derive(Default)]
    struct Seen {
        steps: Vec<(usize, usize)>,
        notes: Vec<String>,
        most: usize,
    }

    impl Observer for Seen {
        fn progress(&mut self, _: &str, done: usize, total: usize) -> redline_model::Result<()> {
            self.steps.push((done, total));
            if done > self.most { Err(redline_model::Error::Interrupted) } else { Ok(()) }
        }

        fn end(&mut self, stage: &str) {
            self.notes.push(format!("end of {stage}"));
        }

        fn note(&mut self, text: &str) {
            self.notes.push(text.into());
        }
    }

    fn judge() -> Box<dyn Judge> {
        Box::new(Scripted::new(|asked| if asked.row == 1 { Err(NoVerdict::NoToken) } else { Ok(Verdict::Tie) }))
    }

    #[test]
    fn replies_without_a_verdict_are_counted() {
        let asked = [0, 1, 2].map(|row| comparison(row, "q", "a", "b"));
        let mut seen = Seen { most: 3, ..Seen::default() };
        let mut watch = Watch::new(&mut seen, "judging", asked.len());
        judge().judge(&asked, &mut watch).unwrap();
        watch.end();
        assert_eq!(seen.steps, [(1, 3), (2, 3), (3, 3)]);
        assert_eq!(seen.notes, ["end of judging", "judging: 1 of 3 replies name no verdict"]);
    }

    #[test]
    fn an_observer_ends_the_work() {
        let asked = [0, 1, 2].map(|row| comparison(row, "q", "a", "b"));
        let mut seen = Seen { most: 1, ..Seen::default() };
        let error = judge().judge(&asked, &mut Watch::new(&mut seen, "judging", asked.len())).unwrap_err();
        assert!(error.to_string().contains("interrupted"));
        assert_eq!(seen.steps.len(), 2);
    }
}
