//! The page around the data.

use std::io::Read;
use std::path::Path;

use redline_model::files::open;

use super::ReportError;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// The script, in the order its parts build on each other.
const SCRIPT: [&str; 7] = [
    include_str!("page/element.js"),
    include_str!("page/axes.js"),
    include_str!("page/charts.js"),
    include_str!("page/sweep.js"),
    include_str!("page/heatmap.js"),
    include_str!("page/examples.js"),
    include_str!("page/page.js"),
];
/// What tells a page of ours from any other file.
const GENERATOR: &str = "<meta name=\"generator\" content=\"redline\">";
/// Bytes at the beginning of a file that it is looked for in.
const HEAD: u64 = 4096;

/// The whole page.
pub(super) fn assemble(title: &str, data: &str) -> String {
    let (before_title, rest) = halves(PAGE, "{{title}}");
    let (before_style, rest) = halves(rest, "{{style}}");
    let (before_data, rest) = halves(rest, "{{data}}");
    let (before_script, end) = halves(rest, "{{script}}");
    [
        before_title,
        &escaped(title),
        before_style,
        STYLE,
        before_data,
        &in_script(data),
        before_script,
        &SCRIPT.concat(),
        end,
    ]
    .concat()
}

fn halves<'a>(text: &'a str, place: &str) -> (&'a str, &'a str) {
    text.split_once(place).expect("the page has a place for every part")
}

/// A text between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON inside a script element: nothing in it may look like a tag or a comment. `<` occurs in strings only, where JSON has
/// another way to write it.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// Makes sure that a report may be written there: nothing lies there, or the report of an earlier run.
///
/// # Errors
/// [`ReportError::OtherFile`], or the file that is there cannot be read.
pub fn check_place(path: &Path) -> Result<(), ReportError> {
    let io = |error| ReportError::File(redline_model::Error::io(path, error));
    if !path.exists() {
        return Ok(());
    }
    let mut head = Vec::new();
    open(path).map_err(ReportError::File)?.take(HEAD).read_to_end(&mut head).map_err(io)?;
    match head.is_empty() || String::from_utf8_lossy(&head).contains(GENERATOR) {
        true => Ok(()),
        false => Err(ReportError::OtherFile { path: path.into() }),
    }
}
