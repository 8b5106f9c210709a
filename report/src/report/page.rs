//! The page around the data.

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
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"redline\">";

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
