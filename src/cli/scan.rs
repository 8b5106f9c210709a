//! Options of `redline scan`.

use std::path::PathBuf;

use clap::Args;

use super::ModelArgs;
use super::numbers::{MOST_ROWS, MOST_TOKENS, count};

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
    #[arg(long, default_value_t = redline::probe::scan::SCAN_TOKENS, value_parser = count(1, MOST_TOKENS))]
    pub tokens: usize,
    /// Longest prompt with output, in tokens
    #[arg(long, default_value_t = 1536, value_parser = count(0, MOST_TOKENS))]
    pub max_tokens: usize,
    /// Folder for heatmaps (PNG and SVG), scans.jsonl and the report, index.html
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Report to write, one HTML file [default: index.html in --out]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Accept a vector made with other weights of the same size
    #[arg(long)]
    pub any_model: bool,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}
