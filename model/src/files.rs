//! Writing files so that a name only ever stands for a complete file.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes `bytes` beside `path` and renames: after a crash or a full disk the name holds the old file or none.
///
/// # Errors
/// [`Error::Io`] or [`Error::NotFound`] with the path.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // the message of the crate names the temporary file, which tells users nothing
    let mut file = NamedTempFile::new_in(folder).map_err(|source| Error::io(path, source.kind().into()))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|source| Error::io(path, source))?;
    make_readable(&file, path).map_err(|source| Error::io(path, source))?;
    file.persist(path).map_err(|failure| Error::io(path, failure.error))?;
    Ok(())
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

/// Temporary files are private to their owner; the result has the rights of the file that it replaces, or those of any new file.
#[cfg(unix)]
fn make_readable(file: &NamedTempFile, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = match std::fs::metadata(path) {
        Ok(old) => old.permissions(),
        Err(_) => std::fs::Permissions::from_mode(0o666 & !creation_mask()),
    };
    file.as_file().set_permissions(permissions)
}

/// The rights that new files do not get, as Linux tells them; elsewhere the usual ones.
#[cfg(unix)]
fn creation_mask() -> u32 {
    static MASK: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *MASK.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o022)
    })
}

#[cfg(not(unix))]
fn make_readable(_file: &NamedTempFile, _path: &Path) -> std::io::Result<()> {
    Ok(())
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
}
