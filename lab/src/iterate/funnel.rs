//! Answers and their corrections as rows to learn from: what is kept, and why the rest is not.

use std::path::Path;

use redline_model::qac::Fields;
use redline_steer::EditRatios;
use serde::{Deserialize, Serialize};

use super::corrected::{CorrectedRow, references};
use super::error::IterateError;
use super::files::{make_folder_of, read_json, write_json};
use super::options::IterateOptions;
use crate::data::funnel::{Funnel, FunnelStage};
use crate::error::Result;
use crate::judge::Dimension;
use crate::judge::Message;
use crate::judge::local::Score;
use crate::judge::record::PreferenceRecord;
use crate::observer::Observer;

/// What two instruments say of a correction beside its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opinion {
    /// Better by one and no worse by the other.
    Agrees,
    /// Worse by one and no better by the other.
    Disagrees,
    /// Better by one and worse by the other.
    Mixed,
    /// As good.
    Same,
    /// One of them cannot tell.
    Unknown,
}

/// How often the instruments agree that a correction is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LabelNoise {
    pub n_agree: usize,
    pub n_disagree: usize,
    pub n_mixed: usize,
    pub n_same: usize,
    pub n_unknown: usize,
    /// Share that they disagree with, of those where they say one or the other.
    pub share: Option<f64>,
}

/// What a round's funnel came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FunnelReport {
    pub funnel: Funnel,
    pub label_noise: LabelNoise,
    /// Mean edit ratio of what was kept.
    pub edit_ratio: Option<f64>,
}

impl FunnelReport {
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path)
    }

    /// Rows that were kept.
    pub fn n_kept(&self) -> usize {
        self.funnel.n_out().unwrap_or(0)
    }
}

/// A pair that was kept.
pub(super) struct Kept<'a> {
    pub row: &'a CorrectedRow,
    pub correction: &'a str,
    pub edit_ratio: f64,
}

/// The pairs of rows that survive, with the funnel.
pub(super) fn pairs<'a>(
    rows: &'a [CorrectedRow],
    options: &IterateOptions,
    observer: &mut dyn Observer,
) -> Result<(Vec<Kept<'a>>, FunnelReport)> {
    let mut removed = [0_usize; 5];
    let mut left = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        match edited(row, options) {
            Ok(kept) => left.push((number, kept)),
            Err(reason) => removed[reason] += 1,
        }
    }
    let reasons =
        ["no answer or correction", "cut by the length limit", "unchanged", "edited too little", "edited too much"];
    let mut stages = vec![FunnelStage::new("edits", rows.len(), reasons.into_iter().zip(removed))];
    let (left, noise) = judged(left, rows, options, observer)?;
    let n_in = stages[0].n_out;
    let reasons = [
        ("worse", noise.n_disagree),
        ("better and worse", noise.n_mixed),
        ("as good", noise.n_same),
        ("not judged", noise.n_unknown),
    ];
    let reasons = reasons.map(|(reason, n)| (reason, if options.keep.judged { n } else { 0 }));
    stages.push(FunnelStage::new("judge", n_in, reasons));
    let edit_ratio = redline_probe::stats::mean(left.iter().map(|kept| kept.edit_ratio));
    Ok((left, FunnelReport { funnel: Funnel { stages }, label_noise: noise, edit_ratio }))
}

/// A row whose answer was edited as much as is asked for, or the place of the reason against it.
fn edited<'a>(row: &'a CorrectedRow, options: &IterateOptions) -> std::result::Result<Kept<'a>, usize> {
    let correction = row.correction.as_deref().filter(|text| row.error.is_none() && !text.trim().is_empty());
    let Some(correction) = correction.filter(|_| !row.answer.trim().is_empty()) else { return Err(0) };
    let ratios = EditRatios::new(row.answer.trim(), correction.trim());
    let edit_ratio = ratios.char.unwrap_or(f64::INFINITY);
    match () {
        () if row.is_cut() => Err(1),
        () if ratios.exact_copy => Err(2),
        () if edit_ratio < options.keep.least_edit => Err(3),
        () if edit_ratio > options.keep.most_edit => Err(4),
        () => Ok(Kept { row, correction, edit_ratio }),
    }
}

