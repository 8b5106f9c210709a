//! `redline.annotation.v1`: what a model said about answers to a question.
//!
//! Fields: `key`, `kind`, `model`, `template`, `question`, `answers`, `order`, `raw`, `fault`, `n_prompt_tokens`, `n_tokens`.
//!
//! - `key` is the SHA-256 over *kind, model, template, question, names of the aspects, texts in the order shown*, each preceded by its length
//!   as in [`key`](mod@crate::judge::key).
//! - `answers` stand in the order of the file of rows: `text`, `source`, `line`, and either `aspects` (of each its `score` and `rationale`) with
//!   `overall`, their mean, or `correction`.
//! - `order` names the answer that was shown at each place. A reply speaks of places; the ratings here are those of the answers.
//! - `fault` says in `reason` and `message` why the reply is no annotation; then no answer has any.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::aspect::Aspect;
use super::fault::{FaultReason, ReplyFault};
use super::plan::{AnnotationKind, PlanOptions, Request};
use super::reply;
use crate::baseline::{TOP_SCORE, Written, cleaned};
use crate::judge::key::is_key;
use crate::judge::record::{Appended, FirstLine, Record, RecordFault};

/// How far a mean in a file may be from the one computed.
const ROUNDING: f64 = 1e-9;

/// A score with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// From 1 to 5.
    pub score: u32,
    /// Why; empty where the reply does not say.
    pub rationale: String,
}

/// An answer with what was said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnnotatedAnswer {
    /// The answer.
    pub text: String,
    /// Who gave it, or the field it stood in.
    pub source: String,
    /// The line of the file of rows, from 1.
    pub line: usize,
    /// Its scores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aspects: BTreeMap<Aspect, Rating>,
    /// Their mean; never what a model says of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overall: Option<f64>,
    /// The corrected answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
}

/// A reply to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnnotationRecord {
    /// What was asked: 64 hexadecimal digits.
    pub key: String,
    /// What was asked for.
    pub kind: AnnotationKind,
    /// Who was asked.
    pub model: String,
    /// What the reply depends on beside model and texts.
    pub template: String,
    /// The question.
    pub question: String,
    /// Its answers, in the order of the file of rows.
    pub answers: Vec<AnnotatedAnswer>,
    /// The answer that was shown at each place.
    pub order: Vec<usize>,
    /// What the model wrote.
    pub raw: String,
    /// Why that is no annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<ReplyFault>,
    /// Tokens of the request; 0 where the server does not say.
    pub n_prompt_tokens: usize,
    /// Tokens of the reply; 0 where the server does not say.
    pub n_tokens: usize,
}

/// The mean of the scores; none without any.
pub fn overall(aspects: &BTreeMap<Aspect, Rating>) -> Option<f64> {
    let sum: u32 = aspects.values().map(|rating| rating.score).sum();
    (!aspects.is_empty()).then(|| f64::from(sum) / aspects.len() as f64)
}

impl AnnotationRecord {
    /// What a reply to a request says, or why it says nothing; `Err` is what kept the model from replying.
    pub(super) fn new(model: &str, request: &Request, options: &PlanOptions, reply: Result<Written, String>) -> Self {
        let plain = |answer: &super::Candidate| AnnotatedAnswer {
            text: answer.text.clone(),
            source: answer.source.clone(),
            line: answer.line,
            aspects: BTreeMap::new(),
            overall: None,
            correction: None,
        };
        let mut record = Self {
            key: request.key.clone(),
            kind: options.kind,
            model: model.into(),
            template: options.template(),
            question: request.question.clone(),
            answers: request.answers.iter().map(plain).collect(),
            order: request.order.clone(),
            raw: String::new(),
            fault: None,
            n_prompt_tokens: 0,
            n_tokens: 0,
        };
        let understood = match reply {
            Err(message) => Err(ReplyFault { reason: FaultReason::NoReply, message }),
            Ok(written) => {
                record.n_prompt_tokens = written.n_prompt_tokens;
                record.n_tokens = written.n_tokens.unwrap_or_default();
                record.raw = written.text;
                record.understand(options, written.truncated)
            }
        };
        record.fault = understood.err();
        record
    }

    /// Takes over what `raw` says; a cut reply says nothing, as its last score or word may be half of one.
    fn understand(&mut self, options: &PlanOptions, is_cut: bool) -> Result<(), ReplyFault> {
        if is_cut {
            let message = format!("cut after {} tokens", self.n_tokens);
            return Err(ReplyFault { reason: FaultReason::Cut, message });
        }
        match options.kind {
            AnnotationKind::Aspects => {
                let ratings = reply::read(&self.raw, self.order.len(), &options.aspects)?;
                for (ratings, &answer) in ratings.into_iter().zip(&self.order) {
                    self.answers[answer].overall = overall(&ratings);
                    self.answers[answer].aspects = ratings;
                }
            }
            AnnotationKind::Correction => {
                for answer in &mut self.answers {
                    let text = cleaned(&self.raw, &answer.text);
                    if text.is_empty() {
                        let message = "it holds no corrected answer".to_owned();
                        return Err(ReplyFault { reason: FaultReason::NoText, message });
                    }
                    answer.correction = Some(text);
                }
            }
        }
        Ok(())
    }
}

impl Record for AnnotationRecord {
    const SCHEMA: &'static str = "redline.annotation.v1";
    const FIRST_LINE: FirstLine = FirstLine::Header;

    fn check(&self) -> Result<(), RecordFault> {
        if !is_key(&self.key) {
            return Err(RecordFault::Key { got: self.key.clone() });
        }
        RecordFault::check_text("model", &self.model)?;
        RecordFault::check_text("template", &self.template)?;
        RecordFault::check_text("question", &self.question)?;
        let mut places = self.order.clone();
        places.sort_unstable();
        if !places.iter().copied().eq(0..self.answers.len()) || places.is_empty() {
            return Err(RecordFault::Field { field: "order", rule: "must name each answer once" });
        }
        self.answers.iter().try_for_each(|answer| self.check_answer(answer))
    }
}

impl AnnotationRecord {
    fn check_answer(&self, answer: &AnnotatedAnswer) -> Result<(), RecordFault> {
        RecordFault::check_text("text", &answer.text)?;
        for rating in answer.aspects.values() {
            RecordFault::check_number("score", f64::from(rating.score), 1.0, f64::from(TOP_SCORE))?;
        }
        let is_mean = match (answer.overall, overall(&answer.aspects)) {
            (Some(got), Some(mean)) => (got - mean).abs() < ROUNDING,
            (got, mean) => got.is_none() && mean.is_none(),
        };
        if !is_mean {
            return Err(RecordFault::Field { field: "overall", rule: "must be the mean of the aspects" });
        }
        let (has_scores, has_text) = (!answer.aspects.is_empty(), answer.correction.is_some());
        let is_whole = match (&self.fault, self.kind) {
            (Some(_), _) => !has_scores && !has_text,
            (None, AnnotationKind::Aspects) => has_scores && !has_text,
            (None, AnnotationKind::Correction) => !has_scores && has_text,
        };
        match is_whole {
            true => Ok(()),
            false => Err(RecordFault::Field { field: "answers", rule: "must have what `kind` and `fault` say" }),
        }
    }
}

impl Appended for AnnotationRecord {}
