//! Curves over one axis in panels below each other: training curves, ablations.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering, Rect, series_marker};
use super::font::fit_text;
use super::frame::{Axis, Panel, TITLE, extent};
use super::label::plain;
use super::legend::{Entry, Key, draw_legend};
use super::palette::{INK, SOFT_INK, series_color};
use super::{Plot, PlotError, check};

const WIDTH: u32 = 1200;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 900.0;
const TOP: f64 = 64.0;
const PANEL_HEIGHT: f64 = 300.0;
const PANEL_GAP: f64 = 34.0;
const BELOW: f64 = 74.0;
const LEGEND_LEFT: f64 = 930.0;
const LEGEND_WIDTH: f64 = 256.0;
/// Curves of more points are lines without markers.
const MOST_MARKED_POINTS: usize = 60;
const MARK_PATTERN: (f64, f64) = (4.0, 5.0);

/// Panels of curves that share their horizontal axis.
#[derive(Debug, Clone, Serialize)]
pub struct Curves {
    /// Title, one line.
    pub title: String,
    /// Name of the horizontal axis with its unit.
    pub x_label: String,
    /// The panels, from the top.
    pub panels: Vec<CurvePanel>,
    /// Places on the horizontal axis that have a name, such as the end of a phase.
    pub marks: Vec<(f64, String)>,
}

/// Curves with a vertical axis of their own.
#[derive(Debug, Clone, Serialize)]
pub struct CurvePanel {
    /// Name of the vertical axis with its unit.
    pub y_label: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// One curve.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// A curve.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }

    fn is_marked(&self) -> bool {
        self.points.len() <= MOST_MARKED_POINTS
    }
}

impl Curves {
    fn x_axis(&self) -> Axis {
        let points = self.panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points);
        let range = extent(points.map(|(x, _)| *x).chain(self.marks.iter().map(|(x, _)| *x)));
        Axis::round(range.unwrap_or((0.0, 1.0)), 9, &fit_text(&plain(&self.x_label), 15.0, RIGHT - LEFT))
    }

    fn frame(&self, place: usize) -> Rect {
        let top = TOP + place as f64 * (PANEL_HEIGHT + PANEL_GAP);
        Rect { left: LEFT, top, right: RIGHT, bottom: top + PANEL_HEIGHT }
    }

    /// Number of the first curve of a panel, for its colour: no two curves of a plot share one while colours last, but where panels hold curves
    /// of the same names.
    fn first_curve(&self, place: usize) -> usize {
        let names = |panel: &CurvePanel| panel.curves.iter().map(|curve| curve.name.clone()).collect::<Vec<_>>();
        let own = self.panels.get(place).map(names);
        match self.panels.first().map(names) == own {
            true => 0,
            false => self.panels.iter().take(place).map(|panel| panel.curves.len()).sum(),
        }
    }

    fn draw_panel<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, place: usize, x: &Axis) -> DrawResult<DB> {
        let Some(drawn) = self.panels.get(place) else { return Ok(()) };
        let rect = self.frame(place);
        let values = drawn.curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y);
        let name = fit_text(&plain(&drawn.y_label), 15.0, rect.height());
        let y = Axis::round(extent(values).unwrap_or((0.0, 1.0)), 6, &name);
        let panel = Panel { rect, x: x.clone(), y };
        panel.draw_frame(canvas, place + 1 == self.panels.len())?;
        for (at, _) in &self.marks {
            let x = panel.x(*at);
            canvas.dashes([(x, rect.top), (x, rect.bottom)], SOFT_INK.to_rgba(), MARK_PATTERN)?;
        }
        let first = self.first_curve(place);
        let mut entries = Vec::new();
        for (i, curve) in drawn.curves.iter().enumerate() {
            let color = series_color(first + i);
            let points: Vec<_> = curve.points.iter().map(|(x, y)| panel.at(*x, *y)).collect();
            canvas.line(&points, color.to_rgba(), if curve.is_marked() { 2 } else { 1 })?;
            for point in points.into_iter().filter(|_| curve.is_marked()) {
                canvas.marker(point, series_marker(first + i), 4.5, color.to_rgba())?;
            }
            let key = match curve.is_marked() {
                true => Key::Series(color, series_marker(first + i)),
                false => Key::Line(color.to_rgba(), 1),
            };
            entries.push(Entry::new(key, plain(&curve.name)));
        }
        if place == 0 {
            entries.extend(
                self.marks.iter().map(|(_, name)| Entry::new(Key::Dashes(SOFT_INK, MARK_PATTERN), plain(name))),
            );
        }
        draw_legend(canvas, (LEGEND_LEFT, rect.top + 12.0), LEGEND_WIDTH, &entries)
    }
}

impl Plot for Curves {
    const NAME: &'static str = "curves";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "panels", self.panels.len())?;
        for curve in self.panels.iter().flat_map(|panel| &panel.curves) {
            check::some(Self::NAME, "points", curve.points.len())?;
            let (x, y): (Vec<f64>, Vec<f64>) = curve.points.iter().copied().unzip();
            check::finite(Self::NAME, &curve.name, &x)?;
            check::finite(Self::NAME, &curve.name, &y)?;
            check::ascending(Self::NAME, "the places of a curve", &x)?;
        }
        let marks: Vec<f64> = self.marks.iter().map(|(x, _)| *x).collect();
        check::finite(Self::NAME, "marks", &marks)
    }

    fn size(&self) -> (u32, u32) {
        let bottom = self.frame(self.panels.len().saturating_sub(1)).bottom;
        (WIDTH, (bottom + BELOW).ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let title = fit_text(&plain(&self.title), TITLE, f64::from(WIDTH) - LEFT - 20.0);
        canvas.text(&title, (LEFT, 32.0), Lettering::new(TITLE, INK))?;
        let x = self.x_axis();
        (0..self.panels.len()).try_for_each(|place| self.draw_panel(&canvas, place, &x))
    }
}
