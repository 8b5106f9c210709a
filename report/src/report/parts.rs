//! Parts of a page that show numbers.

use redline_probe::LatScan;
use serde::Serialize;

use crate::figures::heatmap;
use crate::plot::{Heatmap, Profile, SlopePlot, SweepPlot};
use redline_lab::experiment::SweepAnalysis;

/// Prompts whose points are drawn at most: a page of many thousands of points is slow.
const MOST_PROMPTS: usize = 500;

/// A result in one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub name: String,
    /// The number, with its unit.
    pub value: String,
    /// What it is to be read beside.
    pub note: String,
}

impl Finding {
    /// A result in one number.
    pub fn new(name: impl Into<String>, value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), note: note.into() }
    }
}

/// A table of texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

/// A sweep.
#[derive(Debug, Clone, Serialize)]
pub struct SweepPart {
    /// What is drawn.
    #[serde(flatten)]
    pub plot: SweepPlot,
    /// The triple of each prompt that is drawn.
    pub rows: Vec<usize>,
    /// Prompts in all.
    pub n_prompts: usize,
    /// A sentence above the figure.
    pub note: String,
    /// A line a coefficient.
    pub table: Table,
}

impl SweepPart {
    /// The sweep of an analysis, drawn as `plot`.
    pub fn new(analysis: &SweepAnalysis, mut plot: SweepPlot, table: Table) -> Self {
        let n_prompts = analysis.prompts.len();
        plot.prompts.truncate(MOST_PROMPTS);
        let rows = analysis.prompts.iter().copied().take(MOST_PROMPTS).collect();
        let note = "Edit ratio is Levenshtein distance between answer and output, divided by the length of the answer. It also \
                    rises when text falls apart; so likelihood under the unsteered model, repetition and cut outputs stand \
                    below it, and the line is that of the coherent range.";
        Self { plot, rows, n_prompts, note: note.into(), table }
    }
}

/// Slopes of single prompts.
#[derive(Debug, Clone, Serialize)]
pub struct SlopesPart {
    /// What is drawn.
    #[serde(flatten)]
    pub plot: SlopePlot,
    /// The triple of each slope.
    pub rows: Vec<usize>,
}

/// Reading by layer.
#[derive(Debug, Clone, Serialize)]
pub struct ProfilePart {
    /// What is drawn.
    #[serde(flatten)]
    pub plot: Profile,
    /// A sentence above the figure.
    pub note: String,
}

impl ProfilePart {
    /// A profile of held-out pairs.
    pub fn new(plot: Profile, n_pairs: usize) -> Self {
        let note = format!(
            "On {n_pairs} held-out pairs: how often the correction scores above the copy of the same pair (pair accuracy), and above \
             any copy (AUROC). Layers are block numbers, from 0."
        );
        Self { plot, note }
    }
}

/// A LAT scan.
#[derive(Debug, Clone, Serialize)]
pub struct ScanPart {
    /// z-values, as they are drawn.
    pub heatmap: Heatmap,
    /// Raw scores: `[layer][token]`.
    pub scores: Vec<Vec<f32>>,
}

impl ScanPart {
    /// A scan with its title.
    pub fn new(scan: &LatScan, title: &str) -> Self {
        Self { heatmap: heatmap(scan, title), scores: scan.scores.clone() }
    }
}
