//! Polylines through points with intervals in both axes: rounds of training by helpful and harmless, gain against forgetting.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, WHITE};
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering, Point, Rect, series_marker};
use super::column::{Column, draw_axes, level, upright};
use super::font::text_width;
use super::frame::{Axis, Panel, TEXT, extent};
use super::label::{plain, short};
use super::legend::{Entry, Key};
use super::palette::series_color;
use super::{Estimate, Plot, PlotError, check, ends_of};

/// Most numbers beside points.
const MOST_NUMBERS: usize = 100;
const HEIGHT: f64 = 430.0;
/// Half the length of the cap of an interval.
const CAP: f64 = 4.0;
/// Half the height of a label.
const HALF_LINE: f64 = 9.0;

/// Trails over two measured axes.
#[derive(Debug, Clone, Serialize)]
pub struct Trails {
    /// Title.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Name of the upright axis.
    pub y_label: String,
    /// The trails.
    pub trails: Vec<Trail>,
    /// Sentences below the legend, such as what the numbers at the points are.
    pub notes: Vec<String>,
}

/// One trail.
#[derive(Debug, Clone, Serialize)]
pub struct Trail {
    /// Name in the legend.
    pub name: String,
    /// Its points in the order of their numbers.
    pub points: Vec<TrailPoint>,
}

/// A point of a trail.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TrailPoint {
    /// Its number, which stands beside it: a round, a step. Numbers of a trail grow.
    pub number: f64,
    /// Its place to the right.
    pub x: Estimate,
    /// Its place upwards.
    pub y: Estimate,
}

impl Trails {
    fn axis(&self, of: fn(&TrailPoint) -> &Estimate) -> (f64, f64) {
        let points = self.trails.iter().flat_map(|trail| &trail.points);
        let ends = points.flat_map(|point| {
            let (low, high) = ends_of(of(point));
            [low, of(point).value, high]
        });
        extent(ends).unwrap_or((0.0, 1.0))
    }

    fn entries(&self) -> Vec<Entry> {
        let named = |(i, trail): (usize, &Trail)| {
            Entry::new(Key::Series(series_color(i), series_marker(i)), plain(&trail.name))
        };
        self.trails.iter().enumerate().map(named).collect()
    }

    fn notes(&self) -> Vec<String> {
        let points = self.trails.iter().flat_map(|trail| &trail.points);
        let has_ends = points.flat_map(|point| [point.x, point.y]).any(|estimate| estimate.interval.is_some());
        let bars = has_ends.then(|| "bars: 95 % intervals in both axes".to_owned());
        bars.into_iter().chain(self.notes.iter().cloned()).collect()
    }

    fn column(&self) -> Column {
        Column::new(&self.title, &[upright(self.axis(|point| &point.y))], HEIGHT, self.entries(), &self.notes())
    }

