//! Parses the header of a GGUF file: every length is checked against the bytes left before memory is taken for it.

use std::collections::{BTreeMap, HashSet};

use super::tensor_type::GgufTensorType;
use super::value::{GgufArray, GgufValue};
use crate::error::{Error, Result};
use crate::files::Source;

/// Alignment of tensor data where the file states none.
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;
/// Key of the alignment.
pub(super) const ALIGNMENT_KEY: &str = "general.alignment";
/// Most entries of a kind; real files have at most some thousands, and every one takes far more memory than room in the file.
const MAX_ENTRIES: u64 = 1 << 18;
/// Most bytes of everything before the tensors' data; large vocabularies have ten million.
const MAX_HEADER: u64 = 128 << 20;
/// Bytes read from the file at once.
const PART: u64 = 1 << 20;
const MAX_LENGTH: u64 = 1 << 40;
const MAX_ARRAY_DEPTH: usize = 8;
const MAX_DIMS: u32 = 4;
/// Bytes of the shortest metadata entry: an empty-key boolean.
const MIN_METADATA_BYTES: u64 = 8 + 4 + 1;
/// Bytes of the shortest tensor entry: an empty name without dimensions.
const MIN_TENSOR_BYTES: u64 = 8 + 4 + 4 + 8;

/// What a file says about one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTensorInfo {
    /// Name.
    pub name: String,
    /// Row-major dimensions, the reverse of the order in the file.
    pub dims: Vec<usize>,
    /// The type it is stored in.
    pub tensor_type: GgufTensorType,
    /// First byte, counted from the start of the file.
    pub(super) start: usize,
    /// Bytes; unknown when the type is.
    pub(super) byte_len: Option<usize>,
}

/// The parsed header.
pub(super) struct Header {
    pub version: u32,
    pub metadata: BTreeMap<String, GgufValue>,
    pub tensors: Vec<GgufTensorInfo>,
}

/// A tensor entry before its place in the file is known to be valid.
struct RawTensor {
    name: String,
    dims: Vec<u64>,
    tensor_type: GgufTensorType,
    offset: u64,
    entry_at: usize,
}

/// Parses the header.
pub(super) fn parse(source: &Source) -> Result<Header> {
    let mut reader = Reader { source, bytes: Vec::new(), position: 0 };
    let version = reader.magic_and_version()?;
    let n_tensors = reader.count("tensor entries")?;
    let n_metadata = reader.count("metadata entries")?;
    reader.check_room(n_metadata, "metadata entries", MIN_METADATA_BYTES)?;
    let metadata = reader.metadata(n_metadata)?;
    reader.check_room(n_tensors, "tensor entries", MIN_TENSOR_BYTES)?;
    let raw = reader.raw_tensors(n_tensors)?;
    let alignment = reader.alignment(&metadata)?;
    let tensors = reader.place_tensors(raw, alignment)?;
    Ok(Header { version, metadata, tensors })
}

struct Reader<'a> {
    source: &'a Source,
    /// What was read of the file so far, from its beginning.
    bytes: Vec<u8>,
    position: usize,
}

