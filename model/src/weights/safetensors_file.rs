//! One safetensors file: its header in memory, its tensors read when they are asked for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;

use crate::files::Source;
use crate::json_value::check_values;
use crate::{Error, Result};

/// Most bytes of a header; that of the largest model in one file has two million.
const MOST_HEADER: u64 = 32 << 20;
/// Most values in a header, five or more a tensor.
const MOST_VALUES: usize = 2_000_000;
/// Bytes of the header's length.
const LENGTH_BYTES: u64 = 8;

/// An open file.
pub(crate) struct SafetensorsFile {
    source: Source,
    metadata: Metadata,
    data_start: u64,
}

/// A header as it is written.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<HashMap<String, String>>,
    #[serde(flatten)]
    tensors: HashMap<String, TensorInfo>,
}

impl SafetensorsFile {
    /// Opens a file and checks its header against its length.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::from_source(Source::open(path)?)
    }

    /// A file in memory; `path` is for messages.
    pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        Self::from_source(Source::from_bytes(path, bytes))
    }

    fn from_source(source: Source) -> Result<Self> {
        let path = source.path();
        let truncated = |needed| Error::Truncated {
            path: path.into(),
            what: "the whole file".into(),
            needed,
            available: source.len(),
        };
        if source.len() < LENGTH_BYTES {
            return Err(truncated(LENGTH_BYTES));
        }
        let length = source.read(0, LENGTH_BYTES as usize, "the header's length")?;
        let length = length.first_chunk::<8>().map_or(0, |raw| u64::from_le_bytes(*raw));
        if length > MOST_HEADER {
            return Err(malformed(
                path,
                format!("a header of {length} bytes; at most {} MiB are read", MOST_HEADER >> 20),
            ));
        }
        let data_start = LENGTH_BYTES + length;
        if data_start > source.len() {
            return Err(truncated(data_start));
        }
        let metadata = parse(path, &source.read(LENGTH_BYTES, length as usize, "the header")?)?;
        let needed = data_start.saturating_add(metadata.data_len() as u64);
        if needed > source.len() {
            return Err(truncated(needed));
        }
        if needed < source.len() {
            return Err(malformed(path, format!("{} bytes follow its last tensor", source.len() - needed)));
        }
        Ok(Self { source, metadata, data_start })
    }

    pub(crate) fn path(&self) -> &Path {
        self.source.path()
    }

    /// Text beside the tensors.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Names of the tensors as they lie in the file.
    pub(crate) fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    pub(crate) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.metadata.info(name)
    }

    /// The bytes of a tensor.
    pub(crate) fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        let missing = || Error::TensorMissing { path: self.path().into(), tensor: name.into() };
        let (start, end) = self.info(name).ok_or_else(missing)?.data_offsets;
        self.source.read(self.data_start + start as u64, end - start, &format!("tensor `{name}`"))
    }

    /// Calls `take` with the whole file, part by part.
    pub(crate) fn for_each_part(&self, take: impl FnMut(&[u8])) -> Result<()> {
        self.source.for_each_part(take)
    }

    /// That a tensor has a type that cannot be read.
    pub(crate) fn unsupported(&self, name: &str, dtype: Dtype) -> Error {
        Error::UnsupportedType { path: self.path().into(), tensor: name.into(), got: format!("{dtype:?}") }
    }
}

fn parse(path: &Path, header: &[u8]) -> Result<Metadata> {
    check_values(path, header, MOST_VALUES)?;
    let text =
        std::str::from_utf8(header).map_err(|error| malformed(path, format!("invalid UTF-8 in header: {error}")))?;
    let header: Header =
        serde_json::from_str(text).map_err(|error| malformed(path, format!("invalid JSON in header: {error}")))?;
    let mut tensors: Vec<(String, TensorInfo)> = header.tensors.into_iter().collect();
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    Metadata::new(header.metadata, tensors).map_err(|error| malformed(path, error.to_string()))
}

pub(super) fn malformed(path: &Path, rule: String) -> Error {
    Error::Malformed { path: path.into(), format: "safetensors", rule }
}
