//! Refuses a tokenizer.json that would make the library hang or eat memory, before the library sees it.
//!
//! The file is a small program: steps that replace text, split it by patterns, and so on. Every limit here is far beyond what tokenizers
//! of released models have.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use fancy_regex::RegexBuilder;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::json_value::check_values;
use crate::{Error, Result};

/// Most bytes of tokenizer.json; the largest known has 33 MB.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// Most values in it; the largest known has two million.
const MOST_VALUES: usize = 4_000_000;
/// Most bytes in all tokens that are looked for in texts as they are.
const MOST_ADDED_BYTES: usize = 1 << 20;
/// Most bytes in all pieces of a unigram vocabulary, each character of which becomes a node of a tree.
const MOST_UNIGRAM_BYTES: usize = 5 << 20;
/// Longest word that is cut into pieces by trying all of them.
const MOST_WORD: u64 = 1000;
/// Most steps before, between and after the model.
const MOST_STEPS: usize = 64;
/// Most bytes in all patterns.
const MOST_PATTERN_BYTES: usize = 16 << 10;
/// Most repetitions that patterns count, multiplied.
const MOST_REPETITIONS: u64 = 4096;
/// Most times longer a text may become by replacing.
const MOST_GROWTH: u64 = 64;
/// Steps back that a pattern may take on a probe; patterns of released models take a few hundred.
const MOST_STEPS_BACK: usize = 5000;
/// Characters in a probe, and most characters that are probed.
const PROBE: usize = 64;
const MOST_PROBED: usize = 128;
/// Most bytes that one character may become by a table of characters; the largest known has 33.
const MOST_MAPPED: usize = 512;

/// The parts of the file that limits are about.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Outline<'a> {
    #[serde(borrow)]
    added_tokens: Vec<Added<'a>>,
    normalizer: Value,
    pre_tokenizer: Value,
    decoder: Value,
    model: ModelOutline,
}

#[derive(Deserialize)]
struct Added<'a> {
    #[serde(borrow, default)]
    content: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ModelOutline {
    vocab: VocabBytes,
    dropout: Option<f64>,
    max_input_chars_per_word: Option<u64>,
}

/// Checks the text of a tokenizer.json. What has another form than the parts below is refused too: the library would take the second of
/// two values for one key.
pub(super) fn check(path: &Path, bytes: &[u8]) -> Result<()> {
    check_values(path, bytes, MOST_VALUES)?;
    let problem = |problem| Error::Tokenizer { path: path.into(), problem };
    let outline: Outline<'_> = serde_json::from_slice(bytes).map_err(|error| problem(error.to_string()))?;
    outline.check().map_err(problem)
}

/// Refuses more than a bounded number of bytes of tokens that are looked for in every text.
pub(super) fn check_added(n_bytes: usize) -> std::result::Result<(), String> {
    let what = format!("bytes of added tokens, at most {MOST_ADDED_BYTES} are read");
    at_most(n_bytes as u64, MOST_ADDED_BYTES as u64, &what)
}

fn at_most(got: u64, most: u64, what: &str) -> std::result::Result<(), String> {
    if got > most { Err(format!("{got} {what}")) } else { Ok(()) }
}

impl Outline<'_> {
    fn check(&self) -> std::result::Result<(), String> {
        check_added(self.added_tokens.iter().map(|token| token.content.len()).sum())?;
        let model = &self.model;
        if model.dropout.is_some_and(|dropout| dropout > 0.0) {
            return Err("`dropout` is set: the tokens of a text would be drawn by lot; set it to null".into());
        }
        let what = format!("bytes of pieces, at most {MOST_UNIGRAM_BYTES} are read");
        at_most(model.vocab.0 as u64, MOST_UNIGRAM_BYTES as u64, &what)?;
        let word = model.max_input_chars_per_word.unwrap_or(0);
        at_most(word, MOST_WORD, &format!("characters in `max_input_chars_per_word`, at most {MOST_WORD} are tried"))?;
        let (mut before, mut after) = (Steps::default(), Steps::default());
        before.visit(&self.normalizer);
        before.visit(&self.pre_tokenizer);
        after.visit(&self.decoder);
        before.check()?;
        after.check()
    }
}

/// Characters that are put in the place of others.
struct Replacement {
    to: usize,
    from: From,
}

/// What is replaced.
enum From {
    Characters(usize),
    Pattern(String),
}

impl Replacement {
    /// How many times longer a text may become.
    fn growth(&self) -> u64 {
        let shortest = match &self.from {
            From::Characters(n) => *n,
            From::Pattern(pattern) => {
                let matches_nothing =
                    fancy_regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match("").unwrap_or(true));
                usize::from(!matches_nothing)
            }
        };
        match shortest {
            0 => self.to as u64 + 1,
            shortest => self.to.div_ceil(shortest).max(1) as u64,
        }
    }
}

