//! Memory-mapped safetensors, in one file or in shards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use crate::files::refuse_lfs_pointer;
use crate::summary::StoredTensor;
use crate::{Error, Result};

/// The safetensors files of one folder.
pub(super) struct SafetensorsFiles {
    main_path: PathBuf,
    shards: Vec<Shard>,
    /// Tensor name → index of its shard.
    location: BTreeMap<String, usize>,
}

struct Shard {
    path: PathBuf,
    map: Mmap,
}

impl SafetensorsFiles {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let (main_path, paths) = if single.is_file() {
            (single.clone(), vec![single])
        } else if index.is_file() {
            let shards = shard_names(&index)?;
            (index, shards.iter().map(|name| folder.join(name)).collect())
        } else {
            return Err(Error::NoWeights { path: folder.into() });
        };
        let mut files = Self { main_path, shards: Vec::new(), location: BTreeMap::new() };
        for path in paths {
            files.add(path)?;
        }
        Ok(files)
    }

    fn add(&mut self, path: PathBuf) -> Result<()> {
        let file = std::fs::File::open(&path).map_err(|e| Error::io(&path, e))?;
        // SAFETY: the map is only read; a file changed from outside while in use can give wrong values, as with any
        // memory-mapped model.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(&path, e))?;
        let names: Vec<String> = parse(&path, &map)?.names().iter().map(|name| (*name).to_string()).collect();
        let shard = self.shards.len();
        for name in names {
            if self.location.insert(name.clone(), shard).is_some() {
                return Err(malformed(&path, format!("tensor `{name}` stands in two files")));
            }
        }
        self.shards.push(Shard { path, map });
        Ok(())
    }

    /// Every tensor's name.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.location.keys().map(String::as_str)
    }

    /// The name a tensor stands under, with its shape and type, and the file.
    pub(super) fn info(&self, name: &str) -> Result<(&Path, Info)> {
        let missing = || Error::TensorMissing { path: self.main_path.clone(), tensor: name.into() };
        let name = self.stored_name(name).ok_or_else(missing)?;
        let shard = &self.shards[*self.location.get(&name).ok_or_else(missing)?];
        let file = parse(&shard.path, &shard.map)?;
        let view = file.tensor(&name).map_err(|_| missing())?;
        let (shape, is_readable) = (view.shape().to_vec(), dtype(view.dtype()).is_some());
        let type_name = format!("{:?}", view.dtype());
        Ok((&shard.path, Info { name, shape, type_name, is_readable }))
    }

    /// Whether a file holds both tensors with the same values, in the same type.
    pub(super) fn are_equal(&self, a: &str, b: &str) -> Result<bool> {
        let bytes = |name: &str| -> Result<_> {
            let missing = || Error::TensorMissing { path: self.main_path.clone(), tensor: name.into() };
            let name = self.stored_name(name).ok_or_else(missing)?;
            let shard = &self.shards[*self.location.get(&name).ok_or_else(missing)?];
            let view = parse(&shard.path, &shard.map)?.tensor(&name).map_err(|_| missing())?;
            Ok((view.dtype(), view.shape().to_vec(), view.data()))
        };
        Ok(bytes(a)? == bytes(b)?)
    }

    /// Whether a file holds a tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.stored_name(name).is_some()
    }

    pub(super) fn main_path(&self) -> &Path {
        &self.main_path
    }

    pub(super) fn paths(&self) -> Vec<&Path> {
        self.shards.iter().map(|shard| shard.path.as_path()).collect()
    }

    /// Every tensor; all become f32 in memory.
    pub(super) fn stored(&self) -> Result<Vec<StoredTensor>> {
        let mut stored = Vec::new();
        for shard in &self.shards {
            let file = parse(&shard.path, &shard.map)?;
            stored.extend(file.tensors().into_iter().map(|(_, view)| {
                let values = view.shape().iter().map(|dim| *dim as u64).product::<u64>();
                let type_name = format!("{:?}", view.dtype());
                StoredTensor { type_name, values, bytes: view.data().len() as u64, memory_bytes: 4 * values }
            }));
        }
        Ok(stored)
    }

    /// The name a tensor stands under: models that also see images put theirs before those of the text part.
    pub(super) fn stored_name(&self, name: &str) -> Option<String> {
        let inner = name.strip_prefix("model.").unwrap_or(name);
        let names = [name.to_owned(), format!("language_model.{name}"), format!("model.language_model.{inner}")];
        names.into_iter().find(|name| self.location.contains_key(name))
    }

    /// The tensor in its stored type, and the file it came from.
    pub(super) fn tensor(&self, name: &str) -> Result<(&Path, Tensor)> {
        let missing = || Error::TensorMissing { path: self.main_path.clone(), tensor: name.into() };
        let name = self.stored_name(name).ok_or_else(missing)?;
        let shard = &self.shards[*self.location.get(&name).ok_or_else(missing)?];
        let file = parse(&shard.path, &shard.map)?;
        let view = file.tensor(&name).map_err(|_| missing())?;
        let Some(dtype) = dtype(view.dtype()) else {
            let got = format!("{:?}", view.dtype());
            return Err(Error::UnsupportedType { path: shard.path.clone(), tensor: name, got });
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
        Ok((&shard.path, tensor))
    }
}

