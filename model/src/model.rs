//! A model as users name it: a Hugging Face folder or a GGUF file, with decoder and tokenizer.

use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::adapter::{ADAPTER_CONFIG, Adapter, MergedTensors};
use crate::config::generation;
use crate::config::keys::listed;
use crate::gguf::{GgufFile, is_gguf};
use crate::tokenizer::Tokenizer;
use crate::weights::expected::Unused;
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
    /// What its files hold that is not read, and may mean something elsewhere: a sentence each.
    pub warnings: Vec<String>,
}

impl Model {
    /// Loads a Hugging Face folder (`config.json`, `tokenizer.json`, safetensors) or a `.gguf` file, on the CPU in f32.
    ///
    /// # Errors
    /// Names the file, tensor or key at fault.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_files(path, ModelFiles::open(path)?)
    }

    pub(crate) fn from_files(path: &Path, files: ModelFiles) -> Result<Self> {
        let fingerprint = files.weights.fingerprint()?;
        let decoder = Decoder::load(files.config, &files.weights, &Device::Cpu)?;
        Ok(Self { decoder, tokenizer: files.tokenizer, path: path.into(), fingerprint, warnings: files.warnings })
    }

    /// Loads a GGUF file that is in memory; `name` stands for its path in messages.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_gguf_bytes(name: &Path, bytes: &[u8]) -> Result<Self> {
        let (mut files, tokenizer) = ModelFiles::from_gguf(GgufFile::from_bytes(name, bytes)?)?;
        files.tokenizer = tokenizer.transpose()?;
        files.warnings.extend(files.tokenizer.iter().flat_map(|tokenizer| tokenizer.warnings().iter().cloned()));
        Self::from_files(name, files)
    }

    /// Loads a model and merges a PEFT adapter into its weights.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::Adapter`] when the adapter is of another model.
    pub fn load_with_adapter(path: &Path, adapter: &Adapter) -> Result<Self> {
        let files = ModelFiles::open(path)?;
        let own = files.weights.fingerprint()?;
        let said = adapter.check_base(&files, &own)?;
        let fingerprint = format!("{own}+{}", adapter.fingerprint());
        let merged = MergedTensors::new(&files, adapter);
        let decoder = Decoder::assemble(files.config.clone(), &merged, &Device::Cpu)?;
        merged.check_all_used()?;
        let warnings = files.warnings.into_iter().chain(said).collect();
        Ok(Self { decoder, tokenizer: files.tokenizer, path: path.into(), fingerprint, warnings })
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
    pub(crate) warnings: Vec<String>,
    /// The folder, or the GGUF file, which may be the only one of a folder.
    pub(crate) place: PathBuf,
}

impl ModelFiles {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self::open_with(path, true)?.0)
    }

    /// The same for a look: a tokenizer that cannot be used is told beside the rest.
    pub(crate) fn look(path: &Path) -> Result<(Self, Option<Error>)> {
        Self::open_with(path, false)
    }

    fn open_with(path: &Path, needs_tokenizer: bool) -> Result<(Self, Option<Error>)> {
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        let (mut files, tokenizer) = match metadata.is_dir() {
            true => Self::open_folder(path)?,
            false => Self::from_gguf(GgufFile::open(path)?)?,
        };
        match tokenizer.map(|tokenizer| fitting(path, tokenizer?, &files.config)).transpose() {
            Ok(tokenizer) => {
                files.warnings.extend(tokenizer.iter().flat_map(|tokenizer| tokenizer.warnings().iter().cloned()));
                files.tokenizer = tokenizer;
            }
            Err(error) if needs_tokenizer => return Err(error),
            Err(error) => return Ok((files, Some(error))),
        }
        Ok((files, None))
    }

    fn open_folder(folder: &Path) -> Result<(Self, Option<Result<Tokenizer>>)> {
        let config_path = folder.join("config.json");
        if !config_path.exists()
            && let Some(gguf) = only_gguf_file(folder)?
        {
            return Self::from_gguf(GgufFile::open(&gguf)?);
        }
        let (mut config, mut warnings) = ModelConfig::read_hugging_face(&config_path)?;
        let weights = Weights::open_hugging_face(folder)?;
        if config.tie_embeddings && weights.has_own_output()? {
            config.tie_embeddings = false;
            warnings.push(format!(
                "{}: ties the output projection to the embedding, but the weights hold another `lm_head.weight`, which is \
                 used, as in transformers",
                config_path.display()
            ));
        }
        if weights.only_scores() {
            config.tie_embeddings = true;
            let folder = folder.display();
            warnings
                .push(format!("{folder}: scores texts (it has no output projection); what it writes means nothing"));
        }
        warnings.extend(generation::warning(folder)?);
        warnings.extend(adapter_beside(folder));
        let tokenizer_path = folder.join("tokenizer.json");
        let tokenizer = tokenizer_path.exists().then(|| Tokenizer::from_file(&tokenizer_path));
        let files = Self { config, weights, tokenizer: None, warnings, place: folder.into() };
        Ok((files.checked()?, tokenizer))
    }

    pub(crate) fn from_gguf(file: GgufFile) -> Result<(Self, Option<Result<Tokenizer>>)> {
        let (config, warnings) = ModelConfig::read_gguf(&file)?;
        let (tokenizer, place) = (Tokenizer::from_gguf(&file), file.path().to_path_buf());
        let files = Self { config, weights: Weights::from_gguf(file), tokenizer: None, warnings, place };
        Ok((files.checked()?, Some(tokenizer)))
    }

    /// Refuses files without what the configuration asks for; notes what they hold beyond it.
    fn checked(mut self) -> Result<Self> {
        let Unused { names } = self.weights.check(&self.config)?;
        if !names.is_empty() {
            let (path, n, names) = (self.place.display(), names.len(), listed(&names));
            let tensors = if n == 1 { "1 tensor is".to_owned() } else { format!("{n} tensors are") };
            self.warnings.push(format!("{path}: {tensors} not used: {names}"));
        }
        Ok(self)
    }
}

/// A sentence about an adapter that lies beside a model's own weights, which transformers would load, and its base in their place.
fn adapter_beside(folder: &Path) -> Option<String> {
    folder.join(ADAPTER_CONFIG).exists().then(|| {
        let folder = folder.display();
        format!("{folder}: holds {ADAPTER_CONFIG} beside the model's own weights; the adapter is not used unless --adapter names it")
    })
}

/// A tokenizer whose tokens the model embeds.
fn fitting(path: &Path, tokenizer: Tokenizer, config: &ModelConfig) -> Result<Tokenizer> {
    match tokenizer.vocab_size() > config.vocab_size {
        false => Ok(tokenizer),
        true => {
            let (tokens, embedded) = (tokenizer.vocab_size(), config.vocab_size);
            let problem = format!("has {tokens} tokens, but the model embeds {embedded}");
            Err(Error::Tokenizer { path: path.into(), problem })
        }
    }
}

/// The GGUF file of a folder that holds just one.
pub(crate) fn only_gguf_file(folder: &Path) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let mut files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut gguf = files.by_ref().filter(|path| is_gguf(path));
    Ok(match (gguf.next(), gguf.next()) {
        (Some(path), None) => Some(path),
        _ => None,
    })
}
