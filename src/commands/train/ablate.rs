//! `redline ablate-warmup`: the same training at several shares of identity warm-up.

use std::path::Path;
use std::process::ExitCode;

use redline::plot::{Curve, CurvePanel, Curves, write_both};
use serde::Serialize;
use serde_json::{Value, json};

use super::{train_aligner, useless};
use crate::cli::numbers::MOST_LIST;
use crate::cli::train::{AblateArgs, TrainArgs};
use crate::failure::{hinted, refuse_given};
use crate::output;
use crate::outputs::make_folder;

/// What came of one share.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Ablated {
    warmup_share: f64,
    n_steps: u64,
    held_out_loss: Option<f64>,
    exact_copy_rate: Option<f64>,
    edit_ratio: Option<f64>,
    similarity: Option<f64>,
    cut_share: Option<f64>,
}

pub fn run(args: &AblateArgs, json: bool) -> anyhow::Result<ExitCode> {
    check(args)?;
    let out = &args.train.out;
    make_folder(out)?;
    let mut results = Vec::with_capacity(args.shares.len());
    for &share in &args.shares {
        output::note!("identity warm-up on {} % of the rows", 100.0 * share);
        let summary = train_aligner(&with_share(args, share))?;
        results.push(result(share, &summary));
    }
    let summary = json!({
        "schema": "redline.ablate-warmup.v1",
        "data": args.train.data,
        "n_steps": args.train.run.steps,
        "seed": args.train.run.seed,
        "results": results,
    });
    output::json_file(&out.join("ablation.json"), &summary)?;
    draw(&results, out)?;
    match json {
        true => output::json(&summary)?,
        false => output::line(&table(&results))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(args: &AblateArgs) -> anyhow::Result<()> {
    refuse_given(
        &args.train.given,
        &["warmup_share", "objective"],
        "beside --shares, which compares shares of warm-up",
    )?;
    useless::refuse(&args.train)?;
    if args.train.run.steps.is_none() {
        return Err(hinted("--steps is missing", "give the steps that every share gets: only then do they compare"));
    }
    if args.train.gguf.is_some() {
        return Err(hinted(
            "--gguf names one file for all shares",
            "leave it out, and export the share chosen with redline train --export",
        ));
    }
    if args.train.run.warmup_data.is_some() {
        return Err(hinted("--warmup-data cannot be ablated", "leave it out: warm-up is drawn from --data"));
    }
    if args.train.held_out_share == 0.0 && args.train.validation.is_none() {
        return Err(hinted("nothing is held out to compare on", "give --validation, or a --held-out-share above 0"));
    }
    if args.train.run.generate == 0 {
        return Err(hinted("--generate is 0", "give the number of held-out rows to compare outputs on"));
    }
    if args.shares.len() > MOST_LIST {
        return Err(hinted(format!("--shares has {} numbers", args.shares.len()), format!("give at most {MOST_LIST}")));
    }
    match args.shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        None if args.shares.windows(2).all(|pair| pair[0] < pair[1]) => Ok(()),
        None => Err(hinted("--shares must grow", "write them like 0,0.02,0.1,0.2,0.5")),
        Some(share) => {
            Err(hinted(format!("--shares has {share}"), "write shares from 0 to 1, like 0,0.02,0.1,0.2,0.5"))
        }
    }
}

/// The same run with another share, in a folder of its own.
fn with_share(args: &AblateArgs, share: f64) -> TrainArgs {
    let mut train = args.train.clone();
    train.out = args.share_folder(share);
    train.run.warmup_share = share;
    train
}

fn result(warmup_share: f64, summary: &Value) -> Ablated {
    let evaluation = |key: &str| summary["last_evaluation"].get(key).and_then(Value::as_f64);
    Ablated {
        warmup_share,
        n_steps: summary["n_steps"].as_u64().unwrap_or(0),
        held_out_loss: evaluation("loss"),
        exact_copy_rate: evaluation("exact_copy_rate"),
        edit_ratio: evaluation("edit_ratio"),
        similarity: evaluation("similarity"),
        cut_share: evaluation("cut_share"),
    }
}

fn table(results: &[Ablated]) -> String {
    let header = ["warm-up", "steps", "held-out loss", "exact copies", "edit ratio", "similarity", "cut"];
    let row = |result: &Ablated| {
        let numbers =
            [result.held_out_loss, result.exact_copy_rate, result.edit_ratio, result.similarity, result.cut_share];
        let mut row = vec![format!("{} %", 100.0 * result.warmup_share), result.n_steps.to_string()];
        row.extend(numbers.map(output::number));
        row
    };
    output::table(&header, &results.iter().map(row).collect::<Vec<_>>())
}

fn draw(results: &[Ablated], out: &Path) -> anyhow::Result<()> {
    let curve = |name: &str, value: &dyn Fn(&Ablated) -> Option<f64>| {
        Curve::new(
            name,
            results.iter().filter_map(|result| Some((100.0 * result.warmup_share, value(result)?))).collect(),
        )
    };
    let panel = |y_label: &str, curves: Vec<Curve>| CurvePanel { y_label: y_label.into(), curves };
    let mut panels = vec![
        panel("held-out loss (nats per token)", vec![curve("held-out loss", &|result| result.held_out_loss)]),
        panel(
            "share (0 to 1)",
            vec![
                curve("exact copies of clean answers", &|result| result.exact_copy_rate),
                curve("similarity to the correction", &|result| result.similarity),
            ],
        ),
        panel("edit ratio", vec![curve("edit ratio", &|result| result.edit_ratio)]),
    ];
    for panel in &mut panels {
        panel.curves.retain(|curve| !curve.points.is_empty());
    }
    panels.retain(|panel| !panel.curves.is_empty());
    let plot = Curves {
        title: "Identity warm-up at the same number of steps".into(),
        x_label: "rows drawn for identity warm-up (%)".into(),
        panels,
        marks: Vec::new(),
    };
    Ok(write_both(&plot, &out.join("ablation"))?)
}
