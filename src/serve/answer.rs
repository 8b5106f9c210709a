//! An answer on its way through the Aligner: what is prose is corrected part by part, what is not stays, and what the
//! request's limits bind is bound. Whole and streamed replies are made of the same steps.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::correction::{Asked, Correction, Pending, Step, begin, count_tokens, first_tokens};
use super::error::ApiError;
use super::form::{Form, MOST_PROSE, Piece, Plan, Prose, Reasoning, StopTexts};
use super::options::FailMode;
use super::state::Service;

/// What a request says about texts of a reply.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// The question, how to steer, and the rest of what the Aligner is asked.
    pub(super) asked: Asked,
    pub(super) form: Form,
    pub(super) stops: Vec<String>,
    pub(super) reasoning: Reasoning,
}

/// An answer that is being corrected.
pub(super) struct Answer {
    service: Arc<Service>,
    work: VecDeque<Work>,
    /// Whether its only part can be sent as it is written.
    is_live: bool,
    stops: StopTexts,
    /// Tokens that may still be sent, where the request bounds them.
    left: Option<usize>,
    sent: String,
    end: End,
}

enum Work {
    Kept(String),
    Prose(Prose, Box<Pending>),
}

/// What became of an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct End {
    /// The text for the client.
    pub(super) text: String,
    /// As the upstream model wrote it, without what is left out.
    pub(super) answer: String,
    corrections: Vec<Correction>,
    /// Why nothing of it was corrected, where nothing was.
    pub(super) reason: Option<String>,
    /// Whether the Aligner failed, and the answer is let through all the same.
    pub(super) is_uncorrected: bool,
    /// Whether a limit cut it off.
    pub(super) truncated: bool,
    /// Whether it ends at a stop text.
    pub(super) stopped: bool,
    pub(super) drops_reasoning: bool,
    kept: BTreeSet<&'static str>,
    restored: usize,
    is_json: bool,
}

/// A step of an answer.
pub(super) enum AnswerStep {
    /// More text for the client.
    Text(String),
    /// The end.
    Done(Box<End>),
}

impl Answer {
    /// Hands the parts of an answer to the Aligner; where it fails and the server lets answers through, the answer is
    /// ready at once.
    pub(super) async fn begin(service: &Arc<Service>, text: &str, terms: &Terms) -> Result<Self, ApiError> {
        match Self::try_begin(service, text, terms).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let reason = let_through(service, error)?;
                let plan = Plan::of(text, &Form::Other("failed".into()), terms.reasoning).unwrap_or_default();
                Ok(Self::uncorrected(service, &plan, reason))
            }
        }
    }

    async fn try_begin(service: &Arc<Service>, text: &str, terms: &Terms) -> Result<Self, ApiError> {
        let plan =
            Plan::of(text, &terms.form, terms.reasoning).map_err(|error| ApiError::bad_reply(error.to_string()))?;
        if plan.n_prose() > MOST_PROSE {
            let n = plan.n_prose();
            return Err(ApiError::too_long(format!(
                "the answer has {n} parts of prose, at most {MOST_PROSE} are corrected"
            )));
        }
        let mut end = End {
            answer: plan.answer.clone(),
            kept: plan.kept.clone(),
            drops_reasoning: plan.drops_reasoning,
            is_json: plan.is_json,
            ..End::default()
        };
        if plan.n_prose() == 0 {
            end.reason = Some(nothing_to_correct(&plan, &terms.form));
        }
        let is_live = plan.pieces.len() == 1 && plan.n_prose() == 1;
        let mut work = VecDeque::new();
        for piece in plan.pieces {
            work.push_back(match piece {
                Piece::Kept(text) => Work::Kept(text),
                Piece::Prose(prose) => {
                    let asked = Asked { answer: prose.text.clone(), ..terms.asked.clone() };
                    Work::Prose(prose, Box::new(begin(service, asked).await?))
                }
            });
        }
        let is_live =
            is_live && work.front().is_some_and(|work| matches!(work, Work::Prose(prose, _) if prose.is_live()));
        // what breaks off within a document breaks the document
        let (stops, left) = if end.is_json { (Vec::new(), None) } else { (terms.stops.clone(), terms.asked.bound) };
        Ok(Self {
            service: service.clone(),
            work,
            is_live,
            stops: StopTexts::new(stops),
            left,
            sent: String::new(),
            end,
        })
    }

    fn uncorrected(service: &Arc<Service>, plan: &Plan, reason: String) -> Self {
        let end = End {
            answer: plan.answer.clone(),
            reason: Some(reason),
            is_uncorrected: true,
            drops_reasoning: plan.drops_reasoning,
            ..End::default()
        };
        let work = VecDeque::from([Work::Kept(end.answer.clone())]);
        let stops = StopTexts::default();
        Self { service: service.clone(), work, is_live: false, stops, left: None, sent: String::new(), end }
    }

    /// The next step; nothing comes after `Done` or an error.
    pub(super) async fn next(&mut self) -> Result<AnswerStep, ApiError> {
        match self.step().await {
            Err(error) if self.sent.is_empty() => {
                // nothing reached the client yet, so it can get the answer as it was
                self.end.reason = Some(let_through(&self.service, error)?);
                self.end.is_uncorrected = true;
                self.end.corrections.clear();
                self.work = VecDeque::from([Work::Kept(self.end.answer.clone())]);
                (self.stops, self.left) = (StopTexts::default(), None);
                self.step().await
            }
            other => other,
        }
    }

    /// All steps at once.
    pub(super) async fn finish(mut self) -> Result<End, ApiError> {
        loop {
            if let AnswerStep::Done(end) = self.next().await? {
                return Ok(*end);
            }
        }
    }

    async fn step(&mut self) -> Result<AnswerStep, ApiError> {
        loop {
            if self.stops.is_done() || self.end.truncated {
                self.work.clear();
            }
            let text = match self.work.front_mut() {
                None => {
                    let rest = self.stops.finish();
                    if rest.is_empty() {
                        return self.done();
                    }
                    rest
                }
                Some(Work::Prose(_, pending)) if self.is_live => match pending.next().await? {
                    Step::Text(text) => self.stops.push(&text),
                    Step::Column(_) => continue,
                    Step::Done(correction) => {
                        self.work.clear();
                        self.end.truncated |= correction.truncated;
                        self.end.corrections.push(*correction);
                        continue;
                    }
                },
                Some(_) => self.part().await?,
            };
            if !text.is_empty() {
                // a document is checked before any of it is sent
                self.sent.push_str(&text);
                if !self.end.is_json {
                    return Ok(AnswerStep::Text(text));
                }
            }
        }
    }

    /// The next part, once it is whole.
    async fn part(&mut self) -> Result<String, ApiError> {
        let text = match self.work.front_mut() {
            None => return Ok(String::new()),
            Some(Work::Kept(text)) => std::mem::take(text),
            Some(Work::Prose(prose, pending)) => {
                let correction = loop {
                    if let Step::Done(correction) = pending.next().await? {
                        break correction;
                    }
                };
                let (text, n_restored) = prose.put_back(&correction.correction);
                self.end.restored += n_restored;
                self.end.truncated |= correction.truncated;
                self.end.corrections.push(*correction);
                text
            }
        };
        self.work.pop_front();
        let Some(left) = self.left else { return Ok(self.stops.push(&text)) };
        let n = count_tokens(&self.service, &text).await?;
        self.left = Some(left.saturating_sub(n));
        if n <= left {
            return Ok(self.stops.push(&text));
        }
        self.end.truncated = true;
        let text = first_tokens(&self.service, &text, left).await?;
        Ok(self.stops.push(&text))
    }

    fn done(&mut self) -> Result<AnswerStep, ApiError> {
        let mut end = std::mem::take(&mut self.end);
        end.stopped = self.stops.is_done();
        end.text = std::mem::take(&mut self.sent);
        if end.is_json {
            if end.truncated || serde_json::from_str::<serde::de::IgnoredAny>(&end.text).is_err() {
                end.reason = Some("the correction would not have been a whole JSON document".into());
                end.text.clone_from(&end.answer);
                end.truncated = false;
            }
            end.is_json = false;
            if !end.text.is_empty() {
                // the text comes before the end, as with all others
                let text = end.text.clone();
                self.sent.clone_from(&text);
                self.end = end;
                return Ok(AnswerStep::Text(text));
            }
        }
        Ok(AnswerStep::Done(Box::new(end)))
    }
}

