//! What asking will take, told before it begins: by earlier replies where there are some, else by counted characters.

use serde::{Deserialize, Serialize};

use super::log::AnnotationLog;
use super::plan::{AnnotationKind, PlanOptions, Request};
use super::record::AnnotationRecord;
use crate::baseline::Conversation;

/// Characters of English that a token has, roughly.
const CHARS_PER_TOKEN: f64 = 4.0;
/// Tokens of a score with its reason, roughly.
const TOKENS_PER_RATING: f64 = 35.0;

/// What an estimate goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EstimateBy {
    /// Four characters a token, and a usual length of replies.
    Characters,
    /// Tokens of replies that are there.
    Replies,
}

/// What asking will take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Requests that are open.
    pub n_requests: usize,
    /// Tokens of these.
    pub n_prompt_tokens: u64,
    /// Tokens of the replies.
    pub n_tokens: u64,
    /// What that goes by.
    pub by: EstimateBy,
}

/// Tokens of prompts a character, and of replies a piece of work.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measured {
    n_chars: f64,
    n_prompt_tokens: f64,
    n_pieces: f64,
    n_tokens: f64,
}

impl Measured {
    /// Replies of a model to requests of this kind.
    pub(super) fn of(log: &AnnotationLog, model: &str, options: &PlanOptions) -> Self {
        let mut measured = Self::default();
        let template = options.template();
        let is_alike = |record: &&AnnotationRecord| record.model == model && record.template == template;
        for record in log.records().filter(is_alike) {
            measured.take(record, options);
        }
        measured
    }

    /// Adds a reply, where the server said how long it is.
    pub(super) fn take(&mut self, record: &AnnotationRecord, options: &PlanOptions) {
        if record.n_prompt_tokens == 0 || record.n_tokens == 0 {
            return;
        }
        let shown: Vec<&str> = record.order.iter().map(|&answer| record.answers[answer].text.as_str()).collect();
        self.n_chars += n_chars(&super::prompt::conversation(options, &record.question, &shown));
        self.n_prompt_tokens += record.n_prompt_tokens as f64;
        self.n_pieces += n_pieces(options, &shown);
        self.n_tokens += record.n_tokens as f64;
    }

    /// What requests will take.
    pub(super) fn estimate(&self, requests: &[&Request], options: &PlanOptions) -> Estimate {
        let chars: f64 = requests.iter().map(|request| n_chars(&request.conversation(options))).sum();
        let pieces: f64 = requests.iter().map(|request| n_pieces(options, &request.shown())).sum();
        let is_measured = self.n_chars > 0.0 && self.n_pieces > 0.0;
        let per_piece = match options.kind {
            AnnotationKind::Aspects => TOKENS_PER_RATING,
            AnnotationKind::Correction => 1.0 / CHARS_PER_TOKEN,
        };
        let (per_char, per_piece, by) = match is_measured {
            true => (self.n_prompt_tokens / self.n_chars, self.n_tokens / self.n_pieces, EstimateBy::Replies),
            false => (1.0 / CHARS_PER_TOKEN, per_piece, EstimateBy::Characters),
        };
        let whole = |number: f64| number.round() as u64;
        Estimate {
            n_requests: requests.len(),
            n_prompt_tokens: whole(chars * per_char),
            n_tokens: whole(pieces * per_piece),
            by,
        }
    }
}

fn n_chars(conversation: &Conversation) -> f64 {
    conversation.iter().map(|message| message.content.chars().count()).sum::<usize>() as f64
}

/// What the length of a reply goes by: ratings, or characters to correct.
fn n_pieces(options: &PlanOptions, shown: &[&str]) -> f64 {
    let n = match options.kind {
        AnnotationKind::Aspects => shown.len() * options.aspects.len(),
        AnnotationKind::Correction => shown.iter().map(|text| text.chars().count()).sum(),
    };
    n as f64
}
