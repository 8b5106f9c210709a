//! The safetensors of a model, in one file or in shards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::Dtype;

use super::safetensors_file::{SafetensorsFile, malformed};
use crate::files::{MOST_SETTINGS, read};
use crate::summary::StoredTensor;
use crate::{Error, Result};

/// The safetensors files of one folder.
pub(super) struct SafetensorsFiles {
    main_path: PathBuf,
    shards: Vec<SafetensorsFile>,
    /// Tensor name → index of its shard.
    location: BTreeMap<String, usize>,
}

impl SafetensorsFiles {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let (main_path, paths) = if single.exists() {
            (single.clone(), vec![single])
        } else if index.exists() {
            let shards = shard_names(&index)?;
            (index, shards.iter().map(|name| folder.join(name)).collect())
        } else {
            return Err(Error::NoWeights { path: folder.into() });
        };
        let mut files = Self { main_path, shards: Vec::new(), location: BTreeMap::new() };
        for path in paths {
            files.add(&path)?;
        }
        Ok(files)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let file = SafetensorsFile::open(path)?;
        for name in file.names() {
            if self.location.contains_key(&name) {
                return Err(malformed(path, format!("tensor `{name}` stands in two files")));
            }
            self.location.insert(name, self.shards.len());
        }
        self.shards.push(file);
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
        let info = shard.info(&name).ok_or_else(missing)?;
        let (shape, is_readable) = (info.shape.clone(), dtype(info.dtype).is_some());
        let type_name = format!("{:?}", info.dtype);
        Ok((shard.path(), Info { name, shape, type_name, is_readable }))
    }

    /// Whether a file holds both tensors with the same values, in the same type.
    pub(super) fn are_equal(&self, a: &str, b: &str) -> Result<bool> {
        let bytes = |name: &str| -> Result<_> {
            let missing = || Error::TensorMissing { path: self.main_path.clone(), tensor: name.into() };
            let name = self.stored_name(name).ok_or_else(missing)?;
            let shard = &self.shards[*self.location.get(&name).ok_or_else(missing)?];
            let info = shard.info(&name).ok_or_else(missing)?;
            Ok((info.dtype, info.shape.clone(), shard.bytes(&name)?))
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

    /// Calls `take` with all files, part by part.
    pub(super) fn for_each_part(&self, mut take: impl FnMut(&[u8])) -> Result<()> {
        self.shards.iter().try_for_each(|file| file.for_each_part(&mut take))
    }

    /// Every tensor; all become f32 in memory.
    pub(super) fn stored(&self) -> Vec<StoredTensor> {
        let of_shard = |file: &SafetensorsFile| {
            let infos = file.names().into_iter().filter_map(|name| file.info(&name).cloned());
            let stored = infos.map(|info| {
                let values = info.shape.iter().map(|dim| *dim as u64).product::<u64>();
                let bytes = (info.data_offsets.1 - info.data_offsets.0) as u64;
                StoredTensor { type_name: format!("{:?}", info.dtype), values, bytes, memory_bytes: 4 * values }
            });
            stored.collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of_shard).collect()
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
        let info = shard.info(&name).ok_or_else(missing)?;
        let Some(dtype) = dtype(info.dtype) else {
            return Err(shard.unsupported(&name, info.dtype));
        };
        let tensor = Tensor::from_raw_buffer(&shard.bytes(&name)?, dtype, &info.shape, &Device::Cpu)?;
        Ok((shard.path(), tensor))
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
    let value = crate::parse_settings(index, &read(index, MOST_SETTINGS)?)?;
    let map = value.get("weight_map").and_then(|map| map.as_object());
    let map = map.ok_or_else(|| malformed(index, "`weight_map` is missing".into()))?;
    map.values()
        .map(|name| match name.as_str() {
            Some(name) if Path::new(name).components().count() == 1 && !name.starts_with('.') => Ok(name.to_string()),
            _ => Err(malformed(index, format!("`weight_map` names {name}, which is not a plain file name"))),
        })
        .collect()
}
