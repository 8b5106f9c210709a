//! Command line: what users type, typed. Values that need the model are resolved later.

pub mod annotate;
pub mod answer_gate;
pub mod bench;
pub mod compare;
pub mod completions;
pub mod correct;
pub mod data;
pub mod domain;
pub mod evaluate;
pub mod extract;
pub mod feedback;
pub mod files;
pub mod fit;
pub mod gate;
pub mod given;
pub mod inspect;
pub mod iterate;
pub mod judging;
pub mod layers;
pub mod merge;
pub mod model;
pub mod numbers;
pub mod pages;
pub mod pairs;
pub mod plot;
pub mod ratio;
pub mod reproduce;
pub mod route;
pub mod sampling;
pub mod scan;
pub mod serve;
pub mod stack;
pub mod steering;
pub mod sweep;
pub mod systems;
pub mod train;
pub mod train_pairs;
pub mod trained;
pub mod tune;
pub mod usage;
pub mod writes;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use redline::model::MatmulPrecision;

pub use annotate::AnnotateArgs;
pub use bench::BenchArgs;
pub use compare::CompareArgs;
pub use correct::CorrectArgs;
pub use data::{
    CleanArgs, ConvertArgs, CorruptArgs, DataCommand, FilterArgs, LeakArgs, NearArgs, ScrambleArgs, SplitArgs,
    SynthArgs,
};
pub use evaluate::EvaluateArgs;
pub use extract::ExtractArgs;
pub use fit::FitArgs;
pub use layers::LayersArgs;
pub use model::ModelArgs;
pub use pairs::{PairArgs, VectorMethod};
pub use ratio::RatioArgs;
pub use reproduce::ReproduceArgs;
pub use sampling::{Coefficients, SamplingArgs};
pub use scan::ScanArgs;
pub use sweep::SweepArgs;
pub use trained::TrainedArgs;

/// The coefficients of the published figure.
pub const PUBLISHED_COEFFICIENTS: &str = "-1,-0.75,-0.5,-0.25,0,0.25,0.5";

/// What was asked for on the command line, and the files and folders that it reads.
///
/// # Errors
/// clap's, for everything else.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Cli, Vec<PathBuf>), clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command()))?;
    given::tell(&mut cli.command, given::Given::of(&matches));
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
    /// Precision of products with quantised weights: `high` may round inputs to 16 bits if that is faster, `highest`
    /// is f32 [default: high; highest for `check --reference`]
    #[arg(long, global = true, value_name = "PRECISION")]
    pub matmul_precision: Option<MatmulPrecision>,
    /// Print results as JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Stop at the first unusable row of a data file, instead of counting such rows and leaving them out
    #[arg(long, global = true)]
    pub strict: bool,
    /// Take models and data that are named as on the Hugging Face hub from the local cache only
    #[arg(long, global = true)]
    pub offline: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the whole experiment and write a report folder
    Reproduce(ReproduceArgs),
    /// Draw which layers, at which output tokens, are about to correct
    Scan(ScanArgs),
    /// Report at which layers and tokens correction can be read on held-out pairs
    Layers(LayersArgs),
    /// Compare methods, layers and units of steering by propensity, without generating
    Compare(CompareArgs),
    /// Extract a correction direction from question-answer-correction triples
    Extract(ExtractArgs),
    /// Write corrections at several coefficients and measure them
    Sweep(SweepArgs),
    /// Fit a line through a sweep
    Fit(FitArgs),
    /// Put the parts of a sweep or of corrected rows together that several machines wrote
    Merge(merge::MergeArgs),
    /// Find the coefficient for a target edit ratio, verify it, and save it as a profile
    Tune(Box<tune::TuneArgs>),
    /// Calibrate a gate that lets good answers pass uncorrected, and measure what it is worth
    Gate(answer_gate::AnswerGateArgs),
    /// Fit a router that chooses between coefficients and vectors of sweeps, and compare it with the best single one
    Route(route::RouteArgs),
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
    /// Let the Aligner make data for other models, round after round
    Iterate(Box<iterate::IterateArgs>),
    /// Train the same Aligner with several shares of identity warm-up and compare
    AblateWarmup(Box<train::AblateArgs>),
    /// Write corrections of held-out rows and measure how good they are
    Evaluate(Box<EvaluateArgs>),
    /// Compare the effect of instructions in the prompt with that of the dial
    Feedback(Box<feedback::FeedbackArgs>),
    /// Make, convert, clean, split and check files of triples
    #[command(subcommand)]
    Data(DataCommand),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
    /// Print the man page, or write one page per verb
    Man(completions::ManArgs),
}
