//! Which file a path stands for, also where there is nothing yet.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use redline::model::files::{folder_of, resolved};

/// Two paths of one identity are one file. Names that differ only in case count as one: on some file systems they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A file or folder that is there, whatever its names.
    There(FileId),
    /// A name in a folder that is there; deeper ones with their folders.
    New(FileId, String),
}

/// Device and number of a file.
#[cfg(unix)]
pub type FileId = (u64, u64);
/// The path that links and `..` lead to.
#[cfg(not(unix))]
pub type FileId = PathBuf;

#[cfg(unix)]
fn file_id(_path: &Path, found: &Metadata) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn file_id(path: &Path, _found: &Metadata) -> Option<FileId> {
    path.canonicalize().ok()
}

/// Whether these are of one file.
#[cfg(unix)]
pub fn same_file(a: &Metadata, b: &Metadata) -> bool {
    file_id(Path::new(""), a) == file_id(Path::new(""), b)
}

/// What a path stands for; none where not even a folder of it can be looked at.
pub fn identity(path: &Path) -> Option<Identity> {
    let path = resolved(path).ok()?;
    if let Ok(found) = std::fs::metadata(&path) {
        return file_id(&path, &found).map(Identity::There);
    }
    let mut names = vec![path.file_name()?.to_string_lossy().to_lowercase()];
    let mut folder = folder_of(&path);
    loop {
        if let Ok(found) = std::fs::metadata(folder) {
            names.reverse();
            return file_id(folder, &found).map(|folder| Identity::New(folder, names.join("/")));
        }
        names.push(folder.file_name()?.to_string_lossy().to_lowercase());
        folder = folder_of(folder);
    }
}

/// Whether `path` lies within the folder, links followed.
pub fn is_within(path: &Path, folder: &Path) -> bool {
    let folder = identity(folder).filter(|folder| matches!(folder, Identity::There(_)));
    let Some(place) = whole(path) else { return false };
    folder.is_some() && place.ancestors().skip(1).any(|above| identity(above) == folder)
}

/// The path from the root, links followed as far as there is something.
fn whole(path: &Path) -> Option<PathBuf> {
    let path = resolved(path).ok()?;
    if let Ok(whole) = path.canonicalize() {
        return Some(whole);
    }
    let name = path.file_name()?.to_owned();
    Some(whole(folder_of(&path))?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn one_file_has_one_identity_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("a"), "x").unwrap();
        std::fs::hard_link(at("a"), at("hard")).unwrap();
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        std::os::unix::fs::symlink("new", at("dangling")).unwrap();
        std::os::unix::fs::symlink("sub", at("linked-sub")).unwrap();
        let id = |name: &str| identity(&at(name)).unwrap();
        for other in ["./a", "sub/../a", "hard", "link"] {
            assert_eq!(id(other), id("a"), "{other}");
        }
        for other in ["./new", "sub/../new", "dangling", "NEW"] {
            assert_eq!(id(other), id("new"), "{other}");
        }
        assert_ne!(id("b"), id("a"));
        assert_eq!(id("linked-sub/x/y"), id("sub/x/y"));
        assert_ne!(id("sub/x/y"), id("x/y"));
        for inside in ["sub/x", "linked-sub/x", "sub/x/y"] {
            assert!(is_within(&at(inside), &at("sub")), "{inside}");
        }
        assert!(!is_within(&at("sub"), &at("sub")) && !is_within(&at("subx"), &at("sub")));
    }
}
