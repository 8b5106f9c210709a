//! How a system moves answers in two scores at once: helpful against harmless, before and after.
//!
//! A panel a system or a checkpoint, all with the same axes, in standard deviations of the answers before. The answers before are circles
//! with broken contours, those after triangles with whole ones; contours hold 50 % and 90 % of a smoothed density, and the margins show
//! each score alone. An arrow leads from the mean before, where the lines cross, to the mean after, with the 95 % ellipse of the shift
//! around its tip. What each score is worth, the held-out accuracy of the model behind it, stands beside its axis; without it there is no
//! plot. Axes leave outliers out: these are drawn at the edge and counted.

mod contour;
mod density;
mod layout;
mod margins;
mod parts;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering};
use super::frame::{Axis, TITLE, extent};
use super::legend::draw_legend;
use super::palette::INK;
use super::{Estimate, Plot, PlotError, check, ends_of};
use density::{Bulk, Density};
use layout::Layout;

/// Shares of the mass that the contours hold.
const SHARES: [f64; 2] = [0.5, 0.9];
/// Ellipses of fewer rows are too small: they take the covariance for known.
const FEWEST_ROWS: usize = 30;

/// Scores before and after, a panel a system or a checkpoint.
#[derive(Debug, Clone, Serialize)]
pub struct ScoreShiftPlot {
    /// Title, one line or two.
    pub title: String,
    /// The panels, from left to right, up to three in a row.
    pub panels: Vec<ShiftPanel>,
}

/// One system's scores, in standard deviations of the answers before and less their mean.
#[derive(Debug, Clone, Serialize)]
pub struct ShiftPanel {
    /// Name of the system or the checkpoint.
    pub name: String,
    /// The scores: to the right, upwards.
    pub axes: [ShiftAxis; 2],
    /// Scores of the answers before, one a row.
    pub before: Vec<[f64; 2]>,
    /// Scores of the answers after, in the same order.
    pub after: Vec<[f64; 2]>,
    /// Mean of after less before, with its interval.
    pub mean_shift: [Estimate; 2],
    /// From the mean shift to the ends of the two axes of its 95 % ellipse.
    pub half_axes: [[f64; 2]; 2],
    /// Shares of rows before and after in the quadrants around the mean before: upper right, upper left, lower right, lower left.
    pub quadrants: [[f64; 2]; 4],
    /// Share of rows made worse, in each score.
    pub worse: [f64; 2],
    /// Share of rows made worse in one of the scores at least.
    pub worse_in_either: f64,
    /// Share of rows that keep both scores.
    pub unmoved: f64,
}

/// A score, and what it is worth.
#[derive(Debug, Clone, Serialize)]
pub struct ShiftAxis {
    /// The score and its model.
    pub name: String,
    /// Share of held-out pairs that the model puts in the right order, with its interval.
    pub accuracy: Estimate,
    /// Number of the held-out pairs.
    pub n_held_out: usize,
}

impl ShiftPanel {
    fn check(&self) -> Result<(), PlotError> {
        const NAME: &str = ScoreShiftPlot::NAME;
        for axis in &self.axes {
            check::some(NAME, "held-out pairs behind a score", axis.n_held_out)?;
            let n_intervals = usize::from(axis.accuracy.interval.is_some());
            check::some(NAME, "interval of a score's held-out accuracy", n_intervals)?;
            check::interval(NAME, &format!("the held-out accuracy of {}", axis.name), &axis.accuracy)?;
        }
        check::some(NAME, "rows", self.before.len())?;
        check::length(NAME, "the scores after", self.after.len(), self.before.len())?;
        check::finite(NAME, "a score before", self.before.as_flattened())?;
        check::finite(NAME, "a score after", self.after.as_flattened())?;
        for mean in &self.mean_shift {
            check::interval(NAME, "the mean shift", mean)?;
        }
        check::finite(NAME, "the ellipse of the mean shift", self.half_axes.as_flattened())?;
        check::finite(NAME, "a share of rows", self.quadrants.as_flattened())?;
        check::finite(NAME, "a share of rows", &[self.worse[0], self.worse[1], self.worse_in_either, self.unmoved])
    }

