//! What a sweep's rows say: means by coefficient, coherence beside them, and the fitted line.

use redline_probe::stats::{FEWEST_UNITS, mean};
use redline_steer::{
    BootstrapOptions, CoherentRange, EditRatioVariant, Error, Result, SweepFit, SweepRow, bootstrap_sweep,
    coherent_range,
};
use serde::{Deserialize, Serialize};

/// Largest change of the mean negative log-likelihood per token, in nats, that still counts as coherent. Fixed before
/// any sweep was run.
pub const DEFAULT_COHERENCE_BOUND: f64 = 0.5;

/// Fewest coefficients a line is fitted to.
const MIN_POINTS: usize = 3;

/// All outputs at one coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoefficientSummary {
    /// The signed strength.
    pub coefficient: f64,
    /// Mean edit ratio of the chosen variant.
    pub mean_edit_ratio: f64,
    /// Mean normalised similarity to the original answer.
    pub similarity: f64,
    /// Mean normalised similarity to the reference correction, over the rows that have one.
    pub reference_similarity: Option<f64>,
    /// Share of outputs equal to the original answer.
    pub exact_copy_share: f64,
    /// Mean negative log-likelihood per token under the unsteered model, in nats; `None` when all outputs are empty.
    pub nll: Option<f64>,
    /// Mean share of repeated 4-grams.
    pub repetition: f64,
    /// Share of outputs cut by the length limit.
    pub truncated_share: f64,
    /// Share of empty outputs.
    pub empty_share: f64,
}

/// A sweep of one vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepAnalysis {
    /// Name of the vector.
    pub vector: String,
    /// Variant of the edit ratio.
    pub variant: EditRatioVariant,
    /// Ascending by coefficient.
    pub coefficients: Vec<CoefficientSummary>,
    /// Prompts, by the index of their triple.
    pub prompts: Vec<usize>,
    /// Edit ratio of each prompt at each coefficient.
    pub per_prompt: Vec<Vec<f64>>,
    /// Where outputs stay coherent; `None` when coefficient 0 was not run.
    pub coherent_range: Option<CoherentRange>,
    /// The line within the coherent range; `None` when that holds fewer than three coefficients.
    pub fit: Option<SweepFit>,
    /// The line through all coefficients; `None` with fewer than three coefficients or two prompts.
    pub fit_all: Option<SweepFit>,
    /// What makes its intervals doubtful, where something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// Why intervals over so few prompts are not to be relied on.
fn doubt(n_prompts: usize) -> Option<String> {
    let is_few = (2..FEWEST_UNITS).contains(&n_prompts);
    is_few.then(|| {
        format!(
            "Intervals over {n_prompts} prompts are too narrow (resamples of fewer than {FEWEST_UNITS} say little): take more."
        )
    })
}

/// Analyses the rows of `vector`; prompts that lack a coefficient, or whose ratio is undefined, are left out.
///
/// # Shapes
/// `per_prompt` of the result is (prompts, coefficients), both ascending.
///
/// # Errors
/// No complete prompt.
pub fn analyse(
    rows: &[SweepRow],
    vector: &str,
    variant: EditRatioVariant,
    bound: f64,
    bootstrap: &BootstrapOptions,
) -> Result<SweepAnalysis> {
    let rows: Vec<&SweepRow> = rows.iter().filter(|row| row.vector == vector || row.coefficient == 0.0).collect();
    let mut coefficients: Vec<f32> = rows.iter().map(|row| row.coefficient).collect();
    coefficients.sort_by(f32::total_cmp);
    coefficients.dedup();
    let mut prompts: Vec<usize> = rows.iter().map(|row| row.row).collect();
    prompts.sort_unstable();
    prompts.dedup();
    let cell = |prompt: usize, coefficient: f32| {
        let found = rows.iter().find(|row| row.row == prompt && row.coefficient == coefficient);
        found.and_then(|row| row.ratios.ratio(variant))
    };
    let ratios = |&prompt: &usize| coefficients.iter().map(|&c| cell(prompt, c)).collect::<Option<Vec<f64>>>();
    prompts.retain(|prompt| ratios(prompt).is_some());
    let per_prompt: Vec<Vec<f64>> = prompts.iter().filter_map(ratios).collect();
    if per_prompt.is_empty() {
        return Err(Error::NoCompletePrompt { vector: vector.into() });
    }
    let summaries: Vec<CoefficientSummary> = coefficients
        .iter()
        .enumerate()
        .map(|(i, &coefficient)| {
            let at: Vec<&SweepRow> =
                rows.iter().copied().filter(|r| r.coefficient == coefficient && prompts.contains(&r.row)).collect();
            summarise(coefficient, &at, mean(per_prompt.iter().map(|ratios| ratios[i])).unwrap_or(0.0))
        })
        .collect();

    let x: Vec<f64> = summaries.iter().map(|summary| summary.coefficient).collect();
    let nll: Vec<Option<f64>> = summaries.iter().map(|summary| summary.nll).collect();
    let coherent = match x.contains(&0.0) && nll[x.iter().position(|c| *c == 0.0).unwrap_or(0)].is_some() {
        true => Some(coherent_range(&x, &nll, bound)?),
        false => None,
    };
    let fit_range = |range: std::ops::RangeInclusive<usize>| -> Result<Option<SweepFit>> {
        let x = &x[range.clone()];
        if x.len() < MIN_POINTS || per_prompt.len() < 2 {
            return Ok(None);
        }
        let ratios: Vec<Vec<f64>> = per_prompt.iter().map(|ratios| ratios[range.clone()].to_vec()).collect();
        bootstrap_sweep(x, &ratios, bootstrap).map(Some)
    };
    let n_prompts = prompts.len();
    let fit = coherent.as_ref().map(|range| fit_range(range.indices())).transpose()?.flatten();
    let fit_all = fit_range(0..=x.len() - 1)?;
    Ok(SweepAnalysis {
        vector: vector.into(),
        variant,
        coefficients: summaries,
        prompts,
        per_prompt,
        coherent_range: coherent,
        fit,
        fit_all,
        doubt: doubt(n_prompts),
    })
}

