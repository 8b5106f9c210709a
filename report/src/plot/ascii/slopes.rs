//! Slopes of single prompts as text: a bar a bin.

use super::AsciiOptions;
use crate::plot::label::{number, plain, rounded, shorten};
use crate::plot::slopes::histogram::histogram;
use crate::plot::{Plot, PlotError, SlopePlot, ends_of};

/// Columns of the range of a bin, and of its count.
const LABELS: usize = 32;

/// A histogram of slopes as text; a bar is as long as its bin has prompts, scaled to the width.
///
/// # Errors
/// As [`Plot::check`] of [`SlopePlot`].
pub fn slopes(plot: &SlopePlot, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    let room = options.width.max(40) - LABELS;
    let bins = histogram(&plot.slopes);
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(1);
    let width = options.width.max(40);
    let [title, axis] = [&plot.title, &plot.x_label].map(|text| shorten(&plain(text), width));
    let mut text = format!("{title}\n{axis}\n");
    for bin in &bins {
        let bar = "█".repeat((bin.count * room.min(most)).div_ceil(most));
        let painted = match options.color {
            true if bin.high <= 0.0 => format!("\x1b[31m{bar}\x1b[0m"),
            true => format!("\x1b[34m{bar}\x1b[0m"),
            false => bar,
        };
        let line = format!("{:>10} … {:>9} {:>6} {painted}", rounded(bin.low), rounded(bin.high), bin.count);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let (n, negative) = (plot.slopes.len(), plot.n_anti_steerable());
    let share = number(100.0 * negative as f64 / n as f64, 1);
    text.push_str(&format!("below 0 (anti-steerable): {negative} of {n} prompts ({share} %)\n"));
    if let Some(mean) = &plot.mean {
        let (low, high) = ends_of(mean);
        let interval = format!("[{}, {}]", rounded(low), rounded(high));
        text.push_str(&format!("mean slope: {} {interval}, 95 % interval\n", rounded(mean.value)));
    }
    if let Some(random) = &plot.random {
        let n = random.slopes.len();
        text.push_str(&format!("random directions (n = {n}): 95th percentile {}\n", rounded(random.percentile_95)));
    }
    Ok(text)
}
