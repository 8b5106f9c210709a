//! Axes: a scale with round ticks, and the frame with grid, ticks and names around a panel.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Canvas, DrawResult, Lettering, Point, Rect};
use super::label::{number, short};
use super::palette::{AXIS, GRID, INK};

/// Em of axis names, ticks and legends, and of titles, in pixels.
pub(super) const TEXT: f64 = 15.0;
/// Em of titles in pixels.
pub(super) const TITLE: f64 = 19.0;

/// The range of one axis, its ticks and its name.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
    pub name: String,
}

/// Smallest and largest of `values`; `None` when there are none.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((low, high)) => Some((v.min(low), v.max(high))),
    })
}

/// The distance of round ticks (1, 2 or 5 times a power of ten): at most about `n` fit in `span`.
pub(super) fn round_step(span: f64, n: usize) -> f64 {
    let rough = span / n.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let unit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|u| u * power >= rough * 0.999);
    unit.unwrap_or(10.0) * power
}

/// A range that is not empty, with `share` of its span added at both ends.
fn padded((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let magnitude = low.abs().max(high.abs());
    let span = high - low;
    if span <= magnitude * 1e-9 {
        let pad = if magnitude > 0.0 { magnitude * 0.5 } else { 1.0 };
        return (low - pad, high + pad);
    }
    (low - share * span, high + share * span)
}

impl Axis {
    /// An axis over `range` with a margin at both ends and about `n` round ticks.
    pub fn round(range: (f64, f64), n: usize, name: &str) -> Self {
        let (low, high) = padded(range, 0.05);
        Self::within((low, high), n, name)
    }

    /// An axis over exactly `range` with about `n` round ticks.
    pub fn within((low, high): (f64, f64), n: usize, name: &str) -> Self {
        let step = round_step(high - low, n);
        let digits = (-step.log10().floor()).clamp(0.0, 8.0) as usize;
        let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
        let ticks = (first..=last).map(|i| (i as f64 * step, number(i as f64 * step, digits))).collect();
        Self { low, high, ticks, name: name.to_owned() }
    }

    /// An axis with a tick at every one of `places` when they are few, else round ticks.
    pub fn at(places: &[f64], name: &str) -> Self {
        let range = extent(places.iter().copied()).unwrap_or((0.0, 1.0));
        let mut axis = Self::round(range, 9, name);
        if places.len() <= 13 {
            axis.ticks = places.iter().map(|place| (*place, short(*place))).collect();
        }
        axis
    }

    /// An axis over absolute layer numbers.
    pub fn layers(layers: &[usize]) -> Self {
        let number = |layer: usize| layer as f64;
        let (low, high) = extent(layers.iter().copied().map(number)).unwrap_or((0.0, 0.0));
        let mut axis = Self::within((low - 0.5, high + 0.5), 16, "layer (block number, from 0)");
        axis.ticks.retain(|(value, _)| value.fract() == 0.0);
        for tick in &mut axis.ticks {
            tick.1 = short(tick.0);
        }
        axis
    }

    fn share(&self, value: f64) -> f64 {
        (value.clamp(self.low, self.high) - self.low) / (self.high - self.low)
    }
}

/// A plotted panel: two axes over a rectangle.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    pub rect: Rect,
    pub x: Axis,
    pub y: Axis,
}

impl Panel {
    /// Pixel column of `value`; values beyond the axis lie on its end.
    pub fn x(&self, value: f64) -> f64 {
        self.rect.left + self.x.share(value) * self.rect.width()
    }

    /// Pixel row of `value`.
    pub fn y(&self, value: f64) -> f64 {
        self.rect.bottom - self.y.share(value) * self.rect.height()
    }

    /// Pixel place of a data point.
    pub fn at(&self, x: f64, y: f64) -> Point {
        (self.x(x), self.y(y))
    }

