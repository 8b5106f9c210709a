//! Options of `redline data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use redline::data::corrupt::CorruptOptions;

use super::numbers::{MOST_MADE_ROWS, MOST_ROWS, count};

#[derive(Subcommand)]
pub enum DataCommand {
    /// Write question-answer-correction triples from built-in facts, with graded flaws; no two questions with answer
    /// are the same
    Synth(SynthArgs),
    /// Put graded flaws into clean answers; each row's hidden strictness says which of them its correction mends
    Corrupt(CorruptArgs),
    /// Write rows to learn copying from: words of a file's texts in random order
    Scramble(ScrambleArgs),
    /// Write rows of any kind as triples or answers, without unusable, repeated, empty and over-long ones; say how many of each
    Clean(CleanArgs),
    /// Split rows by question into two files
    Split(SplitArgs),
    /// Fail when two files share a question
    Leak(LeakArgs),
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data scramble triples.jsonl --rows 20000 --out copies.jsonl")]
pub struct ScrambleArgs {
    /// Rows of any kind, whose words are taken
    pub file: PathBuf,
    /// Rows to write
    #[arg(long, default_value_t = 1000, value_parser = count(1, MOST_MADE_ROWS))]
    pub rows: usize,
    /// Seed of the order
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data clean pairs.jsonl.gz --max-chars 4000 --out triples.jsonl

Preference pairs become triples: the rejected answer is to become the chosen one. Earlier turns stand before the
question as a transcript. All other fields of a row are kept.")]
pub struct CleanArgs {
    /// Rows of any kind; JSON or JSON Lines, plain or gzip
    pub file: PathBuf,
    /// Most characters in all texts of a row together
    #[arg(long, default_value_t = redline::data::FilterOptions::default().max_chars, value_parser = count(0, MOST_ROWS))]
    pub max_chars: usize,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data split triples.jsonl --share 0.1 --out train.jsonl --held-out test.jsonl")]
pub struct SplitArgs {
    /// Rows of any kind; all fields are kept
    pub file: PathBuf,
    /// Share of the questions that are held out
    #[arg(long, default_value_t = 0.1)]
    pub share: f64,
    /// Field to split by: rows with the same value stay together
    #[arg(long, default_value = "question")]
    pub by: String,
    /// Seed of the split
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// File for the rows that are not held out
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// File for those that are
    #[arg(long, value_name = "FILE")]
    pub held_out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data synth --rows 300 --seed 1 --out triples.jsonl

The same seed writes the same bytes on every machine.")]
pub struct SynthArgs {
    /// Rows to write
    #[arg(long, default_value_t = 1000, value_parser = count(1, MOST_MADE_ROWS))]
    pub rows: usize,
    /// Seed of texts and flaws
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Share of rows that stay clean copies
    #[arg(long, default_value_t = CorruptOptions::default().clean_share)]
    pub clean_share: f64,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data corrupt answers.jsonl --seed 1 --out triples.jsonl")]
pub struct CorruptArgs {
    /// Clean answers: question and answer, or question, chosen and rejected, or rows of this command, which are corrupted
    /// anew; JSON or JSON Lines, plain or gzip
    pub file: PathBuf,
    /// Seed of the flaws
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Share of rows that stay clean copies
    #[arg(long, default_value_t = CorruptOptions::default().clean_share)]
    pub clean_share: f64,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
pub struct LeakArgs {
    /// One file
    pub a: PathBuf,
    /// Another
    pub b: PathBuf,
}
