//! Where the parts of a score shift plot stand, and what is written around its panels.

use plotters::style::Color;

use super::{FEWEST_ROWS, Scene, ScoreShiftPlot, ShiftAxis, ShiftPanel};
use crate::plot::canvas::{Marker, Point, Rect};
use crate::plot::font::{fit_text, text_width, wrap_text};
use crate::plot::frame::{TEXT, TITLE};
use crate::plot::label::{number, plain, rounded};
use crate::plot::legend::{Entry, Key, legend_height};
use crate::plot::palette::{BLUE, INK, SOFT_INK, VERMILION};
use crate::plot::{Estimate, ends_of};

/// Distance of everything from the edge of the picture.
pub(super) const EDGE: f64 = 24.0;
/// Depth of the strip with the density of one score.
pub(super) const MARGIN: f64 = 48.0;
/// Em of what is written beneath the names of panels and axes.
pub(super) const SMALL: f64 = 13.0;
/// Distance of lines of text.
pub(super) const LINE: f64 = 18.0;
/// Dash and gap of what is drawn of the answers before.
pub(super) const BROKEN: (f64, f64) = (5.0, 4.0);
/// Room along an axis for a tick.
pub(super) const TICK: f64 = 52.0;
/// Points drawn of a panel at most: of more rows, every second, third …
const MOST_POINTS: usize = 1500;

/// Stands for a space at which a line is not broken.
const TOGETHER: &str = "\u{a0}";
/// How far captions reach out to the left of their panel.
pub(super) const OUTWARDS: f64 = 40.0;
const COLUMN_GAP: f64 = 22.0;
const ROW_GAP: f64 = 26.0;
const MOST_LINES: usize = 3;

/// Columns of so many panels, and the side of a panel.
pub(super) fn columns(n_panels: usize) -> (usize, f64) {
    match n_panels {
        1 => (1, 520.0),
        2 => (2, 420.0),
        4 => (2, 340.0),
        _ => (3, 276.0),
    }
}

/// What is written around a panel, in lines.
pub(super) struct Texts {
    pub name: Vec<String>,
    /// For each axis its name and what its score is worth, with the em of each line.
    pub axes: [Vec<(String, f64)>; 2],
    pub caption: Vec<String>,
}

/// Places in pixels.
pub(super) struct Layout {
    pub title: Vec<String>,
    /// Room for the tick labels of upright axes.
    pub ticks: f64,
    pub texts: Vec<Texts>,
    /// Columns of the legend: place, width, entries.
    pub legend: Vec<(Point, f64, Vec<Entry>)>,
    n_columns: usize,
    side: f64,
    /// Left of a panel, above, beneath.
    around: [f64; 3],
    top: f64,
}

impl Layout {
    pub fn of(plot: &ScoreShiftPlot, scene: &Scene) -> Self {
        let (n_columns, side) = columns(plot.panels.len());
        let texts: Vec<Texts> = plot.panels.iter().map(|panel| Texts::of(panel, scene, side)).collect();
        let most = |lines: &dyn Fn(&Texts) -> usize| texts.iter().map(lines).max().unwrap_or(0) as f64 * LINE;
        let labels = scene.axes[1].ticks.iter().map(|(_, label)| text_width(label, TEXT));
        let ticks = labels.fold(0.0, f64::max) + 18.0;
        let left = ticks + most(&|texts| texts.axes[1].len());
        let above = most(&|texts| texts.name.len()) + 10.0 + MARGIN;
        let beneath = 30.0 + most(&|texts| texts.axes[0].len()) + 8.0 + most(&|texts| texts.caption.len());
        let mut layout = Self {
            title: Vec::new(),
            ticks,
            texts,
            legend: Vec::new(),
            n_columns,
            side,
            around: [left, above, beneath],
            top: 0.0,
        };
        let width = f64::from(layout.width());
        layout.title = lines(&plot.title, TITLE, width - 2.0 * EDGE, 2);
        layout.top = 32.0 + 24.0 * layout.title.len() as f64;
        layout.legend = layout.legend_of(plot, width);
        layout
    }

    fn width(&self) -> u32 {
        let cell = self.around[0] + self.side + MARGIN;
        (2.0 * EDGE + self.n_columns as f64 * (cell + COLUMN_GAP) - COLUMN_GAP).ceil() as u32
    }

    /// The lower edge of the panels with their captions.
    fn bottom(&self) -> f64 {
        let n_rows = self.texts.len().div_ceil(self.n_columns) as f64;
        self.top + n_rows * (self.around[1] + self.side + self.around[2] + ROW_GAP)
    }

    pub fn size(&self) -> (u32, u32) {
        let height = |(_, width, entries): &(Point, f64, Vec<Entry>)| legend_height(*width, entries);
        let legend = self.legend.iter().map(height).fold(0.0, f64::max);
        (self.width(), (self.bottom() + legend + 14.0).ceil() as u32)
    }

    /// The square of panel number `i`, without its margins.
    pub fn panel(&self, i: usize) -> Rect {
        let (column, row) = ((i % self.n_columns) as f64, (i / self.n_columns) as f64);
        let [left, above, beneath] = self.around;
        let left = EDGE + column * (left + self.side + MARGIN + COLUMN_GAP) + left;
        let top = self.top + row * (above + self.side + beneath + ROW_GAP) + above;
        Rect { left, top, right: left + self.side, bottom: top + self.side }
    }

