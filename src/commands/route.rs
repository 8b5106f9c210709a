//! `redline route`: a router between the arms of sweeps, and what it is worth.

use std::process::ExitCode;

use redline::lab::route::{Candidate, Route, fit_route};
use redline::lab::tune::PastSweep;
use redline::probe::stats::Estimate;
use serde_json::json;

use crate::cli::route::RouteArgs;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::{models, output, rows};

pub fn run(args: &RouteArgs, json: bool) -> anyhow::Result<ExitCode> {
    let sweeps = args.sweeps.iter().map(|path| PastSweep::read(path)).collect::<Result<Vec<_>, _>>()?;
    let first = sweeps.first().ok_or_else(|| hinted("there are no sweeps", "give files of `redline sweep`"))?;
    let rows = rows::to_tune(args.data.as_deref(), Some(first), None)?;
    let aligner = models::open_with(&args.model, Some(first.template()?))?;
    let route = fit_route(&aligner, &sweeps, &rows, &args.options(), &mut Shown::default())?;
    route.save(&args.out)?;
    match json {
        true => output::json(&json!({
            "schema": "redline.route-fit.v1",
            "file": args.out,
            "layer": route.layer,
            "candidates": route.candidates.iter().map(Candidate::name).collect::<Vec<_>>(),
            "utility": route.utility,
            "tested": route.tested,
            "is_better": route.tested.is_better(),
        }))?,
        false => output::line(&as_text(&route).join("\n"))?,
    }
    output::note!("{}", args.out.display());
    Ok(ExitCode::SUCCESS)
}

fn as_text(route: &Route) -> Vec<String> {
    let tested = &route.tested;
    let single = route.candidates.get(tested.single).map_or_else(String::new, Candidate::name);
    let worth = match &route.utility {
        Some(utility) => format!("utility ({utility})"),
        None => "likeness to the correction".into(),
    };
    let rows: Vec<Vec<String>> = [
        ("in hindsight".to_owned(), tested.oracle_worth, Some(&tested.headroom)),
        ("routed".to_owned(), tested.routed_worth, Some(&tested.over_single)),
        (format!("{single} for all"), tested.single_worth, None),
        ("at random".to_owned(), tested.random_worth, None),
    ]
    .into_iter()
    .map(|(name, worth, over)| vec![name, format!("{worth:.4}"), over.map_or_else(String::new, difference)])
    .collect();
    let chosen = route.candidates.iter().zip(&tested.n_chosen);
    let chosen: Vec<String> = chosen.map(|(candidate, n)| format!("{} {n}", candidate.name())).collect();
    vec![
        format!(
            "worth        {worth}; layer {}; fitted on {} rows, told of {} others",
            route.layer, tested.n_fit, tested.n_test
        ),
        output::table(&["candidate", "worth", "over the best single one [95 %]"], &rows),
        format!("chosen       {}", chosen.join(", ")),
        match tested.is_better() {
            true => format!("The router is better than {single} for all."),
            false => format!("The router is not better than {single} for all: serve that one alone."),
        },
    ]
}

fn difference(estimate: &Estimate) -> String {
    let interval = estimate.interval.map_or_else(String::new, |at| format!(" [{:.4}, {:.4}]", at.low, at.high));
    format!("{:.4}{interval}", estimate.value)
}
