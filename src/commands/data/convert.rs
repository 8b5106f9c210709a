//! `redline data convert`: rows of one kind from those of another.

use std::process::ExitCode;

use redline::data::convert::{ConvertOptions, Converted, SourceFormat, convert_file};
use redline::data::parquet_file::write_parquet;
use redline::data::write_json_lines;
use serde_json::json;

use crate::cli::ConvertArgs;
use crate::failure::refuse_useless;
use crate::{output, rows};

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
    match args.out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
        true => write_parquet(&converted, &args.out)?,
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
