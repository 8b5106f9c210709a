//! The rules: what an output may be, and what it must not be.

use std::path::{Path, PathBuf};

use redline::model::files::{TEMPORARY_MARK, folder_of, is_stream, resolved};

use super::place::{Identity, identity, is_within};
use super::{Form, Kind, Named, Output, lock};
use crate::failure::hinted;
use crate::outputs::cannot_write;

/// Names in a model's or an adapter's folder that are read, whether or not they are there.
const MODEL_FILES: [&str; 16] = [
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
    "chat_template.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "adapter_config.json",
    "adapter_model.safetensors",
    "redline_base.json",
];

/// Files of the folders of runs, by the file that marks such a folder: other verbs write files of the same names and kinds, but not these.
const RUNS: [(&str, Kind, &[&str], &[&str]); 2] = [
    (
        "settings.json",
        Kind::Json("redline.settings.v1"),
        &["settings.json", "index.html", "summary.json"],
        &redline::lab::reproduce::FILES,
    ),
    (
        "train.jsonl",
        Kind::TrainLog,
        &["train.jsonl", "outputs.jsonl", "settings.json", "summary.json", "index.html"],
        &[],
    ),
];

/// A file or folder that would be written, of any output.
pub struct Target {
    pub path: PathBuf,
    pub kind: Kind,
    /// Whether the folder around it shows that it is of an earlier run.
    is_known: bool,
}

pub fn targets(output: &Output) -> Vec<Target> {
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
pub fn check_form(output: &Output) -> anyhow::Result<()> {
    let path = &output.path;
    let text = path.to_string_lossy();
    if text.is_empty() {
        return Err(hinted("an output has an empty name", "name a file or a folder"));
    }
    if text == "-" {
        return Err(hinted("-: this is written to a file only", "name a file; ./- is one called -"));
    }
    // outputs of these names would be removed as what runs leave
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') && (name.ends_with(lock::ENDING) || name.contains(TEMPORARY_MARK)) {
        let message = format!("{}: it is a name of the files that runs make beside their outputs", path.display());
        return Err(hinted(message, "name another output"));
    }
    let ends_open = text.ends_with(std::path::is_separator) || path.file_name().is_none() || text.ends_with("/.");
    match &output.form {
        Form::Folder(_) => check_folder(path),
        Form::Stem => {
            check_has_name(path, ends_open)?;
            check_parent(path)
        }
        Form::FileInFolder(_) => {
            check_has_name(path, ends_open)?;
            check_ending(path)
        }
        Form::File(_) | Form::Log(_) => {
            check_has_name(path, ends_open)?;
            check_ending(path)?;
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

/// Endings of compressed files, none of which is written.
const COMPRESSED: [&str; 7] = ["gz", "bgz", "bz2", "xz", "zst", "lz4", "zip"];

/// Refuses a name that says something else than what would be in the file.
fn check_ending(path: &Path) -> anyhow::Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match COMPRESSED.contains(&ending.as_str()) && !is_stream(path) {
        true => Err(hinted(
            format!("{}: what is written is not compressed, and the name says that it is", path.display()),
            format!("leave .{ending} out, and compress the file afterwards; data files are read as gzip too"),
        )),
        false => Ok(()),
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
pub fn check_distinct(targets: &[Target]) -> anyhow::Result<()> {
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
pub fn check_inputs(target: &Target, reads: &[PathBuf]) -> anyhow::Result<()> {
    let Some(place) = identity(&target.path) else { return Ok(()) };
    let refused = |input: &Path, what: &str| {
        let message = match target.path == input {
            true => format!("{}: it is read by this run, and would be replaced", input.display()),
            false => format!("{}: {what} {}, which is read by this run", target.path.display(), input.display()),
        };
        Err(hinted(message, "name another output"))
    };
    // what a descriptor stands for may be a file, as in `- < rows.jsonl`; pipes and devices hold nothing that could be replaced
    let is_special = |path: &Path| std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    for input in reads.iter().filter(|input| !is_special(input)) {
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
    // of a folder without configuration the only GGUF file is read
    let is_second = name.ends_with(".gguf") && !folder.join("config.json").exists();
    let is_named = is_direct && (is_second || MODEL_FILES.contains(&name.as_str()));
    is_named || (target.path.exists() && !target.is_known && !target.kind.is(&target.path))
}

/// Whether a file is one of those of a run folder.
fn is_of_run(path: &Path) -> bool {
    let Ok(path) = resolved(path) else { return false };
    let name = path.file_name().unwrap_or_default();
    RUNS.iter().any(|(mark, kind, names, more)| {
        names.iter().chain(*more).any(|known| name == *known) && kind.is(&folder_of(&path).join(mark))
    })
}

/// Whether a file of another kind is there, which only `--force` lets a run replace.
pub fn is_other(target: &Target) -> bool {
    let path = &target.path;
    let is_there = path.exists() && !is_stream(path) && !path.is_dir() && !target.is_known;
    is_there && (!target.kind.is(path) || is_of_run(path))
}

/// Refuses to replace a file of another kind, unless it is asked for.
pub fn check_kind(target: &Target, force: bool) -> anyhow::Result<()> {
    let path = &target.path;
    if !path.exists() || is_stream(path) || target.is_known {
        return Ok(());
    }
    let is_of_run = is_of_run(path);
    if target.kind.is(path) && !is_of_run {
        return Ok(());
    }
    // that it was replaced is said when it was
    if force && !path.is_dir() {
        return Ok(());
    }
    let message = match target.kind {
        _ if is_of_run => format!("{} is there and is part of the run in its folder", path.display()),
        Kind::Unmarked => format!("{} is there already", path.display()),
        kind => format!("{} is there and is no {}", path.display(), kind.noun()),
    };
    match path.is_dir() {
        true => Err(hinted(message, "name another folder, or move this one away")),
        false => Err(hinted(message, "name another output, or give --force to replace it")),
    }
}