    /// Where the name of a panel begins: over the panel, above its margin.
    pub fn name_top(&self, rect: Rect) -> f64 {
        rect.top - self.around[1] + LINE / 2.0
    }

    fn legend_of(&self, plot: &ScoreShiftPlot, width: f64) -> Vec<(Point, f64, Vec<Entry>)> {
        let [mut first, second, third] = entries(plot);
        let columns = match self.n_columns {
            3 => vec![first, second, third],
            _ => {
                first.extend(second);
                vec![first, third]
            }
        };
        let one = (width - 2.0 * EDGE) / columns.len() as f64;
        let top = self.bottom() + 4.0;
        let place = |(i, entries): (usize, Vec<Entry>)| ((EDGE + i as f64 * one, top), one - 16.0, entries);
        columns.into_iter().enumerate().map(place).collect()
    }
}

/// What the legend explains: before, after, the shift.
fn entries(plot: &ScoreShiftPlot) -> [Vec<Entry>; 3] {
    let [half, most] = super::SHARES.map(|share| number(100.0 * share, 0));
    let before = vec![
        Entry::new(Key::Point(BLUE.to_rgba(), Marker::Circle), "an answer before"),
        Entry::new(Key::Dashes(BLUE, BROKEN), format!("before: density, contours of {half} % and {most} %")),
    ];
    let after = vec![
        Entry::new(Key::Point(VERMILION.to_rgba(), Marker::Triangle), "the answer after"),
        Entry::new(Key::Line(VERMILION.to_rgba(), 2), format!("after: density, contours of {half} % and {most} %")),
    ];
    let mut shift = vec![
        Entry::new(Key::Line(INK.to_rgba(), 3), "arrow: mean shift, with its 95 % ellipse"),
        Entry::new(
            Key::Line(SOFT_INK.to_rgba(), 1),
            "mean of the answers before; axes are in their standard deviations",
        ),
        Entry::new(Key::Note, "corners: share of rows before → after"),
    ];
    let n = plot.panels.iter().map(|panel| panel.before.len()).min().unwrap_or(0);
    if n < FEWEST_ROWS {
        shift.push(Entry::new(Key::Note, format!("ellipses of fewer than {FEWEST_ROWS} rows are too small")));
    }
    [before, after, shift]
}

/// Every how many rows one is drawn as a point.
pub(super) fn stride(n_rows: usize) -> usize {
    n_rows.div_ceil(MOST_POINTS).max(1)
}

impl Texts {
    fn of(panel: &ShiftPanel, scene: &Scene, side: f64) -> Self {
        let width = side + MARGIN;
        Self {
            name: lines(&panel.name, TEXT, width, MOST_LINES),
            axes: [0, 1].map(|axis| axis_lines(&panel.axes[axis], width)),
            caption: caption(panel, scene)
                .iter()
                .flat_map(|text| lines(text, SMALL, width + OUTWARDS, MOST_LINES))
                .map(|line| line.replace(TOGETHER, " "))
                .collect(),
        }
    }
}

/// Text in at most so many lines.
fn lines(text: &str, em: f64, width: f64, most: usize) -> Vec<String> {
    let mut lines = wrap_text(&plain(text), em, width);
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(fit_text(&rest, em, width));
    }
    lines
}

fn axis_lines(axis: &ShiftAxis, width: f64) -> Vec<(String, f64)> {
    let (low, high) = ends_of(&axis.accuracy);
    let [value, low, high] = [axis.accuracy.value, low, high].map(|share| number(share, 2));
    let worth = format!("held-out accuracy {value} [{low}, {high}]");
    let name = lines(&axis.name, TEXT, width, MOST_LINES).into_iter().map(|line| (line, TEXT));
    name.chain(lines(&worth, SMALL, width, MOST_LINES).into_iter().map(|line| (line, SMALL))).collect()
}

fn caption(panel: &ShiftPanel, scene: &Scene) -> Vec<String> {
    let percent = |share: f64| number(100.0 * share, 1);
    let [x, y] = panel.mean_shift.each_ref().map(with_interval);
    let ([a, b], either) = (panel.worse.map(percent), percent(panel.worse_in_either));
    let [first, second] = panel.axes.each_ref().map(|axis| axis.n_held_out);
    let mut caption = vec![
        format!("n = {} rows; held-out pairs: x {first}, y {second}", panel.before.len()),
        format!("mean shift: x{TOGETHER}{x}, y{TOGETHER}{y}"),
        format!("made worse: x {a} %, y {b} %, either {either} %; unmoved{TOGETHER}{} %", percent(panel.unmoved)),
    ];
    let n_beyond = |points: &[[f64; 2]]| points.iter().filter(|point| !scene.holds(**point)).count();
    let beyond = [n_beyond(&panel.before), n_beyond(&panel.after)];
    if beyond != [0, 0] {
        caption.push(format!("beyond the axes, drawn at the edge: {} before, {} after", beyond[0], beyond[1]));
    }
    for (axis, place) in panel.axes.iter().zip(["x", "y"]) {
        if ends_of(&axis.accuracy).0 <= 0.5 {
            caption.push(format!("the accuracy of {place} is not above chance (0.5)"));
        }
    }
    let stride = stride(panel.before.len());
    if stride > 1 {
        caption.push(format!("drawn as points: one row in {stride}"));
    }
    caption
}

fn with_interval(mean: &Estimate) -> String {
    let (low, high) = ends_of(mean);
    format!("{}{TOGETHER}[{},{TOGETHER}{}]", rounded(mean.value), rounded(low), rounded(high))
}
