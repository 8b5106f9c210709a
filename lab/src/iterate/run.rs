//! Doing the steps that are not done.

use std::path::{Path, PathBuf};

use redline_model::Error as ModelError;
use redline_model::files::{MOST_TEXT, for_each_part, read_if_there, write_atomically};
use redline_steer::sweep_log::first_difference;
use serde_json::{Value, json};

use super::error::IterateError;
use super::files::{hash_path, make_folder_of, write_json};
use super::options::{IterateKind, IterateOptions, SETTINGS};
use super::places::Places;
use super::plan::{Done, Plan, Step, Work};
use super::stamp::{Stamps, State};
use super::summary;
use crate::error::{Error, Result};
use crate::observer::Observer;

/// How a verb ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// Whether it succeeded.
    pub is_success: bool,
    /// What it wrote on standard output.
    pub stdout: Vec<u8>,
    /// What went wrong, as it said itself.
    pub error: String,
    /// What it advised.
    pub hint: String,
}

/// Runs verbs of the program.
pub trait Launcher {
    /// Runs the verb of a step to its end. What it says on standard error belongs into `log`.
    ///
    /// # Errors
    /// It cannot be started, or the user interrupted.
    fn launch(&mut self, step: &Step, arguments: &[String], log: &Path) -> Result<Launched>;
}

/// A run in its folder.
pub struct Run<'a> {
    options: &'a IterateOptions,
    places: Places,
    plan: Plan,
    stamps: Stamps,
}

impl<'a> Run<'a> {
    /// Begins a folder, or continues one of the same settings.
    ///
    /// # Errors
    /// As [`IterateOptions::check`]; a folder of other settings; files that cannot be read.
    pub fn open(options: &'a IterateOptions, observer: &mut dyn Observer) -> Result<Self> {
        options.check()?;
        let stamps = Stamps::open(&options.out)?;
        let path = options.out.join(SETTINGS);
        let settings = settings(options)?;
        match read_if_there(&path, MOST_TEXT)? {
            // where no step is done, nothing belongs to the settings that are there
            Some(bytes) if !stamps.is_empty() => {
                let malformed =
                    |error: serde_json::Error| IterateError::Malformed { path: path.clone(), rule: error.to_string() };
                let found: Value = serde_json::from_slice(&bytes).map_err(malformed)?;
                if found != settings {
                    let difference = first_difference(&found, &settings);
                    return Err(redline_steer::Error::OtherSettings { path, difference }.into());
                }
                observer.note(&format!("{}: continuing", options.out.display()));
            }
            _ => write_json(&path, &settings)?,
        }
        Ok(Self { options, places: Places::new(&options.out), plan: Plan::new(options), stamps })
    }

    /// Does all steps that are not done. Where a later round has nothing to learn from, the run ends, and its summary is of the rounds before.
    ///
    /// # Errors
    /// [`IterateError::Changed`], [`IterateError::Step`], what a function of a step or the observer returns.
    pub fn all(&mut self, launcher: &mut dyn Launcher, observer: &mut dyn Observer) -> Result<()> {
        let steps = self.plan.steps.clone();
        for (place, step) in steps.iter().enumerate() {
            match self.stamps.state(step)? {
                State::Done => continue,
                State::Changed(path) => {
                    return Err(IterateError::Changed { step: step.name.clone(), path }.into());
                }
                State::Open => {}
            }
            observer.note(&format!("step {} of {}: {}", place + 1, steps.len(), step.name));
            let done = self.one(step, launcher, observer);
            match (self.rounds_before(step), &done) {
                (n_rounds @ 1.., Err(Error::Iterate(nothing))) if matches!(**nothing, IterateError::NoRows { .. }) => {
                    observer.note(&format!("{nothing}; the run ends with round {n_rounds}"));
                    return summary::write(self.options, &self.places, n_rounds, Some(&nothing.to_string()));
                }
                _ => done?,
            }
        }
        Ok(())
    }

    /// Rounds that were finished before the one of a step; 0 where there are no rounds.
    fn rounds_before(&self, step: &Step) -> usize {
        let round = step.name.strip_prefix("round-").and_then(|name| name.split('/').next()?.parse::<usize>().ok());
        match self.options.kind {
            IterateKind::WeakToStrong => 0,
            _ => round.map_or(0, |round| round.saturating_sub(1)),
        }
    }

    /// Does the step of this name.
    ///
    /// # Errors
    /// [`IterateError::UnknownStep`], [`IterateError::TooEarly`], and as [`Run::all`].
    pub fn named(&mut self, name: &str, launcher: &mut dyn Launcher, observer: &mut dyn Observer) -> Result<()> {
        let Some(step) = self.plan.steps.iter().find(|step| step.name == name).cloned() else {
            let known = self.plan.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(IterateError::UnknownStep { name: name.into(), known }.into());
        };
        if let Some(path) = step.inputs.iter().find(|path| !path.exists()) {
            return Err(IterateError::TooEarly { step: step.name, path: path.clone() }.into());
        }
        self.one(&step, launcher, observer)
    }

    fn one(&mut self, step: &Step, launcher: &mut dyn Launcher, observer: &mut dyn Observer) -> Result<()> {
        match &step.work {
            Work::Lab(work) => work.run(&step.name, self.options, &self.places, observer)?,
            Work::Verb { arguments, done, .. } => self.verb(step, arguments, done, launcher)?,
        }
        if let Some(path) = step.outputs.iter().find(|path| !path.exists()) {
            return Err(IterateError::Changed { step: step.name.clone(), path: path.clone() }.into());
        }
        self.stamps.add(step)
    }

    fn verb(&self, step: &Step, arguments: &[String], done: &Done, launcher: &mut dyn Launcher) -> Result<()> {
        let beside = |ending: &str| self.places.of(&format!("logs/{}.{ending}", step.name.replace('/', "-")));
        let log = beside("log");
        make_folder_of(&log)?;
        step.outputs.iter().try_for_each(|path| make_folder_of(path))?;
        let launched = launcher.launch(step, arguments, &log)?;
        if !launched.stdout.is_empty() {
            write_atomically(&beside("out"), &launched.stdout)?;
        }
        let is_done = launched.is_success
            || match done {
                Done::Success => false,
                Done::Rows { read, written } => written.exists() && n_lines(read)? == n_lines(written)?,
            };
        match is_done {
            true => Ok(()),
            false => {
                let hint = format!("{}; all of it: {}", launched.hint, log.display());
                Err(IterateError::Step { step: step.name.clone(), reason: launched.error, hint }.into())
            }
        }
    }
}

/// What another run in the folder must equal.
fn settings(options: &IterateOptions) -> Result<Value> {
    let malformed =
        |error: serde_json::Error| IterateError::Malformed { path: PathBuf::from(SETTINGS), rule: error.to_string() };
    let mut settings = serde_json::to_value(options).map_err(malformed)?;
    let mut hashes = serde_json::Map::new();
    for (what, path) in options.files() {
        hashes.insert(format!("{what} {}", path.display()), json!(hash_path(path)?));
    }
    settings["schema"] = json!("redline.iterate-settings.v1");
    settings["hashes"] = Value::Object(hashes);
    // numbers as they are read back
    let text = serde_json::to_string(&settings).map_err(malformed)?;
    Ok(serde_json::from_str(&text).map_err(malformed)?)
}

/// Line breaks in a file.
fn n_lines(path: &Path) -> std::result::Result<usize, ModelError> {
    let mut n = 0;
    for_each_part(path, |part| n += part.iter().filter(|byte| **byte == b'\n').count())?;
    Ok(n)
}
