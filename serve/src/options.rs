//! What a server allows and how it fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;

use super::auth::ApiKeys;
use redline_lab::answer_gate::AnswerGate;
use redline_lab::domain::{Domain, Outside};
use redline_lab::form::Reasoning;

/// What a client gets when the Aligner fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailMode {
    /// An error: nothing uncorrected gets through.
    #[default]
    Closed,
    /// The original answer, marked.
    Open,
}

/// Settings of a server.
#[derive(Clone)]
pub struct ServeOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// What happens when the Aligner fails.
    pub fail: FailMode,
    /// What happens to reasoning; where none is given, it is kept only where what is unseen may pass.
    pub reasoning: Option<Reasoning>,
    /// What the Aligner knows; without it answers are not checked against that.
    pub domain: Option<Domain>,
    /// What happens to answers outside of it.
    pub outside: Outside,
    /// Tells which answers need a correction; without one all are corrected.
    pub gate: Option<Arc<AnswerGate>>,
    /// Keys of clients; without one, everyone may ask.
    pub keys: ApiKeys,
    /// Names under which it is reached besides the loopback ones; empty where it listens on another address than
    /// loopback and takes any.
    pub hosts: Vec<String>,
    /// Origins of other sites whose pages may ask.
    pub origins: Vec<HeaderValue>,
    /// Corrections written together.
    pub most_rows: usize,
    /// Tokens drafted from answers in a pass, all rows together; 0 turns drafting off.
    pub most_drafted: usize,
    /// Corrections that may wait.
    pub most_waiting: usize,
    /// Connections at a time.
    pub most_connections: usize,
    /// Longest body of a request, in bytes.
    pub most_body_bytes: usize,
    /// Longest correction, in tokens.
    pub most_new_tokens: usize,
    /// Longest time for a correction, the queue included.
    pub timeout: Duration,
    /// Longest time in which a request has to arrive.
    pub read_timeout: Duration,
    /// Longest time in which a client that is sent something takes nothing of it.
    pub write_timeout: Duration,
    /// How long requests may go on once the server is to stop.
    pub stop_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            address: ([127, 0, 0, 1], 8080).into(),
            fail: FailMode::Closed,
            reasoning: None,
            domain: None,
            outside: Outside::Warn,
            gate: None,
            keys: ApiKeys::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            most_rows: 64,
            most_drafted: 46,
            most_waiting: 256,
            most_connections: 512,
            most_body_bytes: 4 << 20,
            most_new_tokens: 1024,
            timeout: Duration::from_secs(120),
            read_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(30),
        }
    }
}

impl ServeOptions {
    /// What happens to reasoning.
    pub(super) fn reasoning(&self) -> Reasoning {
        self.reasoning.unwrap_or(match self.fail {
            FailMode::Closed => Reasoning::Drop,
            FailMode::Open => Reasoning::Keep,
        })
    }
}
