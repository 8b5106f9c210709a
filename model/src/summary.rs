//! What a model's files hold, without reading the weights: for a look before loading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::gguf::GgufFile;
use crate::{Error, ModelConfig, Result, Tokenizer, Weights};

/// Tensors of one stored type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StoredTensors {
    /// How many.
    pub count: usize,
    /// Values in all of them.
    pub values: u64,
    /// Bytes in the file.
    pub bytes: u64,
}

/// A tokenizer in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenizerSummary {
    /// One more than the highest id.
    pub vocab_size: usize,
    /// Token that begins a text, where prompts begin with it.
    pub bos: Option<String>,
    /// Token that ends a text.
    pub eos: Option<String>,
    /// Every token that ends an output.
    pub stop: Vec<String>,
    /// Whether the files hold a chat template.
    pub has_chat_template: bool,
}

/// A model's files in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSummary {
    /// Folder or file.
    pub path: PathBuf,
    /// `gguf` or `safetensors`.
    pub format: &'static str,
    /// Sizes and constants.
    pub config: ModelConfig,
    /// Stored type → tensors.
    pub types: BTreeMap<String, StoredTensors>,
    /// Values of all tensors.
    pub n_parameters: u64,
    /// Bytes of the weights once loaded.
    pub memory_bytes: u64,
    /// Bytes that keys and values of one position take.
    pub cache_bytes_per_token: u64,
    /// Its tokenizer, or why it cannot be used; `None` where there is none.
    pub tokenizer: Option<std::result::Result<TokenizerSummary, String>>,
}

impl ModelSummary {
    /// Reads configuration, tensor headers and tokenizer of a Hugging Face folder or GGUF file.
    ///
    /// # Errors
    /// Files that are missing or damaged, and architectures that are not supported; a tokenizer that cannot be used is part of the
    /// summary.
    pub fn read(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        let (format, config, weights, tokenizer) = match metadata.is_dir() {
            true => {
                let config = ModelConfig::from_hugging_face(&path.join("config.json"))?;
                let file = path.join("tokenizer.json");
                let tokenizer = file.exists().then(|| Tokenizer::from_file(&file));
                ("safetensors", config, Weights::open_hugging_face(path)?, tokenizer)
            }
            false => {
                let file = GgufFile::open(path)?;
                let (config, tokenizer) = (ModelConfig::from_gguf(&file)?, Tokenizer::from_gguf(&file));
                ("gguf", config, Weights::from_gguf(file), Some(tokenizer))
            }
        };
        let mut types: BTreeMap<String, StoredTensors> = BTreeMap::new();
        let mut memory_bytes = 0;
        for tensor in weights.stored()? {
            let entry = types.entry(tensor.type_name).or_default();
            entry.count += 1;
            entry.values += tensor.values;
            entry.bytes += tensor.bytes;
            memory_bytes += tensor.memory_bytes;
        }
        Ok(Self {
            path: path.into(),
            format,
            n_parameters: types.values().map(|stored| stored.values).sum(),
            types,
            memory_bytes,
            cache_bytes_per_token: (8 * config.n_layers * config.n_kv_heads * config.head_dim) as u64,
            config,
            tokenizer: tokenizer.map(|read| read.map(|t| TokenizerSummary::of(&t)).map_err(|error| error.to_string())),
        })
    }
}

impl TokenizerSummary {
    fn of(tokenizer: &Tokenizer) -> Self {
        let name = |id: u32| tokenizer.token(id).unwrap_or_else(|| id.to_string());
        Self {
            vocab_size: tokenizer.vocab_size(),
            bos: tokenizer.bos_id().filter(|_| tokenizer.adds_bos()).map(name),
            eos: tokenizer.eos_id().map(name),
            stop: tokenizer.stop_ids().iter().map(|&id| name(id)).collect(),
            has_chat_template: tokenizer.chat_template().is_some(),
        }
    }
}

/// A tensor as it is stored.
pub(crate) struct StoredTensor {
    pub(crate) type_name: String,
    pub(crate) values: u64,
    pub(crate) bytes: u64,
    /// Bytes once loaded.
    pub(crate) memory_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_folder_in_short() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/gemma3");
        let summary = ModelSummary::read(&folder).unwrap();
        assert_eq!((summary.format, summary.config.architecture.as_str()), ("safetensors", "gemma3"));
        let stored = summary.types["F32"];
        assert_eq!(stored.bytes, 4 * summary.n_parameters);
        assert_eq!(summary.memory_bytes, stored.bytes);
        assert_eq!(summary.cache_bytes_per_token, 2 * 4 * 7 * 2 * 32);
        assert!(summary.tokenizer.is_none());
    }
}
