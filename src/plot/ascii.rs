//! Plots as text: a heatmap and curves for the terminal.
//!
//! Plain text carries everything; colour is an extra that the caller switches on (and leaves off when
//! the output is no terminal or `NO_COLOR` is set). Lines end in `\n`.

use super::frame::{Axis, extent};
use super::label::{plain, rounded, short, shorten, visible_token};
use super::{Heatmap, Plot, PlotError, Profile, SweepPlot, check};

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

const NAME: &str = "text plot";
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
    let mut text = format!("{}\n", plain(&plot.title));
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
        text.push_str("token ");
        text.extend(block.map(|i| format!("{i:^CELL$}")));
        text.push('\n');
    }
    push_tokens(&mut text, plot, options.width.max(40));
    let [far_copy, copy, near_copy, zero, near, more, most] = SIGNS;
    let clip = short(f64::from(plot.clip));
    let unit = plain(&plot.unit);
    text.push_str(&format!(
        "copy {far_copy} {copy} {near_copy} {zero} {near} {more} {most} correction   \
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

/// Curves over a shared axis, for [`curves`].
#[derive(Debug, Clone)]
pub struct Curves {
    /// Title, one line.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Positions, growing.
    pub x: Vec<f64>,
    /// Name and values of each curve.
    pub series: Vec<(String, Vec<f64>)>,
}

impl From<&Profile> for Curves {
    fn from(profile: &Profile) -> Self {
        Self {
            title: profile.title.clone(),
            x_label: "layer".to_owned(),
            x: profile.layers.iter().map(|layer| *layer as f64).collect(),
            series: profile.series.iter().map(|s| (s.name.clone(), s.values.clone())).collect(),
        }
    }
}

impl From<&SweepPlot> for Curves {
    fn from(sweep: &SweepPlot) -> Self {
        let means = sweep.points.iter().map(|point| point.mean.value).collect();
        Self {
            title: sweep.title.clone(),
            x_label: format!("coefficient ({})", sweep.unit),
            x: sweep.coefficients(),
            series: vec![(sweep.y_label.clone(), means)],
        }
    }
}

const MARKS: [char; 6] = ['o', 'x', '+', '*', '#', '@'];
const ANSI: [u8; 6] = [34, 31, 32, 35, 33, 36];

/// Curves as text: a letter a point, dots between, one sign a series.
///
/// # Errors
/// [`PlotError`] for no data, lists of unequal length, numbers that are not finite, positions that do
/// not grow.
pub fn curves(plot: &Curves, options: &AsciiOptions) -> Result<String, PlotError> {
    check::some(NAME, "positions", plot.x.len())?;
    check::some(NAME, "series", plot.series.len())?;
    check::finite(NAME, "a position", &plot.x)?;
    check::ascending(NAME, "positions", &plot.x)?;
    for (name, values) in &plot.series {
        check::length(NAME, name, values.len(), plot.x.len())?;
        check::finite(NAME, name, values)?;
    }
    let grid = Grid::of(plot, options);
    Ok(grid.render(plot, options))
}

const LABEL: usize = 9;

/// The character field of a curve plot: series number and sign per place.
struct Grid {
    x: Axis,
    y: Axis,
    places: Vec<Vec<Option<(usize, char)>>>,
}

impl Grid {
    fn of(plot: &Curves, options: &AsciiOptions) -> Self {
        let (columns, rows) = (options.width.max(40) - LABEL - 1, options.height.max(5));
        let values = plot.series.iter().flat_map(|series| series.1.iter().copied());
        let y = Axis::round(extent(values).unwrap_or((0.0, 1.0)), 5, "");
        let x = Axis::round(extent(plot.x.iter().copied()).unwrap_or((0.0, 1.0)), 6, &plot.x_label);
        let mut grid = Self { x, y, places: vec![vec![None; columns]; rows] };
        for (i, (_, values)) in plot.series.iter().enumerate() {
            let points: Vec<_> = plot.x.iter().zip(values).map(|(x, y)| grid.place(*x, *y)).collect();
            for pair in points.windows(2) {
                grid.join(i, pair[0], pair[1]);
            }
            for (column, row) in points {
                grid.places[row][column] = Some((i, MARKS[i % MARKS.len()]));
            }
        }
        grid
    }

    fn place(&self, x: f64, y: f64) -> (usize, usize) {
        let (rows, columns) = (self.places.len(), self.places[0].len());
        let share = |value: f64, axis: &Axis| (value - axis.low) / (axis.high - axis.low);
        let column = (share(x, &self.x) * (columns - 1) as f64).round() as usize;
        let row = ((1.0 - share(y, &self.y)) * (rows - 1) as f64).round() as usize;
        (column.min(columns - 1), row.min(rows - 1))
    }

    fn join(&mut self, series: usize, from: (usize, usize), to: (usize, usize)) {
        for column in from.0 + 1..to.0 {
            let share = (column - from.0) as f64 / (to.0 - from.0) as f64;
            let row = from.1 as f64 + share * (to.1 as f64 - from.1 as f64);
            self.places[row.round() as usize][column].get_or_insert((series, '·'));
        }
    }

    fn render(&self, plot: &Curves, options: &AsciiOptions) -> String {
        let mut text = format!("{}\n", plain(&plot.title));
        let ticks: Vec<(usize, &str)> =
            self.y.ticks.iter().map(|(v, label)| (self.place(self.x.low, *v).1, &label[..])).collect();
        for (row, places) in self.places.iter().enumerate() {
            let tick = ticks.iter().find(|tick| tick.0 == row);
            let (label, edge) = tick.map_or(("", '│'), |tick| (tick.1, '┤'));
            let mut line = format!("{label:>LABEL$}{edge}");
            line.extend(places.iter().map(|place| painted(*place, options.color)));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        self.push_x_axis(&mut text);
        for (i, (name, values)) in plot.series.iter().enumerate() {
            let mark = painted(Some((i, MARKS[i % MARKS.len()])), options.color);
            let (low, high) = extent(values.iter().copied()).unwrap_or((0.0, 0.0));
            let range = format!("{} to {}", rounded(low), rounded(high));
            text.push_str(&format!("  {mark} {} ({range})\n", plain(name)));
        }
        text
    }

    fn push_x_axis(&self, text: &mut String) {
        let columns = self.places[0].len();
        let mut edge = vec!['─'; columns];
        let mut labels = vec![' '; columns];
        let mut free = 0;
        for (value, label) in &self.x.ticks {
            let column = self.place(*value, self.y.low).0;
            edge[column] = '┴';
            let length = label.chars().count();
            let start = column.saturating_sub(length / 2).min(columns.saturating_sub(length));
            if start >= free {
                labels.splice(start..start + length, label.chars());
                free = start + length + 1;
            }
        }
        let edge: String = edge.into_iter().collect();
        let labels: String = labels.into_iter().collect();
        text.push_str(&format!("{:LABEL$}└{edge}\n", ""));
        text.push_str(&format!("{:LABEL$} {}\n", "", labels.trim_end()));
        text.push_str(&format!("{:LABEL$} {}\n", "", plain(&self.x.name)));
    }
}

fn painted(place: Option<(usize, char)>, color: bool) -> String {
    match place {
        None => " ".to_owned(),
        Some((series, mark)) if color => {
            format!("\x1b[{}m{mark}\x1b[0m", ANSI[series % ANSI.len()])
        }
        Some((_, mark)) => mark.to_string(),
    }
}
