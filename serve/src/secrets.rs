//! What no client may see: the upstream server's key and passwords in addresses, wherever they are echoed.

use std::ops::Range;

use axum::body::Bytes;
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Shorter ones hide nothing, and would hide words of every message.
const SHORTEST: usize = 4;
/// Shorter ones may be words of an answer: keys such as `EMPTY` are for servers that need none.
const SHORTEST_IN_CONTENT: usize = 16;
/// What stands for a secret in a text.
const HIDDEN: &str = "[hidden]";
/// What a URL escapes.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Backslashes before a letter that are read as its escape: JSON within JSON has several.
const MOST_BACKSLASHES: usize = 8;

/// Texts that must not leave the program.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    /// As they are.
    plain: Vec<String>,
    /// In the spellings that have a rule for all of a text, the longest first.
    forms: Vec<String>,
}

impl Secrets {
    /// Adds a secret in the spellings that an echo may have: plain, in a URL, in JSON.
    pub(super) fn add(&mut self, secret: &str) {
        let decoded = percent_decode_str(secret).decode_utf8_lossy().into_owned();
        for plain in [secret, &decoded] {
            let json = serde_json::Value::from(plain).to_string();
            let json = json[1..json.len() - 1].to_owned();
            let slashes = json.replace('/', "\\/");
            let encoded = utf8_percent_encode(plain, &ESCAPED).to_string();
            self.plain.push(plain.to_owned());
            self.forms.extend([plain.to_owned(), json, slashes, lower_escapes(&encoded), encoded]);
        }
        for list in [&mut self.plain, &mut self.forms] {
            list.retain(|form| form.len() >= SHORTEST);
            list.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            list.dedup();
        }
    }

    /// A text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        let (mut hidden, mut end) = (String::new(), 0);
        for place in self.places(text.as_bytes(), SHORTEST) {
            hidden.push_str(text.get(end..place.start).unwrap_or_default());
            hidden.push_str(HIDDEN);
            end = place.end;
        }
        hidden + text.get(end..).unwrap_or_default()
    }

    /// Bytes of the same number without them.
    pub(super) fn mask(&self, bytes: Bytes) -> Bytes {
        self.masked(bytes, SHORTEST)
    }

    /// [`Secrets::mask`] for what may be an answer, where short keys are words like others.
    pub(super) fn mask_content(&self, bytes: Bytes) -> Bytes {
        self.masked(bytes, SHORTEST_IN_CONTENT)
    }

    /// How many bytes at the end of content may be the beginning of a secret.
    pub(super) fn open_end(&self, bytes: &[u8]) -> usize {
        let open_form = |form: &String| {
            let most = bytes.len().min(form.len() - 1);
            (1..=most).rev().find(|n| form.as_bytes().starts_with(&bytes[bytes.len() - n..]))
        };
        let open_spelling = |secret: &String| {
            let start = bytes.len().saturating_sub(longest_spelling(secret));
            let first =
                beginnings(secret, &bytes[start..]).find(|at| spelled(secret, &bytes[start + at..]) == Fit::Open);
            first.map(|at| bytes.len() - start - at)
        };
        let forms = long(&self.forms, SHORTEST_IN_CONTENT).filter_map(open_form);
        let spellings = long(&self.plain, SHORTEST_IN_CONTENT).filter_map(open_spelling);
        forms.chain(spellings).max().unwrap_or(0)
    }

    fn masked(&self, bytes: Bytes, shortest: usize) -> Bytes {
        let places = self.places(&bytes, shortest);
        if places.is_empty() {
            return bytes;
        }
        let mut masked = bytes.to_vec();
        places.into_iter().for_each(|place| masked[place].fill(b'*'));
        masked.into()
    }

    /// Where secrets of at least `shortest` bytes stand, in order; none of the places reaches into another.
    fn places(&self, bytes: &[u8], shortest: usize) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        for form in long(&self.forms, shortest) {
            places.extend(memmem::find_iter(bytes, form.as_bytes()).map(|at| at..at + form.len()));
        }
        for secret in long(&self.plain, shortest) {
            places.extend(beginnings(secret, bytes).filter_map(|at| match spelled(secret, &bytes[at..]) {
                Fit::To(end) => Some(at..at + end),
                Fit::Open | Fit::No => None,
            }));
        }
        places.sort_by_key(|place| place.start);
        places.into_iter().fold(Vec::new(), |mut merged: Vec<Range<usize>>, place| {
            match merged.last_mut() {
                Some(last) if place.start < last.end => last.end = last.end.max(place.end),
                _ => merged.push(place),
            }
            merged
        })
    }
}

fn long(list: &[String], shortest: usize) -> impl Iterator<Item = &String> {
    list.iter().filter(move |form| form.len() >= shortest)
}

/// How bytes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Otherwise.
    No,
    /// As wanted, as far as they go.
    Open,
    /// As wanted, up to this place.
    To(usize),
}

impl Fit {
    fn after(self, n: usize) -> Self {
        match self {
            Self::To(end) => Self::To(n + end),
            other => other,
        }
    }
}

/// Places where a spelling of the secret may begin.
fn beginnings<'a>(secret: &str, bytes: &'a [u8]) -> impl Iterator<Item = usize> + use<'a> {
    let first = secret.as_bytes().first().copied().unwrap_or_default();
    memchr::memchr3_iter(first, b'\\', b'%', bytes)
}

/// Bytes that a spelling has at most.
fn longest_spelling(secret: &str) -> usize {
    secret.len() * (MOST_BACKSLASHES + "u0000".len())
}

