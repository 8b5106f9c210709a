//! Verbs of this program as processes of their own.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use redline::lab::Error;
use redline::lab::iterate::{Gauge, Launched, Launcher, Step, Work, quoted};
use redline::model::Error as ModelError;
use redline::model::files::{for_each_part, open_to_append, read_if_there};

use crate::interrupt;
use crate::outputs::IS_HELD;
use crate::progress::Progress;
use crate::watched::WATCHED;

/// How often a child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often its progress is, which reads a file.
const LOOKS_A_GAUGE: u32 = 10;
/// How long an output may be held by what a killed run left.
const MOST_PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of a log that are read for its last lines.
const MOST_LOG: u64 = 64 << 20;
/// Most bytes that a child may print.
const MOST_OUTPUT: u64 = 64 << 20;

/// Runs each verb by this same program.
pub struct Child;

impl Launcher for Child {
    fn launch(&mut self, step: &Step, arguments: &[String], log: &Path) -> Result<Launched, Error> {
        let patience = Instant::now();
        loop {
            let launched = once(step, arguments, log)?;
            // the folder is this run's: who holds an output is what a killed run left behind, and about to end
            let is_held = !launched.is_success && launched.error.contains(IS_HELD);
            if !is_held || patience.elapsed() > MOST_PATIENCE {
                return Ok(launched);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn once(step: &Step, arguments: &[String], log: &Path) -> Result<Launched, Error> {
    let io = |error| ModelError::io(log, error);
    let mut errors = open_log(log)?;
    let before = errors.metadata().map_err(io)?.len();
    errors.write_all(format!("$ redline {}\n", quoted(arguments)).as_bytes()).map_err(io)?;
    let mut child = Command::new(std::env::current_exe().map_err(io)?)
        .args(arguments)
        .arg("--json")
        .env(WATCHED, "1")
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .map_err(io)?;
    // held open: the child ends with this process, however that ends
    let leash = child.stdin.take();
    let reader = child.stdout.take().map(|pipe| std::thread::spawn(move || all_of(pipe)));
    let status = watch(&mut child, leash, step).map_err(io)?;
    interrupt::check()?;
    let stdout = reader.and_then(|reader| reader.join().ok()).unwrap_or_default();
    let (error, hint) = last_words(log, before)?;
    Ok(Launched { is_success: status.success(), stdout, error, hint })
}

/// Opens a log, which what a killed run left may still write to.
fn open_log(log: &Path) -> Result<File, Error> {
    let patience = Instant::now();
    loop {
        match open_to_append(log) {
            Err(ModelError::Held { .. }) if patience.elapsed() < MOST_PATIENCE => interrupt::check()?,
            opened => return Ok(opened?),
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits for the end of a child and shows how far it is; an interrupt lets go of it.
fn watch(child: &mut Process, mut leash: Option<ChildStdin>, step: &Step) -> std::io::Result<ExitStatus> {
    let mut meter = Meter::new(step);
    let mut looks = 0_u32;
    loop {
        if let Some(status) = child.try_wait()? {
            drop(leash);
            meter.finish();
            return Ok(status);
        }
        if interrupt::check().is_err() {
            leash = None;
        }
        if looks.is_multiple_of(LOOKS_A_GAUGE) {
            meter.look();
        }
        looks = looks.wrapping_add(1);
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What a child prints; what cannot be read is missing from a copy that nobody needs.
fn all_of(pipe: ChildStdout) -> Vec<u8> {
    let mut text = Vec::new();
    let _ = pipe.take(MOST_OUTPUT).read_to_end(&mut text);
    text
}

/// The error and the hint at the end of a log, as far as it was written by this child.
fn last_words(log: &Path, before: u64) -> Result<(String, String), Error> {
    let bytes = read_if_there(log, MOST_LOG)?.unwrap_or_default();
    let own = bytes.get(before as usize..).unwrap_or_default();
    let text = String::from_utf8_lossy(own).into_owned();
    let last = |mark: &str| text.lines().rev().find_map(|line| line.strip_prefix(mark)).map(str::to_owned);
    let error = last("error: ").unwrap_or_else(|| "ended without saying why".into());
    Ok((error, last("hint: ").unwrap_or_else(|| "the same command tries again".into())))
}

/// Progress of a step, by a file that grows.
struct Meter {
    gauge: Option<(Gauge, usize)>,
    progress: Option<Progress>,
    name: String,
}

impl Meter {
    fn new(step: &Step) -> Self {
        let gauge = match &step.work {
            Work::Verb { gauge: Some(gauge), .. } => {
                gauge.total(|path| Some(n_lines(path))).map(|total| (gauge.clone(), total))
            }
            _ => None,
        };
        Self { gauge, progress: None, name: step.name.clone() }
    }

    fn look(&mut self) {
        let Some((gauge, total)) = &self.gauge else { return };
        let done = n_lines(&gauge.file).min(*total);
        let progress = self.progress.get_or_insert_with(|| Progress::from(&self.name, done, *total));
        // an interrupt is looked for elsewhere
        let _ = progress.set(done, *total);
    }

    fn finish(self) {
        if let Some(progress) = self.progress {
            progress.finish();
        }
    }
}

/// Line breaks in a file; none in one that cannot be read yet.
fn n_lines(path: &Path) -> usize {
    let mut n = 0;
    if path.is_file() {
        let _ = for_each_part(path, |part| n += part.iter().filter(|byte| **byte == b'\n').count());
    }
    n
}
