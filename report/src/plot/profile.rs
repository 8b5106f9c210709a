//! Per-layer curves with interval bands: pair accuracy, AUROC, d′ … over absolute layer numbers.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering, Rect, series_marker};
use super::font::fit_text;
use super::frame::{Axis, Panel, TITLE, extent};
use super::label::{number, plain};
use super::legend::{Entry, Key, draw_legend, legend_height};
use super::palette::{INK, SOFT_INK, series_color};
use super::{Plot, PlotError, check};

const SIZE: (u32, u32) = (1200, 600);
const FRAME: Rect = Rect { left: 92.0, top: 64.0, right: 900.0, bottom: 526.0 };
const LEGEND: (f64, f64) = (930.0, 80.0);
const LEGEND_WIDTH: f64 = 256.0;
const CHANCE_PATTERN: (f64, f64) = (8.0, 6.0);

/// Curves over layers.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    /// Title, one line.
    pub title: String,
    /// Name of the vertical axis with its unit.
    pub y_label: String,
    /// Absolute layer numbers, growing.
    pub layers: Vec<usize>,
    /// The curves.
    pub series: Vec<ProfileSeries>,
    /// Where a reader without knowledge would be: a broken line, 0.5 for accuracies.
    pub chance: Option<f64>,
    /// Values the vertical axis has to reach; data beyond them widen it. By default the data's range.
    pub y_range: Option<(f64, f64)>,
}

/// One curve.
#[derive(Debug, Clone, Serialize)]
pub struct ProfileSeries {
    /// Name in the legend.
    pub name: String,
    /// One value a layer.
    pub values: Vec<f64>,
    /// Lower and upper end of each value's interval, drawn as a band.
    pub intervals: Option<Vec<(f64, f64)>>,
}

impl Profile {
    /// A profile of measures that lie between 0 and 1 and are 0.5 by chance.
    pub fn of_shares(title: impl Into<String>, layers: Vec<usize>, series: Vec<ProfileSeries>) -> Self {
        Self {
            title: title.into(),
            y_label: "share (0 to 1)".to_owned(),
            layers,
            series,
            chance: Some(0.5),
            y_range: None,
        }
    }

    fn y_axis(&self) -> Axis {
        let name = fit_text(&plain(&self.y_label), 15.0, FRAME.height());
        let values = self.series.iter().flat_map(|s| s.values.iter().copied());
        let ends = self.series.iter().filter_map(|s| s.intervals.as_ref()).flatten();
        let ends = ends.flat_map(|(lower, upper)| [*lower, *upper]);
        let asked = self.y_range.iter().flat_map(|(low, high)| [*low, *high]);
        let all = values.chain(ends).chain(self.chance).chain(asked);
        Axis::round(extent(all).unwrap_or((0.0, 1.0)), 7, &name)
    }

    fn places(&self) -> Vec<f64> {
        self.layers.iter().map(|layer| *layer as f64).collect()
    }

    fn entries(&self) -> Vec<Entry> {
        let named = |(i, series): (usize, &ProfileSeries)| {
            Entry::new(Key::Series(series_color(i), series_marker(i)), plain(&series.name))
        };
        let mut entries: Vec<Entry> = self.series.iter().enumerate().map(named).collect();
        if self.series.iter().any(|series| series.intervals.is_some()) {
            entries.push(Entry::new(Key::Area(INK.mix(0.15)), "band: 95 % interval"));
        }
        if let Some(chance) = self.chance {
            let digits = if (chance * 10.0).fract() == 0.0 { 1 } else { 2 };
            entries.push(Entry::new(
                Key::Dashes(SOFT_INK, CHANCE_PATTERN),
                format!("chance ({})", number(chance, digits)),
            ));
        }
        entries
    }
}

impl Plot for Profile {
    const NAME: &'static str = "layer profile";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "layers", self.layers.len())?;
        check::some(Self::NAME, "series", self.series.len())?;
        check::ascending(Self::NAME, "layers", &self.layers)?;
        for series in &self.series {
            check::length(Self::NAME, &series.name, series.values.len(), self.layers.len())?;
            check::finite(Self::NAME, &series.name, &series.values)?;
            let intervals = series.intervals.as_deref();
            if let Some(intervals) = intervals {
                check::length(Self::NAME, &series.name, intervals.len(), self.layers.len())?;
            }
            for (lower, upper) in intervals.unwrap_or_default() {
                check::finite(Self::NAME, &series.name, &[*lower, *upper])?;
                check::ends(Self::NAME, &series.name, *lower, *upper)?;
            }
        }
        let (low, high) = self.y_range.unwrap_or((0.0, 1.0));
        check::finite(Self::NAME, "the vertical range", &[low, high])?;
        check::ascending(Self::NAME, "the vertical range", &[low, high])?;
        check::finite(Self::NAME, "the chance level", &[self.chance.unwrap_or(0.0)])
    }

    fn size(&self) -> (u32, u32) {
        let legend = LEGEND.1 + legend_height(LEGEND_WIDTH, &self.entries());
        (SIZE.0, SIZE.1.max(legend.ceil() as u32))
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let title = fit_text(&plain(&self.title), TITLE, f64::from(SIZE.0) - FRAME.left - 20.0);
        canvas.text(&title, (FRAME.left, 32.0), Lettering::new(TITLE, INK))?;
        let panel = Panel { rect: FRAME, x: Axis::layers(&self.layers), y: self.y_axis() };
        panel.draw_frame(&canvas, true)?;
        if let Some(chance) = self.chance {
            let y = panel.y(chance);
            let ends = [(FRAME.left, y), (FRAME.right, y)];
            canvas.dashes(ends, SOFT_INK.to_rgba(), CHANCE_PATTERN)?;
        }
        self.draw_bands(&canvas, &panel)?;
        self.draw_curves(&canvas, &panel)?;
        draw_legend(&canvas, LEGEND, LEGEND_WIDTH, &self.entries())
    }
}

impl Profile {
    fn draw_bands<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
        let places = self.places();
        for (i, series) in self.series.iter().enumerate() {
            let intervals = series.intervals.as_deref().unwrap_or_default();
            let ends = places.iter().zip(intervals);
            let curves: Vec<_> = ends.map(|(x, (lower, upper))| (*x, *lower, *upper)).collect();
            if curves.len() > 1 {
                canvas.fill(&panel.between(&curves), series_color(i).mix(0.16))?;
            } else if let Some((x, lower, upper)) = curves.first() {
                let ends = (panel.y(*lower), panel.y(*upper));
                canvas.error_bar(panel.x(*x), ends, series_color(i))?;
            }
        }
        Ok(())
    }

    fn draw_curves<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
        for (i, series) in self.series.iter().enumerate() {
            let color = series_color(i).to_rgba();
            let points: Vec<_> = self.places().iter().zip(&series.values).map(|(x, y)| panel.at(*x, *y)).collect();
            canvas.line(&points, color, 2)?;
            let radius = if points.len() <= 40 { 4.5 } else { 3.0 };
            for point in points {
                canvas.marker(point, series_marker(i), radius, color)?;
            }
        }
        Ok(())
    }
}
