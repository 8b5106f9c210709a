//! How token ids become text: one way for all tokens at once and token by token, so that both give the same text.
//!
//! | decoder of the file | text |
//! |---|---|
//! | byte-level | the bytes of all tokens; what is no UTF-8 becomes U+FFFD |
//! | steps that look at one token (replace, strip, metaspace, word pieces), byte fallback, `Fuse`, a strip at the beginning | token by token; a run of byte tokens is text where it is UTF-8, and U+FFFD for each other byte |
//! | none | tokens with a space between them |
//! | anything else | known only once all tokens are there: a stream gives it at its end |
//!
//! Hugging Face's library drops a whole run of byte tokens when one of them is no UTF-8, valid line breaks included; SentencePiece and
//! llama.cpp keep what is valid, and so does this.

use tokenizers::{Decoder, DecoderWrapper};

/// What a decoder does with tokens.
#[derive(Debug, Clone)]
pub(super) enum Decoding {
    /// Characters stand for bytes.
    ByteLevel,
    /// Each token by itself.
    PerToken(Steps),
    /// A space before every token but the first.
    Spaced,
    /// All tokens together.
    Whole,
}

/// Steps that look at one token at a time.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    /// Before byte tokens are found.
    each: Vec<DecoderWrapper>,
    /// Whether `<0x0A>` stands for a byte.
    byte_fallback: bool,
    /// Character that is taken from the beginning of the text, and how often.
    strip: Option<(char, usize)>,
}

impl Decoding {
    pub(super) fn of(decoder: Option<&DecoderWrapper>) -> Self {
        let Some(decoder) = decoder else { return Self::Spaced };
        let mut flat = Vec::new();
        flatten(decoder, &mut flat);
        if let [DecoderWrapper::ByteLevel(_)] = flat.as_slice() {
            return Self::ByteLevel;
        }
        steps(&flat).map_or(Self::Whole, Self::PerToken)
    }
}

fn flatten<'a>(decoder: &'a DecoderWrapper, into: &mut Vec<&'a DecoderWrapper>) {
    match decoder {
        DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().for_each(|step| flatten(step, into)),
        step => into.push(step),
    }
}

/// The steps in their places, or `None` when one of them needs more than a token.
fn steps(flat: &[&DecoderWrapper]) -> Option<Steps> {
    use DecoderWrapper::{ByteFallback, Fuse, Metaspace, Replace, Strip, WordPiece};
    let is_single = |step: &&&DecoderWrapper| matches!(step, Replace(_) | Strip(_) | Metaspace(_) | WordPiece(_));
    let each: Vec<DecoderWrapper> = flat.iter().take_while(is_single).map(|step| (*step).clone()).collect();
    let mut rest = flat[each.len()..].iter().peekable();
    let byte_fallback = rest.next_if(|step| matches!(step, ByteFallback(_))).is_some();
    let is_fused = rest.next_if(|step| matches!(step, Fuse(_))).is_some();
    let strip = match rest.next() {
        None => None,
        // of the one text that is there after `Fuse`; its end is not known while it is written
        Some(Strip(strip)) if is_fused && strip.stop == 0 => Some((strip.content, strip.start)),
        Some(_) => return None,
    };
    rest.next().is_none().then_some(Steps { each, byte_fallback, strip })
}

impl Steps {
    /// The token after the steps for each; `is_first` of the text.
    fn after_each(&self, token: String, is_first: bool) -> tokenizers::Result<String> {
        self.each.iter().try_fold(token, |token, step| {
            // some steps treat the first token differently
            let mut tokens = if is_first { Vec::new() } else { vec![String::new()] };
            tokens.push(token);
            Ok(step.decode_chain(tokens)?.pop().unwrap_or_default())
        })
    }
}

/// Text in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Whether a token came.
    is_begun: bool,
    /// Whether text other than the stripped characters came, and how many were stripped.
    is_past_start: bool,
    n_stripped: usize,
    /// Bytes that are no whole character yet.
    held: Vec<u8>,
    /// All tokens, where the text is known only at the end.
    tokens: Vec<String>,
}

impl Progress {
    /// Takes a token as it stands in the vocabulary, and returns the text that is certain now.
    pub(super) fn push(&mut self, decoding: &Decoding, token: String) -> tokenizers::Result<String> {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        Ok(match decoding {
            Decoding::ByteLevel => {
                match super::bytes_of(&token) {
                    Some(bytes) => self.held.extend(bytes),
                    None => self.held.extend(token.as_bytes()),
                }
                self.whole_characters(1)
            }
            Decoding::Spaced if is_first => token,
            Decoding::Spaced => format!(" {token}"),
            Decoding::PerToken(steps) => {
                let token = steps.after_each(token, is_first)?;
                let text = match byte_token(&token).filter(|_| steps.byte_fallback) {
                    Some(byte) => {
                        self.held.push(byte);
                        self.whole_characters(usize::MAX)
                    }
                    None => self.give_up_held(usize::MAX) + &token,
                };
                self.stripped(steps, text)
            }
            Decoding::Whole => {
                self.tokens.push(token);
                String::new()
            }
        })
    }

    /// The text still held back.
    pub(super) fn finish(
        &mut self,
        decoding: &Decoding,
        decoder: Option<&DecoderWrapper>,
    ) -> tokenizers::Result<String> {
        let mut ended = std::mem::take(self);
        match (decoding, decoder) {
            (Decoding::Whole, Some(decoder)) => decoder.decode(ended.tokens),
            (Decoding::PerToken(steps), _) => {
                let text = ended.give_up_held(usize::MAX);
                Ok(ended.stripped(steps, text))
            }
            _ => Ok(ended.give_up_held(1)),
        }
    }

    /// The whole characters among the held bytes, and U+FFFD for bytes that no character has: one for each, or at most `most` for
    /// those that belong together.
    fn whole_characters(&mut self, most: usize) -> String {
        let held = std::mem::take(&mut self.held);
        let mut text = String::new();
        let mut rest = held.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    return text;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(n_bytes) = error.error_len() else {
                        self.held = after.to_vec();
                        return text;
                    };
                    text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, n_bytes.min(most)));
                    rest = &after[n_bytes..];
                }
            }
        }
    }

    /// U+FFFD for the bytes that no further byte completes.
    fn give_up_held(&mut self, most: usize) -> String {
        let n_bytes = std::mem::take(&mut self.held).len();
        std::iter::repeat_n(char::REPLACEMENT_CHARACTER, n_bytes.min(most)).collect()
    }

    fn stripped(&mut self, steps: &Steps, text: String) -> String {
        let Some((content, most)) = steps.strip.filter(|_| !self.is_past_start) else { return text };
        let left = most - self.n_stripped;
        let n_stripped = text.chars().take(left).take_while(|character| *character == content).count();
        self.n_stripped += n_stripped;
        let rest: String = text.chars().skip(n_stripped).collect();
        self.is_past_start = !rest.is_empty() || self.n_stripped == most;
        rest
    }
}

/// The byte that a token such as `<0x0A>` stands for.
fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}
