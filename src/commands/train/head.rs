//! A reward model with a frozen body: its head is fitted at once to the last states of the texts.

use redline::data::pairs::PreferenceRow;
use redline::lab::reward::{HeadOptions, HeadOutcome, train_head};
use serde_json::{Value, json};

use crate::cli::train::TrainArgs;
use crate::cli::train_pairs::Objective;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::output;

use super::pairs::from_scratch;
use super::rows::TrainingRows;
use super::{options, stored_type};

/// Reads the texts, fits the head and writes the model; returns the summary that is also in the folder.
pub fn run(args: &TrainArgs, json: bool) -> anyhow::Result<()> {
    options::check(args)?;
    if args.pairs.objective != Objective::Reward {
        return Err(hinted("--method head trains a scalar head alone", "give --objective reward, or another --method"));
    }
    let model = args.model.as_deref().ok_or_else(from_scratch)?;
    let rows = TrainingRows::<PreferenceRow>::read(args)?;
    let options = HeadOptions {
        model,
        training: &rows.training,
        held_out: &rows.held_out,
        max_tokens: args.run.max_tokens,
        batch_rows: args.run.batch_rows,
        seed: args.run.seed,
        out: &args.out,
        stored: stored_type(args),
    };
    let outcome = train_head(&options, &mut Shown::default())?;
    let mut summary: Value = serde_json::to_value(&outcome)?;
    summary["schema"] = json!("redline.train-head.v1");
    summary["version"] = json!(env!("CARGO_PKG_VERSION"));
    summary["data"] = json!(args.data);
    output::json_file(&args.out.join("summary.json"), &summary)?;
    if json { output::json(&summary) } else { output::line(&as_text(&outcome, args)) }
}

fn as_text(outcome: &HeadOutcome, args: &TrainArgs) -> String {
    let HeadOutcome { n_training, strength, left_out_accuracy, held_out, .. } = outcome;
    let mut text = format!(
        "{n_training} pairs; of those left out {:.1} % in the right order (weight of the squared norm {strength})",
        100.0 * left_out_accuracy
    );
    if let Some(held_out) = held_out {
        let [low, high] = [held_out.interval.low, held_out.interval.high].map(|end| 100.0 * end);
        let (accuracy, n) = (100.0 * held_out.accuracy, held_out.n);
        text += &format!("\nheld out: {accuracy:.1} % of {n} pairs in the right order [{low:.1}, {high:.1}]");
    }
    text + &format!("\nrun: {}", args.out.display())
}
