//! What no client may see: the upstream server's key and passwords in addresses, wherever they are echoed.

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

/// Texts that must not leave the program.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    /// All spellings, the longest first.
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
            self.forms.extend([plain.to_owned(), json, slashes, lower_escapes(&encoded), encoded]);
        }
        self.forms.retain(|form| form.len() >= SHORTEST);
        self.forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.forms.dedup();
    }

    /// A text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        self.forms.iter().fold(text.to_owned(), |text, form| text.replace(form, HIDDEN))
    }

    /// Bytes of the same number without them.
    pub(super) fn mask(&self, bytes: Bytes) -> Bytes {
        mask(self.forms.iter(), bytes)
    }

    /// [`Secrets::mask`] for what may be an answer, where short keys are words like others.
    pub(super) fn mask_content(&self, bytes: Bytes) -> Bytes {
        mask(self.long(), bytes)
    }

    /// How many bytes at the end of content may be the beginning of a secret.
    pub(super) fn open_end(&self, bytes: &[u8]) -> usize {
        let open = |form: &String| {
            let most = bytes.len().min(form.len() - 1);
            (1..=most).rev().find(|n| form.as_bytes().starts_with(&bytes[bytes.len() - n..]))
        };
        self.long().filter_map(open).max().unwrap_or(0)
    }

    fn long(&self) -> impl Iterator<Item = &String> {
        self.forms.iter().filter(|form| form.len() >= SHORTEST_IN_CONTENT)
    }
}

fn mask<'a>(forms: impl Iterator<Item = &'a String>, bytes: Bytes) -> Bytes {
    let places: Vec<(usize, usize)> =
        forms.flat_map(|form| memmem::find_iter(&bytes, form.as_bytes()).map(|at| (at, at + form.len()))).collect();
    if places.is_empty() {
        return bytes;
    }
    let mut masked = bytes.to_vec();
    places.into_iter().for_each(|(start, end)| masked[start..end].fill(b'*'));
    masked.into()
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
        ];
        for text in spellings {
            assert_eq!(secrets().hide(&format!("key {text} is wrong")), "key [hidden] is wrong");
            let masked = secrets().mask(Bytes::from(format!("<{text}> {text}")));
            assert_eq!(masked, format!("<{0}> {0}", "*".repeat(text.len())), "{text}");
        }
        assert_eq!(secrets().hide("nothing of it"), "nothing of it");
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
    }
}
