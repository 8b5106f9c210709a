//! Shapes in pixel coordinates over a plotters drawing area.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, RGBAColor, RGBColor, ShapeStyle, TextStyle, WHITE};

use super::font::{FAMILY, SIZE_PER_EM};

/// What drawing on the backend `DB` returns.
pub type DrawResult<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// A point in pixels from the upper left corner.
pub(super) type Point = (f64, f64);

/// A rectangle in pixels; `top` is smaller than `bottom`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
    pub fn middle(&self) -> Point {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }
}

/// The shape of a data point; shapes tell series apart where colours fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
}

/// Marker of series number `index`.
pub(super) fn series_marker(index: usize) -> Marker {
    [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond][index % 4]
}

/// How a text is set: em in pixels, colour, which of its points lies at the given place.
#[derive(Clone, Copy)]
pub(super) struct Lettering {
    pub em: f64,
    pub color: RGBColor,
    pub across: HPos,
    pub down: VPos,
    pub upward: bool,
}

impl Lettering {
    pub fn new(em: f64, color: RGBColor) -> Self {
        Self { em, color, across: HPos::Left, down: VPos::Center, upward: false }
    }
    pub fn across(self, across: HPos) -> Self {
        Self { across, ..self }
    }
    pub fn down(self, down: VPos) -> Self {
        Self { down, ..self }
    }
    /// Read from bottom to top.
    pub fn upward(self) -> Self {
        Self { upward: true, ..self }
    }
}

/// The drawing surface.
pub(super) struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
}

fn pixel(at: Point) -> (i32, i32) {
    (at.0.round() as i32, at.1.round() as i32)
}

impl<'a, DB: DrawingBackend> Canvas<'a, DB> {
    /// A white canvas.
    pub fn new(area: &'a DrawingArea<DB, Shift>) -> Result<Self, DrawingAreaErrorKind<DB::ErrorType>> {
        area.fill(&WHITE)?;
        Ok(Self { area })
    }

    pub fn fill_rect(&self, rect: Rect, color: RGBAColor) -> DrawResult<DB> {
        let corners = [pixel((rect.left, rect.top)), pixel((rect.right, rect.bottom))];
        self.area.draw(&Rectangle::new(corners, color.filled()))
    }

    /// A horizontal hairline, drawn as a rectangle so that it stays crisp.
    pub fn rule(&self, from: f64, to: f64, y: f64, color: RGBColor) -> DrawResult<DB> {
        let rect = Rect { left: from, right: to, top: y.round(), bottom: y.round() + 1.0 };
        self.fill_rect(rect, color.to_rgba())
    }

    /// A vertical hairline.
    pub fn plumb(&self, x: f64, from: f64, to: f64, color: RGBColor) -> DrawResult<DB> {
        let rect = Rect { left: x.round(), right: x.round() + 1.0, top: from, bottom: to };
        self.fill_rect(rect, color.to_rgba())
    }

    pub fn line(&self, points: &[Point], color: RGBAColor, width: u32) -> DrawResult<DB> {
        let path: Vec<_> = points.iter().copied().map(pixel).collect();
        let style = ShapeStyle { color, filled: false, stroke_width: width };
        self.area.draw(&PathElement::new(path, style))
    }

    /// A straight broken line: `dash` pixels drawn, `gap` pixels left out.
    pub fn dashes(&self, ends: [Point; 2], color: RGBAColor, pattern: (f64, f64)) -> DrawResult<DB> {
        let [from, to] = ends;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |d: f64| {
            let t = (d / length).min(1.0);
            (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
        };
        let mut start = 0.0;
        while start < length {
            self.line(&[at(start), at(start + pattern.0)], color, 2)?;
            start += pattern.0 + pattern.1;
        }
        Ok(())
    }

    pub fn fill(&self, corners: &[Point], color: RGBAColor) -> DrawResult<DB> {
        let path: Vec<_> = corners.iter().copied().map(pixel).collect();
        self.area.draw(&Polygon::new(path, color))
    }

    pub fn marker(&self, at: Point, marker: Marker, radius: f64, color: RGBAColor) -> DrawResult<DB> {
        let (x, y) = at;
        let r = radius;
        match marker {
            Marker::Circle => self.area.draw(&Circle::new(pixel(at), radius.round() as i32, color.filled())),
            Marker::Square => {
                let s = r * 0.9;
                self.fill(&[(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)], color)
            }
            Marker::Triangle => {
                let s = r * 1.2;
                self.fill(&[(x, y - s), (x + s, y + s * 0.8), (x - s, y + s * 0.8)], color)
            }
            Marker::TriangleDown => {
                let s = r * 1.2;
                self.fill(&[(x, y + s), (x + s, y - s * 0.8), (x - s, y - s * 0.8)], color)
            }
            Marker::Diamond => {
                let s = r * 1.3;
                self.fill(&[(x, y - s), (x + s, y), (x, y + s), (x - s, y)], color)
            }
        }
    }

    /// A vertical interval with caps.
    pub fn error_bar(&self, x: f64, ends: (f64, f64), color: RGBColor) -> DrawResult<DB> {
        let color = color.to_rgba();
        self.line(&[(x, ends.0), (x, ends.1)], color, 2)?;
        for y in [ends.0, ends.1] {
            self.line(&[(x - 5.0, y), (x + 5.0, y)], color, 2)?;
        }
        Ok(())
    }

    pub fn text(&self, text: &str, at: Point, lettering: Lettering) -> DrawResult<DB> {
        let font = (FAMILY, lettering.em * SIZE_PER_EM).into_font();
        let turn = if lettering.upward { FontTransform::Rotate270 } else { FontTransform::None };
        let style = TextStyle::from(font.transform(turn))
            .color(&lettering.color)
            .pos(Pos::new(lettering.across, lettering.down));
        self.area.draw_text(text, &style, pixel(at))
    }
}
