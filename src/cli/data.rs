//! Options of `redline data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use redline::data::convert::{Dimension, SourceFormat, Target};
use redline::data::corrupt::CorruptOptions;
use redline::data::filters::RowFilter;
use redline::data::traits::Trait;

use super::numbers::{MOST_MADE_ROWS, MOST_ROWS, count, number};

#[derive(Subcommand)]
pub enum DataCommand {
    /// Write question-answer-correction triples from built-in facts, with graded flaws; no question and answer appear
    /// twice
    Synth(SynthArgs),
    /// Put graded flaws into clean answers; each row's hidden strictness decides which of them its correction mends
    Corrupt(CorruptArgs),
    /// Write rows for learning to copy: words of a file's texts in random order
    Scramble(ScrambleArgs),
    /// Write rows of any kind as triples or answers, without unusable, repeated, empty and over-long ones; count each
    /// kind
    Clean(CleanArgs),
    /// Convert rows from one kind to another: HH-RLHF, PKU-SafeRLHF, UltraFeedback, TRL and others, JSON or Parquet
    Convert(ConvertArgs),
    /// Find rows that are nearly the same
    Near(NearArgs),
    /// Remove repeated, unusable and nearly repeated rows, and count each reason
    Filter(FilterArgs),
    /// Split rows by question into two files
    Split(SplitArgs),
    /// Fail when two files share a question
    Leak(LeakArgs),
    /// Have a language model rate answers by aspects, or correct them; nothing is asked twice
    Annotate(Box<super::annotate::AnnotateArgs>),
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data scramble triples.jsonl --rows 20000 --out copies.jsonl")]
pub struct ScrambleArgs {
    /// Rows of any kind, from which words are taken
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

Preference pairs become triples: the rejected answer is to become the chosen one. Earlier turns become a transcript before
the question. All other fields of a row are kept.")]
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
    /// Share of the questions to hold out
    #[arg(long, default_value_t = 0.1)]
    pub share: f64,
    /// Field to split by: rows with the same value stay together
    #[arg(long, default_value = "question")]
    pub by: String,
    /// Keep rows together too if their values are at least this similar (Jaccard, 5 characters), such as 0.7
    #[arg(long, value_name = "SIMILARITY", value_parser = number(0.0, 1.0))]
    pub near: Option<f64>,
    /// Seed of the split
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// File for the rows that are not held out
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// File for the rows that are held out
    #[arg(long, value_name = "FILE")]
    pub held_out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data synth --rows 300 --seed 1 --out triples.jsonl
  redline data synth --rows 3000 --seed 1 --out train.jsonl --held-out test.jsonl --held-out-rows 400
  redline data synth --trait empathy --rows 4000 --out train.jsonl --held-out test.jsonl --held-out-rows 1500
  redline data synth --instructions --rows 4000 --out train.jsonl --held-out test.jsonl --held-out-rows 700

The same seed writes the same bytes on every machine. With --held-out the two files share no fact, no phrase of a flaw, no
sentence and no question: a reward model trained on one can be tested on the other. Rows of --trait are plain answers that get
a sentence of acknowledgement, and copies; their two files share no situation and no such sentence. Rows of --instructions have each text under
several instructions, which say what its correction mends.")]
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
    /// Teach a trait instead: answers get a sentence that acknowledges the asker's situation
    #[arg(long = "trait", value_name = "NAME", help = format!("Teach a trait instead: {}; answers get a sentence that acknowledges the asker's situation", Trait::NAMES))]
    pub taught: Option<Trait>,
    /// Write an instruction into each row, which says what its correction mends: all flaws without one, those of
    /// severity 5 (harmless), 2 to 4 (helpful), all with an acknowledgement (empathy)
    #[arg(long, conflicts_with = "taught")]
    pub instructions: bool,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// File for held-out rows, from other facts and other phrases
    #[arg(long, value_name = "FILE")]
    pub held_out: Option<PathBuf>,
    /// Rows to write into --held-out
    #[arg(long, default_value_t = 200, requires = "held_out", value_parser = count(1, MOST_MADE_ROWS))]
    pub held_out_rows: usize,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline data corrupt answers.jsonl --seed 1 --out triples.jsonl")]
pub struct CorruptArgs {
    /// Clean answers: question and answer, or question, chosen and rejected, or rows of this command, which are
    /// corrupted anew; JSON or JSON Lines, plain or gzip
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
#[command(after_help = "Examples:
  redline data leak train.jsonl test.jsonl
  redline data leak train.jsonl test.jsonl --near

With --near, a question is also shared if one in the other file is similar, or holds half of the shorter one's runs of 13
words; each pair is printed.")]
pub struct LeakArgs {
    /// First file
    pub a: PathBuf,
    /// Second file
    pub b: PathBuf,
    /// Also look for questions that are nearly the same
    #[arg(long)]
    pub near: bool,
    /// Least similarity (Jaccard, 5 characters) that counts
    #[arg(long, default_value_t = 0.5, requires = "near", value_parser = number(0.0, 1.0))]
    pub threshold: f64,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline data convert safe-rlhf.parquet --to triples --dimension harmless --out triples.jsonl
  redline data convert triples.jsonl --to preferences --out preferences.parquet

The fields of a row tell its kind. All other fields are kept; rows that cannot be converted are counted by
reason. An output name that ends in .parquet is written as Parquet.")]
pub struct ConvertArgs {
    /// Rows: JSON Lines, JSON, Parquet, or the CSV of EmpatheticDialogues; plain or gzip
    pub file: PathBuf,
    /// Kind of the rows [default: from the fields of each row]
    #[arg(long, value_name = "FORMAT", value_parser = source_format, help = source_help())]
    pub from: Option<SourceFormat>,
    /// Kind to write: triples, answers, preferences, unpaired (both as TRL reads them), questions
    #[arg(long, value_name = "FORMAT", value_parser = target)]
    pub to: Target,
    /// What makes one of two answers better in PKU-SafeRLHF: helpful or harmless [default: helpful]
    #[arg(long, value_name = "NAME", value_parser = dimension)]
    pub dimension: Option<Dimension>,
    /// Seed for drawing the worse answer, in UltraFeedback [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// File to write: JSON Lines, or Parquet by its name
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

/// The format of a name.
fn source_format(name: &str) -> Result<SourceFormat, String> {
    let all = || SourceFormat::all().map(SourceFormat::name);
    let found = SourceFormat::all().find(|format| format.name() == name);
    found.ok_or_else(|| format!("`{name}` is not known; there are {}", all().collect::<Vec<_>>().join(", ")))
}

fn source_help() -> String {
    let names: Vec<&str> = SourceFormat::all().map(SourceFormat::name).collect();
    format!("Kind of the rows: {} [default: from the fields of each row]", names.join(", "))
}

fn target(name: &str) -> Result<Target, String> {
    let names = Target::ALL.map(Target::name).join(", ");
    let found = Target::ALL.into_iter().find(|target| target.name() == name);
    found.ok_or_else(|| format!("`{name}` is not known; there are {names}"))
}

fn dimension(name: &str) -> Result<Dimension, String> {
    match name {
        "helpful" => Ok(Dimension::Helpful),
        "harmless" => Ok(Dimension::Harmless),
        _ => Err(format!("`{name}` is not known; there are helpful, harmless")),
    }
}

/// What is compared of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ComparedName {
    /// The question; one row is kept of several answers to the same question
    Question,
    /// The correction, else the answer
    Answer,
    /// Both, one after the other
    #[default]
    Both,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline data near rows.jsonl
  redline data near rows.jsonl --threshold 0.8 --compare question --json

Similarity is the exact Jaccard index of runs of five characters; chains of similar rows form one group. Up to
20,000 texts all pairs are compared; beyond that, the pairs that MinHash proposes.")]
pub struct NearArgs {
    /// Rows of any kind
    pub file: PathBuf,
    /// Least similarity of rows in a group
    #[arg(long, default_value_t = 0.7, value_parser = number(0.0, 1.0))]
    pub threshold: f64,
    /// What is compared
    #[arg(long, value_enum, default_value_t)]
    pub compare: ComparedName,
    /// Write the rows, keeping only the first of each group
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline data filter rows.jsonl --out clean.jsonl
  redline data filter rows.jsonl --leak-to test.jsonl --also refusal,language --out clean.jsonl --json

Stages, in this order: texts of white space only, exact duplicates, filters, near-duplicates, rows whose question is in
--leak-to or nearly so. A row is counted once, under the first reason that applies. No text is changed, and all fields
are kept.")]
pub struct FilterArgs {
    /// Rows of any kind with answers
    pub file: PathBuf,
    /// Filters to leave out
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = row_filter, help = without_help())]
    pub without: Vec<RowFilter>,
    /// Filters that are off unless named here: refusal (by its first words, so a lower bound), language (English in
    /// Latin script), boilerplate (answers that begin with a set phrase), repeating_top_ngrams and mean_word_length
    /// (these also remove lists and sums)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = row_filter)]
    pub also: Vec<RowFilter>,
    /// Least similarity of near-duplicates; 1 removes only equal rows
    #[arg(long, default_value_t = 0.7, value_parser = number(0.0, 1.0))]
    pub near: f64,
    /// What is compared for near-duplicates
    #[arg(long, value_enum, default_value_t)]
    pub compare: ComparedName,
    /// Rows that must not be among the output, such as those of a test
    #[arg(long, value_name = "FILE")]
    pub leak_to: Option<PathBuf>,
    /// Draw the rows by stage, as STEM.png and .svg
    #[arg(long, value_name = "STEM")]
    pub figure: Option<PathBuf>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// File for the removed rows, each with its line, the stage and the filter in `removed`
    #[arg(long, value_name = "FILE")]
    pub removed: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

fn row_filter(name: &str) -> Result<RowFilter, String> {
    let names = RowFilter::ALL.map(RowFilter::name).join(", ");
    let found = RowFilter::ALL.into_iter().find(|filter| filter.name() == name);
    found.ok_or_else(|| format!("`{name}` is not known; there are {names}"))
}

fn without_help() -> String {
    format!("Filters to leave out: {}", RowFilter::ALL.map(RowFilter::name).join(", "))
}
