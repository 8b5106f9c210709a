//! Redline between a client and its upstream model: an OpenAI-compatible server, with the dial in every request.
//!
//! A chat request goes on to the upstream model; its answer goes through the Aligner, steered as the request asks; the corrected
//! answer comes back, with the original beside it. Handlers run on tokio's threads, the model on one of its own
//! ([`Worker`]), where requests with different vectors and coefficients are written in one batch. `docs/serve.md` is
//! the manual, `docs/openapi.json` the reference.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod answer;
mod asked;
mod auth;
mod body;
mod chat;
mod completions;
mod correct;
mod correction;
mod descriptors;
mod dial;
mod engine;
mod error;
mod exchange;
mod facts;
mod headers;
mod host;
mod in_flight;
mod judge;
mod listen;
mod memory;
mod metrics;
mod notes;
mod options;
mod page;
mod parts;
mod pass;
mod places;
mod read_answer;
mod responses;
mod router;
mod routing;
mod rules;
mod secrets;
mod socket;
mod sse;
mod state;
mod stop_texts;
mod tls;
mod upstream;
mod upstream_address;
mod upstream_body;
mod upstream_error;
mod upstream_reply;

use redline_lab::aligner::Aligner;
pub use redline_lab::conversation::{Conversation, ConversationError};
use redline_lab::raw;

pub use auth::ApiKeys;
pub use dial::{
    Dial, DialError, DialVector, Dials, LayersRequest, MeasuredDial, ReadyVector, Steering, SteeringRequest,
};
pub use engine::{EngineError, Event, Job, Queue, Refused, ScanColumn, Task, WholeAnswer, Worker, Written};
pub use headers::{KEYS_TO_UPSTREAM, TO_CLIENT, TO_UPSTREAM, WITH_BODY_TO_CLIENT, WITH_BODY_TO_UPSTREAM};
pub use host::is_host_name;
pub use judge::{Account, JudgeOptions, Prices, ServerJudge, ServerJudgeError, ServerWriter};
pub use listen::{bind, listen};
pub use metrics::Metrics;
pub use options::{FailMode, ServeOptions};
pub use pass::PASSED;
pub use read_answer::{ReadAnswer, read_answer};
pub use redline_lab::form::Reasoning;
pub use router::{ROUTES, router};
pub use routing::{Routing, route_dials};
pub use rules::{Fate, Rule, Rules, TABLES};
pub use state::Service;
pub use tls::client;
pub use upstream::{Reply, Upstream};
pub use upstream_error::{Stated, UpstreamError, stated_message};

impl Service {
    /// The Aligner.
    pub fn aligner(&self) -> &Aligner {
        &self.aligner
    }

    /// Where answers come from: the address, and the proxy on the way, without key and password.
    pub fn upstream_place(&self) -> Option<&str> {
        self.upstream.as_ref().map(Upstream::place)
    }

    /// The worker for this server's jobs; it runs until the server has stopped.
    ///
    /// # Errors
    /// The model has no tokenizer.
    pub fn worker(&self) -> redline_model::Result<Worker<'_>> {
        let model = &self.aligner.model;
        let (rows, drafted) = (self.options.most_rows.max(1), self.options.most_drafted);
        let worker = Worker::new(&model.decoder, model.tokenizer()?, &self.queue, &self.metrics, rows, drafted);
        let worker = worker.gated(self.options.gate.as_deref(), self.options.fail);
        Ok(worker.checking(self.options.domain.as_ref(), self.options.outside))
    }
}
