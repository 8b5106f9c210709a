//! The pictures of a file.

use std::path::Path;

use redline::experiment::{PlaceProfile, analyse};
use redline::figures::{
    cosine_profile, direction_cosines, heatmap, layer_profile, scan_difference, scan_title, slope_plot, sweep_plot,
    training_curves,
};
use redline::plot::ascii::{self, AsciiOptions, LineChart};
use redline::plot::{
    Bands, Curves, FunnelPlot, Heatmap, HeatmapColors, Histogram, Ladder, PictureOptions, PlotError, Profile, RocPlot,
    SlopePlot, SweepPlot, Trails, write_pictures,
};
use redline::probe::LatScan;
use redline::steer::{BootstrapOptions, CORRECTION, SweepRow};

use super::source::Source;
use crate::cli::plot::{ColoursName, PlotArgs};
use crate::failure::hinted;

/// A picture with the end of its file's name, which is empty where there is only one.
pub struct Picture {
    pub name: String,
    drawn: Drawn,
}

/// A plot of any kind.
pub enum Drawn {
    Heatmap(Box<Heatmap>),
    Profile(Profile),
    Sweep(Box<SweepPlot>),
    Slopes(SlopePlot),
    Curves(Curves),
    Bands(Bands),
    Trails(Trails),
    Ladder(Ladder),
    Funnel(FunnelPlot),
    Histogram(Histogram),
    Roc(RocPlot),
}

impl Picture {
    pub fn new(name: impl Into<String>, drawn: Drawn) -> Self {
        Self { name: name.into(), drawn }
    }

    /// The same under another title.
    pub fn titled(mut self, title: &str) -> Self {
        let own = match &mut self.drawn {
            Drawn::Heatmap(plot) => &mut plot.title,
            Drawn::Profile(plot) => &mut plot.title,
            Drawn::Sweep(plot) => &mut plot.title,
            Drawn::Slopes(plot) => &mut plot.title,
            Drawn::Curves(plot) => &mut plot.title,
            Drawn::Bands(plot) => &mut plot.title,
            Drawn::Trails(plot) => &mut plot.title,
            Drawn::Ladder(plot) => &mut plot.title,
            Drawn::Funnel(plot) => &mut plot.title,
            Drawn::Histogram(plot) => &mut plot.title,
            Drawn::Roc(plot) => &mut plot.title,
        };
        title.clone_into(own);
        self
    }

    /// Writes it to the files that a name stands for.
    pub fn write(&self, name: &Path, options: &PictureOptions) -> Result<(), PlotError> {
        match &self.drawn {
            Drawn::Heatmap(plot) => write_pictures(plot.as_ref(), name, options),
            Drawn::Profile(plot) => write_pictures(plot, name, options),
            Drawn::Sweep(plot) => write_pictures(plot.as_ref(), name, options),
            Drawn::Slopes(plot) => write_pictures(plot, name, options),
            Drawn::Curves(plot) => write_pictures(plot, name, options),
            Drawn::Bands(plot) => write_pictures(plot, name, options),
            Drawn::Trails(plot) => write_pictures(plot, name, options),
            Drawn::Ladder(plot) => write_pictures(plot, name, options),
            Drawn::Funnel(plot) => write_pictures(plot, name, options),
            Drawn::Histogram(plot) => write_pictures(plot, name, options),
            Drawn::Roc(plot) => write_pictures(plot, name, options),
        }
    }

    /// The same as text.
    pub fn as_text(&self, options: &AsciiOptions) -> Result<String, PlotError> {
        match &self.drawn {
            Drawn::Heatmap(plot) => ascii::heatmap(plot, options),
            Drawn::Profile(plot) => ascii::line_chart(&LineChart::from(plot), options),
            Drawn::Sweep(plot) => ascii::line_chart(&LineChart::from(plot.as_ref()), options),
            Drawn::Slopes(plot) => ascii::slopes(plot, options),
            Drawn::Bands(plot) => ascii::bands(plot, options),
            Drawn::Trails(plot) => ascii::trails(plot, options),
            Drawn::Ladder(plot) => ascii::ladder(plot, options),
            Drawn::Funnel(plot) => ascii::funnel(plot, options),
            Drawn::Histogram(plot) => ascii::histogram(plot, options),
            Drawn::Roc(plot) => ascii::roc(plot, options),
            Drawn::Curves(plot) => {
                let panel = |panel| ascii::line_chart(&LineChart::of_panel(panel, &plot.x_label), options);
                Ok(plot.panels.iter().map(panel).collect::<Result<Vec<_>, _>>()?.join("\n"))
            }
        }
    }
}

