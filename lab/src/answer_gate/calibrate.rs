//! From labelled rows to a threshold, and what it is worth on rows of other questions.

use std::collections::HashMap;
use std::path::Path;

use redline_probe::split::{PartSizes, normalise, split_by_question};
use redline_probe::stats::{Roc, estimate, wilson_interval};
use serde::Serialize;

use super::file::{FittedOn, GateCalibration, HeldOutRates, SCHEMA};
use super::values::{Values, check_counts, read, speed};
use super::{GateKind, GateSpec, Instrument, LabelledRow, load_instrument};
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::experiment::LayerSpec;
use crate::observer::Observer;
use crate::steering::check_leak;

/// How a gate is calibrated.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrateOptions {
    /// Share of answers that need no correction which may be corrected all the same.
    pub false_corrections: f64,
    /// Share of the questions that is held out.
    pub held_out: f64,
    /// Held-out answers that are corrected to learn how long that takes.
    pub n_timed: usize,
    /// Longest of these corrections, in tokens.
    pub max_new_tokens: usize,
    /// Resamples of the questions.
    pub n_resamples: usize,
    /// Seed of split and intervals.
    pub seed: u64,
    /// Whether a vector of other weights of the same size is accepted.
    pub any_model: bool,
    /// Whether questions that the vector was extracted from are accepted.
    pub allow_overlap: bool,
}

impl CalibrateOptions {
    /// Refuses shares that are none.
    fn check(&self) -> Result<()> {
        for (option, share) in [("--false-corrections", self.false_corrections), ("--held-out", self.held_out)] {
            if !(share > 0.0 && share < 1.0) {
                return Err(Error::option(
                    format!("{option} is {share}"),
                    "give a share between 0 and 1, such as 0.05",
                ));
            }
        }
        Ok(())
    }
}

/// A calibration, and what else was found on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibrated {
    /// What the file holds.
    pub calibration: GateCalibration,
    /// Of a vector, how well each layer alone tells on the rows that the threshold was chosen on.
    pub layers: Vec<LayerArea>,
    /// Rows that are too long to be read.
    pub n_too_long: usize,
}

/// How well a layer tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LayerArea {
    /// The block.
    pub layer: usize,
    /// Area under its ROC curve.
    pub auc: f64,
}

