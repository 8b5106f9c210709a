//! Whether a run may write its outputs: the one check of every verb, before any long work.
//!
//! An output is none of the run's inputs and no part of a model that it reads, no two outputs are one file, and a file that is
//! there is replaced only where it is of the kind that is written, or with `--force`. Paths count by the file they lead to. Outputs are
//! locked until the run ends; what killed runs left of them is removed.

mod check;
mod kind;
mod lock;
mod place;
mod scratch;

use std::path::{Path, PathBuf};

use redline::model::files::{folder_of, is_stream, is_written_to, remove_leftovers, remove_leftovers_in, resolved};

use redline::plot::picture_paths;

use crate::failure::hinted;
use check::{Target, check_distinct, check_form, check_inputs, check_kind, is_other, targets};
pub use kind::Kind;
use lock::{Lock, NoLock};
use place::{Identity, identity};
pub use scratch::Scratch;

/// What a verb reads and writes.
#[derive(Debug, Default)]
pub struct RunFiles {
    /// Every file and folder that an option names, whether or not it is there.
    pub reads: Vec<PathBuf>,
    pub writes: Vec<Output>,
    /// Replace files of other kinds too.
    pub force: bool,
}

/// A place to write to.
#[derive(Debug, Clone)]
pub struct Output {
    pub path: PathBuf,
    pub form: Form,
}

/// What is written there.
#[derive(Debug, Clone)]
pub enum Form {
    /// A file, whole.
    File(Kind),
    /// The same, in a folder that is made where it is not there.
    FileInFolder(Kind),
    /// A file that grows and is continued.
    Log(Kind),
    /// The beginning of names that are known later, and checked then.
    Stem,
    /// A folder with these files and folders.
    Folder(Vec<Named>),
}

/// A file or folder in a folder that is written.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub kind: Kind,
    /// Whether it shows that all the other names in the folder are of runs of this verb.
    pub is_mark: bool,
}

impl Named {
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, is_mark: false }
    }

    pub fn mark(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, is_mark: true }
    }
}

impl Output {
    pub fn file(path: impl Into<PathBuf>, kind: Kind) -> Self {
        Self { path: path.into(), form: Form::File(kind) }
    }

    /// The pictures that a name stands for: `STEM.png` and `STEM.svg`, or the name itself where it has a picture's ending.
    pub fn pictures(name: &Path) -> Vec<Self> {
        picture_paths(name).into_iter().map(|path| Self::file(path, Kind::Picture)).collect()
    }
}

/// Outputs that are this run's until it is dropped.
#[derive(Debug, Default)]
pub struct Claim {
    locks: Vec<Lock>,
    /// Folders that were made for the outputs, the deepest last.
    made: Vec<PathBuf>,
    /// Files of other kinds that `--force` lets this run replace, as they were.
    others: Vec<(PathBuf, Option<Stamp>)>,
}