/// The reason why an answer stays uncorrected, where the server lets it through.
pub(super) fn let_through(service: &Service, error: ApiError) -> Result<String, ApiError> {
    match service.options.fail {
        FailMode::Closed => Err(error),
        FailMode::Open => {
            service.metrics.uncorrected();
            Ok(error.message().to_owned())
        }
    }
}

fn nothing_to_correct(plan: &Plan, form: &Form) -> String {
    match form {
        Form::Other(binding) => {
            format!("the request binds the answer's form ({binding}), which no correction could keep")
        }
        _ if plan.kept.is_empty() => "there is no text to correct".into(),
        _ => {
            let kinds: Vec<&str> = plan.kept.iter().copied().collect();
            format!("there is no prose to correct, only {}", kinds.join(", "))
        }
    }
}

impl End {
    /// Tokens of the Aligner: read and written.
    pub(super) fn tokens(&self) -> [usize; 2] {
        let sum = |count: fn(&Correction) -> usize| self.corrections.iter().map(count).sum();
        [sum(|correction| correction.usage.prompt_tokens), sum(|correction| correction.usage.completion_tokens)]
    }

    pub(super) fn status(&self) -> &'static str {
        match () {
            () if self.is_uncorrected => "uncorrected",
            () if self.reason.is_some() => "skipped",
            () => "corrected",
        }
    }

    /// What is said about it beside the text.
    pub(super) fn extension(&self) -> Map<String, Value> {
        let mut fields = match self.corrections.split_first() {
            Some((first, rest)) if self.reason.is_none() => {
                let n_chars = self.answer.trim().chars().count();
                match json!(Correction::joined(first, rest, n_chars)) {
                    Value::Object(fields) => fields,
                    _ => Map::new(),
                }
            }
            _ => Map::new(),
        };
        // it is the message's content
        fields.remove("correction");
        if !fields.is_empty() {
            fields.insert("truncated".into(), self.truncated.into());
            fields.insert("exact_copy".into(), (self.text == self.answer.trim()).into());
        }
        fields.insert("status".into(), self.status().into());
        if let Some(reason) = &self.reason {
            fields.insert("reason".into(), reason.as_str().into());
        }
        fields.insert("answer".into(), self.answer.as_str().into());
        if !self.kept.is_empty() {
            fields.insert("kept".into(), json!(self.kept));
        }
        if self.restored > 0 {
            fields.insert("restored".into(), self.restored.into());
        }
        fields
    }
}
