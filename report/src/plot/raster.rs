//! Smooth PNG pictures: everything is drawn at three times the size and averaged down.
//!
//! plotters' bitmap backend smooths only hairlines and text. [`Supersampled`] stands between a plot
//! and that backend, scales every shape by an odd factor (so that a line one pixel wide still covers
//! whole pixels) and places text by the same rules as the SVG backend, so that both formats agree.

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};

use super::font::{SIZE_PER_EM, raster_font};

/// Side of the square of drawn pixels behind one picture pixel.
const FACTOR: usize = 3;

/// x-height of DejaVu Sans in em, the CSS unit `ex` in which SVG text is shifted.
const EX: f64 = 0.547;

/// A drawing surface `FACTOR` times larger than it claims to be.
pub(super) struct Supersampled<'a> {
    inner: BitMapBackend<'a>,
    size: (u32, u32),
}

/// The bytes of an RGB buffer that [`Supersampled`] can draw a `size` picture into.
pub(super) fn buffer(size: (u32, u32)) -> Vec<u8> {
    vec![255; size.0 as usize * size.1 as usize * 3 * FACTOR * FACTOR]
}

/// The picture in a buffer that was drawn into, averaged to its own size: RGB, row by row.
pub(super) fn average(drawn: &[u8], size: (u32, u32)) -> Vec<u8> {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let mut picture = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let at = |i: usize| {
                    let (dx, dy) = (i % FACTOR, i / FACTOR);
                    ((y * FACTOR + dy) * width * FACTOR + x * FACTOR + dx) * 3 + channel
                };
                let n = FACTOR * FACTOR;
                let sum: usize = (0..n).map(|i| usize::from(drawn[at(i)])).sum();
                picture.push(((sum + n / 2) / n) as u8);
            }
        }
    }
    picture
}

impl<'a> Supersampled<'a> {
    /// A surface over `buffer`, which [`buffer`] made for the same size.
    pub(super) fn new(buffer: &'a mut [u8], size: (u32, u32)) -> Self {
        let factor = FACTOR as u32;
        let inner = BitMapBackend::with_buffer(buffer, (size.0 * factor, size.1 * factor));
        Self { inner, size }
    }
}

const F: i32 = FACTOR as i32;

/// The centre of a picture pixel.
fn centre(at: BackendCoord) -> BackendCoord {
    (at.0 * F + F / 2, at.1 * F + F / 2)
}

/// The upper left corner of a picture pixel.
fn corner(at: BackendCoord) -> BackendCoord {
    (at.0 * F, at.1 * F)
}

struct ScaledStyle {
    color: BackendColor,
    width: u32,
}

impl ScaledStyle {
    fn of<S: BackendStyle>(style: &S) -> Self {
        Self { color: style.color(), width: style.stroke_width() * FACTOR as u32 }
    }
}

impl BackendStyle for ScaledStyle {
    fn color(&self) -> BackendColor {
        self.color
    }
    fn stroke_width(&self) -> u32 {
        self.width
    }
}

type Drawn<'a> = Result<(), DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

impl<'a> DrawingBackend for Supersampled<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn<'a> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<'a> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn<'a> {
        let end = (point.0 + 1, point.1 + 1);
        self.draw_rect(point, end, &ScaledStyle { color, width: 1 }, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<'a> {
        self.inner.draw_line(centre(from), centre(to), &ScaledStyle::of(style))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn<'a> {
        if !fill {
            let (a, b) = (upper_left, bottom_right);
            let around = [a, (b.0, a.1), b, (a.0, b.1), a];
            return self.draw_path(around, style);
        }
        let (left, top) = corner(upper_left);
        let (right, bottom) = corner(bottom_right);
        if right <= left || bottom <= top {
            return Ok(()); // the SVG rectangle of this size is empty as well
        }
        let end = (right, bottom); // the bitmap backend leaves the end out, as SVG does
        self.inner.draw_rect((left, top), end, &ScaledStyle::of(style), true)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<'a> {
        let path: Vec<_> = path.into_iter().map(centre).collect();
        self.inner.draw_path(path, &ScaledStyle::of(style))
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn<'a> {
        let radius = radius * FACTOR as u32 + u32::from(fill);
        self.inner.draw_circle(centre(center), radius, &ScaledStyle::of(style), fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawn<'a> {
        let vertices: Vec<_> = vertices.into_iter().map(centre).collect();
        self.inner.fill_polygon(vertices, &ScaledStyle::of(style))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn<'a> {
        let em = style.size() / SIZE_PER_EM * FACTOR as f64;
        let font = raster_font(em);
        let layout = font.layout_box(text).map_err(|e| DrawingErrorKind::FontError(Box::new(e)))?;
        let width = (layout.1).0 - (layout.0).0;
        let dx = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => -width / 2,
            HPos::Right => -width,
        };
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.5 * EX * em,
            VPos::Bottom => -0.5 * EX * em,
        };
        // The rasteriser puts the baseline half a font size below the given point.
        let dy = (baseline - font.get_size() / 2.0).round() as i32;
        let (x0, y0) = centre(at);
        let (right, bottom) = (self.size.0 as i32 * F, self.size.1 as i32 * F);
        let (turn, color) = (style.transform(), style.color());
        let drawn = font.draw(text, (dx, dy), |x, y, coverage| {
            let (x, y) = turn.transform(x, y);
            let (x, y) = (x0 + x, y0 + y);
            if x < 0 || y < 0 || x >= right || y >= bottom {
                return Ok(());
            }
            let alpha = color.alpha * f64::from(coverage);
            self.inner.draw_pixel((x, y), BackendColor { alpha, ..color })
        });
        drawn.map_err(|e| DrawingErrorKind::FontError(Box::new(e)))?
    }
}
