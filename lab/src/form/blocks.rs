//! A text's blocks: prose, and what only keeps its meaning as it is: code, tables, formulas, markup, JSON. What Markdown
//! says is read by a reader of Markdown; every step takes time in proportion to the text.

use std::ops::Range;
use std::sync::LazyLock;

use pulldown_cmark::{Event, Options, Parser, Tag};
use regex::Regex;

use super::elements;
use super::json_text::documents;
use super::lines::Lines;
use super::pattern;
use super::sentence::says_something;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block<'a> {
    /// Sentences.
    Prose(&'a str),
    /// A JSON document that has its lines for itself.
    Json(&'a str),
    /// Something else, and what it is.
    Kept(&'a str, &'static str),
}

impl Block<'_> {
    /// All of it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Prose(text) | Self::Json(text) | Self::Kept(text, _) => text,
        }
    }
}

/// A place that stays as it is.
pub(super) type Kept = (Range<usize>, &'static str);

/// What JSON is called.
pub(super) const JSON: &str = "JSON";

/// A formula between brackets with backslashes, without an empty line in it.
static FORMULA: LazyLock<Regex> = LazyLock::new(|| pattern(r"\\\[(?:[^\n]|\n\r?[^\r\n])*?\\\]"));
/// A line of tags, and nothing else.
static TAGS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?:<(?:/?[A-Za-z][\w:\-]*(?:\s[^<>]*)?/?|[!?][^<>]*)>\s*)+$"));

/// The blocks of a text, which joined are the text again.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let lines = Lines::of(text);
    let mut kept = markdown(text, &lines);
    let code: Vec<Range<usize>> = kept.iter().map(|(range, _)| range.clone()).collect();
    kept.retain(|(_, kind)| !kind.is_empty());
    let others = formulas(text, &code).into_iter().chain(elements::elements(text, &code));
    kept.extend(others.filter(|(range, _)| lines.is_block(range)));
    let kept = in_order(kept.into_iter().map(|(range, kind)| (lines.whole(range), kind)).collect());
    let json = documents(text, &kept).into_iter().map(|range| (range, JSON));
    // a document is not what Markdown takes its lines for
    let kept = in_order(json.chain(kept).collect());
    let (mut blocks, mut at) = (Vec::new(), 0);
    for (range, kind) in kept {
        prose(&text[at..range.start], &mut blocks);
        at = range.end;
        blocks.push(if kind == JSON { Block::Json(&text[range]) } else { Block::Kept(&text[range], kind) });
    }
    prose(&text[at..], &mut blocks);
    blocks
}

/// Places by their starts; of those that overlap the first stays, and of those with one start the first in the list.
fn in_order(mut kept: Vec<Kept>) -> Vec<Kept> {
    kept.sort_by_key(|(range, _)| range.start);
    let mut end = 0;
    kept.retain(|(range, _)| {
        let is_free = range.start >= end && !range.is_empty();
        end = if is_free { range.end } else { end };
        is_free
    });
    kept
}

/// Code, tables and formulas that Markdown marks; code within a line has no kind, as it is part of its sentence.
fn markdown(text: &str, lines: &Lines<'_>) -> Vec<Kept> {
    // tags would hide what stands between them from the reader; elements are looked for on their own
    let plain = text.replace('<', "x");
    let events = Parser::new_ext(&plain, Options::ENABLE_TABLES | Options::ENABLE_MATH).into_offset_iter();
    let kept = events.filter_map(|(event, range)| match event {
        Event::Start(Tag::CodeBlock(_)) => Some((range, "code")),
        Event::Start(Tag::Table(_)) => Some((table(text, range), "table")),
        Event::DisplayMath(_) if lines.is_block(&range) => Some((range, "formula")),
        Event::Code(_) => Some((range, "")),
        _ => None,
    });
    kept.collect()
}

/// A table as far as its lines have bars: Markdown takes a sentence right below it for a row.
fn table(text: &str, range: Range<usize>) -> Range<usize> {
    let rows = text[range.clone()].split_inclusive('\n').take_while(|line| line.contains('|'));
    range.start..range.start + rows.map(str::len).sum::<usize>()
}

fn formulas<'a>(text: &'a str, code: &'a [Range<usize>]) -> impl IntoIterator<Item = Kept> + 'a {
    let is_free = |range: &Range<usize>| !overlaps(code, range);
    FORMULA.find_iter(text).map(|found| found.range()).filter(is_free).map(|range| (range, "formula"))
}

/// Whether a range meets one of these, which are in order.
pub(super) fn overlaps(ranges: &[Range<usize>], range: &Range<usize>) -> bool {
    let first = ranges.partition_point(|other| other.end <= range.start);
    ranges.get(first).is_some_and(|other| other.start < range.end)
}

/// Prose, apart from lines that say where links lead, or hold nothing but tags, or say nothing.
fn prose<'a>(text: &'a str, blocks: &mut Vec<Block<'a>>) {
    let (mut from, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let is_markup = || TAGS.is_match(line) || !(says_something(line) || line.trim().is_empty());
        let kind = if is_reference(line) { Some("link") } else { is_markup().then_some("markup") };
        if let Some(kind) = kind {
            blocks.extend((from < at).then(|| Block::Prose(&text[from..at])));
            blocks.push(Block::Kept(line, kind));
            from = at + line.len();
        }
        at += line.len();
    }
    blocks.extend((from < text.len()).then(|| Block::Prose(&text[from..])));
}

