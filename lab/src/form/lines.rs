//! The lines of a text, looked at once, so that what stands on them can be asked of any number of places.

use std::ops::Range;

/// Marks of lists and quotations.
const MARKS: &str = " \t>-*+.)0123456789";
/// Signs that can end a sentence after a formula.
const SIGNS: &str = ".,;:!?";

/// The lines of a text.
pub(super) struct Lines<'a> {
    text: &'a str,
    lines: Vec<Line>,
}

/// A line; the next one begins where it ends.
struct Line {
    start: usize,
    /// Where something begins that is no mark.
    first: usize,
    /// Where everything has ended that is neither a gap nor a sign.
    last: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let (mut lines, mut start) = (Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            lines.push(Line::of(start, line));
            start += line.len();
        }
        // what stands at the end of the text is in the last line, or behind it
        lines.push(Line::of(start, ""));
        Self { text, lines }
    }

    /// Whether what stands here is a block of its own: it has several lines, or its line for itself. All else is part of a
    /// sentence.
    pub(super) fn is_block(&self, range: &Range<usize>) -> bool {
        let inner = self.text[range.clone()].trim_start();
        let start = range.end - inner.len();
        let end = start + inner.trim_end().len();
        let is_alone = || self.start(range.start).is_some() && self.end(range.end).is_some();
        self.at(start) != self.at(end.max(start + 1) - 1) || is_alone()
    }

    /// With the rest of its first and last lines, where these hold nothing but marks, or nothing.
    pub(super) fn whole(&self, range: Range<usize>) -> Range<usize> {
        self.start(range.start).unwrap_or(range.start)..self.end(range.end).unwrap_or(range.end)
    }

    /// Where the line begins, if nothing but marks stands before this place.
    fn start(&self, at: usize) -> Option<usize> {
        let line = &self.lines[self.at(at)];
        (at <= line.first).then_some(line.start)
    }

    /// Where the line ends, if nothing but signs stands behind this place.
    fn end(&self, at: usize) -> Option<usize> {
        let index = self.at(at);
        let line = &self.lines[index];
        if at == line.start && at > 0 {
            return Some(at);
        }
        let next = self.lines.get(index + 1).map_or(self.text.len(), |next| next.start);
        (at >= line.last).then_some(next)
    }

    /// The line in which a place is.
    fn at(&self, at: usize) -> usize {
        self.lines.partition_point(|line| line.start <= at).saturating_sub(1)
    }
}

impl Line {
    fn of(start: usize, line: &str) -> Self {
        let first = line.len() - line.trim_start_matches(|c| MARKS.contains(c)).len();
        let last = line.trim_end_matches(|c: char| c.is_whitespace() || SIGNS.contains(c)).len();
        Self { start, first: start + first, last: start + last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_lines_for_itself() {
        let text = "1. > xy .\nab\ncd\n";
        let lines = Lines::of(text);
        assert!(lines.is_block(&(5..7)) && !lines.is_block(&(5..6)) && !lines.is_block(&(6..7)));
        assert!(lines.is_block(&(11..14)), "it has two lines");
        assert_eq!(lines.whole(5..7), 0..10);
        assert_eq!((lines.whole(6..7), lines.whole(5..6)), (6..10, 0..6));
        assert_eq!((lines.whole(10..13), lines.whole(13..16)), (10..13, 13..16));
        assert_eq!(Lines::of("x").whole(0..1), 0..1);
        assert!(Lines::of("x\n").is_block(&(0..2)) && Lines::of("é").is_block(&(0..2)));
    }
}
