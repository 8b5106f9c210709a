//! Style of an answer: what judges like whatever is said, its length and its Markdown (style control of Arena-Hard v2; Li et al. 2024).
//!
//! For two answers, m and b: length (len_m − len_b) / (len_m + len_b), and for headers, list items and bold spans each
//! (d_m − d_b) / (d_m + d_b + 1) with the density d = count / (words + 1). Lengths are in Unicode characters, and densities a word:
//! the tokens that a record counts are those of all attempts, not of the answer. Markdown within fenced code is not counted.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// What is counted in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextStyle {
    /// Unicode characters.
    pub n_characters: usize,
    /// Words: what stands between white space.
    pub n_words: usize,
    /// Headers.
    pub n_headers: usize,
    /// Items of lists, numbered or not.
    pub n_list_items: usize,
    /// Bold spans.
    pub n_bold: usize,
}

impl TextStyle {
    /// Names of the features of [`TextStyle::less`].
    pub const FEATURES: [&'static str; 4] = ["length", "headers", "list items", "bold"];

    /// Counts.
    ///
    /// # Example
    /// ```
    /// use redline_lab::contest::TextStyle;
    /// let style = TextStyle::of("# Why\n- **one**\n- two");
    /// assert_eq!((style.n_headers, style.n_list_items, style.n_bold, style.n_words), (1, 2, 1, 6));
    /// ```
    pub fn of(text: &str) -> Self {
        let prose = without_code(text);
        Self {
            n_characters: text.chars().count(),
            n_words: text.split_whitespace().count(),
            n_headers: n_headers(&prose),
            n_list_items: n_list_items(&prose),
            n_bold: n_bold(&prose),
        }
    }

    /// The features of this answer less those of another, each from −1 to 1.
    pub fn less(&self, other: &Self) -> [f64; 4] {
        [
            length_difference(self.n_characters, other.n_characters),
            self.density_difference(other, |own| own.n_headers),
            self.density_difference(other, |own| own.n_list_items),
            self.density_difference(other, |own| own.n_bold),
        ]
    }

    /// (d_m − d_b) / (d_m + d_b + 1).
    fn density_difference(&self, other: &Self, count: fn(&Self) -> usize) -> f64 {
        let density = |own: &Self| count(own) as f64 / (own.n_words as f64 + 1.0);
        let (own, other) = (density(self), density(other));
        (own - other) / (own + other + 1.0)
    }
}

/// (a − b) / (a + b), 0 for two empty texts.
fn length_difference(a: usize, b: usize) -> f64 {
    let (a, b) = (a as f64, b as f64);
    if a + b == 0.0 { 0.0 } else { (a - b) / (a + b) }
}

/// A pattern of this file.
macro_rules! pattern {
    ($pattern:literal) => {{
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).expect("the pattern is fixed"));
        &PATTERN
    }};
}

/// The text without fenced code, to its end where a fence is not closed.
fn without_code(text: &str) -> Cow<'_, str> {
    pattern!(r"(?s)```.*?(?:```|\z)").replace_all(text, "")
}

/// Lines that begin with one to six `#` and white space.
fn n_headers(text: &str) -> usize {
    pattern!(r"(?m)^#{1,6}\s").find_iter(text).count()
}

/// Lines that begin with a number and a point, or with `-`, `*` or `+`, and white space.
fn n_list_items(text: &str) -> usize {
    pattern!(r"(?m)^[ \t]*(?:\d+\.|[-*+])\s").find_iter(text).count()
}

/// Spans between `**` or `__` within a line.
fn n_bold(text: &str) -> usize {
    pattern!(r"\*\*[^*\n]+\*\*|__[^_\n]+__").find_iter(text).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_begin_a_line_and_have_up_to_six_signs() {
        assert_eq!(n_headers("# a\n## b\n###### c\n####### d\n#e\n text # f"), 3);
        assert_eq!(n_headers(""), 0);
    }

    #[test]
    fn list_items_begin_a_line_with_a_mark() {
        assert_eq!(n_list_items("- a\n* b\n+ c\n  12. d\n1.5 e\n-f\nx - g\n\n\n- h"), 5);
        assert_eq!(n_list_items("**bold** first"), 0);
    }

    #[test]
    fn bold_spans_end_in_their_line() {
        assert_eq!(n_bold("**a** and __b c__, **d\ne**, *f*, snake_case, __init"), 2);
    }

    #[test]
    fn code_is_no_markdown() {
        assert_eq!(without_code("a ```\n# b\n``` c ```\n- d"), "a  c ");
        let style = TextStyle::of("```sh\n# comment\n- x\n```\n# one");
        assert_eq!((style.n_headers, style.n_list_items), (1, 0));
        assert_eq!(style.n_words, 8, "words of code are words");
    }

    #[test]
    fn features_are_those_of_the_formulas() {
        let (long, short) = (TextStyle::of("# aé\n- **bc**"), TextStyle::of("abc"));
        assert_eq!((long.n_characters, long.n_words, short.n_characters, short.n_words), (13, 4, 3, 1));
        // each count is 1 of 4 words: d = 1/5, (1/5 − 0) / (1/5 + 0 + 1) = 1/6
        let found = long.less(&short);
        for (found, expected) in found.iter().zip([10.0 / 16.0, 1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0]) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        assert_eq!(short.less(&long), found.map(|own| -own));
        let empty = TextStyle::of("");
        assert_eq!((empty.less(&empty), long.less(&empty)[0]), ([0.0; 4], 1.0));
    }
}
