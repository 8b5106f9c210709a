//! Data on standard output; a closed pipe is an ordinary error here, not a panic.

use std::io::{IsTerminal, Write};
use std::path::Path;

use redline::model::files::write_atomically;
use redline::plot::ascii::AsciiOptions;
use serde::Serialize;

use crate::rows;

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

/// Writes a line.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(())
}

/// Writes text as it comes and shows it at once.
pub fn piece(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes a value as indented JSON; where rows of data files were left out, with how many and why.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let data_files = rows::said();
    match data_files.is_empty() {
        true => line(&serde_json::to_string_pretty(value)?),
        false => line(&serde_json::to_string_pretty(&WithRows { value, data_files })?),
    }
}

/// A result and what was said of the rows it was made from.
#[derive(Serialize)]
struct WithRows<'a, T> {
    #[serde(flatten)]
    value: &'a T,
    data_files: Vec<rows::Said>,
}

/// Writes a value as indented JSON to a file, which appears whole or not at all.
pub fn json_file(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    Ok(write_atomically(path, text.as_bytes())?)
}

/// A table with a header, columns padded to their widest cell, numbers to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
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

/// A number with three decimals, or a dash.
pub fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.3}"))
}
