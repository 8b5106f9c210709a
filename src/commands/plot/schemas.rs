//! Results of one JSON document that its schema names.

use std::path::Path;

use redline::data::funnel::FunnelStep;
use redline::data::near_leak::NearestHistogram;
use redline::figures::{
    TrailMeans, depth_plot, drift_plot, feedback_plot, funnel_plot, gate_curve, ladder_plots, nearest_plot, rounds_plot,
};
use redline::lab::answer_gate::GateCalibration;
use redline::lab::feedback::FeedbackTable;
use redline::lab::iterate::{Levels, RoundMeans};
use redline::lab::stacking::DepthTable;
use redline::lab::turns::DriftReport;
use redline::model::Error as ModelError;
use redline::plot::PlotError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::pictures::{Drawn, Picture};

/// A result with a figure.
pub enum NamedResult {
    Depth(DepthTable),
    Drift(DriftReport),
    Rounds(Vec<RoundMeans>),
    /// Seeds of weak-to-strong.
    Ladder(Vec<Levels>),
    Gate(Box<GateCalibration>),
    Trails(TrailMeans),
    Feedback(FeedbackTable),
    /// Rows before, steps, and how near the rows come to those of a test where that was asked for.
    Funnel(usize, Vec<FunnelStep>, Option<NearestHistogram>),
    /// Similarities, and from which one on texts are nearly the same.
    Nearest(NearestHistogram, Option<f64>),
}

impl NamedResult {
    /// What results call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Depth(_) => "depth",
            Self::Drift(_) => "turns",
            Self::Rounds(_) => "rounds",
            Self::Ladder(_) => "ladder",
            Self::Gate(_) => "gate",
            Self::Trails(_) => "trails",
            Self::Feedback(_) => "feedback",
            Self::Funnel(..) => "funnel",
            Self::Nearest(..) => "nearest",
        }
    }

    /// A document; none of a schema that has no figure.
    pub fn of_document(path: &Path, mut document: Value) -> anyhow::Result<Option<Self>> {
        let schema = document["schema"].as_str().unwrap_or_default().to_owned();
        let mut take = |name: &str| document[name].take();
        Ok(Some(match schema.as_str() {
            "redline.depth.v1" => Self::Depth(read(path, take("table"))?),
            "redline.turns.v1" => Self::Drift(read(path, take("drift"))?),
            "redline.iterate.v1" => match take("seeds") {
                Value::Null => Self::Rounds(read(path, take("rounds"))?),
                seeds => Self::Ladder(read(path, seeds)?),
            },
            "redline.feedback.v1" => Self::Feedback(read(path, take("table"))?),
            "redline.gate.v1" => Self::Gate(Box::new(read(path, document)?)),
            "redline.trails.v1" => Self::Trails(read(path, document)?),
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

    /// Its figures.
    pub fn pictures(&self) -> Result<Vec<Picture>, PlotError> {
        let one = |drawn: Drawn| vec![Picture::new("", drawn)];
        Ok(match self {
            Self::Depth(table) => one(Drawn::Bands(depth_plot(table))),
            Self::Drift(report) => one(Drawn::Bands(drift_plot(report))),
            Self::Rounds(rounds) => one(Drawn::Trails(rounds_plot(rounds))),
            Self::Ladder(seeds) => {
                let plots = ladder_plots(seeds).into_iter();
                plots.map(|(dimension, plot)| Picture::new(dimension, Drawn::Ladder(plot))).collect()
            }
            Self::Gate(calibration) => one(Drawn::Roc(gate_curve(calibration))),
            Self::Trails(found) => one(Drawn::Trails(found.clone().into())),
            Self::Feedback(table) => one(Drawn::Bands(feedback_plot(table))),
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

fn read<T: DeserializeOwned>(path: &Path, value: Value) -> anyhow::Result<T> {
    let malformed = |source: serde_json::Error| ModelError::Malformed {
        path: path.into(),
        format: "result",
        rule: source.to_string(),
    };
    Ok(serde_json::from_value(value).map_err(malformed)?)
}
