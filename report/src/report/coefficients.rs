//! A sweep as a table of texts.

use redline_lab::experiment::SweepAnalysis;

use super::Table;

/// A line a coefficient.
pub fn coefficient_cells(analysis: &SweepAnalysis) -> Table {
    let intervals = analysis.fit_all.as_ref().map(|fit| &fit.mean_ratio_interval);
    let rows: Vec<Vec<String>> = analysis
        .coefficients
        .iter()
        .enumerate()
        .map(|(i, at)| {
            let interval = intervals.and_then(|intervals| intervals.get(i));
            vec![
                format!("{}", at.coefficient),
                format!("{:.3}", at.mean_edit_ratio),
                interval.map_or_else(|| "–".into(), |at| format!("[{:.3}, {:.3}]", at.low, at.high)),
                format!("{:.3}", at.exact_copy_share),
                number(at.reference_similarity),
                number(at.nll),
                format!("{:.3}", at.repetition),
                format!("{:.3}", at.truncated_share),
            ]
        })
        .collect();
    let ratio = format!("{} ratio", analysis.variant);
    let header =
        ["coefficient", &ratio, "95 %", "exact copies", "like reference", "nll/token", "repetition", "cut off"];
    Table { header: header.map(str::to_owned).to_vec(), rows }
}

/// A number with three decimals, or a dash.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.3}"))
}
