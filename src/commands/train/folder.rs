//! The folder of a run: what it writes must not take the place of what is read, nor of files that no run wrote.

use std::path::Path;

use redline::experiment::TrainingRecord;
use redline::model::files::read_text;
use serde_json::Value;

use crate::cli::train::{MethodName, TrainArgs};
use crate::session::{hinted, place};

/// The log.
pub const LOG: &str = "train.jsonl";
/// Most bytes of a log; a million steps have 200 MB.
pub const MOST_LOG: u64 = 1 << 30;
/// What is written beside the log under names that other files have too.
const COMMON: [&str; 3] = ["outputs.jsonl", "settings.json", "summary.json"];

/// Refuses a folder where the run would replace something else.
pub fn check(args: &TrainArgs) -> anyhow::Result<()> {
    let hint = "give --out a folder of its own";
    let result = if args.method == MethodName::Lora { "adapter" } else { "model" };
    let data = [Some(args.data.as_path()), args.validation.as_deref(), args.run.warmup_data.as_deref()];
    for input in data.into_iter().chain([args.model.as_deref()]).flatten() {
        let written = COMMON.into_iter().chain([LOG, result]).map(|name| args.out.join(name));
        let is_in =
            |output: &Path| place(output).zip(place(input)).is_some_and(|(output, input)| input.starts_with(output));
        if let Some(output) = written.into_iter().find(|output| is_in(output)) {
            let message = format!("{}: training would write {} in its place", input.display(), output.display());
            return Err(hinted(message, hint));
        }
    }
    let log = args.out.join(LOG);
    let other = match log.exists() {
        true => (!is_log(&log)).then_some(log),
        false => COMMON.iter().map(|name| args.out.join(name)).find(|path| path.exists()),
    };
    match other {
        Some(path) => Err(hinted(format!("{}: is there, and no training wrote it", path.display()), hint)),
        None => Ok(()),
    }
}

/// Whether the first line is a record, or the beginning of one; a log may be empty.
fn is_log(path: &Path) -> bool {
    let Ok(text) = read_text(path, MOST_LOG) else { return false };
    match text.split_once('\n') {
        Some((first, _)) => serde_json::from_str::<TrainingRecord>(first).is_ok(),
        None => text.is_empty() || (text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err()),
    }
}
