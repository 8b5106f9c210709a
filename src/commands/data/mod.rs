//! `redline data`: making and checking triples.

mod annotate;
mod annotate_report;
mod convert;
mod filter;
mod near;
mod traits;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use redline::data::apart::{ApartOptions, rows_apart};
use redline::data::corrupt::{CorruptOptions, CorruptedRow, Corruptor};
use redline::data::filter::TextRow;
use redline::data::scramble::scrambled;
use redline::data::synth::Corpus;
use redline::data::{
    DataError, DataRow, FilterOptions, Need, RowFault, check_leak, filter_rows, read_each, split_rows, write_json_lines,
};
use redline::model::Question;
use redline::model::qac::Fields;
use redline::probe::split::PartSizes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::{CleanArgs, CorruptArgs, DataCommand, LeakArgs, ScrambleArgs, SplitArgs, SynthArgs};
use crate::output::rows_in_words;
use crate::{output, rows};

pub fn run(command: &DataCommand, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        DataCommand::Synth(args) => synth(args, json),
        DataCommand::Corrupt(args) => corrupt(args, json),
        DataCommand::Scramble(args) => scramble(args, json),
        DataCommand::Clean(args) => clean(args, json),
        DataCommand::Convert(args) => convert::run(args, json),
        DataCommand::Near(args) => near::run(args, json),
        DataCommand::Filter(args) => filter::run(args, json),
        DataCommand::Split(args) => split(args, json),
        DataCommand::Leak(args) => leak(args, json),
        DataCommand::Annotate(args) => annotate::run(args, json),
    }
}

fn synth(args: &SynthArgs, json: bool) -> anyhow::Result<ExitCode> {
    match (args.taught, args.instructions) {
        (Some(taught), _) => return traits::taught(args, taught, json),
        (None, true) => return traits::instructed(args, json),
        (None, false) => {}
    }
    if let Some(held_out) = &args.held_out {
        return synth_apart(args, held_out, json);
    }
    let corruptor = Corruptor::new(CorruptOptions { seed: args.seed, clean_share: args.clean_share })?;
    let texts = Corpus::built_in()?.texts(args.seed, args.rows)?;
    let rows = texts.iter().zip(0..).map(|(text, row)| text.corrupted(row, &corruptor));
    finish(&rows.collect::<Result<Vec<_>, _>>()?, &args.out, json)
}

/// Two files that share no fact, phrase, sentence or question.
fn synth_apart(args: &SynthArgs, held_out: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let options = ApartOptions {
        seed: args.seed,
        n_train: args.rows,
        n_held_out: args.held_out_rows,
        clean_share: args.clean_share,
        ..ApartOptions::default()
    };
    let apart = rows_apart(&Corpus::built_in()?, &options)?;
    write_json_lines(&apart.train, &args.out)?;
    write_json_lines(&apart.held_out, held_out)?;
    if json {
        let file = |path: &Path, rows: &[CorruptedRow]| json!({ "file": path, "n_rows": rows.len() });
        let files = [file(&args.out, &apart.train), file(held_out, &apart.held_out)];
        output::json(&json!({ "schema": "redline.split.v1", "files": files }))?;
        return Ok(ExitCode::SUCCESS);
    }
    say_flawed(&apart.train, &args.out, false)?;
    say_flawed(&apart.held_out, held_out, false)
}

fn corrupt(args: &CorruptArgs, json: bool) -> anyhow::Result<ExitCode> {
    let corruptor = Corruptor::new(CorruptOptions { seed: args.seed, clean_share: args.clean_share })?;
    let (clean, n_left_out) = clean_answers(&args.file)?;
    let (clean, report) = filter_rows(clean, &FilterOptions::default())?;
    output::note!("{}: {}", args.file.display(), report.with_unusable(n_left_out));
    let rows = clean.iter().zip(0..).map(|(row, number)| {
        let flawed = corruptor.corrupt(number, &row.text.question, &row.text.answer)?;
        let fields = with_others(&flawed, row.others.clone())?;
        anyhow::Ok((flawed, fields))
    });
    let (flawed, written): (Vec<CorruptedRow>, Vec<Fields>) =
        rows.collect::<anyhow::Result<Vec<_>>>()?.into_iter().unzip();
    write_json_lines(&written, &args.out)?;
    say_flawed(&flawed, &args.out, json)
}

/// A clean answer with the other fields of its row.
struct CleanAnswer {
    text: Question,
    others: Fields,
}

impl TextRow for CleanAnswer {
    fn texts(&self) -> Vec<&str> {
        self.text.texts()
    }
}

