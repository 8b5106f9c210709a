//! One line of the log for each request: gathered while it is answered, told when the reply has gone out or its client has left.
//!
//! It holds no text of a conversation and no key.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

tokio::task_local! {
    static CURRENT: Arc<Access>;
}

/// What was seen of one request.
#[derive(Debug, Default)]
pub(super) struct Access {
    seen: Mutex<Seen>,
}

/// What the upstream server and the Aligner did.
#[derive(Debug, Default)]
struct Seen {
    upstream: Option<(StatusCode, Duration)>,
    headers: HeaderMap,
    correction: Option<Correction>,
}

/// What became of an answer; of several, the last of these is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Correction {
    /// There was no prose to correct.
    Skipped,
    /// It needs no correction, and was passed on.
    Passed,
    /// It went through the Aligner.
    Corrected,
    /// It did not, and was passed on.
    Uncorrected,
}

impl Correction {
    fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Passed => "passed",
            Self::Corrected => "corrected",
            Self::Uncorrected => "uncorrected",
        }
    }
}

impl Access {
    /// The upstream server's headers that are for the client.
    pub(super) fn upstream_headers(&self) -> HeaderMap {
        self.lock().headers.clone()
    }

    /// Whether all that was said passed as it is, as far as that is known.
    pub(super) fn has_passed(&self) -> bool {
        self.lock().correction == Some(Correction::Passed)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upstream server has answered after this time; `headers` are those for clients.
pub(super) fn upstream(status: StatusCode, headers: &HeaderMap, took: Duration) {
    with(|seen| {
        seen.upstream = Some((status, took));
        seen.headers = headers.clone();
    });
}

/// This became of an answer.
pub(super) fn correction(correction: Correction) {
    with(|seen| seen.correction = seen.correction.max(Some(correction)));
}

/// Runs work of the request that runs now in a task of its own.
pub(super) fn same_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let access = CURRENT.try_with(Arc::clone).unwrap_or_default();
    CURRENT.scope(access, work)
}

/// Runs a request whose log line tells what is in `access`.
pub(super) fn during<F: Future>(access: Arc<Access>, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(access, work)
}

fn with(change: impl FnOnce(&mut Seen)) {
    // outside a request nothing is told
    let _ = CURRENT.try_with(|access| change(&mut access.lock()));
}

/// A request as its line tells it.
pub(super) struct Line {
    pub(super) method: Method,
    pub(super) route: &'static str,
    pub(super) status: StatusCode,
    pub(super) id: HeaderValue,
    pub(super) started: Instant,
    pub(super) access: Arc<Access>,
}

impl Line {
    fn write(&self, bytes: u64, is_whole: bool) {
        let milliseconds = |took: Duration| (took.as_secs_f64() * 1e6).round() / 1e3;
        let seen = self.access.lock();
        // methods are the client's choice of letters, and may be long
        let method: String = self.method.as_str().chars().take(16).collect();
        tracing::info!(
            target: "redline::request",
            method,
            route = self.route,
            status = self.status.as_u16(),
            ms = milliseconds(self.started.elapsed()),
            bytes,
            whole = is_whole,
            request_id = self.id.to_str().unwrap_or_default(),
            upstream_status = seen.upstream.map(|(status, _)| status.as_u16()),
            upstream_ms = seen.upstream.map(|(_, took)| milliseconds(took)),
            correction = seen.correction.map(Correction::name),
        );
    }
}

/// The body of a reply, which is counted.
pub(super) struct Counted {
    body: Body,
    line: Line,
    bytes: u64,
    is_whole: bool,
}

impl Counted {
    pub(super) fn new(body: Body, line: Line) -> Self {
        let is_whole = body.is_end_stream();
        Self { body, line, bytes: 0, is_whole }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(data)) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
            self.bytes += data.map_or(0, |data| data.len() as u64);
        }
        self.is_whole = frame.is_none() || self.body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.line.write(self.bytes, self.is_whole);
    }
}
