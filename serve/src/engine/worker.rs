//! The loop that reads and writes: continuous batching of jobs with their own vectors and coefficients.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use redline_lab::answer_gate::AnswerGate;
use redline_lab::domain::{Domain, Outside};
use redline_model::batch::{Batch, Ended};
use redline_model::generate::{CopyBias, GenerateOptions, Generated, PREFILL_TOKENS, Prompt};
use redline_model::{Chunk, Decoder, Past, Tokenizer, TrimmedStream, Wanted};
use redline_steer::LayerEffect;
use tokio::sync::mpsc::UnboundedSender;

use super::decide::{About, Chosen, Deciding, Decision};
use super::hooks::BatchHooks;
use super::queue::Queue;
use super::{EngineError, Event, Job, ScanColumn, Task, Written};
use crate::metrics::Metrics;
use crate::options::FailMode;

/// The model and the rows it works on.
pub struct Worker<'a> {
    decoder: &'a Decoder,
    tokenizer: &'a Tokenizer,
    queue: &'a Queue,
    metrics: &'a Metrics,
    most_rows: usize,
    most_drafted: usize,
    /// What is decided about an answer before it is corrected.
    deciding: Deciding<'a>,
    batch: Batch,
    hooks: BatchHooks,
    rows: HashMap<usize, Row<'a>>,
    next_row: usize,
}

/// A job in the batch.
struct Row<'a> {
    events: UnboundedSender<Event>,
    stream: TrimmedStream<'a>,
    n_prompt_tokens: usize,
    n_tokens: usize,
    started: Instant,
    /// The coefficient and vector, where they were chosen by the prompt.
    chosen: Chosen,
    /// Token ids, where columns of a scan name them.
    scanned: Option<Vec<u32>>,
}

impl<'a> Worker<'a> {
    /// A worker for the jobs of `queue`, `most_rows` of them at a time, with `most_drafted` drafted tokens a pass, all rows
    /// together.
    pub fn new(
        decoder: &'a Decoder,
        tokenizer: &'a Tokenizer,
        queue: &'a Queue,
        metrics: &'a Metrics,
        most_rows: usize,
        most_drafted: usize,
    ) -> Self {
        let batch = Batch::new(most_drafted);
        let hooks = BatchHooks::default();
        Self {
            decoder,
            tokenizer,
            queue,
            metrics,
            most_rows,
            most_drafted,
            deciding: Deciding::default(),
            batch,
            hooks,
            rows: HashMap::new(),
            next_row: 0,
        }
    }

    /// Checks every answer against what the Aligner knows.
    pub fn checking(self, domain: Option<&'a Domain>, outside: Outside) -> Self {
        let is_checked = outside != Outside::Correct;
        let domain = domain.filter(|_| is_checked).map(|domain| (domain, outside));
        Self { deciding: Deciding { domain, ..self.deciding }, ..self }
    }

    /// Corrects only answers for which a gate opens; where it fails, they are refused or corrected, as the server fails.
    pub fn gated(self, gate: Option<&'a AnswerGate>, fail: FailMode) -> Self {
        Self { deciding: Deciding { gate, fail, ..self.deciding }, ..self }
    }

    /// Works until the queue is closed and everything is done.
    pub fn run(mut self) {
        while let Some(jobs) = self.queue.take(self.most_rows - self.rows.len(), self.rows.is_empty()) {
            jobs.into_iter().for_each(|job| self.begin(job));
            self.drop_left();
            self.metrics.rows(self.rows.len());
            if self.rows.is_empty() {
                continue;
            }
            self.metrics.batch_rows(self.rows.len());
            match guarded(|| self.step()) {
                Ok(ended) => ended.into_iter().for_each(|ended| self.end(ended)),
                Err(error) => self.give_up(&error),
            }
            self.metrics.rows(self.rows.len());
        }
    }

    fn begin(&mut self, job: Job) {
        let row = self.next_row;
        self.next_row += 1;
        self.metrics.waited(job.submitted.elapsed());
        let events = job.events.clone();
        let begun = guarded(|| match job.task {
            Task::Read { .. } => self.read(row, job),
            Task::Write { .. } => self.admit(row, job),
        });
        if let Err(error) = begun {
            self.forget(row);
            // whoever does not listen any more needs no answer, here and below
            let _ = events.send(Event::Failed(error));
        }
    }

