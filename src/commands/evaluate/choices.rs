//! `redline evaluate --choices`: which of several given answers a model finds likeliest.

use std::path::Path;

use redline::lab::Error;
use redline::lab::choices::{Choice, Choices, choice_log_probs};
use redline::lab::win_rate::ResampleOptions;
use serde_json::json;

use crate::cli::EvaluateArgs;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::{interrupt, models, output, rows};

pub fn run(args: &EvaluateArgs, data: &Path, json: bool) -> anyhow::Result<()> {
    let mut choices = Choices::read(data).map_err(Error::from)?;
    choices.rows.truncate(args.prompts);
    if let Some(left_out) = choices.report.left_out.first().filter(|_| rows::is_strict()) {
        return Err(hinted(
            format!("{}: line {}: {}", data.display(), left_out.first_line, left_out.first),
            "mend the row, or leave --strict out",
        ));
    }
    for left_out in &choices.report.left_out {
        let n = output::rows_in_words(left_out.n_rows);
        output::note!("note: {}: {n} left out, line {} first: {}", data.display(), left_out.first_line, left_out.first);
    }
    if choices.report.n_read > choices.rows.len() {
        output::note!(
            "{}: {} of {} rows are used (--prompts)",
            data.display(),
            choices.rows.len(),
            choices.report.n_read
        );
    }
    let model = models::open_model(&args.model)?;
    let mut log_probs = |asked: &[Choice<'_>]| {
        interrupt::check()?;
        choice_log_probs(&model, asked)
    };
    let table =
        choices.measure(ResampleOptions::default(), &mut log_probs, &mut Shown::default()).map_err(Error::from)?;
    table.unscored().into_iter().for_each(|note| output::note!("{note}"));
    match json {
        true => output::json(&json!({
            "schema": "redline.choices.v1",
            "data": data,
            "model_hash": model.fingerprint,
            "counts_end": false,
            "report": choices.report,
            "table": table,
        })),
        false => output::line(table.to_string().trim_end()),
    }
}
