//! The panels and the legend of a sweep plot.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBColor};

use super::canvas::{Canvas, DrawResult, Lettering, Marker, Rect};
use super::font::fit_text;
use super::frame::{Axis, Panel, TEXT, TITLE, extent};
use super::label::{number, plain, rounded, short};
use super::legend::{Entry, Key, draw_legend};
use super::palette::{BLUE, COHERENT, GREEN, INK, ORANGE, PURPLE, RANDOM, SKY, SOFT_INK, VERMILION};
use super::sweep_plot::{Control, ControlKind, SweepCoherence, SweepPlot};

const LEFT: f64 = 92.0;
const RIGHT: f64 = 866.0;
const MAIN: Rect = Rect { left: LEFT, top: 86.0, right: RIGHT, bottom: 526.0 };
const LIKELIHOOD: Rect = Rect { left: LEFT, top: 556.0, right: RIGHT, bottom: 686.0 };
const SHARES: Rect = Rect { left: LEFT, top: 716.0, right: RIGHT, bottom: 846.0 };
const LEGEND_LEFT: f64 = 896.0;
const LEGEND_WIDTH: f64 = 290.0;
const BOUND_PATTERN: (f64, f64) = (8.0, 5.0);

/// Draws the whole plot.
pub(super) fn draw<DB: DrawingBackend>(plot: &SweepPlot, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
    let canvas = Canvas::new(area)?;
    let title = fit_text(&plain(&plot.title), TITLE, 1200.0 - LEFT - 20.0);
    canvas.text(&title, (LEFT, 32.0), Lettering::new(TITLE, INK))?;
    let x = x_axis(plot);
    let panel = Panel { rect: MAIN, x: x.clone(), y: y_axis(plot) };
    draw_range(plot, &canvas, &panel, true)?;
    panel.draw_frame(&canvas, plot.coherence.is_none())?;
    draw_controls(plot, &canvas, &panel)?;
    draw_prompts(plot, &canvas, &panel)?;
    draw_line(plot, &canvas, &panel)?;
    draw_means(plot, &canvas, &panel)?;
    draw_legend(&canvas, (LEGEND_LEFT, MAIN.top + 10.0), LEGEND_WIDTH, &entries(plot, &panel))?;
    match &plot.coherence {
        Some(coherence) => draw_coherence(plot, coherence, &canvas, &x),
        None => Ok(()),
    }
}

fn x_axis(plot: &SweepPlot) -> Axis {
    let name = format!("coefficient ({}); + more correction, − more copying", plain(&plot.unit));
    Axis::at(&plot.coefficients(), &fit_text(&name, TEXT, MAIN.width()))
}

/// Covers means, line, controls and levels, and the single prompts that are no far outliers.
fn y_axis(plot: &SweepPlot) -> Axis {
    let means = plot.points.iter().flat_map(|p| [p.mean.value, p.mean.lower, p.mean.upper]);
    let band = plot.line.iter().flat_map(|line| &line.band);
    let band = band.flat_map(|(_, lower, upper)| [*lower, *upper]);
    let controls = plot.controls.iter().flat_map(|c| c.points.iter().map(|point| point.1));
    let levels = plot.levels.iter().map(|level| level.1);
    let (low, high) = outlier_fences(&plot.prompts);
    let single = plot.prompts.iter().flatten().copied().filter(|v| (low..=high).contains(v));
    let all = means.chain(band).chain(controls).chain(levels).chain(single);
    let name = fit_text(&plain(&plot.y_label), TEXT, MAIN.height());
    Axis::round(extent(all).unwrap_or((0.0, 1.0)), 8, &name)
}

/// Three interquartile ranges beyond the quartiles: one looping output must not flatten the rest.
fn outlier_fences(prompts: &[Vec<f64>]) -> (f64, f64) {
    let mut values: Vec<f64> = prompts.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return (0.0, 0.0);
    };
    let (lower, upper) = (values[last / 4], values[last - last / 4]);
    let reach = 3.0 * (upper - lower);
    (lower - reach, upper + reach)
}

fn draw_range<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel, named: bool) -> DrawResult<DB> {
    let Some(range) = &plot.coherent else {
        return Ok(());
    };
    let (left, right) = (panel.x(range.low), panel.x(range.high));
    let (left, right) = if right - left < 4.0 { (left - 2.0, right + 2.0) } else { (left, right) };
    let rect = Rect { left, right, ..panel.rect };
    canvas.fill_rect(rect, COHERENT.mix(0.09))?;
    if !named {
        return Ok(());
    }
    let y = panel.rect.top - 6.0;
    canvas.line(&[(left, y + 5.0), (left, y), (right, y), (right, y + 5.0)], GREEN.to_rgba(), 2)?;
    let text = format!("coherent range {} … {}", short(range.low), short(range.high));
    let half = super::font::text_width(&text, TEXT) / 2.0;
    let middle = ((left + right) / 2.0).clamp(LEFT + half, RIGHT - half);
    canvas.text(&text, (middle, y - 13.0), Lettering::new(TEXT, GREEN).across(HPos::Center))
}

fn control_look(kind: ControlKind) -> (RGBColor, Marker) {
    match kind {
        ControlKind::Random => (RANDOM, Marker::Circle),
        ControlKind::Shuffled => (PURPLE, Marker::Triangle),
        ControlKind::Clean => (GREEN, Marker::Square),
        ControlKind::Other => (ORANGE, Marker::Diamond),
    }
}

fn draw_controls<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
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

fn level_color(index: usize) -> RGBColor {
    [ORANGE, SOFT_INK, SKY][index % 3]
}

fn level_pattern(index: usize) -> (f64, f64) {
    [(10.0, 5.0), (3.0, 4.0), (6.0, 3.0)][index % 3]
}

