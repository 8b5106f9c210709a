//! What is decided about an answer before it is corrected: whether it needs a correction, whether the Aligner knows its kind, and how it is
//! steered.
//!
//! Whatever reads the prompt reads it once, unsteered, and what was read serves to write the correction.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use redline_lab::answer_gate::{AnswerGate, Passage};
use redline_lab::domain::{Asked, Domain, Outside};
use redline_lab::prompt_read::{PromptPlaces, PromptRead};
use redline_model::{Decoder, SharedPrefix, Tokenizer};
use tokio::sync::mpsc::UnboundedSender;

use super::worker::failed;
use super::{EngineError, Event};
use crate::dial::Steering;
use crate::metrics::Metrics;
use crate::options::FailMode;

/// Question and answer as a whole, for a gate that reads both; its parts share what was found.
#[derive(Debug, Clone, Default)]
pub struct WholeAnswer {
    texts: Arc<[String; 2]>,
    found: Arc<OnceLock<Result<f64, String>>>,
}

impl WholeAnswer {
    /// Texts of which the gate found nothing yet.
    pub fn new(question: String, answer: String) -> Self {
        Self { texts: Arc::new([question, answer]), found: Arc::default() }
    }

    /// The gate's value, found once.
    fn value(&self, gate: &AnswerGate) -> Result<f64, String> {
        let [question, answer] = &*self.texts;
        self.found.get_or_init(|| gate.of_answer(question, answer).map_err(|error| error.to_string())).clone()
    }
}

/// What decides.
#[derive(Default)]
pub(super) struct Deciding<'a> {
    /// What answers are checked against, and what becomes of those outside.
    pub(super) domain: Option<(&'a Domain, Outside)>,
    /// Whether answers need a correction.
    pub(super) gate: Option<&'a AnswerGate>,
    /// What becomes of an answer where the gate fails.
    pub(super) fail: FailMode,
}

/// How an answer is corrected, where the prompt decided that.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen {
    pub(super) coefficient: Option<f32>,
    pub(super) vector: Option<String>,
}

/// What becomes of an answer.
pub(super) enum Decision {
    /// It stays as it is, after this many tokens were read.
    Leave(usize),
    /// It is corrected.
    Write {
        /// How it is steered, where it is.
        steering: Option<Steering>,
        /// What of that the prompt decided.
        chosen: Chosen,
        /// The prompt as it was read, where it was.
        prefix: Option<SharedPrefix>,
    },
}

/// What a decision is about.
pub(super) struct About<'a> {
    pub(super) decoder: &'a Decoder,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) metrics: &'a Metrics,
    pub(super) events: &'a UnboundedSender<Event>,
    pub(super) prompt: &'a [u32],
    pub(super) answer: &'a [u32],
    pub(super) whole: &'a WholeAnswer,
}

impl Deciding<'_> {
    /// Decides, and tells what was found.
    pub(super) fn decide(&self, about: &About<'_>, steering: Option<Steering>) -> Result<Decision, EngineError> {
        let mut read = None;
        if let Some(gate) = self.gate {
            let passage = self.passage(gate, about, steering.as_ref(), &mut read)?;
            let passed = passage.passed;
            // whoever does not listen any more needs no answer, here and below
            let _ = about.events.send(Event::Gated(passage));
            if passed {
                return Ok(Decision::Leave(if read.is_some() { about.prompt.len() } else { 0 }));
            }
        }
        let place = steering.as_ref().and_then(|steering| steering.route.as_ref()).map(|route| route.place());
        if read.is_none() && place.is_some() {
            let places = PromptPlaces { last: None, mean: place };
            read = Some(PromptRead::new(about.decoder, about.prompt, &places).map_err(failed)?);
        }
        let known = read.as_ref().map(|read: &PromptRead| read.prefix.clone());
        let judge = |(domain, outside): (&Domain, Outside)| {
            let asked = Asked { tokenizer: about.tokenizer, prompt: about.prompt, answer: about.answer };
            domain.judge_read(about.decoder, &asked, outside, known)
        };
        let judged = self.domain.map(judge).transpose().map_err(failed)?.flatten();
        if let Some(standing) = judged.as_ref().map(|judged| judged.standing) {
            about.metrics.judged(&standing);
            let _ = about.events.send(Event::Standing(standing));
            if standing.copied {
                return Ok(Decision::Leave(about.prompt.len()));
            }
        }
        let (steering, chosen) = choose(about, steering, read.as_ref())?;
        let prefix = read.map(|read| read.prefix).or(judged.map(|judged| judged.prefix));
        Ok(Decision::Write { steering, chosen, prefix })
    }

    /// What the gate says; an error where nothing may pass unseen.
    fn passage(
        &self,
        gate: &AnswerGate,
        about: &About<'_>,
        steering: Option<&Steering>,
        read: &mut Option<PromptRead>,
    ) -> Result<Passage, EngineError> {
        let started = Instant::now();
        let mut places = gate.places();
        let value = match places.is_empty() {
            true => about.whole.value(gate),
            false => {
                // one pass serves all that read the prompt
                places.mean = steering.and_then(|steering| steering.route.as_ref()).map(|route| route.place());
                let mut of_prompt = || -> redline_lab::Result<f64> {
                    let found = PromptRead::new(about.decoder, about.prompt, &places)?;
                    let value = gate.of_prompt(&found);
                    *read = Some(found);
                    value
                };
                of_prompt().map_err(|error| error.to_string())
            }
        };
        let passage = match (value, self.fail) {
            (Ok(value), _) => gate.passage(value),
            (Err(reason), FailMode::Open) => gate.failed(reason),
            (Err(reason), FailMode::Closed) => {
                about.metrics.gate_failed();
                return Err(EngineError::Gate { reason });
            }
        };
        about.metrics.gated(&passage, started.elapsed());
        Ok(passage)
    }
}

