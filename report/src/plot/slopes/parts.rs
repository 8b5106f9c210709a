//! Histogram and rows of a slope plot.

use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::histogram::histogram;
use super::{LEFT, LIMIT_PATTERN, RIGHT, Row, SlopePlot};
use crate::plot::canvas::{Canvas, DrawResult, Lettering, Marker, Rect};
use crate::plot::font::wrap_text;
use crate::plot::frame::{Axis, Panel, TEXT};
use crate::plot::label::number;
use crate::plot::palette::{BLUE, INK, SEPARATOR, VERMILION};
use crate::plot::{Estimate, ends_of};

const BARS: Rect = Rect { left: LEFT, top: 64.0, right: RIGHT, bottom: 284.0 };
pub(super) const ROWS_TOP: f64 = 296.0;
pub(super) const ROW: f64 = 68.0;

impl SlopePlot {
    pub(super) fn draw_bars<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, x: &Axis) -> DrawResult<DB> {
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
            let right = panel.x(bin.high).max(left + 2.0);
            let bottom = BARS.bottom;
            let rect = Rect { left: left + 1.0, right, top, bottom };
            canvas.fill_rect(rect, color.mix(0.75))?;
        }
        canvas.line(&[(panel.x(0.0), BARS.top), (panel.x(0.0), BARS.bottom)], INK.to_rgba(), 2)
    }

    pub(super) fn draw_rows<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, x: &Axis) -> DrawResult<DB> {
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

fn draw_mean<DB: DrawingBackend>(canvas: &Canvas<DB>, panel: &Panel, mean: &Estimate, middle: f64) -> DrawResult<DB> {
    let (lower, upper) = ends_of(mean);
    let (lower, upper) = (panel.x(lower), panel.x(upper));
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