/// Calibrates a gate before an Aligner.
///
/// Without layers in `spec`, the layer of a vector is taken that tells best on the rows that the threshold is chosen on.
///
/// # Errors
/// What the gate reads by cannot be loaded, questions that its vector was extracted from, too few rows of either kind in either part, options out of range, or the observer ends the work.
pub fn calibrate(
    aligner: &Aligner,
    spec: &GateSpec,
    rows: &[LabelledRow],
    data: &Path,
    options: &CalibrateOptions,
    observer: &mut dyn Observer,
) -> Result<Calibrated> {
    options.check()?;
    let CalibrateOptions { false_corrections, held_out, .. } = *options;
    let named = spec.resolved_layers(aligner)?;
    let instrument = load_instrument(aligner, spec, named.as_deref(), options.any_model)?;
    if let Instrument::Lat(lat) = &instrument {
        check_leak(lat.questions(), rows.iter().map(|row| row.question.as_str()), options.allow_overlap)?;
    }
    let found = read(aligner, spec, &instrument, rows, observer)?;
    let questions: Vec<&str> = found.rows.iter().map(|row| row.question.as_str()).collect();
    let parts = split_by_question(&questions, &PartSizes::Shares(vec![1.0 - held_out, held_out]), options.seed)?;
    let [fitted, tested] = <[Vec<usize>; 2]>::try_from(parts).unwrap_or_default();
    check_counts(&found, &fitted, "to choose the threshold on")?;
    check_counts(&found, &tested, "held out")?;

    let (layers, chosen) = layers(spec, &instrument, &found, &fitted)?;
    let need = |row: usize| {
        let values = &found.values[row];
        let value = chosen.iter().map(|place| values[*place]).sum::<f64>() / chosen.len().max(1) as f64;
        spec.kind.need(value)
    };
    let roc = |part: &[usize]| -> Result<Roc> {
        let (scores, needed): (Vec<f64>, Vec<bool>) =
            part.iter().map(|&row| (need(row), found.rows[row].needed)).unzip();
        Ok(Roc::new(&scores, &needed)?)
    };
    let threshold = roc(&fitted)?.threshold_at(false_corrections)?;
    let count = |part: &[usize], needed: bool| {
        let rows = || part.iter().filter(|&&row| found.rows[row].needed == needed);
        (rows().filter(|&&row| need(row) > threshold).count(), rows().count())
    };
    let held_out_roc = roc(&tested)?;
    let (true_found, n_needed) = count(&tested, true);
    let (false_found, n_fine) = count(&tested, false);
    let [auc] = area(&held_out_roc, &tested, &questions, options);
    let auc = auc.ok_or_else(|| Error::option("the held-out rows are of one kind", "give more rows"))?;
    let corrected_share = (true_found + false_found) as f64 / tested.len() as f64;
    let (fit_false, fit_fine) = count(&fitted, false);
    let is_lat = spec.kind == GateKind::Lat;
    let calibration = GateCalibration {
        schema: SCHEMA.into(),
        kind: spec.kind,
        instrument: spec.path.clone(),
        instrument_hash: instrument.hash(spec)?,
        aligner: is_lat.then(|| aligner.model.fingerprint.clone()),
        template: is_lat.then(|| aligner.template.source()),
        layers: match &instrument {
            Instrument::Lat(lat) => Some(chosen.iter().map(|place| lat.layers()[*place]).collect()),
            Instrument::Head(_) => None,
        },
        threshold: spec.kind.need(threshold),
        false_corrections,
        fitted_on: FittedOn {
            n_needed: count(&fitted, true).1,
            n_fine: fit_fine,
            false_rate: fit_false as f64 / fit_fine as f64,
        },
        held_out: HeldOutRates {
            n_needed,
            n_fine,
            auc,
            true_rate: true_found as f64 / n_needed as f64,
            true_interval: wilson_interval(true_found, n_needed)?,
            false_rate: false_found as f64 / n_fine as f64,
            false_interval: wilson_interval(false_found, n_fine)?,
            corrected_share,
        },
        roc: held_out_roc.points().into_iter().map(|point| turned(spec.kind, point)).collect(),
        speed: speed(aligner, spec, &found, &tested, corrected_share, options, observer)?,
        data: data.into(),
        seed: options.seed,
        made_with: concat!("redline ", env!("CARGO_PKG_VERSION")).into(),
    };
    Ok(Calibrated { calibration, layers, n_too_long: found.n_too_long })
}

/// A point in the units of the gate's values.
fn turned(kind: GateKind, point: redline_probe::stats::RocPoint) -> redline_probe::stats::RocPoint {
    redline_probe::stats::RocPoint { threshold: point.threshold.map(|threshold| kind.need(threshold)), ..point }
}

/// How well each layer tells on the rows of the fit, and the places of those that are read.
fn layers(
    spec: &GateSpec,
    instrument: &Instrument,
    found: &Values<'_>,
    fitted: &[usize],
) -> Result<(Vec<LayerArea>, Vec<usize>)> {
    let Instrument::Lat(lat) = instrument else { return Ok((Vec::new(), vec![0])) };
    let needed: Vec<bool> = fitted.iter().map(|&row| found.rows[row].needed).collect();
    let mut areas = Vec::with_capacity(lat.layers().len());
    for (place, &layer) in lat.layers().iter().enumerate() {
        let scores: Vec<f64> = fitted.iter().map(|&row| found.values[row][place]).collect();
        let auc = Roc::new(&scores, &needed)?.area(&vec![1; fitted.len()]).unwrap_or(0.5);
        areas.push(LayerArea { layer, auc });
    }
    let chooses = matches!(spec.layers, None | Some(LayerSpec::Auto));
    let best = (0..areas.len()).max_by(|&a, &b| areas[a].auc.total_cmp(&areas[b].auc).then(b.cmp(&a)));
    let chosen = match (chooses, best) {
        (true, Some(best)) => vec![best],
        _ => (0..areas.len()).collect(),
    };
    Ok((areas, chosen))
}

/// The area under the curve, with its interval over questions.
fn area(
    roc: &Roc,
    part: &[usize],
    questions: &[&str],
    options: &CalibrateOptions,
) -> [Option<redline_probe::stats::Estimate>; 1] {
    let mut numbers = HashMap::new();
    let of: Vec<usize> = part
        .iter()
        .map(|&row| {
            let n = numbers.len();
            *numbers.entry(normalise(questions[row])).or_insert(n)
        })
        .collect();
    estimate(numbers.len(), options.n_resamples, options.seed, |counts| {
        let weights: Vec<u32> = of.iter().map(|question| counts[*question]).collect();
        [roc.area(&weights)]
    })
}
