//! What filters measure in a text. None stands where there is nothing to measure.

use std::collections::{HashMap, HashSet};

/// Frequent small words of English.
const STOP_WORDS: [&str; 48] = [
    "a", "about", "all", "an", "and", "are", "as", "at", "be", "but", "by", "can", "for", "from", "had", "has", "have",
    "he", "i", "if", "in", "is", "it", "its", "not", "of", "on", "or", "she", "so", "that", "the", "their", "there",
    "they", "this", "to", "was", "we", "were", "what", "when", "which", "who", "will", "with", "you", "your",
];

/// Mean number of characters of the words, as white space parts them.
pub fn mean_word_length(text: &str) -> Option<f64> {
    let (mut n_words, mut n_chars) = (0_usize, 0_usize);
    for word in text.split_whitespace() {
        n_words += 1;
        n_chars += word.chars().count();
    }
    (n_words > 0).then(|| n_chars as f64 / n_words as f64)
}

/// Share of the characters that are neither letters, digits nor white space; 0 of an empty text.
pub fn non_alphanumeric_share(text: &str) -> f64 {
    let n_symbols = text.chars().filter(|c| !c.is_alphanumeric() && !c.is_whitespace()).count();
    share(n_symbols, text.chars().count()).unwrap_or(0.0)
}

/// Share of the lines that are different ones, by their text without white space at the ends; lines without a letter or digit, such as
/// those around a code block, do not count. None of fewer than three lines.
pub fn unique_line_share(text: &str) -> Option<f64> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.contains(char::is_alphanumeric)).collect();
    let unique: HashSet<&str> = lines.iter().copied().collect();
    if lines.len() < 3 { None } else { share(unique.len(), lines.len()) }
}

/// Share of the characters that belong to the most frequent run of `n` words; its occurrences that overlap count once. 0 where no run
/// occurs twice. Of runs that are equally frequent the first counts.
///
/// # Example
/// ```
/// use redline_data::filters::top_n_gram_share;
/// assert_eq!(top_n_gram_share("no way no way no", 2), 12.0 / 16.0);
/// assert_eq!(top_n_gram_share("one two three", 2), 0.0);
/// ```
pub fn top_n_gram_share(text: &str, n: usize) -> f64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some((top, 2..)) = (n > 0).then(|| top_run(&words, n)).flatten() else { return 0.0 };
    let n_chars = |words: &[&str]| words.iter().map(|word| word.chars().count()).sum::<usize>() + words.len() - 1;
    let (mut at, mut n_times) = (0, 0);
    while let Some(run) = words.get(at..at + n) {
        let is_top = run == top;
        n_times += usize::from(is_top);
        at += if is_top { n } else { 1 };
    }
    share(n_times * n_chars(top), n_chars(&words)).unwrap_or(0.0)
}

/// The most frequent run of `n` words, the first of several, and how often it occurs.
fn top_run<'a, 'b>(words: &'b [&'a str], n: usize) -> Option<(&'b [&'a str], usize)> {
    let mut counts: HashMap<&[&str], usize> = HashMap::new();
    words.windows(n).for_each(|run| *counts.entry(run).or_default() += 1);
    let most = counts.values().copied().max()?;
    words.windows(n).find(|run| counts.get(run) == Some(&most)).map(|run| (run, most))
}

/// Whether a code block that begins with ``` or ~~~ at the start of a line has no end: a line of as many of the same marks or more, and
/// nothing else (as in CommonMark).
pub fn is_fence_open(text: &str) -> bool {
    let mut open: Option<(char, usize)> = None;
    for line in text.lines() {
        let line = line.trim();
        let Some(mark) = line.chars().next().filter(|mark| matches!(mark, '`' | '~')) else { continue };
        let n_marks = line.chars().take_while(|c| *c == mark).count();
        let rest = &line[n_marks..];
        open = match open {
            // what is written behind the marks of an opening is the language; inline code may look like it
            None if n_marks >= 3 && !(mark == '`' && rest.contains('`')) => Some((mark, n_marks)),
            Some((begun, n_begun)) if mark == begun && n_marks >= n_begun && rest.is_empty() => None,
            same => same,
        };
    }
    open.is_some()
}

/// Share of the letters that are of the Latin script: those of Unicode's Latin blocks. None without letters.
pub fn latin_share(text: &str) -> Option<f64> {
    let is_latin = |c: &char| matches!(c, 'A'..='Z' | 'a'..='z' | '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}');
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    share(letters().filter(is_latin).count(), letters().count())
}

/// Share of the words that are stop words of English. Words are runs of letters and apostrophes. None without words.
pub fn stop_word_share(text: &str) -> Option<f64> {
    let words =
        || text.split(|c: char| !c.is_alphabetic() && c != '\'' && c != '\u{2019}').filter(|word| !word.is_empty());
    let is_stop_word = |word: &&str| STOP_WORDS.iter().any(|stop_word| word.eq_ignore_ascii_case(stop_word));
    share(words().filter(is_stop_word).count(), words().count())
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_defined() {
        assert_eq!(mean_word_length("ab  cdef é"), Some(7.0 / 3.0));
        assert_eq!(mean_word_length(" \n"), None);
        assert_eq!(non_alphanumeric_share("a1 #!é"), 2.0 / 6.0);
        assert_eq!(non_alphanumeric_share(""), 0.0);
        assert_eq!(unique_line_share("a\n\n a\n}\nb\n}\n"), Some(2.0 / 3.0));
        assert_eq!(unique_line_share("a\na"), None);
    }

    #[test]
    fn the_top_run_of_words_is_counted_without_overlap() {
        assert_eq!(top_n_gram_share("go go go go", 2), 10.0 / 11.0);
        assert_eq!(top_n_gram_share("a b c a b d a b", 2), 9.0 / 15.0);
        assert_eq!(top_n_gram_share("a b", 3), 0.0);
        assert_eq!(top_n_gram_share("a b a b", 0), 0.0);
        assert_eq!(top_n_gram_share("", 2), 0.0);
        assert_eq!(top_n_gram_share("a b c", usize::MAX), 0.0);
    }

    #[test]
    fn fences_open_and_close() {
        let open = ["```rust\nfn", "a\n~~~\nb\n```\n", "````\n```\n", "```\na\n```\n```py", "```\n``` rust"];
        assert!(open.iter().all(|text| is_fence_open(text)));
        let closed =
            ["", "`a`", "```inline``` code", "```\na\n```", "```\na\n   `````\n", "~~~\n```\n~~~", "``\n", "a ``` b"];
        closed.iter().for_each(|text| assert!(!is_fence_open(text), "{text:?}"));
    }

    #[test]
    fn scripts_and_stop_words_are_told() {
        assert_eq!(latin_share("né Åå"), Some(1.0));
        assert_eq!(latin_share("ab жш"), Some(0.5));
        assert_eq!(latin_share("12 — 3"), None);
        assert_eq!(stop_word_share("The cat and I"), Some(0.75));
        assert_eq!(stop_word_share("Der Hund läuft über den Weg"), Some(0.0));
        assert_eq!(stop_word_share("12"), None);
    }
}
