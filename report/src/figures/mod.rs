//! Results of [`redline_lab`] as plots.

mod differences;
mod gate;
mod phases;
mod quality;
mod results;
mod shift;
mod training;

pub use differences::{cosine_profile, direction_cosines, scan_difference};
pub use gate::gate_curve;
pub use phases::{pareto_curves, phase_heatmap};
pub use quality::quality_curves;
pub use results::{
    PlotSweep, control_curves, heatmap, layer_profile, onset_curves, place_heatmap, scan_title, slope_plot, sweep_plot,
};
pub use shift::score_shift_plot;
pub use training::training_curves;
