//! Weights from files, by their Hugging Face names, as f32 tensors of a checked shape without NaN.

pub(crate) mod expected;
pub(crate) mod gguf_names;
mod safetensors_file;
mod safetensors_files;
mod stored;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use redline_kernels::packed::{FileFormat, Packed, PackedMatrix};
use sha2::{Digest, Sha256};

use crate::files::hexadecimal;
use crate::gguf::{GgufFile, GgufTensorInfo};
use crate::layers::LoraDelta;
use crate::precision::inputs;
use crate::summary::StoredTensor;
use crate::{Error, ModelConfig, Result};
pub(crate) use expected::linears;
use expected::{Expected, Unused, expected};
pub(crate) use safetensors_file::SafetensorsFile;
use safetensors_files::SafetensorsFiles;
use stored::Stored;
pub(crate) use stored::{fused_linear, parts_of};

/// The files of one model, opened but not yet read.
pub struct Weights {
    path: PathBuf,
    source: Source,
}

enum Source {
    Safetensors(SafetensorsFiles),
    Gguf(Box<GgufFile>),
}

impl Weights {
    /// Opens a Hugging Face folder: `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
    ///
    /// # Errors
    /// Missing, truncated or malformed files.
    pub fn open_hugging_face(folder: &Path) -> Result<Self> {
        let files = SafetensorsFiles::open(folder)?;
        Ok(Self { path: files.main_path().to_path_buf(), source: Source::Safetensors(files) })
    }

    /// Takes the tensors of an opened GGUF file.
    pub fn from_gguf(file: GgufFile) -> Self {
        Self { path: file.path().to_path_buf(), source: Source::Gguf(Box::new(file)) }
    }

    /// The GGUF file, where it is one.
    pub(crate) fn gguf(&self) -> Option<&GgufFile> {
        match &self.source {
            Source::Gguf(file) => Some(file),
            Source::Safetensors(_) => None,
        }
    }

    /// `gguf` or `safetensors`.
    pub(crate) fn format(&self) -> &'static str {
        match &self.source {
            Source::Safetensors(_) => "safetensors",
            Source::Gguf(_) => "gguf",
        }
    }

    /// Reads a tensor by its Hugging Face name.
    ///
    /// # Shapes
    /// `expected`, which a linear layer has as (out, in). Of a matrix that the file fuses with others, only its own rows.
    ///
    /// # Errors
    /// The tensor is missing, has another shape than `expected`, has a type that cannot be read, or holds a value that
    /// is not finite.
    pub fn tensor(&self, name: &str, expected: &[usize], config: &ModelConfig) -> Result<Tensor> {
        let stored = Stored::of(name, config);
        let (path, tensor) = match &self.source {
            Source::Safetensors(files) => files.tensor(&stored.name)?,
            Source::Gguf(file) => (self.path.as_path(), gguf_names::tensor(file, &stored.name, config)?),
        };
        let tensor = stored.rows_of(tensor, expected[0])?;
        if tensor.dims() != expected {
            return Err(Error::TensorShape {
                path: path.into(),
                tensor: name.into(),
                got: tensor.dims().to_vec(),
                expected: expected.to_vec(),
            });
        }
        let tensor = tensor.to_dtype(DType::F32)?;
        check_finite(path, name, &tensor)?;
        match (&self.source, config.norm_offset()) {
            (Source::Safetensors(_), offset) if offset != 0.0 && is_norm(name) => Ok((tensor + offset)?),
            _ => Ok(tensor),
        }
    }

    /// A matrix as it lies in the file, by its Hugging Face name; `None` where there is no kernel for its type.
    pub(crate) fn packed(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
        config: &ModelConfig,
    ) -> Result<Option<PackedMatrix>> {
        let Source::Gguf(file) = &self.source else { return Ok(None) };
        let stored = Stored::of(name, config);
        let Some(matrix) = gguf_names::packed(file, &stored, [rows, columns], config)? else { return Ok(None) };
        match matrix.first_not_finite() {
            None => Ok(Some(matrix)),
            Some((index, value)) => {
                Err(Error::TensorNotFinite { path: self.path.clone(), tensor: name.into(), index, value })
            }
        }
    }

    /// Name of the scalar head that a folder holds: that of transformers' `*ForSequenceClassification`, or of Safe RLHF.
    pub(crate) fn scalar_head(&self) -> Option<&'static str> {
        match &self.source {
            Source::Safetensors(files) => {
                ["score.weight", "score_head.weight"].into_iter().find(|name| files.has(name))
            }
            Source::Gguf(_) => None,
        }
    }

    /// Whether a folder scores and does not write: it holds a scalar head in place of the output projection.
    pub(crate) fn only_scores(&self) -> bool {
        let has_output = match &self.source {
            Source::Safetensors(files) => files.has("lm_head.weight"),
            Source::Gguf(_) => true,
        };
        self.scalar_head().is_some() && !has_output
    }

    /// Whether a folder that ties its output projection to the embedding holds another one, which then counts.
    pub(crate) fn has_own_output(&self) -> Result<bool> {
        const OUTPUT: &str = "lm_head.weight";
        match &self.source {
            Source::Safetensors(files) if files.has(OUTPUT) => {
                Ok(!files.are_equal(OUTPUT, "model.embed_tokens.weight")?)
            }
            _ => Ok(false),
        }
    }

    /// Looks, without reading values, whether the files hold what the configuration asks for; returns what else they hold.
    pub(crate) fn check(&self, config: &ModelConfig) -> Result<Unused> {
        let mut used = HashSet::new();
        for Expected { name, shape } in expected(config) {
            let (path, stored, got, unreadable) = match &self.source {
                Source::Safetensors(files) => {
                    let (path, info) = files.info(&name)?;
                    (path, info.name, info.shape, (!info.is_readable).then_some(info.type_name))
                }
                Source::Gguf(file) => {
                    let stored =
                        gguf_names::gguf_name(&name, config).filter(|stored| file.tensor_info(stored).is_some());
                    let missing = || Error::TensorMissing { path: self.path.clone(), tensor: name.clone() };
                    let info = stored.as_deref().and_then(|stored| file.tensor_info(stored)).ok_or_else(missing)?;
                    let unreadable = info.tensor_type.ggml().is_none().then(|| info.tensor_type.name());
                    (self.path.as_path(), info.name.clone(), info.dims.clone(), unreadable)
                }
            };
            if let Some(got) = unreadable {
                return Err(Error::UnsupportedType { path: path.into(), tensor: stored, got });
            }
            if got != shape {
                return Err(Error::TensorShape { path: path.into(), tensor: name, got, expected: shape });
            }
            used.insert(stored);
        }
        match &self.source {
            Source::Safetensors(files) => {
                // one that equals the embedding
                used.extend(files.stored_name("lm_head.weight").filter(|_| config.tie_embeddings));
                Ok(Unused::new(files.names(), &used))
            }
            Source::Gguf(file) => {
                used.extend(crate::config::FACTOR_TENSORS.map(str::to_owned));
                let unused = Unused::new(file.tensor_names(), &used);
                match unused.names.iter().find(|name| changes_numbers(name)) {
                    None => Ok(unused),
                    Some(name) => Err(Error::TensorUnsupported { path: self.path.clone(), tensor: name.clone() }),
                }
            }
        }
    }

    /// Every tensor as it is stored.
    pub(crate) fn stored(&self) -> Result<Vec<StoredTensor>> {
        match &self.source {
            Source::Safetensors(files) => Ok(files.stored()),
            Source::Gguf(file) => {
                Ok(file.tensor_names().filter_map(|name| file.tensor_info(name)).map(stored).collect())
            }
        }
    }

    /// SHA-256 over the weight files, as hexadecimal digits: vectors and reports carry it.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        match &self.source {
            Source::Safetensors(files) => files.for_each_part(|part| hasher.update(part))?,
            Source::Gguf(file) => file.for_each_part(|part| hasher.update(part))?,
        }
        Ok(hexadecimal(hasher))
    }
}

