//! The ROC curve of a detector, with the threshold that was chosen.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::{Color, WHITE};
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Marker};
use super::column::{Column, draw_axes, level, upright_within};
use super::frame::{Axis, Panel};
use super::label::{number, rounded};
use super::legend::{Entry, Key};
use super::palette::{BLUE, SOFT_INK, VERMILION};
use super::{Estimate, Plot, PlotError, check};
pub use redline_probe::stats::RocPoint;

const HEIGHT: f64 = 460.0;
const CHANCE_PATTERN: (f64, f64) = (8.0, 6.0);
/// Points that have markers, at most.
const MOST_MARKED: usize = 40;

/// A ROC curve.
#[derive(Debug, Clone, Serialize)]
pub struct RocPlot {
    /// Title.
    pub title: String,
    /// The curve, from the strictest threshold to the loosest.
    pub points: Vec<RocPoint>,
    /// The number of the point that was chosen.
    pub chosen: Option<usize>,
    /// The area under the curve.
    pub auc: Option<Estimate>,
    /// Sentences below the legend.
    pub notes: Vec<String>,
}

impl RocPlot {
    fn entries(&self) -> Vec<Entry> {
        let auc = self.auc.as_ref().map_or_else(String::new, |auc| {
            let ends = auc.interval.map_or_else(String::new, |interval| {
                format!(" [{}, {}]", number(interval.low, 3), number(interval.high, 3))
            });
            format!(": area {}{ends}", number(auc.value, 3))
        });
        let mut entries = vec![Entry::new(Key::Line(BLUE.to_rgba(), 2), format!("ROC curve{auc}"))];
        if let Some(point) = self.chosen.and_then(|chosen| self.points.get(chosen)) {
            let at = point.threshold.map_or_else(String::new, |at| format!(" {}", rounded(at)));
            let [wrong, right] = [point.false_rate, point.true_rate].map(|share| number(100.0 * share, 1));
            let text = format!("threshold{at}: {right} % found, {wrong} % found wrongly");
            entries.push(Entry::new(Key::Point(VERMILION.to_rgba(), Marker::Diamond), text));
        }
        entries.push(Entry::new(Key::Dashes(SOFT_INK, CHANCE_PATTERN), "chance"));
        entries
    }

    fn column(&self) -> Column {
        Column::new(&self.title, &[upright_within((0.0, 1.0))], HEIGHT, self.entries(), &self.notes)
    }
}

impl Plot for RocPlot {
    const NAME: &'static str = "ROC curve";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "points", self.points.len())?;
        for (what, of) in
            [("the false rates", (|p| p.false_rate) as fn(&RocPoint) -> f64), ("the true rates", |p| p.true_rate)]
        {
            let rates: Vec<f64> = self.points.iter().map(of).collect();
            check::finite(Self::NAME, what, &rates)?;
            rates.iter().try_for_each(|rate| check::within(Self::NAME, what, *rate, (0.0, 1.0)))?;
            if let Some(before) = rates.windows(2).position(|pair| pair[0] > pair[1]) {
                return Err(PlotError::NotAscending { plot: Self::NAME, what, position: before + 1 });
            }
        }
        let thresholds: Vec<f64> = self.points.iter().filter_map(|point| point.threshold).collect();
        check::finite(Self::NAME, "thresholds", &thresholds)?;
        if let Some(chosen) = self.chosen {
            let last = self.points.len() - 1;
            check::within(Self::NAME, "the number of the chosen point", chosen as f64, (0.0, last as f64))?;
        }
        self.auc.iter().try_for_each(|auc| check::interval(Self::NAME, "the area", auc))
    }

    fn size(&self) -> (u32, u32) {
        self.column().size()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let column = self.column();
        column.draw(&canvas)?;
        let rect = column.panel(0);
        let axis = || Axis::within((0.0, 1.0), 6, "");
        let panel = Panel { rect, x: level(axis(), rect, &[], "false rate"), y: upright_within((0.0, 1.0)) };
        draw_axes(&canvas, &panel, "true rate", true)?;
        canvas.dashes([panel.at(0.0, 0.0), panel.at(1.0, 1.0)], SOFT_INK.to_rgba(), CHANCE_PATTERN)?;
        let path: Vec<_> = self.points.iter().map(|point| panel.at(point.false_rate, point.true_rate)).collect();
        canvas.line(&path, BLUE.to_rgba(), 2)?;
        for at in path.iter().filter(|_| path.len() <= MOST_MARKED) {
            canvas.marker(*at, Marker::Circle, 3.5, BLUE.to_rgba())?;
        }
        if let Some(at) = self.chosen.and_then(|chosen| path.get(chosen)) {
            canvas.marker(*at, Marker::Diamond, 9.0, WHITE.to_rgba())?;
            canvas.marker(*at, Marker::Diamond, 7.0, VERMILION.to_rgba())?;
        }
        Ok(())
    }
}
