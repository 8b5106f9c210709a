use std::fs;
use std::path::{Path, PathBuf};

use super::{column, samples};
use crate::plot::{Heatmap, PictureOptions, Plot, PlotError, is_ours, write_both, write_pictures};

fn write<P: Plot>(plot: &P, path: &Path) -> Result<(), PlotError> {
    write_pictures(plot, path, &PictureOptions::default())
}

/// Writes both formats; keeps them in the gallery folder when one is named.
fn drawn(plot: &impl Plot, name: &str) -> (Vec<u8>, String) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = match std::env::var_os("REDLINE_PLOT_GALLERY") {
        Some(folder) => PathBuf::from(folder),
        None => temporary.path().to_owned(),
    };
    let stem = folder.join(name);
    write_both(plot, &stem).unwrap();
    let png = fs::read(stem.with_extension("png")).unwrap();
    (png, fs::read_to_string(stem.with_extension("svg")).unwrap())
}

/// Width and height in a PNG header.
fn png_size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[12..16], b"IHDR");
    assert_eq!(&png[png.len() - 8..png.len() - 4], b"IEND");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

fn assert_drawn(plot: &impl Plot, name: &str) {
    let (png, svg) = drawn(plot, name);
    let (width, height) = plot.size();
    assert_eq!(png_size(&png), (width, height), "{name}");
    assert!((400..=1300).contains(&width) && (200..=1100).contains(&height), "{name}: {width} × {height}");
    assert!(svg.starts_with(&format!("<svg width=\"{width}\" height=\"{height}\"")));
    assert!(svg.trim_end().ends_with("</svg>"));
}

#[test]
fn every_plot_is_written_in_both_formats() {
    assert_drawn(&samples::heatmap(), "heatmap");
    assert_drawn(&samples::profile(), "profile");
    assert_drawn(&samples::sweep(&[-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5]), "sweep7");
    assert_drawn(&samples::sweep(&[-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0]), "sweep9");
    assert_drawn(&samples::slopes(), "slopes");
    assert_drawn(&samples::curves(), "curves");
    assert_drawn(&column::depth(), "depth");
    assert_drawn(&column::by_instruction(), "by_instruction");
    assert_drawn(&column::rounds(), "rounds");
    assert_drawn(&column::forgetting(), "forgetting");
    assert_drawn(&column::ladder(), "ladder");
    assert_drawn(&column::roc(), "roc");
    assert_drawn(&column::funnel(), "funnel");
    assert_drawn(&column::nearest(), "nearest");
}

#[test]
fn small_and_bare_plots_are_written() {
    let mut heatmap = Heatmap::new("two layers", vec![vec![1.0, -4.0]; 2], vec!["a".into(), "b".into()]);
    heatmap.colors = crate::plot::HeatmapColors::Ordered;
    assert_drawn(&heatmap, "heatmap-small");
    let mut sweep = samples::sweep(&[0.0]);
    sweep.coherence = None;
    sweep.line = None;
    sweep.prompts.clear();
    sweep.controls.clear();
    assert_drawn(&sweep, "sweep-bare");
    let mut slopes = samples::slopes();
    slopes.slopes = vec![0.0];
    slopes.mean = None;
    slopes.random = None;
    slopes.controls.clear();
    assert_drawn(&slopes, "slopes-bare");
    let mut profile = samples::profile();
    profile.layers = vec![12];
    for series in &mut profile.series {
        series.values.truncate(1);
        series.intervals.as_mut().unwrap().truncate(1);
    }
    assert_drawn(&profile, "profile-bare");
}

fn listed(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_failed_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/plot.png");
    let error = write(&samples::profile(), &missing).unwrap_err();
    assert!(matches!(&error, PlotError::Write { path, .. } if *path == missing), "{error}");
    assert!(error.hint().contains("folder"));
    // A folder under the final name cannot be replaced by a file.
    let taken = folder.path().join("taken.svg");
    fs::create_dir(&taken).unwrap();
    assert!(matches!(write(&samples::profile(), &taken), Err(PlotError::Write { .. })));
    assert_eq!(listed(folder.path()), 1);
}

#[test]
fn bad_data_writes_nothing_and_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.svg");
    fs::write(&path, "old").unwrap();
    let mut plot = samples::profile();
    plot.series[0].values[4] = f64::NAN;
    assert!(matches!(write(&plot, &path), Err(PlotError::NotFinite { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(listed(folder.path()), 1);
}

#[test]
fn an_existing_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.v2.png");
    fs::write(&path, "old").unwrap();
    write(&samples::profile(), &path).unwrap();
    png_size(&fs::read(&path).unwrap());
    write_both(&samples::profile(), &folder.path().join("plot.v3")).unwrap();
    assert!(folder.path().join("plot.v3.png").exists() && folder.path().join("plot.v3.svg").exists());
}

#[test]
fn a_huge_picture_is_refused() {
    let n = 9000;
    let plot = Heatmap::new("", vec![vec![0.0; n]; 300], vec![String::new(); n]);
    let path = Path::new("never-written.png");
    assert!(matches!(write(&plot, path), Err(PlotError::TooLarge { .. })));
}

#[test]
fn a_name_with_the_ending_of_a_picture_is_that_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["figure.pdf", "figure.svg", "figure.PNG"] {
        let path = folder.path().join(name);
        write_pictures(&samples::profile(), &path, &PictureOptions { width_mm: Some(85.0) }).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert!(is_ours(&bytes[..4096.min(bytes.len())], &bytes[bytes.len().saturating_sub(4096)..]), "{name}");
    }
    assert_eq!(listed(folder.path()), 3);
    let svg = fs::read_to_string(folder.path().join("figure.svg")).unwrap();
    let (width, height) = samples::profile().size();
    let tall = 85.0 * f64::from(height) / f64::from(width);
    assert!(
        svg.starts_with(&format!("<svg width=\"85mm\" height=\"{tall:.3}mm\" viewBox=\"0 0 {width} {height}\"")),
        "{}",
        &svg[..200]
    );
    let png = fs::read(folder.path().join("figure.PNG")).unwrap();
    let at = png.windows(4).position(|bytes| bytes == b"pHYs").unwrap();
    let per_metre = u32::from_be_bytes(png[at + 4..at + 8].try_into().unwrap());
    assert_eq!(per_metre, (f64::from(width) / 0.085).round() as u32);
}

#[test]
fn a_pdf_has_the_width_that_was_asked_for_and_text_that_can_be_searched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("figure.pdf");
    write_pictures(&samples::profile(), &path, &PictureOptions { width_mm: Some(85.0) }).unwrap();
    let bytes = fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("%PDF-") && text.contains("DejaVuSans"), "the font is in the file");
    let media_box = text.split("/MediaBox").nth(1).unwrap();
    let numbers = media_box.split(['[', ']']).nth(1).unwrap().split_whitespace();
    let width: f64 = numbers.filter_map(|number| number.parse().ok()).nth(2).unwrap();
    assert!((width - 85.0 / 25.4 * 72.0).abs() < 0.5, "{width} points");
}