/// The pictures of one file, or of two beside each other.
pub fn of(args: &PlotArgs, source: Source, other: Option<Source>) -> anyhow::Result<Vec<Picture>> {
    let mut pictures = match (source, other) {
        (Source::Scans(scans), None) if args.difference => correction_less_copy(&scans)?,
        (Source::Scans(scans), None) => {
            scans.iter().map(|scan| named(scan, heatmap(scan, &scan_title(scan)))).collect()
        }
        (Source::Scans(scans), Some(Source::Scans(others))) => differences(args, &scans, &others)?,
        (Source::Directions(directions), None) => {
            let title = format!("Cosines: {}", file_name(&args.file));
            vec![Picture::new("", Drawn::Heatmap(Box::new(direction_cosines(&directions, &title))))]
        }
        (Source::Directions(directions), Some(Source::Directions(others))) => {
            let other = args.other.as_deref().map_or_else(String::new, file_name);
            let name = format!("cosine with {other}");
            let title = format!("Directions of {} and {other}, layer by layer", file_name(&args.file));
            vec![Picture::new("", Drawn::Profile(cosine_profile(&directions, &others, &name, &title)?))]
        }
        (_, Some(_)) => {
            return Err(hinted(
                "two files can be compared only if both hold scans, or both hold a vector",
                "give one file",
            ));
        }
        (Source::Result(result), None) => result.pictures()?,
        (Source::Layers(layers), None) => vec![Picture::new("", Drawn::Profile(layer_profile(&layers)))],
        (Source::Places(places), None) => vec![at_place(args, &places)?],
        (Source::Sweep(unit, rows), None) => sweep(args, &unit, &rows)?,
        (Source::Training(steps, evaluations), None) => {
            let curves = training_curves(&steps, &evaluations);
            vec![Picture::new("", Drawn::Curves(curves.ok_or(PlotError::Empty { plot: "curves", what: "steps" })?))]
        }
    };
    let are_scans = pictures.iter().any(|picture| !picture.name.is_empty());
    for picture in &mut pictures {
        if let Drawn::Heatmap(plot) = &mut picture.drawn {
            plot.colors = match args.colours {
                ColoursName::Diverging => HeatmapColors::Diverging,
                ColoursName::Ordered => HeatmapColors::Ordered,
            };
            if are_scans {
                plot.clip = args.clip;
            }
        }
    }
    Ok(pictures)
}

/// The name of a file without its folder.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn named(scan: &LatScan, plot: Heatmap) -> Picture {
    Picture::new(format!("{}-{}", scan.row, scan.label), Drawn::Heatmap(Box::new(plot)))
}

fn difference(scan: &LatScan, less: &LatScan, title: &str) -> Result<Picture, PlotError> {
    let plot = scan_difference(scan, less, title)?;
    Ok(Picture::new(format!("{}-{}", scan.row, scan.label), Drawn::Heatmap(Box::new(plot))))
}

/// Of every row, the scan of the correction less that of the copy.
fn correction_less_copy(scans: &[LatScan]) -> anyhow::Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for scan in scans.iter().filter(|scan| scan.label == "correction") {
        let Some(copy) = scans.iter().find(|other| other.row == scan.row && other.label == "copy") else { continue };
        let title = format!("LAT scan, row {}: correction less copy", scan.row);
        let picture = difference(scan, copy, &title)?;
        pictures.push(Picture { name: format!("{}-difference", scan.row), ..picture });
    }
    match pictures.is_empty() {
        true => Err(hinted("no row has both a correction and a copy", "leave --difference out, or scan the rows anew")),
        false => Ok(pictures),
    }
}

/// The first file's scans less those of the same row and text in the second.
fn differences(args: &PlotArgs, scans: &[LatScan], others: &[LatScan]) -> anyhow::Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    let other_name = args.other.as_deref().map_or_else(String::new, file_name);
    for scan in scans {
        let Some(other) = others.iter().find(|other| other.row == scan.row && other.label == scan.label) else {
            continue;
        };
        let title = format!("{}: {} less {other_name}", scan_title(scan), file_name(&args.file));
        let picture = difference(scan, other, &title)?;
        pictures.push(Picture { name: format!("{}-{}-difference", scan.row, scan.label), ..picture });
    }
    match pictures.is_empty() {
        true => Err(hinted("the files have no row and text in common", "scan the same rows with both")),
        false => Ok(pictures),
    }
}

/// The profile of one place of `redline layers`.
fn at_place(args: &PlotArgs, places: &[PlaceProfile]) -> anyhow::Result<Picture> {
    let found = match &args.place {
        Some(name) => places.iter().find(|place| place.place == *name),
        None => places.iter().find(|place| !place.layers.is_empty()),
    };
    let read = places.iter().filter(|place| !place.layers.is_empty()).map(|place| place.place.as_str());
    let read = read.collect::<Vec<_>>().join(", ");
    let Some(place) = found.filter(|place| !place.layers.is_empty()) else {
        let message = args.place.as_ref().map_or("no place was read".into(), |place| format!("{place} was not read"));
        let hint = match read.is_empty() {
            true => "no place had enough pairs: give `redline layers` more of them".into(),
            false => format!("places with enough pairs: {read}"),
        };
        return Err(hinted(message, hint));
    };
    let mut profile = layer_profile(&place.layers);
    profile.title = format!("{}: {}", profile.title, place.place);
    Ok(Picture::new("", Drawn::Profile(profile)))
}

/// The sweep with its fit, and the slopes of single prompts.
fn sweep(args: &PlotArgs, unit: &str, rows: &[SweepRow]) -> anyhow::Result<Vec<Picture>> {
    let bootstrap = BootstrapOptions::default();
    let analysis = analyse(rows, CORRECTION, args.variant, args.coherence_bound, &bootstrap)?;
    let plot = sweep_plot(&analysis, unit, Vec::new(), Vec::new());
    let mut pictures = vec![Picture::new("", Drawn::Sweep(Box::new(plot)))];
    pictures.extend(slope_plot(&analysis, None).map(|slopes| Picture::new("slopes", Drawn::Slopes(slopes))));
    Ok(pictures)
}