/// What a header says about a tensor.
pub(super) struct Info {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) type_name: String,
    pub(super) is_readable: bool,
}

/// The types that weights can be read from.
fn dtype(stored: Dtype) -> Option<candle_core::DType> {
    Some(match stored {
        Dtype::F32 => candle_core::DType::F32,
        Dtype::F16 => candle_core::DType::F16,
        Dtype::BF16 => candle_core::DType::BF16,
        Dtype::F64 => candle_core::DType::F64,
        _ => return None,
    })
}

/// The distinct file names in an index, refusing any that lead out of the folder.
fn shard_names(index: &Path) -> Result<BTreeSet<String>> {
    let bytes = std::fs::read(index).map_err(|e| Error::io(index, e))?;
    refuse_lfs_pointer(index, &bytes)?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|source| Error::Malformed {
        path: index.into(),
        format: "JSON",
        rule: source.to_string(),
    })?;
    let map = value.get("weight_map").and_then(|map| map.as_object());
    let map = map.ok_or_else(|| malformed(index, "`weight_map` is missing".into()))?;
    map.values()
        .map(|name| match name.as_str() {
            Some(name) if Path::new(name).components().count() == 1 && !name.starts_with('.') => Ok(name.to_string()),
            _ => Err(malformed(index, format!("`weight_map` names {name}, which is not a plain file name"))),
        })
        .collect()
}

/// Parses the header; the crate checks every offset against the bytes that are there.
pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    refuse_lfs_pointer(path, bytes)?;
    SafeTensors::deserialize(bytes).map_err(|error| match error {
        // both errors also stand for other damage; a size that the file does not reach says which it is
        safetensors::SafeTensorError::MetadataIncompleteBuffer
        | safetensors::SafeTensorError::InvalidHeaderLength
        | safetensors::SafeTensorError::HeaderTooSmall
            if described_size(bytes) > bytes.len() as u64 =>
        {
            Error::Truncated {
                path: path.into(),
                what: "the whole file".into(),
                needed: described_size(bytes),
                available: bytes.len() as u64,
            }
        }
        other => malformed(path, other.to_string()),
    })
}

/// File size that the header asks for; where the header itself is cut, the size up to its end.
fn described_size(bytes: &[u8]) -> u64 {
    let Some(length) = bytes.first_chunk::<8>().map(|raw| u64::from_le_bytes(*raw)) else { return 8 };
    let data_start = length.saturating_add(8);
    let header = usize::try_from(data_start).ok().and_then(|end| bytes.get(8..end));
    let Some(header) = header.and_then(|json| serde_json::from_slice::<serde_json::Value>(json).ok()) else {
        return data_start;
    };
    let ends = header.as_object().into_iter().flat_map(|map| map.values());
    let ends = ends.filter_map(|entry| entry.get("data_offsets")?.get(1)?.as_u64());
    data_start.saturating_add(ends.max().unwrap_or(0))
}

fn malformed(path: &Path, rule: String) -> Error {
    Error::Malformed { path: path.into(), format: "safetensors", rule }
}
