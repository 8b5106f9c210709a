//! Trails over two measured axes: rounds by helpful and harmless, training steps by gain and forgetting.

use redline_lab::iterate::RoundMeans;
use redline_probe::stats::MeanEstimate;
use serde::{Deserialize, Serialize};

use super::band::MeanBand;
use crate::plot::{Trail, TrailPoint, Trails};

/// What a training step came to: an item of `redline.forgetting.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepMeans {
    /// The step.
    pub step: usize,
    /// What was gained of what is trained.
    pub gain: MeanBand,
    /// What was lost of what was there.
    pub forgetting: MeanBand,
    /// What is compared with what; none where there is only one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
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

/// Gain against forgetting, points labelled by step.
pub fn forgetting_plot(steps: &[StepMeans]) -> Trails {
    let point = |step: &StepMeans| TrailPoint {
        number: step.step as f64,
        x: step.forgetting.estimate(),
        y: step.gain.estimate(),
    };
    Trails {
        title: "What training gains, and what it forgets".into(),
        x_label: "forgetting".into(),
        y_label: "gain".into(),
        trails: trails(steps, |step| step.arm.as_deref().unwrap_or("training"), point),
        notes: vec!["numbers: training steps".into()],
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
