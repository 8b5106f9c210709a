//! Plots as text: heatmaps, curves and slopes for the terminal.
//!
//! Plain text carries everything; colour is an extra that the caller switches on (and leaves off when
//! the output is no terminal or `NO_COLOR` is set). Lines end in `\n`.

mod chart;
mod column;
mod slopes;

use super::label::{plain, short, shorten, visible_token};
use super::{Heatmap, Plot, PlotError};

pub use chart::{LineChart, line_chart};
pub use column::{bands, funnel, histogram, ladder, roc, trails};
pub use slopes::slopes;

/// How text plots are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsciiOptions {
    /// Columns to fill; at least 40 are used.
    pub width: usize,
    /// Lines of a curve plot; at least 5 are used.
    pub height: usize,
    /// Whether to write ANSI colours.
    pub color: bool,
}

impl Default for AsciiOptions {
    fn default() -> Self {
        Self { width: 80, height: 16, color: false }
    }
}

const MARGIN: usize = 6;
const CELL: usize = 3;

/// Signs from copy to correction; the middle one is near zero.
const SIGNS: [char; 7] = ['≡', '=', '-', '.', '+', '*', '#'];

/// A heatmap as text, layer 0 at the bottom, a sign a cell; the tokens are listed underneath.
///
/// # Errors
/// As [`Plot::check`] of [`Heatmap`].
pub fn heatmap(plot: &Heatmap, options: &AsciiOptions) -> Result<String, PlotError> {
    plot.check()?;
    let per_block = (options.width.max(40) - MARGIN - 2) / CELL;
    let n_tokens = plot.token_labels.len();
    // numbers that fit stand under their columns; tokens are listed underneath
    let is_number = |label: &String| label.len() < CELL && label.parse::<usize>().is_ok();
    let is_listed = !plot.token_labels.iter().all(is_number);
    let axis = if is_listed { "token".to_owned() } else { plain(&plot.x_label).chars().take(5).collect() };
    let mut text = format!("{}\n", shorten(&plain(&plot.title), options.width.max(40)));
    for start in (0..n_tokens).step_by(per_block) {
        let block = start..(start + per_block).min(n_tokens);
        text.push_str("layer\n");
        for (layer, values) in plot.layers.iter().zip(&plot.values).rev() {
            text.push_str(&format!("{layer:>5} "));
            for value in &values[block.clone()] {
                text.push_str(&cell(plot, *value, options.color));
            }
            text.push('\n');
        }
        text.push_str(&format!("{axis:<MARGIN$}"));
        text.extend(block.map(|i| match is_listed {
            true => format!("{i:^CELL$}"),
            false => format!("{:^CELL$}", plot.token_labels[i]),
        }));
        text.push('\n');
    }
    if is_listed {
        push_tokens(&mut text, plot, options.width.max(40));
    }
    let [far_copy, copy, near_copy, zero, near, more, most] = SIGNS;
    let clip = short(f64::from(plot.clip));
    let unit = plain(if plot.unit.is_empty() { &plot.quantity } else { &plot.unit });
    let [low, high] = plot.poles.each_ref().map(|pole| plain(pole));
    text.push_str(&format!(
        "{low} {far_copy} {copy} {near_copy} {zero} {near} {more} {most} {high}   \
         (−{clip} to +{clip} {unit}; ? missing)\n"
    ));
    text.push_str(&plot.notes()[..2].join("; ").replace(" (corner mark)", ""));
    text.push('\n');
    Ok(text)
}

/// The sign of a value: seven equal steps from −clip to +clip.
fn sign(value: f32, clip: f32) -> char {
    if value.is_nan() {
        return '?';
    }
    let at = (f64::from(value / clip)).clamp(-1.0, 1.0);
    SIGNS[(3.0 + at * 3.0).round() as usize]
}

fn cell(plot: &Heatmap, value: f32, color: bool) -> String {
    let sign = sign(value, plot.clip);
    if !color || value.is_nan() {
        return format!(" {sign} ");
    }
    let paint = plot.colors.color(f64::from(value / plot.clip));
    let ink = if super::palette::luminance(paint) < 0.3 { 97 } else { 30 };
    format!("\x1b[{ink};48;2;{};{};{}m {sign} \x1b[0m", paint.0, paint.1, paint.2)
}

fn push_tokens(text: &mut String, plot: &Heatmap, width: usize) {
    let mut column = 0;
    for (i, label) in plot.token_labels.iter().enumerate() {
        let entry = format!("{i} {}", shorten(&visible_token(label), 18));
        let length = entry.chars().count() + 3;
        if column > 0 && column + length > width {
            text.push('\n');
            column = 0;
        }
        text.push_str(&entry);
        text.push_str("   ");
        column += length;
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
}
