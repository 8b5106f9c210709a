//! Plots as files: PNG and SVG, written whole or not at all.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use plotters::backend::SVGBackend;
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::DrawingBackend;
use redline_model::files::AtomicFile;

use super::raster::{Supersampled, average, buffer};
use super::{Plot, PlotError, font};

/// Largest number of pixels of a picture (drawing takes 27 bytes for each).
const MAX_PIXELS: u64 = 16_000_000;
/// Keyword and text by which a picture of ours is known: only such a one is replaced without being asked.
const MARK: (&str, &str) = ("Software", "redline");

/// The plot as an SVG document, for embedding in a report.
///
/// # Errors
/// Data the plot cannot show, or a failed drawing step; see [`PlotError`].
pub fn svg_string<P: Plot>(plot: &P) -> Result<String, PlotError> {
    let size = prepare(plot)?;
    let mut document = String::new();
    let backend = SVGBackend::with_string(&mut document, size);
    draw(plot, backend, "SVG")?;
    Ok(document)
}

/// Writes the plot as SVG. `path` appears only when the file is complete.
///
/// # Errors
/// As [`svg_string`], and [`PlotError::Write`].
pub fn write_svg<P: Plot>(plot: &P, path: &Path) -> Result<(), PlotError> {
    let document = svg_string(plot)?;
    let write = || -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(with_mark(&document).as_bytes())?;
        file.commit()
    };
    write().map_err(|source| PlotError::Write { path: path.to_owned(), source })
}

/// Writes the plot as PNG. `path` appears only when the file is complete.
///
/// # Errors
/// Data the plot cannot show, a failed drawing step, or [`PlotError::Write`].
pub fn write_png<P: Plot>(plot: &P, path: &Path) -> Result<(), PlotError> {
    let size = prepare(plot)?;
    let mut drawn = buffer(size);
    draw(plot, Supersampled::new(&mut drawn, size), "PNG")?;
    let picture = average(&drawn, size);
    let write = || -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        write_pixels(&picture, size, &mut file)?;
        file.commit()
    };
    write().map_err(|source| PlotError::Write { path: path.to_owned(), source })
}

/// Writes `stem.png` and `stem.svg`; the stem's own dots are kept.
///
/// # Errors
/// As [`write_png`] and [`write_svg`].
pub fn write_both<P: Plot>(plot: &P, stem: &Path) -> Result<(), PlotError> {
    let with = |extension: &str| {
        let mut name = stem.as_os_str().to_owned();
        name.push(extension);
        std::path::PathBuf::from(name)
    };
    write_png(plot, &with(".png"))?;
    write_svg(plot, &with(".svg"))
}

/// Checks data, size and font before anything is drawn.
fn prepare<P: Plot>(plot: &P) -> Result<(u32, u32), PlotError> {
    plot.check()?;
    let (width, height) = plot.size();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PlotError::TooLarge { plot: P::NAME, width, height });
    }
    font::register()?;
    Ok((width, height))
}

fn draw<P: Plot, DB: DrawingBackend>(plot: &P, backend: DB, format: &'static str) -> Result<(), PlotError>
where
    DB::ErrorType: 'static,
{
    let area = backend.into_drawing_area();
    let drawn: Result<(), DrawingAreaErrorKind<DB::ErrorType>> = plot.draw(&area).and_then(|()| area.present());
    drawn.map_err(|source| {
        let source: Box<dyn Error + Send + Sync> = source.to_string().into();
        PlotError::Draw { plot: P::NAME, format, source }
    })
}

/// Encodes a picture as PNG, marked as ours.
fn write_pixels(picture: &[u8], (width, height): (u32, u32), out: &mut impl Write) -> io::Result<()> {
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = || -> Result<(), png::EncodingError> {
        encoder.add_text_chunk(MARK.0.into(), MARK.1.into())?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(picture)?;
        writer.finish()
    };
    written().map_err(io::Error::other)
}

/// An SVG document of a file of its own, marked as ours after its first tag.
fn with_mark(document: &str) -> String {
    let (tag, rest) = document.split_at(document.find('>').map_or(0, |end| end + 1));
    format!("{tag}\n<!-- {}: {} -->{rest}", MARK.0, MARK.1)
}

/// Whether a file is a picture that this module wrote, told by its first bytes.
pub fn is_ours(head: &[u8]) -> bool {
    let [png, svg] = [format!("{}\0{}", MARK.0, MARK.1), format!("<!-- {}: {} -->", MARK.0, MARK.1)];
    let holds = |mark: &str| head.windows(mark.len()).any(|bytes| bytes == mark.as_bytes());
    (head.starts_with(b"\x89PNG") && holds(&png)) || (head.starts_with(b"<svg") && holds(&svg))
}
