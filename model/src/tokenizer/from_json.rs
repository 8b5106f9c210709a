//! Reads tokenizer.json, and from the files beside it which tokens are special.

use std::path::Path;

use serde_json::Value;

use super::{Specials, check, library};
use crate::error::{Error, Result};
use crate::files::{MOST_SETTINGS, MOST_WRITTEN, as_text, read_if_there, refuse_lfs_pointer};
use crate::parse_settings;

/// Reads the tokenizer and the special tokens.
pub(super) fn read(path: &Path) -> Result<(tokenizers::Tokenizer, Specials)> {
    let bytes = crate::files::read(path, check::MOST_BYTES)?;
    refuse_lfs_pointer(path, &bytes)?;
    let tokenizer = parse(path, &bytes)?;
    let specials = read_specials(path, &tokenizer)?;
    Ok((tokenizer, specials))
}

/// Parses tokenizer.json; limits to length and padding that it may carry are left out, as they alter texts.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<tokenizers::Tokenizer> {
    check::check(path, bytes)?;
    // the parser trusts that joined merges fit in its buffer, among other things, and panics on files in which they do not
    let parsed = library(|| {
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes)?;
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        Ok(tokenizer)
    });
    parsed.map_err(|problem| Error::Tokenizer { path: path.to_path_buf(), problem })
}

fn read_specials(path: &Path, tokenizer: &tokenizers::Tokenizer) -> Result<Specials> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let settings = read_object(&folder.join("tokenizer_config.json"))?;
    let generation = read_object(&folder.join("generation_config.json"))?;
    let config = read_object(&folder.join("config.json"))?;
    let named = |key| settings.get(key).and_then(token_text).and_then(|text| tokenizer.token_to_id(text));
    let numbered =
        |key: &str| -> Vec<u32> { [&generation, &config].into_iter().flat_map(|file| ids(file.get(key))).collect() };
    let prefix = post_processor_prefix(path, tokenizer)?;
    let bos = named("bos_token").or_else(|| numbered("bos_token_id").first().copied()).or(prefix);
    let eos = named("eos_token").or_else(|| numbered("eos_token_id").first().copied());
    let eot = named("eot_token");
    let adds = settings.get("add_bos_token").and_then(Value::as_bool).unwrap_or(prefix.is_some() && prefix == bos);
    let chat_template = settings.get("chat_template").and_then(Value::as_str).map(str::to_owned);
    let beside = folder.join("chat_template.jinja");
    let from_file = || read_if_there(&beside, MOST_WRITTEN)?.map(|bytes| as_text(&beside, bytes)).transpose();
    Ok(Specials {
        bos,
        eos,
        eot,
        add_bos: bos.is_some() && adds,
        stop: eos.into_iter().chain(eot).chain(numbered("eos_token_id")).collect(),
        chat_template: chat_template.map_or_else(from_file, |template| Ok(Some(template)))?,
    })
}

/// An object from a JSON file that may be absent.
fn read_object(path: &Path) -> Result<Value> {
    read_if_there(path, MOST_SETTINGS)?.map_or(Ok(Value::Null), |bytes| parse_settings(path, &bytes))
}

/// The text of a token, which is given as text or as an object with `content`.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// Token ids, which are given as a number or as a list.
fn ids(value: Option<&Value>) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The token that the file's own post-processor puts in front of a text.
fn post_processor_prefix(path: &Path, tokenizer: &tokenizers::Tokenizer) -> Result<Option<u32>> {
    let encode = |text, special| tokenizer.encode_fast(text, special);
    let prefix = library(|| {
        let (with, without) = (encode("a", true)?, encode("a", false)?);
        let first = with.get_ids().first().copied();
        Ok(first.filter(|_| with.len() > without.len() && with.get_ids().first() != without.get_ids().first()))
    });
    prefix.map_err(|problem| Error::Tokenizer { path: path.to_path_buf(), problem })
}
