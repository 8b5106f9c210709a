//! Command line: what users type, typed. Values that need the model are resolved later.

pub mod completions;
pub mod files;
pub mod gate;
pub mod inspect;
pub mod numbers;
pub mod plot;
pub mod serve;
pub mod stack;
pub mod steering;
pub mod train;
pub mod tune;
pub mod writes;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use redline::data::corrupt::CorruptOptions;
use redline::embedded;
use redline::experiment::{DEFAULT_COHERENCE_BOUND, LayerSpec};
use redline::model::MatmulPrecision;
use redline::probe::{ExtractOptions, Method, PairDesign, ReadAt, Scaling};
use redline::steer::{EditRatioVariant, TokenRange, Unit};

use numbers::{
    MOST_BATCH_ROWS, MOST_COEFFICIENTS, MOST_MADE_ROWS, MOST_RANDOM, MOST_ROWS, MOST_TOKENS, MOST_VOCABULARY, count,
};
use steering::SteeringArgs;

/// The coefficients of the published figure.
pub const PUBLISHED_COEFFICIENTS: &str = "-1,-0.75,-0.5,-0.25,0,0.25,0.5";

/// What was asked for on the command line, and the files and folders that it reads.
///
/// # Errors
/// clap's, for everything else.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Cli, Vec<PathBuf>), clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command()))?;
    Ok((cli, files::reads(&matches)))
}

/// The command line's description.
pub fn command() -> clap::Command {
    let command = with_whole_paragraphs(Cli::command());
    let globals: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommand("serve", |serve| serve::with_variables(serve, &globals))
}

/// Joins the lines of the paragraphs after the options: the terminal's width breaks them.
fn with_whole_paragraphs(command: clap::Command) -> clap::Command {
    let text = command.get_after_help().map(|text| whole_paragraphs(&text.to_string()));
    let command = text.into_iter().fold(command, clap::Command::after_help);
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_whole_paragraphs))
}

/// Examples are indented and stay as they are.
fn whole_paragraphs(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let is_plain = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
        match lines.last_mut().filter(|before| is_plain(before) && is_plain(line)) {
            Some(before) => *before += &format!(" {line}"),
            None => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

#[derive(Parser)]
#[command(
    name = "redline",
    version,
    about = "Read, steer and measure correction in Aligner language models",
    long_about = "An Aligner reads a question and an answer and writes a corrected answer: it copies what is good and \
                  rewrites what is not. Redline shows where it decides to correct, turns that into a direction, \
                  injects the direction times a coefficient, and measures what this dial does.",
    propagate_version = true
)]
pub struct Cli {
    /// Threads for computation [default: all cores]
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=numbers::MOST_THREADS))]
    pub threads: Option<u16>,
    /// Precision of products with quantised weights: `high` may round inputs to 16 bits where that is faster, `highest` is f32 [default: high;
    /// highest for `check --reference`]
    #[arg(long, global = true, value_name = "PRECISION")]
    pub matmul_precision: Option<MatmulPrecision>,
    /// Print results as JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Stop at the first row of a data file that cannot be used; without it such rows are counted and left out
    #[arg(long, global = true)]
    pub strict: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the whole experiment and write a report folder
    Reproduce(ReproduceArgs),
    /// Draw which layers, at which output tokens, are about to correct
    Scan(ScanArgs),
    /// Report at which layers, at which tokens, correction can be read on held-out pairs
    Layers(LayersArgs),
    /// Compare methods, layers and units of steering by propensity, without generating
    Compare(CompareArgs),
    /// Extract a correction direction from question-answer-correction triples
    Extract(ExtractArgs),
    /// Write corrections at several coefficients and measure them
    Sweep(SweepArgs),
    /// Fit a line through a sweep
    Fit(FitArgs),
    /// Find the coefficient for a wished edit ratio, verify it, keep it as a profile
    Tune(Box<tune::TuneArgs>),
    /// Draw scans, layers, sweeps, vectors and training logs from their files
    Plot(plot::PlotArgs),
    /// Correct answers, steered or not
    Correct(Box<CorrectArgs>),
    /// Serve an OpenAI-compatible API that corrects an upstream model's answers, with a page to try the dial
    Serve(Box<serve::ServeArgs>),
    /// Measure how fast a model reads, writes and corrects on this machine
    Bench(BenchArgs),
    /// Measure how much of the answers in a file of triples was rewritten
    Ratio(RatioArgs),
    /// Say what a model, adapter or vector file holds, and what works with it
    Inspect(inspect::InspectArgs),
    /// Measure how likely a model finds a text
    Perplexity(inspect::PerplexityArgs),
    /// Let a model test itself, or compare it with reference numbers of another program
    Check(inspect::CheckArgs),
    /// Train an Aligner: identity warm-up, then corrections
    Train(Box<train::TrainArgs>),
    /// Train the same Aligner at several shares of identity warm-up and compare
    AblateWarmup(Box<train::AblateArgs>),
    /// Write corrections of held-out rows and measure how good they are
    Evaluate(EvaluateArgs),
    /// Make triples: write a corpus, put flaws into clean answers, look for shared questions
    #[command(subcommand)]
    Data(DataCommand),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
    /// Print the man page, or write one a verb
    Man(completions::ManArgs),
}

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
    pub force: files::ForceArgs,
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
    pub force: files::ForceArgs,
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
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline evaluate --model aligner/model --data held-out.jsonl --prompts 500
  redline evaluate --model aligner/model --data held-out.jsonl --json --out outputs.jsonl

