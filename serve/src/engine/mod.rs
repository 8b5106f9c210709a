//! The model's own thread: requests wait in a [`queue`], join the batch between two passes and leave it when they are done.

mod decide;
mod hooks;
mod queue;
mod scan;
mod worker;

use std::sync::Arc;
use std::time::Instant;

use redline_lab::answer_gate::Passage;
use redline_lab::domain::Standing;
use redline_model::generate::{Drafting, Finish};
use redline_probe::Reading;
use tokio::sync::mpsc::UnboundedSender;

use super::dial::Steering;

pub use decide::WholeAnswer;
pub use queue::{Queue, Refused};
pub use scan::ScanColumn;
pub use worker::Worker;

/// Work for the model.
pub struct Job {
    /// Tokens of the prompt, at least one.
    pub prompt: Vec<u32>,
    /// What is done with it.
    pub task: Task,
    /// Scans along this vector.
    pub scan: Option<Arc<Reading>>,
    /// Where results go; when nobody listens any more, the work ends.
    pub events: UnboundedSender<Event>,
    /// When it was handed in.
    pub submitted: Instant,
}

/// What is done with a prompt.
pub enum Task {
    /// It is continued.
    Write {
        /// Tokens that the output likely repeats.
        draft: Vec<u32>,
        /// Longest output, in tokens.
        max_new_tokens: usize,
        /// How it is steered.
        steering: Option<Steering>,
        /// What a gate reads that looks at whole answers.
        whole: WholeAnswer,
    },
    /// An output is read, for its scan.
    Read {
        /// Tokens after the prompt.
        output: Vec<u32>,
    },
}

/// What the model has to say about a job, in order.
#[derive(Debug)]
pub enum Event {
    /// What the gate said of the answer; comes first. Where the answer passed as it is, only `Done` follows.
    Gated(Passage),
    /// How the answer stands to what the Aligner knows; comes before all text. Where the answer is left as it is, only `Done` follows.
    Standing(Standing),
    /// More text.
    Text(String),
    /// The scan of another output token.
    Column(ScanColumn),
    /// The end.
    Done(Box<Written>),
    /// The end, without result.
    Failed(EngineError),
}

/// A finished output.
#[derive(Debug, Clone)]
pub struct Written {
    /// All of the text, without white space at its ends.
    pub text: String,
    /// Tokens written.
    pub n_tokens: usize,
    /// Tokens read before.
    pub n_prompt_tokens: usize,
    /// The coefficient, where it was chosen by the prompt.
    pub coefficient: Option<f32>,
    /// The vector that steered, where it was chosen by the prompt.
    pub vector: Option<String>,
    /// Why it ended.
    pub finish: Finish,
    /// What drafting brought.
    pub drafting: Drafting,
    /// Activations that steering changed.
    pub n_edits: u64,
    /// Layers where it did.
    pub n_layers: usize,
}

impl Written {
    /// The end of a text that was only read, or was left as it is.
    fn nothing(n_prompt_tokens: usize) -> Self {
        Self {
            text: String::new(),
            n_tokens: 0,
            n_prompt_tokens,
            coefficient: None,
            vector: None,
            finish: Finish::Stopped,
            drafting: Drafting::default(),
            n_edits: 0,
            n_layers: 0,
        }
    }
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The model could not go on with this text, at this coefficient.
    #[error("the Aligner failed on this text: {reason}")]
    Model {
        /// What it said.
        reason: String,
    },
    /// The gate cannot tell whether the answer needs a correction, and nothing passes unseen.
    #[error("the gate failed on this answer: {reason}")]
    Gate {
        /// What it said.
        reason: String,
    },
    /// A defect of the program; the work of all rows was lost.
    #[error("the Aligner failed: {reason}")]
    Broken {
        /// What is known of it.
        reason: String,
    },
}
