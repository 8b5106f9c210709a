//! What is seen of a run while it goes on: progress, log, curves.

use std::path::{Path, PathBuf};

use redline::experiment::{Quality, Written};
use redline::model::files::write_atomically;
use redline::model::train::{Evaluation, Observer, Phase, StepReport, TrainStart};
use redline::model::{Error, Qac};
use redline::plot::{Curve, CurvePanel, Curves, write_both};
use serde_json::Value;

use super::log::{EvaluationRecord, Log, Record, StepRecord};
use crate::interrupt;
use crate::progress::Progress;

/// Losses that a point of the curve is the mean of, at least; long runs take more.
const MOST_POINTS: usize = 400;

/// Watches a run.
pub struct Watch<'a> {
    folder: PathBuf,
    settings: Value,
    held_out: &'a [Qac],
    log: Option<Log>,
    progress: Option<Progress>,
    n_identity_steps: usize,
}

impl<'a> Watch<'a> {
    /// Will write into the folder.
    pub fn new(folder: &Path, held_out: &'a [Qac], settings: Value) -> Self {
        Self { folder: folder.into(), settings, held_out, log: None, progress: None, n_identity_steps: 0 }
    }

    /// Ends the progress bar.
    pub fn finish(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
        if let Err(error) = self.draw() {
            eprintln!("warning: the training curves were not drawn: {error}");
        }
    }

    /// The last evaluation, if there was one.
    pub fn last_evaluation(&self) -> Option<&EvaluationRecord> {
        self.log.as_ref().and_then(|log| log.evaluations.last())
    }

    fn write(&mut self, record: Record) -> redline::model::Result<()> {
        self.log.as_mut().map_or(Ok(()), |log| log.write(record))
    }

    fn draw(&self) -> Result<(), redline::plot::PlotError> {
        let Some(log) = self.log.as_ref().filter(|log| !log.steps.is_empty()) else { return Ok(()) };
        let mut panels = vec![CurvePanel {
            y_label: "loss (nats per token)".into(),
            curves: vec![Curve::new("training", smoothed(&log.steps))],
        }];
        let of = |value: &dyn Fn(&EvaluationRecord) -> Option<f64>| -> Vec<(f64, f64)> {
            log.evaluations.iter().filter_map(|record| Some((record.step as f64, value(record)?))).collect()
        };
        let held_out = of(&|record| Some(record.loss));
        if !held_out.is_empty() {
            panels[0].curves.push(Curve::new("held out", held_out));
        }
        let measures = [
            ("exact copies of clean answers (share)", of(&|record| record.exact_copy_rate)),
            ("edit ratio", of(&|record| record.edit_ratio)),
            ("similarity to the correction", of(&|record| record.similarity)),
        ];
        let curves = measures.into_iter().filter(|(_, points)| !points.is_empty());
        let curves: Vec<Curve> = curves.map(|(name, points)| Curve::new(name, points)).collect();
        if !curves.is_empty() {
            panels.push(CurvePanel { y_label: "held-out outputs".into(), curves });
        }
        let is_split = (1..log.steps.len()).contains(&self.n_identity_steps);
        let marks = is_split.then(|| (self.n_identity_steps as f64, "end of identity warm-up".to_owned()));
        let plot =
            Curves { title: "Training".into(), x_label: "step".into(), panels, marks: marks.into_iter().collect() };
        write_both(&plot, &self.folder.join("curves"))
    }
}

/// Means of neighbouring losses, so that a long run can be read.
fn smoothed(steps: &[StepRecord]) -> Vec<(f64, f64)> {
    let width = steps.len().div_ceil(MOST_POINTS);
    let mean = |part: &[StepRecord], value: &dyn Fn(&StepRecord) -> f64| {
        part.iter().map(value).sum::<f64>() / part.len() as f64
    };
    steps.chunks(width).map(|part| (mean(part, &|s| s.step as f64), mean(part, &|s| s.loss))).collect()
}

impl Observer for Watch<'_> {
    fn on_start(&mut self, start: &TrainStart) -> redline::model::Result<()> {
        // only now: everything was read, and a checkpoint that is there belongs to this run
        std::fs::create_dir_all(&self.folder).map_err(|error| Error::io(&self.folder, error))?;
        write_atomically(&self.folder.join("settings.json"), format!("{:#}\n", self.settings).as_bytes())?;
        self.log = Some(Log::open(&self.folder.join("train.jsonl"), start.step, start.evaluated_at)?);
        self.n_identity_steps = start.n_identity_steps;
        if start.step > 0 {
            eprintln!("{}: goes on after step {} of {}", self.folder.display(), start.step, start.n_steps);
        }
        eprintln!(
            "{} rows to copy, {} to correct, {} held out; {} steps, {} of them identity warm-up",
            start.n_identity_rows,
            start.n_rows,
            self.held_out.len(),
            start.n_steps,
            start.n_identity_steps,
        );
        self.progress = Some(Progress::from("training", start.step, start.n_steps));
        interrupt::check()
    }

    fn on_step(&mut self, report: &StepReport) -> redline::model::Result<()> {
        let phase = match report.phase {
            Phase::Identity => "identity",
            Phase::Correction => "correction",
        };
        self.write(Record::Step(StepRecord {
            step: report.step,
            phase: phase.into(),
            loss: report.loss,
            gradient_norm: report.gradient_norm,
            learning_rate: report.learning_rate,
            n_tokens: report.n_tokens,
            tokens_per_second: report.tokens_per_second.round(),
        }))?;
        let note = format!(
            "loss {:.3}, gradient {:.2}, {:.0} tokens/s",
            report.loss, report.gradient_norm, report.tokens_per_second
        );
        match &mut self.progress {
            Some(progress) => progress.set_noted(report.step + 1, report.n_steps, &note),
            None => interrupt::check(),
        }
    }

    fn on_evaluation(&mut self, evaluation: &Evaluation) -> redline::model::Result<()> {
        let written = evaluation.outputs.iter().filter_map(|output| {
            Some(Written { row: self.held_out.get(output.row)?, output: &output.text, is_cut: output.is_cut })
        });
        let quality = Quality::measure(&written.collect::<Vec<_>>());
        let record = EvaluationRecord {
            step: evaluation.step,
            loss: evaluation.loss,
            is_best: evaluation.is_best,
            exact_copy_rate: quality.as_ref().and_then(|quality| quality.exact_copy_rate),
            edit_ratio: quality.as_ref().map(|quality| quality.edit_ratio),
            similarity: quality.as_ref().map(|quality| quality.similarity),
            cut_share: quality.as_ref().map(|quality| quality.cut_share),
            n_generated: evaluation.outputs.len(),
        };
        let number = crate::output::number;
        let text = format!(
            "step {}: held-out loss {:.4}{}, copies {}, edit ratio {}, similarity {}",
            record.step,
            record.loss,
            if record.is_best { " (best)" } else { "" },
            number(record.exact_copy_rate),
            number(record.edit_ratio),
            number(record.similarity),
        );
        match &self.progress {
            Some(progress) => progress.print(&text),
            None => eprintln!("{text}"),
        }
        self.write(Record::Evaluation(record))?;
        if let Err(error) = self.draw() {
            eprintln!("warning: the training curves were not drawn: {error}");
        }
        Ok(())
    }
}
