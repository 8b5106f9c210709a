//! Rows that are left after each step of cleaning, as bars below each other.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use plotters::style::text_anchor::HPos;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering, Rect};
use super::column::{Column, EDGE, WIDTH};
use super::font::{fit_text, text_width};
use super::frame::TEXT;
use super::label::{number, plain};
use super::legend::{Entry, Key};
use super::palette::{BLUE, INK, VERMILION};
use super::{Plot, PlotError, check};

const ROW: f64 = 44.0;
const BAR_TOP: f64 = 12.0;
const BAR_HEIGHT: f64 = 14.0;
/// Least width of what is removed, so that one row of many is seen.
const LEAST_WIDTH: f64 = 2.0;

/// Rows by step.
#[derive(Debug, Clone, Serialize)]
pub struct FunnelPlot {
    /// Title.
    pub title: String,
    /// Rows before the first step.
    pub n_rows: usize,
    /// The steps, in order.
    pub steps: Vec<FunnelBar>,
    /// Steps that removed nothing and are not among these.
    pub n_idle: usize,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct FunnelBar {
    /// What it is called.
    pub name: String,
    /// Rows that it removed.
    pub n_removed: usize,
    /// Rows left.
    pub n_left: usize,
}

impl FunnelPlot {
    fn column(&self) -> Column {
        let entries = vec![
            Entry::new(Key::Area(BLUE.mix(0.75)), "rows left"),
            Entry::new(Key::Area(VERMILION.to_rgba()), "removed by this step (at least 2 pixels wide)"),
        ];
        let shown = self.steps.iter().filter(|step| step.n_removed == 0).count();
        let notes = match self.n_idle.saturating_sub(shown) {
            0 => Vec::new(),
            1 => vec!["1 more step removed nothing".to_owned()],
            n => vec![format!("{n} more steps removed nothing")],
        };
        Column::bare(&self.title, (self.steps.len() + 1) as f64 * ROW, entries, &notes)
    }

    /// The lines: name, rows left, rows removed.
    fn lines(&self) -> Vec<(String, usize, usize)> {
        let first = ("rows read".to_owned(), self.n_rows, 0);
        let steps = self.steps.iter().map(|step| (plain(&step.name), step.n_left, step.n_removed));
        std::iter::once(first).chain(steps).collect()
    }

    /// Rows left and removed, in words.
    pub(super) fn figures(&self, n_left: usize, n_removed: usize) -> String {
        let share = number(100.0 * n_left as f64 / self.n_rows.max(1) as f64, 1);
        match n_removed {
            0 => format!("{n_left} ({share} %)"),
            n => format!("−{n}, {n_left} left ({share} %)"),
        }
    }
}

impl Plot for FunnelPlot {
    const NAME: &'static str = "funnel";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "steps", self.steps.len())?;
        check::some(Self::NAME, "rows", self.n_rows)?;
        let mut before = self.n_rows;
        for step in &self.steps {
            if step.n_left.checked_add(step.n_removed) != Some(before) {
                return Err(PlotError::Unbalanced {
                    what: step.name.clone(),
                    before,
                    n_removed: step.n_removed,
                    n_left: step.n_left,
                });
            }
            before = step.n_left;
        }
        Ok(())
    }

    fn size(&self) -> (u32, u32) {
        self.column().size()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let column = self.column();
        column.draw(&canvas)?;
        let (right, whole) = (f64::from(WIDTH) - EDGE, f64::from(WIDTH) - 2.0 * EDGE);
        let width = |n: usize| whole * n as f64 / self.n_rows as f64;
        for ((name, n_left, n_removed), row) in self.lines().into_iter().zip(0u32..) {
            let y = column.top() + f64::from(row) * ROW;
            let figures = self.figures(n_left, n_removed);
            let room = whole - text_width(&figures, TEXT) - 12.0;
            canvas.text(&fit_text(&name, TEXT, room), (EDGE, y), Lettering::new(TEXT, INK))?;
            canvas.text(&figures, (right, y), Lettering::new(TEXT, INK).across(HPos::Right))?;
            let bar = |left: f64, right: f64| Rect { left, right, top: y + BAR_TOP, bottom: y + BAR_TOP + BAR_HEIGHT };
            canvas.fill_rect(bar(EDGE, EDGE + width(n_left)), BLUE.mix(0.75))?;
            if n_removed > 0 {
                let start = (EDGE + width(n_left)).min(right - LEAST_WIDTH);
                let end = (start + width(n_removed).max(LEAST_WIDTH)).min(right);
                canvas.fill_rect(bar(start, end), VERMILION.to_rgba())?;
            }
        }
        Ok(())
    }
}
