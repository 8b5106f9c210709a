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
    make_readable(&file).map_err(|source| Error::io(path, source))?;
    file.persist(path).map_err(|failure| Error::io(path, failure.error))?;
    Ok(())
}

/// Temporary files are private to their owner; the result should be as readable as any other file.
#[cfg(unix)]
fn make_readable(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &NamedTempFile) -> std::io::Result<()> {
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
}
