//! One correction: from texts to a job, from the model's events to a result.

use std::sync::Arc;

use redline_lab::answer_gate::Passage;
use redline_lab::domain::Standing;
use redline_lab::form::{Prose, PutBack};
use redline_model::RenderedPrompt;
use redline_model::generate::Finish;
use redline_model::template::instruction_sentence;
use redline_probe::Reading;
use redline_steer::{EditRatios, Operator};
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout_at};

use super::dial::{DialVector, MeasuredDial, SteeringRequest};
use super::engine::{EngineError, Event, ScanColumn, Task, WholeAnswer, Written};
use super::error::ApiError;
use super::state::{OneRequest, Service};

/// Bytes of text for each position of the context that are worth tokenising: no text with more of them fits.
pub(super) const MOST_BYTES_A_TOKEN: usize = 32;
/// Tokens a correction may have beyond twice the answer's.
const SPARE_TOKENS: usize = 64;
/// Longest feedback, in bytes.
const MOST_FEEDBACK_BYTES: usize = 2000;

/// What shall be corrected, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) question: String,
    pub(super) answer: String,
    pub(super) steering: SteeringRequest,
    pub(super) feedback: Option<String>,
    pub(super) max_tokens: Option<usize>,
    /// Most tokens of the whole answer that the request allows.
    pub(super) bound: Option<usize>,
    pub(super) scan: bool,
    /// Question and whole answer, where this is a part of it; they are the whole where none is given.
    pub(super) whole: Option<WholeAnswer>,
    /// The request that it is for.
    pub(super) request: OneRequest,
}

/// A correction on its way.
pub(super) struct Pending {
    service: Arc<Service>,
    events: UnboundedReceiver<Event>,
    deadline: Instant,
    answer: String,
    coefficient: f32,
    vector: Option<String>,
    operator: &'static str,
    measured: Option<MeasuredDial>,
    layers: Option<Vec<usize>>,
    columns: Vec<ScanColumn>,
    /// What the gate said of the answer.
    passage: Option<Passage>,
    /// How the answer stands to what the Aligner knows.
    standing: Option<Standing>,
    /// The part of an answer that is corrected.
    prose: Option<Prose>,
}

/// What a step of a correction brings.
pub(super) enum Step {
    Text(String),
    Column(ScanColumn),
    Done(Box<Correction>),
}

/// A corrected answer with its measures.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Correction {
    pub(super) correction: String,
    pub(super) edit_ratio: f64,
    pub(super) exact_copy: bool,
    /// The coefficient it was steered by; none of an answer in parts that differ in it, likewise the vector.
    pub(super) coefficient: Option<f32>,
    pub(super) vector: Option<String>,
    pub(super) operator: &'static str,
    pub(super) predicted_ratio: Option<f64>,
    pub(super) truncated: bool,
    pub(super) steered: Steered,
    pub(super) drafted: Drafted,
    pub(super) usage: Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scan: Option<Scan>,
    /// How the answer stands to what the Aligner knows, where that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<Standing>,
    /// What the gate said of the answer, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gate: Option<Passage>,
    /// The part of an answer that it is of, corrected; the measures are of that.
    #[serde(skip)]
    pub(super) put_back: Option<PutBack>,
    /// Characters of the answer.
    #[serde(skip)]
    n_chars: usize,
}

/// Proof of effect.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Steered {
    activations: u64,
    layers: usize,
}

/// What drafting from the answer brought.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Drafted {
    passes: usize,
    proposed: usize,
    accepted: usize,
}

/// Tokens of the Aligner.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: usize,
    pub(super) completion_tokens: usize,
    total_tokens: usize,
}

/// z-values of output tokens.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Scan {
    pub(super) layers: Vec<usize>,
    pub(super) columns: Vec<ScanColumn>,
}

/// Hands a correction to the model.
pub(super) async fn begin(service: &Arc<Service>, asked: Asked) -> Result<Pending, ApiError> {
    let deadline = Instant::now() + service.options.timeout;
    let dials = service.dials()?;
    let steering = dials.steering(&asked.steering)?;
    let reading = match asked.scan {
        true => Some(reading(service, asked.steering.vector.as_deref())?),
        false => None,
    };
    let layers = reading.as_ref().map(|reading| layers(reading));
    let Asked { question, answer, feedback, max_tokens, bound, whole, request, .. } = asked;
    let whole = whole.unwrap_or_else(|| WholeAnswer::new(question.clone(), answer.clone()));
    let tokens = Tokens::of(service, question, answer.clone(), feedback).await?;
    let room = tokens.room(service, max_tokens)?;
    let max_new_tokens = bound.map_or(room, |bound| room.min(bound.max(1)));
    let coefficient = steering.as_ref().map_or(0.0, |steering| steering.coefficient);
    let vector = steering.as_ref().map(|steering| steering.name.clone());
    let operator = steering.as_ref().map_or(Operator::Add, |steering| steering.operator).name();
    let measured = steering.as_ref().and_then(|steering| steering.measured);
    let task = Task::Write { draft: tokens.answer, max_new_tokens, steering, whole };
    let events = service.submit(tokens.prompt, task, reading, &request).await?;
    let service = service.clone();
    Ok(Pending {
        service,
        events,
        deadline,
        answer,
        coefficient,
        vector,
        operator,
        measured,
        layers,
        columns: Vec::new(),
        passage: None,
        standing: None,
        prose: None,
    })
}

