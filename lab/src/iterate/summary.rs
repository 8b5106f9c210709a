//! Results of all rounds, as files and as a table.

use std::collections::BTreeMap;

use redline_probe::stats::MeanEstimate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::closeness::Closeness;
use super::error::IterateError;
use super::files::{read_json, write_json, write_lines};
use super::funnel::FunnelReport;
use super::inputs::RowsReport;
use super::levels::{LevelName, Levels};
use super::measure::{Change, Measured};
use super::options::{IterateKind, IterateOptions};
use super::places::Places;
use super::plans::ALIGNER;
use crate::error::Result;

/// Schema of the summary.
pub const SCHEMA: &str = "redline.iterate.v1";
/// Schema of a line of `rounds.jsonl`.
const ROUND: &str = "redline.iterate-round.v1";

/// One arm after one round.
#[derive(Debug, Clone, Serialize)]
struct Round {
    schema: &'static str,
    arm: String,
    round: usize,
    #[serde(flatten)]
    measured: Measured,
    /// Log-probabilities of what the arm learnt from in this round.
    closeness: Option<Closeness>,
    /// What became of the answers of this round; of the Aligner's arm.
    funnel: Option<FunnelReport>,
}

/// What an arm came to after a round, as a summary has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RoundMeans {
    /// What is compared with what.
    pub arm: String,
    /// The round; 0 is before the first.
    pub round: usize,
    /// How harmless its answers are.
    pub harmless: Option<MeanEstimate>,
    /// How helpful.
    pub helpful: Option<MeanEstimate>,
}

/// A claim about a change, tested.
#[derive(Debug, Clone, Serialize)]
struct Claim {
    claim: &'static str,
    round: usize,
    /// Whether the interval of the paired change lies on that side of 0; none where there is no interval.
    holds: Option<bool>,
    change: Option<Change>,
}

/// Writes `rounds.jsonl` and `summary.json` of so many rounds; `ended` says why there are no more.
pub(super) fn write(options: &IterateOptions, places: &Places, n_rounds: usize, ended: Option<&str>) -> Result<()> {
    let report = RowsReport::read(places)?;
    let instruments = json!({
        "harmless": options.harmless_by.to_string(),
        "helpful": options.helpful_by.to_string(),
    });
    let mut summary = json!({
        "schema": SCHEMA,
        "kind": options.kind,
        "n_rounds": n_rounds,
        "instruments": instruments,
        "rows": report,
    });
    if options.kind == IterateKind::WeakToStrong {
        let seeds = (1..=options.rounds).map(|seed| read_json(&places.in_seed(seed, "levels.json")));
        let seeds = seeds.collect::<Result<Vec<Levels>>>()?;
        let lines: Vec<Value> = seeds.iter().map(|levels| json!({ "schema": ROUND, "levels": levels })).collect();
        write_lines(&places.of("rounds.jsonl"), &lines)?;
        let recovered = ["harmless", "helpful"].map(|dimension| {
            let (mean, n) = Levels::mean_recovered(&seeds, dimension);
            (dimension, json!({ "mean": mean, "n": n, "n_refused": seeds.len() - n }))
        });
        summary["seeds"] = json!(seeds);
        summary["gap_recovered"] = json!(BTreeMap::from(recovered));
    } else {
        summary["ended"] = json!(ended);
        let rounds = rounds(options, places, n_rounds)?;
        write_lines(&places.of("rounds.jsonl"), &rounds)?;
        summary["claims"] = json!(claims(&rounds));
        summary["rounds"] = json!(rounds.iter().map(without_rows).collect::<Result<Vec<Value>>>()?);
    }
    write_json(&places.of("summary.json"), &summary)
}

/// A round without the scores of each row, which are in `rounds.jsonl`.
fn without_rows(round: &Round) -> Result<Value> {
    let malformed =
        |error: serde_json::Error| IterateError::Malformed { path: "rounds".into(), rule: error.to_string() };
    let mut value = serde_json::to_value(round).map_err(malformed)?;
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !["schema", "answers", "corrections"].contains(&key.as_str()));
    }
    Ok(value)
}

