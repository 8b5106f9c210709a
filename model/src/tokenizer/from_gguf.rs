//! Rebuilds a tokenizer from the metadata of a GGUF file: byte-level BPE here, SentencePiece in `sentence_piece`.

use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Merges};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

use super::{Specials, check, sentence_piece};
use crate::config::TOKENIZER_KEYS;
use crate::config::keys::unknown_keys;
use crate::error::{Error, Result};
use crate::gguf::{GgufFile, GgufValue};
use crate::guard::guarded;

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// What `default` means to llama.cpp: these splits, one after the other.
const DEFAULT: [&str; 4] = [
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
];
/// Pre-tokenizers that are patterns, as llama.cpp names them: patterns, whether whole pieces are taken without merging, whether texts
/// are normalised (NFC).
pub(crate) const NAMED_SPLITS: [(&str, &[&str], bool, bool); 6] = [
    ("llama-bpe", &[LLAMA3], true, false),
    ("dbrx", &[LLAMA3], false, false),
    ("tekken", &[TEKKEN], true, false),
    ("gpt-4o", &[GPT4O], false, false),
    ("qwen2", &[QWEN2], false, true),
    ("default", &DEFAULT, false, false),
];
const SUPPORTED_PRE: &str = "smollm, gpt-2, default, llama-bpe, dbrx, qwen2, tekken, gpt-4o";

/// Token types of GGUF that are parsed as one token wherever they stand in a text.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// How a named pre-tokenizer cuts text before the merges.
struct PreTokenization {
    splits: Vec<PreTokenizerWrapper>,
    /// True when a whole piece that is in the vocabulary is taken without merging.
    ignore_merges: bool,
    normalizer: Option<NormalizerWrapper>,
    /// Whether a prompt begins with the bos token when the file does not say.
    add_bos: bool,
}

/// Builds the tokenizer and reads which tokens are special; a panic of the library is an error.
pub(super) fn build(file: &GgufFile) -> Result<(tokenizers::Tokenizer, Specials)> {
    let failed = |panic| problem(file, format!("the library that builds it failed: {panic}"));
    guarded(|| build_unguarded(file)).map_err(failed)?
}

fn build_unguarded(file: &GgufFile) -> Result<(tokenizers::Tokenizer, Specials)> {
    let tokens = texts(file, "tokenizer.ggml.tokens")?.filter(|tokens| !tokens.is_empty());
    let tokens = tokens.ok_or_else(|| problem(file, "`tokenizer.ggml.tokens` is missing or empty"))?;
    let (mut tokenizer, mut specials) = match required_str(file, "tokenizer.ggml.model")? {
        "gpt2" => {
            let pre = pre_tokenization(file, required_str(file, "tokenizer.ggml.pre")?)?;
            let specials = read_specials(file, tokens, Absent { add_bos: pre.add_bos, ..Absent::default() })?;
            (byte_level_bpe(file, tokens, pre)?, specials)
        }
        "llama" => (sentence_piece::build(file, tokens)?, read_specials(file, tokens, SENTENCE_PIECE)?),
        other => {
            let cure = "`gpt2` (byte-level BPE) and `llama` (SentencePiece) can be rebuilt; for others use the model's \
                        Hugging Face folder with tokenizer.json";
            return Err(problem(file, format!("`tokenizer.ggml.model` is `{other}`; {cure}")));
        }
    };
    let added = added_tokens(file, tokens)?;
    check::check_added(added.iter().map(|token| token.content.len()).sum()).map_err(|rule| problem(file, rule))?;
    tokenizer.add_tokens(added).map_err(|source| problem(file, source))?;
    specials.chat_template = file.typed("tokenizer.chat_template", "text", GgufValue::as_str)?.map(str::to_owned);
    Ok((tokenizer, specials))
}

