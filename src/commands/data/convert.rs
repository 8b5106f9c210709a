//! `redline data convert`: rows of one kind from those of another.

use std::collections::BTreeSet;
use std::process::ExitCode;

use redline::data::convert::{ConvertOptions, Converted, SourceFormat, convert_file};
use redline::data::parquet_file::write_parquet;
use redline::data::write_json_lines;
use redline::model::qac::Fields;
use serde_json::json;

use crate::cli::ConvertArgs;
use crate::failure::{hinted, refuse_useless};
use crate::{output, rows};

/// Columns of messages, which Parquet holds as such.
const MESSAGES: [&str; 4] = ["prompt", "chosen", "rejected", "completion"];

/// Says which fields Parquet holds as text.
fn say_nested(args: &ConvertArgs, converted: &[Fields]) {
    let is_nested = |row: &Fields, name: &str| matches!(row.raw(name).map(str::trim_start), Some(raw) if raw.starts_with(['[', '{']));
    let names = |row: &Fields| row.names().map(str::to_owned).collect::<Vec<_>>();
    let nested: BTreeSet<String> = converted
        .iter()
        .flat_map(|row| {
            names(row)
                .into_iter()
                .filter(|name| !MESSAGES.contains(&name.as_str()) && is_nested(row, name))
                .collect::<Vec<_>>()
        })
        .collect();
    if !nested.is_empty() {
        let names: Vec<&str> = nested.iter().map(String::as_str).collect();
        output::note!("{}: lists and objects are written as JSON text: {}", args.out.display(), names.join(", "));
    }
}

pub fn run(args: &ConvertArgs, json: bool) -> anyhow::Result<ExitCode> {
    let options = ConvertOptions {
        from: args.from,
        to: args.to,
        dimension: args.dimension.unwrap_or_default(),
        seed: args.seed.unwrap_or_default(),
        is_strict: rows::is_strict(),
    };
    let Converted { rows: converted, formats, report } = convert_file(&args.file, options)?;
    let is_there = |format: SourceFormat| formats.iter().any(|rows| rows.format == format.name());
    let useless = [
        (args.dimension.is_some() && !is_there(SourceFormat::PkuSafeRlhf), "--dimension"),
        (args.seed.is_some() && !is_there(SourceFormat::UltraFeedback), "--seed"),
    ];
    refuse_useless(&useless, "for rows of these formats")?;
    rows::say(&args.file, &report);
    let is_parquet = args.out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    if is_parquet {
        say_nested(args, &converted);
    }
    match is_parquet {
        true => write_parquet(&converted, &args.out).map_err(|error| {
            let hint = error.hint().unwrap_or("write the rows as JSON Lines instead").to_owned();
            hinted(format!("{}: {error}", args.out.display()), hint)
        })?,
        false => write_json_lines(&converted, &args.out)?,
    }
    if json {
        output::json(&json!({
            "schema": "redline.convert.v1",
            "file": args.out,
            "to": args.to.name(),
            "n_rows": converted.len(),
            "formats": formats,
            "report": report,
        }))?;
    } else {
        let of = |rows: &redline::data::convert::FormatRows| format!("{} {}", rows.n_rows, rows.format);
        let from = formats.iter().map(of).collect::<Vec<_>>().join(", ");
        let (out, n) = (args.out.display(), output::rows_in_words(converted.len()));
        output::line(&format!("{out}: {n} as {}, from {from}", args.to.name()))?;
    }
    Ok(ExitCode::SUCCESS)
}