/// Refuses what is wrong with a request whatever the answer: its steering, feedback or scan.
pub(super) fn check(service: &Service, asked: &Asked) -> Result<(), ApiError> {
    service.dials()?.steering(&asked.steering)?;
    if asked.scan {
        reading(service, asked.steering.vector.as_deref())?;
    }
    render(service, ["", ""], asked.feedback.as_deref()).map(drop)
}

/// The Aligner's prompt.
fn render(
    service: &Service,
    [question, answer]: [&str; 2],
    feedback: Option<&str>,
) -> Result<RenderedPrompt, ApiError> {
    let instruction = feedback.map(instruction).transpose()?.unwrap_or_default();
    let rendered = service.aligner.template.render_with_instruction(question, answer, &instruction);
    rendered.map_err(|error| ApiError::invalid("feedback", error.to_string()))
}

/// Scans a text that is there already.
pub(super) async fn scan(
    service: &Arc<Service>,
    texts: [String; 3],
    vector: Option<&str>,
    most: usize,
) -> Result<Scan, ApiError> {
    let deadline = Instant::now() + service.options.timeout;
    let reading = reading(service, vector)?;
    let layers = layers(&reading);
    let [question, answer, output] = texts;
    check_length(service, "correction", &output)?;
    let tokens = Tokens::of(service, question, answer, None).await?;
    let mut output = encode(service, output).await?;
    output.truncate(most);
    let (n, context) = (tokens.prompt.len() + output.len(), service.aligner.model.decoder.config().context);
    if n > context {
        return Err(ApiError::too_long(format!("the text has {n} tokens; the Aligner's context holds {context}")));
    }
    let alone = OneRequest::default();
    let mut events = service.submit(tokens.prompt, Task::Read { output }, Some(reading), &alone).await?;
    let mut columns = Vec::new();
    loop {
        match next(service, &mut events, deadline).await? {
            Event::Column(column) => columns.push(column),
            Event::Done(_) => return Ok(Scan { layers, columns }),
            Event::Failed(error) => return Err(error.into()),
            Event::Text(_) | Event::Gated(_) | Event::Standing(_) => {}
        }
    }
}

impl Pending {
    /// The next step; nothing comes after `Done` or an error.
    pub(super) async fn next(&mut self) -> Result<Step, ApiError> {
        loop {
            match next(&self.service, &mut self.events, self.deadline).await? {
                Event::Gated(passage) => self.passage = Some(passage),
                Event::Standing(standing) => self.standing = Some(standing),
                event => return self.step(event).await,
            }
            if self.is_left() {
                return Ok(Step::Text(self.answer.trim().to_owned()));
            }
        }
    }

    /// Whether the answer stays as it is.
    fn is_left(&self) -> bool {
        let has_passed = self.passage.as_ref().is_some_and(|passage| passage.passed);
        has_passed || self.standing.is_some_and(|standing| standing.copied)
    }

    async fn step(&mut self, event: Event) -> Result<Step, ApiError> {
        match event {
            Event::Text(text) => Ok(Step::Text(text)),
            // they come before, once each
            Event::Gated(_) | Event::Standing(_) => {
                Err(EngineError::Broken { reason: "an answer was judged twice".into() }.into())
            }
            Event::Column(column) => {
                self.columns.push(column.clone());
                Ok(Step::Column(column))
            }
            Event::Failed(error) => Err(error.into()),
            Event::Done(written) => Ok(Step::Done(Box::new(self.measure(*written).await?))),
        }
    }

    /// The result, once it is there.
    pub(super) async fn finish(mut self) -> Result<Correction, ApiError> {
        loop {
            if let Step::Done(correction) = self.next().await? {
                return Ok(*correction);
            }
        }
    }

    /// The result, in its place in an answer.
    pub(super) async fn finish_in(mut self, prose: Prose) -> Result<Correction, ApiError> {
        self.prose = Some(prose);
        self.finish().await
    }

