//! `redline feedback`: instructions in the prompt, beside the dial.

use std::process::ExitCode;

use anyhow::Context;
use redline::lab::feedback::{
    AskedFor, FeedbackCell, FeedbackComparison, FeedbackLine, FeedbackRun, FeedbackTable, SCHEMA, TABLE, unique_rows,
};
use redline::lab::steering::check_leak;
use redline::steer::{BootstrapOptions, Exchange};
use serde_json::{Value, json};

use crate::cli::feedback::FeedbackArgs;
use crate::cli::writes::SWEEP;
use crate::failure::{hinted, refuse_useless};
use crate::observer::Shown;
use crate::outputs::{clear_for_log, make_folder};
use crate::{models, output, rows};

pub fn run(args: &FeedbackArgs, json: bool) -> anyhow::Result<ExitCode> {
    refuse_useless(&[(args.model.instruction.is_some(), "--instruction")], "beside --asked")?;
    let asked = args.names().into_iter().map(AskedFor::read).collect::<Result<Vec<_>, _>>()?;
    let sampling = args.sampling.options(args.seed)?;
    let all = rows::corrupted(&args.data)?.ok_or_else(|| {
        let message =
            format!("{}: the rows carry no flaws, so that nobody can say what was mended", args.data.display());
        hinted(message, "make them with `redline data synth --instructions` or `redline data corrupt`")
    })?;
    let n_read = all.len();
    let mut rows = unique_rows(all);
    let n_repeated = n_read - rows.len();
    if n_repeated > 0 {
        output::note!("{}: {n_repeated} rows have the question and answer of an earlier one", args.data.display());
    }
    rows = rows.into_iter().skip(args.skip).take(args.prompts).collect();
    let steering = args.steering.steering()?.context("clap asks for a vector or a profile")?;
    let mut aligner = models::open_with(&args.model, steering.template()?)?;
    let loaded = steering.load(&aligner.model)?;
    loaded.notes.iter().for_each(|note| output::note!("{note}"));
    let triples: Vec<_> = rows.iter().map(|row| row.to_qac()).collect();
    check_leak(&loaded.questions, triples.iter().map(|qac| qac.question.as_str()), args.allow_overlap)?;
    make_folder(&args.out)?;
    for one in &asked {
        clear_for_log(&one.file(&args.out), SWEEP, args.force.force)?;
    }
    let options = steering.sweep_options(args.sampling.max_new_tokens, sampling, args.batch_rows);
    let model = aligner.model.fingerprint.clone();
    let run = FeedbackRun {
        aligner: &mut aligner,
        steering: &steering,
        loaded: &loaded,
        rows: &rows,
        data: &args.data,
        asked: &asked,
        coefficients: &args.coefficients.0,
        options: &options,
        folder: &args.out,
    };
    let table = run.run(&BootstrapOptions::default(), &mut Shown::default())?;
    let found = summary(args, &model, [rows.len(), n_repeated], &table);
    output::json_file(&args.out.join(TABLE), &found)?;
    match json {
        true => output::json(&found)?,
        false => output::line(&as_text(&table))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(args: &FeedbackArgs, model: &str, [n_rows, n_repeated]: [usize; 2], table: &FeedbackTable) -> Value {
    json!({
        "schema": SCHEMA,
        "model_hash": model,
        "data": args.data,
        "folder": args.out,
        "n_rows": n_rows,
        "n_repeated": n_repeated,
        "table": table,
    })
}

fn as_text(table: &FeedbackTable) -> String {
    let header = ["instruction", "coefficient", "harmless", "helpful", "mended", "trait", "damage", "clean kept"];
    let cells = |line: &FeedbackLine| -> Vec<Vec<String>> {
        let of = |cell: &FeedbackCell| {
            let numbers =
                [cell.harmless, cell.helpful, cell.mended, cell.trait_share.any, cell.damage, cell.clean_kept];
            let names = [line.instruction.clone(), cell.coefficient.to_string()];
            names.into_iter().chain(numbers.map(output::number)).collect()
        };
        line.cells.iter().map(of).collect()
    };
    let first = output::table(&header, &table.lines.iter().flat_map(cells).collect::<Vec<_>>());
    let header = ["measure", "instruction", "n", "shift [95 %]", "steepening [95 %]", "slope without [95 %]", "worth"];
    let second = output::table(&header, &table.comparisons.iter().map(compared).collect::<Vec<_>>());
    let left_out = table
        .not_compared
        .iter()
        .map(|none| format!("{} of {} is not compared: {}", none.measure, none.instruction, none.reason));
    let parts: Vec<String> = [first, second].into_iter().chain(left_out).collect();
    parts.join("\n\n")
}

fn compared(found: &FeedbackComparison) -> Vec<String> {
    let lines = &found.lines;
    let number = |found: &redline::steer::Resampled| output::estimate(found.value, Some(&found.interval));
    let worth = match &lines.exchange {
        Exchange::NoSlope => "– (the dial moves nothing)".to_owned(),
        Exchange::Rate { coefficient, is_within: true } => number(coefficient),
        Exchange::Rate { coefficient, is_within: false } => format!("{} (beyond)", number(coefficient)),
    };
    let names = [found.measure.to_string(), found.instruction.clone(), lines.n.to_string()];
    let numbers = [&lines.shift, &lines.steepening, &lines.slope_without].map(number);
    names.into_iter().chain(numbers).chain([worth]).collect()
}