/// What the steps of a chain add up to.
#[derive(Default)]
struct Steps {
    n_steps: usize,
    patterns: Vec<String>,
    n_plain_bytes: usize,
    replacements: Vec<Replacement>,
    longest_mapped: usize,
    is_stopless: bool,
}

impl Steps {
    fn visit(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.visit(value)),
            Value::Object(map) => {
                self.n_steps += usize::from(map.contains_key("type"));
                let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
                let pattern = map.get("pattern");
                let regex = text(pattern.and_then(|pattern| pattern.get("Regex")));
                let plain = text(pattern.and_then(|pattern| pattern.get("String")));
                self.n_plain_bytes += plain.as_ref().map_or(0, String::len);
                self.patterns.extend(regex.clone());
                let from = regex.map(From::Pattern).or(plain.map(|plain| From::Characters(plain.chars().count())));
                if let (Some(from), Some(content)) = (from, text(map.get("content"))) {
                    self.replacements.push(Replacement { to: content.chars().count(), from });
                }
                if let Some(prepend) = text(map.get("prepend")) {
                    self.replacements.push(Replacement { to: prepend.chars().count(), from: From::Characters(1) });
                }
                let table = text(map.get("precompiled_charsmap"));
                self.longest_mapped = self.longest_mapped.max(table.map_or(0, |table| longest_mapped(&table)));
                self.is_stopless |= map.get("length").and_then(Value::as_u64) == Some(0);
                map.values().for_each(|value| self.visit(value));
            }
            _ => {}
        }
    }

    fn check(&self) -> std::result::Result<(), String> {
        at_most(self.n_steps as u64, MOST_STEPS as u64, &format!("steps, at most {MOST_STEPS} are taken"))?;
        let n_bytes = self.n_plain_bytes + self.patterns.iter().map(String::len).sum::<usize>();
        let what = format!("bytes of patterns, at most {MOST_PATTERN_BYTES} are read");
        at_most(n_bytes as u64, MOST_PATTERN_BYTES as u64, &what)?;
        let what = format!("bytes in the place of one character, at most {MOST_MAPPED} are put there");
        at_most(self.longest_mapped as u64, MOST_MAPPED as u64, &what)?;
        if self.is_stopless {
            return Err("pieces of length 0".into());
        }
        let repeats = self.patterns.iter().map(|pattern| repetitions(pattern)).fold(1, u64::saturating_mul);
        let what = format!("repetitions counted in patterns, at most {MOST_REPETITIONS} are made");
        at_most(repeats, MOST_REPETITIONS, &what)?;
        self.patterns.iter().try_for_each(|pattern| check_pattern(pattern))?;
        let growth = self.replacements.iter().map(Replacement::growth).fold(1, u64::saturating_mul);
        at_most(growth, MOST_GROWTH, &format!("times longer texts by replacing, at most {MOST_GROWTH} are made"))
    }
}

/// The longest text that a character becomes by a table of SentencePiece: base64 of the length of a tree, the tree, and texts that end with
/// a zero byte.
fn longest_mapped(table: &str) -> usize {
    let bytes = from_base64(table);
    let Some(length) = bytes.first_chunk::<4>().map(|raw| u32::from_le_bytes(*raw) as usize) else { return 0 };
    let texts = bytes.get(4usize.saturating_add(length)..).unwrap_or_default();
    texts.split(|byte| *byte == 0).map(<[u8]>::len).max().unwrap_or(0)
}

/// Bytes of a base64 text; what is no digit of it is passed over.
fn from_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut n_bits) = (Vec::with_capacity(text.len() / 4 * 3), 0u32, 0);
    for value in text.bytes().filter_map(digit) {
        bits = bits << 6 | u32::from(value);
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push((bits >> n_bits) as u8);
        }
    }
    bytes
}

/// The product of the upper ends in `{1,3}` and the like.
fn repetitions(pattern: &str) -> u64 {
    let counts = pattern.split('{').skip(1).filter_map(|rest| {
        let (inner, _) = rest.split_once('}')?;
        inner.split(',').filter_map(|number| number.trim().parse::<u64>().ok()).max()
    });
    counts.map(|count| count.max(1)).fold(1, u64::saturating_mul)
}

