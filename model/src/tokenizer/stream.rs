//! Decoding token by token.

use super::Tokenizer;
use crate::error::Result;

/// Turns tokens into text as they come, holding back bytes that are not a whole character yet.
///
/// What [`push`](Self::push) returns, joined, with what [`finish`](Self::finish) returns, equals the decoding of all tokens at once.
#[derive(Debug, Clone)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    /// Tokens since the last but one place where the text was whole.
    window: Vec<u32>,
    /// Tokens of the window whose text has been returned.
    n_returned: usize,
    /// Length of their text.
    returned_len: usize,
}

impl<'a> StreamDecoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, skip_special: bool) -> Self {
        Self { tokenizer, skip_special, window: Vec::new(), n_returned: 0, returned_len: 0 }
    }

    /// Takes a token and returns the text that it completes, which may be empty.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.window.push(id);
        let text = match self.tokenizer.decode(&self.window, self.skip_special) {
            Ok(text) => text,
            Err(error) => {
                self.window.pop();
                return Err(error);
            }
        };
        if text.ends_with('\u{fffd}') || text.len() <= self.returned_len {
            return Ok(String::new());
        }
        let new = text.get(self.returned_len..).unwrap_or_default().to_owned();
        // The last returned tokens stay as context: some decoders treat the first token of a text differently.
        self.window.drain(..self.n_returned);
        self.n_returned = self.window.len();
        self.returned_len = self.tokenizer.decode(&self.window, self.skip_special)?.len();
        Ok(new)
    }

    /// Returns the text still held back, with U+FFFD for what is no whole character, and begins anew.
    ///
    /// # Errors
    /// None in practice: all tokens were accepted by [`push`](Self::push).
    pub fn finish(&mut self) -> Result<String> {
        let text = self.tokenizer.decode(&self.window, self.skip_special)?;
        let rest = text.get(self.returned_len..).unwrap_or_default().to_owned();
        *self = Self::new(self.tokenizer, self.skip_special);
        Ok(rest)
    }
}
