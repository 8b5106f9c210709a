//! Asks a server about one comparison: its requests one after the other, each sent again while that may help.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use redline_lab::judge::{Form, Judged, Message, NoVerdict, Reply, Verdict};
use serde_json::json;

use super::super::upstream::Upstream;
use super::super::upstream_error::{Stated, UpstreamError};
use super::options::JudgeOptions;
use super::pace::Pace;
use super::refusal::{is_about_comparison, wants_new_limit};
use super::run::Outcome;
use super::said::{Said, Unread};
use super::tally::{Account, Spent, Tally, add};

/// Longest wait before the next attempt where the server names none.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Waits from this length on are said.
const LONG_WAIT: Duration = Duration::from_secs(5);
/// Longest wait that a server is granted.
const LONGEST_WISH: Duration = Duration::from_secs(3600);
/// The limit of tokens, by its old name and by its new one. Servers refuse a request with both.
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// Why a request that was sent once has no reply.
struct Fault {
    error: UpstreamError,
    /// Whether it may have one if it is sent again: at temperature 0 the same words come again.
    may_pass: bool,
}

/// How a reply is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct How {
    pub(super) temperature: f64,
    pub(super) seed: Option<u64>,
    pub(super) max_new_tokens: usize,
    /// Likeliest tokens that are told of each token.
    pub(super) n_top_log_probs: Option<usize>,
}

/// A server and how it is asked.
pub(super) struct Asker {
    upstream: Upstream,
    model: String,
    options: JudgeOptions,
    pace: Pace,
    tally: Mutex<Tally>,
    /// What is to be said of long waits.
    waits: Mutex<Vec<String>>,
    /// Whether the server takes the limit of tokens under its new name only.
    has_new_limit: AtomicBool,
    /// Replies so far.
    n_replies: AtomicU64,
}

impl Asker {
    pub(super) fn new(url: &str, model: &str, key: Option<&str>, options: JudgeOptions) -> Result<Self, UpstreamError> {
        let gap = options.most_per_minute.map_or(Duration::ZERO, |most| Duration::from_secs(60) / most.get());
        Ok(Self {
            upstream: Upstream::new(url, key, options.timeout)?,
            model: model.into(),
            options,
            pace: Pace::new(gap),
            tally: Mutex::default(),
            waits: Mutex::default(),
            has_new_limit: AtomicBool::new(false),
            n_replies: AtomicU64::new(0),
        })
    }

    pub(super) fn options(&self) -> &JudgeOptions {
        &self.options
    }

    pub(super) fn tally(&self) -> Tally {
        *self.lock()
    }

    /// What was asked so far, and what it cost.
    pub(super) fn account(&self) -> Account {
        let Tally { n_requests, n_retries, tokens, is_counted } = self.tally();
        let cost = self.options.prices.filter(|_| is_counted.0).map(|prices| prices.of(tokens));
        Account { n_requests, n_retries, tokens, cost }
    }

    /// A text without the key.
    pub(super) fn hide(&self, text: &str) -> String {
        self.upstream.hide(text)
    }

    /// Asks about a comparison, by the requests of a form.
    pub(super) async fn ask(&self, form: Form, requests: &[Vec<Message>]) -> Outcome {
        let (mut spent, mut said) = (Spent::default(), Vec::with_capacity(requests.len()));
        let how = How {
            temperature: 0.0,
            seed: None,
            max_new_tokens: form.max_new_tokens(),
            n_top_log_probs: form.n_top_log_probs(),
        };
        for messages in requests {
            match self.said(messages, &how, &mut spent).await {
                Ok(reply) => said.push(reply),
                Err(error) if is_about_comparison(&error) => {
                    let judged = self.judged(Err(NoVerdict::NoReply), &error.to_string(), spent);
                    return Outcome::Refused { error, judged };
                }
                Err(error) => return Outcome::Open(error),
            }
        }
        let (verdict, raw) = verdict(form, said);
        Outcome::Judged(self.judged(verdict, &raw, spent))
    }

    fn judged(&self, verdict: Result<Verdict, NoVerdict>, raw: &str, spent: Spent) -> Judged {
        let cost = self.options.prices.filter(|_| spent.is_counted.0).map(|prices| prices.of(spent.tokens));
        let (raw, seconds) = (self.upstream.hide(raw), spent.time.as_secs_f64());
        Judged { verdict, raw, seconds, cost, is_recorded: false }
    }

