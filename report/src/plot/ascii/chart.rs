//! Curves as text: a letter a point, dots between, one sign a series.

use super::AsciiOptions;
use crate::plot::frame::{Axis, extent};
use crate::plot::label::{plain, rounded, short, shorten};
use crate::plot::{Curve, CurvePanel, PlotError, Profile, SweepPlot, check};

const NAME: &str = "text plot";

/// Curves over one axis, for [`line_chart`].
#[derive(Debug, Clone)]
pub struct LineChart {
    /// Title, one line.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// The curves, each with its points from left to right.
    pub curves: Vec<Curve>,
}

impl LineChart {
    /// A panel of curves; its title is the name of its vertical axis.
    pub fn of_panel(panel: &CurvePanel, x_label: &str) -> Self {
        Self { title: panel.y_label.clone(), x_label: x_label.to_owned(), curves: panel.curves.clone() }
    }
}

impl From<&Profile> for LineChart {
    fn from(profile: &Profile) -> Self {
        let points =
            |values: &[f64]| profile.layers.iter().map(|layer| *layer as f64).zip(values.iter().copied()).collect();
        Self {
            title: format!("{}: {}", profile.title, profile.y_label),
            x_label: "layer (block number, from 0)".to_owned(),
            curves: profile.series.iter().map(|series| Curve::new(&series.name, points(&series.values))).collect(),
        }
    }
}

impl From<&SweepPlot> for LineChart {
    fn from(sweep: &SweepPlot) -> Self {
        let means = sweep.points.iter().map(|point| (point.coefficient, point.mean.value)).collect();
        let mut curves = vec![Curve::new(format!("mean {}", sweep.y_label), means)];
        if let Some(line) = &sweep.line {
            let slope = line.slope.value;
            let name = format!("line: slope {}, R² {}", rounded(slope), rounded(line.r_squared));
            curves.push(Curve::new(name, [line.range.0, line.range.1].map(|x| (x, line.at(x))).to_vec()));
        }
        let range = sweep.coherent.as_ref().map_or_else(String::new, |range| {
            format!("; coherent from {} to {}", rounded(range.low), rounded(range.high))
        });
        Self { title: sweep.title.clone(), x_label: format!("coefficient ({}){range}", sweep.unit), curves }
    }
}

const MARKS: [char; 6] = ['o', 'x', '+', '*', '#', '@'];
const ANSI: [u8; 6] = [34, 31, 32, 35, 33, 36];

/// Curves as text.
///
/// # Errors
/// [`PlotError`] for no data, numbers that are not finite, places that do not grow.
pub fn line_chart(plot: &LineChart, options: &AsciiOptions) -> Result<String, PlotError> {
    check::some(NAME, "curves", plot.curves.len())?;
    for curve in &plot.curves {
        check::some(NAME, "points", curve.points.len())?;
        let (x, y): (Vec<f64>, Vec<f64>) = curve.points.iter().copied().unzip();
        check::finite(NAME, &curve.name, &x)?;
        check::finite(NAME, &curve.name, &y)?;
        check::ascending(NAME, "the places of a curve", &x)?;
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
    fn of(plot: &LineChart, options: &AsciiOptions) -> Self {
        let (columns, rows) = (options.width.max(40) - LABEL - 1, options.height.max(5));
        let points = || plot.curves.iter().flat_map(|curve| curve.points.iter().copied());
        let y = Axis::round(extent(points().map(|point| point.1)).unwrap_or((0.0, 1.0)), 5, "");
        let mut x = Axis::round(extent(points().map(|point| point.0)).unwrap_or((0.0, 1.0)), 6, &plot.x_label);
        // layers and steps are whole numbers, and so are their ticks
        if points().all(|(at, _)| at.fract() == 0.0) {
            x.ticks.retain(|(at, _)| (at - at.round()).abs() < 1e-9);
            x.ticks.iter_mut().for_each(|(at, label)| *label = short(*at));
        }
        let mut grid = Self { x, y, places: vec![vec![None; columns]; rows] };
        for (i, curve) in plot.curves.iter().enumerate() {
            let points: Vec<_> = curve.points.iter().map(|(x, y)| grid.place(*x, *y)).collect();
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

    fn render(&self, plot: &LineChart, options: &AsciiOptions) -> String {
        let mut text = format!("{}\n", shorten(&plain(&plot.title), options.width.max(40)));
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
        for (i, curve) in plot.curves.iter().enumerate() {
            let mark = painted(Some((i, MARKS[i % MARKS.len()])), options.color);
            let (low, high) = extent(curve.points.iter().map(|point| point.1)).unwrap_or((0.0, 0.0));
            let range = format!("{} to {}", rounded(low), rounded(high));
            let room = options.width.max(40).saturating_sub(range.chars().count() + 7);
            text.push_str(&format!("  {mark} {} ({range})\n", shorten(&plain(&curve.name), room)));
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
