//! How a server is asked.

use std::num::NonZeroU32;
use std::time::Duration;

use super::refusal::ServerJudgeError;

/// Tokens that prices are given for.
const PRICED_TOKENS: f64 = 1e6;

/// How a judge behind a server is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeOptions {
    /// Comparisons that are asked at a time.
    pub n_workers: usize,
    /// Times that a request is sent before its comparison stays open.
    pub n_attempts: u32,
    /// Longest wait for a reply.
    pub timeout: Duration,
    /// Wait before the second attempt; it doubles with each one, to a minute at most. Where the server names a longer one, that one is kept, to an hour at most.
    pub first_wait: Duration,
    /// What tokens cost; none where that is not known.
    pub prices: Option<Prices>,
    /// Most requests in a minute; none for as many as come.
    pub most_per_minute: Option<NonZeroU32>,
}

impl Default for JudgeOptions {
    /// Four at a time, four attempts, five minutes for each; no prices and no limit.
    fn default() -> Self {
        Self {
            n_workers: 4,
            n_attempts: 4,
            timeout: Duration::from_secs(300),
            first_wait: Duration::from_secs(1),
            prices: None,
            most_per_minute: None,
        }
    }
}

impl JudgeOptions {
    /// Refuses what no judge can be asked with.
    pub(super) fn check(&self, model: &str) -> Result<(), ServerJudgeError> {
        if model.is_empty() {
            return Err(ServerJudgeError::NoModel);
        }
        for (option, got) in [("n_workers", self.n_workers as f64), ("n_attempts", f64::from(self.n_attempts))] {
            if got < 1.0 {
                return Err(ServerJudgeError::Number { option, least: 1.0, got });
            }
        }
        let prices =
            self.prices.iter().flat_map(|it| [("prompt price", it.prompt), ("completion price", it.completion)]);
        for (option, got) in prices {
            if !got.is_finite() || got < 0.0 {
                return Err(ServerJudgeError::Number { option, least: 0.0, got });
            }
        }
        Ok(())
    }
}

/// What a million tokens cost, in whatever currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// Of prompts.
    pub prompt: f64,
    /// Of replies.
    pub completion: f64,
}

impl Prices {
    /// What tokens of prompts and of replies cost.
    pub fn of(self, [prompt, completion]: [u64; 2]) -> f64 {
        (prompt as f64 * self.prompt + completion as f64 * self.completion) / PRICED_TOKENS
    }
}
