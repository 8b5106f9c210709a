//! What asking took.

use std::time::Duration;

/// Requests and tokens of a judge, all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) n_requests: u64,
    /// Those of them that were sent again.
    pub(super) n_retries: u64,
    /// Of prompts, and of replies.
    pub(super) tokens: [u64; 2],
    /// Whether each reply said how many tokens it has.
    pub(super) is_counted: Counted,
}

/// What a server was asked so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account {
    /// Requests, those that were sent again included.
    pub n_requests: u64,
    /// Requests that were sent again.
    pub n_retries: u64,
    /// Tokens that the server counted, of prompts and of replies.
    pub tokens: [u64; 2],
    /// What these cost; none without prices, and where a reply did not say how many tokens it has.
    pub cost: Option<f64>,
}

/// What one comparison took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    /// While a request was under way.
    pub(super) time: Duration,
    pub(super) tokens: [u64; 2],
    pub(super) is_counted: Counted,
}

/// Whether all tokens are counted; they are while there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted(pub(super) bool);

impl Default for Counted {
    fn default() -> Self {
        Self(true)
    }
}

/// Adds the tokens of a reply that says how many it has.
pub(super) fn add(tokens: &mut [u64; 2], counted: &mut Counted, reply: Option<[u64; 2]>) {
    counted.0 &= reply.is_some();
    for (sum, n) in tokens.iter_mut().zip(reply.unwrap_or_default()) {
        *sum = sum.saturating_add(n);
    }
}
