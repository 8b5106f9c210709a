//! What all requests share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use redline_lab::aligner::Aligner;
use redline_model::Tokenizer;
use redline_probe::Reading;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout_at;

use super::dial::Dials;
use super::engine::{Event, Job, Queue, Refused, Task};
use super::error::ApiError;
use super::headers::{Also, to_upstream};
use super::memory::Memory;
use super::metrics::Metrics;
use super::options::ServeOptions;
use super::upstream::Upstream;
use super::upstream_error::UpstreamError;

/// What all corrections of one request know of each other: since when the first of them has a place.
#[derive(Debug, Clone, Default)]
pub(super) struct OneRequest(Arc<OnceLock<Instant>>);

impl OneRequest {
    fn begun(&self) -> Option<Instant> {
        self.0.get().copied()
    }

    fn begin(&self) {
        self.0.get_or_init(Instant::now);
    }
}

/// A server: an Aligner, its vectors once they are there, and what waits for it.
pub struct Service {
    /// What clients call the Aligner.
    pub(super) name: String,
    pub(super) aligner: Aligner,
    pub(super) options: ServeOptions,
    pub(super) upstream: Option<Upstream>,
    pub(super) metrics: Metrics,
    pub(super) queue: Queue,
    pub(super) memory: Memory,
    dials: OnceLock<Dials>,
    is_stopping: AtomicBool,
}

impl Service {
    /// A server that is not ready; `name` is what clients call its Aligner. Its vectors come with [`Service::begin`].
    pub fn new(name: impl Into<String>, aligner: Aligner, options: ServeOptions, upstream: Option<Upstream>) -> Self {
        Self {
            queue: Queue::new(options.most_waiting),
            name: name.into(),
            aligner,
            options,
            upstream,
            metrics: Metrics::default(),
            memory: Memory::default(),
            dials: OnceLock::new(),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Takes requests from now on.
    pub fn begin(&self, dials: Dials) {
        // a second call changes nothing: the vectors of running requests stay
        let _ = self.dials.set(dials);
    }

    /// Refuses new connections' requests for readiness; what runs is finished.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Whether it has its vectors.
    pub(super) fn is_ready(&self) -> bool {
        self.dials.get().is_some()
    }

    pub(super) fn dials(&self) -> Result<&Dials, ApiError> {
        self.dials.get().ok_or_else(ApiError::starting)
    }

    pub(super) fn tokenizer(&self) -> Result<&Tokenizer, ApiError> {
        let failed = |error: redline_model::Error| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "aligner_failed", error.to_string())
        };
        self.aligner.model.tokenizer().map_err(failed)
    }

    /// Hands work to the model and returns what it will say. Where the queue is full, a request is refused with its first
    /// part; the others wait for a place, those of its own parts among them, as long as a correction may take.
    pub(super) async fn submit(
        &self,
        prompt: Vec<u32>,
        task: Task,
        scan: Option<Arc<Reading>>,
        request: &OneRequest,
    ) -> Result<UnboundedReceiver<Event>, ApiError> {
        self.memory.used();
        let (events, receiver) = unbounded_channel();
        let job = Job { prompt, task, scan, events, submitted: Instant::now() };
        let handed_in = match request.begun() {
            None => self.queue.submit(job),
            Some(begun) => {
                let handed_in = timeout_at((begun + self.options.timeout).into(), self.queue.submit_in_turn(job)).await;
                handed_in.map_err(|_| self.timeout_error())?
            }
        };
        match handed_in {
            Ok(()) => {
                request.begin();
                Ok(receiver)
            }
            Err(Refused::Closed) => Err(ApiError::stopping()),
            Err(Refused::Full) => {
                self.metrics.refused();
                let message = format!("{} corrections wait already", self.options.most_waiting);
                Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message)
                    .retry_after(self.wait_seconds()))
            }
        }
    }

    /// Whether nothing waits for the model, and it works on nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.metrics.n_rows() == 0
    }

    /// In how many seconds the queue will likely have gone down.
    fn wait_seconds(&self) -> u64 {
        let rounds = self.queue.len() as f64 / self.options.most_rows as f64;
        (self.metrics.mean_seconds() * rounds).ceil().clamp(1.0, 60.0) as u64
    }

    /// A client's headers that go upstream; its own key among them where this server has no keys, and none for the upstream.
    pub(super) fn upstream_headers(&self, headers: &HeaderMap) -> HeaderMap {
        to_upstream(headers, Also { key: self.passes_keys(), body: false })
    }

    /// [`Service::upstream_headers`], and those of a body that is passed on as it is.
    pub(super) fn passed_headers(&self, headers: &HeaderMap) -> HeaderMap {
        to_upstream(headers, Also { key: self.passes_keys(), body: true })
    }

    fn passes_keys(&self) -> bool {
        self.options.keys.is_empty() && self.upstream.as_ref().is_some_and(|other| !other.has_key())
    }

    /// An upstream error as the client shall see it: where this server's own key was refused, nothing is wrong with the
    /// client's.
    pub(super) fn upstream_error(&self, error: UpstreamError) -> ApiError {
        self.metrics.upstream_error(error.kind());
        let has_own_key = self.upstream.as_ref().is_some_and(Upstream::has_key);
        match &error {
            UpstreamError::Status { status: 401 | 403, headers, .. } if has_own_key => {
                let message = format!("{error}; it was asked with the key that this server was started with");
                ApiError::new(StatusCode::BAD_GATEWAY, "upstream_key", message).with_headers(headers)
            }
            _ => error.into(),
        }
    }

    pub(super) fn timeout_error(&self) -> ApiError {
        let limit: Duration = self.options.timeout;
        let message = format!("the correction was not done within {} s", limit.as_secs_f64());
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }
}