    /// Takes a job into the batch, unless what was decided about it ends it here.
    fn admit(&mut self, row: usize, job: Job) -> Result<(), EngineError> {
        let Task::Write { draft, max_new_tokens, steering, whole } = job.task else { return Ok(()) };
        let n_prompt_tokens = job.prompt.len();
        let Self { decoder, tokenizer, metrics, .. } = *self;
        let (prompt, events) = (&job.prompt, &job.events);
        let about = About { decoder, tokenizer, metrics, events, prompt, answer: &draft, whole: &whole };
        let decided = self.deciding.decide(&about, steering)?;
        let (steering, chosen, prefix) = match decided {
            Decision::Write { steering, chosen, prefix } => (steering, chosen, prefix),
            Decision::Leave(n_read) => {
                let _ = job.events.send(Event::Done(Box::new(Written::nothing(n_read))));
                return Ok(());
            }
        };
        let leaves_prompt = steering.as_ref().is_none_or(|steering| steering.vector.range.leaves_prompt());
        let copy_bias = steering.as_ref().and_then(|by| CopyBias::at(&draft, by.copy_bias, [by.coefficient]));
        if let Some(steering) = steering {
            self.hooks.steer(self.decoder, row, n_prompt_tokens, &steering).map_err(failed)?;
        }
        let scanned = job.scan.as_ref().map(|_| Vec::new());
        if let Some(reading) = job.scan {
            self.hooks.scans.add(row, reading, n_prompt_tokens).map_err(failed)?;
        }
        let options = GenerateOptions {
            max_new_tokens,
            stop_ids: self.tokenizer.stop_ids().to_vec(),
            share_prompt: leaves_prompt,
            ..GenerateOptions::default()
        };
        // a scan sees the prompt as it is read
        let prefix = prefix.filter(|_| leaves_prompt && scanned.is_none());
        let prompt = Prompt { draft, prefix, copy_bias, ..Prompt::new(job.prompt, vec![row]) };
        self.batch.admit(self.decoder, prompt, &Arc::new(options)).map_err(failed)?;
        let stream = TrimmedStream::new(self.tokenizer);
        let (events, started) = (job.events, Instant::now());
        self.rows.insert(row, Row { events, stream, n_prompt_tokens, n_tokens: 0, started, chosen, scanned });
        Ok(())
    }

    /// Reads prompt and output of a job for its scan, in one go.
    fn read(&mut self, row: usize, job: Job) -> Result<(), EngineError> {
        let (Task::Read { output }, Some(reading)) = (job.task, job.scan) else { return Ok(()) };
        let n_prompt_tokens = job.prompt.len();
        self.hooks.scans.add(row, reading, n_prompt_tokens).map_err(failed)?;
        let tokens: Vec<u32> = job.prompt.into_iter().chain(output.iter().copied()).collect();
        let mut cache = self.decoder.cache(vec![row], tokens.len()).map_err(failed)?;
        for piece in tokens.chunks(PREFILL_TOKENS) {
            let chunk = Chunk { tokens: piece, past: Past::Cache(&mut cache) };
            self.decoder.forward(&mut [chunk], &mut self.hooks, &Wanted::Nothing).map_err(failed)?;
        }
        for column in columns(&mut self.hooks, self.tokenizer, row, &output, output.len()) {
            let _ = job.events.send(Event::Column(column));
        }
        let _ = job.events.send(Event::Done(Box::new(Written::nothing(n_prompt_tokens))));
        self.forget(row);
        Ok(())
    }

    /// Gives up the rows whose clients have left.
    fn drop_left(&mut self) {
        let left: Vec<usize> =
            self.rows.iter().filter(|(_, row)| row.events.is_closed()).map(|(&row, _)| row).collect();
        for row in left {
            self.metrics.cancelled();
            // a batch that cannot remove a row fails at its next pass, where the error is reported
            let _ = self.batch.remove(row);
            self.forget(row);
        }
    }

