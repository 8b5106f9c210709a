//! Plots as files: PNG and SVG, written whole or not at all.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::DrawingBackend;
use tempfile::{Builder, NamedTempFile, TempPath};

use super::raster::{Supersampled, average, buffer};
use super::{Plot, PlotError, font};

/// Largest number of pixels of a picture (drawing takes 27 bytes for each).
const MAX_PIXELS: u64 = 16_000_000;

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
        let mut file = beside(path, ".svg")?;
        file.write_all(document.as_bytes())?;
        keep(file.into_temp_path(), path)
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
        let file = beside(path, ".png")?.into_temp_path();
        let mut encoder = BitMapBackend::new(&file, size);
        encoder.blit_bitmap((0, 0), size, &picture).map_err(io::Error::other)?;
        encoder.present().map_err(io::Error::other)?;
        drop(encoder);
        keep(file, path)
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

/// An unnamed file in the folder of `path`, readable as any new file would be.
fn beside(path: &Path, suffix: &str) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = Builder::new();
    builder.prefix(".redline-plot-").suffix(suffix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666)); // less the user's umask
    }
    builder.tempfile_in(folder)
}

/// Flushes the file to disk and gives it its name.
fn keep(file: TempPath, path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(&file)?.sync_all()?;
    file.persist(path).map_err(|e| e.error)
}
