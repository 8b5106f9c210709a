//! Text to token ids and back, from tokenizer.json or rebuilt from the metadata of a GGUF file.
//!
//! Special tokens that stand in a text, such as `<|im_start|>`, are parsed as the token they name by [`Tokenizer::encode`], and are text like any
//! other for [`Tokenizer::encode_text`]: in a question or an answer they must not end a turn. The bos token is added only to prompts, and
//! only where the model asks for it.
//!
//! Not for: prompts, which are `template`.

mod check;
mod decoding;
mod from_gguf;
mod from_json;
mod sentence_piece;
mod stream;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use tokenizers::Model as _;

use crate::error::{Error, Result};
use crate::gguf::GgufFile;
use crate::guard::guarded;
use crate::template::{PromptPart, RenderedPrompt};

use decoding::{Decoding, Progress};
pub(crate) use from_gguf::NAMED_SPLITS;
pub use stream::{StreamDecoder, TrimmedStream};

/// Longest text that is encoded: far more than any context, and little enough for the memory that the library takes for it.
const MOST_TEXT_BYTES: usize = 2 << 20;

/// Why prompts do not end with the eos token, whatever the files say.
const NO_EOS: &str = "what follows a prompt is to be written, so it never ends with the end token";

/// Tokens that end a text in the model families known here, besides the ones the files name.
const STOP_TOKENS: [&str; 8] =
    ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<end_of_turn>", "<|end|>", "</s>", "<eos>"];

/// A model's tokenizer with its special tokens.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    path: PathBuf,
    inner: tokenizers::Tokenizer,
    specials: Specials,
    vocab_size: usize,
    decoding: Decoding,
    /// How special tokens are written.
    special_texts: Vec<String>,
    /// The same tokenizer, which takes them for text; made when a text first needs it.
    literal: OnceLock<Box<tokenizers::Tokenizer>>,
}

/// The tokens with a part to play, and how prompts begin.
#[derive(Debug, Clone, Default)]
struct Specials {
    bos: Option<u32>,
    eos: Option<u32>,
    eot: Option<u32>,
    add_bos: bool,
    stop: Vec<u32>,
    chat_template: Option<String>,
    /// What the files ask for that is not done: a sentence each.
    warnings: Vec<String>,
}

impl Tokenizer {
    /// Reads tokenizer.json, and special tokens from tokenizer_config.json, generation_config.json and config.json beside it where
    /// they exist.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Io`]; [`Error::Tokenizer`] or [`Error::Malformed`] when a file cannot be used.
    pub fn from_file(path: &Path) -> Result<Self> {
        let (inner, specials) = from_json::read(path)?;
        Ok(Self::new(path, inner, specials))
    }