    fn step(&mut self) -> Result<Vec<Ended>, EngineError> {
        let rows = &mut self.rows;
        let metrics = self.metrics;
        let mut on_token = |row: usize, id: u32| {
            let Some(row) = rows.get_mut(&row) else { return Ok(ControlFlow::Break(())) };
            if row.n_tokens == 0 {
                metrics.first_token(row.started.elapsed());
            }
            row.n_tokens += 1;
            row.scanned.iter_mut().for_each(|ids| ids.push(id));
            let text = row.stream.push(id)?;
            let is_there = text.is_empty() || row.events.send(Event::Text(text)).is_ok();
            Ok(if is_there { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        let ended = self.batch.step(self.decoder, &mut self.hooks, &mut on_token).map_err(broken)?;
        metrics.pass();
        for (id, row) in self.rows.iter().filter(|(_, row)| row.scanned.is_some()) {
            let ids = row.scanned.as_deref().unwrap_or_default();
            for column in columns(&mut self.hooks, self.tokenizer, *id, ids, ids.len().saturating_sub(1)) {
                let _ = row.events.send(Event::Column(column));
            }
        }
        Ok(ended)
    }

    fn end(&mut self, ended: Ended) {
        let Some(mut row) = self.rows.remove(&ended.row) else { return };
        let ids = row.scanned.take().unwrap_or_default();
        for column in columns(&mut self.hooks, self.tokenizer, ended.row, &ids, ids.len()) {
            let _ = row.events.send(Event::Column(column));
        }
        let effect = self.hooks.remove(ended.row);
        let event = match ended.outcome.map_err(failed).and_then(|generated| row.finish(generated, &effect)) {
            Ok(written) => {
                self.metrics.written(&written, row.started.elapsed());
                Event::Done(Box::new(written))
            }
            Err(error) => Event::Failed(error),
        };
        let _ = row.events.send(event);
    }

    fn forget(&mut self, row: usize) {
        self.rows.remove(&row);
        self.hooks.remove(row);
    }

    /// After an error that concerns all rows: none can go on, and the next ones begin with a new batch.
    fn give_up(&mut self, error: &EngineError) {
        self.batch = Batch::new(self.most_drafted);
        self.hooks = BatchHooks::default();
        for (_, row) in self.rows.drain() {
            let _ = row.events.send(Event::Failed(error.clone()));
        }
    }
}

impl Row<'_> {
    fn finish(
        &mut self,
        generated: Generated,
        effect: &std::collections::BTreeMap<usize, LayerEffect>,
    ) -> Result<Written, EngineError> {
        let rest = self.stream.finish().map_err(failed)?;
        if !rest.is_empty() {
            let _ = self.events.send(Event::Text(rest));
        }
        Ok(Written {
            text: self.stream.take_text(),
            n_tokens: generated.tokens.len(),
            n_prompt_tokens: self.n_prompt_tokens,
            coefficient: self.chosen.coefficient,
            vector: self.chosen.vector.take(),
            finish: generated.finish,
            drafting: generated.drafting,
            n_edits: effect.values().map(|effect| effect.edits).sum(),
            n_layers: effect.len(),
        })
    }
}

/// The columns of a row that are known since the last time.
fn columns(hooks: &mut BatchHooks, tokenizer: &Tokenizer, row: usize, ids: &[u32], n_known: usize) -> Vec<ScanColumn> {
    let column = |(token, z): (usize, Vec<f32>)| {
        let text = ids.get(token).and_then(|id| tokenizer.token_text(*id)).unwrap_or_default();
        ScanColumn { token, text, z }
    };
    hooks.scans.take(row, n_known).into_iter().map(column).collect()
}

/// Catches a panic, which must not take the server down.
fn guarded<T>(work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    let caught = catch_unwind(AssertUnwindSafe(work));
    caught.unwrap_or_else(|_| Err(EngineError::Broken { reason: "a panic, see the server's log".into() }))
}

pub(super) fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError::Model { reason: error.to_string() }
}

fn broken(error: redline_model::Error) -> EngineError {
    EngineError::Broken { reason: error.to_string() }
}