    async fn measure(&mut self, mut written: Written) -> Result<Correction, ApiError> {
        let answer = std::mem::take(&mut self.answer);
        let is_copied = self.is_left();
        if is_copied {
            answer.trim().clone_into(&mut written.text);
        }
        let n_chars = answer.trim().chars().count();
        let (correction, prose) = (written.text.clone(), self.prose.take());
        let measured = tokio::task::spawn_blocking(move || {
            let put_back = prose.map(|prose| prose.put_back(&correction));
            let text = put_back.as_ref().map_or(&correction, |put_back| &put_back.text);
            (EditRatios::new(answer.trim(), text), put_back)
        });
        let (ratios, put_back) = measured.await.map_err(|error| broken(&error))?;
        // only an empty answer has no ratio, and those are refused
        let edit_ratio = ratios.char.unwrap_or_default();
        if !is_copied {
            self.service.metrics.corrected(edit_ratio, ratios.exact_copy);
        }
        let coefficient = written.coefficient.unwrap_or(self.coefficient);
        let scan = self.layers.take().map(|layers| Scan { layers, columns: std::mem::take(&mut self.columns) });
        Ok(Correction {
            correction: written.text,
            edit_ratio,
            exact_copy: ratios.exact_copy,
            coefficient: Some(coefficient),
            vector: written.vector.or(self.vector.take()),
            operator: self.operator,
            predicted_ratio: self.measured.and_then(|measured| measured.predict(f64::from(coefficient))),
            truncated: written.finish == Finish::Length,
            steered: Steered { activations: written.n_edits, layers: written.n_layers },
            drafted: Drafted {
                passes: written.drafting.passes,
                proposed: written.drafting.proposed,
                accepted: written.drafting.accepted,
            },
            usage: Usage {
                prompt_tokens: written.n_prompt_tokens,
                completion_tokens: written.n_tokens,
                total_tokens: written.n_prompt_tokens + written.n_tokens,
            },
            scan,
            domain: self.standing,
            gate: self.passage.take(),
            put_back,
            n_chars,
        })
    }
}

impl Correction {
    /// Whether the answer stayed as it is, because the gate let it pass or it is outside of what the Aligner knows.
    pub(super) fn is_left(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.passed) || self.domain.is_some_and(|standing| standing.copied)
    }

    /// The corrections of an answer's parts as one, of an answer with `n_chars` characters; parts between them stayed.
    pub(super) fn joined(first: &Self, rest: &[Self], n_chars: usize) -> Self {
        let mut whole = first.clone();
        let distance = |part: &Self| part.edit_ratio * part.n_chars as f64;
        let sum: f64 = distance(first) + rest.iter().map(distance).sum::<f64>();
        if !rest.is_empty() || n_chars != first.n_chars {
            whole.edit_ratio = sum / n_chars.max(1) as f64;
        }
        for part in rest {
            whole.exact_copy &= part.exact_copy;
            if part.coefficient != whole.coefficient {
                (whole.coefficient, whole.predicted_ratio) = (None, None);
            }
            if part.vector != whole.vector {
                whole.vector = None;
            }
            whole.gate = match (whole.gate.take(), &part.gate) {
                (Some(gate), Some(part)) => Some(gate.worse(part)),
                (gate, part) => gate.or_else(|| part.clone()),
            };
            whole.domain =
                whole.domain.map(|domain| part.domain.map_or(domain, |part| domain.worse(part))).or(part.domain);
            whole.truncated |= part.truncated;
            whole.steered.activations += part.steered.activations;
            whole.steered.layers = whole.steered.layers.max(part.steered.layers);
            whole.drafted.passes += part.drafted.passes;
            whole.drafted.proposed += part.drafted.proposed;
            whole.drafted.accepted += part.drafted.accepted;
            whole.usage.prompt_tokens += part.usage.prompt_tokens;
            whole.usage.completion_tokens += part.usage.completion_tokens;
            whole.usage.total_tokens += part.usage.total_tokens;
            if let (Some(scan), Some(more)) = (&mut whole.scan, &part.scan) {
                let n = scan.columns.len();
                scan.columns.extend(
                    more.columns.iter().cloned().map(|column| ScanColumn { token: n + column.token, ..column }),
                );
            }
        }
        whole.n_chars = n_chars;
        whole
    }
}

/// The next event before the deadline.
async fn next(service: &Service, events: &mut UnboundedReceiver<Event>, deadline: Instant) -> Result<Event, ApiError> {
    let event = timeout_at(deadline, events.recv()).await.map_err(|_| service.timeout_error())?;
    event.ok_or_else(|| EngineError::Broken { reason: "its thread has ended".into() }.into())
}

/// Tokens of a prompt and of the answer in it.
struct Tokens {
    prompt: Vec<u32>,
    answer: Vec<u32>,
}

