//! Plots as files: PNG, SVG and PDF, written whole or not at all.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use plotters::backend::SVGBackend;
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::DrawingBackend;
use redline_model::files::AtomicFile;

use super::pdf::pdf_of;
use super::raster::{Supersampled, average, buffer};
use super::{Plot, PlotError, font};

/// Largest number of pixels of a picture (drawing takes 27 bytes for each).
const MAX_PIXELS: u64 = 16_000_000;
/// Keyword and text by which a picture of ours is known: only such a one is replaced without being asked.
const MARK: (&str, &str) = ("Software", "redline");
/// Width of a picture on paper unless another is asked for, in mm: two columns of a journal.
const WIDTH_MM: f64 = 170.0;

/// How a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Png,
    Svg,
    Pdf,
}

impl Format {
    /// The format that a file's ending names, in capitals or not.
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "png" => Some(Self::Png),
            "svg" => Some(Self::Svg),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }
}

/// Width on paper of pictures that say it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PictureOptions {
    /// In mm. Without it PNG and PDF say 170 mm, and SVG only its pixels.
    pub width_mm: Option<f64>,
}

/// The files that a name stands for: itself where it ends in `.png`, `.svg` or `.pdf`, else `NAME.png` and `NAME.svg`; the name's own dots are
/// kept.
///
/// # Example
/// ```
/// use std::path::Path;
/// use redline_report::plot::picture_paths;
///
/// assert_eq!(picture_paths(Path::new("fig.pdf")), [Path::new("fig.pdf")]);
/// assert_eq!(picture_paths(Path::new("at-0.5")), [Path::new("at-0.5.png"), Path::new("at-0.5.svg")]);
/// ```
pub fn picture_paths(name: &Path) -> Vec<PathBuf> {
    if Format::of(name).is_some() {
        return vec![name.to_owned()];
    }
    let with = |ending: &str| {
        let mut path = name.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    vec![with(".png"), with(".svg")]
}

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

/// Writes the plot to the files that `name` [stands for](picture_paths), each of which appears only when it is complete.
///
/// # Errors
/// Data the plot cannot show, a failed drawing step, or [`PlotError::Write`].
pub fn write_pictures<P: Plot>(plot: &P, name: &Path, options: &PictureOptions) -> Result<(), PlotError> {
    picture_paths(name).iter().try_for_each(|path| {
        let bytes = match Format::of(path) {
            Some(Format::Pdf) => pdf(plot, options)?,
            Some(Format::Svg) => svg(plot, options)?,
            _ => png(plot, options)?,
        };
        write(path, &bytes)
    })
}

/// The same with usual options: what most results are drawn with.
///
/// # Errors
/// As [`write_pictures`].
pub fn write_both<P: Plot>(plot: &P, name: &Path) -> Result<(), PlotError> {
    write_pictures(plot, name, &PictureOptions::default())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PlotError> {
    let write = || -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    write().map_err(|source| PlotError::Write { path: path.to_owned(), source })
}

fn svg<P: Plot>(plot: &P, options: &PictureOptions) -> Result<Vec<u8>, PlotError> {
    let document = svg_string(plot)?;
    let document = match options.width_mm {
        Some(width_mm) => on_paper(&document, plot.size(), width_mm),
        None => document,
    };
    Ok(with_mark(&document).into_bytes())
}

/// The document with its size in mm; its coordinates stay.
fn on_paper(document: &str, (width, height): (u32, u32), width_mm: f64) -> String {
    let height_mm = width_mm * f64::from(height) / f64::from(width);
    let pixels = format!("width=\"{width}\" height=\"{height}\"");
    document.replacen(&pixels, &format!("width=\"{width_mm}mm\" height=\"{height_mm:.3}mm\""), 1)
}

fn png<P: Plot>(plot: &P, options: &PictureOptions) -> Result<Vec<u8>, PlotError> {
    let size = prepare(plot)?;
    let mut drawn = buffer(size);
    draw(plot, Supersampled::new(&mut drawn, size), "PNG")?;
    let picture = average(&drawn, size);
    let mut bytes = Vec::new();
    let encoded = write_pixels(&picture, size, options.width_mm.unwrap_or(WIDTH_MM), &mut bytes);
    encoded.map_err(|error| cannot_draw::<P>("PNG", &error))?;
    Ok(bytes)
}

fn pdf<P: Plot>(plot: &P, options: &PictureOptions) -> Result<Vec<u8>, PlotError> {
    let document = svg_string(plot)?;
    let made = pdf_of(&document, plot.size().0, options.width_mm.unwrap_or(WIDTH_MM));
    let mut bytes = made.map_err(|message| cannot_draw::<P>("PDF", &message))?;
    // a comment after the end, which readers skip
    bytes.extend(format!("\n% {}: {}\n", MARK.0, MARK.1).into_bytes());
    Ok(bytes)
}

fn cannot_draw<P: Plot>(format: &'static str, cause: &dyn std::fmt::Display) -> PlotError {
    let source: Box<dyn Error + Send + Sync> = cause.to_string().into();
    PlotError::Draw { plot: P::NAME, format, source }
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
    drawn.map_err(|error| cannot_draw::<P>(format, &error))
}

/// Encodes a picture as PNG, marked as ours.
fn write_pixels(
    picture: &[u8],
    (width, height): (u32, u32),
    width_mm: f64,
    out: &mut impl Write,
) -> Result<(), png::EncodingError> {
    let per_metre = (1000.0 * f64::from(width) / width_mm).round() as u32;
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
    encoder.add_text_chunk(MARK.0.into(), MARK.1.into())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture)?;
    writer.finish()
}

/// An SVG document of a file of its own, marked as ours after its first tag.
fn with_mark(document: &str) -> String {
    let (tag, rest) = document.split_at(document.find('>').map_or(0, |end| end + 1));
    format!("{tag}\n<!-- {}: {} -->{rest}", MARK.0, MARK.1)
}

/// Whether a file is a picture that this module wrote, told by its first and last bytes.
pub fn is_ours(head: &[u8], tail: &[u8]) -> bool {
    let holds = |bytes: &[u8], mark: &str| bytes.windows(mark.len()).any(|found| found == mark.as_bytes());
    let [png, svg, pdf] =
        ["{}\0{}", "<!-- {}: {} -->", "% {}: {}"].map(|form| form.replacen("{}", MARK.0, 1).replacen("{}", MARK.1, 1));
    (head.starts_with(b"\x89PNG") && holds(head, &png))
        || (head.starts_with(b"<svg") && holds(head, &svg))
        || (head.starts_with(b"%PDF") && holds(tail, &pdf))
}
