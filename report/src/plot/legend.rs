//! Legends, set in a column of their own beside the data.

use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBAColor, RGBColor};

use super::canvas::{Canvas, DrawResult, Lettering, Marker, Point, Rect};
use super::font::wrap_text;
use super::frame::TEXT;
use super::palette::INK;

/// What stands before an entry's text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// A line with a marker.
    Series(RGBColor, Marker),
    /// A line without marker.
    Line(RGBAColor, u32),
    /// A broken line: colour, dash and gap.
    Dashes(RGBColor, (f64, f64)),
    /// A marker with error bar.
    Estimate(RGBColor, Marker),
    /// A lone marker.
    Point(RGBAColor, Marker),
    /// A filled area.
    Area(RGBAColor),
    /// Text only, for further lines about the entry above.
    Note,
}

/// One entry: a key and its text, which is broken to the column's width.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: Key,
    pub text: String,
}

impl Entry {
    pub fn new(key: Key, text: impl Into<String>) -> Self {
        Self { key, text: text.into() }
    }
}

const KEY_WIDTH: f64 = 34.0;
const LINE: f64 = 20.0;
const GAP: f64 = 7.0;

/// Height of the legend that [`draw_legend`] draws in a column `width` wide.
pub(super) fn legend_height(width: f64, entries: &[Entry]) -> f64 {
    let height = |entry: &Entry| {
        let lines = wrap_text(&entry.text, TEXT, width - KEY_WIDTH).len() as f64;
        let note = if matches!(entry.key, Key::Note) { GAP } else { 0.0 };
        lines * LINE + GAP - note
    };
    entries.iter().map(height).sum()
}

/// Draws entries downwards from `at` in a column `width` wide.
pub(super) fn draw_legend<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    at: Point,
    width: f64,
    entries: &[Entry],
) -> DrawResult<DB> {
    let (left, mut y) = at;
    for entry in entries {
        if matches!(entry.key, Key::Note) {
            y -= GAP;
        }
        draw_key(canvas, (left, y), entry.key)?;
        for line in wrap_text(&entry.text, TEXT, width - KEY_WIDTH) {
            canvas.text(&line, (left + KEY_WIDTH, y), Lettering::new(TEXT, INK))?;
            y += LINE;
        }
        y += GAP;
    }
    Ok(())
}

fn draw_key<DB: DrawingBackend>(canvas: &Canvas<DB>, at: Point, key: Key) -> DrawResult<DB> {
    let (left, y) = at;
    let (middle, right) = (left + 12.0, left + 24.0);
    let ends = [(left, y), (right, y)];
    match key {
        Key::Series(color, marker) => {
            canvas.line(&ends, color.to_rgba(), 2)?;
            canvas.marker((middle, y), marker, 5.0, color.to_rgba())
        }
        Key::Line(color, width) => canvas.line(&ends, color, width),
        Key::Dashes(color, pattern) => canvas.dashes(ends, color.to_rgba(), pattern),
        Key::Estimate(color, marker) => {
            canvas.error_bar(middle, (y - 9.0, y + 9.0), color)?;
            canvas.marker((middle, y), marker, 5.0, color.to_rgba())
        }
        Key::Point(color, marker) => canvas.marker((middle, y), marker, 4.0, color),
        Key::Area(color) => {
            let rect = Rect { left, right, top: y - 7.0, bottom: y + 7.0 };
            canvas.fill_rect(rect, color)
        }
        Key::Note => Ok(()),
    }
}
