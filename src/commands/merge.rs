//! `redline merge`: parts of a sweep or of corrected rows → the whole.

use std::process::ExitCode;

use redline::lab::shards::{Merged, merged};
use redline::model::files::write_atomically;
use serde_json::json;

use crate::cli::merge::MergeArgs;
use crate::output;

pub fn run(args: &MergeArgs, json: bool) -> anyhow::Result<ExitCode> {
    let Merged { kind, text, n_rows } = merged(&args.files)?;
    write_atomically(&args.out, text.as_bytes())?;
    match json {
        true => output::json(&json!({
            "schema": "redline.merge.v1",
            "file": args.out,
            "kind": kind,
            "n_parts": args.files.len(),
            "n_rows": n_rows,
        }))?,
        false => output::line(&format!(
            "{}: {} of {} parts",
            args.out.display(),
            output::rows_in_words(n_rows),
            args.files.len()
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}
