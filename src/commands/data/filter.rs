//! `redline data filter`: a set of rows from beginning to end, with an account of every row that is removed.

use std::process::ExitCode;

use redline::data::clean::{CleanLeakOptions, CleanNearOptions, CleanOptions, Cleaned, RemovedRow, clean_rows};
use redline::data::filters::{RowFilter, RowFilterOptions};
use redline::data::near::NearOptions;
use redline::data::near_leak::NearLeakOptions;
use redline::data::{DataRow, Need, write_json_lines};
use redline::figures::funnel_of;
use redline::model::qac::Fields;
use redline::plot::write_both;
use serde_json::json;

use crate::cli::FilterArgs;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::{output, rows};

use super::near::compared;

/// Filters that are off unless asked for: of what they remove in data sets of others much is sound, lists and sums above all.
const OFF: [RowFilter; 3] = [RowFilter::MeanWordLength, RowFilter::RepeatingTopNgrams, RowFilter::Boilerplate];

pub fn run(args: &FilterArgs, json: bool) -> anyhow::Result<ExitCode> {
    let file = rows::read_with_empty(&args.file, Need::Answer)?;
    let n_left_out = file.report.n_left_out();
    let leak = args.leak_to.as_deref().map(|path| rows::read(path, Need::Question)).transpose()?;
    let leak = leak.map(|file| CleanLeakOptions {
        texts: file.questions().into_iter().map(str::to_owned).collect(),
        leak: NearLeakOptions::default(),
        ..CleanLeakOptions::default()
    });
    let near = NearOptions { threshold: args.near, ..NearOptions::default() };
    let options = CleanOptions {
        exact_duplicates: true,
        filters: RowFilterOptions::default().without(&OFF).with(&args.also).without(&args.without),
        near: Some(CleanNearOptions { compared: compared(args.compare), near, keep: false }),
        leak,
    };
    let Cleaned { kept, funnel, near, leak, removed, .. } = clean_rows(file.rows, &options, &mut Shown::default())?;
    if kept.is_empty() {
        let removed = funnel.steps().into_iter().filter(|step| step.removed > 0);
        let why: Vec<String> =
            removed.map(|step| format!("{} {} ({})", step.removed, step.stage, step.filter)).collect();
        return Err(hinted(
            format!("no rows are left: {}", why.join(", ")),
            "leave stages out with --without, --near 1",
        ));
    }
    write_json_lines(&kept.iter().map(DataRow::written).collect::<Vec<_>>(), &args.out)?;
    if let Some(stem) = &args.figure {
        write_both(&funnel_of(&funnel), stem)?;
    }
    if let Some(path) = &args.removed {
        write_json_lines(&removed.iter().map(written_removed).collect::<Vec<_>>(), path)?;
    }
    if json {
        let leak = leak.map(|leak| json!({ "n_pairs": leak.n_pairs, "nearest": leak.histogram(20) }));
        output::json(&json!({
            "schema": "redline.filter.v1",
            "file": args.out,
            "figure": args.figure,
            "n_unusable": n_left_out,
            "n_kept": kept.len(),
            "removed_file": args.removed,
            "funnel": funnel.steps(),
            "near": near,
            "leak": leak,
        }))?;
    } else {
        output::line(funnel.table().trim_end())?;
        output::line(&format!("{}: {}", args.out.display(), output::rows_in_words(kept.len())))?;
        if let Some(path) = &args.removed {
            output::line(&format!("{}: {}", path.display(), output::rows_in_words(removed.len())))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A removed row as it is written, with what removed it.
fn written_removed(RemovedRow { row, stage, filter, .. }: &RemovedRow<DataRow>) -> Fields {
    let mut fields = row.written();
    fields.put("removed", json!({ "line": row.line, "stage": stage, "filter": filter }));
    fields
}