    /// Parses the text of a tokenizer.json without files beside it; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        Ok(Self::new(path, from_json::parse(path, bytes)?, Specials::default()))
    }

    /// Rebuilds the tokenizer from the metadata of a GGUF file: SentencePiece (`llama`), or byte-level BPE with the pre-tokenizers
    /// `smollm`, `gpt-2`, `default`, `llama-bpe`, `dbrx`, `qwen2`, `tekken` and `gpt-4o`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] naming what is missing, unknown or contradictory.
    pub fn from_gguf(file: &GgufFile) -> Result<Self> {
        let (inner, specials) = from_gguf::build(file)?;
        Ok(Self::new(file.path(), inner, specials))
    }

    fn new(path: &Path, inner: tokenizers::Tokenizer, mut specials: Specials) -> Self {
        let highest = inner.get_vocab(true).into_values().max();
        let vocab_size = highest.map_or(0, |id| id as usize + 1);
        let added = inner.get_added_tokens_decoder();
        let named = STOP_TOKENS.iter().filter_map(|name| inner.token_to_id(name));
        specials.stop.extend(named.filter(|id| added.get(id).is_some_and(|token| token.special)));
        specials.stop.sort_unstable();
        specials.stop.dedup();
        let decoding = Decoding::of(inner.get_decoder());
        let special_texts = added.values().filter(|token| token.special).map(|token| token.content.clone()).collect();
        let path = path.to_path_buf();
        Self { path, inner, specials, vocab_size, decoding, special_texts, literal: OnceLock::new() }
    }

    /// Token ids of a text. Special tokens in the text are parsed; nothing is added.
    ///
    /// A byte for which the vocabulary has no token is left out, as Hugging Face's library does: SmolLM2 has none for six control
    /// characters and for the beginnings of unassigned planes.
    ///
    /// # Errors
    /// [`Error::TextTooLong`]; [`Error::Tokenizer`] when the model cannot express the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_by(text, || &self.inner)
    }

    fn encode_by<'a>(&self, text: &str, inner: impl FnOnce() -> &'a tokenizers::Tokenizer) -> Result<Vec<u32>> {
        if text.len() > MOST_TEXT_BYTES {
            return Err(Error::TextTooLong { got: text.len(), most: MOST_TEXT_BYTES });
        }
        self.guarded(|| Ok(inner().encode_fast(text, false)?.get_ids().to_vec()))
    }

    /// Calls the library; a panic in it is an error like any other.
    fn guarded<T>(&self, call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
        library(call).map_err(|problem| Error::Tokenizer { path: self.path.clone(), problem })
    }

    /// Token ids of a text that somebody else wrote: as [`encode`](Self::encode), but special tokens in it are text.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>> {
        if !self.has_special(text) {
            return self.encode(text);
        }
        self.encode_by(text, || {
            self.literal.get_or_init(|| {
                let mut literal = Box::new(self.inner.clone());
                literal.set_encode_special_tokens(true);
                literal
            })
        })
    }

    fn has_special(&self, text: &str) -> bool {
        self.special_texts.iter().any(|special| text.contains(special.as_str()))
    }

    /// Token ids of an Aligner's prompt, in which only the template's own special tokens are parsed.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_rendered(&self, prompt: &RenderedPrompt) -> Result<Vec<u32>> {
        let parts = prompt.parts();
        // in one piece where that is the same: tokens may reach across the parts
        if !parts.iter().any(|part| matches!(part, PromptPart::Given(text) if self.has_special(text))) {
            return self.encode_prompt(&prompt.text);
        }
        let mut ids = Vec::new();
        for part in parts {
            ids.extend(match part {
                PromptPart::Template(text) => self.encode(text)?,
                PromptPart::Given(text) => self.encode_text(text)?,
            });
        }
        Ok(self.after_bos(ids))
    }

    /// Token ids of a prompt: [`encode`](Self::encode), after the bos token where the model asks for it and the text does not
    /// begin with it already.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.after_bos(self.encode(text)?))
    }

    fn after_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if let Some(bos) = self.specials.bos.filter(|bos| self.specials.add_bos && ids.first() != Some(bos)) {
            ids.insert(0, bos);
        }
        ids
    }

    /// Text of token ids; `skip_special` leaves out special tokens. An id without a token, as models with padded embeddings can choose,
    /// has no text, as for Hugging Face's library.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let tokens = ids.iter().filter_map(|id| self.decoded_token(*id, skip_special));
        self.guarded(|| {
            let mut progress = Progress::default();
            let mut text = String::new();
            for token in tokens {
                text += &progress.push(&self.decoding, token)?;
            }
            Ok(text + &progress.finish(&self.decoding, self.inner.get_decoder())?)
        })
    }

    /// The token that stands for an id in a text, unless it is left out.
    fn decoded_token(&self, id: u32, skip_special: bool) -> Option<String> {
        let added = self.inner.get_added_vocabulary();
        let token = added.simple_id_to_token(id).or_else(|| self.inner.get_model().id_to_token(id))?;
        Some(token).filter(|token| !skip_special || !added.is_special_token(token))
    }

    /// The text of a tokenizer.json that holds this tokenizer.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn to_json(&self) -> Result<String> {
        self.guarded(|| self.inner.to_string(true))
    }

    /// The token with this id as it stands in the vocabulary.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The bytes that a token stands for, a space for `▁`; they need not be whole characters. `None` when the id has no token.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        let piece = self.inner.id_to_token(id)?;
        let is_added = self.inner.get_added_vocabulary().simple_id_to_token(id).is_some();
        if matches!(self.decoding, Decoding::ByteLevel) && !is_added {
            return Some(bytes_of(&piece).unwrap_or_else(|| piece.into_bytes()));
        }
        // how SentencePiece names bytes
        let byte = piece.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => Some(vec![byte]),
            None => Some(piece.replace('▁', " ").into_bytes()),
        }
    }

    /// The same tokenizer whose texts end with the token `eos`.
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`] when there is no such id.
    pub fn with_eos(mut self, eos: u32) -> Result<Self> {
        if self.inner.id_to_token(eos).is_none() {
            return Err(Error::TokenOutOfRange { id: eos, vocab_size: self.vocab_size });
        }
        self.specials.eos = Some(eos);
        if !self.specials.stop.contains(&eos) {
            self.specials.stop.push(eos);
            self.specials.stop.sort_unstable();
        }
        Ok(self)
    }

    /// Begins to decode token by token.
    pub fn stream(&self, skip_special: bool) -> StreamDecoder<'_> {
        StreamDecoder::new(self, skip_special)
    }

    /// Id of a token given as it stands in the vocabulary.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// One token as readable text, for the axes of plots: `·` for a space, `↵` for a line break, `⇥` for a tab, `\xE2` for a byte that
    /// is no character of its own. `None` when the id has no token.
    pub fn token_text(&self, id: u32) -> Option<String> {
        let piece = self.inner.id_to_token(id)?;
        let is_added = self.inner.get_added_vocabulary().simple_id_to_token(id).is_some();
        Some(match matches!(self.decoding, Decoding::ByteLevel) && !is_added {
            true => bytes_of(&piece).map_or_else(|| visible(&piece), |bytes| visible_bytes(&bytes)),
            false => visible(&piece.replace('▁', " ")),
        })
    }

    /// One more than the highest token id.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Id of the token that begins a text.
    pub fn bos_id(&self) -> Option<u32> {
        self.specials.bos
    }

    /// Id of the token that ends a text.
    pub fn eos_id(&self) -> Option<u32> {
        self.specials.eos
    }

    /// Id of the token that ends a turn, where the files name one.
    pub fn eot_id(&self) -> Option<u32> {
        self.specials.eot
    }

    /// True when prompts begin with the bos token.
    pub fn adds_bos(&self) -> bool {
        self.specials.add_bos
    }

    /// Ids that end an output, sorted: the ones the files name, and the end-of-turn tokens of the known families.
    pub fn stop_ids(&self) -> &[u32] {
        &self.specials.stop
    }

    /// What the files ask for that is not done here, and may mean other tokens elsewhere: a sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.specials.warnings
    }

    /// The chat template as it stands in the files, not interpreted.
    pub fn chat_template(&self) -> Option<&str> {
        self.specials.chat_template.as_deref()
    }
}

/// Calls the library; the error is what it says, or that it panicked.
fn library<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> std::result::Result<T, String> {
    match guarded(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(format!("the library that reads it failed: {panic}")),
    }
}

/// The bytes a byte-level token stands for; `None` when a character stands for no byte.
///
/// Printable bytes stand for themselves; the other 68 are numbered from U+0100 on, in order.
fn bytes_of(piece: &str) -> Option<Vec<u8>> {
    static OTHERS: LazyLock<Vec<u8>> = LazyLock::new(|| (0..=255u8).filter(|&byte| !is_printable(byte)).collect());
    let byte_of = |character: char| match u32::from(character) {
        code @ 0..=255 => Some(code as u8).filter(|&byte| is_printable(byte)),
        code => OTHERS.get(code as usize - 256).copied(),
    };
    piece.chars().map(byte_of).collect()
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

fn visible_bytes(bytes: &[u8]) -> String {
    let chunks = bytes.utf8_chunks().map(|chunk| {
        let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")).collect();
        visible(chunk.valid()) + &invalid
    });
    chunks.collect()
}

fn visible(text: &str) -> String {
    let readable = |character: char| match character {
        ' ' => "·".to_owned(),
        '\n' => "↵".to_owned(),
        '\t' => "⇥".to_owned(),
        other if other.is_control() => other.escape_default().to_string(),
        other => other.to_string(),
    };
    text.chars().map(readable).collect()
}
