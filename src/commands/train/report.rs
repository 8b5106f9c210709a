//! `index.html` of a run: curves, the last evaluation's outputs, and what makes the run repeatable.

use std::path::Path;

use redline::experiment::EvaluationRecord;
use redline::figures::training_curves;
use redline::model::Qac;
use redline::report::{Example, Examples, Finding, Output, Report, ReportError, SettingsGroup, flattened};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::log::Log;
use crate::provenance;

/// An output of the last evaluation, a line of `outputs.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WrittenOutput {
    /// Steps done before it was written.
    pub step: usize,
    /// Number of the held-out row.
    pub row: usize,
    pub question: String,
    pub answer: String,
    pub correction: String,
    pub output: String,
    pub is_cut: bool,
}

impl WrittenOutput {
    /// What was written for a row.
    pub fn new(step: usize, row: usize, qac: &Qac, output: &str, is_cut: bool) -> Self {
        let Qac { question, answer, correction } = qac.clone();
        Self { step, row, question, answer, correction, output: output.into(), is_cut }
    }

    fn example(&self) -> Example {
        let mut example = Example::new(self.row, &self.question, &self.answer, Some(&self.correction));
        let output = Output::new(format!("output after {} steps", self.step), &self.answer, &self.output);
        example.outputs.push(Output { truncated: self.is_cut, ..output });
        example
    }
}

/// Writes the page of what is known so far.
pub fn write(folder: &Path, log: &Log, outputs: &[WrittenOutput], settings: &Value) -> Result<(), ReportError> {
    let (Some(first), Some(last)) = (log.steps.first(), log.steps.last()) else { return Ok(()) };
    let lead = format!(
        "{} steps, from a training loss of {:.3} to {:.3} {}; {} evaluations on held-out rows.",
        log.steps.len(),
        first.loss,
        last.loss,
        if first.pairs.is_some() { "a pair" } else { "nats per token" },
        log.evaluations.len()
    );
    let mut report = Report::new("Redline: an Aligner in training", lead);
    report.findings = log.evaluations.last().map(findings).unwrap_or_default();
    report.curves = training_curves(&log.steps, &log.evaluations).into_iter().collect();
    let note = "Outputs for held-out rows at the last evaluation. Marked is what an output takes from the answer and what it adds.";
    report.examples = Examples::of("What it writes", note, outputs.iter().map(WrittenOutput::example).collect());
    report.settings = vec![provenance::program([]), SettingsGroup::new("Settings", flattened(settings))];
    report.write(&folder.join("index.html"))
}

fn findings(last: &EvaluationRecord) -> Vec<Finding> {
    let note = format!("at step {}, of {} outputs", last.step, last.n_generated);
    let share = |value: f64| format!("{:.1} %", 100.0 * value);
    let unit = if last.pairs.is_some() { "a pair" } else { "nats per token" };
    let mut findings = vec![Finding::new("held-out loss", format!("{:.4}", last.loss), unit)];
    if let Some(pairs) = last.pairs {
        let note = format!("at step {}, held out", last.step);
        findings.push(Finding::new("pairs in the right order", share(pairs.accuracy), note.clone()));
        findings.push(Finding::new("margin", format!("{:.3}", pairs.margin), note));
        return findings;
    }
    let mut add = |name: &str, value: Option<String>| {
        findings.extend(value.map(|value| Finding::new(name, value, note.clone())));
    };
    add("exact copies of clean answers", last.exact_copy_rate.map(share));
    add("similarity to the correction", last.similarity.map(|value| format!("{value:.3}")));
    add("edit ratio", last.edit_ratio.map(|value| format!("{value:.3}")));
    add("outputs cut by the length limit", last.cut_share.map(share));
    findings
}
