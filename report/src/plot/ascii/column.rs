//! Plots one column wide as text: bars, and tables of points.

use super::{AsciiOptions, LineChart, line_chart};
use crate::plot::label::{number, plain, rounded, short, shorten};
use crate::plot::{Bands, Curve, Estimate, FunnelPlot, Histogram, Ladder, Plot, PlotError, RocPlot, Trails};

/// Columns of a name before a bar.
const NAME: usize = 28;

/// Lines with bands: the lines of each panel, without their bands.
///
/// # Errors
/// As [`Plot::check`] of [`Bands`].
pub fn bands(plot: &Bands, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    let mut texts = Vec::new();
    for panel in &plot.panels {
        let curve = |series: &crate::plot::BandSeries| {
            Curve::new(&series.name, series.points.iter().map(|(x, y)| (*x, y.value)).collect())
        };
        let chart = LineChart {
            title: format!("{}: {}", plot.title, panel.y_label),
            x_label: plot.x_label.clone(),
            curves: panel.series.iter().map(curve).collect(),
        };
        texts.push(line_chart(&chart, options)?);
    }
    Ok(texts.join("\n"))
}

/// Trails: a line a point.
///
/// # Errors
/// As [`Plot::check`] of [`Trails`].
pub fn trails(plot: &Trails, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    const TRAIL: usize = 24;
    const VALUE: usize = 23;
    let mut text = title(&plot.title, options);
    let [x_label, y_label] = [&plot.x_label, &plot.y_label].map(|label| shorten(&plain(label), VALUE));
    text.push_str(&format!("{:<TRAIL$} {:>6} {x_label:>VALUE$} {y_label:>VALUE$}\n", "", "number"));
    for trail in &plot.trails {
        for point in &trail.points {
            let [x, y] = [&point.x, &point.y].map(with_ends);
            let name = shorten(&plain(&trail.name), TRAIL);
            text.push_str(&format!("{name:<TRAIL$} {:>6} {x:>VALUE$} {y:>VALUE$}\n", short(point.number)));
        }
    }
    Ok(text)
}

/// A ladder: a bar a level.
///
/// # Errors
/// As [`Plot::check`] of [`Ladder`].
pub fn ladder(plot: &Ladder, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    let most = plot.levels.iter().map(|level| level.value.value.abs()).fold(0.0, f64::max);
    let lines = plot.levels.iter().map(|level| {
        let value = level.value.value;
        (plain(&level.name), if value >= 0.0 { value / most } else { 0.0 }, with_ends(&level.value))
    });
    Ok(title(&plot.title, options) + &bars(lines, options))
}

/// A funnel: a bar a step.
///
/// # Errors
/// As [`Plot::check`] of [`FunnelPlot`].
pub fn funnel(plot: &FunnelPlot, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    let whole = plot.n_rows as f64;
    let steps = plot
        .steps
        .iter()
        .map(|step| (plain(&step.name), step.n_left as f64 / whole, plot.figures(step.n_left, step.n_removed)));
    let first = ("rows read".to_owned(), 1.0, plot.n_rows.to_string());
    Ok(title(&plot.title, options) + &bars(std::iter::once(first).chain(steps), options))
}

/// A histogram: a bar a bin.
///
/// # Errors
/// As [`Plot::check`] of [`Histogram`].
pub fn histogram(plot: &Histogram, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    let most = plot.counts.iter().copied().max().unwrap_or(1).max(1) as f64;
    let bin = |(bin, count): (usize, &usize)| {
        let ends = [plot.start(bin), plot.start(bin + 1)].map(short);
        (format!("{} – {}", ends[0], ends[1]), *count as f64 / most, count.to_string())
    };
    let head = title(&format!("{}: {} by {}", plot.title, plot.y_label, plot.x_label), options);
    Ok(head + &bars(plot.counts.iter().enumerate().map(bin), options))
}

/// A ROC curve: a line a point, the chosen one marked.
///
/// # Errors
/// As [`Plot::check`] of [`RocPlot`].
pub fn roc(plot: &RocPlot, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    let mut text = title(&plot.title, options);
    text.push_str(&format!("{:>10} {:>10} {:>12}\n", "false", "true", "threshold"));
    for (place, point) in plot.points.iter().enumerate() {
        let mark = if plot.chosen == Some(place) { "  ← chosen" } else { "" };
        let threshold = point.threshold.map_or_else(|| "–".to_owned(), rounded);
        let [wrong, right] = [point.false_rate, point.true_rate].map(|rate| number(rate, 3));
        text.push_str(&format!("{wrong:>10} {right:>10} {threshold:>12}{mark}\n"));
    }
    if let Some(auc) = &plot.auc {
        text.push_str(&format!("area {}\n", with_ends(auc)));
    }
    Ok(text)
}

fn title(text: &str, options: &AsciiOptions) -> String {
    format!("{}\n", shorten(&plain(text), options.width.max(40)))
}

fn with_ends(estimate: &Estimate) -> String {
    let ends =
        estimate.interval.map_or_else(String::new, |at| format!(" [{}, {}]", number(at.low, 3), number(at.high, 3)));
    format!("{}{ends}", number(estimate.value, 3))
}

/// Lines of a name, a bar as long as its share from 0 to 1, and a text.
fn bars(lines: impl Iterator<Item = (String, f64, String)>, options: &AsciiOptions) -> String {
    let lines: Vec<(String, f64, String)> = lines.collect();
    let widest = lines.iter().map(|(_, _, text)| text.chars().count()).max().unwrap_or(0);
    let room = options.width.max(40).saturating_sub(NAME + widest + 3).max(4);
    let line = |(name, share, text): (String, f64, String)| {
        let length = (share.clamp(0.0, 1.0) * room as f64).round() as usize;
        format!("{:<NAME$} {:<room$} {text:>widest$}\n", shorten(&name, NAME), "█".repeat(length))
    };
    lines.into_iter().map(line).collect()
}