Rows of `redline data synth` and `corrupt` carry their flaws: their outputs are also compared with the correction at each
strictness.")]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Rows to use, from the first
    #[arg(long, default_value_t = 500, value_parser = count(1, MOST_ROWS))]
    pub prompts: usize,
    /// Longest output, in tokens
    #[arg(long, default_value_t = 256, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Rows decoded together; fewer need less memory
    #[arg(long, default_value_t = 48, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Write every output (JSON Lines)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: files::ForceArgs,
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
    pub force: files::ForceArgs,
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
    pub force: files::ForceArgs,
}

#[derive(Args)]
pub struct LeakArgs {
    /// One file
    pub a: PathBuf,
    /// Another
    pub b: PathBuf,
}

#[derive(Args, Clone, Default)]
pub struct ModelArgs {
    /// Hugging Face folder, GGUF file, or smollm2: the Aligner on SmolLM2-135M [default: the small Aligner inside the
    /// program]
    #[arg(long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// PEFT adapter folder, merged into the model's weights
    #[arg(long, value_name = "DIR", requires = "model")]
    pub adapter: Option<PathBuf>,
    /// Prompt template: aligner, aligner-7b, aligner-2b, smollm2, or a file with {question} and {answer} [default: by
    /// the model's tokens]
    #[arg(long, value_name = "NAME|FILE")]
    pub template: Option<String>,
    /// Where the model runs: cpu, cuda, cuda:N or metal; all but cpu need a program built with --features cuda or metal [default: cpu]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
}

impl ModelArgs {
    /// Whether the Aligner on SmolLM2 is asked for by its name, which a file or folder of that name takes away.
    pub fn is_smollm2(&self) -> bool {
        self.model.as_deref().is_some_and(|path| path == Path::new(embedded::SMOLLM2) && !path.exists())
    }

    /// Where the model runs.
    pub fn device(&self) -> redline::model::Result<redline::model::Device> {
        redline::model::device(self.device.as_deref().unwrap_or("cpu"))
    }
}

