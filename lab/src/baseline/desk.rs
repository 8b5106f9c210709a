//! Where rows wait to be asked: all that have a request are asked together.

use std::time::Instant;

use super::clean::{cleaned, said};
use super::error::BaselineError;
use super::writer::{Conversation, WriteHow, Writer};
use crate::correct::Check;
use crate::error::Result;
use redline_model::Qac;

/// What happened to rows, so that people can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows with an answer.
    pub n_answered: usize,
    /// Rows without, as one of their requests got no reply.
    pub n_failed: usize,
    /// Why the first of them has none.
    pub reason: Option<String>,
    /// Replies without an answer in them. The answer before was kept.
    pub n_empty: usize,
    /// Critiques and feedbacks in which nothing was said. Nothing was rewritten by them.
    pub n_silent: usize,
    /// Feedbacks without a score that can be read, the silent ones included.
    pub n_unscored: usize,
    /// Rows whose answer stands as it was, since no feedback on it could be read.
    pub n_unread: usize,
    /// Answers that the length limit cut.
    pub n_cut: usize,
    /// Replies that do not say how many tokens they have.
    pub n_uncounted: usize,
}

/// What a row cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Spent {
    pub(super) n_tokens: usize,
    /// Replies of unknown length.
    pub(super) n_uncounted: usize,
    pub(super) passes: usize,
    pub(super) context: usize,
    pub(super) seconds: f64,
}

/// A row at work.
#[derive(Debug)]
pub(super) struct Task<'q> {
    pub(super) row: usize,
    pub(super) qac: &'q Qac,
    /// The answer so far.
    pub(super) text: String,
    /// What is asked next; a row without is not asked.
    pub(super) request: Option<Conversation>,
    pub(super) spent: Spent,
    /// Why the row has no answer.
    pub(super) failure: Option<String>,
    /// Whether the answer stands as it was, since no feedback on it could be read.
    pub(super) is_unread: bool,
}

/// A reply to the request of a row.
#[derive(Debug)]
pub(super) struct Reply {
    /// The place of the row's task.
    pub(super) place: usize,
    /// What was asked.
    pub(super) conversation: Conversation,
    /// What was replied, as it was written.
    pub(super) raw: String,
    /// Whether the length limit cut it.
    pub(super) is_cut: bool,
}

/// Asks the writer, and counts.
pub(super) struct Desk<'a> {
    pub(super) writer: &'a mut dyn Writer,
    pub(super) how: WriteHow,
    pub(super) check: Check,
    pub(super) counts: Counts,
}

impl<'q> Task<'q> {
    pub(super) fn new(row: usize, qac: &'q Qac) -> Self {
        let (text, spent) = (qac.answer.trim().to_owned(), Spent::default());
        Self { row, qac, text, request: None, spent, failure: None, is_unread: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.failure.is_none()
    }
}

impl Reply {
    /// What was said, without reasoning.
    pub(super) fn said(&self) -> String {
        said(&self.raw)
    }
}

impl Desk<'_> {
    /// Sends the requests of all tasks together. A task whose request gets no reply has failed and is not asked again.
    ///
    /// # Errors
    /// `check` or the writer ends the work, or the writer gives another number of replies.
    pub(super) fn ask(&mut self, tasks: &mut [Task<'_>], temperature: f64) -> Result<Vec<Reply>> {
        let requests = tasks.iter_mut().enumerate().filter(|(_, task)| task.is_open());
        let (places, mut asked): (Vec<usize>, Vec<Conversation>) =
            requests.filter_map(|(place, task)| Some((place, task.request.take()?))).unzip();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        (self.check)()?;
        let started = Instant::now();
        let outcomes = self.writer.write(&asked, &WriteHow { temperature, ..self.how })?;
        if outcomes.len() != asked.len() {
            let writer = self.writer.name().to_owned();
            return Err(BaselineError::Replies { writer, asked: asked.len(), got: outcomes.len() }.into());
        }
        let seconds = started.elapsed().as_secs_f64() / asked.len() as f64;
        let mut replies = Vec::with_capacity(asked.len());
        for ((place, conversation), outcome) in places.into_iter().zip(asked.drain(..)).zip(outcomes) {
            let task = &mut tasks[place];
            task.spent.seconds += seconds;
            match outcome {
                Err(why) => task.failure = Some(why),
                Ok(written) => {
                    task.spent.passes += 1;
                    let is_unknown = usize::from(written.n_tokens.is_none());
                    task.spent.n_uncounted += is_unknown;
                    self.counts.n_uncounted += is_unknown;
                    let n_tokens = written.n_tokens.unwrap_or(0);
                    task.spent.n_tokens += n_tokens;
                    task.spent.context = task.spent.context.max(written.n_prompt_tokens + n_tokens);
                    replies.push(Reply { place, conversation, raw: written.text, is_cut: written.truncated });
                }
            }
        }
        Ok(replies)
    }

    /// Takes the rewrite in a reply over. Whether there is one; else the answer before stays, which is counted.
    pub(super) fn rewritten(&mut self, task: &mut Task<'_>, reply: &Reply) -> bool {
        let text = cleaned(&reply.raw, &task.text);
        self.counts.n_cut += usize::from(reply.is_cut);
        self.counts.n_empty += usize::from(text.is_empty());
        if text.is_empty() {
            return false;
        }
        task.text = text;
        true
    }
}

impl Counts {
    /// What people should know of a system's answers.
    pub(super) fn notes(&self, system: &str, max_new_tokens: usize) -> Vec<String> {
        let failed = self
            .reason
            .as_ref()
            .map(|reason| format!("{system}: {} rows have no answer; the first: {reason}", self.n_failed));
        let counted = [
            (self.n_empty, "replies hold no answer; the answer before them was kept".to_owned()),
            (self.n_silent, "critiques or feedbacks say nothing; nothing was rewritten by them".to_owned()),
            (
                self.n_unscored,
                "feedbacks have no score that can be read, which never counts as the top score".to_owned(),
            ),
            (
                self.n_unread,
                "answers stand as they were: no feedback on them could be read, so these outputs are the upstream's"
                    .to_owned(),
            ),
            (self.n_cut, format!("answers were cut at {max_new_tokens} tokens")),
            (
                self.n_uncounted,
                "replies do not say how many tokens they have (no `usage`): the count of these rows is unknown"
                    .to_owned(),
            ),
        ];
        let counted = counted.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{system}: {n} {what}"));
        failed.into_iter().chain(counted).collect()
    }
}