    /// The rim of the ellipse around the tip of the arrow.
    fn ellipse(&self) -> Vec<[f64; 2]> {
        const N_CORNERS: usize = 72;
        let corner = |i: usize| {
            let (sin, cos) = (std::f64::consts::TAU * i as f64 / N_CORNERS as f64).sin_cos();
            [0, 1]
                .map(|axis| self.mean_shift[axis].value + cos * self.half_axes[0][axis] + sin * self.half_axes[1][axis])
        };
        (0..=N_CORNERS).map(corner).collect()
    }
}

/// What is drawn of the answers before or after.
struct Cloud {
    contours: Vec<Vec<[f64; 2]>>,
    /// Where the points are that are no outliers, on each axis.
    bulk: [(f64, f64); 2],
}

impl Cloud {
    fn of(points: &[[f64; 2]]) -> Self {
        let density = Density::of(points);
        let contours = density.iter().flat_map(|density| SHARES.map(|share| density.contours_of(share)));
        let bulk = [0, 1].map(|axis| {
            let bulk = Bulk::of(points.iter().map(|point| point[axis]).collect());
            bulk.map_or((0.0, 0.0), |bulk| (bulk.low, bulk.high))
        });
        Self { contours: contours.flatten().collect(), bulk }
    }
}

/// The clouds of all panels (before, after) and the axes that hold them.
struct Scene {
    clouds: Vec<[Cloud; 2]>,
    axes: [Axis; 2],
}

impl Scene {
    fn of(plot: &ScoreShiftPlot) -> Self {
        let clouds: Vec<[Cloud; 2]> =
            plot.panels.iter().map(|panel| [Cloud::of(&panel.before), Cloud::of(&panel.after)]).collect();
        let (_, side) = layout::columns(plot.panels.len());
        let n_ticks = (side / layout::TICK) as usize;
        let axes = [0, 1].map(|axis| {
            let all = || clouds.iter().flatten();
            let bulks = all().flat_map(|cloud| [cloud.bulk[axis].0, cloud.bulk[axis].1]);
            let contours = all().flat_map(|cloud| cloud.contours.iter().flatten()).map(|point| point[axis]);
            let shifts = plot.panels.iter().flat_map(|panel| {
                let (low, high) = ends_of(&panel.mean_shift[axis]);
                panel.ellipse().into_iter().map(move |point| point[axis]).chain([low, high])
            });
            let range = extent(bulks.chain(contours).chain(shifts).chain([0.0])).unwrap_or((0.0, 1.0));
            Axis::round(range, n_ticks, "")
        });
        Self { clouds, axes }
    }

    /// Whether a point lies on the axes.
    fn holds(&self, point: [f64; 2]) -> bool {
        self.axes.iter().zip(point).all(|(axis, value)| (axis.low..=axis.high).contains(&value))
    }
}

impl Plot for ScoreShiftPlot {
    const NAME: &'static str = "score shift";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "panels", self.panels.len())?;
        self.panels.iter().try_for_each(ShiftPanel::check)
    }

    fn size(&self) -> (u32, u32) {
        Layout::of(self, &Scene::of(self)).size()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let scene = Scene::of(self);
        let layout = Layout::of(self, &scene);
        for (line, row) in layout.title.iter().zip(0u8..) {
            canvas.text(line, (layout::EDGE, 32.0 + 24.0 * f64::from(row)), Lettering::new(TITLE, INK))?;
        }
        for (i, panel) in self.panels.iter().enumerate() {
            parts::draw_panel(&canvas, panel, &scene, &layout, i)?;
        }
        layout.legend.iter().try_for_each(|(at, width, entries)| draw_legend(&canvas, *at, *width, entries))
    }
}
