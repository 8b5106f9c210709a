//! Writing files so that a name only ever stands for a complete file.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::temporary;
use crate::{Error, Result};

/// Links that are followed before a path counts as a loop; Linux follows as many.
const MOST_LINKS: usize = 40;

/// Writes `bytes` beside `path` and renames: after a crash or a full disk the name holds the old file or none.
///
/// # Errors
/// [`Error::Io`] or [`Error::NotFound`] with the path.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    write().map_err(|source| Error::io(path, source))
}

/// A file that gets its name once it is complete; until then, and when it is dropped, the name holds what it held.
///
/// Devices and pipes (`/dev/stdout`, `/dev/null`) are written to as they are: no file takes their place.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    /// The file that is renamed; none for a stream.
    temporary: Option<PathBuf>,
    target: PathBuf,
}

impl AtomicFile {
    /// Opens a temporary file beside what `path` stands for, its links followed.
    ///
    /// # Errors
    /// The folder cannot be written, or `path` is a folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let target = resolved(path)?;
        match std::fs::metadata(&target) {
            Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            _ if is_stream(&target) => return Ok(Self { file: open_stream(&target)?, temporary: None, target }),
            _ => {}
        }
        // the message of the system names the temporary file, which tells users nothing
        let (file, temporary) = temporary::create(&target).map_err(|error| match error.kind() {
            ErrorKind::Other | ErrorKind::StorageFull => error,
            kind => kind.into(),
        })?;
        Ok(Self { file, temporary: Some(temporary), target })
    }

    /// Flushes the file to the disk and gives it its name.
    ///
    /// # Errors
    /// The disk is full, or the name cannot be taken: the old file stays.
    pub fn commit(mut self) -> io::Result<()> {
        let Some(temporary) = self.temporary.as_deref() else { return self.file.flush() };
        self.file.sync_all()?;
        take_rights_of(&self.target, &self.file)?;
        std::fs::rename(temporary, &self.target)?;
        self.temporary = None;
        sync_folder(folder_of(&self.target));
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // what stays is removed by the next run that writes this file
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// Opens a file to write at its end, and holds it until it is closed: another run that opens it, by whatever name, is refused.
///
/// # Errors
/// [`Error::Held`]; [`Error::Io`] with the path.
pub fn open_to_append(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(|source| Error::io(path, source))?;
    match is_held(&file) {
        true => Err(Error::Held { path: path.into() }),
        false => Ok(file),
    }
}

/// Whether another run holds an open file; otherwise it is held from now on. Where files cannot be locked, none is held.
#[cfg(unix)]
fn is_held(file: &File) -> bool {
    matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

/// Elsewhere a lock would keep the same run from reading what it wrote.
#[cfg(not(unix))]
fn is_held(_file: &File) -> bool {
    false
}

/// Whether a run holds this file for writing at its end.
pub fn is_written_to(path: &Path) -> bool {
    super::open(path).is_ok_and(|file| is_held(&file))
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether bytes written there go where they are taken one after the other: a device, a pipe, a socket, or what this process has
/// open, such as `/dev/stdout`.
pub fn is_stream(path: &Path) -> bool {
    is_open_file(path) || std::fs::metadata(path).is_ok_and(|found| is_special(&found))
}

fn is_special(found: &Metadata) -> bool {
    !found.is_file() && !found.is_dir()
}

/// Whether a path names something that a process has open, which may be a file.
fn is_open_file(path: &Path) -> bool {
    let is_name = |name: &str| path == Path::new(name);
    let is_descriptor = path.parent().is_some_and(|folder| {
        folder == Path::new("/dev/fd") || (folder.starts_with("/proc") && folder.file_name() == Some("fd".as_ref()))
    });
    cfg!(unix) && (is_name("/dev/stdout") || is_name("/dev/stderr") || is_descriptor)
}

/// Standard output is shared, not opened again: what is printed beside it keeps its place.
#[cfg(unix)]
fn open_stream(path: &Path) -> io::Result<File> {
    use std::os::fd::AsFd;
    match path.to_str() {
        Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
        Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
        _ => {
            let _reader = reader_of(path)?;
            OpenOptions::new().write(true).open(path)
        }
    }
}

/// Makes sure that somebody reads from a named pipe: to open it would otherwise wait for ever, and Ctrl-C would not end that. What is
/// returned is kept until the pipe is open, so that the reader does not see its end before.
#[cfg(unix)]
fn reader_of(path: &Path) -> io::Result<Option<File>> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    if !std::fs::metadata(path)?.file_type().is_fifo() {
        return Ok(None);
    }
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
    opened.map(Some).map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => io::Error::other("no program reads from this named pipe"),
        _ => error,
    })
}

#[cfg(not(unix))]
fn open_stream(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// What a path stands for: a link's goal, also where there is nothing yet.
///
/// # Errors
/// Links that lead in a circle, or cannot be read.
pub fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() && !is_open_file(&path) => {
                path = folder_of(&path).join(std::fs::read_link(&path)?);
            }
            _ => return Ok(path),
        }
    }
    Err(ErrorKind::InvalidFilename.into())
}

/// A rename outlives a power failure once its folder is on the disk, where a system can say so.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// What takes a file's place has its rights; a new file got those of any new file when it was made.
#[cfg(unix)]
fn take_rights_of(old: &Path, file: &File) -> io::Result<()> {
    match std::fs::metadata(old) {
        Ok(old) => file.set_permissions(old.permissions()),
        Err(_) => Ok(()),
    }
}

#[cfg(not(unix))]
fn take_rights_of(_old: &Path, _file: &File) -> io::Result<()> {
    Ok(())
}

/// Removes a file that has served; none need be there.
///
/// # Errors
/// [`Error::Io`] where it is there and stays.
pub fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_behind_on_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_atomically(&path, b"first").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert!(write_atomically(&folder.path().join("missing/b.bin"), b"x").is_err());
        let mut dropped = AtomicFile::create(&path).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert!(write_atomically(folder.path(), b"x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn rights_are_those_of_the_old_file_or_of_a_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        std::fs::write(&plain, "x").unwrap();
        write_atomically(&ours, b"x").unwrap();
        assert_eq!(mode(&ours), mode(&plain));
        std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o600)).unwrap();
        write_atomically(&ours, b"y").unwrap();
        assert_eq!(mode(&ours), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_that_nobody_reads_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = write_atomically(&pipe, b"x").unwrap_err().to_string();
        assert!(error.ends_with("pipe: no program reads from this named pipe"), "{error}");
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        // until the other thread has it open
        while write_atomically(&pipe, b"xyz").is_err() {
            std::thread::yield_now();
        }
        assert_eq!(reader.join().unwrap(), b"xyz");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_streams_stay_streams() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("goal", at("link")).unwrap();
        symlink("link", at("link-to-link")).unwrap();
        write_atomically(&at("link-to-link"), b"x").unwrap();
        assert_eq!(std::fs::read(at("goal")).unwrap(), b"x");
        assert!(std::fs::symlink_metadata(at("link")).unwrap().is_symlink());
        symlink("circle", at("circle")).unwrap();
        assert!(write_atomically(&at("circle"), b"x").is_err());
        symlink("/dev/null", at("null")).unwrap();
        write_atomically(&at("null"), b"x").unwrap();
        assert!(is_stream(Path::new("/dev/null")) && is_stream(&at("null")) && is_stream(Path::new("/dev/stdout")));
        assert!(!is_stream(&at("goal")) && !is_stream(&at("missing")) && !is_stream(folder.path()));
        assert!(std::fs::symlink_metadata(at("null")).unwrap().is_symlink());
    }
}
