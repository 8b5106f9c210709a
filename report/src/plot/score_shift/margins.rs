//! The densities of single scores, above and to the right of a panel, and lines that may be broken.

use std::ops::Range;

use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor};

use super::ShiftPanel;
use super::density::marginal;
use super::layout::{BROKEN, MARGIN};
use crate::plot::canvas::{Canvas, DrawResult, Point, Rect};
use crate::plot::frame::Panel;
use crate::plot::palette::{AXIS, BLUE, VERMILION};

/// What the margins leave free at their outer edge.
const FREE: f64 = 6.0;
/// Distance of the margins from the panel.
const APART: f64 = 2.0;
/// Share of the peak below which nothing is drawn.
const LEAST_HEIGHT: f64 = 0.005;
/// The least bandwidth in pixels, so that no peak falls between two of them.
const LEAST_STEPS: f64 = 1.5;

/// A line whole or broken, along any path.
pub(super) fn draw_path<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    path: &[Point],
    color: RGBColor,
    is_broken: bool,
) -> DrawResult<DB> {
    match is_broken {
        true => broken(path, BROKEN).iter().try_for_each(|piece| canvas.line(piece, color.to_rgba(), 2)),
        false => canvas.line(path, color.to_rgba(), 2),
    }
}

/// The pieces of a path that a broken line draws.
fn broken(path: &[Point], (dash, gap): (f64, f64)) -> Vec<Vec<Point>> {
    let Some(first) = path.first() else { return Vec::new() };
    let (mut pieces, mut piece) = (Vec::new(), vec![*first]);
    let (mut is_dash, mut left) = (true, dash);
    for pair in path.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let at = (from.0 + (to.0 - from.0) * done / length, from.1 + (to.1 - from.1) * done / length);
            match is_dash {
                true => {
                    piece.push(at);
                    pieces.push(std::mem::take(&mut piece));
                }
                false => piece = vec![at],
            }
            is_dash = !is_dash;
            left = if is_dash { dash } else { gap };
        }
        left -= length - done;
        if is_dash {
            piece.push(to);
        }
    }
    if is_dash && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

/// Draws both margins; before and after share a scale, so that their areas can be compared.
pub(super) fn draw_margins<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel,
    drawn: &ShiftPanel,
) -> DrawResult<DB> {
    let Rect { left, top, right, bottom } = panel.rect;
    for (axis, scale) in [&panel.x, &panel.y].into_iter().enumerate() {
        let n_steps = panel.rect.width().round();
        let step = (scale.high - scale.low) / n_steps;
        let places: Vec<f64> = (0..=n_steps as usize).map(|i| scale.low + step * i as f64).collect();
        let density = |points: &[[f64; 2]]| {
            let values: Vec<f64> = points.iter().map(|point| point[axis]).collect();
            marginal(&values, &places, LEAST_STEPS * step)
        };
        let densities = [density(&drawn.before), density(&drawn.after)];
        let peak = densities.iter().flatten().copied().fold(0.0, f64::max);
        let at = |place: f64, height: f64| match axis {
            0 => (panel.x(place), top - APART - height),
            _ => (right + APART + height, panel.y(place)),
        };
        for (density, (color, is_broken)) in densities.iter().zip([(BLUE, true), (VERMILION, false)]).rev() {
            for run in runs(density, peak * LEAST_HEIGHT) {
                let height = |i: usize| density[i] / peak * (MARGIN - FREE);
                let path: Vec<Point> = run.clone().map(|i| at(places[i], height(i))).collect();
                let feet = [at(places[run.end - 1], 0.0), at(places[run.start], 0.0)];
                let area: Vec<Point> = path.iter().copied().chain(feet).collect();
                canvas.fill(&area, color.mix(0.12))?;
                draw_path(canvas, &path, color, is_broken)?;
            }
        }
    }
    canvas.rule(left, right, top - 1.0, AXIS)?;
    canvas.plumb(right + 1.0, top, bottom, AXIS)
}

/// Where a density lies above a height, in one piece or several.
fn runs(density: &[f64], height: f64) -> Vec<Range<usize>> {
    let (mut runs, mut start) = (Vec::new(), None);
    for (i, value) in density.iter().chain([&0.0]).enumerate() {
        match (*value > height, start) {
            (true, None) => start = Some(i),
            (false, Some(first)) => {
                runs.push(first..i);
                start = None;
            }
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_lie_above_the_height() {
        assert_eq!(runs(&[0.0, 2.0, 3.0, 1.0, 0.0, 4.0], 1.0), [1..3, 5..6]);
        assert!(runs(&[], 0.0).is_empty() && runs(&[0.0, f64::NAN], 0.0).is_empty());
    }

    #[test]
    fn dashes_run_around_corners() {
        let path = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)];
        let pieces = broken(&path, (6.0, 2.0));
        let expected =
            [vec![(0.0, 0.0), (6.0, 0.0)], vec![(8.0, 0.0), (10.0, 0.0), (10.0, 4.0)], vec![(10.0, 6.0), (10.0, 10.0)]];
        assert_eq!(pieces, expected);
        assert!(broken(&[], (6.0, 2.0)).is_empty() && broken(&path[..1], (6.0, 2.0)).is_empty());
        let stuck = broken(&[(1.0, 1.0), (1.0, 1.0), (f64::NAN, 0.0)], (6.0, 2.0));
        assert!(stuck.len() <= 1, "{stuck:?}");
    }
}
