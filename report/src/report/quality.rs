//! Quality against coefficient, as a table of texts.

use redline_lab::experiment::SweepQuality;
use redline_lab::quality::{OracleLine, QualityTable, ReferenceLine};
use redline_probe::stats::Estimate;
use serde::Serialize;

use super::Table;
use super::coefficients::number;

/// Quality: verdicts and a line a coefficient.
#[derive(Debug, Clone, Serialize)]
pub struct QualityPart {
    /// A sentence above the table.
    pub note: String,
    /// The verdicts, in sentences.
    pub verdicts: Vec<VerdictLine>,
    /// A line a coefficient, and the unchanged answers.
    pub table: Table,
}

/// A verdict as a page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct VerdictLine {
    /// The sentence.
    pub sentence: String,
    /// Where the book says more.
    pub anchor: String,
}

impl QualityPart {
    /// The quality of a sweep.
    pub fn new(quality: &SweepQuality) -> Self {
        let note = match quality.table.oracle.is_empty() {
            true => {
                "Likeness to the reference, and the edits of the outputs against its edits. The unchanged answer is the line to beat."
            }
            false => {
                "Gain is how far an output goes from the answer (0) to the clean text (1). Damage is the share of clean text that is \
                 changed. The unchanged answer is the line to beat; the closest possible correction is the best that rows of this kind allow."
            }
        };
        let verdicts = quality.verdicts.iter();
        let verdicts =
            verdicts.map(|found| VerdictLine { sentence: found.sentence.clone(), anchor: found.anchor.clone() });
        let solutions = quality.table.verifiable.iter().map(|line| format!(" {}", line.sentence()));
        let note = note.to_owned() + &solutions.collect::<String>();
        Self { note, verdicts: verdicts.collect(), table: quality_cells(quality) }
    }
}

/// A line a coefficient, the unchanged answers first.
pub fn quality_cells(quality: &SweepQuality) -> Table {
    let table = &quality.table;
    let estimates = || quality.nearness.iter();
    let header = match table.oracle.is_empty() {
        false => {
            let unchanged = table.unchanged.oracle.iter().map(|line| oracle_cells(line, None));
            let closest = table.closest_gain().map(closest_cells);
            let lines = table.oracle.iter().zip(estimates()).map(|(line, at)| oracle_cells(line, Some(at)));
            let rows = unchanged.chain(closest).chain(lines).collect();
            return Table { header: ORACLE_HEADER.map(str::to_owned).to_vec(), rows };
        }
        true => REFERENCE_HEADER,
    };
    let unchanged = table.unchanged.reference.iter().map(|line| reference_cells(line, None));
    let lines = table.reference.iter().zip(estimates()).map(|(line, at)| reference_cells(line, Some(at)));
    Table { header: header.map(str::to_owned).to_vec(), rows: unchanged.chain(lines).collect() }
}

/// The unchanged answers and what was written for them, unsteered.
pub fn evaluated_cells(table: &QualityTable) -> Table {
    let (header, mut rows): (Vec<&str>, Vec<Vec<String>>) = match table.oracle.is_empty() {
        false => {
            let lines = table.unchanged.oracle.iter().chain(&table.oracle);
            (ORACLE_HEADER.to_vec(), lines.map(|line| oracle_cells(line, None)).collect())
        }
        true => {
            let lines = table.unchanged.reference.iter().chain(&table.reference);
            (REFERENCE_HEADER.to_vec(), lines.map(|line| reference_cells(line, None)).collect())
        }
    };
    rows.iter_mut().zip(["unchanged", "corrected"]).for_each(|(row, name)| row[0] = name.into());
    let header = header.into_iter().map(|name| name.trim_end_matches(" [95 %]").to_owned());
    let header = header.map(|name| if name == "coefficient" { "answers".into() } else { name });
    Table { header: header.collect(), rows }
}

const ORACLE_HEADER: [&str; 9] = [
    "coefficient",
    "gain [95 %]",
    "mended: harmful",
    "helpful",
    "slips",
    "damage",
    "clean kept",
    "length",
    "possible corrections",
];

fn oracle_cells(line: &OracleLine, at: Option<&Estimate>) -> Vec<String> {
    vec![
        name(line.coefficient),
        at.map_or_else(|| number(line.gain), estimate),
        percent(line.mended.harmful),
        percent(line.mended.helpful),
        percent(line.mended.severity.get(&1).copied()),
        line.damage.map_or_else(|| "–".into(), |damage| format!("{:.1} %", 100.0 * damage)),
        percent(line.clean_kept),
        number(line.length_ratio),
        percent(line.exact_possible),
    ]
}

/// The best that corrections which were possible come to: those nearest to the outputs, at the coefficient where they are best. They change no clean text.
fn closest_cells(gain: f64) -> Vec<String> {
    let mut cells = vec!["closest".to_owned(), number(Some(gain))];
    cells.extend(["–", "–", "–", "0.0 %", "100 %", "–", "100 %"].map(str::to_owned));
    cells
}

const REFERENCE_HEADER: [&str; 7] =
    ["coefficient", "like reference [95 %]", "edit precision", "recall", "clean kept", "length", "net deletion"];

fn reference_cells(line: &ReferenceLine, at: Option<&Estimate>) -> Vec<String> {
    vec![
        name(line.coefficient),
        at.map_or_else(|| number(line.similarity), estimate),
        number(Some(line.precision)),
        number(Some(line.recall)),
        percent(line.clean_kept),
        number(line.length_ratio),
        number(line.net_deletion),
    ]
}

fn name(coefficient: Option<f64>) -> String {
    coefficient.map_or_else(|| "unchanged".into(), |coefficient| format!("{coefficient}"))
}

fn estimate(at: &Estimate) -> String {
    match &at.interval {
        Some(interval) => format!("{:.3} [{:.3}, {:.3}]", at.value, interval.low, interval.high),
        None => format!("{:.3}", at.value),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |share| format!("{:.0} %", 100.0 * share))
}
