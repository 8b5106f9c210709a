//! Folders of a run that go with it; those of killed runs go with the next.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use redline::model::files::open;
use tempfile::TempDir;

const PREFIX: &str = "redline-scratch-";
/// Held by the run whose folder it is.
const LOCK: &str = "lock";

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one in the system's folder for such, after removing those whose runs were killed.
    pub fn new() -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    fn new_in(place: &Path) -> io::Result<Self> {
        left(place).iter().for_each(|folder| {
            // it is in nobody's way
            let _ = std::fs::remove_dir_all(folder);
        });
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        let lock = File::create(folder.path().join(LOCK))?;
        // where files cannot be locked, folders of killed runs cannot be told and stay
        let _ = lock.try_lock();
        Ok(Self { folder, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Folders that killed runs left.
fn left(place: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let is_ours = |entry: &std::fs::DirEntry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder && entry.file_name().to_string_lossy().starts_with(PREFIX)
    };
    let is_left = |folder: &PathBuf| open(&folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
    entries.filter(is_ours).map(|entry| entry.path()).filter(is_left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_killed_runs_go_with_the_next() {
        let place = tempfile::tempdir().unwrap();
        let names = ["redline-scratch-killed", "redline-scratch-no-lock", "other"];
        names.iter().for_each(|name| std::fs::create_dir(place.path().join(name)).unwrap());
        for name in [names[0], names[2]] {
            std::fs::write(place.path().join(name).join(LOCK), "").unwrap();
        }
        let live = Scratch::new_in(place.path()).unwrap();
        let second = Scratch::new_in(place.path()).unwrap();
        assert!(live.path().exists() && second.path().exists());
        assert_eq!(names.map(|name| place.path().join(name).exists()), [false, true, true]);
        drop((live, second));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
    }
}
