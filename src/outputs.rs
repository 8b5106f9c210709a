//! Whether a run may write its outputs: the one check of every verb, before any long work.
//!
//! An output is none of the run's inputs and no part of a model that it reads, no two outputs are one file, and a file that is
//! there is replaced only where it is of the kind that is written, or with `--force`. Paths count by the file they lead to. Outputs are
//! locked until the run ends; what killed runs left of them is removed.

mod kind;
mod lock;
mod place;
mod scratch;

use std::path::{Path, PathBuf};

use redline::model::files::{folder_of, is_stream, remove_leftovers, remove_leftovers_in, resolved};

use crate::session::{cannot_write, hinted};
pub use kind::Kind;
use lock::{Lock, NoLock};
use place::{Identity, identity, is_within};
pub use scratch::Scratch;

/// Names in a model's or an adapter's folder that are read, whether or not they are there.
const MODEL_FILES: [&str; 14] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "model.safetensors",
    "model.safetensors.index.json",
    "adapter_config.json",
    "adapter_model.safetensors",
];

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

    /// `STEM.png` and `STEM.svg`.
    pub fn pictures(stem: &Path) -> [Self; 2] {
        [".png", ".svg"].map(|ending| {
            let mut name = stem.as_os_str().to_owned();
            name.push(ending);
            Self::file(name, Kind::Picture)
        })
    }
}

/// Outputs that are this run's until it is dropped.
#[derive(Debug, Default)]
pub struct Claim {
    locks: Vec<Lock>,
    /// Folders that were made for the outputs, the deepest last.
    made: Vec<PathBuf>,
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
    let mut claim = Claim::default();
    for output in &run.writes {
        claim.take(output)?;
    }
    Ok(claim)
}

/// A file or folder that would be written, of any output.
struct Target {
    path: PathBuf,
    kind: Kind,
    /// Whether the folder around it shows that it is of an earlier run.
    is_known: bool,
}

fn targets(output: &Output) -> Vec<Target> {
    match &output.form {
        Form::Stem => Vec::new(),
        Form::File(kind) | Form::FileInFolder(kind) | Form::Log(kind) => {
            vec![Target { path: output.path.clone(), kind: *kind, is_known: false }]
        }
        Form::Folder(named) => {
            let is_known = is_run_folder(&output.path, named);
            let target = |named: &Named| Target { path: output.path.join(&named.name), kind: named.kind, is_known };
            named.iter().map(target).collect()
        }
    }
}

/// Whether a mark is there, and of the right kind.
fn is_run_folder(folder: &Path, named: &[Named]) -> bool {
    let mut marks = named.iter().filter(|named| named.is_mark);
    marks.any(|mark| mark.kind.is(&folder.join(&mark.name)))
}

/// Refuses what cannot be a file, or a folder.
fn check_form(output: &Output) -> anyhow::Result<()> {
    let path = &output.path;
    let text = path.to_string_lossy();
    if text.is_empty() {
        return Err(hinted("an output has an empty name", "name a file or a folder"));
    }
    if text == "-" {
        return Err(hinted("-: this is written to a file only", "name a file; ./- is one called -"));
    }
    let ends_open = text.ends_with(std::path::is_separator) || path.file_name().is_none() || text.ends_with("/.");
    match &output.form {
        Form::Folder(_) => check_folder(path),
        Form::Stem => {
            check_has_name(path, ends_open)?;
            check_parent(path)
        }
        Form::FileInFolder(_) => check_has_name(path, ends_open),
        Form::File(_) | Form::Log(_) => {
            check_has_name(path, ends_open)?;
            check_parent(path)?;
            check_stream(output)
        }
    }
}

fn check_has_name(path: &Path, ends_open: bool) -> anyhow::Result<()> {
    if path.is_dir() {
        return Err(cannot_write(path, &std::io::ErrorKind::IsADirectory.into()));
    }
    match ends_open {
        true => {
            Err(hinted(format!("{}: it names a folder, where a file is written", path.display()), "add a file's name"))
        }
        false => Ok(()),
    }
}

fn check_parent(path: &Path) -> anyhow::Result<()> {
    let goal = resolved(path).map_err(|error| cannot_write(path, &error))?;
    match std::fs::metadata(folder_of(&goal)) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(cannot_write(path, &std::io::ErrorKind::NotADirectory.into())),
        Err(error) => Err(cannot_write(path, &error)),
    }
}

