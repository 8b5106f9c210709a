//! Options of `redline data annotate`.

use std::path::PathBuf;

use clap::Args;
use redline::lab::annotate::{AnnotationKind, Aspect, MOST_TOGETHER};

use super::numbers::{MOST_FACTOR, MOST_ROWS, MOST_TOKENS, count, number};
use super::systems::WriterSpec;

#[derive(Args)]
#[command(after_help = "Examples:
  redline data annotate answers.jsonl --kind aspects --model http://localhost:8000/v1#chat --not-in test.jsonl --out rated.jsonl --binarise preferences.jsonl
  redline data annotate answers.jsonl --kind correction --model https://api.example.com/v1#big --key-env API_KEY --price-in 2.5 --price-out 10 --out corrected.jsonl --triples triples.jsonl

Replies are written into --out as they come; the same command continues where it was stopped and asks nothing twice. The overall
score of an answer is the mean of its aspects; the model is not asked for one. A reply that is not an annotation is kept as a
fault and never becomes a score.")]
pub struct AnnotateArgs {
    /// Rows: question with answers (a list), question and answer, triples, preferences, UltraFeedback, or redline.answers.v1
    pub file: PathBuf,
    /// What to ask for: aspects (scores from 1 to 5 with reasons), correction (the corrected answer)
    #[arg(long, value_name = "KIND")]
    pub kind: AnnotationKind,
    /// Model to ask: URL#MODEL (any OpenAI-compatible server), or a folder or GGUF file
    #[arg(long, value_name = "MODEL")]
    pub model: WriterSpec,
    /// Variable that holds the server's key
    #[arg(long, value_name = "NAME")]
    pub key_env: Option<String>,
    /// Requests at the same time [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// Most requests per minute [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub per_minute: Option<u32>,
    /// Price of a million tokens of requests
    #[arg(long, value_name = "PRICE", requires = "price_out", value_parser = number(0.0, MOST_FACTOR))]
    pub price_in: Option<f64>,
    /// Price of a million tokens of replies
    #[arg(long, value_name = "PRICE", requires = "price_in", value_parser = number(0.0, MOST_FACTOR))]
    pub price_out: Option<f64>,
    /// Aspects to rate [default: instruction_following,truthfulness,honesty,helpfulness]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub aspects: Vec<Aspect>,
    /// Most answers to one question shown together [default: 4]
    #[arg(long, value_name = "N", value_parser = count(1, MOST_TOGETHER))]
    pub together: Option<usize>,
    /// Questions that must not be annotated, such as those of a test; may be repeated. Rows with one of them, or
    /// nearly the same, are left out and named
    #[arg(long, value_name = "FILE")]
    pub not_in: Vec<PathBuf>,
    /// Questions to annotate, from the first
    #[arg(long, default_value_t = MOST_ROWS, hide_default_value = true, value_parser = count(1, MOST_ROWS))]
    pub prompts: usize,
    /// Longest reply, in tokens
    #[arg(long, default_value_t = 1024, value_parser = count(1, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Seed of the order in which answers are shown, and of the rejected answers
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Replies in a row that are not annotations, after which the run ends
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = count(1, MOST_ROWS))]
    pub most_faults: usize,
    /// Ask again if an earlier reply was not an annotation
    #[arg(long)]
    pub ask_faults_again: bool,
    /// Print the estimated tokens and cost, and ask nothing
    #[arg(long)]
    pub estimate: bool,
    /// Write preferences (redline.preference.v1): the answer with the best overall score is chosen, a random other
    /// one rejected
    #[arg(long, value_name = "FILE")]
    pub binarise: Option<PathBuf>,
    /// Write the corrections as triples
    #[arg(long, value_name = "FILE")]
    pub triples: Option<PathBuf>,
    /// Annotations, one line per reply (redline.annotation.v1); an existing file is continued
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}
