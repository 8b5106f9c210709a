//! `redline evaluate --depth`: what further passes of an Aligner mend and damage.

use std::path::Path;

use redline::lab::stacking::{DepthLine, DepthTable};
use redline::probe::stats::Estimate;
use serde_json::json;

use super::systems;
use crate::cli::EvaluateArgs;
use crate::cli::systems::SystemSpec;
use crate::known::Known;
use crate::output;

pub fn run(args: &EvaluateArgs, data: &Path, most_depth: usize, json: bool) -> anyhow::Result<()> {
    let known = Known::read(data, args.prompts)?;
    let dials = args.dials();
    let of = |&at: &Option<f64>| {
        let deeper = (2..=most_depth).map(move |depth| SystemSpec::Stack(depth, at));
        std::iter::once(SystemSpec::Aligner(at)).chain(deeper)
    };
    let systems: Vec<SystemSpec> = dials.iter().flat_map(of).collect();
    let answers = systems::answers(args, &known, &systems)?;
    let table = DepthTable::measure(&answers, &known.triples, known.flawed.as_deref(), &dials, most_depth)?;
    if known.flawed.is_none() {
        output::note!("{}: rows do not carry their flaws, so nobody knows what was mended or damaged", data.display());
    }
    if table.n_left_out > 0 {
        output::note!("{} were not answered at every depth, and are left out", output::rows_in_words(table.n_left_out));
    }
    if json {
        return output::json(
            &json!({ "schema": "redline.depth.v1", "data": data, "answers": args.out, "table": table }),
        );
    }
    let header =
        ["coefficient", "passes", "mended [95 %]", "damage [95 %]", "edit ratio", "fixed", "made", "tokens", "seconds"];
    output::line(&output::table(&header, &table.lines.iter().map(cells).collect::<Vec<_>>()))?;
    table.cheaper.iter().try_for_each(|line| output::line(&line.to_string()))
}

fn cells(line: &DepthLine) -> Vec<String> {
    let with_ends = |found: Option<Estimate>| {
        found.map_or_else(|| "–".into(), |found| output::estimate(found.value, found.interval.as_ref()))
    };
    vec![
        line.coefficient.map_or_else(|| "–".into(), |at| at.to_string()),
        line.depth.to_string(),
        with_ends(line.mended),
        with_ends(line.damage),
        output::number(line.edit_ratio.map(|found| found.value)),
        output::number(line.fixed_point.map(|found| found.value)),
        format!("{:.2}", line.passes),
        line.n_tokens.map_or_else(|| "–".into(), |n| format!("{n:.1}")),
        format!("{:.2}", line.seconds),
    ]
}
