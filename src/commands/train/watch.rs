//! What is seen of a run while it goes on: progress, log, curves.

use std::path::{Path, PathBuf};

use redline::experiment::{EvaluationRecord, Quality, StepRecord, TrainingRecord as Record, Written};
use redline::figures::training_curves;
use redline::model::files::{read_text, write_atomically};
use redline::model::train::preference::PairFigures;
use redline::model::train::{Evaluation, Observer, Phase, StepReport, TrainStart};
use redline::model::{Error, Qac};
use redline::plot::write_both;
use serde_json::Value;

use super::log::Log;
use super::log::{LOG, MOST_LOG};
use super::report::{self, WrittenOutput};
use crate::interrupt;
use crate::output;
use crate::progress::Progress;

/// File of the last evaluation's outputs.
const OUTPUTS: &str = "outputs.jsonl";

/// The outputs that a run left; none where there are none, or not all can be read.
fn read_outputs(path: &Path) -> Vec<WrittenOutput> {
    let text = read_text(path, MOST_LOG).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).ok()).collect::<Option<_>>().unwrap_or_default()
}

/// Watches a run.
pub struct Watch<'a> {
    folder: PathBuf,
    settings: Value,
    held_out: &'a [Qac],
    log: Option<Log>,
    progress: Option<Progress>,
    /// Of the last evaluation.
    outputs: Vec<WrittenOutput>,
    /// Of a run over pairs: how many are held out.
    n_held_out_pairs: Option<usize>,
    /// What such a run reads.
    what: &'static str,
    has_reference: bool,
    has_warned: bool,
}

impl<'a> Watch<'a> {
    /// Will write into the folder.
    pub fn new(folder: &Path, held_out: &'a [Qac], settings: Value) -> Self {
        Self {
            folder: folder.into(),
            settings,
            held_out,
            log: None,
            progress: None,
            outputs: Vec::new(),
            n_held_out_pairs: None,
            what: "pairs",
            has_reference: false,
            has_warned: false,
        }
    }

    /// The same for a run over pairs.
    pub fn of_pairs(folder: &Path, n_held_out: usize, has_reference: bool, settings: Value) -> Self {
        Self { n_held_out_pairs: Some(n_held_out), has_reference, ..Self::new(folder, &[], settings) }
    }

    /// The same for a run on rewards.
    pub fn of_policy(folder: &Path, n_held_out: usize, settings: Value) -> Self {
        Self { what: "prompts", ..Self::of_pairs(folder, n_held_out, false, settings) }
    }

    /// Ends the progress bar.
    pub fn finish(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
        if let Err(error) = self.draw() {
            output::note!("warning: curves and report were not written: {error}");
        }
    }

    /// The last evaluation, if there was one.
    pub fn last_evaluation(&self) -> Option<&EvaluationRecord> {
        self.log.as_ref().and_then(|log| log.evaluations.last())
    }

    /// Keeps the outputs of an evaluation that has some, here and in the folder.
    fn keep_outputs(&mut self, evaluation: &Evaluation) -> redline::model::Result<()> {
        if evaluation.outputs.is_empty() {
            return Ok(());
        }
        let output = |output: &redline::model::train::HeldOutOutput| {
            let row = self.held_out.get(output.row)?;
            Some(WrittenOutput::new(evaluation.step, output.row, row, &output.text, output.is_cut))
        };
        self.outputs = evaluation.outputs.iter().filter_map(output).collect();
        let lines = self.outputs.iter().filter_map(|output| Some(serde_json::to_string(output).ok()? + "\n"));
        write_atomically(&self.folder.join(OUTPUTS), lines.collect::<String>().as_bytes())
    }

    /// Writes an evaluation down, and draws what is known so far.
    fn keep(&mut self, record: EvaluationRecord, evaluation: &Evaluation) -> redline::model::Result<()> {
        self.write(Record::Evaluation(record))?;
        self.keep_outputs(evaluation)?;
        if let Err(error) = self.draw() {
            output::note!("warning: curves and report were not written: {error}");
        }
        Ok(())
    }

