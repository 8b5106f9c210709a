//! Where the sentences of an answer are.

use std::ops::Range;

const CLOSERS: [char; 5] = ['"', '\'', ')', '”', '’'];

/// The byte ranges of the sentences, without the white space between them. A line break ends a sentence; so does `.`, `!` or `?`
/// before white space, but not after a single letter or a number that begins a line (`J. Bach`, `2. Stir`).
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let mut start = from;
        for (at, symbol) in line.char_indices() {
            let end = from + at + symbol.len_utf8();
            let next = text[end..].chars().next();
            if next.is_none_or(char::is_whitespace) && ends_sentence(&text[start..end]) {
                push_trimmed(text, start..end, &mut found);
                start = end;
            }
        }
        from += line.len();
        push_trimmed(text, start..from, &mut found);
    }
    found
}

fn ends_sentence(text: &str) -> bool {
    let body = text.trim().trim_end_matches(CLOSERS);
    match body.chars().last() {
        Some('!' | '?') => true,
        Some('.') => {
            let word = body.trim_end_matches('.').rsplit(char::is_whitespace).next().unwrap_or("");
            let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
            let is_marker = word.len() + 1 == body.len() && word.chars().all(|c| c.is_ascii_digit());
            !(is_initial || is_marker || word.contains('.') && word.len() <= 4)
        }
        _ => false,
    }
}

fn push_trimmed(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let piece = &text[range.clone()];
    let trimmed = piece.trim();
    if !trimmed.is_empty() {
        let start = range.start + (piece.len() - piece.trim_start().len());
        found.push(start..start + trimmed.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        assert_eq!(split("One. Two!  Three? "), ["One.", "Two!", "Three?"]);
        assert_eq!(split("He said \"Go.\" Then 3.5 m.\nNext line"), ["He said \"Go.\"", "Then 3.5 m.", "Next line"]);
        assert_eq!(split("J. S. Bach wrote it, e.g. fugues."), ["J. S. Bach wrote it, e.g. fugues."]);
        assert_eq!(split("1. Stir.\n2. Wait."), ["1. Stir.", "2. Wait."]);
        assert_eq!(split("It costs 24. Pay."), ["It costs 24.", "Pay."]);
        assert_eq!(split(" \n "), [""; 0]);
        assert_eq!(split("é… ü."), ["é… ü."]);
    }
}
