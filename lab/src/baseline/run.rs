//! Rows through a protocol, chunk by chunk.

use super::desk::{Counts, Desk, Task};
use super::error::BaselineError;
use super::protocol::Protocol;
use super::writer::{WriteHow, Writer};
use super::{best_of, critique, refine, requests};
use crate::contest::Keep;
use crate::correct::Check;
use crate::error::Result;
use crate::judge::record::AnswerRecord;
use crate::observer::Observer;
use redline_model::Qac;

/// How baselines are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaselineOptions {
    /// Rows that are asked together.
    pub batch_rows: usize,
    /// Longest reply, in tokens; for critiques and feedback, too.
    pub max_new_tokens: usize,
    /// Seed of sampling and of drawn principles.
    pub seed: u64,
}

impl Default for BaselineOptions {
    fn default() -> Self {
        Self { batch_rows: 8, max_new_tokens: 512, seed: 0 }
    }
}

/// A model that is asked.
pub struct BaselineRun<'a> {
    /// Writes the replies.
    pub writer: &'a mut dyn Writer,
    /// What the system is called in records: mostly the protocol's name, or whose own answers these are.
    pub system: String,
    /// How it is run.
    pub options: BaselineOptions,
    /// Called before each stage of a chunk; an error ends the work.
    pub check: Check,
}

/// What is done with the tasks of a chunk.
pub(super) type Solve<'s> = &'s mut dyn FnMut(&mut Desk<'_>, &mut [Task<'_>]) -> Result<()>;

impl BaselineRun<'_> {
    /// Asks by a protocol and hands each answer to `keep` as it comes, chunk by chunk. A row of which a request gets no reply, as when it is
    /// longer than the model's context, has no answer: the observer is told how many there are, and why the first has none.
    ///
    /// # Errors
    /// Numbers out of range, or whatever the writer, `check`, `keep` or the observer returns.
    pub fn answer(
        &mut self,
        protocol: Protocol,
        rows: &[(usize, &Qac)],
        keep: Keep<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Counts> {
        protocol.check()?;
        self.each_chunk(rows, keep, observer, &mut |desk, tasks| match protocol {
            Protocol::Prompt(strictness) => {
                for task in tasks.iter_mut() {
                    task.request = Some(requests::prompt(strictness, &task.qac.question, &task.text));
                }
                for reply in desk.ask(tasks, 0.0)? {
                    desk.rewritten(&mut tasks[reply.place], &reply);
                }
                Ok(())
            }
            Protocol::Critique => critique::critique(desk, tasks),
            Protocol::Constitutional { n_rounds } => critique::constitutional(desk, tasks, n_rounds),
            Protocol::SelfRefine { n_attempts } => refine::self_refine(desk, tasks, n_attempts),
            Protocol::Answer => best_of::answer(desk, tasks),
        })
    }

    /// Solves the rows and tells what happened.
    pub(super) fn each_chunk(
        &mut self,
        rows: &[(usize, &Qac)],
        keep: Keep<'_>,
        observer: &mut dyn Observer,
        solve: Solve<'_>,
    ) -> Result<Counts> {
        let BaselineOptions { batch_rows, max_new_tokens, seed } = self.options;
        if max_new_tokens == 0 {
            return Err(BaselineError::NoRoom.into());
        }
        let how = WriteHow { temperature: 0.0, max_new_tokens, seed };
        let mut desk = Desk { writer: &mut *self.writer, how, check: self.check, counts: Counts::default() };
        let mut done = 0;
        for part in rows.chunks(batch_rows.max(1)) {
            let mut tasks: Vec<Task<'_>> = part.iter().map(|(row, qac)| Task::new(*row, qac)).collect();
            solve(&mut desk, &mut tasks)?;
            for task in tasks {
                kept(task, &self.system, &mut desk.counts, keep)?;
            }
            done += part.len();
            observer.progress(&self.system, done, rows.len())?;
        }
        observer.end(&self.system);
        let notes = desk.counts.notes(&self.system, max_new_tokens);
        notes.iter().for_each(|note| observer.note(note));
        Ok(desk.counts)
    }
}

/// Hands the answer of a row on, or counts that it has none.
fn kept(task: Task<'_>, system: &str, counts: &mut Counts, keep: Keep<'_>) -> Result<()> {
    let Task { row, qac, text, spent, failure, is_unread, .. } = task;
    if let Some(why) = failure {
        counts.n_failed += 1;
        counts.reason.get_or_insert(why);
        return Ok(());
    }
    counts.n_answered += 1;
    keep(AnswerRecord {
        row,
        system: system.to_owned(),
        coefficient: None,
        question: qac.question.clone(),
        answer: qac.answer.clone(),
        output: text,
        n_tokens: (spent.n_uncounted == 0).then_some(spent.n_tokens),
        passes: spent.passes,
        context: spent.context,
        seconds: spent.seconds,
        made_by: String::new(),
        is_unread,
    })
}
