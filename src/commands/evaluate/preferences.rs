//! `redline evaluate --preferences`: win rates from the preferences of a judge that are there already.

use std::path::Path;

use redline::lab::win_rate::{Annotation, Controlled, GamedRow, Instruction, LengthControl, Regularisation, read_rows};
use serde_json::json;

use crate::cli::judging::JudgingArgs;
use crate::output;

pub fn run(preferences: &Path, args: &JudgingArgs, json: bool) -> anyhow::Result<()> {
    let rows: Vec<Annotation> = read_rows(preferences)?;
    let instructions: Vec<Instruction> = args.instructions.as_deref().map(read_rows).transpose()?.unwrap_or_default();
    let gamed: Vec<GamedRow> = args.gamed.as_deref().map(read_rows).transpose()?.unwrap_or_default();
    let found = LengthControl::of(&rows, &instructions, &gamed, Regularisation::CrossValidated)
        .map_err(redline::lab::Error::from)?;
    if gamed.is_empty() {
        output::note!(
            "without --gamed the length-controlled rate rests on sums that are built in, up to three points off"
        );
    }
    if json { as_json(&found) } else { output::line(&as_text(&found)) }
}

fn as_json(found: &LengthControl) -> anyhow::Result<()> {
    let mut value = serde_json::to_value(found.raw)?;
    value["schema"] = json!("redline.win-rate.v1");
    value["lc_win_rate"] = json!(found.win_rate());
    match found.controlled {
        Controlled::Rate(rate) => {
            value["lc_standard_error"] = json!(rate.prediction.standard_error);
            value["weights"] = json!(rate.weights);
            value["c"] = json!(rate.c);
            value["basis"] = json!(rate.basis);
        }
        Controlled::Withheld(reason) => value["lc_withheld"] = json!(reason.to_string()),
    }
    output::json(&value)
}

fn as_text(found: &LengthControl) -> String {
    let raw = &found.raw;
    let error = |error: Option<f64>| error.map_or_else(String::new, |error| format!(" (standard error {error:.2})"));
    let mut lines = vec![
        format!(
            "rows               {}, {} left out without a preference, {} instructions without a row",
            raw.n, raw.n_left_out, raw.n_missing
        ),
        format!("wins, draws, losses  {}, {}, {}", raw.n_wins, raw.n_draws, raw.n_losses),
        format!("win rate           {:.2} %{}", raw.win_rate, error(raw.standard_error)),
        format!("length             {:.0} characters in the mean", raw.average_length),
    ];
    lines.push(match found.controlled {
        Controlled::Rate(rate) => {
            let prediction = rate.prediction;
            format!(
                "length-controlled  {:.2} %{} (C {:.3})",
                prediction.win_rate,
                error(prediction.standard_error),
                rate.c
            )
        }
        Controlled::Withheld(reason) => format!("length-controlled  none: {reason}"),
    });
    lines.join("\n")
}
