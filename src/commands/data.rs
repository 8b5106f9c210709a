//! `redline data`: making and checking triples.

use std::path::Path;
use std::process::ExitCode;

use redline::data::corrupt::{CorruptOptions, CorruptedRow, Corruptor};
use redline::data::scramble::scrambled;
use redline::data::synth::Corpus;
use redline::data::{
    DataError, FilterOptions, RowFormat, Rows, check_leak, filter, filter_rows, read_corrupted, read_data, split_rows,
    write_json_lines,
};
use redline::model::Question;
use redline::model::qac::{JsonRow, read_objects};
use redline::probe::split::PartSizes;
use serde_json::{Value, json};

use crate::cli::{CleanArgs, CorruptArgs, DataCommand, LeakArgs, ScrambleArgs, SplitArgs, SynthArgs};
use crate::output;
use crate::session::{check_distinct, check_output, hinted};

pub fn run(command: &DataCommand, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        DataCommand::Synth(args) => synth(args, json),
        DataCommand::Corrupt(args) => corrupt(args, json),
        DataCommand::Scramble(args) => scramble(args, json),
        DataCommand::Clean(args) => clean(args, json),
        DataCommand::Split(args) => split(args, json),
        DataCommand::Leak(args) => leak(args, json),
    }
}

fn synth(args: &SynthArgs, json: bool) -> anyhow::Result<ExitCode> {
    check_output(&args.out)?;
    let corruptor = Corruptor::new(CorruptOptions { seed: args.seed, clean_share: args.clean_share })?;
    let texts = Corpus::built_in()?.texts(args.seed, args.rows)?;
    let rows = texts.iter().zip(0..).map(|(text, row)| text.corrupted(row, &corruptor));
    finish(&rows.collect::<Result<Vec<_>, _>>()?, &args.out, json)
}

fn corrupt(args: &CorruptArgs, json: bool) -> anyhow::Result<ExitCode> {
    let corruptor = Corruptor::new(CorruptOptions { seed: args.seed, clean_share: args.clean_share })?;
    check_output(&args.out)?;
    check_distinct(&[&args.out], &args.file)?;
    let clean = clean_answers(&args.file)?;
    let (clean, report) = filter_rows(clean, &FilterOptions::default())?;
    output::note!("{}: {report}", args.file.display());
    let rows = clean.iter().zip(0..).map(|(text, row)| corruptor.corrupt(row, &text.question, &text.answer));
    finish(&rows.collect::<Result<Vec<_>, _>>()?, &args.out, json)
}

/// The clean answers of a file; rows that carry their flaws carry those too, and are corrupted anew.
fn clean_answers(path: &Path) -> Result<Vec<Question>, DataError> {
    match read_corrupted(path)? {
        Some(rows) => Ok(rows.into_iter().map(|row| Question { question: row.question, answer: row.clean }).collect()),
        None => read_data(path)?.into_clean_answers(),
    }
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

fn scramble(args: &ScrambleArgs, json: bool) -> anyhow::Result<ExitCode> {
    check_output(&args.out)?;
    check_distinct(&[&args.out], &args.file)?;
    let texts = read_data(&args.file)?.into_answers();
    let rows = scrambled(&texts, args.seed, args.rows)?;
    write_json_lines(&rows, &args.out)?;
    say_written(&args.out, rows.len(), json)
}

fn clean(args: &CleanArgs, json: bool) -> anyhow::Result<ExitCode> {
    check_output(&args.out)?;
    check_distinct(&[&args.out], &args.file)?;
    let (rows, report) = filter(read_data(&args.file)?.rows, &FilterOptions { max_chars: args.max_chars })?;
    match &rows {
        Rows::Qac(rows) => write_json_lines(rows, &args.out)?,
        Rows::Preference(rows) => {
            write_json_lines(&rows.iter().map(|row| row.to_qac()).collect::<Vec<_>>(), &args.out)?;
        }
        Rows::QuestionAnswer(rows) => write_json_lines(rows, &args.out)?,
        _ => {}
    }
    match json {
        true => output::json(&json!({ "schema": "redline.clean.v1", "file": args.out, "report": report }))?,
        false => output::line(&format!("{}: {report}", args.out.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows keep all their fields, whatever kind they are.
fn split(args: &SplitArgs, json: bool) -> anyhow::Result<ExitCode> {
    if !(args.share > 0.0 && args.share < 1.0) {
        return Err(DataError::Share { what: "the share of held-out questions", got: args.share }.into());
    }
    check_output(&args.out)?;
    check_output(&args.held_out)?;
    check_distinct(&[&args.out, &args.held_out], &args.file)?;
    let rows = read_objects(&args.file)?;
    let keys = rows.iter().map(|row| split_key(row, args)).collect::<anyhow::Result<Vec<String>>>()?;
    let rows: Vec<Value> = rows.into_iter().map(|row| Value::Object(row.fields)).collect();
    let parts = split_rows(&rows, &keys, &PartSizes::Shares(vec![1.0 - args.share, args.share]), args.seed)?;
    write_json_lines(&parts[0], &args.out)?;
    write_json_lines(&parts[1], &args.held_out)?;
    let written = [(&args.out, parts[0].len()), (&args.held_out, parts[1].len())];
    if json {
        let files = written.map(|(file, n_rows)| json!({ "file": file, "n_rows": n_rows }));
        output::json(&json!({ "schema": "redline.split.v1", "files": files }))?;
    } else {
        written.iter().try_for_each(|(file, n_rows)| output::line(&format!("{}: {n_rows} rows", file.display())))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a row is split by; of dialogues, whose question is in the text, everything before the last answer.
fn split_key(row: &JsonRow, args: &SplitArgs) -> anyhow::Result<String> {
    let text = |field: &str| row.fields.get(field).and_then(Value::as_str);
    let dialogue = || text("chosen")?.rsplit_once("Assistant:").map(|(question, _)| question);
    let key = text(&args.by).or_else(|| if args.by == "question" { dialogue() } else { None });
    key.map(str::to_owned).ok_or_else(|| {
        let format = RowFormat::QuestionAnswerCorrection;
        let message = format!("{}:{}: no text in `{}` to split by", args.file.display(), row.line, args.by);
        hinted(message, format!("give a field that all rows have with --by; {format} rows have `question`"))
    })
}

fn say_written(path: &Path, n_rows: usize, json: bool) -> anyhow::Result<ExitCode> {
    match json {
        true => output::json(&json!({ "schema": "redline.data.v1", "file": path, "n_rows": n_rows }))?,
        false => output::line(&format!("{}: {n_rows} rows", path.display()))?,
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
