//! What a gate reads of labelled rows, and how long it takes.

use std::time::Instant;

use super::file::GateSpeed;
use super::{CalibrateOptions, GateKind, GateSpec, Instrument, LabelledRow, head_tokens, head_value};
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::prompt_read::PromptRead;

/// Fewest rows of each kind in each part.
pub const FEWEST: usize = 10;
const STAGE: &str = "reading answers";
const TIMED: &str = "timing corrections";

/// Rows that were read: values of each, one of a head or one a layer.
pub(super) struct Values<'a> {
    pub(super) rows: Vec<&'a LabelledRow>,
    pub(super) values: Vec<Vec<f64>>,
    mean_seconds: f64,
    pub(super) n_too_long: usize,
}

/// The values of all rows that fit.
pub(super) fn read<'a>(
    aligner: &Aligner,
    spec: &GateSpec,
    instrument: &Instrument,
    rows: &'a [LabelledRow],
    observer: &mut dyn Observer,
) -> Result<Values<'a>> {
    let context = aligner.model.decoder.config().context;
    let mut found = Values { rows: Vec::new(), values: Vec::new(), mean_seconds: 0.0, n_too_long: 0 };
    for (done, row) in rows.iter().enumerate() {
        let started = Instant::now();
        let values = match instrument {
            Instrument::Head(model) => match head_tokens(model, &row.question, &row.answer)? {
                Some(tokens) => Some(vec![head_value(model, spec.kind, tokens)?]),
                None => None,
            },
            Instrument::Lat(lat) => {
                let prompt = aligner.prompt(&row.question, &row.answer)?;
                match prompt.len() <= context {
                    true => {
                        let read = PromptRead::new(&aligner.model.decoder, &prompt, &lat.places())?;
                        Some(lat.of_layers(&read.last)?)
                    }
                    false => None,
                }
            }
        };
        match values {
            Some(values) => {
                found.mean_seconds += started.elapsed().as_secs_f64();
                found.values.push(values);
                found.rows.push(row);
            }
            None => found.n_too_long += 1,
        }
        observer.progress(STAGE, done + 1, rows.len())?;
    }
    observer.end(STAGE);
    if found.n_too_long > 0 {
        observer.note(&format!("note: {} rows left out: too long to be read", found.n_too_long));
    }
    found.mean_seconds /= found.rows.len().max(1) as f64;
    Ok(found)
}

/// Refuses a part with too few rows of a kind.
pub(super) fn check_counts(found: &Values<'_>, part: &[usize], what: &str) -> Result<()> {
    let n_needed = part.iter().filter(|&&row| found.rows[row].needed).count();
    let n_fine = part.len() - n_needed;
    match n_needed.min(n_fine) < FEWEST {
        true => Err(Error::option(
            format!(
                "of the rows {what}, {n_needed} need a correction and {n_fine} need none; {FEWEST} of each are needed"
            ),
            "give more rows, of answers to be corrected and of answers to be left as they are, to different questions",
        )),
        false => Ok(()),
    }
}

/// What the gate takes, what a correction takes, and what that comes to.
pub(super) fn speed(
    aligner: &Aligner,
    spec: &GateSpec,
    found: &Values<'_>,
    tested: &[usize],
    corrected_share: f64,
    options: &CalibrateOptions,
    observer: &mut dyn Observer,
) -> Result<GateSpeed> {
    let (mut seconds, mut n_corrections) = (0.0, 0);
    let context = aligner.model.decoder.config().context;
    let timed: Vec<usize> = tested.iter().copied().take(options.n_timed).collect();
    for (done, &row) in timed.iter().enumerate() {
        let LabelledRow { question, answer, .. } = found.rows[row];
        observer.progress(TIMED, done + 1, timed.len())?;
        let room = context.saturating_sub(aligner.prompt(question, answer)?.len()).min(options.max_new_tokens);
        if room == 0 {
            continue;
        }
        let started = Instant::now();
        aligner.correct().max_new_tokens(room).run(question, answer)?;
        seconds += started.elapsed().as_secs_f64();
        n_corrections += 1;
    }
    if !timed.is_empty() {
        observer.end(TIMED);
    }
    let correction_seconds = (n_corrections > 0).then(|| seconds / n_corrections as f64);
    // the pass of a gate that reads the prompt is part of the correction, where there is one
    let gate_share = if spec.kind == GateKind::Lat { 1.0 - corrected_share } else { 1.0 };
    let saved_share =
        correction_seconds.map(|correction| 1.0 - corrected_share - gate_share * found.mean_seconds / correction);
    Ok(GateSpeed { gate_seconds: found.mean_seconds, correction_seconds, n_corrections, saved_share })
}
