//! How steerable single prompts are: their slopes, with 0 marked, beside the slopes of controls.
//!
//! Above, a histogram whose bins meet at 0, so that no bar mixes steerable and anti-steerable prompts
//! (slope below 0). Beneath, every slope as a point, a row a group; the mean slope stands next to the
//! slopes that random directions reach, with their 95th percentile drawn through both rows.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBColor};

use super::canvas::{Canvas, DrawResult, Lettering, Marker, Rect};
use super::font::{fit_text, wrap_text};
use super::frame::{Axis, Panel, TEXT, TITLE, extent, round_step};
use super::label::{number, plain, rounded};
use super::legend::{Entry, Key, draw_legend};
use super::palette::{BLUE, GREEN, INK, ORANGE, PURPLE, SEPARATOR, SOFT_INK, VERMILION};
use super::{Interval, Plot, PlotError, check};

const LEFT: f64 = 214.0;
const RIGHT: f64 = 890.0;
const BARS: Rect = Rect { left: LEFT, top: 64.0, right: RIGHT, bottom: 284.0 };
const ROWS_TOP: f64 = 296.0;
const ROW: f64 = 68.0;
const LEGEND: (f64, f64) = (920.0, 80.0);
const LEGEND_WIDTH: f64 = 266.0;
const LIMIT_PATTERN: (f64, f64) = (6.0, 4.0);

/// Slopes of single prompts and of controls.
#[derive(Debug, Clone)]
pub struct SlopePlot {
    /// Title, one line.
    pub title: String,
    /// Name of the slope axis with its unit.
    pub x_label: String,
    /// Least-squares slope of each prompt.
    pub slopes: Vec<f64>,
    /// Mean slope with its interval.
    pub mean: Option<Interval>,
    /// Per-prompt slopes of other runs: shuffled labels, clean prompts.
    pub controls: Vec<SlopeGroup>,
    /// Mean slopes of random directions.
    pub random: Option<RandomSlopes>,
}

/// Per-prompt slopes of a control.
#[derive(Debug, Clone, PartialEq)]
pub struct SlopeGroup {
    /// Name of the row.
    pub name: String,
    /// One slope a prompt.
    pub slopes: Vec<f64>,
}

/// Mean slopes of random directions of equal norm.
#[derive(Debug, Clone, PartialEq)]
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
        let mean = self.mean.iter().flat_map(|m| [m.value, m.lower, m.upper]);
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
            let (lower, upper) = (rounded(mean.lower), rounded(mean.upper));
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

impl SlopePlot {
    fn draw_bars<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, x: &Axis) -> DrawResult<DB> {
        let bins = histogram(&self.slopes);
        let tallest = bins.iter().map(|bin| bin.count).max().unwrap_or(1) as f64;
        let mut y = Axis::within((0.0, tallest * 1.08), 5, "prompts");
        y.ticks.retain(|(value, _)| value.fract() == 0.0);
        for tick in &mut y.ticks {
            tick.1 = number(tick.0, 0);
        }
        let panel = Panel { rect: BARS, x: x.clone(), y };
        panel.draw_frame(canvas, false)?;
        for bin in bins.iter().filter(|bin| bin.count > 0) {
            let color = if bin.low < 0.0 { VERMILION } else { BLUE };
            let (left, top) = panel.at(bin.low, bin.count as f64);
            let rect = Rect { left: left + 1.0, right: panel.x(bin.high), top, bottom: BARS.bottom };
            canvas.fill_rect(rect, color.mix(0.75))?;
        }
        canvas.line(&[(panel.x(0.0), BARS.top), (panel.x(0.0), BARS.bottom)], INK.to_rgba(), 2)
    }

    fn draw_rows<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, x: &Axis) -> DrawResult<DB> {
        let rows = self.rows();
        let bottom = ROWS_TOP + rows.len() as f64 * ROW;
        let rect = Rect { left: LEFT, top: ROWS_TOP, right: RIGHT, bottom };
        let y = Axis { low: 0.0, high: 1.0, ticks: Vec::new(), name: String::new() };
        let panel = Panel { rect, x: x.clone(), y };
        panel.draw_frame(canvas, true)?;
        canvas.line(&[(panel.x(0.0), ROWS_TOP), (panel.x(0.0), bottom)], INK.to_rgba(), 2)?;
        for (i, row) in rows.iter().enumerate() {
            let middle = ROWS_TOP + (i as f64 + 0.5) * ROW;
            if i > 0 {
                canvas.rule(LEFT - 190.0, RIGHT, middle - ROW / 2.0, SEPARATOR)?;
            }
            draw_row_name(canvas, &row.name, middle)?;
            draw_swarm(canvas, &panel, row, middle)?;
            if let (Some(mean), Marker::Diamond) = (&self.mean, row.marker) {
                draw_mean(canvas, &panel, mean, middle)?;
            }
        }
        if let Some(random) = &self.random {
            let n = if self.mean.is_some() { 2.0 } else { 1.0 };
            let at = panel.x(random.percentile_95);
            canvas.dashes([(at, bottom - n * ROW), (at, bottom)], INK.to_rgba(), LIMIT_PATTERN)?;
        }
        Ok(())
    }
}

