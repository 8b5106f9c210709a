//! Reasoning that upstream models write into their answers, between marks.

/// Opening and closing marks.
const MARKS: [[&str; 2]; 5] = [
    ["<think>", "</think>"],
    ["<thinking>", "</thinking>"],
    ["<thought>", "</thought>"],
    ["<reasoning>", "</reasoning>"],
    ["[THINK]", "[/THINK]"],
];

/// A part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Reasoning with its marks, and the white space after it.
    Reasoning(&'a str),
    /// The answer.
    Answer(&'a str),
}

/// The parts of an answer, which joined are the answer again. What is opened and not closed goes on to the end; what is
/// closed and was never opened began at the start, as with templates that open it in the prompt. Marks within a line of
/// prose are prose.
pub(super) fn parts(answer: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = answer;
    if let Some(end) = closed_only(rest) {
        let (reasoning, after) = rest.split_at(with_space(rest, end));
        parts.push(Part::Reasoning(reasoning));
        rest = after;
    }
    while let Some((start, [open, close])) = opening(rest) {
        let inner = start + open.len();
        let end = rest[inner..].find(close).map_or(rest.len(), |at| inner + at + close.len());
        let end = with_space(rest, end);
        if start > 0 {
            parts.push(Part::Answer(&rest[..start]));
        }
        parts.push(Part::Reasoning(&rest[start..end]));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        parts.push(Part::Answer(rest));
    }
    parts
}

/// The first mark that opens reasoning at the start of a line outside of code.
fn opening(text: &str) -> Option<(usize, [&'static str; 2])> {
    let (mut at, mut is_code) = (0, false);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        is_code ^= trimmed.starts_with("```") || trimmed.starts_with("~~~");
        let marks = MARKS.iter().find(|[open, _]| trimmed.starts_with(open));
        if let Some(marks) = marks.filter(|_| !is_code) {
            return Some((at + line.len() - trimmed.len(), *marks));
        }
        at += line.len();
    }
    None
}

/// Where reasoning ends that no mark opens: a closing mark alone on its line or after which a line ends.
fn closed_only(text: &str) -> Option<usize> {
    let closing = MARKS.iter().filter_map(|[open, close]| {
        let at = text.find(close)?;
        let after = &text[at + close.len()..];
        let ends_line = after.is_empty() || after.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
        (ends_line && !text[..at].contains(open) && !text[..at].contains("```")).then_some(at + close.len())
    });
    closing.min()
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
    fn marks_within_prose_and_code_are_no_reasoning() {
        for text in ["Write <think> first.", "```\n<think>\nx\n```\n", "The mark </think> ends it.", "Yes.", ""] {
            let expected: &[Part<'_>] = if text.is_empty() { &[] } else { &[Answer(text)] };
            assert_eq!(parts(text), expected, "{text}");
        }
    }
}
