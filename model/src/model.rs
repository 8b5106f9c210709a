//! A model as users name it: a Hugging Face folder or a GGUF file, with decoder and tokenizer.

use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::adapter::{Adapter, MergedTensors};
use crate::gguf::GgufFile;
use crate::tokenizer::Tokenizer;
use crate::{Decoder, Error, ModelConfig, Result, Weights};

/// A loaded model.
pub struct Model {
    /// The network.
    pub decoder: Decoder,
    /// Its tokenizer; `None` when the folder has none.
    pub tokenizer: Option<Tokenizer>,
    /// Where it came from.
    pub path: PathBuf,
    /// SHA-256 over the weight files, in hexadecimal digits.
    pub fingerprint: String,
}

impl Model {
    /// Loads a Hugging Face folder (`config.json`, `tokenizer.json`, safetensors) or a `.gguf` file, on the CPU in f32.
    ///
    /// # Errors
    /// Names the file, tensor or key at fault.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_files(path, ModelFiles::open(path)?)
    }

    fn from_files(path: &Path, files: ModelFiles) -> Result<Self> {
        let fingerprint = files.weights.fingerprint()?;
        let decoder = Decoder::load(files.config, &files.weights, &Device::Cpu)?;
        Ok(Self { decoder, tokenizer: files.tokenizer, path: path.into(), fingerprint })
    }

    /// Loads a GGUF file that is in memory; `name` stands for its path in messages.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_gguf_bytes(name: &Path, bytes: &[u8]) -> Result<Self> {
        Self::from_files(name, ModelFiles::from_gguf(GgufFile::from_bytes(name, bytes)?)?)
    }

    /// Loads a model and merges a PEFT adapter into its weights.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::Adapter`] when the adapter is of another model.
    pub fn load_with_adapter(path: &Path, adapter: &Adapter) -> Result<Self> {
        let files = ModelFiles::open(path)?;
        let fingerprint = format!("{}+{}", files.weights.fingerprint()?, adapter.fingerprint());
        let merged = MergedTensors::new(&files, adapter);
        let decoder = Decoder::assemble(files.config.clone(), &merged, &Device::Cpu)?;
        merged.check_all_used()?;
        Ok(Self { decoder, tokenizer: files.tokenizer, path: path.into(), fingerprint })
    }

    /// The same model on another device, see [`Decoder::to_device`].
    ///
    /// # Errors
    /// Those of [`Decoder::to_device`].
    pub fn to_device(self, device: &Device) -> Result<Self> {
        Ok(Self { decoder: self.decoder.to_device(device)?, ..self })
    }

    /// The tokenizer, or the error that tells where it should lie.
    ///
    /// # Errors
    /// The folder has no `tokenizer.json`.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| Error::Tokenizer {
            path: self.path.join("tokenizer.json"),
            problem: "the file is missing".into(),
        })
    }
}

/// A model's files, opened and checked, with the weights not yet read.
pub(crate) struct ModelFiles {
    pub(crate) config: ModelConfig,
    pub(crate) weights: Weights,
    pub(crate) tokenizer: Option<Tokenizer>,
}

impl ModelFiles {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        let files = if metadata.is_dir() { Self::open_folder(path) } else { Self::open_gguf(path) }?;
        match &files.tokenizer {
            Some(tokenizer) if tokenizer.vocab_size() > files.config.vocab_size => {
                let (tokens, embedded) = (tokenizer.vocab_size(), files.config.vocab_size);
                let problem = format!("has {tokens} tokens, but the model embeds {embedded}");
                Err(Error::Tokenizer { path: path.into(), problem })
            }
            _ => Ok(files),
        }
    }

    fn open_folder(folder: &Path) -> Result<Self> {
        let config_path = folder.join("config.json");
        if !config_path.exists()
            && let Some(gguf) = only_gguf_file(folder)?
        {
            return Self::open_gguf(&gguf);
        }
        let config = ModelConfig::from_hugging_face(&config_path)?;
        let weights = Weights::open_hugging_face(folder)?;
        let tokenizer_path = folder.join("tokenizer.json");
        let tokenizer = match tokenizer_path.exists() {
            true => Some(Tokenizer::from_file(&tokenizer_path)?),
            false => None,
        };
        Ok(Self { config, weights, tokenizer })
    }

    fn open_gguf(path: &Path) -> Result<Self> {
        Self::from_gguf(GgufFile::open(path)?)
    }

    fn from_gguf(file: GgufFile) -> Result<Self> {
        let config = ModelConfig::from_gguf(&file)?;
        let tokenizer = Tokenizer::from_gguf(&file)?;
        Ok(Self { config, weights: Weights::from_gguf(file), tokenizer: Some(tokenizer) })
    }
}

/// The GGUF file of a folder that holds just one.
fn only_gguf_file(folder: &Path) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let mut files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut gguf = files.by_ref().filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")));
    Ok(match (gguf.next(), gguf.next()) {
        (Some(path), None) => Some(path),
        _ => None,
    })
}
