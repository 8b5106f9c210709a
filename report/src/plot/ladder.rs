//! Named levels as bars with intervals, one above the other: what is weak, what is strong, what lies between.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use plotters::style::text_anchor::HPos;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering, Rect};
use super::column::{Column, EDGE, WIDTH, level};
use super::font::{text_width, wrap_text};
use super::frame::{Axis, Panel, TEXT, extent};
use super::label::{number, plain};
use super::legend::{Entry, Key};
use super::palette::{AXIS, BLUE, GRID, INK};
use super::{Estimate, Plot, PlotError, check, ends_of};

const NAME_WIDTH: f64 = 170.0;
const LINE: f64 = 18.0;
const ROW_GAP: f64 = 16.0;
const LEAST_ROW: f64 = 30.0;
const HALF_BAR: f64 = 11.0;
const HALF_CAP: f64 = 6.0;
/// Room below the bars for ticks and the name of the axis.
const BELOW: f64 = 58.0;

/// Levels, from the top.
#[derive(Debug, Clone, Serialize)]
pub struct Ladder {
    /// Title.
    pub title: String,
    /// Name of the measure with its unit.
    pub x_label: String,
    /// What the intervals are, such as "its 95 % interval".
    pub interval: String,
    /// The levels.
    pub levels: Vec<LadderLevel>,
    /// Sentences below the bars.
    pub notes: Vec<String>,
}

/// One level.
#[derive(Debug, Clone, Serialize)]
pub struct LadderLevel {
    /// What it is called.
    pub name: String,
    /// Its value.
    pub value: Estimate,
}

impl Ladder {
    fn names(&self) -> Vec<Vec<String>> {
        self.levels.iter().map(|level| wrap_text(&plain(&level.name), TEXT, NAME_WIDTH)).collect()
    }

    fn heights(&self) -> Vec<f64> {
        self.names().iter().map(|lines| (lines.len() as f64 * LINE).max(LEAST_ROW) + ROW_GAP).collect()
    }

    fn values(&self) -> Vec<String> {
        self.levels.iter().map(|level| number(level.value.value, 3)).collect()
    }

    fn column(&self) -> Column {
        let mut entries = Vec::new();
        if self.levels.iter().any(|level| level.value.interval.is_some()) {
            entries.push(Entry::new(Key::Area(BLUE.mix(0.75)), format!("mean, with {}", self.interval)));
        }
        Column::bare(&self.title, self.heights().iter().sum::<f64>() + BELOW, entries, &self.notes)
    }

    fn panel(&self, top: f64) -> Panel {
        let widest = self.values().iter().map(|value| text_width(value, TEXT)).fold(0.0, f64::max).min(120.0);
        let right = f64::from(WIDTH) - EDGE - widest - 12.0;
        let rect =
            Rect { left: EDGE + NAME_WIDTH + 10.0, top, right, bottom: top + self.heights().iter().sum::<f64>() };
        let ends = self.levels.iter().flat_map(|level| {
            let (low, high) = ends_of(&level.value);
            [low, high, level.value.value]
        });
        let (low, high) = extent(ends.chain([0.0])).unwrap_or((0.0, 1.0));
        let span = if high > low { high - low } else { 1.0 };
        let low = if low < 0.0 { low - 0.05 * span } else { low };
        let axis = Axis::within((low, high + 0.05 * span), 5, "");
        Panel { rect, x: level(axis.clone(), rect, &[], &self.x_label), y: axis }
    }
}

impl Plot for Ladder {
    const NAME: &'static str = "ladder";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "levels", self.levels.len())?;
        self.levels.iter().try_for_each(|level| check::interval(Self::NAME, &level.name, &level.value))
    }

    fn size(&self) -> (u32, u32) {
        self.column().size()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let column = self.column();
        column.draw(&canvas)?;
        let panel = self.panel(column.top());
        let Rect { left, top, right, bottom } = panel.rect;
        for (value, label) in &panel.x.ticks {
            canvas.plumb(panel.x(*value), top, bottom, GRID)?;
            let style = Lettering::new(TEXT, INK).across(HPos::Center);
            canvas.text(label, (panel.x(*value), bottom + 15.0), style)?;
        }
        canvas.rule(left, right, bottom, AXIS)?;
        canvas.plumb(panel.x(0.0), top, bottom, AXIS)?;
        let style = Lettering::new(TEXT, INK).across(HPos::Center);
        canvas.text(&panel.x.name, ((left + right) / 2.0, bottom + 38.0), style)?;
        let mut row_top = top;
        let rows = self.levels.iter().zip(self.names()).zip(self.heights()).zip(self.values());
        for (((level, lines), height), text) in rows {
            let middle = row_top + height / 2.0;
            let first = middle - LINE * (lines.len() as f64 - 1.0) / 2.0;
            for (line, row) in lines.iter().zip(0u8..) {
                canvas.text(line, (EDGE, first + LINE * f64::from(row)), Lettering::new(TEXT, INK))?;
            }
            let (zero, end) = (panel.x(0.0), panel.x(level.value.value));
            let bar =
                Rect { left: zero.min(end), right: zero.max(end), top: middle - HALF_BAR, bottom: middle + HALF_BAR };
            canvas.fill_rect(bar, BLUE.mix(0.75))?;
            if let Some(interval) = level.value.interval {
                let ends = [panel.x(interval.low), panel.x(interval.high)];
                canvas.line(&[(ends[0], middle), (ends[1], middle)], INK.to_rgba(), 2)?;
                let cap = |x: &f64| canvas.line(&[(*x, middle - HALF_CAP), (*x, middle + HALF_CAP)], INK.to_rgba(), 2);
                ends.iter().try_for_each(cap)?;
            }
            let style = Lettering::new(TEXT, INK).across(HPos::Right);
            canvas.text(&text, (f64::from(WIDTH) - EDGE, middle), style)?;
            row_top += height;
        }
        Ok(())
    }
}