fn summarise(coefficient: f32, rows: &[&SweepRow], mean_edit_ratio: f64) -> CoefficientSummary {
    let share = |holds: &dyn Fn(&SweepRow) -> bool| {
        rows.iter().filter(|row| holds(row)).count() as f64 / rows.len().max(1) as f64
    };
    CoefficientSummary {
        coefficient: f64::from(coefficient),
        mean_edit_ratio,
        similarity: mean(rows.iter().map(|row| row.ratios.similarity)).unwrap_or(0.0),
        reference_similarity: mean(rows.iter().filter_map(|row| row.reference_similarity)),
        exact_copy_share: share(&|row| row.ratios.exact_copy),
        nll: mean(rows.iter().filter_map(|row| row.nll)),
        repetition: mean(rows.iter().map(|row| row.repetition)).unwrap_or(0.0),
        truncated_share: share(&|row| row.truncated),
        empty_share: share(&|row| row.n_tokens == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redline_steer::EditRatios;

    fn row(row: usize, coefficient: f32, output: &str, nll: f64) -> SweepRow {
        SweepRow {
            vector: "correction".into(),
            row,
            coefficient,
            output: output.into(),
            n_tokens: 1,
            truncated: false,
            ratios: EditRatios::new("abcd", output),
            reference_similarity: None,
            repetition: 0.0,
            nll: Some(nll),
            effect: Default::default(),
        }
    }

    #[test]
    fn the_line_is_fitted_inside_the_coherent_range_only() {
        let outputs = [(-1.0, "abcd", 1.0), (0.0, "abcx", 1.0), (1.0, "abxx", 1.2), (2.0, "zzzzzzzzzzzz", 9.0)];
        let rows: Vec<SweepRow> = (0..3).flat_map(|p| outputs.map(|(c, text, nll)| row(p, c, text, nll))).collect();
        let analysis = analyse(&rows, "correction", EditRatioVariant::Char, 0.5, &BootstrapOptions::default()).unwrap();
        let range = analysis.coherent_range.unwrap();
        assert_eq!((range.low, range.high), (-1.0, 1.0));
        let fit = analysis.fit.unwrap();
        assert!((fit.line.slope - 0.25).abs() < 1e-12 && (fit.line.r2.unwrap() - 1.0).abs() < 1e-12);
        assert!(analysis.fit_all.unwrap().line.slope > 0.5, "the collapse at 2 would fake a steeper dial");
    }

    #[test]
    fn incomplete_prompts_are_left_out() {
        let rows = [row(0, 0.0, "abcd", 1.0), row(0, 1.0, "abcx", 1.0), row(1, 0.0, "abcd", 1.0)];
        let analysis = analyse(&rows, "correction", EditRatioVariant::Char, 0.5, &BootstrapOptions::default()).unwrap();
        assert_eq!(analysis.prompts, [0]);
        assert!(analysis.fit.is_none(), "two coefficients make no line");
    }
}