/// The clean answers of a file, and how many rows were left out; rows that carry their flaws carry those too, and are corrupted anew.
fn clean_answers(path: &Path) -> anyhow::Result<(Vec<CleanAnswer>, usize)> {
    if let Some((flawed, file)) = rows::corrupted_with_fields(path)? {
        let clean = |(flawed, row): (CorruptedRow, DataRow)| CleanAnswer {
            text: Question { question: flawed.question, answer: flawed.clean },
            others: row.fields,
        };
        let n_left_out = file.report.n_left_out();
        return Ok((flawed.into_iter().zip(file.rows).map(clean).collect(), n_left_out));
    }
    let file = rows::read_with_empty(path, Need::CleanAnswer)?;
    let clean = |row: &DataRow| Some(CleanAnswer { text: row.answered()?, others: row.written() });
    Ok((file.rows.iter().filter_map(clean).collect(), file.report.n_left_out()))
}

/// A row that was made, with other fields behind its own.
fn with_others(row: &impl Serialize, others: Fields) -> anyhow::Result<Fields> {
    let mut fields: Fields = serde_json::from_str(&serde_json::to_string(row)?)?;
    fields.append(others);
    Ok(fields)
}

/// Writes the rows and says what they are.
fn finish(rows: &[CorruptedRow], out: &Path, json: bool) -> anyhow::Result<ExitCode> {
    write_json_lines(rows, out)?;
    say_flawed(rows, out, json)
}

fn say_flawed(rows: &[CorruptedRow], out: &Path, json: bool) -> anyhow::Result<ExitCode> {
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
    let file = rows::read_with_empty(&args.file, Need::Answer)?;
    let rows = scrambled(&file.answers(), args.seed, args.rows)?;
    // other fields are kept once each: ids stay what they are
    let others = file.rows.iter().map(DataRow::others).chain(std::iter::repeat_with(Fields::default));
    let written = rows.iter().zip(others).map(|(made, others)| with_others(made, others));
    write_json_lines(&written.collect::<anyhow::Result<Vec<_>>>()?, &args.out)?;
    say_written(&args.out, rows.len(), json)
}

fn clean(args: &CleanArgs, json: bool) -> anyhow::Result<ExitCode> {
    let file = rows::read_with_empty(&args.file, Need::Answer)?;
    let n_left_out = file.report.n_left_out();
    let (kept, report) = filter_rows(file.rows, &FilterOptions { max_chars: args.max_chars })?;
    let report = report.with_unusable(n_left_out);
    write_json_lines(&kept.iter().map(DataRow::written).collect::<Vec<_>>(), &args.out)?;
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
    let (rows, report) = read_each(&args.file, rows::is_strict(), |line, fields| keyed(line, fields, &args.by))?;
    rows::say(&args.file, &report);
    let (keys, rows): (Vec<String>, Vec<Fields>) = rows.into_iter().unzip();
    let (parts, nearest) = match args.near {
        None => (split_rows(&rows, &keys, &PartSizes::Shares(vec![1.0 - args.share, args.share]), args.seed)?, None),
        Some(threshold) => {
            let split = near::split(&rows, &keys, threshold, args)?;
            (split.parts, Some(split.nearest))
        }
    };
    write_json_lines(&parts[0], &args.out)?;
    write_json_lines(&parts[1], &args.held_out)?;
    let written = [(&args.out, parts[0].len()), (&args.held_out, parts[1].len())];
    if json {
        let files = written.map(|(file, n_rows)| json!({ "file": file, "n_rows": n_rows }));
        let mut found = json!({ "schema": "redline.split.v1", "files": files });
        if let Some(nearest) = nearest {
            found["threshold"] = json!(args.near);
            found["nearest"] = json!(nearest);
        }
        output::json(&found)?;
    } else {
        let say = |(file, n): &(&PathBuf, usize)| output::line(&format!("{}: {}", file.display(), rows_in_words(*n)));
        written.iter().try_for_each(say)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A row with what it is split by: its question, which earlier turns are a part of, or the text or number in a field.
fn keyed(line: usize, fields: Fields, by: &str) -> Result<(String, Fields), RowFault> {
    if by == "question" {
        let row = DataRow::read(line, fields)?;
        return Ok((row.question, row.fields));
    }
    match fields.value(by) {
        Some(Ok(Value::String(key))) => Ok((key, fields)),
        Some(Ok(Value::Number(_))) => Ok((fields.raw(by).unwrap_or_default().to_owned(), fields)),
        _ => Err(RowFault::NoKey { field: by.to_owned() }),
    }
}

fn say_written(path: &Path, n_rows: usize, json: bool) -> anyhow::Result<ExitCode> {
    match json {
        true => output::json(&json!({ "schema": "redline.data.v1", "file": path, "n_rows": n_rows }))?,
        false => output::line(&format!("{}: {}", path.display(), rows_in_words(n_rows)))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn leak(args: &LeakArgs, json: bool) -> anyhow::Result<ExitCode> {
    if args.near {
        return near::leak(args, json);
    }
    check_leak(&rows::read(&args.a, Need::Question)?, &rows::read(&args.b, Need::Question)?)?;
    match json {
        true => output::json(&json!({ "schema": "redline.leak.v1", "shared_questions": 0 }))?,
        false => output::line("no question is in both files")?,
    }
    Ok(ExitCode::SUCCESS)
}
