//! A tokenizer as a GGUF file holds it: the base's own metadata where the base was a GGUF file, byte-level BPE otherwise.

use std::path::Path;

use serde_json::Value;

use super::config_json::pad_id;
use crate::gguf::{GgufArray, GgufValue};
use crate::tokenizer::NAMED_SPLITS;
use crate::train::Parameters;
use crate::{Error, Result, Tokenizer};

const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The metadata of a tokenizer.
///
/// # Errors
/// [`Error::Tokenizer`] for one that llama.cpp has no name for.
pub(super) fn tokenizer_metadata(
    path: &Path,
    parameters: &Parameters,
    tokenizer: &Tokenizer,
) -> Result<Vec<(String, GgufValue)>> {
    let (config, base) = (parameters.config(), parameters.base());
    if !base.tokenizer.is_empty() {
        return Ok(base.tokenizer.clone());
    }
    let problem = |problem: &str| Error::Tokenizer { path: path.into(), problem: problem.into() };
    let json: Value = serde_json::from_str(&tokenizer.to_json()?).map_err(|source| Error::MalformedLine {
        path: path.into(),
        line: source.line(),
        source,
    })?;
    let model = &json["model"];
    let is_normalised = !json["normalizer"].is_null() && json["normalizer"]["type"] != "NFC";
    if model["type"] != "BPE" || model["byte_fallback"] == true || is_normalised {
        let cure = "train from the GGUF file of the same model, whose tokenizer is passed on";
        return Err(problem(&format!("only byte-level BPE without a normalizer can be written to GGUF; {cure}")));
    }
    let pre = pre_tokenizer(&json)
        .ok_or_else(|| problem("llama.cpp has no name for its pre-tokenizer that is known here"))?;
    let merges = model["merges"].as_array().ok_or_else(|| problem("it has no merges"))?;
    let merges = merges.iter().map(merge_line).collect::<Option<Vec<String>>>();
    let merges = merges.ok_or_else(|| problem("a merge is not two tokens"))?;

    let mut types = vec![UNUSED; config.vocab_size];
    let token = |id: usize| tokenizer.token(id as u32);
    let tokens: Vec<String> = (0..config.vocab_size).map(|id| token(id).unwrap_or(format!("[PAD{id}]"))).collect();
    for (id, kind) in types.iter_mut().enumerate().take(tokenizer.vocab_size()) {
        *kind = if token(id).is_some() { NORMAL } else { UNUSED };
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let id = added["id"].as_u64().and_then(|id| types.get_mut(id as usize));
        let kind = if added["special"] == true { CONTROL } else { USER_DEFINED };
        *id.ok_or_else(|| problem("an added token has no id in the vocabulary"))? = kind;
    }
    let mut metadata: Vec<(String, GgufValue)> = vec![
        ("tokenizer.ggml.model".into(), GgufValue::String("gpt2".into())),
        ("tokenizer.ggml.pre".into(), GgufValue::String(pre.into())),
        ("tokenizer.ggml.tokens".into(), GgufValue::Array(GgufArray::String(tokens))),
        ("tokenizer.ggml.token_type".into(), GgufValue::Array(GgufArray::I32(types))),
        ("tokenizer.ggml.merges".into(), GgufValue::Array(GgufArray::String(merges))),
        ("tokenizer.ggml.add_bos_token".into(), GgufValue::Bool(tokenizer.adds_bos())),
    ];
    let ids = [
        ("bos", tokenizer.bos_id()),
        ("eos", tokenizer.eos_id()),
        ("eot", tokenizer.eot_id()),
        ("padding", pad_id(parameters, tokenizer)),
    ];
    let ids = ids.into_iter().filter_map(|(name, id)| Some((name, id?)));
    metadata.extend(ids.map(|(name, id)| (format!("tokenizer.ggml.{name}_token_id"), GgufValue::U32(id))));
    if let Some(template) = tokenizer.chat_template() {
        metadata.push(("tokenizer.chat_template".into(), GgufValue::String(template.into())));
    }
    Ok(metadata)
}

/// llama.cpp's name for how a tokenizer cuts texts.
fn pre_tokenizer(json: &Value) -> Option<&'static str> {
    let is_bytes = |step: &Value| step["type"] == "ByteLevel" && step["use_regex"] != false;
    let is_digits = |step: &Value| step["type"] == "Digits" && step["individual_digits"] == true;
    let (value, ignores_merges) = (&json["pre_tokenizer"], json["model"]["ignore_merges"] == true);
    let is_normalised = !json["normalizer"].is_null();
    if is_normalised || !is_plain(value, is_bytes) {
        return by_splits(value, ignores_merges, is_normalised);
    }
    match (value["pretokenizers"].as_array().map(Vec::as_slice), ignores_merges) {
        (None | Some([_]), false) => Some("gpt-2"),
        (Some([digits, _]), false) if is_digits(digits) => Some("smollm"),
        _ => None,
    }
}

/// Whether the last step cuts by the usual pattern of byte-level BPE.
fn is_plain(value: &Value, is_bytes: impl Fn(&Value) -> bool) -> bool {
    is_bytes(value) || value["pretokenizers"].as_array().and_then(|steps| steps.last()).is_some_and(is_bytes)
}

/// The name of a list of patterns, after which bytes become characters.
fn by_splits(value: &Value, ignores_merges: bool, is_normalised: bool) -> Option<&'static str> {
    let (bytes, splits) = value["pretokenizers"].as_array()?.split_last()?;
    if bytes["type"] != "ByteLevel" || bytes["use_regex"] != false {
        return None;
    }
    let pattern = |step: &Value| -> Option<String> {
        let is_split = step["type"] == "Split" && step["behavior"] == "Isolated" && step["invert"] != true;
        step["pattern"]["Regex"].as_str().filter(|_| is_split).map(str::to_owned)
    };
    let patterns = splits.iter().map(pattern).collect::<Option<Vec<String>>>()?;
    let is_same = |(_, named, ignores, normalised): &&(&str, &[&str], bool, bool)| {
        patterns.iter().map(String::as_str).eq(named.iter().copied())
            && (*ignores, *normalised) == (ignores_merges, is_normalised)
    };
    NAMED_SPLITS.iter().find(is_same).map(|(name, ..)| *name)
}

/// A merge as `left right`, from a pair or a line.
fn merge_line(merge: &Value) -> Option<String> {
    match merge {
        Value::String(line) => Some(line.clone()),
        Value::Array(pair) => Some(format!("{} {}", pair.first()?.as_str()?, pair.get(1)?.as_str()?)),
        _ => None,
    }
}
