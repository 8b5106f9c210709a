//! What the dial's reach depends on: per-prompt slopes against what is known of each row.
//!
//! Slopes are those of the coherent range where there is one. Spearman's rank correlation, with a 95 % bootstrap interval over
//! prompts, since neither slopes nor lengths are normally distributed.

use redline_probe::stats::{Estimate, estimate};
use redline_steer::{BootstrapOptions, EditRatios, Error, Result, SweepFit, fit_line, spearman};
use serde::{Deserialize, Serialize};

use super::SweepAnalysis;
use crate::data::corrupt::CorruptedRow;

/// How the slopes go with one feature of the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlopeDependence {
    /// The feature.
    pub feature: String,
    /// Spearman's rank correlation; `None` where the feature is the same for all prompts.
    pub spearman: Option<Estimate>,
    /// Share of the slopes' variance that a line on the feature explains.
    pub r2: Option<f64>,
}

/// A row and what the feature is called.
type Feature = (&'static str, fn(&CorruptedRow) -> f64);

const FEATURES: [Feature; 5] = [
    ("answer length, characters", |row| row.answer.chars().count() as f64),
    ("number of flaws", |row| row.flaws.len() as f64),
    ("highest severity", |row| row.flaws.iter().map(|flaw| f64::from(flaw.severity)).fold(0.0, f64::max)),
    ("mean severity", |row| {
        row.flaws.iter().map(|flaw| f64::from(flaw.severity)).sum::<f64>() / row.flaws.len().max(1) as f64
    }),
    ("edit ratio if all is mended", |row| EditRatios::new(&row.answer, &row.clean).char.unwrap_or(0.0)),
];

/// The line that slopes are taken from: that of the coherent range, else that of all coefficients.
pub fn best_fit(analysis: &SweepAnalysis) -> Option<&SweepFit> {
    analysis.fit.as_ref().or(analysis.fit_all.as_ref())
}

/// Relates the slopes of an analysis to the rows that its prompts came from.
///
/// # Errors
/// A prompt whose row is not there, or fewer than two prompts.
pub fn slope_dependences(
    analysis: &SweepAnalysis,
    rows: &[CorruptedRow],
    bootstrap: &BootstrapOptions,
) -> Result<Vec<SlopeDependence>> {
    let Some(fit) = best_fit(analysis) else { return Ok(Vec::new()) };
    let row = |&prompt: &usize| rows.get(prompt).ok_or(Error::NoSuchRow { row: prompt, n_rows: rows.len() });
    let rows = analysis.prompts.iter().map(row).collect::<Result<Vec<&CorruptedRow>>>()?;
    FEATURES.iter().map(|feature| dependence(feature, &rows, &fit.prompt_slopes, bootstrap)).collect()
}

fn dependence(
    (name, feature): &Feature,
    rows: &[&CorruptedRow],
    slopes: &[f64],
    bootstrap: &BootstrapOptions,
) -> Result<SlopeDependence> {
    let values: Vec<f64> = rows.iter().map(|row| feature(row)).collect();
    let drawn = |of: &[f64], counts: &[u32]| -> Vec<f64> {
        of.iter().zip(counts).flat_map(|(value, &count)| std::iter::repeat_n(*value, count as usize)).collect()
    };
    let [rank] = estimate(values.len(), bootstrap.n_resamples, bootstrap.seed, |counts| {
        [spearman(&drawn(&values, counts), &drawn(slopes, counts)).ok().flatten()]
    });
    let line = match fit_line(&values, slopes) {
        Err(Error::ConstantX { .. }) => None,
        line => line?.r2,
    };
    Ok(SlopeDependence { feature: (*name).to_owned(), spearman: rank, r2: line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::corrupt::{Flaw, FlawKind};

    fn row(n_flaws: usize) -> CorruptedRow {
        let flaw = |_| Flaw { kind: FlawKind::Insult, severity: 5, start: 0, end: 0, text: "x".into() };
        CorruptedRow {
            fact: None,
            question: "q".into(),
            answer: "x".repeat(n_flaws) + "abcd",
            correction: "abcd".into(),
            flaws: (0..n_flaws).map(flaw).collect(),
            strictness: 1,
            clean: "abcd".into(),
        }
    }

    #[test]
    fn slopes_that_follow_the_number_of_flaws_are_found_out() {
        let rows: Vec<CorruptedRow> = (0..12).map(|i| row(1 + i % 6)).collect();
        let rows: Vec<&CorruptedRow> = rows.iter().collect();
        let slopes: Vec<f64> = rows.iter().map(|row| 0.1 * row.flaws.len() as f64).collect();
        let found =
            |feature: usize| dependence(&FEATURES[feature], &rows, &slopes, &BootstrapOptions::default()).unwrap();
        let flaws = found(1);
        assert!((flaws.spearman.unwrap().value - 1.0).abs() < 1e-12 && flaws.r2.unwrap() > 0.999);
        let severity = found(2);
        assert_eq!((severity.spearman, severity.r2), (None, None), "always 5");
    }
}