/// Whether bytes begin with the secret, each of its letters as it is, with an escape of JSON, or with one of a URL.
fn spelled(secret: &str, bytes: &[u8]) -> Fit {
    let mut at = 0;
    for letter in secret.chars() {
        match spelled_letter(letter, &bytes[at..]) {
            Fit::To(end) => at += end,
            other => return other,
        }
    }
    Fit::To(at)
}

fn spelled_letter(letter: char, bytes: &[u8]) -> Fit {
    let n = bytes.iter().take(MOST_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
    let rest = &bytes[n..];
    let mut utf8 = [0; 4];
    let literal = letter.encode_utf8(&mut utf8);
    let escaped = match rest.first() {
        None => Fit::Open,
        Some(b'u') if n > 0 => begins(rest, &json_escape(letter)),
        Some(b'%') => begins(rest, &literal.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>()),
        Some(_) => Fit::No,
    };
    let plain = match literal == "\\" {
        true if n > 0 => Fit::To(0),
        _ if rest.starts_with(literal.as_bytes()) => Fit::To(literal.len()),
        _ if literal.as_bytes().starts_with(rest) => Fit::Open,
        _ => Fit::No,
    };
    // an escape goes before the letter that it begins with
    let fit = match (escaped, plain) {
        (Fit::To(_), _) => escaped,
        (_, Fit::To(_)) => plain,
        (Fit::Open, _) | (_, Fit::Open) => Fit::Open,
        (Fit::No, Fit::No) => Fit::No,
    };
    fit.after(n)
}

/// `uXXXX`, and for what lies beyond, the same twice.
fn json_escape(letter: char) -> String {
    let mut units = [0; 2];
    letter.encode_utf16(&mut units).iter().map(|unit| format!("u{unit:04x}")).collect::<Vec<_>>().join("\\")
}

/// Whether bytes begin with an escape, whose letters may be of either case.
fn begins(bytes: &[u8], escape: &str) -> Fit {
    let n = bytes.len().min(escape.len());
    match bytes[..n].eq_ignore_ascii_case(&escape.as_bytes()[..n]) {
        true if n == escape.len() => Fit::To(n),
        true => Fit::Open,
        false => Fit::No,
    }
}

/// `%2F` as `%2f`.
fn lower_escapes(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (escape, rest) = part.split_at(2);
        format!("{text}%{}{rest}", escape.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add("sk-a/b\"c+d=0123456789");
        secrets
    }

    #[test]
    fn every_spelling_of_a_secret_is_hidden() {
        let spellings = [
            "sk-a/b\"c+d=0123456789",
            "sk-a/b\\\"c+d=0123456789",
            "sk-a\\/b\\\"c+d=0123456789",
            "sk-a%2Fb%22c%2Bd%3D0123456789",
            "sk-a%2fb%22c%2bd%3d0123456789",
            r"\u0073k-a/b\u0022c+d=0123456789",
            r"\u0073\u006B\u002d\u0061\u002F\u0062\u0022\u0063\u002b\u0064\u003d\u0030\u0031\u0032\u0033\u0034\u0035\u0036\u0037\u0038\u0039",
            r#"\\u0073k-a\\\/b\\\"c\\u002bd=0123456789"#,
            r#"%73k-a/b\"c%2bd\u003D0123456789"#,
        ];
        for text in spellings {
            assert_eq!(secrets().hide(&format!("key {text} is wrong")), "key [hidden] is wrong");
            let masked = secrets().mask(Bytes::from(format!("<{text}> {text}")));
            assert_eq!(masked, format!("<{0}> {0}", "*".repeat(text.len())), "{text}");
        }
        assert_eq!(secrets().hide("nothing of it"), "nothing of it");
        let mut german = Secrets::default();
        german.add("pässwört-🔑-0123");
        for text in
            ["pässwört-🔑-0123", r"p\u00E4ssw\u00f6rt-\uD83D\uDD11-0123", "p%C3%A4ssw%c3%b6rt-%F0%9F%94%91-0123"]
        {
            assert_eq!(german.hide(&format!("<{text}>")), "<[hidden]>", "{text}");
        }
        let backslashes = "\\".repeat(1 << 20);
        assert_eq!(secrets().mask_content(Bytes::from(backslashes.clone())), backslashes);
    }

    #[test]
    fn what_is_masked_in_json_stays_json() {
        let mut secrets = Secrets::default();
        secrets.add("nuclear-0123456789");
        for text in [
            r#"{"a":"x\nuclear-0123456789"}"#,
            r#"{"a":"x\\nuclear-0123456789"}"#,
            r#"{"a":"\u006euclear-0123456789"}"#,
        ] {
            let masked = secrets.mask_content(Bytes::from(text.to_owned()));
            let value: serde_json::Value =
                serde_json::from_slice(&masked).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(!value.to_string().contains("uclear"), "{value}");
        }
    }

    #[test]
    fn a_word_as_a_key_is_hidden_in_errors_and_stays_in_answers() {
        let mut secrets = Secrets::default();
        secrets.add("EMPTY");
        secrets.add("x");
        assert_eq!(secrets.hide("Bearer EMPTY, x"), "Bearer [hidden], x");
        assert_eq!(secrets.mask_content(Bytes::from_static(b"EMPTY")), "EMPTY");
    }

    #[test]
    fn an_end_that_may_become_a_secret_is_known() {
        assert_eq!(secrets().open_end(b"the key sk-a/"), 5);
        assert_eq!(secrets().open_end(b"the key"), 0);
        assert_eq!(secrets().open_end(b"sk-a/b\"c+d=0123456789"), 0);
        assert_eq!(secrets().open_end(br"the \u0073k-\u006"), 13);
        assert_eq!(secrets().open_end(br"100%7"), 2);
        assert_eq!(secrets().open_end(br"the \u0074"), 0);
    }
}
