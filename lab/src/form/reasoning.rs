//! Reasoning that upstream models write into their answers, between marks.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::pattern;

/// Opening and closing marks.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    let marks = [
        r"(?i:</?(?:think|thinking|thought|reasoning|reflection|scratchpad|seed:think)(?:\s[^<>\n]*)?>)",
        r"\[/?THINK\]",
        "◁/?think▷",
        r"<\|(?:begin|end)_of_thought\|>",
        r"<\|(?:START|END)_THINKING\|>",
    ];
    pattern(&marks.join("|"))
});

/// A part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Reasoning with its marks, and the white space after it.
    Reasoning(&'a str),
    /// The answer.
    Answer(&'a str),
}

/// A mark: where it stands, whether it closes, and what the marks of a pair have in common.
struct Mark {
    place: Range<usize>,
    closes: bool,
    kind: String,
}

/// The parts of an answer, which joined are the answer again. What is opened and not closed goes on to the end; what is
/// closed and was never opened began at the start, as with templates that open it in the prompt. Marks within a line of
/// prose, and in code, are prose.
pub(super) fn parts(answer: &str) -> Vec<Part<'_>> {
    let marks: Vec<Mark> = MARK.find_iter(answer).map(|found| Mark::of(found.range(), found.as_str())).collect();
    let (mut parts, mut at) = (Vec::new(), 0);
    for Range { start, end } in reasoning(answer, &marks) {
        parts.extend((at < start).then(|| Part::Answer(&answer[at..start])));
        parts.push(Part::Reasoning(&answer[start..end]));
        at = end;
    }
    parts.extend((at < answer.len()).then(|| Part::Answer(&answer[at..])));
    parts
}

impl Mark {
    fn of(place: Range<usize>, text: &str) -> Self {
        let lower = text.to_lowercase();
        // behind the first character, as an attribute of an opening mark may hold a slash
        let closes = lower.chars().nth(1) == Some('/') || lower.starts_with("<|end");
        let name = lower.trim_start_matches(|c: char| !c.is_alphabetic());
        let name = name.split(|c: char| !c.is_alphabetic() && c != ':' && c != '_').next().unwrap_or_default();
        let first = lower.chars().next().unwrap_or_default();
        let name = name.rsplit('_').next().unwrap_or_default();
        Self { place, closes, kind: format!("{first}{name}") }
    }
}

/// Where reasoning stands, white space after it included.
fn reasoning(answer: &str, marks: &[Mark]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut next) = (0, 0);
    if let Some(index) = closed_only(answer, marks) {
        at = with_space(answer, marks[index].place.end);
        next = index + 1;
        found.push(0..at);
    }
    while let Some(index) = opening(answer, at, marks, next) {
        let start = marks[index].place.start;
        match closing(marks, index) {
            Some(last) => {
                at = with_space(answer, marks[last].place.end);
                next = last + 1;
            }
            None => (at, next) = (answer.len(), marks.len()),
        }
        found.push(start..at);
    }
    found
}

/// The next mark from `next` on that opens reasoning: at the start of a line outside of code.
fn opening(answer: &str, at: usize, marks: &[Mark], next: usize) -> Option<usize> {
    let (mut line, mut seen, mut is_code) = (at, at, false);
    (next..marks.len()).find(|&index| {
        let mark = &marks[index];
        if let Some(end) = answer[seen..mark.place.start].rfind('\n') {
            let lines = answer[line..=seen + end].lines().map(str::trim_start);
            is_code ^= lines.filter(|line| line.starts_with("```") || line.starts_with("~~~")).count() % 2 == 1;
            line = seen + end + 1;
        }
        seen = mark.place.start;
        !mark.closes && !is_code && answer[line..seen].trim().is_empty()
    })
}

