//! `redline data`: making and checking triples.

use std::path::Path;
use std::process::ExitCode;

use redline::data::corrupt::{CorruptOptions, CorruptedRow, Corruptor};
use redline::data::synth::Corpus;
use redline::data::{FilterOptions, check_leak, filter_rows, read_data, write_json_lines};
use serde_json::json;

use crate::cli::{CorruptArgs, DataCommand, LeakArgs, SynthArgs};
use crate::output;

pub fn run(command: &DataCommand, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        DataCommand::Synth(args) => synth(args, json),
        DataCommand::Corrupt(args) => corrupt(args, json),
        DataCommand::Leak(args) => leak(args, json),
    }
}

fn synth(args: &SynthArgs, json: bool) -> anyhow::Result<ExitCode> {
    let corruptor = Corruptor::new(CorruptOptions { seed: args.seed, clean_share: args.clean_share })?;
    let texts = Corpus::built_in()?.texts(args.seed, args.rows)?;
    let rows = texts.iter().zip(0..).map(|(text, row)| text.corrupted(row, &corruptor));
    finish(&rows.collect::<Result<Vec<_>, _>>()?, &args.out, json)
}

fn corrupt(args: &CorruptArgs, json: bool) -> anyhow::Result<ExitCode> {
    let corruptor = Corruptor::new(CorruptOptions { seed: args.seed, clean_share: args.clean_share })?;
    let clean = read_data(&args.file)?.into_clean_answers()?;
    let (clean, report) = filter_rows(clean, &FilterOptions::default())?;
    eprintln!("{}: {}", args.file.display(), serde_json::to_string(&report)?);
    let rows = clean.iter().zip(0..).map(|(text, row)| corruptor.corrupt(row, &text.question, &text.answer));
    finish(&rows.collect::<Result<Vec<_>, _>>()?, &args.out, json)
}

/// Writes the rows and says what they are.
fn finish(rows: &[CorruptedRow], out: &Path, json: bool) -> anyhow::Result<ExitCode> {
    write_json_lines(rows, out)?;
    let clean = rows.iter().filter(|row| row.is_clean()).count();
    let flaws: usize = rows.iter().map(|row| row.flaws.len()).sum();
    if json {
        output::json(&json!({
            "schema": "redline.data.v1",
            "file": out,
            "n_rows": rows.len(),
            "n_clean": clean,
            "n_flaws": flaws,
        }))?;
    } else {
        output::line(&format!("{}: {} rows, {clean} clean copies, {flaws} flaws", out.display(), rows.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn leak(args: &LeakArgs, json: bool) -> anyhow::Result<ExitCode> {
    check_leak(&args.a, &args.b)?;
    match json {
        true => output::json(&json!({ "schema": "redline.leak.v1", "shared_questions": 0 }))?,
        false => output::line("no question is in both files")?,
    }
    Ok(ExitCode::SUCCESS)
}
