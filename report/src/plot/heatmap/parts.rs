//! Cells, axes and colour bar of a heatmap.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBColor, WHITE};

use super::Heatmap;
use crate::plot::canvas::{Canvas, DrawResult, Lettering, Rect};
use crate::plot::font::{fit_text, text_width, wrap_text};
use crate::plot::frame::TEXT;
use crate::plot::label::{plain, short};
use crate::plot::palette::{AXIS, HATCH, INK, MISSING, SOFT_INK, luminance};

pub(super) const LEFT: f64 = 84.0;
const TOP: f64 = 62.0;
const SIDE: f64 = 206.0;
const WIDTH: f64 = 1200.0;
const CELL_TEXT: f64 = 13.0;
const BAR_STEPS: usize = 60;
const MIN_BAR: f64 = 170.0;
/// Smallest side of a cell that has room for a sign.
const SIGNED_CELL: f64 = 12.0;

pub(super) struct Layout {
    cell_width: f64,
    cell_height: f64,
    map: Rect,
    bar: Rect,
    /// Length of the longest token label.
    tokens: f64,
    pub width: f64,
    pub height: f64,
}

impl Layout {
    pub fn of(plot: &Heatmap) -> Self {
        let (n_tokens, n_layers) = (plot.token_labels.len() as f64, plot.layers.len() as f64);
        let cell_width = ((WIDTH - LEFT - SIDE) / n_tokens).floor().clamp(3.0, 64.0);
        let cell_height = (640.0 / n_layers).floor().clamp(5.0, 30.0);
        let map =
            Rect { left: LEFT, top: TOP, right: LEFT + n_tokens * cell_width, bottom: TOP + n_layers * cell_height };
        let width = (map.right + SIDE).max(560.0);
        let left = map.right + 36.0;
        let bar_top = TOP + 44.0;
        let bar_bottom = (map.bottom - 26.0).max(bar_top + MIN_BAR);
        let bar = Rect { left, right: left + 22.0, top: bar_top, bottom: bar_bottom };
        let labels = plot.token_texts().map(|text| text_width(&text, CELL_TEXT));
        let tokens = labels.fold(0.0, f64::max);
        let height = (map.bottom + tokens + 52.0).max(bar.bottom + 150.0);
        Self { cell_width, cell_height, map, bar, tokens, width, height }
    }

    fn cell(&self, row: usize, column: usize) -> Rect {
        let bottom = self.map.bottom - row as f64 * self.cell_height;
        let left = self.map.left + column as f64 * self.cell_width;
        Rect { left, right: left + self.cell_width, top: bottom - self.cell_height, bottom }
    }
}

