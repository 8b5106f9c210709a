//! How steerable single prompts are: their slopes, with 0 marked, beside the slopes of controls.
//!
//! Above, a histogram whose bins meet at 0, so that no bar mixes steerable and anti-steerable prompts
//! (slope below 0). Beneath, every slope as a point, a row a group; the mean slope stands next to the
//! slopes that random directions reach, with their 95th percentile drawn through both rows.

pub(super) mod histogram;
mod parts;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor};
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering, Marker};
use super::font::fit_text;
use super::frame::{Axis, TEXT, TITLE, extent};
use super::label::{number, plain, rounded};
use super::legend::{Entry, Key, draw_legend};
use super::palette::{BLUE, GREEN, INK, ORANGE, PURPLE, SOFT_INK, VERMILION};
use super::{Estimate, Plot, PlotError, check, ends_of};
use histogram::histogram;
use parts::{ROW, ROWS_TOP};

const LEFT: f64 = 214.0;
const RIGHT: f64 = 890.0;
const LEGEND: (f64, f64) = (920.0, 80.0);
const LEGEND_WIDTH: f64 = 266.0;
const LIMIT_PATTERN: (f64, f64) = (6.0, 4.0);

/// Slopes of single prompts and of controls.
#[derive(Debug, Clone, Serialize)]
pub struct SlopePlot {
    /// Title, one line.
    pub title: String,
    /// Name of the slope axis with its unit.
    pub x_label: String,
    /// Least-squares slope of each prompt.
    pub slopes: Vec<f64>,
    /// Mean slope with its interval.
    pub mean: Option<Estimate>,
    /// Per-prompt slopes of other runs: shuffled labels, clean prompts.
    pub controls: Vec<SlopeGroup>,
    /// Mean slopes of random directions.
    pub random: Option<RandomSlopes>,
}

/// Per-prompt slopes of a control.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlopeGroup {
    /// Name of the row.
    pub name: String,
    /// One slope a prompt.
    pub slopes: Vec<f64>,
}

/// Mean slopes of random directions of equal norm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RandomSlopes {
    /// One mean slope a direction.
    pub slopes: Vec<f64>,
    /// Their 95th percentile: an effect is real when its slope lies above it.
    pub percentile_95: f64,
}

impl SlopePlot {
    /// Number of prompts with a negative slope.
    pub fn n_anti_steerable(&self) -> usize {
        self.slopes.iter().filter(|slope| **slope < 0.0).count()
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let row = |name: &str, slopes, color, marker| Row { name: name.to_owned(), slopes, color, marker };
        let mut rows = vec![row("single prompts", &self.slopes[..], BLUE, Marker::Circle)];
        for (i, group) in self.controls.iter().enumerate() {
            let color = [PURPLE, GREEN, ORANGE][i % 3];
            rows.push(row(&plain(&group.name), &group.slopes, color, Marker::Triangle));
        }
        if self.mean.is_some() {
            rows.push(row("mean slope", &[], BLUE, Marker::Diamond));
        }
        if let Some(random) = &self.random {
            rows.push(row("random directions", &random.slopes, SOFT_INK, Marker::Square));
        }
        rows
    }

    fn x_axis(&self) -> Axis {
        let rows = self.rows();
        let slopes = rows.iter().flat_map(|row| row.slopes.iter().copied());
        let mean = self.mean.iter().flat_map(|m| [m.value, ends_of(m).0, ends_of(m).1]);
        let percentile = self.random.iter().map(|random| random.percentile_95);
        let bins = histogram(&self.slopes).into_iter().flat_map(|bin| [bin.low, bin.high]);
        let range = extent(slopes.chain(mean).chain(percentile).chain(bins).chain([0.0])).unwrap_or((0.0, 1.0));
        Axis::round(range, 8, &fit_text(&plain(&self.x_label), TEXT, RIGHT - LEFT))
    }

    fn entries(&self) -> Vec<Entry> {
        let (n, negative) = (self.slopes.len(), self.n_anti_steerable());
        let share = number(100.0 * negative as f64 / n as f64, 1);
        let mut entries = vec![
            Entry::new(Key::Area(BLUE.mix(0.75)), format!("slope ≥ 0: {} of {n} prompts", n - negative)),
            Entry::new(Key::Area(VERMILION.mix(0.75)), "slope < 0 (anti-steerable):"),
            Entry::new(Key::Note, format!("{negative} of {n} prompts ({share} %)")),
        ];
        if let Some(mean) = &self.mean {
            entries.push(Entry::new(Key::Estimate(BLUE, Marker::Diamond), "mean slope, 95 % interval:"));
            let (lower, upper) = ends_of(mean);
            let (lower, upper) = (rounded(lower), rounded(upper));
            entries.push(Entry::new(Key::Note, format!("{} [{lower}, {upper}]", rounded(mean.value))));
        }
        if let Some(random) = &self.random {
            let text = format!("mean slope of a random direction (n = {})", random.slopes.len());
            entries.push(Entry::new(Key::Point(SOFT_INK.to_rgba(), Marker::Square), text));
            let text = format!("their 95th percentile: {}", rounded(random.percentile_95));
            entries.push(Entry::new(Key::Dashes(INK, LIMIT_PATTERN), text));
        }
        entries
    }
}

struct Row<'a> {
    name: String,
    slopes: &'a [f64],
    color: RGBColor,
    marker: Marker,
}

impl Plot for SlopePlot {
    const NAME: &'static str = "slope plot";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "slopes", self.slopes.len())?;
        check::finite(Self::NAME, "a prompt's slope", &self.slopes)?;
        if let Some(mean) = &self.mean {
            check::interval(Self::NAME, "the mean slope", mean)?;
        }
        for group in &self.controls {
            check::some(Self::NAME, "slopes of a control", group.slopes.len())?;
            check::finite(Self::NAME, &group.name, &group.slopes)?;
        }
        if let Some(random) = &self.random {
            check::some(Self::NAME, "slopes of random directions", random.slopes.len())?;
            check::finite(Self::NAME, "a random direction's slope", &random.slopes)?;
            check::finite(Self::NAME, "the 95th percentile", &[random.percentile_95])?;
        }
        Ok(())
    }

    fn size(&self) -> (u32, u32) {
        let rows = self.rows().len() as f64 * ROW;
        (1200, (ROWS_TOP + rows + 76.0) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let title = fit_text(&plain(&self.title), TITLE, 1200.0 - LEFT - 20.0);
        canvas.text(&title, (LEFT, 32.0), Lettering::new(TITLE, INK))?;
        let x = self.x_axis();
        self.draw_bars(&canvas, &x)?;
        self.draw_rows(&canvas, &x)?;
        draw_legend(&canvas, LEGEND, LEGEND_WIDTH, &self.entries())
    }
}