/// Streams take what is written in one go; block devices take nothing.
fn check_stream(output: &Output) -> anyhow::Result<()> {
    let path = &output.path;
    let is_log = matches!(output.form, Form::Log(_));
    let is_block_device = std::fs::metadata(path).is_ok_and(|found| is_block_device(&found));
    match is_stream(path) && (is_log || is_block_device) {
        true => Err(hinted(
            format!("{}: it is no file, and what is written there is read again", path.display()),
            "name a file",
        )),
        false => Ok(()),
    }
}

#[cfg(unix)]
fn is_block_device(found: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&found.file_type())
}

#[cfg(not(unix))]
fn is_block_device(_found: &std::fs::Metadata) -> bool {
    false
}

fn check_folder(path: &Path) -> anyhow::Result<()> {
    if path.canonicalize().is_ok_and(|whole| whole.parent().is_none()) {
        let message = format!("{}: it is the root of the file system", path.display());
        return Err(hinted(message, "name a folder of its own"));
    }
    let place = std::path::absolute(path).map_err(|error| cannot_write(path, &error))?;
    let there = place.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match there.is_dir() {
        true => Ok(()),
        false => Err(cannot_write(path, &std::io::ErrorKind::NotADirectory.into())),
    }
}

/// Refuses two outputs of one file.
fn check_distinct(targets: &[Target]) -> anyhow::Result<()> {
    let files = targets.iter().filter(|target| !is_stream(&target.path));
    let mut seen: Vec<Identity> = Vec::new();
    for target in files {
        let Some(identity) = identity(&target.path) else { continue };
        if seen.contains(&identity) {
            let message = format!("{}: two outputs have this name", target.path.display());
            return Err(hinted(message, "name a file for each"));
        }
        seen.push(identity);
    }
    Ok(())
}

/// Refuses to replace what the run reads; `--force` changes nothing about that.
fn check_inputs(target: &Target, reads: &[PathBuf]) -> anyhow::Result<()> {
    let Some(place) = identity(&target.path) else { return Ok(()) };
    let refused = |input: &Path, what: &str| {
        let message = match target.path == input {
            true => format!("{}: it is read by this run, and would be replaced", input.display()),
            false => format!("{}: {what} {}, which is read by this run", target.path.display(), input.display()),
        };
        Err(hinted(message, "name another output"))
    };
    for input in reads.iter().filter(|input| !is_stream(input)) {
        if identity(input) == Some(place.clone()) {
            return refused(input, "it would replace");
        }
        // a folder that is replaced in whole, such as model/ of a training run
        if is_within(input, &target.path) {
            return refused(input, "it would replace a folder that holds");
        }
        if is_within(&target.path, input) && is_part_of_model(target, input) {
            return refused(input, "it is part of");
        }
    }
    Ok(())
}

/// Whether a file in a folder that is read belongs to what is read there.
fn is_part_of_model(target: &Target, folder: &Path) -> bool {
    let is_direct = identity(folder_of(&target.path)) == identity(folder);
    let name = target.path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_named = is_direct && MODEL_FILES.contains(&name.as_str());
    is_named || (target.path.exists() && !target.is_known && !target.kind.is(&target.path))
}

/// Refuses to replace a file of another kind, unless it is asked for.
fn check_kind(target: &Target, force: bool) -> anyhow::Result<()> {
    let path = &target.path;
    if !path.exists() || is_stream(path) || target.is_known || target.kind.is(path) {
        return Ok(());
    }
    if force && !path.is_dir() {
        eprintln!("note: {} is replaced, as --force says", path.display());
        return Ok(());
    }
    let message = match target.kind {
        Kind::Unmarked => format!("{} is there already", path.display()),
        kind => format!("{} is there and is no {}", path.display(), kind.noun()),
    };
    match path.is_dir() {
        true => Err(hinted(message, "name another folder, or move this one away")),
        false => Err(hinted(message, "name another output, or give --force to replace it")),
    }
}

impl Claim {
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

fn is_held(path: &Path, holder: &str) -> anyhow::Error {
    hinted(
        format!("{}: another run is writing there ({holder})", path.display()),
        "wait until it ends, or name another output",
    )
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