    fn tell(&self, text: &str) {
        match &self.progress {
            Some(progress) => progress.print(text),
            None => output::note!("{text}"),
        }
    }

    /// Says once when the chosen completions become less likely than they were.
    fn warn_of_chosen(&mut self, pairs: &PairFigures) {
        let falls = pairs.log_probs.is_some() && pairs.rewards[0] < 0.0 && self.has_reference;
        if falls && !self.has_warned {
            self.has_warned = true;
            self.tell(
                "warning: the chosen completions are less likely than under the reference, only the rejected ones fall faster; --sft-weight keeps \
                 them likely",
            );
        }
    }

    fn write(&mut self, record: Record) -> redline::model::Result<()> {
        self.log.as_mut().map_or(Ok(()), |log| log.write(record))
    }

    fn draw(&self) -> anyhow::Result<()> {
        let curves = self.log.as_ref().and_then(|log| training_curves(&log.steps, &log.evaluations));
        if let (Some(curves), Some(log)) = (curves, &self.log) {
            write_both(&curves, &self.folder.join("curves"))?;
            report::write(&self.folder, log, &self.outputs, &self.settings)?;
        }
        Ok(())
    }
}

impl Observer for Watch<'_> {
    fn on_start(&mut self, start: &TrainStart) -> redline::model::Result<()> {
        // only now: everything was read, and a checkpoint that is there belongs to this run
        std::fs::create_dir_all(&self.folder).map_err(|error| Error::io(&self.folder, error))?;
        // the log comes first: it shows whose folder this is
        self.log = Some(Log::open(&self.folder.join(LOG), start.step, start.evaluated_at)?);
        write_atomically(&self.folder.join("settings.json"), format!("{:#}\n", self.settings).as_bytes())?;
        self.outputs = read_outputs(&self.folder.join(OUTPUTS));
        if start.step > 0 {
            output::note!("{}: goes on after step {} of {}", self.folder.display(), start.step, start.n_steps);
        }
        if let Some(n_held_out) = self.n_held_out_pairs {
            output::note!("{} {}, {n_held_out} held out; {} steps", start.n_rows, self.what, start.n_steps);
            self.progress = Some(Progress::from("training", start.step, start.n_steps));
            return interrupt::check();
        }
        output::note!(
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
            Phase::Pairs => "pairs",
            Phase::Policy => "policy",
        };
        self.write(Record::Step(StepRecord {
            step: report.step,
            phase: phase.into(),
            loss: report.loss,
            gradient_norm: report.gradient_norm,
            learning_rate: report.learning_rate,
            n_tokens: report.n_tokens,
            tokens_per_second: report.tokens_per_second.round(),
            pairs: report.pairs,
            policy: report.policy,
        }))?;
        let what = match report.policy {
            Some(policy) => format!("reward {:.3}", policy.reward),
            None => format!("loss {:.3}", report.loss),
        };
        let note = format!("{what}, gradient {:.2}, {:.0} tokens/s", report.gradient_norm, report.tokens_per_second);
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
            pairs: evaluation.pairs,
            policy: evaluation.policy,
        };
        if let Some(policy) = evaluation.policy {
            self.tell(&format!(
                "step {}: held-out reward {:.4}{}, {:.0} tokens, {:.1} % cut",
                record.step,
                policy.reward,
                if record.is_best { " (best)" } else { "" },
                policy.n_tokens,
                100.0 * policy.cut_share
            ));
            return self.keep(record, evaluation);
        }
        if let Some(pairs) = evaluation.pairs {
            self.tell(&format!(
                "step {}: held-out loss {:.4}{}, pairs in the right order {:.1} %, margin {:.3}",
                record.step,
                record.loss,
                if record.is_best { " (best)" } else { "" },
                100.0 * pairs.accuracy,
                pairs.margin
            ));
            self.warn_of_chosen(&pairs);
            return self.keep(record, evaluation);
        }
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
        self.tell(&text);
        self.keep(record, evaluation)
    }
}
