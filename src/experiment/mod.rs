//! The chain: triples → pairs → reading vector → sweep → fitted line, as functions that the commands share.
//!
//! Nothing here prints; progress goes to a callback, which can also end the work.

mod analysis;
mod control_runs;
mod extraction;
mod figures;
mod layers;
mod quality;

pub use analysis::{CoefficientSummary, DEFAULT_COHERENCE_BOUND, SweepAnalysis, analyse};
pub use control_runs::{ControlLine, ControlSlopes, PropensitySlopes, propensity_slopes, random_slopes};
pub use extraction::{Extracted, ExtractionSettings, extract, scan_pair};
pub use figures::{heatmap, layer_profile, slope_plot, sweep_plot};
pub use layers::LayerSpec;
pub use quality::{Quality, StrictnessQuality, Written, similarity};

/// Where long work reports `(done, total)`; an error from it ends the work.
pub type OnProgress<'a> = &'a mut dyn FnMut(usize, usize) -> redline_model::Result<()>;
