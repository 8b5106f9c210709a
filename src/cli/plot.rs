//! Options of plotting.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use redline::experiment::DEFAULT_COHERENCE_BOUND;
use redline::steer::EditRatioVariant;

use super::numbers::{MOST_FACTOR, number};

/// The colour map of heatmaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColoursName {
    /// Blue, white, red: shows the sign
    #[default]
    Diverging,
    /// Dark blue, grey, light yellow: lighter for higher values, also in grey print
    Ordered,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline plot redline-report/scans.jsonl --difference --out difference
  redline plot before.jsonl after.jsonl --out difference
  redline plot sweep.jsonl --ascii
  redline plot vector.safetensors --out cosines.pdf --width-mm 85
  redline plot aligner/train.jsonl --out training

What is drawn depends on the content of FILE, not on its name:
  scans.jsonl          of `reproduce`, or `scan --out` or --json: one heatmap per scan; for two files, their differences
  layers.jsonl, .json  of `reproduce`, `layers`, or `extract --json`: held-out reading by layer
  sweep.jsonl          of `sweep` or `reproduce`: the sweep with its fit, and the slopes of single prompts
  .safetensors, .gguf  a vector: cosines between the directions of its layers; for two files, layer by layer
  train.jsonl          the log of `train`: training curves
  --json output        of `data filter`, `data near`: rows by stage
                       of `data leak --near`, `data split --near`: similarity of the nearest rows
                       of `evaluate --depth`: mended and damaged by depth
                       of `evaluate --turns`: edit ratio by turn
                       of `iterate` (or its summary.json): rounds, or levels from weak to strong
                       of `feedback`: lines by instruction; of `gate` (or its file): the ROC curve
  redline.trails.v1    lines through points with intervals in both axes (docs/json.md)")]
pub struct PlotArgs {
    /// File of numbers that Redline wrote
    pub file: PathBuf,
    /// A second file of scans or directions, to compare
    pub other: Option<PathBuf>,
    /// Write STEM.png and STEM.svg, or one file if STEM ends in .png, .svg or .pdf; several pictures become
    /// STEM-NAME.png and so on [default: the name of FILE without its ending, in this folder]
    #[arg(long, value_name = "STEM", conflicts_with = "ascii")]
    pub out: Option<PathBuf>,
    /// Width on paper, in mm: 85 is one column of many journals, 170 two [default: 170; SVG has none]
    #[arg(long, value_name = "MM", value_parser = number(10.0, 2000.0), conflicts_with = "ascii")]
    pub width_mm: Option<f64>,
    /// Title of the pictures instead of their own; an empty one leaves it out
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Print the picture as text instead, in colour on a terminal
    #[arg(long)]
    pub ascii: bool,
    /// For scans: draw the correction minus the copy of the same row
    #[arg(long, conflicts_with = "other")]
    pub difference: bool,
    /// Colours of heatmaps
    #[arg(long, alias = "colors", value_enum, default_value_t)]
    pub colours: ColoursName,
    /// Where the colour scale of scans ends, in both directions
    #[arg(long, default_value_t = 3.0)]
    pub clip: f32,
    /// For `redline layers`: the place to draw [default: the first with enough pairs]
    #[arg(long)]
    pub place: Option<String>,
    /// For sweeps, the edit ratio: char, token, max, micro
    #[arg(long, default_value_t)]
    pub variant: EditRatioVariant,
    /// For sweeps, the coherent range: largest change of the mean negative log-likelihood per token, in nats
    #[arg(long, default_value_t = DEFAULT_COHERENCE_BOUND, value_parser = number(0.0, MOST_FACTOR))]
    pub coherence_bound: f64,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
    /// Options that were written on the command line
    #[arg(skip)]
    pub given: super::given::Given,
}
