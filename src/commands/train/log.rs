//! The log of a run: JSON Lines, cut at the step it goes on from.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use redline::experiment::{EvaluationRecord, StepRecord, TrainingRecord as Record};
use redline::model::Error as ModelError;
use redline::model::files::{as_text, open_to_append, read_if_there, write_atomically};

/// Name of the log in a run's folder.
pub const LOG: &str = "train.jsonl";
/// Most bytes of a log; a million steps have 200 MB.
pub const MOST_LOG: u64 = 1 << 30;

/// The log, open at its end.
pub struct Log {
    path: PathBuf,
    file: File,
    pub steps: Vec<StepRecord>,
    pub evaluations: Vec<EvaluationRecord>,
}

impl Log {
    /// Opens a log to go on after `step` steps, with evaluations up to `evaluated_at`: later lines belong to steps that are done
    /// again.
    pub fn open(path: &Path, step: usize, evaluated_at: usize) -> redline::model::Result<Self> {
        let text = as_text(path, read_if_there(path, MOST_LOG)?.unwrap_or_default())?;
        // a line that was cut off when the run was killed is no line
        let records = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let kept: Vec<Record> = records
            .filter(|record| match record {
                Record::Step(record) => record.step < step,
                // one before the first step is made again with it
                Record::Evaluation(record) => step > 0 && record.step <= evaluated_at,
            })
            .collect();
        let mut lines = String::new();
        for record in &kept {
            lines += &line(path, record)?;
        }
        write_atomically(path, lines.as_bytes())?;
        let file = open_to_append(path)?;
        let mut log = Self { path: path.into(), file, steps: Vec::new(), evaluations: Vec::new() };
        kept.into_iter().for_each(|record| log.remember(record));
        Ok(log)
    }

    /// Adds a line.
    pub fn write(&mut self, record: Record) -> redline::model::Result<()> {
        let line = line(&self.path, &record)?;
        self.file.write_all(line.as_bytes()).map_err(|error| ModelError::io(&self.path, error))?;
        self.remember(record);
        Ok(())
    }

    fn remember(&mut self, record: Record) {
        match record {
            Record::Step(record) => self.steps.push(record),
            Record::Evaluation(record) => self.evaluations.push(record),
        }
    }
}

fn line(path: &Path, record: &Record) -> redline::model::Result<String> {
    let malformed = |source| ModelError::MalformedLine { path: path.into(), line: 0, source };
    Ok(serde_json::to_string(record).map_err(malformed)? + "\n")
}
