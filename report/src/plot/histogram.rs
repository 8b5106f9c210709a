//! How many there are of each value, in bins of equal width.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Rect};
use super::column::{Column, draw_axes, level, upright_within};
use super::frame::{Axis, Panel};
use super::label::{plain, short};
use super::legend::{Entry, Key};
use super::palette::{BLUE, INK, VERMILION};
use super::{Plot, PlotError, check};

const HEIGHT: f64 = 280.0;
const MARK_PATTERN: (f64, f64) = (6.0, 4.0);
/// Least height of a bin that holds something.
const LEAST_HEIGHT: f64 = 2.0;

/// Counts by bin.
#[derive(Debug, Clone, Serialize)]
pub struct Histogram {
    /// Title.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Name of what is counted.
    pub y_label: String,
    /// Where the first bin begins and the last one ends.
    pub range: (f64, f64),
    /// How many lie in each bin.
    pub counts: Vec<usize>,
    /// A value from which on bins are of another kind, with the name of that kind.
    pub threshold: Option<(f64, String)>,
    /// Sentences below the legend.
    pub notes: Vec<String>,
}

impl Histogram {
    /// Where a bin begins.
    pub(super) fn start(&self, bin: usize) -> f64 {
        let (low, high) = self.range;
        low + (high - low) * bin as f64 / self.counts.len() as f64
    }

    /// Whether a bin lies at or beyond the threshold, as far as it can be told.
    fn is_beyond(&self, bin: usize) -> bool {
        let width = (self.range.1 - self.range.0) / self.counts.len() as f64;
        self.threshold.as_ref().is_some_and(|(at, _)| self.start(bin) >= at - 1e-9 * width)
    }

    fn entries(&self) -> Vec<Entry> {
        let n: usize = self.counts.iter().sum();
        let mut entries = Vec::new();
        if let Some((at, name)) = &self.threshold {
            let beyond: usize =
                (0..self.counts.len()).filter(|bin| self.is_beyond(*bin)).map(|bin| self.counts[bin]).sum();
            entries.push(Entry::new(Key::Dashes(INK, MARK_PATTERN), format!("{} ({})", plain(name), short(*at))));
            entries.push(Entry::new(Key::Area(VERMILION.to_rgba()), format!("bins from there on: {beyond} of {n}")));
            entries.push(Entry::new(Key::Area(BLUE.mix(0.75)), format!("the others: {}", n - beyond)));
        } else {
            entries.push(Entry::new(Key::Area(BLUE.mix(0.75)), format!("all: {n}")));
        }
        entries
    }

    fn y_axis(&self) -> Axis {
        let most = self.counts.iter().copied().max().unwrap_or(1).max(1);
        let mut axis = upright_within((0.0, most as f64 * 1.05));
        axis.ticks.retain(|(value, _)| value.fract() == 0.0);
        for (value, label) in &mut axis.ticks {
            *label = short(*value);
        }
        axis
    }

    fn column(&self) -> Column {
        Column::new(&self.title, &[self.y_axis()], HEIGHT, self.entries(), &self.notes)
    }
}

impl Plot for Histogram {
    const NAME: &'static str = "histogram";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "bins", self.counts.len())?;
        check::some(Self::NAME, "values", self.counts.iter().sum())?;
        let (low, high) = self.range;
        check::finite(Self::NAME, "the range", &[low, high])?;
        check::ascending(Self::NAME, "the ends of the range", &[low, high])?;
        let threshold: Vec<f64> = self.threshold.iter().map(|(at, _)| *at).collect();
        check::finite(Self::NAME, "the threshold", &threshold)?;
        threshold.iter().try_for_each(|at| check::within(Self::NAME, "the threshold", *at, self.range))
    }

    fn size(&self) -> (u32, u32) {
        self.column().size()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let column = self.column();
        column.draw(&canvas)?;
        let rect = column.panel(0);
        let x = level(Axis::within(self.range, 8, ""), rect, &[], &self.x_label);
        let panel = Panel { rect, x, y: self.y_axis() };
        draw_axes(&canvas, &panel, &self.y_label, true)?;
        for (bin, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let color = if self.is_beyond(bin) { VERMILION.to_rgba() } else { BLUE.mix(0.75) };
            let top = panel.y(*count as f64).min(rect.bottom - LEAST_HEIGHT);
            let (left, right) = (panel.x(self.start(bin)), panel.x(self.start(bin + 1)));
            canvas.fill_rect(Rect { left: left + 1.0, right, top, bottom: rect.bottom }, color)?;
        }
        if let Some((at, _)) = &self.threshold {
            let x = panel.x(*at);
            canvas.dashes([(x, rect.top), (x, rect.bottom)], INK.to_rgba(), MARK_PATTERN)?;
        }
        Ok(())
    }
}