/// Whether llama.cpp would add or multiply a tensor that is not read here.
fn changes_numbers(name: &str) -> bool {
    name.starts_with("blk.") && (name.ends_with(".bias") || name.ends_with(".scale"))
}

/// A tensor of a GGUF file; types with a kernel stay small in memory, others become f32.
fn stored(info: &GgufTensorInfo) -> StoredTensor {
    let values = info.dims.iter().map(|dim| *dim as u64).product::<u64>();
    let packed = FileFormat::from_gguf(info.tensor_type.number()).filter(|_| info.dims.len() == 2);
    StoredTensor {
        type_name: info.tensor_type.name(),
        values,
        bytes: info.tensor_type.byte_len(values).flatten().unwrap_or(0),
        memory_bytes: packed.map_or(4 * values, |format| format.memory_bytes(values, inputs())),
    }
}

/// Whether a tensor of this name holds the weights of a norm.
pub(crate) fn is_norm(name: &str) -> bool {
    name.ends_with("norm.weight")
}

/// Where a decoder's tensors come from, by their Hugging Face names.
pub(crate) trait TensorSource {
    /// The tensor of this name; `shape` is what the configuration implies.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor>;

    /// A low-rank delta beside a linear layer, `model.layers.0.self_attn.q_proj` for one.
    fn delta(&self, _linear: &str, _out: usize, _input: usize) -> Result<Option<LoraDelta>> {
        Ok(None)
    }

    /// The weights of a linear layer as they lie in the file, where there is a kernel for them.
    fn packed(&self, _linear: &str, _out: usize, _input: usize) -> Result<Option<Packed>> {
        Ok(None)
    }
}

/// Tensors as they stand in files.
pub(crate) struct FileTensors<'a> {
    pub(crate) weights: &'a Weights,
    pub(crate) config: ModelConfig,
}

impl TensorSource for FileTensors<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.weights.tensor(name, shape, &self.config)
    }

    fn packed(&self, linear: &str, out: usize, input: usize) -> Result<Option<Packed>> {
        let matrix = self.weights.packed(&format!("{linear}.weight"), out, input, &self.config)?;
        Ok(matrix.map(Packed::new))
    }
}

/// Finds the first value that is NaN or infinite.
pub(crate) fn check_finite(path: &Path, name: &str, tensor: &Tensor) -> Result<()> {
    let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let candle_core::Storage::Cpu(storage) = &*storage else { return Ok(()) };
    let values = &storage.as_slice::<f32>()?[layout.start_offset()..][..layout.shape().elem_count()];
    match values.par_iter().position_first(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => {
            Err(Error::TensorNotFinite { path: path.into(), tensor: name.into(), index, value: values[index] })
        }
    }
}