fn draw_row_name<DB: DrawingBackend>(canvas: &Canvas<DB>, name: &str, middle: f64) -> DrawResult<DB> {
    let lines = wrap_text(name, TEXT, LEFT - 34.0);
    let lines = &lines[..lines.len().min(3)];
    let top = middle - (lines.len() as f64 - 1.0) * 9.0;
    for (i, line) in lines.iter().enumerate() {
        let style = Lettering::new(TEXT, INK).across(HPos::Right);
        canvas.text(line, (LEFT - 14.0, top + i as f64 * 18.0), style)?;
    }
    Ok(())
}

fn draw_mean<DB: DrawingBackend>(canvas: &Canvas<DB>, panel: &Panel, mean: &Interval, middle: f64) -> DrawResult<DB> {
    let (lower, upper) = (panel.x(mean.lower), panel.x(mean.upper));
    canvas.line(&[(lower, middle), (upper, middle)], BLUE.to_rgba(), 3)?;
    for x in [lower, upper] {
        canvas.line(&[(x, middle - 7.0), (x, middle + 7.0)], BLUE.to_rgba(), 2)?;
    }
    canvas.marker((panel.x(mean.value), middle), Marker::Diamond, 6.5, BLUE.to_rgba())
}

/// Points side by side where they would overlap, as far as the row has room.
fn draw_swarm<DB: DrawingBackend>(canvas: &Canvas<DB>, panel: &Panel, row: &Row, middle: f64) -> DrawResult<DB> {
    const APART: f64 = 8.5;
    let mut slopes = row.slopes.to_vec();
    slopes.sort_by(f64::total_cmp);
    // The rightmost point of each lane; lanes lie at 0, +1, −1, +2 … times `APART` from the middle.
    let mut lanes = [f64::NEG_INFINITY; 7];
    for (i, slope) in slopes.iter().enumerate() {
        let x = panel.x(*slope);
        let lane = lanes.iter().position(|last| x - last >= APART).unwrap_or(i % lanes.len());
        lanes[lane] = x;
        let side = if lane % 2 == 1 { 1.0 } else { -1.0 };
        let y = middle + side * lane.div_ceil(2) as f64 * APART;
        let color = if *slope < 0.0 && row.color == BLUE { VERMILION } else { row.color };
        canvas.marker((x, y), row.marker, 4.0, color.mix(0.8))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
struct Bin {
    low: f64,
    high: f64,
    count: usize,
}

/// Bins of round width, one edge at 0; about as many as the square root of the count suggests, doubled.
fn histogram(slopes: &[f64]) -> Vec<Bin> {
    let (low, high) = extent(slopes.iter().copied()).unwrap_or((0.0, 0.0));
    let span = if high - low > 0.0 { high - low } else { high.abs().max(1.0) };
    let n = (2.0 * (slopes.len() as f64).sqrt()).clamp(4.0, 40.0);
    let step = round_step(span, n as usize);
    let place = |slope: f64| (slope / step).floor() as i64;
    let (first, last) = (place(low), place(high));
    let bin = |i: i64| Bin {
        low: i as f64 * step,
        high: (i + 1) as f64 * step,
        count: slopes.iter().filter(|slope| place(**slope) == i).count(),
    };
    if last - first > 1000 {
        return Vec::new(); // slopes equal up to rounding, far from 0: the rows show them
    }
    (first..=last).map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_meet_at_zero_and_hold_every_slope() {
        let slopes = [-0.31, -0.02, 0.0, 0.05, 0.4, 0.41, 1.2];
        let bins = histogram(&slopes);
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), slopes.len());
        assert!(bins.iter().all(|bin| bin.low >= 0.0 || bin.high <= 1e-12));
        let negative: usize = bins.iter().filter(|bin| bin.low < 0.0).map(|bin| bin.count).sum();
        assert_eq!(negative, 2);
    }

    #[test]
    fn equal_slopes_make_one_bin() {
        let bins = histogram(&[0.5, 0.5, 0.5]);
        assert_eq!(bins.iter().filter(|bin| bin.count > 0).count(), 1);
    }
}
