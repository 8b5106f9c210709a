//! An answer on its way through the Aligner: what is prose is corrected part by part, what is not stays, and what the
//! request's limits bind is bound. Whole and streamed replies are made of the same steps.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::correction::{Asked, Correction, Pending, Step, begin, broken, count_tokens, first_tokens};
use super::engine::WholeAnswer;
use super::error::ApiError;
use super::options::FailMode;
use super::state::Service;
use super::stop_texts::StopTexts;
use redline_lab::answer_gate::Passage;
use redline_lab::domain::Standing;
use redline_lab::form::{Form, Piece, Plan, PlanError, Prose, PutBack, Reasoning};
use redline_steer::{MOST_STEPS, comparison_steps, levenshtein_distance};

/// Why nothing was corrected of a reply that has prose.
const ENDS_BEFORE: &str = "the request's `stop` or its limit of tokens ends the reply before any prose";

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
    /// The text so far.
    text: String,
    /// Whether nothing is given out before all of it is there, as documents are whole only as a whole.
    is_held: bool,
    /// Whether the text must be a JSON document.
    is_json: bool,
    /// Whether some of it was given out.
    is_given: bool,
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
    /// How much of the answer changed, where a limit or a stop text cut the reply off.
    cut_ratio: Option<f64>,
    /// Why nothing of it was corrected, where nothing was.
    pub(super) reason: Option<String>,
    /// Whether the Aligner failed, and the answer is let through all the same.
    pub(super) is_uncorrected: bool,
    /// Whether it passed as it is since it needs no correction.
    pub(super) is_passed: bool,
    /// Whether a limit cut it off.
    pub(super) truncated: bool,
    /// Whether it ends at a stop text.
    pub(super) stopped: bool,
    pub(super) drops_reasoning: bool,
    kept: BTreeSet<&'static str>,
    restored: usize,
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
                Ok(Self::uncorrected(service, Plan::unchanged(text, terms.reasoning), reason))
            }
        }
    }

    async fn try_begin(service: &Arc<Service>, text: &str, terms: &Terms) -> Result<Self, ApiError> {
        let plan = plan(text, terms).await?;
        let mut answer = Self::new(service, &plan);
        answer.end.kept.clone_from(&plan.kept);
        answer.is_held = plan.has_json;
        answer.is_json = plan.is_json;
        answer.is_live = plan.is_one();
        if plan.n_prose() == 0 {
            answer.end.reason = Some(nothing_to_correct(&plan, &terms.form));
        }
        // what breaks off within a document breaks the document
        if !plan.has_json {
            answer.stops = StopTexts::new(terms.stops.clone());
            answer.left = terms.asked.bound;
        }
        let whole = WholeAnswer::new(terms.asked.question.clone(), plan.answer.clone());
        for piece in plan.pieces {
            let work = match piece {
                Piece::Kept(text) => Work::Kept(text),
                Piece::Prose(prose) => {
                    let (text, bound, whole) = (prose.text.clone(), answer.left, Some(whole.clone()));
                    let asked = Asked { answer: text, bound, whole, ..terms.asked.clone() };
                    let pending = Box::new(begin(service, asked).await?);
                    // what does not fit the Aligner is refused before it is looked at
                    answer.is_live &= prose.is_live();
                    Work::Prose(prose, pending)
                }
            };
            answer.work.push_back(work);
        }
        Ok(answer)
    }

    /// An answer to which nothing has happened yet.
    fn new(service: &Arc<Service>, plan: &Plan) -> Self {
        let end = End { answer: plan.answer.clone(), drops_reasoning: plan.drops_reasoning, ..End::default() };
        Self {
            service: service.clone(),
            work: VecDeque::new(),
            is_live: false,
            stops: StopTexts::default(),
            left: None,
            text: String::new(),
            is_held: false,
            is_json: false,
            is_given: false,
            end,
        }
    }

    fn uncorrected(service: &Arc<Service>, plan: Plan, reason: String) -> Self {
        let mut answer = Self::new(service, &plan);
        answer.end.reason = Some(reason);
        answer.end.is_uncorrected = true;
        answer.work.push_back(Work::Kept(plan.answer));
        answer
    }

    /// The next step; nothing comes after `Done` or an error.
    pub(super) async fn next(&mut self) -> Result<AnswerStep, ApiError> {
        match self.step().await {
            Err(error) if !self.is_given => {
                // nothing reached the client yet, so it can get the answer as it was
                let reason = let_through(&self.service, error)?;
                let end = End { corrections: Vec::new(), truncated: false, ..std::mem::take(&mut self.end) };
                self.end = End { reason: Some(reason), is_uncorrected: true, ..end };
                self.work = VecDeque::from([Work::Kept(self.end.answer.clone())]);
                (self.stops, self.left, self.is_held, self.is_json) = (StopTexts::default(), None, false, false);
                self.text.clear();
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
            if (self.stops.is_done() || self.end.truncated) && !self.is_live {
                self.work.clear();
            }
            let text = match self.work.front_mut() {
                None => match self.stops.finish() {
                    rest if rest.is_empty() => return self.done().await,
                    rest => rest,
                },
                Some(Work::Prose(_, pending)) if self.is_live => match pending.next().await? {
                    Step::Text(text) => self.stops.push(&text),
                    Step::Column(_) => continue,
                    Step::Done(correction) => {
                        self.work.pop_front();
                        self.is_live = false;
                        self.end.truncated |= correction.truncated;
                        self.end.corrections.push(*correction);
                        continue;
                    }
                },
                Some(_) => self.part().await?,
            };
            self.text.push_str(&text);
            if !text.is_empty() && !self.is_held {
                self.is_given = true;
                return Ok(AnswerStep::Text(text));
            }
        }
    }

    /// The next part, once it is whole.
    async fn part(&mut self) -> Result<String, ApiError> {
        let text = match self.work.pop_front() {
            None => return Ok(String::new()),
            Some(Work::Kept(text)) => text,
            Some(Work::Prose(prose, pending)) => self.put_back(prose, *pending).await?,
        };
        // the upstream model kept to the limit by its own count
        if self.end.passed_last() && self.end.all_left() {
            return Ok(self.stops.push(&text));
        }
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

    /// A corrected part as it stands in the answer.
    async fn put_back(&mut self, prose: Prose, pending: Pending) -> Result<String, ApiError> {
        let is_json = prose.is_json;
        let mut correction = pending.finish_in(prose).await?;
        if is_json && correction.truncated {
            let reason = "the correction of a text in the JSON document was cut off at the Aligner's limit";
            return Err(ApiError::unfinished(reason));
        }
        let put_back = correction.put_back.take();
        self.end.truncated |= correction.truncated;
        self.end.corrections.push(correction);
        let lost = || ApiError::unfinished("a corrected part of the answer has no place in it");
        let PutBack { source, n_restored, .. } = put_back.ok_or_else(lost)?;
        self.end.restored += n_restored;
        Ok(source)
    }

    async fn done(&mut self) -> Result<AnswerStep, ApiError> {
        if self.is_json && serde_json::from_str::<serde::de::IgnoredAny>(&self.text).is_err() {
            return Err(ApiError::unfinished("the correction would not have been a whole JSON document"));
        }
        if std::mem::take(&mut self.is_held) && !self.text.is_empty() {
            // the text comes before the end, as with all others
            self.is_given = true;
            return Ok(AnswerStep::Text(self.text.clone()));
        }
        let mut end = std::mem::take(&mut self.end);
        end.stopped = self.stops.is_done();
        end.text = std::mem::take(&mut self.text);
        if end.corrections.is_empty() && end.reason.is_none() {
            end.reason = Some(ENDS_BEFORE.into());
        }
        if let Some(standing) = end.all_copied() {
            end.reason = Some(format!("the answer is outside of what the Aligner knows: {}", standing.in_words()));
            end.is_uncorrected = true;
            self.service.metrics.uncorrected();
        } else if let Some(gate) = end.gate().filter(|_| end.all_left()) {
            end.reason = Some(format!("the answer needs no correction: {}", gate.in_words()));
            end.is_passed = true;
        }
        if (end.stopped || end.truncated) && !end.corrections.is_empty() {
            end.cut_ratio = cut_ratio(end.answer.clone(), end.text.clone()).await?;
        }
        Ok(AnswerStep::Done(Box::new(end)))
    }
}

/// An answer taken apart, away from the threads that serve others.
async fn plan(text: &str, terms: &Terms) -> Result<Plan, ApiError> {
    let (text, form, reasoning) = (text.to_owned(), terms.form.clone(), terms.reasoning);
    let plan = tokio::task::spawn_blocking(move || Plan::of(&text, &form, reasoning)).await;
    plan.map_err(|error| broken(&error))?.map_err(|error| match error {
        PlanError::NoJson => ApiError::bad_reply(error),
        PlanError::TooLong | PlanError::TooMany => ApiError::too_long(error.to_string()),
    })
}

/// How much of an answer changed in a reply that was cut off; `None` where it would take long to tell, so that the sum of
/// what changed in its parts stands.
async fn cut_ratio(answer: String, text: String) -> Result<Option<f64>, ApiError> {
    let compared = tokio::task::spawn_blocking(move || {
        let (answer, text) = (answer.trim(), text.trim());
        let is_short = comparison_steps(answer, text) <= MOST_STEPS;
        is_short.then(|| levenshtein_distance(answer, text) as f64 / answer.chars().count().max(1) as f64)
    });
    compared.await.map_err(|error| broken(&error))
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

    /// How all of it stands, where all of it was left as it is, and not all for want of need.
    fn all_copied(&self) -> Option<Standing> {
        let is_copied = |correction: &Correction| correction.domain.is_some_and(|standing| standing.copied);
        let is_any = self.corrections.iter().any(is_copied);
        self.domain().filter(|_| is_any && self.all_left())
    }

    /// Whether all of it was left as it is.
    fn all_left(&self) -> bool {
        !self.corrections.is_empty() && self.corrections.iter().all(Correction::is_left)
    }

    /// Whether its last part passed the gate.
    fn passed_last(&self) -> bool {
        let gate = self.corrections.last().and_then(|correction| correction.gate.as_ref());
        gate.is_some_and(|gate| gate.passed)
    }

    /// What the gate said of it: of its part that needs a correction most.
    fn gate(&self) -> Option<Passage> {
        let gates = self.corrections.iter().filter_map(|correction| correction.gate.clone());
        gates.reduce(|gate, part| gate.worse(&part))
    }

    /// How it stands to what the Aligner knows: its part farthest outside.
    fn domain(&self) -> Option<Standing> {
        self.corrections.iter().filter_map(|correction| correction.domain).reduce(Standing::worse)
    }

    pub(super) fn status(&self) -> &'static str {
        match () {
            () if self.is_uncorrected => "uncorrected",
            () if self.is_passed => "passed",
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
            self.cut_ratio.into_iter().for_each(|ratio| drop(fields.insert("edit_ratio".into(), ratio.into())));
            fields.insert("exact_copy".into(), (self.text.trim() == self.answer.trim()).into());
        }
        fields.insert("status".into(), self.status().into());
        if let Some(reason) = &self.reason {
            fields.insert("reason".into(), reason.as_str().into());
        }
        fields.insert("answer".into(), self.answer.as_str().into());
        self.domain().into_iter().for_each(|domain| drop(fields.insert("domain".into(), json!(domain))));
        self.gate().into_iter().for_each(|gate| drop(fields.insert("gate".into(), json!(gate))));
        if !self.kept.is_empty() {
            fields.insert("kept".into(), json!(self.kept));
        }
        if self.restored > 0 {
            fields.insert("restored".into(), self.restored.into());
        }
        fields
    }
}
