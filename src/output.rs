//! Data on standard output, remarks on standard error; a closed pipe is an ordinary error here, not a panic.
//!
//! What files hold reaches both only through [`visible`](crate::visible): no value can move the cursor or forge a line.

use std::io::{IsTerminal, Write};
use std::path::Path;

use redline::model::files::write_atomically;
use redline::plot::ascii::AsciiOptions;
use redline::steer::Interval;
use serde::Serialize;

use crate::rows;
use crate::visible::{visible, visible_json, visible_lines};

/// Whether standard output takes colour: it is a terminal, and `NO_COLOR` is not set to anything.
pub fn is_coloured() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// How plots are set as text.
pub fn ascii_options() -> AsciiOptions {
    AsciiOptions { color: is_coloured(), ..AsciiOptions::default() }
}

/// Writes a line on standard error, composed as by `format!`.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::note_line(&format!($($text)*)) };
}
pub(crate) use note;

/// What `note!` calls.
pub fn note_line(text: &str) {
    eprintln!("{}", visible(text));
}

/// Writes a line of words for people, or several.
pub fn line(text: &str) -> anyhow::Result<()> {
    coloured(&visible_lines(text))
}

/// Writes lines that may hold colours; what files hold is escaped in them already.
pub fn coloured(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(())
}

/// Writes text of our own or of a model as it comes and shows it at once: byte for byte, but to a terminal without what moves its cursor.
pub fn piece(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let shown = if stdout.is_terminal() { visible_lines(text) } else { text.into() };
    stdout.write_all(shown.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes a value as indented JSON; where rows of data files were left out, with how many and why.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let data_files = rows::said();
    match data_files.is_empty() {
        true => json_text(&serde_json::to_string_pretty(value)?),
        false => json_text(&serde_json::to_string_pretty(&WithRows { value, data_files })?),
    }
}

/// A result and what was said of the rows it was made from.
#[derive(Serialize)]
struct WithRows<'a, T> {
    #[serde(flatten)]
    value: &'a T,
    data_files: Vec<rows::Said>,
}

/// Writes a value as a line of JSON.
pub fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    json_text(&serde_json::to_string(value)?)
}

/// Writes lines of JSON; to a terminal without what moves its cursor.
pub fn json_text(text: &str) -> anyhow::Result<()> {
    let text = if std::io::stdout().is_terminal() { visible_json(text) } else { text.into() };
    coloured(&text)
}

/// Writes a value as indented JSON to a file, which appears whole or not at all.
pub fn json_file(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    Ok(write_atomically(path, text.as_bytes())?)
}

/// A table with a header, columns padded to their widest cell, numbers to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| visible(cell).into_owned()).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let render = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect();
        padded.join("  ").trim_end().to_string()
    };
    let mut lines = vec![render(&mut header.iter().copied())];
    lines.extend(rows.iter().map(|row| render(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// How many rows, in words.
pub fn rows_in_words(n: usize) -> String {
    if n == 1 { "1 row".into() } else { format!("{n} rows") }
}

/// A number with three decimals, or a dash.
pub fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.3}"))
}

/// The ends of an interval: `[0.120, 0.340]`.
pub fn interval(interval: &Interval) -> String {
    format!("[{:.3}, {:.3}]", interval.low, interval.high)
}

/// A number with its interval, where it has one: `0.250 [0.120, 0.340]`.
pub fn estimate(value: f64, ends: Option<&Interval>) -> String {
    ends.map_or_else(|| format!("{value:.3}"), |ends| format!("{value:.3} {}", interval(ends)))
}