impl Reader<'_> {
    fn malformed(&self, at: usize, rule: impl std::fmt::Display) -> Error {
        let path = self.source.path().to_path_buf();
        Error::Malformed { path, format: "GGUF", rule: format!("{rule} (at byte {at})") }
    }

    fn left(&self) -> u64 {
        self.source.len() - self.position as u64
    }

    fn take(&mut self, length: u64, what: &str) -> Result<&[u8]> {
        if length > self.left() {
            return Err(self.truncated(what, length));
        }
        let (start, end) = (self.position, self.position as u64 + length);
        if end > MAX_HEADER {
            let rule = format!("{what} ends beyond the first {} MiB, where headers end", MAX_HEADER >> 20);
            return Err(self.malformed(start, rule));
        }
        let n_read = self.bytes.len() as u64;
        if end > n_read {
            let more = (end - n_read).max(PART).min(self.source.len() - n_read);
            let part = self.source.read(n_read, more as usize, what)?;
            self.bytes.extend_from_slice(&part);
        }
        self.position = end as usize;
        Ok(&self.bytes[start..self.position])
    }

    fn truncated(&self, what: &str, needed: u64) -> Error {
        let path = self.source.path().to_path_buf();
        Error::Truncated { path, what: what.to_owned(), needed, available: self.left() }
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let bytes = self.take(N as u64, what)?;
        Ok(bytes.try_into().expect("take returns exactly N bytes"))
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn magic_and_version(&mut self) -> Result<u32> {
        let magic: [u8; 4] = self.array("the magic")?;
        if &magic != b"GGUF" {
            return Err(self.malformed(0, format!("the magic is `{}`, not `GGUF`", magic.escape_ascii())));
        }
        match self.u32("the version")? {
            version @ (2 | 3) => Ok(version),
            version if matches!(version.swap_bytes(), 1..=3) => {
                Err(self.malformed(4, "big-endian files cannot be read"))
            }
            version => Err(self.malformed(4, format!("version {version} cannot be read, only 2 and 3"))),
        }
    }

    fn count(&mut self, what: &str) -> Result<u64> {
        let at = self.position;
        match self.u64(&format!("the number of {what}"))? {
            count if count > MAX_ENTRIES => {
                Err(self.malformed(at, format!("{count} {what} are more than the {MAX_ENTRIES} allowed")))
            }
            count => Ok(count),
        }
    }

    /// Refuses entries of which even the smallest would not fit in what is left of the file.
    fn check_room(&self, count: u64, what: &str, min_bytes: u64) -> Result<()> {
        let needed = count * min_bytes;
        match needed > self.left() {
            true => Err(self.truncated(&format!("the list of {count} {what}"), needed)),
            false => Ok(()),
        }
    }

    fn string(&mut self, what: &str) -> Result<String> {
        let at = self.position;
        let length = self.u64(what)?;
        if length > MAX_LENGTH {
            return Err(self.malformed(at, format!("{what} claims {length} bytes")));
        }
        let text = std::str::from_utf8(self.take(length, what)?).map(str::to_owned);
        match text {
            Ok(text) => Ok(text),
            Err(_) => Err(self.malformed(at, format!("{what} is not UTF-8"))),
        }
    }

    fn metadata(&mut self, count: u64) -> Result<BTreeMap<String, GgufValue>> {
        let mut metadata = BTreeMap::new();
        for _ in 0..count {
            let at = self.position;
            let key = self.string("a metadata key")?;
            let type_number = self.u32("a metadata type")?;
            let value = self.value(type_number, &format!("metadata `{key}`"))?;
            if metadata.contains_key(&key) {
                return Err(self.malformed(at, format!("metadata `{key}` appears twice")));
            }
            metadata.insert(key, value);
        }
        Ok(metadata)
    }

    fn value(&mut self, type_number: u32, what: &str) -> Result<GgufValue> {
        let at = self.position;
        Ok(match type_number {
            0 => GgufValue::U8(u8::from_le_bytes(self.array(what)?)),
            1 => GgufValue::I8(i8::from_le_bytes(self.array(what)?)),
            2 => GgufValue::U16(u16::from_le_bytes(self.array(what)?)),
            3 => GgufValue::I16(i16::from_le_bytes(self.array(what)?)),
            4 => GgufValue::U32(u32::from_le_bytes(self.array(what)?)),
            5 => GgufValue::I32(i32::from_le_bytes(self.array(what)?)),
            6 => GgufValue::F32(f32::from_le_bytes(self.array(what)?)),
            7 => GgufValue::Bool(self.bool(what)?),
            8 => GgufValue::String(self.string(what)?),
            9 => GgufValue::Array(self.value_array(what, 1)?),
            10 => GgufValue::U64(u64::from_le_bytes(self.array(what)?)),
            11 => GgufValue::I64(i64::from_le_bytes(self.array(what)?)),
            12 => GgufValue::F64(f64::from_le_bytes(self.array(what)?)),
            number => return Err(self.malformed(at, format!("{what} has unknown value type {number}"))),
        })
    }

    fn bool(&mut self, what: &str) -> Result<bool> {
        match self.array::<1>(what)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(self.malformed(self.position - 1, format!("{what} is a truth value of {byte}, not 0 or 1"))),
        }
    }

    fn value_array(&mut self, what: &str, depth: usize) -> Result<GgufArray> {
        let at = self.position;
        if depth > MAX_ARRAY_DEPTH {
            return Err(self.malformed(at, format!("{what} nests arrays more than {MAX_ARRAY_DEPTH} deep")));
        }
        let type_number = self.u32(what)?;
        let count = self.u64(what)?;
        if count > MAX_LENGTH {
            return Err(self.malformed(at, format!("{what} claims {count} elements")));
        }
        Ok(match type_number {
            0 => GgufArray::U8(self.numbers(count, what, u8::from_le_bytes)?),
            1 => GgufArray::I8(self.numbers(count, what, i8::from_le_bytes)?),
            2 => GgufArray::U16(self.numbers(count, what, u16::from_le_bytes)?),
            3 => GgufArray::I16(self.numbers(count, what, i16::from_le_bytes)?),
            4 => GgufArray::U32(self.numbers(count, what, u32::from_le_bytes)?),
            5 => GgufArray::I32(self.numbers(count, what, i32::from_le_bytes)?),
            6 => GgufArray::F32(self.numbers(count, what, f32::from_le_bytes)?),
            7 => GgufArray::Bool(self.elements(count, 1, what, |reader| reader.bool(what))?),
            8 => GgufArray::String(self.elements(count, 8, what, |reader| reader.string(what))?),
            9 => GgufArray::Array(self.elements(count, 12, what, |reader| reader.value_array(what, depth + 1))?),
            10 => GgufArray::U64(self.numbers(count, what, u64::from_le_bytes)?),
            11 => GgufArray::I64(self.numbers(count, what, i64::from_le_bytes)?),
            12 => GgufArray::F64(self.numbers(count, what, f64::from_le_bytes)?),
            number => return Err(self.malformed(at, format!("{what} has unknown element type {number}"))),
        })
    }

    /// `count` numbers of `N` bytes; one bounds check for all of them.
    fn numbers<T, const N: usize>(&mut self, count: u64, what: &str, convert: fn([u8; N]) -> T) -> Result<Vec<T>> {
        let bytes = self.take(count.saturating_mul(N as u64), what)?;
        Ok(bytes.as_chunks::<N>().0.iter().map(|chunk| convert(*chunk)).collect())
    }

    /// `count` elements of at least `min_bytes` each, read one by one.
    fn elements<T>(
        &mut self,
        count: u64,
        min_bytes: u64,
        what: &str,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let needed = count.saturating_mul(min_bytes);
        if needed > self.left() {
            return Err(self.truncated(what, needed));
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn raw_tensors(&mut self, count: u64) -> Result<Vec<RawTensor>> {
        let mut seen = HashSet::new();
        let mut tensors = Vec::new();
        for _ in 0..count {
            let tensor = self.raw_tensor()?;
            if !seen.insert(tensor.name.clone()) {
                return Err(self.malformed(tensor.entry_at, format!("tensor `{}` appears twice", tensor.name)));
            }
            tensors.push(tensor);
        }
        Ok(tensors)
    }

    fn raw_tensor(&mut self) -> Result<RawTensor> {
        let entry_at = self.position;
        let name = self.string("a tensor name")?;
        let what = format!("the entry of tensor `{name}`");
        let n_dims = self.u32(&what)?;
        if n_dims > MAX_DIMS {
            return Err(
                self.malformed(entry_at, format!("tensor `{name}` has {n_dims} dimensions, more than {MAX_DIMS}"))
            );
        }
        let dims = (0..n_dims).map(|_| self.u64(&what)).collect::<Result<Vec<_>>>()?;
        let tensor_type = GgufTensorType::from_number(self.u32(&what)?);
        let offset = self.u64(&what)?;
        Ok(RawTensor { name, dims, tensor_type, offset, entry_at })
    }

    fn alignment(&self, metadata: &BTreeMap<String, GgufValue>) -> Result<u64> {
        let Some(value) = metadata.get(ALIGNMENT_KEY) else { return Ok(DEFAULT_ALIGNMENT) };
        match value.to_u64() {
            // Blocks hold 32-bit numbers, so a smaller alignment would make them unreadable in place.
            Some(alignment) if alignment.is_power_of_two() && (8..=1 << 20).contains(&alignment) => Ok(alignment),
            _ => Err(self.malformed(
                self.position,
                format!("`{ALIGNMENT_KEY}` is {value:?}, not a power of two from 8 to 1048576"),
            )),
        }
    }

    /// Turns offsets into places in the file: aligned, inside it and apart from each other.
    fn place_tensors(&self, raw: Vec<RawTensor>, alignment: u64) -> Result<Vec<GgufTensorInfo>> {
        let data_start = (self.position as u64).next_multiple_of(alignment);
        let mut placed =
            raw.iter().map(|tensor| self.place_tensor(tensor, data_start, alignment)).collect::<Result<Vec<_>>>()?;
        self.check_overlaps(&placed, &raw)?;
        for (info, tensor) in placed.iter_mut().zip(raw) {
            info.name = tensor.name;
        }
        Ok(placed)
    }

    fn place_tensor(&self, raw: &RawTensor, data_start: u64, alignment: u64) -> Result<GgufTensorInfo> {
        let bad = |rule: String| self.malformed(raw.entry_at, format!("tensor `{}` {rule}", raw.name));
        if !raw.offset.is_multiple_of(alignment) {
            return Err(bad(format!("starts at offset {}, no multiple of {alignment}", raw.offset)));
        }
        if raw.dims.contains(&0) {
            return Err(bad(format!("has shape {:?}, but no dimension may be 0", raw.dims)));
        }
        let elements = raw.dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
        let elements =
            elements.ok_or_else(|| bad(format!("has shape {:?}, more elements than can be counted", raw.dims)))?;
        let row = raw.dims.first().copied().unwrap_or(1);
        if let Some(block) = raw.tensor_type.block_size().filter(|&block| !row.is_multiple_of(block)) {
            return Err(bad(format!(
                "has rows of {row} elements, no multiple of the {block} in a block of {}",
                raw.tensor_type.name()
            )));
        }
        let byte_len = match raw.tensor_type.byte_len(elements) {
            Some(None) => return Err(bad(format!("has shape {:?}, more bytes than can be counted", raw.dims))),
            Some(Some(byte_len)) => Some(byte_len),
            None => None,
        };
        let start = self.check_extent(raw, data_start, byte_len)?;
        Ok(GgufTensorInfo {
            name: String::new(),
            dims: raw.dims.iter().rev().map(|&dim| dim as usize).collect(),
            tensor_type: raw.tensor_type,
            start,
            byte_len: byte_len.map(|byte_len| byte_len as usize),
        })
    }

    fn check_extent(&self, raw: &RawTensor, data_start: u64, byte_len: Option<u64>) -> Result<usize> {
        let file_len = self.source.len();
        let available = file_len.saturating_sub(data_start).saturating_sub(raw.offset);
        let needed = byte_len.unwrap_or(0);
        let start = data_start.checked_add(raw.offset).filter(|&start| start <= file_len);
        match start {
            Some(start) if needed <= available => Ok(start as usize),
            _ => Err(Error::Truncated {
                path: self.source.path().to_path_buf(),
                what: format!("tensor `{}` at offset {}", raw.name, raw.offset),
                needed,
                available,
            }),
        }
    }

    fn check_overlaps(&self, placed: &[GgufTensorInfo], raw: &[RawTensor]) -> Result<()> {
        let mut order: Vec<usize> = (0..placed.len()).collect();
        order.sort_by_key(|&index| placed[index].start);
        for pair in order.windows(2) {
            let (first, second) = (&placed[pair[0]], &placed[pair[1]]);
            if first.start + first.byte_len.unwrap_or(0) > second.start {
                let (first, second) = (&raw[pair[0]], &raw[pair[1]]);
                return Err(
                    self.malformed(second.entry_at, format!("tensors `{}` and `{}` overlap", first.name, second.name))
                );
            }
        }
        Ok(())
    }
}
