//! `redline ratio`: how much of the answers in a file was rewritten.

use std::process::ExitCode;

use redline::steer::{EditRatioSummary, EditRatioVariant, edit_ratios, summarize_edit_ratios};
use serde_json::json;

use crate::cli::RatioArgs;
use crate::{output, rows};

pub fn run(args: &RatioArgs, json: bool) -> anyhow::Result<ExitCode> {
    let triples = rows::triples(&args.file)?;
    let rows: Vec<(&str, &str)> = triples.iter().map(|qac| (qac.answer.trim(), qac.correction.trim())).collect();
    let summary = summarize_edit_ratios(&edit_ratios(&rows))?;
    if json {
        output::json(&as_json(&summary))?;
    } else {
        output::line(&as_text(&summary))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(summary: &EditRatioSummary) -> serde_json::Value {
    let mut value = json!({
        "schema": "redline.ratio.v1",
        "n": summary.n,
        "exact_copy_share": summary.exact_copy_share,
        "mean_similarity": summary.mean_similarity,
    });
    for variant in EditRatioVariant::ALL {
        let ratio = summary.ratio(variant);
        value[variant.name()] = json!({ "mean": ratio.mean, "median": ratio.median });
    }
    value
}

fn as_text(summary: &EditRatioSummary) -> String {
    let rows: Vec<Vec<String>> = EditRatioVariant::ALL
        .iter()
        .map(|&variant| {
            let ratio = summary.ratio(variant);
            vec![variant.to_string(), output::number(ratio.mean), output::number(ratio.median)]
        })
        .collect();
    format!(
        "n {}\nexact copies {:.1} %\nmean similarity {:.3}\n\n{}",
        summary.n,
        100.0 * summary.exact_copy_share,
        summary.mean_similarity,
        output::table(&["edit ratio", "mean", "median"], &rows)
    )
}
