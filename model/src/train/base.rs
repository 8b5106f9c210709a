//! What lies beside a model's weights, kept from the moment it is opened so that a trained model is written with it: the base's
//! configuration, its tokenizer's files, its pad token and the tokens that end an output.

use std::path::Path;

use serde_json::{Map, Value};

use crate::config::Family;
use crate::files::{read, read_if_there};
use crate::gguf::GgufValue;
use crate::model::ModelFiles;
use crate::{Error, Result, parse_settings};

/// Files of a folder that are passed on as they are.
const KEPT: [&str; 9] = [
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];
/// Most bytes of such a file; real ones are far below it.
const MAX_BYTES: u64 = 1 << 26;

/// What a model's files hold beside the weights.
#[derive(Debug, Default)]
pub(super) struct Base {
    /// The folder's `config.json`; of a model that also sees images, the text part.
    pub(super) config: Option<Map<String, Value>>,
    /// Names and contents.
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    /// A GGUF file's metadata about its tokenizer.
    pub(super) tokenizer: Vec<(String, GgufValue)>,
    /// SHA-256 of the weights as they lie in its files.
    pub(super) fingerprint: Option<String>,
}

impl Base {
    pub(super) fn read(model: &ModelFiles) -> Result<Self> {
        let fingerprint = Some(model.weights.fingerprint()?);
        if let Some(file) = model.weights.gguf() {
            let own = |(key, value): (&str, &GgufValue)| (key.to_owned(), value.clone());
            let tokenizer = file.metadata().filter(|(key, _)| key.starts_with("tokenizer.")).map(own).collect();
            return Ok(Self { tokenizer, fingerprint, ..Self::default() });
        }
        let folder = &model.place;
        let mut files = Vec::new();
        for name in KEPT {
            if let Some(bytes) = read_if_there(&folder.join(name), MAX_BYTES)? {
                files.push((name, bytes));
            }
        }
        Ok(Self { config: Some(read_config(&folder.join("config.json"))?), files, tokenizer: Vec::new(), fingerprint })
    }

    /// A token's id in a GGUF file's metadata.
    pub(super) fn token_id(&self, name: &str) -> Option<u32> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let value = self.tokenizer.iter().find(|(stored, _)| *stored == key)?;
        value.1.to_u64().and_then(|id| u32::try_from(id).ok())
    }

    pub(super) fn has_file(&self, name: &str) -> bool {
        self.files.iter().any(|(kept, _)| *kept == name)
    }
}

fn read_config(path: &Path) -> Result<Map<String, Value>> {
    let bytes = read(path, MAX_BYTES)?;
    let Value::Object(mut outer) = parse_settings(path, &bytes)? else {
        return Err(Error::Malformed { path: path.into(), format: "JSON", rule: "it holds no JSON object".into() });
    };
    let Some(Value::Object(mut text)) = outer.remove("text_config") else { return Ok(outer) };
    // only the text part is trained and written
    if let Some(family) = outer.get("model_type").and_then(Value::as_str).and_then(Family::named) {
        text.insert("model_type".into(), family.config.model_type.into());
    }
    for name in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        if let Some(value) = outer.remove(name) {
            text.entry(name).or_insert(value);
        }
    }
    Ok(text)
}
