//! Results of [`redline_lab`] as plots.

mod band;
mod cleaning;
mod differences;
mod gate;
mod levels;
mod passes;
mod phases;
mod quality;
mod results;
mod rounds;
mod shift;
mod texts;
mod training;

pub use band::MeanBand;
pub use cleaning::{funnel_of, funnel_plot, nearest_plot};
pub use differences::{cosine_profile, direction_cosines, scan_difference};
pub use gate::gate_curve;
pub use levels::{feedback_plot, ladder_plots};
pub use passes::{depth_plot, drift_plot};
pub use phases::{pareto_curves, phase_heatmap};
pub use quality::quality_curves;
pub use results::{
    PlotSweep, control_curves, heatmap, layer_profile, onset_curves, place_heatmap, scan_title, slope_plot, sweep_plot,
};
pub use rounds::{OneTrail, PointMeans, TrailMeans, rounds_plot};
pub use shift::score_shift_plot;
pub use texts::example_texts;
pub use training::training_curves;
