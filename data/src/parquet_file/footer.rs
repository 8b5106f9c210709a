//! The footer of a Parquet file, checked before the library takes it apart: its length, and how deep its schema goes.
//!
//! The library builds the schema by recursion, so a footer of some hundred kilobytes could end the program by exhausting its stack, which
//! nothing can catch. The depth is therefore read here first, with a reader of Thrift's compact protocol that knows just enough of it.

use std::path::Path;

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;
use redline_model::guard::guarded;

use super::error::ParquetError;

/// What the file begins and ends with.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";
/// What an encrypted file ends with.
const ENCRYPTED: &[u8; 4] = b"PARE";
/// The length of the footer and the magic bytes behind it.
const TAIL: u64 = 8;
/// Longest footer.
const MOST_FOOTER: u64 = 64 << 20;
/// Deepest schema, and deepest value in the footer.
const MOST_DEPTH: usize = 24;

/// The metadata of a file.
///
/// # Errors
/// [`ParquetError::NotParquet`], [`ParquetError::Encrypted`], [`ParquetError::Malformed`], [`ParquetError::TooLarge`].
pub(super) fn read(path: &Path, file: &impl ChunkReader) -> Result<ParquetMetaData, ParquetError> {
    let length = file.len();
    let not = |rule| ParquetError::NotParquet { path: path.into(), rule };
    let part = |at, n: u64| file.get_bytes(at, n as usize).map_err(|error| ParquetError::malformed(path, error));
    if length < TAIL + MAGIC.len() as u64 {
        return Err(not("it is shorter than any"));
    }
    let (head, tail) = (part(0, 4)?, part(length - TAIL, TAIL)?);
    match &tail[4..] {
        _ if tail[4..] == *ENCRYPTED => return Err(ParquetError::Encrypted { path: path.into() }),
        end if end != MAGIC => return Err(not("it does not end with `PAR1`: is it cut short?")),
        _ if head[..] != *MAGIC => return Err(not("it does not begin with `PAR1`")),
        _ => {}
    }
    let n_footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if n_footer > MOST_FOOTER {
        let most = MOST_FOOTER >> 20;
        return Err(ParquetError::too_large(path, format!("its footer says it has more than {most} MiB")));
    }
    if n_footer + TAIL + MAGIC.len() as u64 > length {
        return Err(ParquetError::malformed(path, "the footer is longer than the file"));
    }
    let footer = part(length - TAIL - n_footer, n_footer)?;
    match schema_depth(&footer) {
        None => return Err(ParquetError::malformed(path, "the footer breaks off, or is no Thrift")),
        Some(depth) if depth > MOST_DEPTH => {
            let what = format!("its columns are nested more than {MOST_DEPTH} levels deep");
            return Err(ParquetError::too_large(path, what));
        }
        Some(_) => {}
    }
    guarded(|| ParquetMetaDataReader::decode_metadata(&footer))
        .map_err(|panic| ParquetError::malformed(path, format!("the footer cannot be read: {panic}")))?
        .map_err(|error| ParquetError::malformed(path, error))
}

/// How deep the schema in a footer goes; `None` where the footer breaks off.
fn schema_depth(footer: &[u8]) -> Option<usize> {
    const SCHEMA: i64 = 2;
    let mut input = Compact { bytes: footer };
    let mut depth = 0;
    input.each_field(|input, field, kind| {
        if (field, kind) != (SCHEMA, LIST) {
            return input.skip(kind, 0);
        }
        let (n_elements, kind) = input.list()?;
        // how many children are still to come, by level
        let mut open: Vec<u64> = Vec::new();
        for _ in 0..n_elements {
            let n_children = if kind == STRUCT { input.n_children()? } else { return None };
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if n_children > 0 {
                open.push(n_children);
                depth = depth.max(open.len());
            }
        }
        Some(())
    })?;
    Some(depth)
}

const STOP: u8 = 0;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Thrift's compact protocol.
struct Compact<'a> {
    bytes: &'a [u8],
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn skip_bytes(&mut self, n: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The length of a list and the type of its elements.
    fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let n = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        // each element takes a byte at least
        (n <= self.bytes.len() as u64).then_some((n, byte & 15))
    }

    /// Calls `take` with each field of a struct: its number and its type.
    fn each_field(&mut self, mut take: impl FnMut(&mut Self, i64, u8) -> Option<()>) -> Option<()> {
        let mut field = 0_i64;
        loop {
            let byte = self.byte()?;
            if byte & 15 == STOP {
                return Some(());
            }
            field = if byte >> 4 == 0 { self.zigzag()? } else { field.wrapping_add(i64::from(byte >> 4)) };
            take(self, field, byte & 15)?;
        }
    }

    /// The number of children that an element of a schema says it has.
    fn n_children(&mut self) -> Option<u64> {
        const N_CHILDREN: i64 = 5;
        const I32: u8 = 5;
        let mut n_children = 0;
        self.each_field(|input, field, kind| match (field, kind) {
            (N_CHILDREN, I32) => {
                n_children = u64::try_from(input.zigzag()?).unwrap_or(0);
                Some(())
            }
            _ => input.skip(kind, 0),
        })?;
        Some(n_children)
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MOST_DEPTH {
            return None;
        }
        match kind {
            // truth values of structs are in their types
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.skip_bytes(8),
            8 => {
                let n = self.varint()?;
                self.skip_bytes(n)
            }
            LIST | 10 => {
                let (n, kind) = self.list()?;
                (0..n).try_for_each(|_| self.skip_element(kind, depth))
            }
            11 => {
                let n = self.varint()?;
                if n == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..n).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 15, depth)
                })
            }
            STRUCT => self.each_field(|input, _, kind| input.skip(kind, depth + 1)),
            13 => self.skip_bytes(16),
            _ => None,
        }
    }

    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1 | 2 => self.byte().map(drop),
            _ => self.skip(kind, depth + 1),
        }
    }
}

/// A footer whose schema has as many groups within each other.
#[cfg(test)]
pub(super) fn nested_for_tests(n_groups: usize) -> Vec<u8> {
    // version 1, then a list of structs: the length in a byte of its own
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    let mut n = n_groups + 1;
    while n > 127 {
        footer.push((n & 127) as u8 | 128);
        n >>= 7;
    }
    footer.push(n as u8);
    // repetition 0, name `a`, one child
    let element =
        |is_group: bool| [&[0x35, 0, 0x18, 1, b'a'][..], if is_group { &[0x15, 2, 0][..] } else { &[0] }].concat();
    (0..n_groups).for_each(|_| footer.extend(element(true)));
    footer.extend(element(false));
    footer.push(0);
    footer
}

#[cfg(test)]
mod tests {
    use super::nested_for_tests as nested;
    use super::*;

    #[test]
    fn the_depth_of_a_schema_is_found_without_recursion() {
        assert_eq!(schema_depth(&nested(3)), Some(3));
        assert_eq!(schema_depth(&nested(1 << 17)), Some(1 << 17));
        assert_eq!(schema_depth(&nested(3)[..20]), None);
        assert_eq!(schema_depth(&[0x1c; 1000]), None, "structs within structs");
        assert_eq!(schema_depth(&[0x19, 0xf3, 0xff, 0xff, 0xff, 0xff, 0x0f]), None, "a list longer than the footer");
    }
}
