//! What each kind does, step by step.

mod distil;
mod preference;
mod weak_to_strong;

use std::path::PathBuf;

use super::options::{IterateKind, IterateOptions};
use super::places::Places;
use super::plan::{Step, Work};
use super::work::LabWork;

/// Arm of the Aligner's own pairs.
pub(super) const ALIGNER: &str = "aligner";
/// Arm of pairs from elsewhere.
pub(super) const CONTROL: &str = "control";

pub(super) fn steps(options: &IterateOptions) -> Vec<Step> {
    let places = Places::new(&options.out);
    match options.kind {
        IterateKind::Preference => preference::steps(options, &places),
        IterateKind::WeakToStrong => weak_to_strong::steps(options, &places),
        IterateKind::Distil => distil::steps(options, &places),
    }
}

fn lab(name: impl Into<String>, inputs: Vec<PathBuf>, outputs: Vec<PathBuf>, work: LabWork) -> Step {
    Step { name: name.into(), inputs, outputs, work: Work::Lab(work) }
}

/// The first step: what people gave, dealt out; `dealt` are the files beside those of all kinds.
fn deal(options: &IterateOptions, places: &Places, dealt: Vec<PathBuf>) -> Step {
    let inputs: Vec<PathBuf> = [Some(&options.data), Some(&options.held_out), options.control.as_ref()]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let control = options.control.as_ref().map(|_| places.control_pairs());
    let outputs = dealt.into_iter().chain([places.held_out(), places.rows_report()]).chain(control).collect();
    lab("rows", inputs, outputs, LabWork::Deal)
}

/// The last step.
fn summary(places: &Places, inputs: Vec<PathBuf>) -> Step {
    lab("summary", inputs, vec![places.of("rounds.jsonl"), places.of("summary.json")], LabWork::Summary)
}
