//! Which files a command reads and writes, told from its options: what the check of outputs starts from.

use std::any::TypeId;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Args};
use redline::embedded;
use redline::hub::HubName;
use redline::model::files::open;
use redline::profile::{Profile, find};

use super::command;
use super::systems::split_list;
use crate::failure::hinted;
use crate::models::model_folders;

/// Options that name what is written: verb and name. Every other option that takes a path names what is read.
pub const OUTPUTS: [(&str, &str); 35] = [
    ("reproduce", "out"),
    ("scan", "out"),
    ("scan", "report"),
    ("layers", "out"),
    ("compare", "out"),
    ("extract", "out"),
    ("extract", "gguf"),
    ("extract", "activations"),
    ("merge", "out"),
    ("sweep", "out"),
    ("sweep", "report"),
    ("fit", "plot"),
    ("tune", "out"),
    ("tune", "save"),
    ("plot", "out"),
    ("correct", "out"),
    ("train", "out"),
    ("train", "gguf"),
    ("ablate-warmup", "out"),
    ("iterate", "out"),
    ("ablate-warmup", "gguf"),
    ("evaluate", "out"),
    ("evaluate", "judgements"),
    ("evaluate", "score_shift"),
    ("check", "domain_out"),
    ("feedback", "out"),
    ("gate", "out"),
    ("route", "out"),
    ("data", "out"),
    ("data", "held_out"),
    ("data", "figure"),
    ("data", "binarise"),
    ("data", "triples"),
    ("data", "removed"),
    ("man", "out"),
];

/// What `-` stands for, where the system has a name for it.
const STDIN: &str = "/dev/stdin";

/// Words in the name of a value that stands for a path, or holds one.
const PATH_WORDS: [&str; 6] = ["FILE", "PATH", "DIR", "STEM", "MODEL", "JUDGE"];

/// Longest first line of a sweep that is looked at.
const MOST_HEADER: u64 = 1 << 20;

/// Of every verb that writes files.
#[derive(Args, Clone, Copy, Default)]
pub struct ForceArgs {
    /// Replace existing files whatever they hold; files that this run reads are never replaced
    #[arg(long)]
    pub force: bool,
}

/// Whether an option of a verb names what is written.
pub fn is_output(verb: &str, argument: &Arg) -> bool {
    OUTPUTS.contains(&(verb, argument.get_id().as_str()))
}

/// Whether the value of an option is a path, or holds one.
pub fn takes_path(argument: &Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    let is_named = names.iter().any(|name| PATH_WORDS.iter().any(|word| name.contains(word)));
    let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    argument.get_action().takes_values() && (is_path || is_named)
}

/// Everything that is read as far as options name it, profiles and sweeps with their vectors.
pub fn reads(matches: &ArgMatches) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (argument, value) in read_values(matches) {
        let holds_profile = matches!(argument.as_str(), "profile" | "aligner");
        candidates(&value).iter().for_each(|name| add(&mut found, name, holds_profile));
    }
    found
}

/// Options that name what is read, each with its values.
fn read_values(matches: &ArgMatches) -> Vec<(String, String)> {
    let (mut command, mut matches) = (command(), matches);
    // after this the arguments that all verbs have are known to each
    command.build();
    let (mut here, mut verb) = (&command, "");
    while let Some((name, below)) = matches.subcommand() {
        let Some(found) = here.find_subcommand(name) else { break };
        // `data` stands for all verbs under it
        verb = if verb.is_empty() { found.get_name() } else { verb };
        (here, matches) = (found, below);
    }
    let mut found = Vec::new();
    for argument in here.get_arguments().filter(|argument| takes_path(argument) && !is_output(verb, argument)) {
        let values = matches.get_raw(argument.get_id().as_str()).into_iter().flatten();
        found.extend(values.filter_map(|value| Some((argument.get_id().to_string(), value.to_str()?.to_owned()))));
    }
    found
}

/// Options that name a model or an adapter, for which `owner/name` is enough.
const MODELS: [&str; 9] =
    ["model", "adapter", "path", "policy", "weak", "reference", "writer", "upstream", "upstream_model"];