/// Asks both instruments about every pair; leaves out those that they do not agree with, where that is asked for.
fn judged<'a>(
    left: Vec<(usize, Kept<'a>)>,
    rows: &[CorrectedRow],
    options: &IterateOptions,
    observer: &mut dyn Observer,
) -> Result<(Vec<Kept<'a>>, LabelNoise)> {
    let references = references(rows);
    let mut scores = [
        (options.harmless_by.open(&references)?, Dimension::Harmless),
        (options.helpful_by.open(&references)?, Dimension::Helpful),
    ];
    let (mut kept, mut noise, total) = (Vec::new(), LabelNoise::default(), left.len());
    for (done, (number, pair)) in left.into_iter().enumerate() {
        let opinion = opinion(number, &pair, &mut scores)?;
        let count = match opinion {
            Opinion::Agrees => &mut noise.n_agree,
            Opinion::Disagrees => &mut noise.n_disagree,
            Opinion::Mixed => &mut noise.n_mixed,
            Opinion::Same => &mut noise.n_same,
            Opinion::Unknown => &mut noise.n_unknown,
        };
        *count += 1;
        if opinion == Opinion::Agrees || !options.keep.judged {
            kept.push(pair);
        }
        observer.progress("judging pairs", done + 1, total)?;
    }
    observer.end("judging pairs");
    let said = noise.n_agree + noise.n_disagree;
    noise.share = (said > 0).then(|| noise.n_disagree as f64 / said as f64);
    Ok((kept, noise))
}

fn opinion(number: usize, pair: &Kept<'_>, scores: &mut [(Box<dyn Score>, Dimension); 2]) -> Result<Opinion> {
    let (mut rises, mut falls) = (false, false);
    for (score, dimension) in scores {
        let mut of = |text: &str| score.score(number, &pair.row.question, text.trim(), *dimension);
        let (Some(before), Some(after)) = (of(&pair.row.answer)?, of(pair.correction)?) else {
            return Ok(Opinion::Unknown);
        };
        rises |= after > before;
        falls |= after < before;
    }
    Ok(match (rises, falls) {
        (true, false) => Opinion::Agrees,
        (false, true) => Opinion::Disagrees,
        (true, true) => Opinion::Mixed,
        (false, false) => Opinion::Same,
    })
}

/// A pair as a record.
pub(super) fn record(kept: &Kept<'_>, source: &str, round: usize) -> PreferenceRecord {
    PreferenceRecord {
        prompt: vec![Message::user(&kept.row.question)],
        chosen: vec![Message::assistant(kept.correction.trim())],
        rejected: vec![Message::assistant(kept.row.answer.trim())],
        source: source.into(),
        round,
        edit_ratio: kept.edit_ratio,
        margin: None,
    }
}

/// Writes the funnel; one through which nothing came is an error.
pub(super) fn write_report(path: &Path, step: &str, report: &FunnelReport) -> Result<()> {
    write_json(path, report)?;
    match report.n_kept() {
        0 => Err(IterateError::NoRows { step: step.into(), funnel: in_words(&report.funnel) }.into()),
        _ => Ok(()),
    }
}

/// A funnel on one line.
fn in_words(funnel: &Funnel) -> String {
    let stage = |stage: &FunnelStage| {
        let removed = stage.removed.iter().filter(|removal| removal.n_rows > 0);
        let removed: Vec<String> = removed.map(|removal| format!("{} {}", removal.n_rows, removal.reason)).collect();
        let removed = if removed.is_empty() { "none".to_owned() } else { removed.join(", ") };
        format!("{}: of {} rows {removed}", stage.name, stage.n_in)
    };
    funnel.stages.iter().map(stage).collect::<Vec<_>>().join("; ")
}

/// Writes rows as Parquet beside their JSON Lines, where this build can.
pub(super) fn export<T: Serialize>(rows: &[T], path: &Path) -> Result<()> {
    make_folder_of(path)?;
    let malformed = |rule: String| IterateError::Malformed { path: path.into(), rule };
    let fields = rows.iter().map(|row| {
        let text = serde_json::to_string(row).map_err(|error| malformed(error.to_string()))?;
        Ok(serde_json::from_str::<Fields>(&text).map_err(|error| malformed(error.to_string()))?)
    });
    let fields = fields.collect::<Result<Vec<Fields>>>()?;
    #[cfg(feature = "tables")]
    let written = crate::data::parquet_file::write_parquet(&fields, path).map_err(|error| malformed(error.to_string()));
    #[cfg(not(feature = "tables"))]
    let written = Err(malformed(format!("{} rows: this build writes no Parquet", fields.len())));
    Ok(written?)
}