fn byte_level_bpe(file: &GgufFile, tokens: &[String], pre: PreTokenization) -> Result<tokenizers::Tokenizer> {
    let mut tokenizer = tokenizers::Tokenizer::new(build_model(file, tokens, pre.ignore_merges)?);
    tokenizer.with_normalizer(pre.normalizer).map_err(|source| problem(file, source))?;
    tokenizer.with_pre_tokenizer(Some(Sequence::new(pre.splits)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok(tokenizer)
}

pub(super) fn problem(file: &GgufFile, problem: impl std::fmt::Display) -> Error {
    Error::Tokenizer { path: file.path().to_path_buf(), problem: problem.to_string() }
}

fn required_str<'a>(file: &'a GgufFile, key: &str) -> Result<&'a str> {
    let text = file.typed(key, "text", GgufValue::as_str)?;
    text.ok_or_else(|| problem(file, format!("`{key}` is missing")))
}

fn texts<'a>(file: &'a GgufFile, key: &str) -> Result<Option<&'a [String]>> {
    file.typed(key, "a list of texts", |value| value.as_array()?.as_strings())
}

pub(super) fn flag(file: &GgufFile, key: &str) -> Result<Option<bool>> {
    file.typed(key, "true or false", GgufValue::to_bool)
}

fn pre_tokenization(file: &GgufFile, name: &str) -> Result<PreTokenization> {
    let plain = |splits| PreTokenization { splits, ignore_merges: false, normalizer: None, add_bos: false };
    Ok(match name {
        "smollm" => plain(vec![Digits::new(true).into(), byte_level(true)]),
        "gpt-2" | "gpt2" => plain(vec![byte_level(true)]),
        "default" => plain(split_all(file, &DEFAULT)?),
        "llama-bpe" | "llama3" | "llama-v3" => {
            PreTokenization { ignore_merges: true, add_bos: true, ..plain(split_all(file, &[LLAMA3])?) }
        }
        "dbrx" | "smaug-bpe" => plain(split_all(file, &[LLAMA3])?),
        "tekken" => PreTokenization { ignore_merges: true, add_bos: true, ..plain(split_all(file, &[TEKKEN])?) },
        "gpt-4o" => plain(split_all(file, &[GPT4O])?),
        "qwen2" => PreTokenization { normalizer: Some(NFC.into()), ..plain(split_all(file, &[QWEN2])?) },
        other => {
            let known = format!("supported: {SUPPORTED_PRE}; or use the Hugging Face folder with tokenizer.json");
            return Err(problem(file, format!("`tokenizer.ggml.pre` is `{other}`; {known}")));
        }
    })
}

fn byte_level(use_regex: bool) -> PreTokenizerWrapper {
    ByteLevel::new(false, true, use_regex).into()
}

/// Splits by each pattern in turn, then turns bytes into characters.
fn split_all(file: &GgufFile, patterns: &[&str]) -> Result<Vec<PreTokenizerWrapper>> {
    let split = |pattern: &&str| {
        let pattern = SplitPattern::Regex((*pattern).to_owned());
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(PreTokenizerWrapper::from)
    };
    let splits = patterns.iter().map(split).collect::<tokenizers::Result<Vec<_>>>();
    let mut splits = splits.map_err(|source| problem(file, source))?;
    splits.push(byte_level(false));
    Ok(splits)
}

fn build_model(file: &GgufFile, tokens: &[String], ignore_merges: bool) -> Result<BPE> {
    let mut vocabulary = HashMap::with_capacity(tokens.len());
    for (id, token) in (0u32..).zip(tokens) {
        if let Some(first) = vocabulary.insert(token.as_str(), id) {
            return Err(problem(file, format!("tokens {first} and {id} are both `{token}`")));
        }
    }
    let lines = texts(file, "tokenizer.ggml.merges")?;
    let lines = lines.ok_or_else(|| problem(file, "`tokenizer.ggml.merges` is missing"))?;
    let parse = |(index, line): (usize, &String)| parse_merge(file, &vocabulary, index, line);
    let merges = lines.iter().enumerate().map(parse).collect::<Result<Merges>>()?;
    let vocabulary = vocabulary.into_iter().map(|(token, id)| (token.to_owned(), id));
    let builder = BPE::builder().vocab_and_merges(vocabulary.collect::<tokenizers::models::bpe::Vocab>(), merges);
    builder.ignore_merges(ignore_merges).build().map_err(|source| problem(file, source))
}

