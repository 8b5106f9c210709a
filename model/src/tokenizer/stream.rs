//! Decoding token by token.

use super::Tokenizer;
use super::decoding::Progress;
use crate::error::Result;

/// Turns tokens into text as they come, holding back bytes that are not a whole character yet.
///
/// What [`push`](Self::push) returns, joined, with what [`finish`](Self::finish) returns, equals the decoding of all tokens at once.
#[derive(Debug, Clone)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    progress: Progress,
}

impl<'a> StreamDecoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, skip_special: bool) -> Self {
        Self { tokenizer, skip_special, progress: Progress::default() }
    }

    /// Takes a token and returns the text that it completes, which may be empty.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn push(&mut self, id: u32) -> Result<String> {
        let tokenizer = self.tokenizer;
        let Some(token) = tokenizer.decoded_token(id, self.skip_special) else { return Ok(String::new()) };
        tokenizer.guarded(|| self.progress.push(&tokenizer.decoding, token))
    }

    /// Returns the text still held back, with U+FFFD for what is no whole character, and begins anew.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn finish(&mut self) -> Result<String> {
        let tokenizer = self.tokenizer;
        tokenizer.guarded(|| self.progress.finish(&tokenizer.decoding, tokenizer.inner.get_decoder()))
    }
}

/// Text as it comes, without white space at its ends: joined, it is the trimmed decoding of all tokens at once.
#[derive(Debug, Clone)]
pub struct TrimmedStream<'a> {
    decoder: StreamDecoder<'a>,
    /// What was handed out.
    text: String,
    /// White space that ends the text unless more comes.
    held: String,
}

impl<'a> TrimmedStream<'a> {
    /// Begins a text without special tokens.
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { decoder: tokenizer.stream(true), text: String::new(), held: String::new() }
    }

    /// Takes a token and returns the text that is certain now, which may be empty.
    ///
    /// # Errors
    /// As [`StreamDecoder::push`].
    pub fn push(&mut self, id: u32) -> Result<String> {
        let piece = self.decoder.push(id)?;
        Ok(self.release(&piece))
    }

    /// Returns the text still held back.
    ///
    /// # Errors
    /// As [`StreamDecoder::finish`].
    pub fn finish(&mut self) -> Result<String> {
        let piece = self.decoder.finish()?;
        Ok(self.release(&piece))
    }

    /// All that was handed out; the text begins anew.
    pub fn take_text(&mut self) -> String {
        self.held.clear();
        std::mem::take(&mut self.text)
    }

    fn release(&mut self, piece: &str) -> String {
        let piece = if self.text.is_empty() { piece.trim_start() } else { piece };
        let text = std::mem::take(&mut self.held) + piece;
        let end = text.trim_end().len();
        self.held = text[end..].to_owned();
        let released = text[..end].to_owned();
        self.text.push_str(&released);
        released
    }
}
