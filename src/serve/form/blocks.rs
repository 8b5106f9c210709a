//! A text's blocks: prose, and what only keeps its meaning as it is: code, tables, formulas, markup.

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block<'a> {
    /// Sentences.
    Prose(&'a str),
    /// Something else, and what it is.
    Kept(&'a str, &'static str),
}

/// Elements whose content is no prose.
const ELEMENTS: [&str; 9] = ["code", "form", "math", "pre", "script", "style", "svg", "table", "textarea"];

/// The blocks of a text, which joined are the text again.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let start = text.trim_start().to_ascii_lowercase();
    if ["<?xml", "<!doctype", "<html", "<svg"].iter().any(|mark| start.starts_with(mark)) {
        return vec![Block::Kept(text, "markup")];
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut found: Vec<(usize, Option<&'static str>)> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (n, kind) = match special(&lines, at) {
            Some((n, kind)) => (n, Some(kind)),
            None => (1, None),
        };
        match found.last_mut() {
            Some((count, last)) if *last == kind && kind.is_none() => *count += n,
            _ => found.push((n, kind)),
        }
        at += n;
    }
    let (mut blocks, mut from, mut line) = (Vec::new(), 0, 0);
    for (n, kind) in found {
        let length: usize = lines[line..line + n].iter().map(|line| line.len()).sum();
        let part = &text[from..from + length];
        blocks.push(kind.map_or(Block::Prose(part), |kind| Block::Kept(part, kind)));
        from += length;
        line += n;
    }
    blocks
}

/// How many lines from `at` on are something else than prose, and what.
fn special(lines: &[&str], at: usize) -> Option<(usize, &'static str)> {
    let rest = &lines[at..];
    let fence = || fenced(rest).map(|n| (n, "code"));
    let table = || tabled(rest).map(|n| (n, "table"));
    let formula = || delimited(rest, "$$", "$$").or_else(|| delimited(rest, "\\[", "\\]")).map(|n| (n, "formula"));
    let element = || element(rest).map(|n| (n, "markup"));
    let indented = || indented(lines, at).map(|n| (n, "code"));
    let reference = || is_reference(rest[0]).then_some((1, "link"));
    fence().or_else(table).or_else(formula).or_else(element).or_else(indented).or_else(reference)
}

/// A block between fences, to the end of the text where it is not closed.
fn fenced(lines: &[&str]) -> Option<usize> {
    let opening = quoted(lines[0]);
    let mark = opening.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
    let length = opening.chars().take_while(|other| *other == mark).count();
    let info = &opening[length..];
    if length < 3 || (mark == '`' && info.contains('`')) {
        return None;
    }
    let closes = |line: &&str| {
        let line = quoted(line).trim_end();
        line.len() >= length && line.chars().all(|other| other == mark)
    };
    Some(lines[1..].iter().position(closes).map_or(lines.len(), |inner| inner + 2))
}

/// A line without the marks of lists and quotations before its content.
fn quoted(line: &str) -> &str {
    line.trim_start_matches([' ', '\t', '>']).trim_start_matches(['-', '*', '+']).trim_start()
}

/// A table of Markdown: a line with bars, one that draws its rule, and those that follow.
fn tabled(lines: &[&str]) -> Option<usize> {
    let is_rule = |line: &str| {
        let line = line.trim();
        line.contains('-') && line.contains('|') && line.chars().all(|mark| "|-: \t".contains(mark))
    };
    let starts = lines[0].contains('|') && lines.get(1).is_some_and(|line| is_rule(line));
    starts.then(|| 2 + lines[2..].iter().take_while(|line| line.contains('|')).count())
}

/// Lines from an opening mark to a closing one.
fn delimited(lines: &[&str], open: &str, close: &str) -> Option<usize> {
    let first = lines[0].trim();
    let inner = first.strip_prefix(open)?;
    if inner.ends_with(close) && !inner.is_empty() {
        return Some(1);
    }
    let closing = lines[1..].iter().position(|line| line.trim_end().ends_with(close))?;
    Some(closing + 2)
}

