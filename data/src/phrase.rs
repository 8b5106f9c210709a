//! Phrases with choices and values: `The {quick|fast} [animal] {|really }jumps.`
//!
//! `{a|b}` is one of the alternatives (they may nest, and may be empty), `[name]` a value, `[^name]` the value with a capital.
//! Where an empty choice leaves a double space, or a space before a stop, that space is dropped.

use std::collections::{BTreeMap, BTreeSet};

use redline_model::random::Random;

/// Values by name.
pub(super) type Values = BTreeMap<String, String>;

/// A parsed phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value { name: String, capital: bool },
    Choice(Vec<Phrase>),
}

impl Phrase {
    /// Reads a phrase; the error says which rule is broken.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(symbol) = rest.chars().next() {
            let inner = match symbol {
                '{' => enclosed(rest, '{', '}').ok_or("a `{` is not closed")?,
                '[' => enclosed(rest, '[', ']').ok_or("a `[` is not closed")?,
                '}' | ']' => return Err(format!("a `{symbol}` is not opened")),
                '|' => return Err("a `|` stands outside braces".to_owned()),
                _ => {
                    plain.push(symbol);
                    rest = &rest[symbol.len_utf8()..];
                    continue;
                }
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(if symbol == '{' { choice(inner)? } else { value(inner)? });
            rest = &rest[inner.len() + 2..];
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// One of the texts the phrase stands for. A value that is missing leaves nothing; see [`Phrase::names`].
    pub fn expand(&self, values: &Values, rng: &mut Random) -> String {
        let mut text = String::new();
        self.expand_into(values, rng, &mut text);
        single_spaced(&text)
    }

    fn expand_into(&self, values: &Values, rng: &mut Random, text: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Value { name, capital } => {
                    let value = values.get(name).map_or("", String::as_str);
                    if *capital { text.push_str(&capitalised(value)) } else { text.push_str(value) }
                }
                Part::Choice(options) => {
                    if let Some(option) = rng.pick(options) {
                        option.expand_into(values, rng, text);
                    }
                }
            }
        }
    }

    /// Whether it can stand for this text; a value for anything. White space is of no account, since an expansion moves it.
    pub fn says(&self, text: &str) -> bool {
        let symbols: Vec<char> = text.chars().filter(|symbol| !symbol.is_whitespace()).collect();
        self.ends(&symbols, &BTreeSet::from([0])).contains(&symbols.len())
    }

    /// Where the phrase can end in a text, from each of some places.
    fn ends(&self, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        self.parts.iter().fold(starts.clone(), |starts, part| match part {
            Part::Text(plain) => {
                let plain: Vec<char> = plain.chars().filter(|symbol| !symbol.is_whitespace()).collect();
                let is_there = |start: &&usize| text[**start..].starts_with(&plain);
                starts.iter().filter(is_there).map(|start| start + plain.len()).collect()
            }
            Part::Value { .. } => starts.first().map(|first| (first + 1..=text.len()).collect()).unwrap_or_default(),
            Part::Choice(options) => options.iter().flat_map(|option| option.ends(text, &starts)).collect(),
        })
    }

    /// The names of all values it uses.
    pub fn names(&self) -> Vec<&str> {
        let names = self.parts.iter().flat_map(|part| match part {
            Part::Text(_) => Vec::new(),
            Part::Value { name, .. } => vec![name.as_str()],
            Part::Choice(options) => options.iter().flat_map(Phrase::names).collect(),
        });
        names.collect()
    }
}

/// The text with its first letter in upper case.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The text with its first letter in lower case.
pub(super) fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The text without double spaces, spaces before a stop, and spaces at its ends.
fn single_spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !spaced.is_empty() && !word.starts_with(['.', ',', '!', '?', ':', ';']) {
            spaced.push(' ');
        }
        spaced.push_str(word);
    }
    spaced
}

/// Splits at `|` outside braces.
pub(super) fn alternatives(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut from) = (0_usize, 0);
    for (at, symbol) in text.char_indices() {
        match symbol {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[from..]);
    found
}

/// What stands between the opening bracket the text begins with and the one that closes it.
fn enclosed(text: &str, open: char, close: char) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, symbol) in text.char_indices() {
        if symbol == open {
            depth += 1;
        } else if symbol == close {
            depth -= 1;
            if depth == 0 {
                return Some(&text[1..at]);
            }
        }
    }
    None
}

fn choice(inner: &str) -> Result<Part, String> {
    let options: Vec<Phrase> = alternatives(inner).into_iter().map(Phrase::parse).collect::<Result<_, _>>()?;
    if options.len() < 2 {
        return Err(format!("`{{{inner}}}` leaves no choice"));
    }
    Ok(Part::Choice(options))
}

fn value(inner: &str) -> Result<Part, String> {
    let name = inner.strip_prefix('^').unwrap_or(inner);
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`[{inner}]` is not the name of a value"));
    }
    Ok(Part::Value { name: name.to_owned(), capital: name.len() < inner.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(phrase: &str) -> Vec<String> {
        let values = Values::from([("x".to_owned(), "an owl".to_owned())]);
        let phrase = Phrase::parse(phrase).unwrap();
        let all: BTreeSet<String> =
            (0..200).map(|row| phrase.expand(&values, &mut Random::of_row(0, 0, row))).collect();
        all.into_iter().collect()
    }

    #[test]
    fn a_phrase_stands_for_all_its_texts() {
        assert_eq!(texts("a {b|c{|d}}[x]. [^x]"), ["a ban owl. An owl", "a can owl. An owl", "a cdan owl. An owl"]);
        assert_eq!(texts(""), [""]);
        assert_eq!(
            texts("a {|b} {c|}, d {|e}."),
            ["a b c, d e.", "a b c, d.", "a b, d e.", "a b, d.", "a c, d e.", "a c, d.", "a, d e.", "a, d."]
        );
        assert_eq!(Phrase::parse("{a[y]|[x]} [^z]").unwrap().names(), ["y", "x", "z"]);
    }

    #[test]
    fn a_phrase_says_its_texts_and_no_others() {
        for phrase in ["a {b|c{|d}}[x]. [^x]", "a {|b} {c|}, d {|e}.", "{a|ab}{b|}c", ""] {
            let parsed = Phrase::parse(phrase).unwrap();
            assert!(texts(phrase).iter().all(|text| parsed.says(text)), "{phrase}");
        }
        let phrase = Phrase::parse("a {|b} {c|}, d {|e}.").unwrap();
        for other in ["a, d e", "a b c d.", "a c b, d.", "", "x a, d."] {
            assert!(!phrase.says(other), "{other}");
        }
        assert!(!Phrase::parse("[x].").unwrap().says("."), "a value is not nothing");
    }

    #[test]
    fn broken_phrases_name_the_rule() {
        let rule = |text| Phrase::parse(text).unwrap_err();
        assert_eq!(rule("{a|b"), "a `{` is not closed");
        assert_eq!(rule("a}"), "a `}` is not opened");
        assert_eq!(rule("a|b"), "a `|` stands outside braces");
        assert_eq!(rule("{a}"), "`{a}` leaves no choice");
        assert_eq!(rule("[a b]"), "`[a b]` is not the name of a value");
        assert_eq!(rule("[x"), "a `[` is not closed");
    }
}