/// When a file was written, and how long it is.
type Stamp = (Option<std::time::SystemTime>, u64, Option<Identity>);

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok(), found.len(), identity(path)))
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.locks.clear();
        for folder in self.made.iter().rev() {
            // one that holds something stays
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Refuses outputs that would destroy something, and takes the others for this run.
///
/// # Errors
/// What is wrong with the first output that cannot be written, with the cure.
pub fn claim(run: &RunFiles) -> anyhow::Result<Claim> {
    run.writes.iter().try_for_each(check_form)?;
    let targets: Vec<Target> = run.writes.iter().flat_map(targets).collect();
    check_distinct(&targets)?;
    targets.iter().try_for_each(|target| check_inputs(target, &run.reads))?;
    targets.iter().try_for_each(|target| check_kind(target, run.force))?;
    let others = targets.iter().filter(|target| run.force && is_other(target));
    let others = others.map(|target| (target.path.clone(), stamp(&target.path))).collect();
    let mut claim = Claim { locks: Vec::new(), made: Vec::new(), others };
    for output in &run.writes {
        claim.take(output)?;
    }
    Ok(claim)
}

impl Claim {
    /// Says which files of other kinds this run replaced, now that it is over.
    pub fn tell_replaced(&self) {
        self.replaced().for_each(|path| crate::output::note!("note: {} was replaced, as --force says", path.display()));
    }

    fn replaced(&self) -> impl Iterator<Item = &Path> {
        let is_new = |(path, before): &&(PathBuf, Option<Stamp>)| stamp(path) != *before;
        self.others.iter().filter(is_new).map(|(path, _)| path.as_path())
    }

    fn take(&mut self, output: &Output) -> anyhow::Result<()> {
        let path = &output.path;
        let goal = resolved(path).map_err(|error| cannot_write(path, &error))?;
        match &output.form {
            Form::Stem => Ok(()),
            Form::Folder(named) => {
                self.make_folder(path, &goal)?;
                self.lock(path, lock::of_folder(&goal))?;
                self.refuse_held(path, &lock::within(&goal))?;
                remove_leftovers_in(&goal);
                named.iter().map(|named| goal.join(&named.name)).for_each(|inside| remove_leftovers_in(&inside));
                Ok(())
            }
            Form::File(_) if is_stream(&goal) => Ok(()),
            Form::File(_) | Form::FileInFolder(_) | Form::Log(_) => {
                if matches!(output.form, Form::FileInFolder(_)) {
                    self.make_folder(path, folder_of(&goal))?;
                }
                self.lock(path, lock::of_file(&goal))?;
                self.refuse_held(path, &[lock::of_folder(folder_of(&goal))])?;
                if matches!(output.form, Form::Log(_)) && is_written_to(&goal) {
                    return Err(is_held(path, "under another name"));
                }
                remove_leftovers(&goal);
                Ok(())
            }
        }
    }

    /// Makes a folder and remembers what was not there.
    fn make_folder(&mut self, path: &Path, folder: &Path) -> anyhow::Result<()> {
        let missing: Vec<PathBuf> = folder
            .ancestors()
            .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
            .map(Path::to_path_buf)
            .collect();
        self.made.extend(missing.into_iter().rev());
        std::fs::create_dir_all(folder).map_err(|error| cannot_write(path, &error))
    }

    fn lock(&mut self, path: &Path, lock: PathBuf) -> anyhow::Result<()> {
        match Lock::take(lock) {
            Ok(lock) => self.locks.push(lock),
            Err(NoLock::Held(holder)) => return Err(is_held(path, &holder)),
            Err(NoLock::Io(error)) => return Err(cannot_write(path, &error)),
        }
        Ok(())
    }

    /// Refuses where another run holds one of these.
    fn refuse_held(&self, path: &Path, locks: &[PathBuf]) -> anyhow::Result<()> {
        let is_own = |path: &Path| self.locks.iter().any(|own| identity(own.path()) == identity(path));
        let held = locks.iter().filter(|lock| !is_own(lock)).find_map(|lock| lock::held(lock));
        held.map_or(Ok(()), |holder| Err(is_held(path, &holder)))
    }
}

/// What is said where another run holds an output.
pub const IS_HELD: &str = "another run is writing there";

fn is_held(path: &Path, holder: &str) -> anyhow::Error {
    hinted(format!("{}: {IS_HELD} ({holder})", path.display()), "wait until it ends, or name another output")
}

/// Removes a file of another kind, where `--force` was given, before a log is begun there.
pub fn clear_for_log(path: &Path, kind: Kind, force: bool) -> anyhow::Result<()> {
    match force && path.is_file() && !kind.is(path) {
        true => std::fs::remove_file(path).map_err(|error| cannot_write(path, &error)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;

/// Makes sure that a folder is there.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))
}

/// An error about a place that cannot be written.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let (reason, cure) = match error.kind() {
        std::io::ErrorKind::NotFound => {
            ("its folder is not there".to_owned(), "make the folder, or choose another output")
        }
        kind => (kind.to_string(), "choose another output that can be written"),
    };
    hinted(format!("{}: cannot be written: {reason}", path.display()), cure)
}
