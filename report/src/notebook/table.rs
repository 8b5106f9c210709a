//! A table of names, values and intervals, as HTML and as text.

use redline_steer::{Interval, LineFit, SweepFit, Tuned};

/// Rows of a name, a value and an interval, which may be empty.
pub(super) struct Table {
    rows: Vec<[String; 3]>,
}

impl Table {
    pub(super) fn of_line(line: &LineFit) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row("slope", number(line.slope), None);
        table.row("intercept", number(line.intercept), None);
        table.row("R²", line.r2.map_or_else(|| "–".into(), number), None);
        table.row("points", line.n.to_string(), None);
        table
    }

    pub(super) fn of_fit(fit: &SweepFit) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row("slope", number(fit.line.slope), Some(fit.slope_interval));
        table.row("intercept", number(fit.line.intercept), Some(fit.intercept_interval));
        table.row("R²", fit.line.r2.map_or_else(|| "–".into(), number), None);
        table.row("Spearman", fit.spearman.map_or_else(|| "–".into(), number), fit.spearman_interval);
        table.row("anti-steerable prompts", format!("{:.0} %", 100.0 * fit.negative_slope_share), None);
        table.row("prompts", fit.n_prompts.to_string(), None);
        let ends = [fit.coefficients[0], fit.coefficients[fit.coefficients.len() - 1]];
        table.row("coefficients", format!("{} … {}", ends[0], ends[1]), None);
        table
    }

    pub(super) fn of_tuned(tuned: &Tuned) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row("target ratio", number(tuned.target), None);
        table.row("coefficient", number(tuned.coefficient), Some(tuned.interval));
        table
    }

    fn row(&mut self, name: &str, value: String, interval: Option<Interval>) {
        let interval = interval.map_or_else(String::new, |at| format!("[{}, {}]", number(at.low), number(at.high)));
        self.rows.push([name.into(), value, interval]);
    }

    /// By media type, the richest first.
    pub(super) fn contents(&self) -> Vec<(&'static str, String)> {
        vec![("text/html", self.html()), ("text/plain", self.text())]
    }

    fn html(&self) -> String {
        let row = |[name, value, interval]: &[String; 3]| {
            format!("<tr><td>{name}</td><td align=\"right\">{value}</td><td>{interval}</td></tr>")
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!("<table><tr><th></th><th></th><th>95 %</th></tr>{rows}</table>")
    }

    fn text(&self) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (names, values) = (width(0), width(1));
        let row = |[name, value, interval]: &[String; 3]| {
            format!("{name:<names$}  {value:>values$}  {interval}").trim_end().to_owned()
        };
        self.rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }
}

fn number(value: f64) -> String {
    format!("{value:.3}")
}