    fn draw_intervals<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
        for (i, trail) in self.trails.iter().enumerate() {
            let color = series_color(i).mix(0.55);
            for point in &trail.points {
                let (x, y) = panel.at(point.x.value, point.y.value);
                if let Some(interval) = point.x.interval {
                    let ends = [panel.x(interval.low), panel.x(interval.high)];
                    canvas.line(&[(ends[0], y), (ends[1], y)], color, 1)?;
                    ends.iter().try_for_each(|x| canvas.line(&[(*x, y - CAP), (*x, y + CAP)], color, 1))?;
                }
                if let Some(interval) = point.y.interval {
                    let ends = [panel.y(interval.low), panel.y(interval.high)];
                    canvas.line(&[(x, ends[0]), (x, ends[1])], color, 1)?;
                    ends.iter().try_for_each(|y| canvas.line(&[(x - CAP, *y), (x + CAP, *y)], color, 1))?;
                }
            }
        }
        Ok(())
    }

    /// Numbers beside the points, where nothing stands yet.
    fn draw_numbers<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel) -> DrawResult<DB> {
        let places = || self.trails.iter().flat_map(|trail| &trail.points).map(|p| panel.at(p.x.value, p.y.value));
        let mut taken: Vec<Rect> = places().map(|at| around(at, 6.0, 6.0)).collect();
        for trail in &self.trails {
            let path: Vec<Point> = trail.points.iter().map(|p| panel.at(p.x.value, p.y.value)).collect();
            taken.extend(path.windows(2).flat_map(|ends| along(ends[0], ends[1])));
        }
        // more would stand on each other
        let every = self.trails.iter().map(|trail| trail.points.len()).sum::<usize>().div_ceil(MOST_NUMBERS).max(1);
        for (i, trail) in self.trails.iter().enumerate() {
            for point in trail.points.iter().step_by(every) {
                let label = short(point.number);
                let half = text_width(&label, TEXT) / 2.0 + 2.0;
                let at = panel.at(point.x.value, point.y.value);
                let sides = [
                    (1.0, -1.0),
                    (-1.0, -1.0),
                    (1.0, 1.0),
                    (-1.0, 1.0),
                    (1.0, 0.0),
                    (-1.0, 0.0),
                    (0.0, -1.0),
                    (0.0, 1.0),
                ];
                let near = sides.iter().map(|(u, v)| (at.0 + u * (half + 7.0), at.1 + v * (HALF_LINE + 6.0)));
                let far = sides.iter().map(|(u, v)| (at.0 + u * (half + 18.0), at.1 + v * (HALF_LINE + 20.0)));
                let boxes = near.chain(far).map(|middle| (middle, around(middle, half, HALF_LINE)));
                let inside: Vec<_> = boxes.filter(|(_, own)| is_within(own, &panel.rect)).collect();
                let free = inside.iter().find(|(_, own)| taken.iter().all(|other| !overlap(own, other)));
                let Some((middle, own)) = free.or(inside.first()).copied() else { continue };
                canvas.fill_rect(own, WHITE.mix(0.7))?;
                let style = Lettering::new(TEXT, series_color(i)).across(HPos::Center);
                canvas.text(&label, middle, style)?;
                taken.push(own);
            }
        }
        Ok(())
    }
}

/// Small boxes along a line.
fn along(from: Point, to: Point) -> impl Iterator<Item = Rect> {
    const STEP: f64 = 4.0;
    let n = ((to.0 - from.0).hypot(to.1 - from.1) / STEP).ceil().max(1.0) as u32;
    let at = move |i: u32| {
        let share = f64::from(i) / f64::from(n);
        (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1))
    };
    (0..=n).map(move |i| around(at(i), 2.0, 2.0))
}

fn around((x, y): Point, half_width: f64, half_height: f64) -> Rect {
    Rect { left: x - half_width, right: x + half_width, top: y - half_height, bottom: y + half_height }
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

fn is_within(a: &Rect, b: &Rect) -> bool {
    a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom
}

impl Plot for Trails {
    const NAME: &'static str = "trails";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "trails", self.trails.len())?;
        for trail in &self.trails {
            check::some(Self::NAME, "points", trail.points.len())?;
            let numbers: Vec<f64> = trail.points.iter().map(|point| point.number).collect();
            check::finite(Self::NAME, &trail.name, &numbers)?;
            check::ascending(Self::NAME, "the numbers of a trail", &numbers)?;
            for point in &trail.points {
                check::interval(Self::NAME, &trail.name, &point.x)?;
                check::interval(Self::NAME, &trail.name, &point.y)?;
            }
        }
        Ok(())
    }

    fn size(&self) -> (u32, u32) {
        self.column().size()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let column = self.column();
        column.draw(&canvas)?;
        let rect = column.panel(0);
        let x = level(Axis::round(self.axis(|point| &point.x), 8, ""), rect, &[], &self.x_label);
        let panel = Panel { rect, x, y: upright(self.axis(|point| &point.y)) };
        draw_axes(&canvas, &panel, &self.y_label, true)?;
        self.draw_intervals(&canvas, &panel)?;
        for (i, trail) in self.trails.iter().enumerate() {
            let path: Vec<Point> = trail.points.iter().map(|p| panel.at(p.x.value, p.y.value)).collect();
            canvas.line(&path, series_color(i).to_rgba(), 2)?;
        }
        self.draw_numbers(&canvas, &panel)?;
        for (i, trail) in self.trails.iter().enumerate() {
            for point in &trail.points {
                let at = panel.at(point.x.value, point.y.value);
                canvas.marker(at, series_marker(i), 6.0, WHITE.to_rgba())?;
                canvas.marker(at, series_marker(i), 5.0, series_color(i).to_rgba())?;
            }
        }
        Ok(())
    }
}
