//! The panels under a sweep: likelihood, repetition, truncation.

use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor};

use super::layout::{BOUND_PATTERN, LEFT, LEGEND_LEFT, LEGEND_WIDTH, Layout, RIGHT, draw_range, x_axis};
use super::{SweepCoherence, SweepPlot};
use crate::plot::canvas::{Canvas, DrawResult, Marker};
use crate::plot::frame::{Axis, Panel, extent};
use crate::plot::label::rounded;
use crate::plot::legend::{Entry, Key, draw_legend};
use crate::plot::palette::{INK, ORANGE, PURPLE};

pub(super) fn draw_coherence<DB: DrawingBackend>(
    plot: &SweepPlot,
    coherence: &SweepCoherence,
    canvas: &Canvas<DB>,
    layout: &Layout,
) -> DrawResult<DB> {
    let x = x_axis(plot);
    let bound = plot.coherent.as_ref().and_then(|range| range.nll_bound);
    let values = &coherence.negative_log_likelihood;
    let range = extent(values.iter().copied().chain(bound)).unwrap_or((0.0, 1.0));
    let y = Axis::round(range, 4, "nats / token");
    let upper = Panel { rect: layout.likelihood, x: x.clone(), y };
    draw_range(plot, canvas, &upper, false)?;
    upper.draw_frame(canvas, false)?;
    if let Some(bound) = bound {
        let y = upper.y(bound);
        canvas.dashes([(LEFT, y), (RIGHT, y)], INK.to_rgba(), BOUND_PATTERN)?;
    }
    draw_curve(canvas, &upper, plot, (values, INK, Marker::Circle))?;

    let shares = coherence.repetition.iter().chain(&coherence.truncated).copied();
    let (_, high) = extent(shares).unwrap_or((0.0, 1.0));
    let y = Axis::within((0.0, (high * 1.15).max(0.1)), 4, "share");
    let lower = Panel { rect: layout.shares, x: x.clone(), y };
    draw_range(plot, canvas, &lower, false)?;
    lower.draw_frame(canvas, true)?;
    draw_curve(canvas, &lower, plot, (&coherence.repetition, PURPLE, Marker::Square))?;
    draw_curve(canvas, &lower, plot, (&coherence.truncated, ORANGE, Marker::Diamond))?;
    draw_coherence_legend(canvas, layout, bound)
}

fn draw_coherence_legend<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    layout: &Layout,
    bound: Option<f64>,
) -> DrawResult<DB> {
    let mut entries =
        vec![Entry::new(Key::Series(INK, Marker::Circle), "negative log-likelihood per output token, unsteered model")];
    if let Some(bound) = bound {
        let text = format!("bound of the coherent range ({})", rounded(bound));
        entries.push(Entry::new(Key::Dashes(INK, BOUND_PATTERN), text));
    }
    draw_legend(canvas, (LEGEND_LEFT, layout.likelihood.top + 12.0), LEGEND_WIDTH, &entries)?;
    let entries = [
        Entry::new(Key::Series(PURPLE, Marker::Square), "repeated 4-grams"),
        Entry::new(Key::Series(ORANGE, Marker::Diamond), "outputs cut by the length limit"),
    ];
    draw_legend(canvas, (LEGEND_LEFT, layout.shares.top + 12.0), LEGEND_WIDTH, &entries)
}

fn draw_curve<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel,
    plot: &SweepPlot,
    (values, color, marker): (&[f64], RGBColor, Marker),
) -> DrawResult<DB> {
    let coefficients = plot.coefficients();
    let points: Vec<_> = coefficients.iter().zip(values).map(|(x, y)| panel.at(*x, *y)).collect();
    canvas.line(&points, color.to_rgba(), 2)?;
    for point in points {
        canvas.marker(point, marker, 4.5, color.to_rgba())?;
    }
    Ok(())
}