    /// Sends a request until there is a reply, or an error that will not pass.
    pub(super) async fn said(&self, messages: &[Message], how: &How, spent: &mut Spent) -> Result<Said, UpstreamError> {
        let (mut attempt, mut is_again, mut seen) = (1, false, self.n_replies.load(Ordering::Relaxed));
        loop {
            let is_new = self.has_new_limit.load(Ordering::Relaxed);
            let Fault { error, may_pass } = match self.send(self.body(messages, how, is_new), is_again, spent).await {
                Ok(said) => return Ok(said),
                Err(fault) => fault,
            };
            is_again = true;
            if !is_new && wants_new_limit(&error) {
                self.has_new_limit.store(true, Ordering::Relaxed);
                continue;
            }
            // too many requests, and others get through: the server is there, and says when to come back
            let n_replies = self.n_replies.load(Ordering::Relaxed);
            let is_slowed = error.retry_after().is_some() && is_too_many(&error) && n_replies > seen;
            if !may_pass || (attempt >= self.options.n_attempts && !is_slowed) {
                return Err(error);
            }
            self.wait(attempt, &error).await;
            attempt += u32::from(!is_slowed);
            seen = n_replies;
        }
    }

    /// Sends a request once.
    async fn send(&self, body: String, is_again: bool, spent: &mut Spent) -> Result<Said, Fault> {
        self.pace.turn().await;
        {
            let mut tally = self.lock();
            tally.n_requests += 1;
            tally.n_retries += u64::from(is_again);
        }
        let started = Instant::now();
        let reply = self.upstream.post("/chat/completions", body.into(), &HeaderMap::new()).await;
        spent.time += started.elapsed();
        let passing = |error: UpstreamError| Fault { may_pass: error.is_passing(), error };
        let said = Said::read(&reply.map_err(passing)?.body).map_err(|unread| match unread {
            Unread::Form(error) => Fault { error, may_pass: false },
            Unread::Stated(stated) => passing(self.stated(stated)),
        })?;
        self.n_replies.fetch_add(1, Ordering::Relaxed);
        add(&mut spent.tokens, &mut spent.is_counted, said.tokens);
        let mut tally = self.lock();
        let Tally { tokens, is_counted, .. } = &mut *tally;
        add(tokens, is_counted, said.tokens);
        drop(tally);
        Ok(said)
    }

    fn body(&self, messages: &[Message], how: &How, is_new: bool) -> String {
        // 0 and not 0.0: some servers compare texts
        let temperature = if how.temperature == 0.0 { json!(0) } else { json!(how.temperature) };
        let mut body = json!({ "model": self.model, "messages": messages, "temperature": temperature });
        body[LIMITS[usize::from(is_new)]] = how.max_new_tokens.into();
        if let Some(seed) = how.seed {
            body["seed"] = seed.into();
        }
        if let Some(n) = how.n_top_log_probs {
            body["logprobs"] = true.into();
            body["top_logprobs"] = n.into();
        }
        body.to_string()
    }

    /// Waits for the next attempt; where the server has too many requests, all of them wait.
    async fn wait(&self, attempt: u32, error: &UpstreamError) {
        let doubled = self.options.first_wait.saturating_mul(1 << (attempt - 1).min(16));
        let wished = Duration::from_secs(error.retry_after().unwrap_or(0));
        let wait = doubled.min(LONGEST_WAIT).max(wished.min(LONGEST_WISH));
        let is_for_all = is_too_many(error);
        let is_new = !is_for_all || self.pace.hold(wait);
        if is_new && wait >= LONG_WAIT {
            let (seconds, why) = (wait.as_secs_f64(), self.upstream.hide(&error.to_string()));
            let note = format!("{}: waiting {seconds:.0} s before it is asked again: {why}", self.model);
            self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        }
        if !is_for_all {
            tokio::time::sleep(wait).await;
        }
    }

    /// What is to be said of long waits that began since the last call.
    pub(super) fn waits(&self) -> Vec<String> {
        std::mem::take(&mut self.waits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An error that a reply states although its status says that all is well.
    fn stated(&self, stated: Stated) -> UpstreamError {
        let status = stated.status().unwrap_or(StatusCode::BAD_GATEWAY).as_u16();
        let stated = Box::new(stated.map(|text| self.upstream.hide(text)));
        UpstreamError::Status { status, stated, headers: Box::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server says that it is asked too often.
fn is_too_many(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::Status { status: 429, .. })
}

/// What replies say, and their words for the record.
fn verdict(form: Form, said: Vec<Said>) -> (Result<Verdict, NoVerdict>, String) {
    let is_declined = said.iter().any(|said| said.is_declined);
    // one token is always cut behind it
    let is_cut = |said: &Said| said.is_cut && form.n_top_log_probs().is_none();
    let read = |said: &Said| if is_cut(said) { Reply::default() } else { said.reply.clone() };
    let verdict = match is_declined {
        true => Err(NoVerdict::NoAnswer),
        false => form.verdict(&said.iter().map(read).collect::<Vec<_>>()),
    };
    let written: Vec<Reply> = said.into_iter().map(|said| said.reply).collect();
    // what a judge says instead is no token
    let raw = match (is_declined, &written[..]) {
        (true, [reply]) => reply.text.clone(),
        _ => form.raw(&written),
    };
    (verdict, raw)
}