/// The mark that closes what the one at `index` opens: the first of its kind; where others of its kind were opened before
/// that, as many more as there are.
fn closing(marks: &[Mark], index: usize) -> Option<usize> {
    let of_kind = |other: &usize| marks[*other].kind == marks[index].kind;
    let mut others = (index + 1..marks.len()).filter(of_kind);
    let mut n_open = 0;
    let mut last = others.by_ref().find(|&other| {
        n_open += usize::from(!marks[other].closes);
        marks[other].closes
    })?;
    for other in others.take(n_open).take_while(|other| marks[*other].closes) {
        last = other;
    }
    Some(last)
}

/// The mark at which reasoning ends that none opens: a closing mark after which a line ends.
fn closed_only(answer: &str, marks: &[Mark]) -> Option<usize> {
    let index = marks.iter().position(|mark| mark.closes)?;
    let mark = &marks[index];
    let after = answer[mark.place.end..].trim_start_matches([' ', '\t', '\r']);
    let ends_line = after.is_empty() || after.starts_with('\n');
    let is_opened = marks[..index].iter().any(|other| other.kind == mark.kind);
    (ends_line && !is_opened && !answer[..mark.place.start].contains("```")).then_some(index)
}

fn with_space(text: &str, end: usize) -> usize {
    text.len() - text[end..].trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::Part::{Answer, Reasoning};
    use super::*;

    #[test]
    fn reasoning_is_split_off() {
        assert_eq!(parts("<think>\nHm.\n</think>\n\nYes."), [Reasoning("<think>\nHm.\n</think>\n\n"), Answer("Yes.")]);
        assert_eq!(parts("Hm.\n</think>\n\nYes."), [Reasoning("Hm.\n</think>\n\n"), Answer("Yes.")]);
        assert_eq!(parts("  [THINK]a[/THINK]Yes."), [Answer("  "), Reasoning("[THINK]a[/THINK]"), Answer("Yes.")]);
        assert_eq!(parts("<think>never closed"), [Reasoning("<think>never closed")]);
        assert_eq!(parts("A.\n<think>b</think>C."), [Answer("A.\n"), Reasoning("<think>b</think>"), Answer("C.")]);
    }

    #[test]
    fn marks_are_known_however_they_are_written() {
        for [open, close] in [
            ["<THINK>\n", "</think>"],
            ["<think >", "</think >"],
            ["<thinking kind=\"a\">", "</thinking>"],
            ["<think source=\"a/b\">", "</think>"],
            ["◁think▷", "◁/think▷"],
            ["<|begin_of_thought|>", "<|end_of_thought|>"],
            ["<|START_THINKING|>", "<|END_THINKING|>"],
            ["<seed:think>", "</seed:think>"],
            ["<think>a<think>b</think>c", "</think>"],
            ["<think>the mark <think> opens", "</think>"],
            ["<think>a <thinking> b", "</think>"],
        ] {
            let thought = format!("{open}hm{close}");
            assert_eq!(parts(&format!("{thought}Yes.")), [Reasoning(&thought), Answer("Yes.")], "{open}");
        }
    }

    #[test]
    fn marks_within_prose_and_code_are_no_reasoning() {
        for text in ["Write <think> first.", "```\n<think>\nx\n```\n", "The mark </think> ends it.", "Yes.", ""] {
            let expected: &[Part<'_>] = if text.is_empty() { &[] } else { &[Answer(text)] };
            assert_eq!(parts(text), expected, "{text}");
        }
        let after = "<think>a</think>The mark </think> ends it.";
        assert_eq!(parts(after), [Reasoning("<think>a</think>"), Answer("The mark </think> ends it.")]);
    }

    #[test]
    fn many_marks_take_no_time() {
        for part in ["<think>\n", "x <think> ", "</think>", "<think>\n</think>\nx\n", "[THINK]<think>\n", "<think "] {
            let text = part.repeat(100_000);
            assert_eq!(
                parts(&text)
                    .iter()
                    .map(|part| match part {
                        Reasoning(text) | Answer(text) => text.len(),
                    })
                    .sum::<usize>(),
                text.len()
            );
        }
    }
}