    /// The outline of the area between two curves, ready to fill.
    pub fn between(&self, curves: &[(f64, f64, f64)]) -> Vec<Point> {
        let lower = curves.iter().map(|(x, lower, _)| self.at(*x, *lower));
        let upper = curves.iter().rev().map(|(x, _, upper)| self.at(*x, *upper));
        lower.chain(upper).collect()
    }

    /// Draws grid and axes; the x labels and name only if `with_x`, for panels that share an axis.
    pub fn draw_frame<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, with_x: bool) -> DrawResult<DB> {
        let Rect { left, top, right, bottom } = self.rect;
        self.draw_y_axis(canvas)?;
        for (value, label) in &self.x.ticks {
            let x = self.x(*value);
            canvas.plumb(x, top, bottom, GRID)?;
            canvas.plumb(x, bottom, bottom + 5.0, AXIS)?;
            if with_x {
                let style = Lettering::new(TEXT, INK).across(HPos::Center).down(VPos::Top);
                canvas.text(label, (x, bottom + 10.0), style)?;
            }
        }
        canvas.rule(left, right + 1.0, bottom, AXIS)?;
        canvas.plumb(left, top, bottom, AXIS)?;
        if with_x {
            let style = Lettering::new(TEXT, INK).across(HPos::Center).down(VPos::Top);
            canvas.text(&self.x.name, (self.rect.middle().0, bottom + 36.0), style)?;
        }
        Ok(())
    }

    fn draw_y_axis<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> DrawResult<DB> {
        let Rect { left, right, .. } = self.rect;
        for (value, label) in &self.y.ticks {
            let y = self.y(*value);
            canvas.rule(left, right, y, GRID)?;
            canvas.rule(left - 5.0, left, y, AXIS)?;
            let style = Lettering::new(TEXT, INK).across(HPos::Right);
            canvas.text(label, (left - 9.0, y), style)?;
        }
        if !self.y.name.is_empty() {
            let style = Lettering::new(TEXT, INK).across(HPos::Center).upward();
            canvas.text(&self.y.name, (left - 66.0, self.rect.middle().1), style)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (span, n, expected) in [(1.0, 5, 0.2), (30.0, 12, 5.0), (0.013, 5, 0.005), (7.0, 7, 1.0)] {
            assert!((round_step(span, n) - expected).abs() < 1e-12, "{span} {n}");
        }
    }

    #[test]
    fn ticks_lie_within_the_axis() {
        let axis = Axis::round((0.195, 0.296), 6, "");
        assert!(axis.ticks.len() >= 3);
        assert!(axis.ticks.iter().all(|(v, _)| *v >= axis.low && *v <= axis.high));
    }

    #[test]
    fn one_value_still_makes_an_axis() {
        for value in [0.0, 3.0, -2.5] {
            let axis = Axis::round((value, value), 5, "");
            assert!(axis.low < value && value < axis.high && !axis.ticks.is_empty());
        }
    }

    #[test]
    fn layers_are_ticked_at_whole_numbers() {
        let labels =
            |layers: &[usize]| -> Vec<String> { Axis::layers(layers).ticks.into_iter().map(|tick| tick.1).collect() };
        assert_eq!(labels(&[0, 1, 2]), ["0", "1", "2"]);
        let thirty: Vec<usize> = (0..30).collect();
        assert_eq!(labels(&thirty).first().map(String::as_str), Some("0"));
        assert_eq!(labels(&[7]), ["7"]);
    }

    #[test]
    fn larger_values_lie_higher() {
        let rect = Rect { left: 10.0, top: 20.0, right: 110.0, bottom: 220.0 };
        let axis = Axis::within((0.0, 1.0), 5, "");
        let panel = Panel { rect, x: axis.clone(), y: axis };
        assert_eq!(panel.at(0.0, 0.0), (10.0, 220.0));
        assert_eq!(panel.at(1.0, 1.0), (110.0, 20.0));
        assert_eq!(panel.at(9.0, 9.0), (110.0, 20.0));
    }
}
