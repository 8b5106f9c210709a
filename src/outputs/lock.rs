//! One run at a time writes an output. The lock is a file beside it, `.NAME.redline-lock` (`.redline-lock` in a folder), held by the
//! system: it ends with its process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redline::model::files::{folder_of, open};

use super::place::same_file;

/// End of every lock's name.
pub const ENDING: &str = ".redline-lock";
/// Bytes of an output's name that are kept in that of its lock.
const MOST_NAME_BYTES: usize = 180;
/// Times that a lock is tried for: another run may look at it for an instant.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// Longest text of a lock that is shown.
const MOST_TEXT: u64 = 200;

/// Why there is no lock.
#[derive(Debug)]
pub enum NoLock {
    /// Another run holds it; what it says of itself.
    Held(String),
    /// The file cannot be made.
    Io(io::Error),
}

impl From<io::Error> for NoLock {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: Option<File>,
}

/// The lock of a file.
pub fn of_file(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let cut = name.char_indices().map(|(at, _)| at).take_while(|at| *at <= MOST_NAME_BYTES).last().unwrap_or(0);
    let name = if name.len() <= MOST_NAME_BYTES { &name } else { &name[..cut] };
    folder_of(path).join(format!(".{name}{ENDING}"))
}

/// The lock of a folder.
pub fn of_folder(path: &Path) -> PathBuf {
    path.join(ENDING)
}

impl Lock {
    /// Takes a lock, or says who holds it.
    pub fn take(path: PathBuf) -> Result<Self, NoLock> {
        for attempt in 1.. {
            let file = options().open(&path)?;
            match file.try_lock() {
                // the run that had it removed it meanwhile
                Ok(()) if !std::fs::metadata(&path).is_ok_and(|found| is_of(&found, &file)) => continue,
                Ok(()) => {
                    // dropped where the disk is full, so that nothing stays
                    let lock = Self { path, file: Some(file) };
                    lock.file.iter().try_for_each(write_holder)?;
                    return Ok(lock);
                }
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(NoLock::Held(holder(&path))),
                Err(TryLockError::Error(error)) => {
                    let place = path.display();
                    crate::output::note!("warning: {place}: it cannot be locked ({error}); start no second run there");
                    return Ok(Self { path, file: Some(file) });
                }
            }
        }
        unreachable!("the loop ends by returning")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // removed while it is held: whoever waits for it sees that it is gone
        let _ = std::fs::remove_file(&self.path);
        drop(self.file.take());
    }
}

/// Whether another run holds this lock; what it says of itself.
pub fn held(path: &Path) -> Option<String> {
    let file = open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(holder(path)),
        _ => None,
    }
}

/// Locks of files in a folder.
pub fn within(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with('.') && name.ends_with(ENDING) && name != ENDING
    });
    names.map(|entry| entry.path()).collect()
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

#[cfg(unix)]
fn is_of(found: &std::fs::Metadata, file: &File) -> bool {
    file.metadata().is_ok_and(|open| same_file(found, &open))
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_of(_found: &std::fs::Metadata, _file: &File) -> bool {
    true
}

fn write_holder(mut file: &File) -> io::Result<()> {
    let verb = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    file.set_len(0)?;
    file.write_all(format!("process {}, redline {verb}", std::process::id()).as_bytes())
}

fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = open(path).ok().and_then(|file| file.take(MOST_TEXT).read_to_string(&mut text).ok());
    let text: String = text.chars().filter(|character| !character.is_control()).collect();
    match read {
        Some(_) if !text.is_empty() => text,
        _ => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = of_file(&folder.path().join("out.jsonl"));
        assert!(path.ends_with(".out.jsonl.redline-lock"));
        let first = Lock::take(path.clone()).unwrap();
        let Err(NoLock::Held(who)) = Lock::take(path.clone()) else { panic!("two holders") };
        assert!(who.starts_with(&format!("process {}", std::process::id())), "{who}");
        assert_eq!(held(&path), Some(who));
        assert_eq!(within(folder.path()), std::slice::from_ref(&path));
        drop(first);
        assert_eq!((held(&path), std::fs::read_dir(folder.path()).unwrap().count()), (None, 0));
        // what a killed run left
        std::fs::write(&path, "process 1, redline sweep, and a longer text than ours").unwrap();
        let again = Lock::take(path.clone()).unwrap();
        assert!(holder(&path).ends_with(&std::env::args().nth(1).unwrap_or_default()));
        drop(again);
        assert!(!path.exists());
        let missing = Lock::take(folder.path().join("missing/.x.redline-lock"));
        assert!(matches!(missing, Err(NoLock::Io(_))));
    }
}
