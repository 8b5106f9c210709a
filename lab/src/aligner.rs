//! The straight path: an Aligner with its prompt template, and builders with defaults for what is done with it.
//!
//! [`Aligner::extract`] finds a direction in triples, [`Aligner::scan`] looks along it, [`Aligner::sweep`] measures what the dial
//! does, [`Aligner::correct`] uses it, [`from_scratch`] begins a new Aligner. Everything here is made of the parts in
//! [`redline_model`], [`redline_probe`], [`redline_steer`] and [`crate::experiment`], which are there for what the builders do not
//! offer; nothing here prints, and nothing checks that questions do not overlap but [`shared_questions`].

mod correct;
mod extract;
mod scratch;
mod sweep;

use std::path::Path;

use redline_model::template::instruction_sentence;
use redline_model::{AlignerTemplate, Model, Qac, Tokenizer};
use redline_probe::{LatScan, PairBuilder, PairDesign, Reading, split};
use redline_steer::{ControlVector, Result};

use crate::embedded;
use crate::error as lab;
use crate::experiment::scan_pair;

pub use correct::Correct;
pub use extract::Extract;
pub use scratch::{AlignerShape, from_scratch};
pub use sweep::{Sweep, SweepRun};

/// Most rows written together whose answers serve as drafts.
const MOST_DRAFTED_ROWS: usize = 2;
/// Output tokens of a scan.
const SCAN_TOKENS: usize = redline_probe::scan::SCAN_TOKENS;

/// A model and the template it is prompted with.
///
/// # Example
/// ```no_run
/// use redline_lab::aligner::Aligner;
///
/// let aligner = Aligner::load("aligner/".as_ref(), "aligner")?;
/// let corrected = aligner.correct().run("What is the capital of France?", "The capital of France is Lyon.")?;
/// println!("{corrected}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Aligner {
    /// The model with its tokenizer.
    pub model: Model,
    /// How it is prompted. A wrong template silently turns an Aligner off.
    pub template: AlignerTemplate,
}

impl Aligner {
    /// A model with its template.
    pub fn new(model: Model, template: AlignerTemplate) -> Self {
        Self { model, template }
    }

    /// The small built-in Aligner.
    ///
    /// # Errors
    /// None that a program whose tests pass can meet.
    pub fn embedded() -> Result<Self> {
        Ok(Self::new(embedded::model()?, AlignerTemplate::by_name_or_file(embedded::TEMPLATE)?))
    }

    /// Loads a Hugging Face folder or a GGUF file; `template` is a built-in name (`aligner`, `aligner-7b`, `aligner-2b`, `smollm2`)
    /// or a file.
    ///
    /// # Errors
    /// Neither is there, or one breaks a rule of its format.
    pub fn load(path: &Path, template: &str) -> Result<Self> {
        let template = AlignerTemplate::by_name_or_file(template)?;
        Ok(Self::new(Model::load(path)?, template))
    }

    /// Finds a direction from copy to correction in triples.
    pub fn extract(&self) -> Extract<'_> {
        Extract::new(self)
    }

    /// Writes corrections at several coefficients and measures them.
    pub fn sweep<'a>(&'a self, vector: &'a ControlVector) -> SweepRun<'a> {
        SweepRun::new(self, vector)
    }

    /// Corrects answers, steered or not.
    pub fn correct(&self) -> Correct<'_> {
        Correct::new(self)
    }

    /// LAT scans of a triple: its correction and its unchanged answer, each after the same prompt.
    ///
    /// # Shapes
    /// Scores are (layers, output tokens), at most 20 tokens.
    ///
    /// # Errors
    /// The two texts are the same, the vector has no calibration, or it was made for another model.
    pub fn scan(&self, reading: &Reading, triple: &Qac) -> Result<[LatScan; 2]> {
        let config = self.model.decoder.config();
        reading.check_model(Path::new("reading vector"), config, &self.model.fingerprint)?;
        let builder = PairBuilder::new(&self.model, &self.template, PairDesign::Forced, config.context)?;
        scan_pair(&self.model, reading, &builder.pair(0, triple)?, SCAN_TOKENS)
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// The model came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        Ok(self.model.tokenizer()?)
    }

    /// Token ids of the prompt: the template with question and answer in it. What a text holds that looks like a special token stays text.
    ///
    /// # Errors
    /// The model came without a tokenizer.
    pub fn prompt(&self, question: &str, answer: &str) -> Result<Vec<u32>> {
        Ok(self.tokenizer()?.encode_rendered(&self.template.render(question, answer))?)
    }

    /// The same where the prompt asks for something beside correcting; empty words ask for nothing.
    ///
    /// # Errors
    /// As [`Aligner::prompt`]; the template has no place for an instruction.
    pub fn prompt_asking(&self, question: &str, answer: &str, instruction: &str) -> Result<Vec<u32>> {
        let sentence = instruction_sentence(instruction);
        let rendered = self.template.render_with_instruction(question, answer, &sentence)?;
        Ok(self.tokenizer()?.encode_rendered(&rendered)?)
    }

    /// Token ids of the prompt of question and answer, refused where `max_new_tokens` more exceed the model's context; `origin` says in
    /// the error where the texts come from.
    ///
    /// # Errors
    /// No room, or no tokenizer.
    pub fn prompt_with_room(&self, texts: [&str; 2], max_new_tokens: usize, origin: &str) -> lab::Result<Vec<u32>> {
        self.with_room(self.prompt(texts[0], texts[1])?, max_new_tokens, origin)
    }

    /// Refuses a prompt that leaves no room; see [`Aligner::prompt_with_room`].
    ///
    /// # Errors
    /// No room.
    pub fn with_room(&self, tokens: Vec<u32>, max_new_tokens: usize, origin: &str) -> lab::Result<Vec<u32>> {
        let context = self.model.decoder.config().context;
        if tokens.len().saturating_add(max_new_tokens) > context {
            let n = tokens.len();
            return Err(lab::Error::option(
                format!(
                    "{origin}: the prompt of {n} tokens and {max_new_tokens} new ones exceed the context of {context}"
                ),
                "shorten the text, leave the row out, or lower --max-new-tokens",
            ));
        }
        Ok(tokens)
    }

    /// Tokens of an answer as the draft of its correction, where `n_together` rows are written together; empty where they are so many
    /// that to check several tokens of each would cost more than it saves.
    ///
    /// # Errors
    /// The model came without a tokenizer.
    pub fn draft(&self, answer: &str, n_together: usize) -> Result<Vec<u32>> {
        match n_together {
            ..=MOST_DRAFTED_ROWS => Ok(self.tokenizer()?.encode_text(answer.trim())?),
            _ => Ok(Vec::new()),
        }
    }
}

/// Questions that are in both: what a direction was found on must not be what it is measured on.
pub fn shared_questions(a: &[Qac], b: &[Qac]) -> Vec<String> {
    let questions = |triples: &[Qac]| triples.iter().map(|qac| qac.question.clone()).collect::<Vec<_>>();
    split::overlap(&questions(a), &questions(b))
}

#[cfg(test)]
mod tests;
