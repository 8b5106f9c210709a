//! Results of one JSON document, or of JSON Lines, that their schema names.

use std::path::Path;

use redline::data::funnel::FunnelStep;
use redline::data::near_leak::NearestHistogram;
use redline::figures::{
    InstructionLine, LevelMean, RocCurve, RoundMeans, StepMeans, depth_plot, drift_plot, forgetting_plot, funnel_plot,
    instruction_plot, ladder_plot, nearest_plot, roc_plot, rounds_plot,
};
use redline::lab::stacking::DepthTable;
use redline::lab::turns::DriftReport;
use redline::model::Error as ModelError;
use redline::plot::PlotError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::pictures::{Drawn, Picture};
use super::source::parsed;

/// A result with a figure.
pub enum NamedResult {
    Depth(DepthTable),
    Drift(DriftReport),
    Rounds(Vec<RoundMeans>),
    Ladder(Vec<LevelMean>),
    Roc(RocCurve),
    Forgetting(Vec<StepMeans>),
    /// Lines, and what is measured.
    ByInstruction(Vec<InstructionLine>, String),
    /// Rows before, steps, and how near the rows come to those of a test where that was asked for.
    Funnel(usize, Vec<FunnelStep>, Option<NearestHistogram>),
    /// Similarities, and from which one on texts are nearly the same.
    Nearest(NearestHistogram, Option<f64>),
}

/// What a list of results is called in its document.
const LISTS: [(&str, &str); 4] = [
    ("redline.rounds.v1", "rounds"),
    ("redline.ladder.v1", "levels"),
    ("redline.forgetting.v1", "steps"),
    ("redline.by_instruction.v1", "instructions"),
];

impl NamedResult {
    /// What results call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Depth(_) => "depth",
            Self::Drift(_) => "turns",
            Self::Rounds(_) => "rounds",
            Self::Ladder(_) => "ladder",
            Self::Roc(_) => "roc",
            Self::Forgetting(_) => "forgetting",
            Self::ByInstruction(..) => "by_instruction",
            Self::Funnel(..) => "funnel",
            Self::Nearest(..) => "nearest",
        }
    }

    /// A file of lines, each an item; none of other files. A document in one line is none of lines.
    pub fn of_lines(path: &Path, text: &str, first: &Value) -> anyhow::Result<Option<Self>> {
        let schema = first["schema"].as_str().unwrap_or_default();
        if !LISTS.iter().any(|(name, _)| *name == schema) || list_in(first, schema).is_some() {
            return Ok(None);
        }
        let mut items: Vec<Value> = parsed(path, text)?;
        // a header is no item
        if items.first().and_then(Value::as_object).is_some_and(|header| header.len() == 1) {
            items.remove(0);
        }
        Self::of_list(path, schema, Value::Array(items), first).map(Some)
    }

    /// A document; none of a schema that has no figure.
    pub fn of_document(path: &Path, mut document: Value) -> anyhow::Result<Option<Self>> {
        let schema = document["schema"].as_str().unwrap_or_default().to_owned();
        if LISTS.iter().any(|(name, _)| *name == schema) {
            let list = list_in(&document, &schema).cloned().unwrap_or(Value::Null);
            return Self::of_list(path, &schema, list, &document).map(Some);
        }
        let mut take = |name: &str| document[name].take();
        Ok(Some(match schema.as_str() {
            "redline.depth.v1" => Self::Depth(read(path, take("table"))?),
            "redline.turns.v1" => Self::Drift(read(path, take("drift"))?),
            "redline.roc.v1" => Self::Roc(read(path, document)?),
            "redline.filter.v1" => {
                let steps: Vec<FunnelStep> = read(path, take("funnel"))?;
                let n_rows = steps.first().map_or(0, |step| step.left.saturating_add(step.removed));
                let nearest = match take("leak") {
                    Value::Null => None,
                    mut leak => Some(read(path, leak["nearest"].take())?),
                };
                Self::Funnel(n_rows, steps, nearest)
            }
            "redline.near.v1" => {
                let report = take("report");
                let (n_rows, removed): (usize, usize) =
                    (read(path, report["n_texts"].clone())?, read(path, report["n_repeated"].clone())?);
                let (stage, filter) = ("near-duplicates".to_owned(), "beside the first of a group".to_owned());
                let step = FunnelStep { stage, filter, removed, left: n_rows.saturating_sub(removed) };
                Self::Funnel(n_rows, vec![step], None)
            }
            "redline.leak.v1" | "redline.split.v1" => {
                let threshold = take("threshold").as_f64();
                Self::Nearest(read(path, take("nearest"))?, threshold)
            }
            _ => return Ok(None),
        }))
    }

    fn of_list(path: &Path, schema: &str, list: Value, document: &Value) -> anyhow::Result<Self> {
        Ok(match schema {
            "redline.rounds.v1" => Self::Rounds(read(path, list)?),
            "redline.ladder.v1" => Self::Ladder(read(path, list)?),
            "redline.forgetting.v1" => Self::Forgetting(read(path, list)?),
            _ => {
                let measure = document["measure"].as_str().unwrap_or("quality").to_owned();
                Self::ByInstruction(read(path, list)?, measure)
            }
        })
    }

    /// Its figures.
    pub fn pictures(&self) -> Result<Vec<Picture>, PlotError> {
        let one = |drawn: Drawn| vec![Picture::new("", drawn)];
        Ok(match self {
            Self::Depth(table) => one(Drawn::Bands(depth_plot(table))),
            Self::Drift(report) => one(Drawn::Bands(drift_plot(report))),
            Self::Rounds(rounds) => one(Drawn::Trails(rounds_plot(rounds))),
            Self::Ladder(levels) => one(Drawn::Ladder(ladder_plot(levels))),
            Self::Roc(curve) => one(Drawn::Roc(roc_plot(curve)?)),
            Self::Forgetting(steps) => one(Drawn::Trails(forgetting_plot(steps))),
            Self::ByInstruction(lines, measure) => one(Drawn::Bands(instruction_plot(lines, measure))),
            Self::Funnel(n_rows, steps, nearest) => {
                let mut pictures = one(Drawn::Funnel(funnel_plot(*n_rows, steps)));
                let nearest = nearest.iter().map(|own| Drawn::Histogram(nearest_plot(own, None)));
                pictures.extend(nearest.map(|drawn| Picture::new("nearest", drawn)));
                pictures
            }
            Self::Nearest(nearest, threshold) => one(Drawn::Histogram(nearest_plot(nearest, *threshold))),
        })
    }
}

/// The list of a document: by its name, else the only list of objects that there is.
fn list_in<'a>(document: &'a Value, schema: &str) -> Option<&'a Value> {
    let named = LISTS.iter().find(|(name, _)| *name == schema).and_then(|(_, list)| document.get(list));
    if let Some(list) = named.filter(|list| list.is_array()) {
        return Some(list);
    }
    let is_list = |value: &&Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_object));
    let mut lists = document.as_object()?.values().filter(is_list);
    match (lists.next(), lists.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(path: &Path, value: Value) -> anyhow::Result<T> {
    let malformed = |source: serde_json::Error| ModelError::Malformed {
        path: path.into(),
        format: "a result of Redline",
        rule: source.to_string(),
    };
    Ok(serde_json::from_value(value).map_err(malformed)?)
}
