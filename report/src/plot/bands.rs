//! Lines with interval bands over one axis, in panels below each other: quality by instruction, mended and damage by depth, drift by turn.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, series_marker};
use super::column::{Column, draw_axes, level, upright};
use super::frame::{Axis, Panel, extent};
use super::label::plain;
use super::legend::{Entry, Key};
use super::palette::{INK, SOFT_INK, series_color};
use super::{Estimate, Plot, PlotError, check, ends_of};

const PANEL_HEIGHT: f64 = 300.0;
const LOW_PANEL: f64 = 220.0;
const MARK_PATTERN: (f64, f64) = (4.0, 5.0);
/// How far the bars of neighbouring lines stand apart, and of all lines together at most.
const APART: f64 = 9.0;
const MOST_APART: f64 = 36.0;

/// Panels of lines that share their horizontal axis and their legend.
#[derive(Debug, Clone, Serialize)]
pub struct Bands {
    /// Title.
    pub title: String,
    /// Name of the horizontal axis with its unit.
    pub x_label: String,
    /// The panels, from the top.
    pub panels: Vec<BandPanel>,
    /// Whether places are counted, such as passes: intervals are bars beside each other then, not bands.
    pub is_counted: bool,
    /// Places on the horizontal axis that have a name.
    pub marks: Vec<(f64, String)>,
    /// Sentences below the legend.
    pub notes: Vec<String>,
}

/// Lines with an upright axis of their own.
#[derive(Debug, Clone, Serialize)]
pub struct BandPanel {
    /// Name of the upright axis with its unit.
    pub y_label: String,
    /// The lines; lines of one name have one colour in all panels.
    pub series: Vec<BandSeries>,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub struct BandSeries {
    /// Name in the legend.
    pub name: String,
    /// Its points from left to right, each with its interval where there is one.
    pub points: Vec<(f64, Estimate)>,
}

impl Bands {
    fn points(&self) -> impl Iterator<Item = &(f64, Estimate)> {
        self.panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points)
    }

    /// Names of lines in the order of their colours.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        names
    }

    fn color_of(&self, name: &str) -> usize {
        self.names().iter().position(|other| *other == name).unwrap_or_default()
    }

    fn entries(&self) -> Vec<Entry> {
        let line = |(i, name): (usize, &&str)| Entry::new(Key::Series(series_color(i), series_marker(i)), plain(name));
        let mut entries: Vec<Entry> = self.names().iter().enumerate().map(line).collect();
        if self.has_intervals() && !self.is_counted {
            entries.push(Entry::new(Key::Area(INK.mix(0.15)), "band: 95 % interval"));
        }
        let mark = |(_, name): &(f64, String)| Entry::new(Key::Dashes(SOFT_INK, MARK_PATTERN), plain(name));
        entries.extend(self.marks.iter().map(mark));
        entries
    }

    fn has_intervals(&self) -> bool {
        self.points().any(|(_, estimate)| estimate.interval.is_some())
    }

    fn notes(&self) -> Vec<String> {
        let bars = (self.has_intervals() && self.is_counted).then(|| "bars: 95 % intervals".to_owned());
        bars.into_iter().chain(self.notes.iter().cloned()).collect()
    }

    fn axes(&self) -> Vec<Axis> {
        let ends = |(_, estimate): &(f64, Estimate)| {
            let (low, high) = ends_of(estimate);
            [low, estimate.value, high]
        };
        let range = |panel: &BandPanel| extent(panel.series.iter().flat_map(|series| &series.points).flat_map(ends));
        self.panels.iter().map(|panel| upright(range(panel).unwrap_or((0.0, 1.0)))).collect()
    }

    fn column(&self) -> Column {
        let height = if self.panels.len() > 1 { LOW_PANEL } else { PANEL_HEIGHT };
        Column::new(&self.title, &self.axes(), height, self.entries(), &self.notes())
    }

    fn draw_panel<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel, drawn: &BandPanel) -> DrawResult<DB> {
        let rect = panel.rect;
        for (at, _) in &self.marks {
            let x = panel.x(*at);
            canvas.dashes([(x, rect.top), (x, rect.bottom)], SOFT_INK.to_rgba(), MARK_PATTERN)?;
        }
        for (place, series) in drawn.series.iter().enumerate() {
            let shift = self.shift(place, drawn.series.len());
            let color = series_color(self.color_of(&series.name));
            let with_ends =
                |(x, estimate): &(f64, Estimate)| estimate.interval.map(|interval| (*x, interval.low, interval.high));
            let band: Vec<_> = series.points.iter().filter_map(with_ends).collect();
            if !self.is_counted && band.len() > 1 {
                canvas.fill(&panel.between(&band), color.mix(0.16))?;
                continue;
            }
            for (x, low, high) in band {
                canvas.error_bar(panel.x(x) + shift, (panel.y(low), panel.y(high)), color)?;
            }
        }
        for (place, series) in drawn.series.iter().enumerate() {
            let shift = self.shift(place, drawn.series.len());
            let i = self.color_of(&series.name);
            let at = |(x, estimate): &(f64, Estimate)| (panel.x(*x) + shift, panel.y(estimate.value));
            let path: Vec<_> = series.points.iter().map(at).collect();
            canvas.line(&path, series_color(i).to_rgba(), 2)?;
            for point in path {
                canvas.marker(point, series_marker(i), 5.0, series_color(i).to_rgba())?;
            }
        }
        Ok(())
    }

    /// How far a line's points stand beside their places, so that bars do not cover each other.
    fn shift(&self, place: usize, n: usize) -> f64 {
        if !self.is_counted || n < 2 {
            return 0.0;
        }
        let apart = APART.min(MOST_APART / (n - 1) as f64);
        (place as f64 - (n - 1) as f64 / 2.0) * apart
    }
}

impl Plot for Bands {
    const NAME: &'static str = "lines with bands";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "panels", self.panels.len())?;
        for panel in &self.panels {
            check::some(Self::NAME, "lines", panel.series.len())?;
            for series in &panel.series {
                check::some(Self::NAME, "points", series.points.len())?;
                let places: Vec<f64> = series.points.iter().map(|(x, _)| *x).collect();
                check::finite(Self::NAME, &series.name, &places)?;
                check::ascending(Self::NAME, "the places of a line", &places)?;
                for (_, estimate) in &series.points {
                    check::interval(Self::NAME, &series.name, estimate)?;
                }
            }
        }
        let marks: Vec<f64> = self.marks.iter().map(|(x, _)| *x).collect();
        check::finite(Self::NAME, "marks", &marks)
    }

    fn size(&self) -> (u32, u32) {
        self.column().size()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let column = self.column();
        column.draw(&canvas)?;
        let mut places: Vec<f64> = self.points().map(|(x, _)| *x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let range = extent(places.iter().copied().chain(self.marks.iter().map(|(x, _)| *x))).unwrap_or((0.0, 1.0));
        for (place, (drawn, y)) in self.panels.iter().zip(self.axes()).enumerate() {
            let rect = column.panel(place);
            let x = level(Axis::round(range, 8, ""), rect, &places, &self.x_label);
            let panel = Panel { rect, x, y };
            draw_axes(&canvas, &panel, &drawn.y_label, place + 1 == self.panels.len())?;
            self.draw_panel(&canvas, &panel, drawn)?;
        }
        Ok(())
    }
}