/// A line that says where a link leads.
fn is_reference(line: &str) -> bool {
    let named = line.trim().strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    named.is_some_and(|(name, target)| {
        !name.is_empty() && target.contains("://") && target.split_whitespace().count() == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kept parts, after a check that nothing is lost.
    fn kept<'a>(text: &'a str) -> Vec<(&'a str, &'static str)> {
        let blocks = blocks(text);
        assert_eq!(blocks.iter().map(Block::text).collect::<String>(), text);
        let kept = |block: Block<'a>| match block {
            Block::Kept(part, kind) => Some((part, kind)),
            Block::Json(part) => Some((part, JSON)),
            Block::Prose(_) => None,
        };
        blocks.into_iter().filter_map(kept).collect()
    }

    #[test]
    fn code_is_told_from_prose() {
        let text = "See:\n\n```python\nprint(1)\n```\nDone.\n";
        assert_eq!(kept(text), [("```python\nprint(1)\n```\n", "code")]);
        assert_eq!(kept("~~~\nx\n```\n~~~"), [("~~~\nx\n```\n~~~", "code")]);
        assert_eq!(kept("a\n````\n```\n````\nb"), [("````\n```\n````\n", "code")]);
        assert_eq!(kept("Open:\n```\nx = 1\n"), [("```\nx = 1\n", "code")], "to the end where it is not closed");
        assert_eq!(kept("- so:\n  ```sh\n  ls\n  ```\n- b"), [("  ```sh\n  ls\n  ```\n", "code")]);
        assert_eq!(kept("So:\n\n    let x = 1;\n    x\n\nEnd."), [("    let x = 1;\n    x\n", "code")]);
        assert_eq!(kept("> ```\n> x\n\nYou fool."), [("> ```\n> x\n", "code")], "a quotation ends its code");
        let tags = [("<answer>\n", "markup"), ("```\nx\n```\n", "code"), ("</answer>", "markup")];
        assert_eq!(kept("<answer>\n```\nx\n```\n</answer>"), tags);
    }

    #[test]
    fn tables_formulas_markup_and_documents_are_told_from_prose() {
        let table = "| a | b |\n|---|---|\n| 1 | 2 |\n";
        assert_eq!(kept(&format!("T:\n{table}\nEnd.")), [(table, "table")]);
        assert_eq!(kept(&format!("{table}You fool.")), [(table, "table")], "a sentence below is no row");
        assert_eq!(kept("So\n$$\nx^2\n$$\nis."), [("$$\nx^2\n$$\n", "formula")]);
        assert_eq!(kept("So\n\\[ x \\]\nis."), [("\\[ x \\]\n", "formula")]);
        assert_eq!(kept("\\[ x \\].\nYou.\n\\[ y \\],\n"), [("\\[ x \\].\n", "formula"), ("\\[ y \\],\n", "formula")]);
        assert_eq!(kept("<table>\n<tr></tr>\n</table>\nEnd."), [("<table>\n<tr></tr>\n</table>\n", "markup")]);
        assert_eq!(kept("[1]: https://a.example/b\n"), [("[1]: https://a.example/b\n", "link")]);
        let tags = [("<!DOCTYPE html>\n", "markup"), ("</html>", "markup")];
        assert_eq!(kept("<!DOCTYPE html>\n<p>x\n</html>"), tags, "no element is closed");
        let page = "<!DOCTYPE html>\n<html><p>x</p></html>";
        assert_eq!(kept(page), [(page, "markup")]);
        assert_eq!(kept("So: {\"a\": 1}\n{\"a\":\n1}\n[2] is it."), [("{\"a\":\n1}\n", JSON)]);
        assert_eq!(kept("{\"a\": 1} is it."), [("{\"a\": 1}", JSON)]);
        assert_eq!(kept("One.\n\n---\n\nTwo."), [("---\n", "markup")], "a rule is no sentence");
        assert_eq!(kept("```\n{\"a\": 1}\n```\n"), [("```\n{\"a\": 1}\n```\n", "code")]);
    }

    #[test]
    fn what_ends_within_its_line_does_not_swallow_the_next_ones() {
        for text in [
            "\\[ x \\] is it.\nYou fool.\n\\[ y \\] too.",
            "$$x$$ is it.\nYou fool.\n$$y$$ too.",
            "<code>ls</code> lists files.\nYou fool.\n<code>cd</code> moves.",
            "<svg></svg> You fool.",
            "<b>You fool.</b>",
        ] {
            assert_eq!(kept(text), [], "{text}");
        }
        assert_eq!(kept("<code>\nnever closed"), [("<code>\n", "markup")]);
        assert_eq!(kept("<svg>\n</svg>\nYou fool."), [("<svg>\n</svg>\n", "markup")]);
        assert_eq!(kept("<?xml version=\"1.0\"?>\n<a><b>x</b></a>\nYou fool.").len(), 1);
    }

    #[test]
    fn prose_stays_prose() {
        for text in [
            "",
            "One. Two.\n\nThree.",
            "- item\n\n    more of the item\n",
            "1. a\n\n    still a\n",
            "a | b\nc",
            "`x` and ``y``\n",
            "```inline``` code",
            "< 3 and > 2",
            "He said [so]: see page 3",
            "$$ alone",
            "Use `<code>` and then `</code>`.\n\nYou fool.",
            "So {\"a\": 1} is it, {\"b\": 2} is not",
            "[{x}] You fool.",
        ] {
            assert_eq!(kept(text), [], "{text}");
        }
    }

    #[test]
    fn texts_made_to_take_long_do_not() {
        // each of these took minutes where a step looked to the end of the text for each line
        let parts = [
            "<code>\n",
            "<code><pre></pre>\n",
            "\\[\n",
            "$$\n\n",
            "[\n",
            "{\"a\":\n",
            "[1,\n",
            "\n",
            "    x\n\n",
            "> ",
            "`",
            "* ",
        ];
        for part in parts {
            let text = part.repeat(200_000 / part.len());
            assert!(!blocks(&text).is_empty(), "{part:?}");
        }
    }
}
