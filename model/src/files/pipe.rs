//! Input that may come from a pipe: the standard input, or a pipe that the shell hands over by the number of a descriptor.
//!
//! A pipe can be read only once, while readers may look twice, so its bytes are kept.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{MOST_TEXT, check_interrupt, open, read, read_on};
use crate::Result;

/// How often a reader that waits for a pipe looks for Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes taken from a pipe at once.
const PART: usize = 1 << 16;

/// Where rows and texts come from.
#[derive(Debug)]
pub enum Input {
    /// A regular file.
    File(File),
    /// All that a pipe gave.
    Bytes(&'static [u8]),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        check_interrupt()?;
        match self {
            Self::File(file) => file.read(buffer),
            Self::Bytes(bytes) => bytes.read(buffer),
        }
    }
}

/// Opens a regular file, the standard input (`-`) or a pipe of the shell.
///
/// # Errors
/// Those of [`open`]; [`Error::TooLarge`](crate::Error::TooLarge) for a pipe that gives more than [`MOST_TEXT`].
pub fn open_input(path: &Path) -> Result<Input> {
    match is_pipe(path) {
        true => bytes_of(path).map(Input::Bytes),
        false => open(path).map(Input::File),
    }
}

/// All bytes of a regular file, the standard input (`-`) or a pipe of the shell, at most `limit`.
///
/// # Errors
/// As [`open_input`]; [`Error::TooLarge`](crate::Error::TooLarge).
pub fn read_input(path: &Path, limit: u64) -> Result<Vec<u8>> {
    if !is_pipe(path) {
        return read(path, limit);
    }
    let bytes = bytes_of(path)?;
    match bytes.len() as u64 > limit {
        true => Err(crate::Error::TooLarge { path: name(path), limit }),
        false => Ok(bytes.to_vec()),
    }
}

/// Whether a path names the standard input, or a descriptor that is no regular file.
fn is_pipe(path: &Path) -> bool {
    let of_process = ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.parent() == Some(Path::new(folder)));
    let is_descriptor = of_process || path == Path::new("/dev/stdin");
    path == Path::new("-")
        || (is_descriptor && std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()))
}

/// What messages call it.
fn name(path: &Path) -> PathBuf {
    PathBuf::from(if path == Path::new("-") { Path::new("<stdin>") } else { path })
}

fn bytes_of(path: &Path) -> Result<&'static [u8]> {
    static READ: Mutex<Option<HashMap<PathBuf, &'static [u8]>>> = Mutex::new(None);
    let mut known = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(bytes) = known.get(path) {
        return Ok(bytes);
    }
    let source: Box<dyn Read + Send> = match path == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false => Box::new(File::open(path).map_err(|error| crate::Error::io(path, error))?),
    };
    let mut bytes = Vec::new();
    read_on(&name(path), Waiting::new(source), MOST_TEXT, &mut bytes)?;
    let bytes: &'static [u8] = bytes.leak();
    known.insert(path.to_path_buf(), bytes);
    Ok(bytes)
}

/// A stream that another thread waits for, so that Ctrl-C ends the wait.
struct Waiting {
    parts: Receiver<std::io::Result<Vec<u8>>>,
    part: std::io::Cursor<Vec<u8>>,
}

impl Waiting {
    fn new(mut source: impl Read + Send + 'static) -> Self {
        let (sender, parts) = sync_channel(4);
        std::thread::spawn(move || {
            loop {
                let mut part = vec![0; PART];
                let read = match source.read(&mut part) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let is_last = !matches!(read, Ok(1..));
                let read = read.map(|n_read| {
                    part.truncate(n_read);
                    part
                });
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Self { parts, part: std::io::Cursor::default() }
    }
}

impl Read for Waiting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let n_read = self.part.read(buffer)?;
            if n_read > 0 || buffer.is_empty() {
                return Ok(n_read);
            }
            check_interrupt()?;
            match self.parts.recv_timeout(LOOK_EVERY) {
                Ok(part) => self.part = std::io::Cursor::new(part?),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
            if self.part.get_ref().is_empty() {
                return Ok(0);
            }
        }
    }
}
