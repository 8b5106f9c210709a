//! The one place where files are opened: regular files of a bounded size, read so that Ctrl-C works, and written so that a name only
//! ever stands for a complete file.
//!
//! Folders, devices, sockets and named pipes are refused before they are opened, also behind a link: reading them may never end. Where
//! pipes make sense, which is for rows and texts, `-` is the standard input, and a pipe that the shell hands over (`/dev/stdin`,
//! `<(command)`) is read to its end once.

mod hash;
mod pipe;
mod source;
mod temporary;
mod writing;

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use crate::{Error, Result};

pub(crate) use hash::hexadecimal;
pub use hash::{file_hash, hash_of};
pub use pipe::{Input, open_input, read_input};
pub(crate) use source::Source;
pub use temporary::{TEMPORARY_MARK, remove_leftovers, remove_leftovers_in};
pub use writing::{
    AtomicFile, folder_of, is_stream, is_written_to, open_to_append, remove_if_there, resolved, write_atomically,
};

/// Most bytes of a file of settings: config.json, generation_config.json, an index of weights.
pub const MOST_SETTINGS: u64 = 16 << 20;
/// Most bytes of a template, a list of keys or another file that a person writes.
pub const MOST_WRITTEN: u64 = 1 << 20;
/// Most bytes of a text that is read as one, or of all that a pipe gives.
pub const MOST_TEXT: u64 = 1 << 30;
/// Bytes read between two looks for Ctrl-C.
const PART: usize = 1 << 20;

static INTERRUPTED: OnceLock<fn() -> bool> = OnceLock::new();

/// Tells readers how to find out that the user wants them to stop. The first call counts.
pub fn stop_reading_when(is_interrupted: fn() -> bool) {
    let _ = INTERRUPTED.set(is_interrupted);
}

/// Why a read ended before the file did.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interruption;

/// Whether the user ended a read, rather than the system.
pub(crate) fn is_interruption(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Interruption>())
}

/// An error once the user asked to stop.
pub(crate) fn check_interrupt() -> std::io::Result<()> {
    match INTERRUPTED.get().is_some_and(|is_interrupted| is_interrupted()) {
        true => Err(std::io::Error::other(Interruption)),
        false => Ok(()),
    }
}

/// Opens a regular file; links are followed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Io`]; [`Error::NotAFile`] for anything else that a path can lead to.
pub fn open(path: &Path) -> Result<File> {
    let io = |source| Error::io(path, source);
    check_is_file(path, &std::fs::metadata(path).map_err(io)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    never_wait(&mut options);
    let file = options.open(path).map_err(io)?;
    // another program may have put something else there since
    check_is_file(path, &file.metadata().map_err(io)?)?;
    Ok(file)
}

/// A pipe put in a file's place is opened without waiting for somebody to write to it.
#[cfg(unix)]
fn never_wait(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(libc::O_NONBLOCK);
}

#[cfg(not(unix))]
fn never_wait(_options: &mut OpenOptions) {}

fn check_is_file(path: &Path, metadata: &Metadata) -> Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(Error::NotAFile { path: path.into(), kind: kind(metadata) }),
    }
}

#[cfg(unix)]
fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let file_type = metadata.file_type();
    match () {
        () if file_type.is_dir() => "a folder",
        () if file_type.is_fifo() => "a named pipe",
        () if file_type.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() { "a folder" } else { "a device" }
}

/// All bytes of a regular file of at most `limit`.
///
/// # Errors
/// Those of [`open`]; [`Error::TooLarge`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata().map_err(|source| Error::io(path, source))?.len();
    if length > limit {
        return Err(Error::TooLarge { path: path.into(), limit });
    }
    let mut bytes = reserved(path, "the file", length)?;
    read_on(path, file, limit, &mut bytes)?;
    Ok(bytes)
}

/// [`read`] as text.
///
/// # Errors
/// Those of [`read`]; [`Error::NotText`] with the place.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    as_text(path, read(path, limit)?)
}

/// [`read`], where there may be no such file.
///
/// # Errors
/// Those of [`read`] but for [`Error::NotFound`].
pub fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    match read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes as text; `path` is for the message.
///
/// # Errors
/// [`Error::NotText`].
pub fn as_text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|error| Error::NotText { path: path.into(), at: error.utf8_error().valid_up_to() + 1 })
}

/// Calls `take` with the bytes of a regular file, part by part.
///
/// # Errors
/// Those of [`open`], and a read that fails.
pub fn for_each_part(path: &Path, mut take: impl FnMut(&[u8])) -> Result<()> {
    let mut file = open(path)?;
    let mut part = vec![0; PART];
    loop {
        let n_read = check_interrupt().and_then(|()| file.read(&mut part)).map_err(|e| Error::io(path, e))?;
        match n_read {
            0 => return Ok(()),
            n_read => take(&part[..n_read]),
        }
    }
}

/// Room for `length` bytes, or an error where the machine has none.
pub(crate) fn reserved(path: &Path, what: &str, length: u64) -> Result<Vec<u8>> {
    let no_memory = || Error::NoMemory { path: path.into(), what: what.into(), needed: length };
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).map_err(|_| no_memory())?).map_err(|_| no_memory())?;
    Ok(bytes)
}

/// Reads to the end, which must come within `limit` bytes.
fn read_on(path: &Path, mut input: impl Read, limit: u64, bytes: &mut Vec<u8>) -> Result<()> {
    loop {
        let mut part = (&mut input).take(PART as u64);
        let n_read = check_interrupt().and_then(|()| part.read_to_end(bytes)).map_err(|e| Error::io(path, e))?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge { path: path.into(), limit });
        }
        if n_read == 0 {
            return Ok(());
        }
    }
}

/// What a file begins with that stands for one in Git LFS.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Refuses the pointer that a clone without Git LFS leaves in the place of a large file.
pub(crate) fn refuse_lfs_pointer(path: &Path, bytes: &[u8]) -> Result<()> {
    match bytes.starts_with(LFS_POINTER) {
        true => Err(Error::LfsPointer { path: path.into() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "abcd").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "abcd");
        assert!(matches!(read(&path, 3), Err(Error::TooLarge { limit: 3, .. })));
        assert!(matches!(read(folder.path(), 9), Err(Error::NotAFile { kind: "a folder", .. })));
        assert!(matches!(read(&folder.path().join("b"), 9), Err(Error::NotFound { .. })));
        assert_eq!(read_if_there(&folder.path().join("b"), 9).unwrap(), None);
        std::fs::write(&path, b"ab\xffd").unwrap();
        assert!(read_text(&path, 9).unwrap_err().to_string().ends_with("a.txt: not UTF-8 from byte 3 on"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_refused_also_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        for (name, kind) in [("pipe", "a named pipe"), ("link", "a device"), ("socket", "a socket")] {
            let message = format!("{name}: is {kind}, not a file");
            for error in [read(&folder.path().join(name), 9), read_input(&folder.path().join(name), 9)] {
                assert!(error.unwrap_err().to_string().ends_with(&message), "{message}");
            }
        }
    }
}
