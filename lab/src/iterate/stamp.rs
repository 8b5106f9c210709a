//! What says that a step is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redline_model::files::{MOST_TEXT, read_if_there};
use serde::{Deserialize, Serialize};

use super::files::{hash_path, write_lines};
use super::plan::{Step, Work};
use crate::error::Result;

/// The file of all stamps.
const STEPS: &str = "steps.jsonl";
/// Stands for the run's folder, so that it can be moved.
const OUT: &str = "$OUT";

/// A step that is done: what it was asked, and hashes of what it read and wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The step.
    pub step: String,
    /// The arguments of its verb; of a function of this crate its name.
    pub arguments: Vec<String>,
    /// SHA-256 of what it read, by path.
    pub inputs: BTreeMap<String, String>,
    /// SHA-256 of what it wrote.
    pub outputs: BTreeMap<String, String>,
}

/// All stamps of a folder.
pub(super) struct Stamps {
    out: PathBuf,
    all: Vec<Stamp>,
    /// Hashes of files, which are read once.
    hashes: BTreeMap<PathBuf, String>,
}

impl Stamps {
    /// Those of a folder; a line that is none is of a stamp that was not finished.
    pub fn open(out: &Path) -> Result<Self> {
        let bytes = read_if_there(&out.join(STEPS), MOST_TEXT)?.unwrap_or_default();
        let all = String::from_utf8_lossy(&bytes).lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { out: out.into(), all, hashes: BTreeMap::new() })
    }

    /// Whether no step is done.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a step is done; what of it was changed since is an error of the caller's making.
    pub fn state(&mut self, step: &Step) -> Result<State> {
        let Some(found) = self.all.iter().find(|stamp| stamp.step == step.name).cloned() else {
            return Ok(State::Open);
        };
        for path in step.inputs.iter().chain(&step.outputs) {
            let key = self.name(path);
            let known = found.inputs.get(&key).or_else(|| found.outputs.get(&key));
            if !path.exists() || known != Some(&self.hash(path)?) {
                return Ok(State::Changed(path.clone()));
            }
        }
        match found.arguments == self.arguments(step) {
            true => Ok(State::Done),
            false => Ok(State::Open),
        }
    }

    /// Says that a step is done.
    pub fn add(&mut self, step: &Step) -> Result<()> {
        for path in &step.outputs {
            self.hashes.remove(path);
        }
        let mut of = |paths: &[PathBuf]| -> Result<BTreeMap<String, String>> {
            paths.iter().map(|path| Ok((self.name(path), self.hash(path)?))).collect()
        };
        let (inputs, outputs) = (of(&step.inputs)?, of(&step.outputs)?);
        let stamp = Stamp { step: step.name.clone(), arguments: self.arguments(step), inputs, outputs };
        self.all.retain(|other| other.step != stamp.step);
        self.all.push(stamp);
        write_lines(&self.out.join(STEPS), &self.all)
    }

    fn hash(&mut self, path: &Path) -> Result<String> {
        if let Some(known) = self.hashes.get(path) {
            return Ok(known.clone());
        }
        let hash = hash_path(path)?;
        self.hashes.insert(path.into(), hash.clone());
        Ok(hash)
    }

    fn name(&self, path: &Path) -> String {
        match path.strip_prefix(&self.out) {
            Ok(inside) => format!("{OUT}/{}", inside.display()),
            Err(_) => path.display().to_string(),
        }
    }

    fn arguments(&self, step: &Step) -> Vec<String> {
        let short = |argument: &String| self.name(Path::new(argument));
        match &step.work {
            Work::Verb { arguments, .. } => arguments.iter().map(short).collect(),
            Work::Lab(work) => vec![work.name().to_owned()],
        }
    }
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It is to be done.
    Open,
    /// It is done, and all of it is as it was.
    Done,
    /// It is done, and this file is another one now.
    Changed(PathBuf),
}
