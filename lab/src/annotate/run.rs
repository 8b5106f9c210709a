//! Asking for annotations, each kept as it comes.
//!
//! What comes of a request:
//!
//! | reply | record | run |
//! |---|---|---|
//! | an annotation | its scores or its text | goes on |
//! | nonsense, or cut | a fault with what was written; never a score | ends after so many in a row |
//! | none: refused, declined, too long | a fault, written once another request was answered | ends after 3 in a row while nothing was answered, else after so many |
//!
//! A fault counts as asked: with the same words the same reply would come again. [`AnnotateOptions::asks_faults_again`] asks those again.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::AnnotateError;
use super::estimate::{Estimate, Measured};
use super::fault::FaultReason;
use super::log::AnnotationLog;
use super::plan::{PlanOptions, Request};
use super::record::AnnotationRecord;
use crate::baseline::{Conversation, WriteHow, Writer, Written};
use crate::correct::Check;
use crate::error::Result;
use crate::observer::Observer;

/// Requests without a reply, while nothing was answered yet, that end a run: the settings are at fault.
const MOST_UNANSWERED: usize = 3;
/// Replies after which the estimate is told anew.
const N_FIRST: usize = 8;

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct AnnotateOptions {
    /// Requests handed to the writer together.
    pub batch: usize,
    /// Longest reply, in tokens.
    pub max_new_tokens: usize,
    /// Faults in a row that end the run.
    pub most_faults: usize,
    /// Whether requests are asked again whose reply was no annotation.
    pub asks_faults_again: bool,
    /// Called between batches; an error ends the work.
    pub check: Check,
}

impl Default for AnnotateOptions {
    fn default() -> Self {
        Self { batch: 8, max_new_tokens: 1024, most_faults: 10, asks_faults_again: false, check: || Ok(()) }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Annotated {
    /// Requests that make up the work.
    pub n_requests: usize,
    /// Those that were there already.
    pub n_known: usize,
    /// Those that were asked now.
    pub n_asked: usize,
    /// Of these, replies that are no annotation.
    pub n_faults: usize,
    /// The same by reason.
    pub faults: BTreeMap<FaultReason, usize>,
    /// Tokens of what was asked now.
    pub n_prompt_tokens: u64,
    /// Tokens of the replies.
    pub n_tokens: u64,
    /// Replies whose length the server did not tell.
    pub n_uncounted: usize,
}

/// Is told of an estimate that goes by the first replies.
pub type OnEstimate<'a> = &'a mut dyn FnMut(&Estimate);

/// The requests that are open.
pub fn open_requests<'r>(log: &AnnotationLog, requests: &'r [Request], asks_faults_again: bool) -> Vec<&'r Request> {
    let is_done = |request: &&Request| match log.get(&request.key) {
        None => false,
        Some(record) => record.fault.is_none() || !asks_faults_again,
    };
    requests.iter().filter(|request| !is_done(request)).collect()
}

/// What asking the open requests will take.
pub fn estimate(log: &AnnotationLog, model: &str, plan: &PlanOptions, open: &[&Request]) -> Estimate {
    Measured::of(log, model, plan).estimate(open, plan)
}

/// Asks what is open, and writes each reply into the log as it comes.
///
/// # Errors
/// [`AnnotateError::InARow`], with what came before kept; [`AnnotateError::Unanswered`] where nothing came at all; what the writer, the log, `check` or the observer say.
pub fn annotate(
    writer: &mut dyn Writer,
    log: &mut AnnotationLog,
    plan: &PlanOptions,
    requests: &[Request],
    options: &AnnotateOptions,
    on_estimate: OnEstimate<'_>,
    observer: &mut dyn Observer,
) -> Result<Annotated> {
    if options.max_new_tokens == 0 {
        return Err(AnnotateError::NoRoom.into());
    }
    let open = open_requests(log, requests, options.asks_faults_again);
    let model = writer.name().to_owned();
    let found = Annotated { n_requests: requests.len(), n_known: requests.len() - open.len(), ..Annotated::default() };
    let mut desk = Desk {
        model: &model,
        plan,
        options,
        log,
        measured: Measured::default(),
        held: Vec::new(),
        n_in_a_row: 0,
        is_answered: false,
        found,
    };
    let how = WriteHow { temperature: 0.0, max_new_tokens: options.max_new_tokens, seed: plan.seed };
    let mut n_asked = 0;
    for part in open.chunks(options.batch.max(1)) {
        (options.check)()?;
        let asked: Vec<Conversation> = part.iter().map(|request| request.conversation(plan)).collect();
        let mut n_replies = 0;
        writer.write_each(&asked, &how, &mut |place, reply| {
            n_replies += 1;
            let Some(request) = part.get(place) else { return Ok(()) };
            desk.take(request, reply)?;
            let done = desk.found.n_asked;
            if done == N_FIRST && open.len() > 2 * N_FIRST {
                on_estimate(&desk.measured.estimate(&open[N_FIRST..], plan));
            }
            Ok(observer.progress("annotating", done, open.len())?)
        })?;
        n_asked += n_replies;
        if n_replies != asked.len() {
            return Err(AnnotateError::Replies { writer: model, asked: asked.len(), got: n_replies }.into());
        }
    }
    if n_asked > 0 {
        observer.end("annotating");
    }
    desk.release()?;
    Ok(desk.found)
}

/// Takes replies, keeps and counts them.
struct Desk<'a> {
    model: &'a str,
    plan: &'a PlanOptions,
    options: &'a AnnotateOptions,
    log: &'a mut AnnotationLog,
    measured: Measured,
    /// Requests without a reply, until it is known that others have one.
    held: Vec<AnnotationRecord>,
    n_in_a_row: usize,
    is_answered: bool,
    found: Annotated,
}

impl Desk<'_> {
    fn take(&mut self, request: &Request, reply: std::result::Result<Written, String>) -> Result<()> {
        let has_reply = reply.is_ok();
        let record = AnnotationRecord::new(self.model, request, self.plan, reply);
        self.found.n_asked += 1;
        self.found.n_prompt_tokens += record.n_prompt_tokens as u64;
        self.found.n_tokens += record.n_tokens as u64;
        self.found.n_uncounted += usize::from(has_reply && record.n_prompt_tokens == 0);
        self.measured.take(&record, self.plan);
        let fault = record.fault.clone();
        if has_reply {
            self.is_answered = true;
            self.release()?;
            self.log.append(record)?;
        } else if self.is_answered {
            self.log.append(record)?;
        } else {
            self.held.push(record);
        }
        let Some(fault) = fault else {
            self.n_in_a_row = 0;
            return Ok(());
        };
        self.found.n_faults += 1;
        *self.found.faults.entry(fault.reason).or_default() += 1;
        self.n_in_a_row += 1;
        let most =
            if self.is_answered { self.options.most_faults } else { self.options.most_faults.min(MOST_UNANSWERED) };
        match self.n_in_a_row >= most.max(1) {
            true if !self.is_answered => {
                Err(AnnotateError::Unanswered { n: self.n_in_a_row, last: fault.message }.into())
            }
            true => Err(AnnotateError::InARow { n: self.n_in_a_row, last: fault.message }.into()),
            false => Ok(()),
        }
    }

    fn release(&mut self) -> Result<()> {
        std::mem::take(&mut self.held).into_iter().try_for_each(|record| self.log.append(record))
    }
}
