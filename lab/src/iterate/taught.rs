//! What a model learns of corrected answers.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::corrected::CorrectedRow;
use super::error::IterateError;
use super::files::{read_lines, write_lines};
use super::funnel::{self, FunnelReport, LabelNoise, export, record, write_report};
use super::options::IterateOptions;
use super::places::Places;
use crate::data::funnel::{Funnel, FunnelStage};
use crate::error::Result;
use crate::judge::record::write_records;
use crate::observer::Observer;

/// Source of pairs in their records.
const SOURCE: &str = "aligner";

/// A question and the answer that a model shall give; with prompt and label for trainers that take completions.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct TaughtRow<'a> {
    question: &'a str,
    answer: &'a str,
}

/// The preference pairs of a round, and as many of the control arm.
pub(super) fn round_pairs(
    round: usize,
    step: &str,
    options: &IterateOptions,
    places: &Places,
    observer: &mut dyn Observer,
) -> Result<()> {
    let rows = CorrectedRow::read(&places.in_round(round, "draws.jsonl"))?;
    let out = places.in_round(round, "pairs.jsonl");
    let n = write_pairs(&rows, round, step, &out, &places.in_round(round, "funnel.json"), options, observer)?;
    let Some(control) = &options.control else { return Ok(()) };
    let all: Vec<serde_json::Value> = read_lines(&places.control_pairs())?;
    let before = (1..round).map(|round| FunnelReport::read(&places.in_round(round, "funnel.json")));
    let before: usize = before.map(|report| report.map(|report| report.n_kept())).sum::<Result<usize>>()?;
    let part = all.get(before..before + n).ok_or_else(|| IterateError::FewControl {
        path: control.clone(),
        n: all.len(),
        needed: before + n,
        round,
    })?;
    write_lines(&places.in_round(round, "control-pairs.jsonl"), part)
}

/// Writes the pairs that survive the funnel; returns how many.
fn write_pairs(
    rows: &[CorrectedRow],
    round: usize,
    step: &str,
    out: &Path,
    report_path: &Path,
    options: &IterateOptions,
    observer: &mut dyn Observer,
) -> Result<usize> {
    let (kept, report) = funnel::pairs(rows, options, observer)?;
    write_report(report_path, step, &report)?;
    let records: Vec<_> = kept.iter().map(|kept| record(kept, SOURCE, round)).collect();
    write_records(out, &records)?;
    if options.export {
        export(&records, &out.with_extension("parquet"))?;
        let labels = kept.iter().flat_map(|kept| {
            let unpaired = |text: &str, label: bool| {
                json!({
                    "prompt": [{ "role": "user", "content": kept.row.question }],
                    "completion": [{ "role": "assistant", "content": text.trim() }],
                    "label": label,
                })
            };
            [unpaired(kept.correction, true), unpaired(&kept.row.answer, false)]
        });
        let labels: Vec<_> = labels.collect();
        let unpaired = out.with_file_name("unpaired.jsonl");
        write_lines(&unpaired, &labels)?;
        export(&labels, &unpaired.with_extension("parquet"))?;
    }
    Ok(kept.len())
}

/// Corrected answers as what a model shall answer, or as pairs.
pub(super) fn teach(
    read: &Path,
    out: &Path,
    round: usize,
    step: &str,
    options: &IterateOptions,
    observer: &mut dyn Observer,
) -> Result<()> {
    let rows = CorrectedRow::read(read)?;
    let report_path = out.with_file_name("funnel.json");
    if options.by_pairs {
        return write_pairs(&rows, round, step, out, &report_path, options, observer).map(drop);
    }
    let mut removed = [0_usize; 2];
    let mut taught = Vec::new();
    for row in &rows {
        let correction =
            row.correction.as_deref().map(str::trim).filter(|text| row.error.is_none() && !text.is_empty());
        match correction {
            None => removed[0] += 1,
            Some(_) if row.is_cut() => removed[1] += 1,
            Some(answer) => taught.push(TaughtRow { question: &row.question, answer }),
        }
    }
    let reasons = ["no answer or correction", "cut by the length limit"].into_iter().zip(removed);
    let funnel = Funnel { stages: vec![FunnelStage::new("answers", rows.len(), reasons)] };
    write_report(&report_path, step, &FunnelReport { funnel, label_noise: LabelNoise::default(), edit_ratio: None })?;
    write_lines(out, &taught)?;
    if options.export { export(&taught, &out.with_extension("parquet")) } else { Ok(()) }
}
