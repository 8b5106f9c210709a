//! A part of an answer that is corrected.

use super::spans;

/// A part that is corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prose {
    /// The text, without white space at its ends.
    pub text: String,
    /// How it stands in the answer.
    pub(super) source: String,
    /// Whether it stands in a string of a JSON document.
    pub is_json: bool,
}

impl Prose {
    /// Whether its correction can be sent as it comes.
    pub fn is_live(&self) -> bool {
        !self.is_json && spans::spans(&self.text).is_empty()
    }

    /// Puts a correction in its place.
    pub fn put_back(&self, correction: &str) -> PutBack {
        let (text, n_restored) = spans::restored(&self.text, correction);
        let source = match () {
            () if text == self.text => self.source.clone(),
            () if self.is_json => escaped(&text),
            () => text.clone(),
        };
        PutBack { text, source, n_restored }
    }
}

/// A corrected part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// The text, with what of the original had to survive.
    pub text: String,
    /// How it stands in the answer.
    pub source: String,
    /// How much had to be put back.
    pub n_restored: usize,
}

/// A text as it stands within a string of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
