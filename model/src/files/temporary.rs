//! Temporary files: `.NAME.redline-tmp-PROCESS-NUMBER`, locked by the process that writes them. A lock ends with its process, so
//! a file that nobody holds is what a killed run left.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::writing::folder_of;

/// What stands between the name of a file and the number of its writer, in names of temporary files.
pub const TEMPORARY_MARK: &str = ".redline-tmp-";
/// Bytes of a name that are kept: with mark and numbers it stays within what file systems take.
const MOST_NAME_BYTES: usize = 180;

/// Makes a temporary file beside `target` and locks it. Until it takes the place of a file it is private to its owner, since that file
/// may be; where there is none yet it has the rights of any new file, which the system knows best.
pub(super) fn create(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().ok_or(ErrorKind::InvalidFilename)?;
    loop {
        let mut temporary = beginning(name);
        temporary.push(format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        let path = folder_of(target).join(temporary);
        let file = match options(!target.exists()).open(&path) {
            // a process of this number was killed before, or writes in another container
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        // where files cannot be locked, leftovers cannot be told apart and stay
        let _ = file.try_lock();
        // another run may have taken it for a leftover before it was locked
        if path.exists() {
            return Ok((file, path));
        }
    }
}

#[cfg(unix)]
fn options(is_new: bool) -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(if is_new { 0o666 } else { 0o600 });
    options
}

#[cfg(not(unix))]
fn options(_is_new: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

/// How the names of temporary files of `name` begin.
fn beginning(name: &OsStr) -> OsString {
    let whole = name.to_string_lossy();
    let cut = whole.char_indices().map(|(at, _)| at).take_while(|at| *at <= MOST_NAME_BYTES).last().unwrap_or(0);
    let mut beginning = OsString::from(".");
    match name.len() <= MOST_NAME_BYTES {
        true => beginning.push(name),
        false => beginning.push(&whole[..cut]),
    }
    beginning.push(TEMPORARY_MARK);
    beginning
}

/// Removes what killed runs left of `path`; files that are being written stay.
pub fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name() else { return };
    let beginning = beginning(name);
    remove_where(folder_of(path), |found| {
        let bytes = found.as_encoded_bytes().strip_prefix(beginning.as_encoded_bytes());
        bytes.is_some_and(is_numbered)
    });
}

/// Removes what killed runs left in a folder, of whatever file.
pub fn remove_leftovers_in(folder: &Path) {
    remove_where(folder, |found| {
        let found = found.to_string_lossy();
        let parts = found.strip_prefix('.').and_then(|name| name.rsplit_once(TEMPORARY_MARK));
        parts.is_some_and(|(name, numbers)| !name.is_empty() && is_numbered(numbers.as_bytes()))
    });
}

/// Whether this is `PROCESS-NUMBER`.
fn is_numbered(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'-');
    let is_number =
        |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    is_number(parts.next()) && is_number(parts.next()) && parts.next().is_none()
}

fn remove_where(folder: &Path, is_leftover: impl Fn(&OsStr) -> bool) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| is_leftover(&entry.file_name())) {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let nobody_writes = || File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if is_file && nobody_writes() {
            // it is in nobody's way
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let strangers =
            [".a.redline-tmp-", ".a.redline-tmp-1", ".a.redline-tmp-1-2-3", ".a.redline-tmp-1-x", "a.redline-tmp-1-2"];
        let other = ".b.redline-tmp-1-2";
        for name in strangers.iter().chain([&other, &".a.redline-tmp-77-0", &".a.redline-tmp-77-1"]) {
            std::fs::write(at(name), "x").unwrap();
        }
        let (live, live_path) = create(&at("a")).unwrap();
        remove_leftovers(&at("a"));
        let is_there = |name: &str| at(name).exists();
        assert!(strangers.iter().all(|name| is_there(name)) && is_there(other) && live_path.exists());
        assert!(!is_there(".a.redline-tmp-77-0") && !is_there(".a.redline-tmp-77-1"));
        remove_leftovers_in(folder.path());
        assert!(strangers.iter().all(|name| is_there(name)) && !is_there(other) && live_path.exists());
        drop(live);
        remove_leftovers_in(folder.path());
        assert!(!live_path.exists(), "its writer is gone");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ü".repeat(127));
        let (file, temporary) = create(&path).unwrap();
        drop(file);
        assert!(temporary.exists());
        remove_leftovers(&path);
        assert!(!temporary.exists());
    }
}
