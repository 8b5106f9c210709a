//! What the log tells of a request, gathered while it is answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;

tokio::task_local! {
    static CURRENT: Arc<Access>;
}

/// What was seen of one request.
#[derive(Debug, Default)]
pub(super) struct Access {
    seen: Mutex<Seen>,
}

/// What the upstream server and the Aligner did.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) upstream: Option<(StatusCode, Duration)>,
    pub(super) correction: Option<&'static str>,
}

impl Access {
    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upstream server has answered with this status, after this time.
pub(super) fn upstream(status: StatusCode, took: Duration) {
    with(|seen| seen.upstream = Some((status, took)));
}

/// What became of the answer: `corrected`, `skipped`, `uncorrected`. The last one of several is told.
pub(super) fn correction(status: &'static str) {
    with(|seen| seen.correction = Some(status));
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