/// A value of the command line that is a name on the hub and no file here.
pub struct HubValue {
    pub text: String,
    pub name: HubName,
    /// How many options that read have it.
    pub n_read: usize,
}

/// Values of the command line that are names on the hub and no files here, each once.
///
/// # Errors
/// A name that begins with `hf://` and breaks a rule.
pub fn hub_values(arguments: &[OsString]) -> anyhow::Result<Vec<HubValue>> {
    let mut found: Vec<HubValue> = Vec::new();
    // nearly always nothing has the form of a name
    let may_be_name =
        |argument: &OsString| argument.to_str().is_some_and(|text| text.contains('/') && !Path::new(text).exists());
    if !arguments.iter().any(may_be_name) {
        return Ok(found);
    }
    let Ok(matches) = command().try_get_matches_from(arguments) else { return Ok(found) };
    let values = read_values(&matches);
    for (argument, value) in &values {
        let is_here =
            Path::new(value).exists() || value.split_once(':').is_some_and(|(file, _)| Path::new(file).exists());
        if is_here || found.iter().any(|known| known.text == *value) {
            continue;
        }
        let name =
            HubName::parse(value).map_err(|error| hinted(error.to_string(), error.hint().unwrap_or_default()))?;
        let is_enough =
            |name: &HubName| value.starts_with("hf://") || name.file.is_some() || MODELS.contains(&argument.as_str());
        let n_read = values.iter().filter(|(_, other)| other == value).count();
        found.extend(name.filter(is_enough).map(|name| HubValue { text: value.clone(), name, n_read }));
    }
    Ok(found)
}

/// What a value may name: itself, and of `NAME=FILE`, `FILE:NUMBER`, `NAME=FILE@LAYERS:FILE` and `MODEL,KEY=VALUE` the parts.
fn candidates(value: &str) -> Vec<String> {
    let mut found = vec![value.to_owned()];
    if let Some((path, end)) = value.rsplit_once(':') {
        found.extend([path.to_owned(), end.to_owned()]);
    }
    let quoted = if value.contains('"') { split_list(value) } else { Vec::new() };
    let parts = found.iter().flat_map(|value| value.split(',')).map(str::to_owned).chain(quoted);
    for part in parts.collect::<Vec<_>>() {
        found.extend(part.split_once('=').map(|(_, path)| path.to_owned()));
        found.push(part);
    }
    // lat=VECTOR@LAYERS
    let before = found.iter().filter_map(|value| value.rsplit_once('@')).map(|(path, _)| path.to_owned());
    let before: Vec<String> = before.collect();
    found.extend(before);
    found.sort_unstable();
    found.dedup();
    found
}

/// Adds what `name` stands for, and the vector that a profile or a sweep names in turn.
fn add(found: &mut Vec<PathBuf>, name: &str, is_profile: bool) {
    // the standard input may be a file, as in `- < rows.jsonl`
    let path = PathBuf::from(if name == "-" { STDIN } else { name });
    // pipes are read once, by the verb
    if path.is_file() {
        found.extend(vector_of_profile(&path));
        found.extend(vector_of_sweep(&path));
    }
    if path.exists() {
        found.push(path);
    } else if name == embedded::SMOLLM2 {
        found.extend(model_folders().into_iter().map(|folder| folder.join(embedded::SMOLLM2_BASE)));
    } else if let Some(profile) = find(name).ok().filter(|_| is_profile) {
        found.extend(vector_of_profile(&profile));
        found.push(profile);
    }
}

fn vector_of_profile(path: &Path) -> Option<PathBuf> {
    Some(Profile::load(path).ok()?.vector_path(path))
}

fn vector_of_sweep(path: &Path) -> Option<PathBuf> {
    let mut line = Vec::new();
    let file = open(path).ok()?;
    BufReader::new(file.take(MOST_HEADER)).read_until(b'\n', &mut line).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&line).ok()?;
    header["settings"]["vector"].as_str().map(PathBuf::from)
}
