//! Where the parts of a sweep plot lie, and its axes.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::SweepPlot;
use super::coherence::draw_coherence;
use super::legend::entries;
use super::marks::{draw_controls, draw_line, draw_means, draw_prompts};
use crate::plot::canvas::{Canvas, DrawResult, Lettering, Rect};
use crate::plot::ends_of;
use crate::plot::font::{fit_text, text_width};
use crate::plot::frame::{Axis, Panel, TEXT, TITLE, extent};
use crate::plot::label::{plain, short};
use crate::plot::legend::{draw_legend, legend_height};
use crate::plot::palette::{COHERENT, GREEN, INK};

pub(super) const LEFT: f64 = 92.0;
pub(super) const RIGHT: f64 = 866.0;
const MAIN_TOP: f64 = 86.0;
const MAIN_HEIGHT: f64 = 440.0;
const PART_HEIGHT: f64 = 130.0;
const BETWEEN: f64 = 30.0;
const LABELS: f64 = 74.0;
pub(super) const LEGEND_LEFT: f64 = 896.0;
pub(super) const LEGEND_WIDTH: f64 = 290.0;
pub(super) const BOUND_PATTERN: (f64, f64) = (8.0, 5.0);

/// Where the panels lie; the main panel grows with its legend.
pub(super) struct Layout {
    main: Rect,
    pub likelihood: Rect,
    pub shares: Rect,
    pub height: f64,
}

impl Layout {
    pub fn of(plot: &SweepPlot) -> Self {
        let legend = legend_height(LEGEND_WIDTH, &entries(plot, &y_axis(plot)));
        let panel = |top: f64, height: f64| Rect { left: LEFT, right: RIGHT, top, bottom: top + height };
        let main = panel(MAIN_TOP, MAIN_HEIGHT.max(legend + 10.0));
        let likelihood = panel(main.bottom + BETWEEN, PART_HEIGHT);
        let shares = panel(likelihood.bottom + BETWEEN, PART_HEIGHT);
        let last = if plot.coherence.is_some() { shares } else { main };
        Self { main, likelihood, shares, height: last.bottom + LABELS }
    }
}

/// Draws the whole plot.
pub(super) fn draw<DB: DrawingBackend>(plot: &SweepPlot, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
    let canvas = Canvas::new(area)?;
    let layout = Layout::of(plot);
    let title = fit_text(&plain(&plot.title), TITLE, 1200.0 - LEFT - 20.0);
    canvas.text(&title, (LEFT, 32.0), Lettering::new(TITLE, INK))?;
    let panel = Panel { rect: layout.main, x: x_axis(plot), y: y_axis(plot) };
    draw_range(plot, &canvas, &panel, true)?;
    panel.draw_frame(&canvas, plot.coherence.is_none())?;
    draw_controls(plot, &canvas, &panel)?;
    draw_prompts(plot, &canvas, &panel)?;
    draw_line(plot, &canvas, &panel)?;
    draw_means(plot, &canvas, &panel)?;
    let entries = entries(plot, &panel.y);
    draw_legend(&canvas, (LEGEND_LEFT, MAIN_TOP + 10.0), LEGEND_WIDTH, &entries)?;
    match &plot.coherence {
        Some(coherence) => draw_coherence(plot, coherence, &canvas, &layout),
        None => Ok(()),
    }
}

/// Covers every coefficient that anything is drawn at.
pub(super) fn x_axis(plot: &SweepPlot) -> Axis {
    let name = format!("coefficient ({}); + more correction, − more copying", plain(&plot.unit));
    let mut axis = Axis::at(&plot.coefficients(), &fit_text(&name, TEXT, RIGHT - LEFT));
    let line = plot.line.iter().flat_map(|line| [line.range.0, line.range.1]);
    let band = plot.line.iter().flat_map(|line| line.band.iter().map(|at| at.0));
    let range = plot.coherent.iter().flat_map(|range| [range.low, range.high]);
    let controls = plot.controls.iter().flat_map(|c| c.points.iter().map(|point| point.0));
    let ends = [axis.low, axis.high];
    let all = line.chain(band).chain(range).chain(controls).chain(ends);
    (axis.low, axis.high) = extent(all).unwrap_or((axis.low, axis.high));
    axis
}

/// Covers means, line, controls and levels, and the single prompts that are no far outliers.
fn y_axis(plot: &SweepPlot) -> Axis {
    let means = plot.points.iter().flat_map(|p| [p.mean.value, ends_of(&p.mean).0, ends_of(&p.mean).1]);
    let line = plot.line.iter().flat_map(|line| [line.range.0, line.range.1].map(|x| line.at(x)));
    let band = plot.line.iter().flat_map(|line| &line.band);
    let band = band.flat_map(|(_, lower, upper)| [*lower, *upper]);
    let controls = plot.controls.iter().flat_map(|c| c.points.iter().map(|point| point.1));
    let levels = plot.levels.iter().map(|level| level.1);
    let (low, high) = outlier_fences(&plot.prompts);
    let single = plot.prompts.iter().flatten().copied().filter(|v| (low..=high).contains(v));
    let all = means.chain(line).chain(band).chain(controls).chain(levels).chain(single);
    let name = fit_text(&plain(&plot.y_label), TEXT, MAIN_HEIGHT);
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

pub(super) fn draw_range<DB: DrawingBackend>(
    plot: &SweepPlot,
    canvas: &Canvas<DB>,
    panel: &Panel,
    named: bool,
) -> DrawResult<DB> {
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
    let half = text_width(&text, TEXT) / 2.0;
    let middle = ((left + right) / 2.0).clamp(LEFT + half, RIGHT - half);
    canvas.text(&text, (middle, y - 13.0), Lettering::new(TEXT, GREEN).across(HPos::Center))
}