/// A merge `left right`, of which both parts and their join must be tokens.
fn parse_merge(file: &GgufFile, vocabulary: &HashMap<&str, u32>, index: usize, line: &str) -> Result<(String, String)> {
    let Some((left, right)) = line.split_once(' ') else {
        return Err(problem(file, format!("merge {index}, `{line}`, is not two tokens")));
    };
    let joined = format!("{left}{right}");
    match [left, right, joined.as_str()].into_iter().find(|part| !vocabulary.contains_key(part)) {
        Some(part) => Err(problem(file, format!("merge {index}, `{line}`, uses `{part}`, which is no token"))),
        None => Ok((left.to_owned(), right.to_owned())),
    }
}

fn added_tokens(file: &GgufFile, tokens: &[String]) -> Result<Vec<AddedToken>> {
    let types = file.typed("tokenizer.ggml.token_type", "a list of numbers", |value| value.as_array()?.to_i64s())?;
    let Some(types) = types else { return Ok(Vec::new()) };
    if types.len() != tokens.len() {
        let counts = format!("{} token types for {} tokens", types.len(), tokens.len());
        return Err(problem(file, counts));
    }
    let typed = tokens.iter().zip(types).filter(|(token, _)| !token.is_empty());
    Ok(typed
        .filter_map(|(token, token_type)| match token_type {
            UNKNOWN | CONTROL => Some(AddedToken::from(token.clone(), true)),
            USER_DEFINED => Some(AddedToken::from(token.clone(), false).normalized(false)),
            _ => None,
        })
        .collect())
}

/// What llama.cpp takes where a file does not say it.
#[derive(Default)]
struct Absent {
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
}

const SENTENCE_PIECE: Absent = Absent { bos: Some(1), eos: Some(2), add_bos: true };

fn read_specials(file: &GgufFile, tokens: &[String], absent: Absent) -> Result<Specials> {
    let id = |name: &str, absent: Option<u32>| -> Result<Option<u32>> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        match file.value(&key).map(GgufValue::to_u64) {
            None => Ok(absent.filter(|id| (*id as usize) < tokens.len())),
            Some(Some(id)) if id < tokens.len() as u64 => Ok(Some(id as u32)),
            Some(_) => Err(problem(file, format!("`{key}` is no token id below {}", tokens.len()))),
        }
    };
    let bos = id("bos", absent.bos)?;
    let stop = [id("eos", absent.eos)?, id("eot", None)?, id("eom", None)?];
    let asks = flag(file, ADD_BOS)?;
    let mut warnings = warnings(file)?;
    if bos.is_none() && asks == Some(true) {
        warnings.push(format!("{}: `{ADD_BOS}` is ignored: no begin token is named", file.path().display()));
    }
    Ok(Specials {
        bos,
        eos: stop[0],
        eot: stop[1],
        add_bos: bos.is_some() && asks.unwrap_or(absent.add_bos),
        stop: stop.into_iter().flatten().collect(),
        chat_template: None,
        warnings,
    })
}

/// What the metadata asks for that is not done, or not known.
fn warnings(file: &GgufFile) -> Result<Vec<String>> {
    const PREFIX: &str = "tokenizer.";
    let of_tokenizer = |(key, value): (&'_ str, &GgufValue)| {
        let name = key.strip_prefix(PREFIX).filter(|name| !name.starts_with("chat_template"))?;
        Some((name.to_owned(), value.to_bool().map_or(serde_json::Value::from("…"), serde_json::Value::from)))
    };
    let entries: Vec<_> = file.metadata().filter_map(of_tokenizer).collect();
    let entries = entries.iter().map(|(name, value)| (name.as_str(), value));
    let unknown = TOKENIZER_KEYS.check(file.path(), None, PREFIX, entries)?;
    let mut warnings: Vec<String> = unknown_keys(file.path(), &unknown).into_iter().collect();
    if flag(file, ADD_EOS)? == Some(true) {
        warnings.push(format!("{}: `{ADD_EOS}` is ignored: {}", file.path().display(), super::NO_EOS));
    }
    Ok(warnings)
}

const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";