impl Heatmap {
    pub(super) fn draw_cells<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, layout: &Layout) -> DrawResult<DB> {
        for (row, values) in self.values.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let cell = layout.cell(row, column);
                if value.is_nan() {
                    draw_missing(canvas, cell)?;
                    continue;
                }
                let color = self.colors.color(f64::from(value / self.clip));
                canvas.fill_rect(cell, color.to_rgba())?;
                if self.hatched.get(row).and_then(|row| row.get(column)).is_some_and(|hatched| *hatched) {
                    draw_hatching(canvas, cell)?;
                }
                if self.is_signed(value) && cell.width().min(cell.height()) >= SIGNED_CELL {
                    draw_sign(canvas, cell, value, if luminance(color) < 0.4 { WHITE } else { INK })?;
                }
                if value.abs() > self.clip && cell.width().min(cell.height()) >= 8.0 {
                    let mark = if luminance(color) < 0.4 { WHITE } else { INK };
                    let (right, top) = (cell.right - 1.0, cell.top + 1.0);
                    let corner = [(right - 7.0, top), (right, top), (right, top + 7.0)];
                    canvas.fill(&corner, mark.mix(0.9))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn draw_axes<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, layout: &Layout) -> DrawResult<DB> {
        let map = layout.map;
        draw_border(canvas, map)?;
        let every = label_step(layout.cell_height, 15.0);
        for (row, layer) in self.layers.iter().enumerate() {
            if layer % every == 0 || self.layers.len() == 1 {
                let y = layout.cell(row, 0).middle().1;
                let style = Lettering::new(CELL_TEXT, INK).across(HPos::Right);
                canvas.text(&layer.to_string(), (map.left - 8.0, y), style)?;
            }
        }
        let every = label_step(layout.cell_width, 15.0);
        for (column, text) in self.token_texts().enumerate().step_by(every) {
            let x = layout.cell(0, column).middle().0;
            let style = Lettering::new(CELL_TEXT, INK).across(HPos::Right).upward();
            canvas.text(&text, (x, map.bottom + 8.0), style)?;
        }
        let (middle_x, middle_y) = map.middle();
        let style = Lettering::new(TEXT, INK).across(HPos::Center);
        let [name, short] = self.y_label.each_ref().map(|name| plain(name));
        let name = if text_width(&name, TEXT) <= map.height() { name } else { short };
        canvas.text(&name, (26.0, middle_y), style.upward())?;
        let name = fit_text(&plain(&self.x_label), TEXT, layout.width - 40.0);
        canvas.text(&name, (middle_x, map.bottom + layout.tokens + 30.0), style)
    }

    pub(super) fn draw_bar<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, layout: &Layout) -> DrawResult<DB> {
        let bar = layout.bar;
        let edge = |step: usize| bar.bottom - bar.height() * step as f64 / BAR_STEPS as f64;
        for step in 0..BAR_STEPS {
            let at = (step as f64 + 0.5) / BAR_STEPS as f64 * 2.0 - 1.0;
            let strip = Rect { top: edge(step + 1), bottom: edge(step), ..bar };
            canvas.fill_rect(strip, self.colors.color(at).to_rgba())?;
        }
        let middle = bar.middle().0;
        for (tip, edge, at) in [(bar.top - 14.0, bar.top, 1.0), (bar.bottom + 14.0, bar.bottom, -1.0)] {
            let head = [(bar.left, edge), (middle, tip), (bar.right, edge)];
            canvas.fill(&head, self.colors.color(at).to_rgba())?;
            canvas.rule(bar.left - 4.0, bar.right + 4.0, edge, INK)?;
        }
        let clip = f64::from(self.clip);
        let whole = clip.fract() == 0.0 && clip <= 5.0;
        let step = if whole { 1.0 } else { clip / 2.0 };
        let n = (clip / step).round() as i32;
        for i in -n..=n {
            let value = f64::from(i) * step;
            let y = bar.bottom - bar.height() * (value / clip + 1.0) / 2.0;
            canvas.rule(bar.right, bar.right + 5.0, y, AXIS)?;
            let sign = if i > 0 { "+" } else { "" };
            let label = format!("{sign}{}", short(value));
            canvas.text(&label, (bar.right + 10.0, y), Lettering::new(TEXT, INK))?;
        }
        Ok(())
    }

    pub(super) fn draw_notes<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, layout: &Layout) -> DrawResult<DB> {
        let bar = layout.bar;
        let style = Lettering::new(TEXT, INK);
        let (quantity, unit) = (plain(&self.quantity), plain(&self.unit));
        let named = if unit.is_empty() { quantity } else { format!("{quantity} ({unit})") };
        let named = fit_text(&named, TEXT, SIDE - 40.0);
        canvas.text(&named, (bar.left - 4.0, TOP + 4.0), style)?;
        let [low, high] = self.poles.each_ref().map(|pole| fit_text(&plain(pole), TEXT, SIDE - 80.0));
        canvas.text(&high, (bar.right + 10.0, bar.top - 17.0), style)?;
        canvas.text(&low, (bar.right + 10.0, bar.bottom + 17.0), style)?;
        let mut y = bar.bottom + 46.0;
        for note in self.notes() {
            for line in wrap_text(&note, CELL_TEXT, SIDE - 44.0) {
                let style = Lettering::new(CELL_TEXT, SOFT_INK);
                canvas.text(&line, (bar.left - 4.0, y), style)?;
                y += 18.0;
            }
        }
        Ok(())
    }
}

/// How many cells lie from one label to the next so that labels are `room` pixels apart.
fn label_step(cell: f64, room: f64) -> usize {
    [1, 2, 5, 10, 20, 50].into_iter().find(|step| cell * *step as f64 >= room).unwrap_or(100)
}

/// A plus or a minus in the middle of a cell.
fn draw_sign<DB: DrawingBackend>(canvas: &Canvas<DB>, cell: Rect, value: f32, ink: RGBColor) -> DrawResult<DB> {
    let (x, y) = cell.middle();
    let color = ink.mix(0.75);
    canvas.line(&[(x - 3.0, y), (x + 3.0, y)], color, 1)?;
    if value > 0.0 {
        canvas.line(&[(x, y - 3.0), (x, y + 3.0)], color, 1)?;
    }
    Ok(())
}

fn draw_missing<DB: DrawingBackend>(canvas: &Canvas<DB>, cell: Rect) -> DrawResult<DB> {
    canvas.fill_rect(cell, MISSING.to_rgba())?;
    draw_hatching(canvas, cell)
}

fn draw_hatching<DB: DrawingBackend>(canvas: &Canvas<DB>, cell: Rect) -> DrawResult<DB> {
    let (width, height) = (cell.width(), cell.height());
    let mut offset = 6.0;
    while offset < width + height {
        // A stroke from the left or bottom edge up to the top or right edge.
        let start = (cell.left + (offset - height).max(0.0), cell.top + offset.min(height));
        let end = (cell.left + offset.min(width), cell.top + (offset - width).max(0.0));
        canvas.line(&[start, end], HATCH.to_rgba(), 1)?;
        offset += 6.0;
    }
    Ok(())
}

fn draw_border<DB: DrawingBackend>(canvas: &Canvas<DB>, map: Rect) -> DrawResult<DB> {
    for y in [map.top - 1.0, map.bottom] {
        canvas.rule(map.left - 1.0, map.right + 1.0, y, AXIS)?;
    }
    for x in [map.left - 1.0, map.right] {
        canvas.plumb(x, map.top - 1.0, map.bottom + 1.0, AXIS)?;
    }
    Ok(())
}