/// An element of HTML whose content is no prose, to the line that closes it.
fn element(lines: &[&str]) -> Option<usize> {
    let inner = lines[0].trim_start().strip_prefix('<')?.to_ascii_lowercase();
    let name = ELEMENTS.iter().find(|name| {
        let after = inner.strip_prefix(**name).and_then(|rest| rest.chars().next());
        after.is_some_and(|after| after == '>' || after.is_whitespace())
    })?;
    let closing = format!("</{name}>");
    let closes = |line: &&str| line.to_ascii_lowercase().trim_end().ends_with(&closing);
    lines.iter().position(closes).map(|inner| inner + 1)
}

/// Lines set in by four spaces after an empty one, unless they go on with a list.
fn indented(lines: &[&str], at: usize) -> Option<usize> {
    let is_set_in = |line: &str| (line.starts_with("    ") || line.starts_with('\t')) && !line.trim().is_empty();
    let is_item = |line: &str| {
        let line = line.trim_start();
        let number = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
        line.starts_with(['-', '*', '+']) || (number.len() < line.len() && number.starts_with(['.', ')']))
    };
    let before = lines[..at].iter().rev().find(|line| !line.trim().is_empty());
    let follows_gap = at == 0 || lines[at - 1].trim().is_empty();
    if !follows_gap || !is_set_in(lines[at]) || is_item(lines[at]) {
        return None;
    }
    if before.is_some_and(|line| is_item(line) || line.starts_with(' ')) {
        return None;
    }
    Some(lines[at..].iter().take_while(|line| is_set_in(line)).count())
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
        let part = |block: &Block<'_>| match block {
            Block::Prose(part) | Block::Kept(part, _) => part.to_string(),
        };
        assert_eq!(blocks.iter().map(part).collect::<String>(), text);
        let kept = |block: Block<'a>| match block {
            Block::Kept(part, kind) => Some((part, kind)),
            Block::Prose(_) => None,
        };
        blocks.into_iter().filter_map(kept).collect()
    }

    #[test]
    fn code_tables_formulas_and_markup_are_told_from_prose() {
        let text = "See:\n\n```python\nprint(1)\n```\nDone.\n";
        assert_eq!(kept(text), [("```python\nprint(1)\n```\n", "code")]);
        assert_eq!(kept("~~~\nx\n```\n~~~"), [("~~~\nx\n```\n~~~", "code")]);
        assert_eq!(kept("a\n````\n```\n````\nb"), [("````\n```\n````\n", "code")]);
        assert_eq!(kept("Open:\n```\nx = 1\n"), [("```\nx = 1\n", "code")], "to the end where it is not closed");
        assert_eq!(kept("- so:\n  ```sh\n  ls\n  ```\n- b"), [("  ```sh\n  ls\n  ```\n", "code")]);
        assert_eq!(
            kept("T:\n| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd."),
            [("| a | b |\n|---|---|\n| 1 | 2 |\n", "table")]
        );
        assert_eq!(kept("So\n$$\nx^2\n$$\nis."), [("$$\nx^2\n$$\n", "formula")]);
        assert_eq!(kept("So\n\\[ x \\]\nis."), [("\\[ x \\]\n", "formula")]);
        assert_eq!(kept("<table>\n<tr></tr>\n</table>\nEnd."), [("<table>\n<tr></tr>\n</table>\n", "markup")]);
        assert_eq!(kept("So:\n\n    let x = 1;\n    x\n\nEnd."), [("    let x = 1;\n    x\n", "code")]);
        assert_eq!(kept("[1]: https://a.example/b\n"), [("[1]: https://a.example/b\n", "link")]);
        assert_eq!(kept("<!DOCTYPE html>\n<p>x</p>"), [("<!DOCTYPE html>\n<p>x</p>", "markup")]);
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
        ] {
            assert_eq!(kept(text), [], "{text}");
        }
    }
}
