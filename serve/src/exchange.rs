//! What all routes to the upstream server share: the question to it, and what is noted of the answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::access::{self, Correction};
use super::answer::{Answer, Terms};
use super::correction::{MOST_BYTES_A_TOKEN, count_tokens};
use super::error::ApiError;
use super::rules::Sorter;
use super::state::Service;
use super::upstream::{Reply, Upstream};

impl Service {
    /// The upstream server's reply to a body.
    pub(super) async fn ask(&self, path: &str, body: Bytes, headers: &HeaderMap) -> Result<Reply, ApiError> {
        let started = std::time::Instant::now();
        let asked = self.upstream()?.post(path, body, &self.upstream_headers(headers)).await;
        self.metrics.upstream(started.elapsed());
        let reply = asked.map_err(|error| self.upstream_error(error))?;
        self.memory.used();
        Ok(reply)
    }

    pub(super) fn upstream(&self) -> Result<&Upstream, ApiError> {
        let message = "this server has no upstream model; start it with --upstream URL, or correct answers of your own \
                       with /v1/correct";
        self.upstream.as_ref().ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "no_upstream", message))
    }

    /// The rules by which replies are sorted.
    pub(super) fn sorter(&self) -> Sorter {
        Sorter::new(self.options.fail, self.options.reasoning())
    }

    /// Hands a text of a reply to the Aligner.
    pub(super) async fn answer(self: &Arc<Self>, text: &str, terms: &Terms) -> Result<Answer, ApiError> {
        match Answer::begin(self, text, terms).await {
            Err(error) if error.is_too_long() && !self.is_too_long(&terms.asked.question).await => {
                Err(self.bad_reply(error.of_answer()))
            }
            begun => begun,
        }
    }

    /// Whether a question alone leaves no room for an answer, so that the client has to shorten it.
    async fn is_too_long(self: &Arc<Self>, question: &str) -> bool {
        let context = self.aligner.model.decoder.config().context;
        // no token has more bytes than this, and what is far too long is not worth counting
        let n = match question.len() > context * MOST_BYTES_A_TOKEN {
            true => context,
            false => count_tokens(self, question).await.unwrap_or(0),
        };
        n >= context
    }

    /// Counts a reply that cannot be used.
    pub(super) fn bad_reply(&self, error: ApiError) -> ApiError {
        self.metrics.upstream_error("reply");
        error
    }

    /// Tells the log what became of an answer.
    pub(super) fn corrected(&self, extension: &Map<String, Value>) {
        match extension.get("status").and_then(Value::as_str) {
            Some("corrected") => access::correction(Correction::Corrected),
            Some("passed") => access::correction(Correction::Passed),
            Some("uncorrected") => access::correction(Correction::Uncorrected),
            _ => self.metrics.skipped(),
        }
    }
}
