//! Elements of HTML, and documents of XML, whose content is no prose.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::blocks::{Kept, overlaps};
use super::pattern;

/// Elements whose content is no prose.
pub(super) const ELEMENTS: [&str; 10] =
    ["code", "form", "html", "math", "pre", "script", "style", "svg", "table", "textarea"];

static TAG: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"(?i)<(/?)({})(?:\s[^<>]*)?>", ELEMENTS.join("|"))));
static PROLOGUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^\s*(?:<\?xml[^<>]*\?>\s*(?:<!doctype[^<>]*>\s*)?|<!doctype[^<>]*>\s*)<([a-z_][\w:.\-]*)")
});

/// Elements from their opening to their closing tags, and a document from its first line on. Tags in code are no tags, and
/// what is never closed is none.
pub(super) fn elements(text: &str, code: &[Range<usize>]) -> Vec<Kept> {
    let mut open: HashMap<String, Vec<usize>> = HashMap::new();
    let mut found: Vec<Kept> = document(text).into_iter().map(|range| (range, "markup")).collect();
    for tag in TAG.captures_iter(text) {
        let (Some(whole), Some(closes), Some(name)) = (tag.get(0), tag.get(1), tag.get(2)) else { continue };
        if overlaps(code, &whole.range()) {
            continue;
        }
        let open = open.entry(name.as_str().to_ascii_lowercase()).or_default();
        match closes.is_empty() {
            true => open.push(whole.start()),
            false => found.extend(open.pop().map(|start| (start..whole.end(), "markup"))),
        }
    }
    found
}

/// A document that the text begins with: it says so, and its first element is closed.
fn document(text: &str) -> Option<Range<usize>> {
    let name = PROLOGUE.captures(text)?.get(1)?;
    let closing = format!("</{}", name.as_str().to_ascii_lowercase());
    let end = text.to_ascii_lowercase().rfind(&closing).filter(|end| *end >= name.end())?;
    let end = end + text[end..].find('>')? + 1;
    Some(0..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        elements(text, &[]).into_iter().map(|(range, _)| &text[range]).collect()
    }

    #[test]
    fn elements_end_at_their_closing_tags() {
        assert_eq!(found("a <code>x</code> b"), ["<code>x</code>"]);
        assert_eq!(found("<PRE class=\"a\">\nx\n</pre>y"), ["<PRE class=\"a\">\nx\n</pre>"]);
        assert_eq!(found("<table><table></table></table>z"), ["<table></table>", "<table><table></table></table>"]);
        assert_eq!(found("<code>x, <codex></codex>, </pre>"), Vec::<&str>::new());
        let code = vec![0..8, 9..10];
        assert_eq!(elements("`<code>` and </code>", &code), []);
    }

    #[test]
    fn a_document_ends_with_its_first_element() {
        assert_eq!(found("<?xml version='1.0'?>\n<a:b>x</a:b> You fool."), ["<?xml version='1.0'?>\n<a:b>x</a:b>"]);
        assert_eq!(found("<!DOCTYPE html><HTML>x</html>"), ["<!DOCTYPE html><HTML>x</html>", "<HTML>x</html>"]);
        assert_eq!(found("<?xml version='1.0'?>\n<a>never closed"), Vec::<&str>::new());
    }
}