/// How the answer is steered, where its prompt decides.
fn choose(
    about: &About<'_>,
    steering: Option<Steering>,
    read: Option<&PromptRead>,
) -> Result<(Option<Steering>, Chosen), EngineError> {
    let Some(mut steering) = steering else { return Ok((None, Chosen::default())) };
    let mut chosen = Chosen::default();
    if let Some(route) = steering.route.take() {
        steering = route.choose(read.map_or(&[], |read| &read.mean)).map_err(failed)?;
        chosen = Chosen { coefficient: Some(steering.coefficient), vector: Some(steering.name.clone()) };
        about.metrics.routed(&steering.name, steering.coefficient);
    } else if let Some(policy) = steering.policy.take() {
        steering.coefficient = policy.coefficient(about.decoder, about.prompt).map_err(failed)?;
        chosen.coefficient = Some(steering.coefficient);
    }
    Ok((Some(steering).filter(|steering| steering.coefficient != 0.0), chosen))
}

#[cfg(test)]
mod tests {
    use redline_lab::aligner::Aligner;
    use redline_lab::answer_gate::GateSpec;
    use redline_lab::embedded;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn a_prompt_is_read_once_for_all_that_decide_and_for_the_writing() {
        let aligner = Aligner::embedded().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vector.safetensors");
        embedded::reading().unwrap().save(&path).unwrap();
        let gate = |threshold: &str| {
            let spec: GateSpec = format!("lat={}:{threshold}", path.display()).parse().unwrap();
            spec.open(&aligner, false).unwrap()
        };
        let (question, answer) = ("What is the capital of France?", "The capital of France is Paris, on the Seine.");
        let prompt = aligner.prompt(question, answer).unwrap();
        let tokenizer = aligner.tokenizer().unwrap();
        let tokens = tokenizer.encode_text(answer).unwrap();
        let domain = Domain::built_in(&aligner).unwrap().unwrap();
        let (metrics, whole) = (Metrics::default(), WholeAnswer::default());
        let decide = |gate: &AnswerGate| {
            let (events, mut heard) = unbounded_channel();
            let decoder = &aligner.model.decoder;
            let (prompt, answer) = (&prompt[..], &tokens[..]);
            let about = About { decoder, tokenizer, metrics: &metrics, events: &events, prompt, answer, whole: &whole };
            let domain = Some((&domain, Outside::Warn));
            let deciding = Deciding { domain, gate: Some(gate), fail: FailMode::Closed };
            let decision = deciding.decide(&about, None).unwrap();
            let mut told = Vec::new();
            while let Ok(event) = heard.try_recv() {
                told.push(event);
            }
            (decision, told)
        };
        let (decision, told) = decide(&gate("1e6"));
        assert!(matches!(decision, Decision::Leave(n) if n == prompt.len()));
        assert!(matches!(&told[..], [Event::Gated(passage)] if passage.passed), "{told:?}");
        let (decision, told) = decide(&gate("-1e6"));
        let Decision::Write { prefix: Some(prefix), .. } = decision else { panic!("it writes") };
        assert_eq!(prefix.len(), prompt.len() - 1);
        let [Event::Gated(passage), Event::Standing(standing)] = &told[..] else { panic!("{told:?}") };
        let asked = Asked { tokenizer, prompt: &prompt, answer: &tokens };
        let alone = domain.judge(&aligner.model.decoder, &asked, Outside::Warn).unwrap().unwrap();
        assert!(!passage.passed);
        assert!((standing.cost - alone.standing.cost).abs() < 1e-6, "what was read judges as a pass of its own");
    }
}