/// Tries a pattern on runs of each character that it names: one that goes back over them in all ways takes for ever on real texts.
fn check_pattern(pattern: &str) -> std::result::Result<(), String> {
    let built = RegexBuilder::new(pattern).backtrack_limit(MOST_STEPS_BACK).build();
    let regex = built.map_err(|error| format!("the pattern `{}` cannot be used: {error}", shortened(pattern)))?;
    let mut probed: Vec<char> = pattern.chars().chain("aA1 \n.-é日".chars()).collect();
    probed.sort_unstable();
    probed.dedup();
    probed.truncate(MOST_PROBED);
    for character in probed {
        let run: String = std::iter::repeat_n(character, PROBE).collect();
        for end in ["", "\u{0}", "!", "a"] {
            if regex.find_iter(&format!("{run}{end}")).any(|found| found.is_err()) {
                return Err(format!("the pattern `{}` takes too long", shortened(pattern)));
            }
        }
    }
    Ok(())
}

fn shortened(pattern: &str) -> String {
    match pattern.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &pattern[..end]),
        None => pattern.to_owned(),
    }
}

/// Bytes of all pieces of a vocabulary that is a list, which is how unigram vocabularies are written.
#[derive(Default)]
struct VocabBytes(usize);

impl<'de> Deserialize<'de> for VocabBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(VocabVisitor).map(Self)
    }
}

struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vocabulary")
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<usize, E> {
        Ok(0)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> std::result::Result<usize, E> {
        Ok(0)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> std::result::Result<usize, E> {
        Ok(0)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> std::result::Result<usize, E> {
        Ok(0)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<usize, E> {
        Ok(text.len())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<usize, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<usize, A::Error> {
        let mut n_bytes = 0usize;
        while let Some(more) = list.next_element_seed(VocabVisitor)? {
            n_bytes = n_bytes.saturating_add(more);
        }
        Ok(n_bytes)
    }
}

impl<'de> DeserializeSeed<'de> for VocabVisitor {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(value: &Value) -> String {
        match check(Path::new("t.json"), value.to_string().as_bytes()) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn patterns_of_released_models_pass() {
        for pattern in [
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"(?=(\d{3})+(?!\d))",
        ] {
            assert_eq!(check_pattern(pattern), Ok(()), "{pattern}");
        }
        assert_eq!(repetitions(r"\p{N}{1,3}|a{2}|b{4,}"), 24);
    }

    #[test]
    fn what_would_take_for_ever_is_refused() {
        let split = |pattern: &str| json!({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}}});
        assert!(problem(&split(r"(a+)+(?!b)c")).contains("takes too long"));
        assert!(problem(&split(r"(x|x)*(?!x)y")).contains("takes too long"));
        assert!(problem(&split(r"((\w{90}){90}){90}")).contains("729000 repetitions"));
        assert!(problem(&split("(")).contains("cannot be used"));
        let double = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaa"});
        let steps = json!({"normalizer": {"type": "Sequence", "normalizers": vec![double; 20]}});
        assert!(problem(&steps).contains("times longer texts by replacing, at most 64"));
        let empty = json!({"type": "Replace", "pattern": {"Regex": "x*"}, "content": "a".repeat(64)});
        assert!(problem(&json!({"normalizer": empty})).contains("65 times longer texts"));
        let twice = r#"{"normalizer": null, "normalizer": {"type": "NFC"}}"#;
        let error = check(Path::new("t.json"), twice.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("duplicate field `normalizer`"), "{error}");
        assert!(problem(&json!({"model": {"dropout": 0.1}})).contains("drawn by lot"));
        assert!(problem(&json!({"model": {"max_input_chars_per_word": 1_000_000}})).contains("at most 1000"));
        assert!(problem(&json!({"pre_tokenizer": {"type": "FixedLength", "length": 0}})).contains("length 0"));
        let pieces = json!({"model": {"type": "Unigram", "vocab": [["a".repeat(6 << 20), 0.0]]}});
        assert!(problem(&pieces).contains("6291456 bytes of pieces"));
        assert_eq!(from_base64("AAAAAGFiYwBk"), b"\0\0\0\0abc\0d");
        assert_eq!(longest_mapped("AAAAAGFiYwBk"), 3);
        let table = json!({"type": "Precompiled", "precompiled_charsmap": format!("AAAA{}", "AGFi".repeat(1000))});
        assert_eq!(problem(&json!({"normalizer": table})), "", "short texts");
        let table = json!({"type": "Precompiled", "precompiled_charsmap": format!("AAAAAGFi{}", "YWFh".repeat(1000))});
        assert!(problem(&json!({"normalizer": table})).contains("3002 bytes in the place of one character"));
        let added = json!({"added_tokens": [{"content": "a".repeat(2 << 20)}]});
        assert!(problem(&added).contains("2097152 bytes of added tokens"));
    }
}