#[derive(Args, Clone)]
pub struct PairArgs {
    /// How pairs are made: forced, decision, edit, history
    #[arg(long, default_value_t)]
    pub design: PairDesign,
    /// Positions read: last-prompt-token, last-token, output-token:K, first-tokens:N, from-first-difference:N,
    /// at-difference:K [default: by design]
    #[arg(long)]
    pub read: Option<ReadAt>,
    /// Site in each block: resid_pre, resid_mid, resid_post, attn_out, mlp_out, or attn.hook_z (all heads)
    #[arg(long, default_value = "resid_post")]
    pub site: String,
    /// How the direction is found: pca_diff, pca_center, mean_diff, logistic, random [default: pca_diff; mean_diff for `tune`, and for
    /// `reproduce` on the embedded Aligner and on smollm2]
    #[arg(long)]
    pub method: Option<Method>,
    /// Scaling before PCA: per-dimension (a direction to steer by), per-dimension-filter (one to read by), none
    #[arg(long, default_value_t = ExtractOptions::default().scaling)]
    pub scaling: Scaling,
    /// Flip the order of each pair at random, as RepE does, instead of taking both orders
    #[arg(long)]
    pub no_mirror: bool,
    /// Longest prompt with output, in tokens
    #[arg(long, default_value_t = 1536, value_parser = count(0, MOST_TOKENS))]
    pub max_tokens: usize,
    /// Share of the questions kept for the held-out layer report
    #[arg(long, default_value_t = 0.25)]
    pub held_out_share: f64,
    /// Training pairs that calibrate scans
    #[arg(long, default_value_t = 32, value_parser = count(0, MOST_ROWS))]
    pub calibration_pairs: usize,
    /// For rows that carry their flaws: pair the answer with the correction of this strictness (1 mends everything)
    /// instead of the row's own
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub strictness: Option<u8>,
}

#[derive(Args, Clone)]
pub struct SamplingArgs {
    /// Longest output, in tokens
    #[arg(long, default_value_t = 256, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// 0 is greedy
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    /// Sample among the K most likely tokens
    #[arg(long, value_name = "K", value_parser = count(0, MOST_VOCABULARY))]
    pub top_k: Option<usize>,
    /// Sample among the most likely tokens whose probabilities add up to P
    #[arg(long, value_name = "P")]
    pub top_p: Option<f64>,
    /// Make tokens that are already there less likely; 1 is off
    #[arg(long, default_value_t = 1.0)]
    pub repetition_penalty: f32,
}

/// A list of numbers, separated by commas.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients(pub Vec<f32>);

impl std::str::FromStr for Coefficients {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<f32>().map_err(|_| format!("`{part}` is not a number"));
        if text.split(',').count() > MOST_COEFFICIENTS {
            return Err(format!("give at most {MOST_COEFFICIENTS} numbers"));
        }
        let mut values = text.split(',').map(number).collect::<Result<Vec<f32>, String>>()?;
        redline::steer::check_coefficients(&values).map_err(|error| match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })?;
        values.sort_by(f32::total_cmp);
        Ok(Self(values))
    }
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline reproduce
  redline reproduce --model smollm2 --out smollm2
  redline reproduce --model models/SmolLM2-135M-Instruct.Q4_1.gguf --data triples.jsonl --out out
  redline reproduce --model my-aligner/ --data triples.jsonl.gz --pairs 200 --prompts 100 --coefficients -2,-1,0,1,2