/// Single prompts, spread a little so that equal values are all seen; those beyond the axis as arrows.
fn draw_prompts<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
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
            let (radius, y) = match marker {
                Marker::Triangle => (5.0, y + 7.0),
                Marker::TriangleDown => (5.0, y - 7.0),
                _ => (3.0, y),
            };
            canvas.marker((x + shift, y), marker, radius, BLUE.mix(0.22))?;
        }
    }
    Ok(())
}

fn draw_line<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
    let Some(line) = &plot.line else {
        return Ok(());
    };
    if line.band.len() > 1 {
        canvas.fill(&panel.between(&line.band), VERMILION.mix(0.18))?;
    }
    let end = |x: f64| panel.at(x, line.intercept + line.slope.value * x);
    canvas.line(&[end(line.range.0), end(line.range.1)], VERMILION.to_rgba(), 3)
}

fn draw_means<DB: DrawingBackend>(plot: &SweepPlot, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
    for point in &plot.points {
        let (x, y) = panel.at(point.coefficient, point.mean.value);
        let ends = (panel.y(point.mean.upper), panel.y(point.mean.lower));
        canvas.error_bar(x, ends, BLUE)?;
        canvas.marker((x, y), Marker::Circle, 6.0, BLUE.to_rgba())?;
    }
    Ok(())
}

fn entries(plot: &SweepPlot, panel: &Panel) -> Vec<Entry> {
    let mut entries = vec![Entry::new(Key::Estimate(BLUE, Marker::Circle), "mean over prompts, 95 % interval")];
    if !plot.prompts.is_empty() {
        let text = format!("single prompts (n = {})", plot.prompts.len());
        entries.push(Entry::new(Key::Point(BLUE.mix(0.4), Marker::Circle), text));
        let outside = |v: &&f64| **v > panel.y.high || **v < panel.y.low;
        let n_outside = plot.prompts.iter().flatten().filter(outside).count();
        if n_outside > 0 {
            let text = format!("prompt values beyond the axis: {n_outside}");
            entries.push(Entry::new(Key::Point(BLUE.mix(0.4), Marker::Triangle), text));
        }
    }
    if let Some(line) = &plot.line {
        let (low, high) = (short(line.range.0), short(line.range.1));
        let text = format!("line fitted on {low} … {high}");
        entries.push(Entry::new(Key::Line(VERMILION.to_rgba(), 3), text));
        let slope = &line.slope;
        let (value, lower, upper) = (rounded(slope.value), rounded(slope.lower), rounded(slope.upper));
        entries.push(Entry::new(Key::Note, format!("slope {value} [{lower}, {upper}]")));
        entries.push(Entry::new(Key::Note, format!("R² = {}", number(line.r_squared, 3))));
        if line.band.len() > 1 {
            entries.push(Entry::new(Key::Area(VERMILION.mix(0.25)), "the line's 95 % interval"));
        }
    }
    entries.extend(control_entries(plot));
    entries
}

fn control_entries(plot: &SweepPlot) -> Vec<Entry> {
    let mut entries = Vec::new();
    for control in plot.controls.iter().filter(|c| c.kind != ControlKind::Random) {
        let (color, marker) = control_look(control.kind);
        entries.push(Entry::new(Key::Series(color, marker), plain(&control.name)));
    }
    let n_random = plot.controls.iter().filter(|c| c.kind == ControlKind::Random).count();
    if n_random > 0 {
        let text = format!("random directions of equal norm ({n_random})");
        entries.push(Entry::new(Key::Line(RANDOM.mix(0.8), 2), text));
    }
    for (i, (name, _)) in plot.levels.iter().enumerate() {
        entries.push(Entry::new(Key::Dashes(level_color(i), level_pattern(i)), plain(name)));
    }
    entries
}

fn draw_coherence<DB: DrawingBackend>(
    plot: &SweepPlot,
    coherence: &SweepCoherence,
    canvas: &Canvas<DB>,
    x: &Axis,
) -> DrawResult<DB> {
    let bound = plot.coherent.as_ref().and_then(|range| range.nll_bound);
    let values = &coherence.negative_log_likelihood;
    let range = extent(values.iter().copied().chain(bound)).unwrap_or((0.0, 1.0));
    let y = Axis::round(range, 4, "nats / token");
    let upper = Panel { rect: LIKELIHOOD, x: x.clone(), y };
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
    let lower = Panel { rect: SHARES, x: x.clone(), y };
    draw_range(plot, canvas, &lower, false)?;
    lower.draw_frame(canvas, true)?;
    draw_curve(canvas, &lower, plot, (&coherence.repetition, PURPLE, Marker::Square))?;
    draw_curve(canvas, &lower, plot, (&coherence.truncated, ORANGE, Marker::Diamond))?;
    draw_coherence_legend(canvas, bound)
}

fn draw_coherence_legend<DB: DrawingBackend>(canvas: &Canvas<DB>, bound: Option<f64>) -> DrawResult<DB> {
    let mut entries =
        vec![Entry::new(Key::Series(INK, Marker::Circle), "negative log-likelihood per output token, unsteered model")];
    if let Some(bound) = bound {
        let text = format!("bound of the coherent range ({})", rounded(bound));
        entries.push(Entry::new(Key::Dashes(INK, BOUND_PATTERN), text));
    }
    draw_legend(canvas, (LEGEND_LEFT, LIKELIHOOD.top + 12.0), LEGEND_WIDTH, &entries)?;
    let entries = [
        Entry::new(Key::Series(PURPLE, Marker::Square), "repeated 4-grams"),
        Entry::new(Key::Series(ORANGE, Marker::Diamond), "outputs cut by the length limit"),
    ];
    draw_legend(canvas, (LEGEND_LEFT, SHARES.top + 12.0), LEGEND_WIDTH, &entries)
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
