//! `redline check`: a model against reference numbers.

use std::process::ExitCode;

use redline::reference::{Comparison, compare};
use serde_json::json;

use crate::cli::CheckArgs;
use crate::output;
use crate::session::load_model;

pub fn run(args: &CheckArgs, json: bool) -> anyhow::Result<ExitCode> {
    let model = load_model(&args.model)?;
    let comparison = compare(&model.decoder, &args.reference)?;
    let passes = comparison.within(args.tolerance);
    if json {
        let mut value = serde_json::to_value(&comparison)?;
        value["schema"] = json!("redline.check.v1");
        value["tolerance"] = json!(args.tolerance);
        value["passes"] = json!(passes);
        output::json(&value)?;
    } else {
        output::line(&as_text(&comparison, args.tolerance, passes))?;
    }
    Ok(if passes { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn as_text(comparison: &Comparison, tolerance: f64, passes: bool) -> String {
    let number =
        |value: Option<f64>| value.map_or_else(|| "not in the reference".into(), |value| format!("{value:.2e}"));
    let greedy = match comparison.greedy_equal {
        Some(true) => "equal",
        Some(false) => "different",
        None => "not in the reference",
    };
    format!(
        "hidden_max_rel          {}\nlogits_max_rel          {}\nsteered_logits_max_rel  {}\ngreedy_equal            {}\n\
         {} (tolerance {tolerance:.0e})",
        number(comparison.hidden_max_rel),
        number(comparison.logits_max_rel),
        number(comparison.steered_logits_max_rel),
        greedy,
        if passes { "passes" } else { "FAILS" },
    )
}