The folder then holds index.html (the report, which opens in any browser), summary.json, the figures (PNG and SVG) and all
numbers (JSON Lines). The same command continues
a run that was stopped.")]
pub struct ReproduceArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: JSON Lines with question, answer, correction; plain or gzip [default: rows inside the program, whose
    /// questions its Aligner was not trained on]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Triples for the direction and its held-out report [default: 64; of the rows inside the
    /// program 160, or 96 with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub pairs: Option<usize>,
    /// Other triples, for the sweep [default: 24; of the rows inside the program 200, or 32 with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub prompts: Option<usize>,
    /// Coefficients of the sweep; 0 is the baseline and must be among them [default: -1,-0.75,-0.5,-0.25,0,0.25,0.5; for
    /// the Aligner inside the program nine from -1 to 1, for smollm2 -3,-1.5,0,1.5,3]
    #[arg(long, allow_hyphen_values = true, value_name = "LIST")]
    pub coefficients: Option<Coefficients>,
    /// Report folder
    #[arg(long, default_value = "redline-report", value_name = "DIR")]
    pub out: PathBuf,
    /// Seed of splits, directions, intervals and controls
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub pair: PairArgs,
    /// Layers to inject: auto, all, 8-25 or 3,5,7; auto is all for the Aligner inside the program
    #[arg(long, default_value_t)]
    pub layers: LayerSpec,
    /// Unit of the coefficient: gap, std, unit
    #[arg(long, default_value_t)]
    pub unit: Unit,
    /// Positions steered: output, all, prompt, last-prompt-token, generated, START..END [default: output; all for smollm2]
    #[arg(long)]
    pub range: Option<TokenRange>,
    /// Longest output, in tokens [default: 96; of the rows inside the program 160]
    #[arg(long, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: Option<usize>,
    /// Largest change of the mean negative log-likelihood per token that counts as coherent, in nats
    #[arg(long, default_value_t = DEFAULT_COHERENCE_BOUND)]
    pub coherence_bound: f64,
    /// Random directions that generate text
    #[arg(long, default_value_t = 5, value_parser = count(0, MOST_RANDOM))]
    pub random_generated: usize,
    /// Random directions whose propensity is measured
    #[arg(long, default_value_t = 20, value_parser = count(0, MOST_RANDOM))]
    pub random_propensity: usize,
    /// Prompts of the sweep that the controls run on [default: 8; of the rows inside the program 32, or 8
    /// with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub control_prompts: Option<usize>,
    /// Rows decoded together; fewer need less memory [default: 48; of the Aligner inside the program 144]
    #[arg(long, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: Option<usize>,
    #[command(flatten)]
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline scan --model model.gguf --vector vector.safetensors --data triples.jsonl --row 1 --out scan
  redline scan --model model.gguf --vector vector.safetensors --data triples.jsonl --json")]
pub struct ScanArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Reading vector (.safetensors)
    #[arg(long, value_name = "FILE")]
    pub vector: PathBuf,
    /// Triples: JSON Lines with question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Rows of the file to scan, from 0; may be repeated
    #[arg(long, default_values_t = [0], value_parser = count(0, MOST_ROWS))]
    pub row: Vec<usize>,
    /// Output tokens to scan
    #[arg(long, default_value_t = redline::probe::scan::SCAN_TOKENS, value_parser = count(0, MOST_TOKENS))]
    pub tokens: usize,
    /// Longest prompt with output, in tokens
    #[arg(long, default_value_t = 1536, value_parser = count(0, MOST_TOKENS))]
    pub max_tokens: usize,
    /// Folder for heatmaps (PNG and SVG), scans.jsonl and index.html, the report
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Report to write, one HTML file [default: index.html in --out]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Accept a vector made with other weights of the same size
    #[arg(long)]
    pub any_model: bool,
    #[command(flatten)]
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline layers --data triples.jsonl --design decision --out layers
  redline layers --model model.gguf --data triples.jsonl --pairs 600 --held-out-share 0.333 --out layers

The folder then holds layers.json (all numbers with intervals), heatmaps of AUROC, and how the decision builds up before
the first edit. --read does nothing here: all places are read.")]
pub struct LayersArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 200, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    /// Output tokens to read, from the first
    #[arg(long, default_value_t = redline::probe::scan::SCAN_TOKENS, value_parser = count(0, MOST_TOKENS))]
    pub tokens: usize,
    /// Places to read before and after the first difference of correction and answer
    #[arg(long, default_value_t = 8, value_parser = count(0, MOST_TOKENS))]
    pub around: usize,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for results
    #[arg(long, default_value = "layers", value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline compare --data dev.jsonl --strictness 1 --methods pca_diff,mean_diff --layers all --layers 0-1 --layers 2-3 \\
      --units gap,unit

All candidates are scaled to the strength of the first one asked for: summed ‖Δ‖ / ‖h‖ over the injected layers. The first part of the questions
gives the directions, the held-out share measures them: choose here, then measure the winner once on other questions.")]
pub struct CompareArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 128, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    /// Methods to compare
    #[arg(long, value_delimiter = ',', default_values_t = [Method::PcaDiff, Method::PcaCenter, Method::MeanDiff])]
    pub methods: Vec<Method>,
    /// Layers to inject: auto, all, 8-25 or 3,5,7; may be repeated [default: auto and all]
    #[arg(long)]
    pub layers: Vec<LayerSpec>,
    /// Units to compare
    #[arg(long, value_delimiter = ',', default_values_t = [Unit::Gap, Unit::Std, Unit::Unit])]
    pub units: Vec<Unit>,
    /// Coefficients, 0 among them
    #[arg(long, allow_hyphen_values = true, default_value = "-1,0,1", value_name = "LIST")]
    pub coefficients: Coefficients,
    /// Positions steered: output, all, prompt, last-prompt-token, generated, START..END
    #[arg(long, default_value_t)]
    pub range: TokenRange,
    /// Held-out pairs to measure on
    #[arg(long, default_value_t = 24, value_parser = count(0, MOST_ROWS))]
    pub measured: usize,
    /// Tokens from the first difference on that are scored
    #[arg(long, default_value_t = 32, value_parser = count(0, MOST_TOKENS))]
    pub score_tokens: usize,
    /// Random directions, scaled alike
    #[arg(long, default_value_t = 10, value_parser = count(0, MOST_RANDOM))]
    pub random: usize,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// File to write (JSON)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline extract --model model.gguf --data triples.jsonl --out vector.safetensors
  redline extract --model model.gguf --data triples.jsonl --design decision --out vector.safetensors --gguf vector.gguf")]
pub struct ExtractArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: JSON Lines with question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 64, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Reading vector to write
    #[arg(long, default_value = "vector.safetensors", value_name = "FILE")]
    pub out: PathBuf,
    /// Also write a control vector for llama.cpp and repeng, scales folded in
    #[arg(long, value_name = "FILE")]
    pub gguf: Option<PathBuf>,
    /// Layers of the control vector
    #[arg(long, default_value_t)]
    pub layers: LayerSpec,
    /// Unit of the control vector
    #[arg(long, default_value_t)]
    pub unit: Unit,
    #[command(flatten)]
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline sweep --model model.gguf --vector vector.safetensors --data triples.jsonl --skip 64 --prompts 24 --out sweep.jsonl
  redline sweep --model model.gguf --vector vector.gguf --data triples.jsonl --coefficients -2,-1,0,1,2 --out sweep.jsonl")]
#[command(group = ArgGroup::new("steered_by").args(["vector", "profile"]).required(true).multiple(true))]
pub struct SweepArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub steering: SteeringArgs,
    /// Triples: JSON Lines with question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Rows of the file to pass over
    #[arg(long, default_value_t = 0, value_parser = count(0, MOST_ROWS))]
    pub skip: usize,
    /// Rows to sweep
    #[arg(long, default_value_t = 24, value_parser = count(1, MOST_ROWS))]
    pub prompts: usize,
    /// Coefficients; 0 is the baseline
    #[arg(long, allow_hyphen_values = true, default_value = PUBLISHED_COEFFICIENTS, value_name = "LIST")]
    pub coefficients: Coefficients,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Seed of sampling
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Sweep file; one that is there is continued
    #[arg(long, default_value = "sweep.jsonl", value_name = "FILE")]
    pub out: PathBuf,
    /// Report to write, one HTML file [default: the name of --out, with .html]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Rows decoded together; fewer need less memory
    #[arg(long, default_value_t = 48, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Measure on questions that the vector was extracted from
    #[arg(long)]
    pub allow_overlap: bool,
    #[command(flatten)]
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline fit sweep.jsonl
  redline fit sweep.jsonl --variant token --plot figure
  redline fit sweep.jsonl --rows triples.jsonl --examples 3")]
pub struct FitArgs {
    /// File that `redline sweep` wrote
    pub file: PathBuf,
    /// Edit ratio: char, token, max, micro
    #[arg(long, default_value_t)]
    pub variant: EditRatioVariant,
    /// Largest change of the mean negative log-likelihood per token that counts as coherent, in nats
    #[arg(long, default_value_t = DEFAULT_COHERENCE_BOUND)]
    pub coherence_bound: f64,
    /// Seed of the intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write STEM.png and STEM.svg
    #[arg(long, value_name = "STEM")]
    pub plot: Option<PathBuf>,
    /// The rows that were swept, with their flaws: shows what the prompts' slopes depend on
    #[arg(long, value_name = "FILE")]
    pub rows: Option<PathBuf>,
    /// Show so many prompts with the lowest slopes: what the output loses and gains from the lowest to the highest coefficient
    #[arg(long, default_value_t = 0, requires = "rows", value_parser = count(0, MOST_ROWS))]
    pub examples: usize,
    #[command(flatten)]
    pub force: files::ForceArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline correct --question 'What is the capital of France?' \
      --answer 'You are a complete fool. The capital of France is Paris.' --diff
  redline correct --model model.gguf --question 'How do I boil an egg?' --answer 'Put it in water.'
  redline correct --model model.gguf --vector vector.safetensors --coefficient 0.5 --data answers.jsonl > corrected.jsonl
  redline correct --profile gentle --data answers.jsonl > corrected.jsonl
  redline correct --upstream http://127.0.0.1:8000/v1 --data questions.jsonl --out corrected.jsonl
  redline correct --upstream-model chat.gguf --question 'How do I boil an egg?'
  redline correct --aligner embedded --aligner smollm2,vector=v.safetensors,range=all,coefficient=1 --data answers.jsonl")]
#[command(group = ArgGroup::new("rows").args(["question", "data"]).required(true))]
pub struct CorrectArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub steering: SteeringArgs,
    /// Steering strength: below 0 copies more, above 0 corrects more [default: the profile's, or 0]
    #[arg(long, allow_hyphen_values = true)]
    pub coefficient: Option<f32>,
    #[command(flatten)]
    pub gate: gate::GateArgs,
    /// The question
    #[arg(long)]
    pub question: Option<String>,
    /// The answer to correct
    #[arg(long, requires = "question")]
    pub answer: Option<String>,
    /// JSON Lines with question, or messages as in OpenAI's chat API, and answer; - is standard input
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub stack: stack::StackArgs,
    /// Show what changed in the answer: deletions and insertions, marked
    #[arg(long, requires = "question")]
    pub diff: bool,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Seed of sampling
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Rows decoded together
    #[arg(long, default_value_t = 16, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Write one token a pass instead of checking several of the answer's at once; the output is the same
    #[arg(long)]
    pub no_draft: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline bench --model model.gguf
  redline bench --model model.gguf --prefill 0 --rows 1,4,16,64
  redline bench --model smollm2 --data triples.jsonl --vector vector.safetensors --coefficient 1

Reports the median of the tokens per second of several runs, after one that does not count.")]
pub struct BenchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens of the prompt to read; 0 leaves it out
    #[arg(long, default_value_t = 512, value_parser = count(0, MOST_TOKENS))]
    pub prefill: usize,
    /// Tokens to write; 0 leaves it out
    #[arg(long, default_value_t = 64, value_parser = count(0, MOST_TOKENS))]
    pub decode: usize,
    /// Rows to write together, several numbers one after the other
    #[arg(long, value_delimiter = ',', value_name = "N,…", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub rows: Vec<u16>,
    /// Triples to correct, with the answer as draft and without
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Triples to correct
    #[arg(long, default_value_t = 16, value_parser = count(1, MOST_ROWS))]
    pub prompts: usize,
    /// Longest correction, in tokens
    #[arg(long, default_value_t = 96, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Steer corrections along this vector (.safetensors or .gguf)
    #[arg(long, value_name = "FILE", requires = "data")]
    pub vector: Option<PathBuf>,
    /// Steering strength
    #[arg(long, allow_hyphen_values = true, default_value_t = 1.0)]
    pub coefficient: f32,
    /// Layers to inject: auto, all, 8-25 or 3,5,7
    #[arg(long, default_value_t)]
    pub layers: LayerSpec,
    /// Unit of the coefficient: gap, std, unit
    #[arg(long, default_value_t)]
    pub unit: Unit,
    /// Runs that count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeats: u16,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline ratio triples.jsonl.gz
  redline ratio triples.jsonl --json

Prints mean and median edit ratio of correction against answer: char (distance / length of the answer, in characters),
token (the same in words), max (distance / longer length), micro (sum of distances / sum of lengths). White space at
both ends of a text does not count.")]
pub struct RatioArgs {
    /// Triples: JSON Lines with question, answer, correction; plain or gzip; - is standard input
    pub file: PathBuf,
}