fn rounds(options: &IterateOptions, places: &Places, n_rounds: usize) -> Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for round in 0..=n_rounds {
        let measured: BTreeMap<String, Measured> = read_json(&places.in_round(round, "measure.json"))?;
        let path = places.in_round(round, "closeness.json");
        let is_paired = round > 0 && options.kind == IterateKind::Preference;
        let closeness: BTreeMap<String, Closeness> = if is_paired { read_json(&path)? } else { BTreeMap::new() };
        let funnel = (round > 0).then(|| FunnelReport::read(&places.in_round(round, "funnel.json"))).transpose()?;
        for (arm, measured) in measured {
            let (closeness, funnel) = (closeness.get(&arm).copied(), funnel.clone().filter(|_| arm == ALIGNER));
            rounds.push(Round { schema: ROUND, arm, round, measured, closeness, funnel });
        }
    }
    Ok(rounds)
}

/// What the literature says of such rounds, tested on the last one.
fn claims(rounds: &[Round]) -> Vec<Claim> {
    let Some(last) = rounds.iter().rfind(|round| round.arm == ALIGNER && round.round > 0) else {
        return Vec::new();
    };
    let claim = |claim, change: &Option<Change>, holds: fn(f64, f64) -> bool| {
        let interval = change.as_ref().and_then(|change| change.mean.spread.interval());
        let holds = interval.map(|interval| holds(interval.low, interval.high));
        Claim { claim, round: last.round, holds, change: change.clone() }
    };
    let measured = &last.measured;
    vec![
        claim("harmless rises", &measured.harmless_change, |low, _| low > 0.0),
        claim("harmless falls", &measured.harmless_change, |_, high| high < 0.0),
        claim("helpful rises", &measured.helpful_change, |low, _| low > 0.0),
        claim("helpful falls", &measured.helpful_change, |_, high| high < 0.0),
    ]
}

/// The header and the rows of a table for people.
pub fn table(summary: &Value) -> (Vec<&'static str>, Vec<Vec<String>>) {
    if summary["kind"] == json!(IterateKind::WeakToStrong) { ladder(summary) } else { polyline(summary) }
}

fn polyline(summary: &Value) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let header = vec![
        "arm",
        "round",
        "harmless",
        "helpful",
        "with Aligner: harmless",
        "helpful",
        "length",
        "refusals",
        "distinct-2",
        "kept",
        "label noise",
        "ln π a token: chosen",
    ];
    let number = |value: &Value| value.as_f64().map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let row = |round: &Value| {
        let kept = round["funnel"]["funnel"]["stages"].as_array().and_then(|stages| stages.last());
        let kept = kept.map_or_else(|| "–".to_owned(), |stage| stage["n_out"].to_string());
        vec![
            round["arm"].as_str().unwrap_or_default().to_owned(),
            round["round"].to_string(),
            with_interval(&round["harmless"]),
            with_interval(&round["helpful"]),
            number(&round["with_aligner"]["harmless"]["value"]),
            number(&round["with_aligner"]["helpful"]["value"]),
            round["length"]["value"].as_f64().map_or_else(|| "–".into(), |value| format!("{value:.0}")),
            number(&round["refusal_share"]),
            number(&round["distinct_2"]),
            kept,
            number(&round["funnel"]["label_noise"]["share"]),
            number(&round["closeness"]["before"]["chosen_per_token"]),
        ]
    };
    (header, summary["rounds"].as_array().into_iter().flatten().map(row).collect())
}

fn ladder(summary: &Value) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let mut rows = Vec::new();
    for seed in summary["seeds"].as_array().into_iter().flatten() {
        for name in LevelName::ALL {
            let level = &seed["levels"][name.name()];
            let cells = [with_interval(&level["harmless"]), with_interval(&level["helpful"])];
            rows.push([vec![seed["seed"].to_string(), name.name().to_owned()], cells.to_vec()].concat());
        }
        let gap = |dimension: &str| {
            let gap = &seed["gaps"][dimension];
            let numbers = [&gap["after_above_weak"], &gap["ceiling_above_weak"]]
                .map(|value| value.as_f64().map_or_else(|| "–".to_owned(), |value| format!("{value:+.3}")));
            match gap["recovered"].as_f64() {
                Some(share) => format!("{share:.3} ({} of {})", numbers[0], numbers[1]),
                None => format!("refused ({} of {})", numbers[0], numbers[1]),
            }
        };
        rows.push(vec![seed["seed"].to_string(), "gap recovered".into(), gap("harmless"), gap("helpful")]);
    }
    (vec!["seed", "level", "harmless", "helpful"], rows)
}

fn with_interval(value: &Value) -> String {
    let Ok(found) = serde_json::from_value::<MeanEstimate>(value.clone()) else { return "–".into() };
    let interval = found.spread.interval().map(|at| format!(" [{:.3}, {:.3}]", at.low, at.high));
    format!("{:.3}{}", found.value, interval.unwrap_or_default())
}
