//! `redline iterate`: rounds of answering, correcting, training and measuring, each step a verb of this program.

mod child;
mod options;

use std::process::ExitCode;

use redline::lab::iterate::{Plan, Run, table};
use redline::model::files::{MOST_TEXT, read_text};
use serde_json::{Value, json};

use crate::cli::iterate::IterateArgs;
use crate::observer::Shown;
use crate::output;

use child::Child;

pub fn run(args: &IterateArgs, global: Vec<String>, json: bool) -> anyhow::Result<ExitCode> {
    let options = options::resolved(args, global)?;
    options.check().map_err(redline::lab::Error::from)?;
    if args.dry_run {
        return dry_run(&Plan::new(&options), json);
    }
    let (mut launcher, mut shown) = (Child, Shown::default());
    let mut run = Run::open(&options, &mut shown)?;
    if let Some(name) = &args.step {
        run.named(name, &mut launcher, &mut shown)?;
        let done = json!({ "schema": "redline.iterate-step.v1", "step": name, "folder": args.out });
        return if json { output::json(&done) } else { output::line(&format!("{name}: done")) }
            .map(|()| ExitCode::SUCCESS);
    }
    run.all(&mut launcher, &mut shown)?;
    let summary: Value = serde_json::from_str(&read_text(&args.out.join("summary.json"), MOST_TEXT)?)?;
    match json {
        true => output::json(&summary)?,
        false => output::line(&as_text(&summary, args))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the steps as commands.
fn dry_run(plan: &Plan, json: bool) -> anyhow::Result<ExitCode> {
    let own: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--dry-run" && argument != "--json").collect();
    let commands = plan.commands(&own);
    match json {
        true => {
            let steps: Vec<Value> = plan
                .steps
                .iter()
                .zip(&commands)
                .map(|(step, command)| json!({ "step": step.name, "inputs": step.inputs, "outputs": step.outputs, "command": command }))
                .collect();
            output::json(&json!({ "schema": "redline.iterate-plan.v1", "steps": steps }))?;
        }
        false => {
            let lines = plan.steps.iter().zip(&commands).map(|(step, command)| format!("# {}\n{command}", step.name));
            output::line(&lines.collect::<Vec<_>>().join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(summary: &Value, args: &IterateArgs) -> String {
    let (header, rows) = table(summary);
    let mut text = output::table(&header, &rows);
    if let Some(ended) = summary["ended"].as_str() {
        text += &format!("\nended with round {}: {ended}", summary["n_rounds"]);
    }
    for claim in summary["claims"].as_array().into_iter().flatten() {
        let verdict = match claim["holds"].as_bool() {
            Some(true) => "yes",
            Some(false) => "not shown",
            None => "no interval",
        };
        let mean = output::number(claim["change"]["mean"]["value"].as_f64());
        text += &format!("\n{}: {verdict} (paired change {mean})", claim["claim"].as_str().unwrap_or_default());
    }
    for (dimension, found) in summary["gap_recovered"].as_object().into_iter().flatten() {
        let mean = output::number(found["mean"].as_f64());
        text +=
            &format!("\ngap recovered, {dimension}: {mean} over {} seeds, {} refused", found["n"], found["n_refused"]);
    }
    if summary["rows"]["n_references"] == 0 && summary["instruments"]["helpful"] == "phrases" {
        text += "\nno held-out row has a correction: helpful counts known flaws alone, and an empty answer has none";
    }
    text + &format!("\nrun: {}", args.out.display())
}
