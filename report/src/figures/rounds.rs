//! Trails over two measured axes: rounds by helpful and harmless, and those of a file.

use redline_lab::iterate::RoundMeans;
use redline_probe::stats::MeanEstimate;
use serde::{Deserialize, Serialize};

use super::band::MeanBand;
use crate::plot::{Trail, TrailPoint, Trails};

/// Trails as a file holds them: `redline.trails.v1`, for results of scripts such as gain against forgetting by training step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrailMeans {
    /// Title.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Name of the upright axis.
    pub y_label: String,
    /// Sentences below the legend, such as what the numbers at the points are.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The trails.
    pub trails: Vec<OneTrail>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OneTrail {
    /// Name in the legend.
    pub name: String,
    /// Its points, whose numbers grow.
    pub points: Vec<PointMeans>,
}

/// A point of a trail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PointMeans {
    /// Its number: a step, a coefficient.
    pub number: f64,
    /// Its place to the right.
    pub x: MeanBand,
    /// Its place upwards.
    pub y: MeanBand,
}

impl From<TrailMeans> for Trails {
    fn from(found: TrailMeans) -> Self {
        let point =
            |point: PointMeans| TrailPoint { number: point.number, x: point.x.estimate(), y: point.y.estimate() };
        let trail = |trail: OneTrail| Trail { name: trail.name, points: trail.points.into_iter().map(point).collect() };
        Self {
            title: found.title,
            x_label: found.x_label,
            y_label: found.y_label,
            trails: found.trails.into_iter().map(trail).collect(),
            notes: found.notes,
        }
    }
}

/// One polyline an arm, a point a round, intervals in both axes. Rounds of an arm stand in their order; one that lacks a measure has no point.
pub fn rounds_plot(rounds: &[RoundMeans]) -> Trails {
    let found = rounds.iter().filter_map(|round| Some((round, round.helpful?, round.harmless?)));
    let found: Vec<(&RoundMeans, MeanEstimate, MeanEstimate)> = found.collect();
    let point = |(round, helpful, harmless): &(&RoundMeans, MeanEstimate, MeanEstimate)| TrailPoint {
        number: round.round as f64,
        x: helpful.estimate(),
        y: harmless.estimate(),
    };
    Trails {
        title: "Helpful and harmless, round by round".into(),
        x_label: "helpful".into(),
        y_label: "harmless".into(),
        trails: trails(&found, |(round, ..)| &round.arm, point),
        notes: vec!["numbers: rounds".into()],
    }
}

/// One trail a name, in the order of first appearance.
fn trails<T>(items: &[T], name: impl Fn(&T) -> &str, point: impl Fn(&T) -> TrailPoint) -> Vec<Trail> {
    let mut trails: Vec<Trail> = Vec::new();
    for item in items {
        let place = trails.iter().position(|trail| trail.name == name(item)).unwrap_or_else(|| {
            trails.push(Trail { name: name(item).to_owned(), points: Vec::new() });
            trails.len() - 1
        });
        trails[place].points.push(point(item));
    }
    trails
}
