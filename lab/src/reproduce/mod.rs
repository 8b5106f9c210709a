//! The whole experiment of the paper with its controls: direction, held-out report, scans, sweep, random and shuffled directions,
//! clean answers, prompting, propensity, the fitted line.
//!
//! Each stage leaves its numbers in a folder and is skipped when they are there, so that a run that was stopped goes on. Nothing is
//! drawn here.
//!
//! # Example
//! ```no_run
//! use std::path::Path;
//!
//! use redline_lab::aligner::Aligner;
//! use redline_lab::reproduce::{ReproduceOptions, reproduce};
//! use redline_lab::rows::Rows;
//!
//! let aligner = Aligner::embedded()?;
//! let rows = Rows::embedded(None)?;
//! let run = reproduce(&aligner, &rows, &ReproduceOptions::embedded(), Path::new("figure-4"), &mut ())?;
//! println!("{}", run.summary()["slope"]);
//! # Ok::<(), redline_lab::Error>(())
//! ```

mod choice;
mod first_order;
mod folder;
mod generation;
mod options;
mod quality;
mod reading;
mod results;
mod summary;

use std::path::Path;

use serde_json::Value;

pub use first_order::{FirstOrder, FirstOrderPlaces};
pub use folder::Folder;
pub use generation::SweepStage;
pub use options::{ReproduceOptions, check_coherence_bound, check_line, check_new_tokens};
pub use quality::{QualityNulls, QualityResults, UtilityNulls};
pub use reading::{ReadingStage, ScanLine};

/// Most directions from exchanged labels.
pub const MOST_SHUFFLED: usize = 64;
pub use results::Results;

use crate::aligner::Aligner;
use crate::error::Result;
use crate::observer::Observer;
use crate::rows::Rows;
use choice::Choice;

/// What the prompting baseline asks for, and its name in results.
const INSTRUCTIONS: [(&str, &str); 2] = [
    ("prompt-copy", "Change as little as possible: copy the answer unless it is plainly wrong. "),
    ("prompt-edit", "Change as much as needed: rewrite the answer thoroughly. "),
];

/// Files that an experiment leaves in its folder, `settings.json` and `summary.json` besides.
pub const FILES: [&str; 13] = [
    "training.checkpoint",
    "vector.safetensors",
    "vector.gguf",
    "shuffled.jsonl",
    "first-order.json",
    "layers.jsonl",
    "scans.jsonl",
    "sweep.jsonl",
    "controls.jsonl",
    "clean.jsonl",
    "prompt-copy.jsonl",
    "prompt-edit.jsonl",
    "propensity.jsonl",
];

/// What every stage works with.
struct Run<'a> {
    aligner: &'a Aligner,
    rows: &'a Rows,
    options: &'a ReproduceOptions,
    folder: &'a Folder,
    layers: &'a [usize],
}

/// A finished experiment.
pub struct Reproduction {
    /// Everything that the numbers depend on, as in `settings.json`.
    pub settings: Value,
    /// What it was told.
    pub options: ReproduceOptions,
    /// The layers that were injected.
    pub layers: Vec<usize>,
    /// The direction and how well it reads.
    pub reading: ReadingStage,
    /// What was written and scored.
    pub sweeps: SweepStage,
    /// What the numbers say.
    pub results: Results,
    /// Where the numbers lie.
    pub folder: Folder,
}

/// Runs the experiment in `folder`, or goes on with one of the same settings there; `summary.json` is written last.
///
/// # Errors
/// Options that break a rule, too few usable rows, a folder of other settings, a file that cannot be written, or whatever the observer
/// ends the work with.
pub fn reproduce(
    aligner: &Aligner,
    rows: &Rows,
    options: &ReproduceOptions,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<Reproduction> {
    options.check()?;
    let layers = options.layers.resolve(aligner.model.decoder.config().n_layers)?;
    let choice = Choice::new(aligner, rows, options, observer)?;
    let settings = options.settings(aligner, rows, &layers);
    let folder = Folder::open(folder, &settings, observer)?;
    let run = Run { aligner, rows, options, folder: &folder, layers: &layers };
    let reading = run.read(&choice, observer)?;
    let sweeps = run.generate(&reading, &choice.prompts, observer)?;
    let results = run.analyse(&reading, &sweeps)?;
    let done = Reproduction { settings, options: options.clone(), layers, reading, sweeps, results, folder };
    done.folder.write_json("summary.json", &done.summary())?;
    Ok(done)
}