impl Tokens {
    async fn of(
        service: &Arc<Service>,
        question: String,
        answer: String,
        feedback: Option<String>,
    ) -> Result<Self, ApiError> {
        for (param, text) in [("question", &question), ("answer", &answer)] {
            if text.trim().is_empty() {
                return Err(ApiError::invalid(param, format!("{param} is empty: there is nothing to correct")));
            }
            check_length(service, param, text)?;
        }
        let rendered = render(service, [&question, &answer], feedback.as_deref())?;
        let service = service.clone();
        let encoded = tokio::task::spawn_blocking(move || {
            let tokenizer = service.tokenizer()?;
            let failed = |error: redline_model::Error| ApiError::invalid("answer", error.to_string());
            let prompt = tokenizer.encode_rendered(&rendered).map_err(failed)?;
            Ok(Self { prompt, answer: tokenizer.encode_text(answer.trim()).map_err(failed)? })
        });
        encoded.await.map_err(|error| broken(&error))?
    }

    /// Most new tokens: what was asked for, as far as the server allows, and the context has room.
    fn room(&self, service: &Service, asked: Option<usize>) -> Result<usize, ApiError> {
        let context = service.aligner.model.decoder.config().context;
        let room = context.saturating_sub(self.prompt.len());
        if room <= self.answer.len() {
            let (n, answer) = (self.prompt.len(), self.answer.len());
            return Err(ApiError::too_long(format!(
                "the Aligner's prompt has {n} tokens and a correction needs {answer} more, as many as the answer; its \
                 context holds {context}"
            )));
        }
        if asked == Some(0) {
            return Err(ApiError::invalid("max_tokens", "max_tokens is 0: nothing can be written"));
        }
        let usual = 2 * self.answer.len() + SPARE_TOKENS;
        Ok(asked.unwrap_or(usual).min(service.options.most_new_tokens).min(room))
    }
}

/// Feedback as a sentence in the prompt.
fn instruction(feedback: &str) -> Result<String, ApiError> {
    let feedback = feedback.trim();
    if feedback.len() > MOST_FEEDBACK_BYTES {
        let message = format!("feedback has {} bytes, at most {MOST_FEEDBACK_BYTES} are allowed", feedback.len());
        return Err(ApiError::invalid("feedback", message));
    }
    Ok(instruction_sentence(feedback))
}

async fn encode(service: &Arc<Service>, text: String) -> Result<Vec<u32>, ApiError> {
    let service = service.clone();
    let encoded = tokio::task::spawn_blocking(move || {
        service
            .tokenizer()?
            .encode_text(text.trim())
            .map_err(|error| ApiError::invalid("correction", error.to_string()))
    });
    encoded.await.map_err(|error| broken(&error))?
}

/// Tokens of a text, as the Aligner counts them.
pub(super) async fn count_tokens(service: &Arc<Service>, text: &str) -> Result<usize, ApiError> {
    Ok(encode(service, text.to_owned()).await?.len())
}

/// The beginning of a text, of at most `n` tokens.
pub(super) async fn first_tokens(service: &Arc<Service>, text: &str, n: usize) -> Result<String, ApiError> {
    let mut tokens = encode(service, text.to_owned()).await?;
    tokens.truncate(n);
    let decoded = service.tokenizer()?.decode(&tokens, true);
    let start = &text[..text.len() - text.trim_start().len()];
    Ok(format!("{start}{}", decoded.map_err(|error| ApiError::invalid("answer", error.to_string()))?))
}

/// Refuses a text that cannot fit before time is spent on it.
fn check_length(service: &Service, param: &str, text: &str) -> Result<(), ApiError> {
    let most = service.aligner.model.decoder.config().context * MOST_BYTES_A_TOKEN;
    match text.len() > most {
        true => {
            Err(ApiError::too_long(format!("{param} has {} bytes; no more than {most} fit the Aligner", text.len())))
        }
        false => Ok(()),
    }
}

/// A defect of this program in work that ran beside.
pub(super) fn broken(error: &tokio::task::JoinError) -> ApiError {
    EngineError::Broken { reason: error.to_string() }.into()
}

/// The vector that scans are made along.
fn reading(service: &Service, name: Option<&str>) -> Result<Arc<Reading>, ApiError> {
    let dial = service.dials()?.dial(name)?;
    match &dial.vector {
        DialVector::Reading(reading, _) if reading.calibration.is_some() => Ok(reading.clone()),
        _ => Err(ApiError::invalid("vector", format!("`{}` has no calibration, which scans need", dial.name))),
    }
}

fn layers(reading: &Reading) -> Vec<usize> {
    reading.layers.iter().map(|vector| vector.layer).collect()
}
