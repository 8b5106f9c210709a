//! What is asked: answers to one question together, in an order drawn by the question, and each request with its key.

use redline_model::random::Random;
use serde::{Deserialize, Serialize};

use super::aspect::Aspect;
use super::error::AnnotateError;
use super::item::{Candidate, Item};
use super::prompt;
use crate::baseline::Conversation;
use crate::judge::key::hash_of_parts;

/// Most answers that are shown together.
pub const MOST_TOGETHER: usize = 16;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnnotationKind {
    /// Scores of aspects, each with its reason.
    Aspects,
    /// The corrected answer.
    Correction,
}

redline_model::named_enum! {
    "kind of annotation", AnnotationKind { Aspects = "aspects", Correction = "correction" }
}

/// How requests are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOptions {
    /// What is asked for.
    pub kind: AnnotationKind,
    /// The aspects that are rated, each once; a correction has none.
    pub aspects: Vec<Aspect>,
    /// Most answers to one question that are shown together; of more, parts of about equal size.
    pub together: usize,
    /// Seed of the order.
    pub seed: u64,
}

impl Default for PlanOptions {
    /// All four aspects, four answers together.
    fn default() -> Self {
        Self { kind: AnnotationKind::Aspects, aspects: Aspect::ALL.to_vec(), together: 4, seed: 0 }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is found by: 64 hexadecimal digits.
    pub key: String,
    /// What was asked.
    pub question: String,
    /// The answers that are shown, in the order of the file.
    pub answers: Vec<Candidate>,
    /// The answer at each place that is shown, as its place in `answers`.
    pub order: Vec<usize>,
}

impl Request {
    /// The texts as they are shown.
    pub fn shown(&self) -> Vec<&str> {
        self.order.iter().map(|&answer| self.answers[answer].text.as_str()).collect()
    }

    /// What the model is sent.
    pub fn conversation(&self, options: &PlanOptions) -> Conversation {
        prompt::conversation(options, &self.question, &self.shown())
    }
}

impl PlanOptions {
    /// What replies depend on beside model and texts: the kind and 16 digits of the hash of all words that are sent.
    pub fn template(&self) -> String {
        prompt::template(self.kind)
    }

    /// The requests for some questions. The order in which a question's answers are shown depends on the seed and their texts alone, so that a
    /// file whose rows stand in another order gives the same keys.
    ///
    /// # Errors
    /// [`AnnotateError::NoAspects`], [`AnnotateError::AspectTwice`], [`AnnotateError::Together`].
    pub fn requests(&self, model: &str, items: &[Item]) -> Result<Vec<Request>, AnnotateError> {
        self.check()?;
        let template = self.template();
        let mut requests = Vec::new();
        for item in items {
            for part in self.parts(item) {
                requests.push(self.request(model, &template, item, &part));
            }
        }
        Ok(requests)
    }

    fn check(&self) -> Result<(), AnnotateError> {
        if self.kind == AnnotationKind::Correction {
            return Ok(());
        }
        if self.aspects.is_empty() {
            return Err(AnnotateError::NoAspects);
        }
        let is_again = |(place, aspect): &(usize, &Aspect)| self.aspects[..*place].contains(aspect);
        if let Some((_, aspect)) = self.aspects.iter().enumerate().find(is_again) {
            return Err(AnnotateError::AspectTwice { aspect: *aspect });
        }
        match (1..=MOST_TOGETHER).contains(&self.together) {
            true => Ok(()),
            false => Err(AnnotateError::Together { got: self.together, most: MOST_TOGETHER }),
        }
    }

    /// Places of answers that are shown together, in the order in which they are shown.
    fn parts(&self, item: &Item) -> Vec<Vec<usize>> {
        let mut places: Vec<usize> = (0..item.answers.len()).collect();
        if self.kind == AnnotationKind::Correction {
            return places.into_iter().map(|place| vec![place]).collect();
        }
        places.sort_by(|a, b| item.answers[*a].text.cmp(&item.answers[*b].text));
        Random::named(&[self.seed], &item.question).shuffle(&mut places);
        let n_parts = places.len().div_ceil(self.together).max(1);
        let bounds = |part: usize| part * places.len() / n_parts;
        (0..n_parts).map(|part| places[bounds(part)..bounds(part + 1)].to_vec()).collect()
    }

    fn request(&self, model: &str, template: &str, item: &Item, shown: &[usize]) -> Request {
        let mut sorted = shown.to_vec();
        sorted.sort_unstable();
        let answers: Vec<Candidate> = sorted.iter().map(|&place| item.answers[place].clone()).collect();
        let order: Vec<usize> = shown.iter().filter_map(|place| sorted.binary_search(place).ok()).collect();
        let names = match self.kind {
            AnnotationKind::Aspects => self.aspects.iter().map(|aspect| aspect.name()).collect::<Vec<_>>().join(","),
            AnnotationKind::Correction => String::new(),
        };
        let question = item.question.clone();
        let texts = shown.iter().map(|&place| item.answers[place].text.as_str());
        let parts = [self.kind.name(), model, template, &question, &names].into_iter().chain(texts);
        Request { key: hash_of_parts(parts), question, answers, order }
    }
}
