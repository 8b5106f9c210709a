//! One panel of a score shift plot.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, WHITE};

use super::layout::{LINE, Layout, MARGIN, OUTWARDS, SMALL, Texts, stride};
use super::margins::{draw_margins, draw_path};
use super::{Scene, ShiftPanel};
use crate::plot::canvas::{Canvas, DrawResult, Lettering, Marker, Point, Rect};
use crate::plot::font::text_width;
use crate::plot::frame::{Axis, Panel, TEXT};
use crate::plot::label::number;
use crate::plot::palette::{BLUE, INK, SOFT_INK, VERMILION};

/// Length of the stroke that shows where a point beyond the axes lies.
const STROKE: f64 = 8.0;
/// Length of an arrow's head; shorter arrows have none.
const HEAD: f64 = 10.0;
/// Radius of points that are drawn at the edge, or more.
const EDGE_RADIUS: f64 = 4.0;

pub(super) fn draw_panel<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    drawn: &ShiftPanel,
    scene: &Scene,
    layout: &Layout,
    i: usize,
) -> DrawResult<DB> {
    let rect = layout.panel(i);
    let [x, y] = scene.axes.clone();
    let panel = Panel { rect, x, y };
    panel.draw_frame(canvas, false)?;
    draw_margins(canvas, &panel, drawn)?;
    let (zero_x, zero_y) = panel.at(0.0, 0.0);
    canvas.plumb(zero_x, rect.top, rect.bottom, SOFT_INK)?;
    canvas.rule(rect.left, rect.right, zero_y, SOFT_INK)?;
    let looks = [(BLUE, Marker::Circle), (VERMILION, Marker::Triangle)];
    for (points, (color, marker)) in [&drawn.before, &drawn.after].into_iter().zip(looks) {
        let (radius, opacity) = size_of(points.len());
        for point in points.iter().step_by(stride(points.len())) {
            let at = panel.at(point[0], point[1]);
            match scene.holds(*point) {
                true => canvas.marker(at, marker, radius, color.mix(opacity))?,
                false => {
                    draw_stroke(canvas, &panel, *point, at)?;
                    canvas.marker(at, marker, radius.max(EDGE_RADIUS), color.to_rgba())?;
                }
            }
        }
    }
    // what is broken lies above what is whole: where both run alike, both are seen
    for (cloud, (is_broken, color)) in scene.clouds[i].iter().zip([(true, BLUE), (false, VERMILION)]).rev() {
        for line in &cloud.contours {
            let path: Vec<Point> = line.iter().map(|[x, y]| panel.at(*x, *y)).collect();
            draw_path(canvas, &path, color, is_broken)?;
        }
    }
    draw_corners(canvas, rect, drawn)?;
    draw_arrow(canvas, &panel, drawn)?;
    draw_texts(canvas, &panel, layout, &layout.texts[i])
}

/// Radius and opacity of points: of many, smaller and fainter ones.
fn size_of(n: usize) -> (f64, f64) {
    match n {
        0..=40 => (4.5, 0.75),
        41..=250 => (3.0, 0.45),
        _ => (2.0, 0.3),
    }
}

/// A stroke outwards from a point that is drawn at the edge.
fn draw_stroke<DB: DrawingBackend>(canvas: &Canvas<DB>, panel: &Panel, point: [f64; 2], at: Point) -> DrawResult<DB> {
    let beyond = |value: f64, axis: &Axis| match value {
        value if value < axis.low => -STROKE,
        value if value > axis.high => STROKE,
        _ => 0.0,
    };
    let (x, y) = (beyond(point[0], &panel.x), beyond(point[1], &panel.y));
    canvas.line(&[at, (at.0 + x, at.1 - y)], INK.to_rgba(), 2)
}

