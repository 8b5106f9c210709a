//! Long work as people see it: a bar or lines for each stage, remarks on standard error.

use redline::lab::observer::Observer;

use crate::output;
use crate::progress::Progress;

/// Shows a stage at a time.
#[derive(Default)]
pub struct Shown {
    stage: Option<(String, Progress)>,
}

impl Observer for Shown {
    fn progress(&mut self, stage: &str, done: usize, total: usize) -> redline::model::Result<()> {
        let is_new = self.stage.as_ref().is_none_or(|(name, _)| name != stage);
        if is_new {
            self.finish();
        }
        let (_, progress) = self.stage.get_or_insert_with(|| (stage.to_owned(), Progress::new(stage, total)));
        progress.set(done, total)
    }

    fn end(&mut self, _: &str) {
        self.finish();
    }

    fn note(&mut self, text: &str) {
        match &self.stage {
            // above the bar, which stays whole
            Some((_, progress)) => progress.print(text),
            None => output::note!("{text}"),
        }
    }
}

impl Shown {
    fn finish(&mut self) {
        if let Some((_, progress)) = self.stage.take() {
            progress.finish();
        }
    }
}
