//! The chain: triples → pairs → reading vector → sweep → fitted line, as functions that the commands share.
//!
//! Nothing here prints; progress goes to a callback, which can also end the work.

mod analysis;
mod compare;
mod control_runs;
mod depth;
mod extraction;
mod goal;
mod inside;
mod judged;
mod layer_places;
mod layer_spec;
mod logged;
mod pair_reading;
mod quality;
mod slope_dependence;
mod sweep_settings;
mod trained;
mod training;

pub use analysis::{CoefficientSummary, DEFAULT_COHERENCE_BOUND, SweepAnalysis, analyse};
pub use compare::{Candidate, CompareOptions, Comparison, compare};
pub use control_runs::{ControlLine, ControlSlopes, NullPlaces, PropensitySlopes, propensity_slopes, random_slopes};
pub use depth::Depth;
pub use extraction::{
    Extracted, ExtractionSettings, SCAN_COPY, SCAN_CORRECTION, extract, extract_from, scan_pair, scan_text,
    skipped_in_words,
};
pub use goal::Goal;
pub use inside::{ParameterCounts, RANK, inside_settings, train_inside};
pub(crate) use judged::Judged;
pub use judged::{SweepQuality, judge_sweep};
pub use layer_places::{LayerProfiles, MIN_PAIRS, PlaceProfile, places, profile_layers};
pub use layer_spec::LayerSpec;
pub use logged::{Swept, sweep_logged, sweep_prompts};
pub use pair_reading::{ReadPairs, read_pairs, read_settings};
pub use quality::{Quality, StrictnessQuality, Written, similarity};
pub use slope_dependence::{SlopeDependence, best_fit, slope_dependences};
pub use sweep_settings::SweepSettings;
pub use trained::{TrainedSettings, TrainingPlan, train_extracted};
pub use training::{EvaluationRecord, StepRecord, TrainingRecord};

/// Where long work reports `(done, total)`; an error from it ends the work.
pub type OnProgress<'a> = &'a mut dyn FnMut(usize, usize) -> redline_model::Result<()>;