/// The shares of rows in the quadrants, before and after.
fn draw_corners<DB: DrawingBackend>(canvas: &Canvas<DB>, rect: Rect, drawn: &ShiftPanel) -> DrawResult<DB> {
    const INWARDS: f64 = 5.0;
    const HALF: f64 = 9.0;
    for (i, shares) in drawn.quadrants.iter().enumerate() {
        let [before, after] = shares.map(|share| number(100.0 * share, 0));
        let text = format!("{before} → {after} %");
        let width = text_width(&text, SMALL) + 8.0;
        let left = if i % 2 == 0 { rect.right - INWARDS - width } else { rect.left + INWARDS };
        let middle = if i < 2 { rect.top + INWARDS + HALF } else { rect.bottom - INWARDS - HALF };
        let ground = Rect { left, top: middle - HALF, right: left + width, bottom: middle + HALF };
        canvas.fill_rect(ground, WHITE.mix(0.75))?;
        let style = Lettering::new(SMALL, INK).across(HPos::Center);
        canvas.text(&text, (left + width / 2.0, middle), style)?;
    }
    Ok(())
}

/// The mean shift: an arrow over a light ground, and the ellipse around its tip. Where the ellipse is too small for the arrow's head, the
/// arrow ends at its rim.
fn draw_arrow<DB: DrawingBackend>(canvas: &Canvas<DB>, panel: &Panel, drawn: &ShiftPanel) -> DrawResult<DB> {
    let rim: Vec<Point> = drawn.ellipse().into_iter().map(|[x, y]| panel.at(x, y)).collect();
    let [x, y] = drawn.mean_shift.map(|mean| mean.value);
    let (from, center) = (panel.at(0.0, 0.0), panel.at(x, y));
    let whole = (center.0 - from.0).hypot(center.1 - from.1);
    // of length 1, and none where nothing has moved
    let (u, v) = ((center.0 - from.0) / whole.max(1e-9), (center.1 - from.1) / whole.max(1e-9));
    let inwards = |at: &Point| (at.0 - center.0) * u + (at.1 - center.1) * v;
    let nearest = rim.iter().map(inwards).fold(0.0, f64::min).abs();
    let length = if nearest < 1.5 * HEAD { whole - nearest } else { whole };
    let tip = (from.0 + u * length, from.1 + v * length);
    let mut strokes = vec![vec![from, tip]];
    if length > HEAD {
        let side = |s: f64| (tip.0 - (u + s * v * 0.5) * HEAD, tip.1 - (v - s * u * 0.5) * HEAD);
        strokes.push(vec![side(1.0), tip, side(-1.0)]);
    }
    canvas.fill(&rim, WHITE.mix(0.4))?;
    for (width, color) in [(6, WHITE.mix(0.8)), (3, INK.to_rgba())] {
        for stroke in strokes.iter().filter(|_| length > 0.0) {
            canvas.line(stroke, color, width)?;
        }
    }
    canvas.marker(from, Marker::Circle, 4.0, INK.to_rgba())?;
    canvas.line(&rim, INK.to_rgba(), 2)
}

fn draw_texts<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel,
    layout: &Layout,
    texts: &Texts,
) -> DrawResult<DB> {
    let Rect { left, top, right, bottom } = panel.rect;
    let name_top = layout.name_top(panel.rect);
    for (line, row) in texts.name.iter().zip(0u8..) {
        canvas.text(line, (left, name_top + f64::from(row) * LINE), Lettering::new(TEXT, INK))?;
    }
    for (value, label) in &panel.x.ticks {
        let style = Lettering::new(TEXT, INK).across(HPos::Center).down(VPos::Top);
        canvas.text(label, (panel.x(*value), bottom + 10.0), style)?;
    }
    let first = bottom + 30.0 + LINE / 2.0;
    let middle = (left + right) / 2.0;
    for ((line, em), row) in texts.axes[0].iter().zip(0u8..) {
        let style = Lettering::new(*em, INK).across(HPos::Center);
        canvas.text(line, (middle, first + f64::from(row) * LINE), style)?;
    }
    let n = texts.axes[1].len() as f64;
    for ((line, em), row) in texts.axes[1].iter().zip(0u8..) {
        let style = Lettering::new(*em, INK).across(HPos::Center).upward();
        let x = left - layout.ticks - (n - 0.5 - f64::from(row)) * LINE;
        canvas.text(line, (x, (top + bottom - MARGIN) / 2.0), style)?;
    }
    let first = first + texts.axes[0].len() as f64 * LINE + 8.0;
    for (line, row) in texts.caption.iter().zip(0u8..) {
        canvas.text(line, (left - OUTWARDS, first + f64::from(row) * LINE), Lettering::new(SMALL, SOFT_INK))?;
    }
    Ok(())
}
