//! Plots: LAT heatmaps, layer profiles, coefficient sweeps, slope distributions, training curves, lines with bands, trails over two
//! measured axes, ladders, funnels, histograms, ROC curves.
//!
//! Each plot is a struct of plain numbers. It draws itself on any plotters backend through [`Plot`];
//! [`write_pictures`] and [`svg_string`] turn it into files or a document, and [`ascii`] into
//! text for a terminal. A plot shows the numbers it is given: it fits nothing and estimates nothing,
//! and where it clips it draws the clip, names it and counts what lies beyond.
//!
//! # Example
//! ```
//! use redline_report::plot::{Heatmap, svg_string};
//!
//! let values = vec![vec![-0.5, 1.2], vec![0.3, f32::NAN]]; // layer × token
//! let tokens = vec!["The".to_string(), " cat".to_string()];
//! let svg = svg_string(&Heatmap::new("LAT scan", values, tokens))?;
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), redline_report::plot::PlotError>(())
//! ```

pub mod ascii;
mod bands;
mod canvas;
mod check;
mod column;
mod curves;
mod error;
mod font;
mod frame;
mod funnel;
mod heatmap;
mod histogram;
pub(crate) mod label;
mod ladder;
mod legend;
mod output;
mod palette;
mod pdf;
mod profile;
mod raster;
mod roc;
mod score_shift;
mod slopes;
mod sweep_plot;
#[cfg(test)]
mod tests;
mod texts;
mod trails;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;

pub use bands::{BandPanel, BandSeries, Bands};
pub use canvas::DrawResult;
pub use curves::{Curve, CurvePanel, Curves};
pub use error::PlotError;
pub use funnel::{FunnelBar, FunnelPlot};
pub use heatmap::Heatmap;
pub use histogram::Histogram;
pub use label::visible_token;
pub use ladder::{Ladder, LadderLevel};
pub use output::{PictureOptions, is_ours, picture_paths, svg_string, write_both, write_pictures};
pub use palette::HeatmapColors;
pub use profile::{Profile, ProfileSeries};
pub use redline_probe::stats::{Estimate, Interval};
pub use roc::{RocPlot, RocPoint};
pub use score_shift::{ScoreShiftPlot, ShiftAxis, ShiftPanel};
pub use slopes::{RandomSlopes, SlopeGroup, SlopePlot};
pub use sweep_plot::{CoherentRange, Control, ControlKind, FittedLine, SweepCoherence, SweepPlot, SweepPoint};
pub use texts::{TextRow, TextRows};
pub use trails::{Trail, TrailPoint, Trails};

/// A picture that can be checked, measured and drawn.
pub trait Plot {
    /// What errors call it.
    const NAME: &'static str;

    /// Checks the data.
    ///
    /// # Errors
    /// A [`PlotError`] naming the first violated rule.
    fn check(&self) -> Result<(), PlotError>;

    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws on an area of [`size`](Self::size) pixels; the data has been [checked](Self::check).
    ///
    /// # Errors
    /// Those of the backend.
    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB>;
}

/// The ends of an estimate's interval; the value itself where it has none.
fn ends_of(estimate: &Estimate) -> (f64, f64) {
    estimate.interval.map_or((estimate.value, estimate.value), |interval| (interval.low, interval.high))
}
