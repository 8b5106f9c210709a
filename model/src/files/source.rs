//! Bytes at a place: of an open file, or of one in memory.
//!
//! Files are read, not mapped: a mapped file that another program cuts short ends the process with a signal, a read ends with an error.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{LFS_POINTER, check_interrupt, open, refuse_lfs_pointer, reserved};
use crate::{Error, Result};

/// Bytes that one task reads.
const PART: usize = 4 << 20;

/// A file whose length was looked at once; what is no longer there when it is read is an error.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    bytes: Bytes,
    length: u64,
}

#[derive(Debug)]
enum Bytes {
    File(File),
    Memory(Vec<u8>),
}

impl Source {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = open(path)?;
        let length = file.metadata().map_err(|source| Error::io(path, source))?.len();
        let source = Self { path: path.into(), bytes: Bytes::File(file), length };
        let start = length.min(LFS_POINTER.len() as u64) as usize;
        refuse_lfs_pointer(path, &source.read(0, start, "the first bytes")?)?;
        Ok(source)
    }

    /// A file in memory; `path` is for messages.
    pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), length: bytes.len() as u64, bytes: Bytes::Memory(bytes) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// `length` bytes from `start` on, which lie in the file as it was when it was opened; `what` they are is for messages.
    pub(crate) fn read(&self, start: u64, length: usize, what: &str) -> Result<Cow<'_, [u8]>> {
        match &self.bytes {
            Bytes::Memory(bytes) => {
                let part = usize::try_from(start).ok().and_then(|start| bytes.get(start..start.checked_add(length)?));
                part.map(Cow::Borrowed).ok_or_else(|| self.cut_short(what, length))
            }
            Bytes::File(file) => {
                // a length that lies is no reason to ask for memory
                if start.saturating_add(length as u64) > self.length {
                    return Err(self.cut_short(what, length));
                }
                let mut bytes = reserved(&self.path, what, length as u64)?;
                bytes.resize(length, 0);
                let parts = bytes.par_chunks_mut(PART).enumerate();
                let read = parts.try_for_each(|(i, part)| {
                    check_interrupt()?;
                    read_exact_at(file, part, start + (i * PART) as u64)
                });
                match read {
                    Ok(()) => Ok(Cow::Owned(bytes)),
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                        Err(self.cut_short(what, length))
                    }
                    Err(error) => Err(Error::io(&self.path, error)),
                }
            }
        }
    }

    /// Calls `take` with all bytes, part by part.
    pub(crate) fn for_each_part(&self, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut start = 0;
        while start < self.length {
            let length = (self.length - start).min(PART as u64);
            take(&self.read(start, length as usize, "the file")?);
            start += length;
        }
        Ok(())
    }

    fn cut_short(&self, what: &str, length: usize) -> Error {
        Error::CutShort { path: self.path.clone(), what: what.into(), needed: length as u64 }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, part: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, part, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut part: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !part.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, part, at)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n_read => {
                part = &mut part[n_read..];
                at += n_read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_short_after_it_was_opened_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let bytes: Vec<u8> = (0..3 * PART + 5).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let (file, memory) = (Source::open(&path).unwrap(), Source::from_bytes(&path, bytes.clone()));
        for source in [&file, &memory] {
            assert_eq!(source.read(7, 2 * PART, "a part").unwrap(), &bytes[7..7 + 2 * PART]);
            let mut parts = Vec::new();
            source.for_each_part(|part| parts.extend_from_slice(part)).unwrap();
            assert_eq!(parts, bytes);
            let beyond = source.read(bytes.len() as u64 - 1, 2, "tensor `t`").unwrap_err().to_string();
            assert!(beyond.ends_with("a.bin: cut short while it was read: tensor `t` needs 2 bytes"), "{beyond}");
        }
        std::fs::write(&path, &bytes[..PART]).unwrap();
        assert!(matches!(file.read(0, 2 * PART, "t"), Err(Error::CutShort { .. })));
        assert!(matches!(file.for_each_part(|_| {}), Err(Error::CutShort { .. })));
        assert_eq!(file.read(0, PART, "t").unwrap(), &bytes[..PART]);
    }
}
