//! The best of several answers to the question alone: what the model could answer by itself if somebody chose.
//!
//! Whoever chooses must not be who judges: the best of N by a score is better by that score whatever it is worth (Goodhart's law).

use std::time::Instant;

use super::clean::said;
use super::desk::{Counts, Desk, Task};
use super::error::BaselineError;
use super::requests;
use super::run::BaselineRun;
use crate::contest::Keep;
use crate::error::Result;
use crate::observer::Observer;
use redline_model::Qac;

/// Scores an answer by row, question and text; none where it cannot.
pub type Choose<'a> = &'a mut dyn FnMut(usize, &str, &str) -> Result<Option<f64>>;

/// The best of several answers.
pub struct AnswerBestOf<'a> {
    /// Draws a row.
    pub n: usize,
    /// Temperature of the draws.
    pub temperature: f64,
    /// Chooses among them by the highest score: the first of equals, the first of all where nothing can be scored.
    pub choose: Choose<'a>,
}

impl AnswerBestOf<'_> {
    /// What the system is called, for [`BaselineRun::system`], after the name of who answers: `answer-best-of-5`. What its outputs depend on is the
    /// [template](super::Protocol::template) of `answer`, N, the temperature and the choice.
    pub fn name(&self, of: &str) -> String {
        format!("{of}-best-of-{}", self.n)
    }

    /// Refuses numbers out of range.
    ///
    /// # Errors
    /// [`BaselineError::Draws`], [`BaselineError::Temperature`].
    pub fn check(&self) -> std::result::Result<(), BaselineError> {
        if self.n == 0 {
            return Err(BaselineError::Draws { got: self.n });
        }
        match self.temperature.is_finite() && self.temperature > 0.0 {
            true => Ok(()),
            false => Err(BaselineError::Temperature { got: self.temperature }),
        }
    }

    /// Draws answers to the questions of the rows and hands the best of each to `keep`. Draw number k, from 0, has the seed of the run plus
    /// k. A row of which a draw fails has no answer, which the observer is told.
    ///
    /// # Errors
    /// Those of [`BaselineRun::answer`], or whatever the choice returns.
    pub fn answer(
        &mut self,
        run: &mut BaselineRun<'_>,
        rows: &[(usize, &Qac)],
        keep: Keep<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Counts> {
        self.check()?;
        run.each_chunk(rows, keep, observer, &mut |desk, tasks| self.draw(desk, tasks))
    }

    fn draw(&mut self, desk: &mut Desk<'_>, tasks: &mut [Task<'_>]) -> Result<()> {
        let seed = desk.how.seed;
        let mut drawn: Vec<Vec<String>> = vec![Vec::with_capacity(self.n); tasks.len()];
        for draw in 0..self.n as u64 {
            desk.how.seed = seed.wrapping_add(draw);
            for (place, text) in answers(desk, tasks, self.temperature)? {
                drawn[place].push(text);
            }
        }
        desk.how.seed = seed;
        for (task, drawn) in tasks.iter_mut().zip(drawn).filter(|(task, _)| task.is_open()) {
            let started = Instant::now();
            task.text = self.best(task, drawn)?;
            task.spent.seconds += started.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// The first of those with the highest score.
    fn best(&mut self, task: &Task<'_>, drawn: Vec<String>) -> Result<String> {
        let mut best: Option<(f64, String)> = None;
        for text in drawn {
            let score = (self.choose)(task.row, &task.qac.question, &text)?.filter(|score| !score.is_nan());
            let score = score.unwrap_or(f64::NEG_INFINITY);
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, text));
            }
        }
        Ok(best.map_or_else(String::new, |(_, text)| text))
    }
}

/// The answer of each row to its question alone.
pub(super) fn answer(desk: &mut Desk<'_>, tasks: &mut [Task<'_>]) -> Result<()> {
    for (place, text) in answers(desk, tasks, 0.0)? {
        tasks[place].text = text;
    }
    Ok(())
}

/// Answers with the places of their rows. There is no answer before them to be kept, so one without text is an answer like others. They are
/// the model's own, so nothing around them is wrapping.
fn answers(desk: &mut Desk<'_>, tasks: &mut [Task<'_>], temperature: f64) -> Result<Vec<(usize, String)>> {
    for task in tasks.iter_mut() {
        task.request = Some(requests::answer(&task.qac.question));
    }
    let replies = desk.ask(tasks, temperature)?;
    desk.counts.n_cut += replies.iter().filter(|reply| reply.is_cut).count();
    Ok(replies.into_iter().map(|reply| (reply.place, said(&reply.raw))).collect())
}
