//! Means, single prompts, fitted line and controls of a sweep.

use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor};

use super::layout::{LEFT, RIGHT};
use super::{Control, ControlKind, SweepPlot};
use crate::plot::canvas::{Canvas, DrawResult, Marker};
use crate::plot::ends_of;
use crate::plot::frame::Panel;
use crate::plot::palette::{BLUE, GREEN, ORANGE, PURPLE, RANDOM, SKY, SOFT_INK, VERMILION};

pub(super) fn control_look(kind: ControlKind) -> (RGBColor, Marker) {
    match kind {
        ControlKind::Random => (RANDOM, Marker::Circle),
        ControlKind::Shuffled => (PURPLE, Marker::Triangle),
        ControlKind::Clean => (GREEN, Marker::Square),
        ControlKind::Other => (ORANGE, Marker::Diamond),
    }
}

pub(super) fn draw_controls<DB: DrawingBackend>(
    plot: &SweepPlot,
    canvas: &Canvas<DB>,
    panel: &Panel,
) -> DrawResult<DB> {
    for (i, (_, level)) in plot.levels.iter().enumerate() {
        let y = panel.y(*level);
        canvas.dashes([(LEFT, y), (RIGHT, y)], level_color(i).to_rgba(), level_pattern(i))?;
    }
    let random_last = |control: &&Control| control.kind != ControlKind::Random;
    let (named, random): (Vec<_>, Vec<_>) = plot.controls.iter().partition(random_last);
    for control in random.into_iter().chain(named) {
        let (color, marker) = control_look(control.kind);
        let points: Vec<_> = control.points.iter().map(|(x, y)| panel.at(*x, *y)).collect();
        if control.kind == ControlKind::Random {
            canvas.line(&points, color.mix(0.55), 1)?;
            continue;
        }
        canvas.line(&points, color.to_rgba(), 2)?;
        for point in points {
            canvas.marker(point, marker, 5.0, color.to_rgba())?;
        }
    }
    Ok(())
}

pub(super) fn level_color(index: usize) -> RGBColor {
    [ORANGE, SOFT_INK, SKY][index % 3]
}

pub(super) fn level_pattern(index: usize) -> (f64, f64) {
    [(10.0, 5.0), (3.0, 4.0), (6.0, 3.0)][index % 3]
}

/// Single prompts, spread a little so that equal values are all seen; those beyond the axis as arrows.
pub(super) fn draw_prompts<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
    let n = plot.prompts.len().max(2) as f64;
    for (i, prompt) in plot.prompts.iter().enumerate() {
        let shift = (i as f64 / (n - 1.0) - 0.5) * 16.0;
        for (point, value) in plot.points.iter().zip(prompt) {
            let (x, y) = panel.at(point.coefficient, *value);
            let marker = match value {
                v if *v > panel.y.high => Marker::Triangle,
                v if *v < panel.y.low => Marker::TriangleDown,
                _ => Marker::Circle,
            };
            let (radius, y, alpha) = match marker {
                Marker::Triangle => (5.0, y + 7.0, 0.6),
                Marker::TriangleDown => (5.0, y - 7.0, 0.6),
                _ => (3.0, y, 0.22),
            };
            canvas.marker((x + shift, y), marker, radius, BLUE.mix(alpha))?;
        }
    }
    Ok(())
}

pub(super) fn draw_line<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
    let Some(line) = &plot.line else {
        return Ok(());
    };
    if line.band.len() > 1 {
        canvas.fill(&panel.between(&line.band), VERMILION.mix(0.18))?;
    }
    let end = |x: f64| panel.at(x, line.at(x));
    canvas.line(&[end(line.range.0), end(line.range.1)], VERMILION.to_rgba(), 3)
}

pub(super) fn draw_means<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
    for point in &plot.points {
        let (x, y) = panel.at(point.coefficient, point.mean.value);
        let (low, high) = ends_of(&point.mean);
        let ends = (panel.y(high), panel.y(low));
        canvas.error_bar(x, ends, BLUE)?;
        canvas.marker((x, y), Marker::Circle, 6.0, BLUE.to_rgba())?;
    }
    Ok(())
}
