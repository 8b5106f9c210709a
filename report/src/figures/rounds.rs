//! Trails over two measured axes: rounds by helpful and harmless, training steps by gain and forgetting.

use serde::{Deserialize, Serialize};

use super::band::MeanBand;
use crate::plot::{Trail, TrailPoint, Trails};

/// What a round of an arm came to: an item of `redline.rounds.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundMeans {
    /// What is compared with what.
    pub arm: String,
    /// The round; 0 is before the first.
    pub round: usize,
    /// How helpful its answers are.
    pub helpful: MeanBand,
    /// How harmless.
    pub harmless: MeanBand,
}

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

/// One polyline an arm, a point a round, intervals in both axes. Rounds of an arm stand in their order.
pub fn rounds_plot(rounds: &[RoundMeans]) -> Trails {
    let point = |round: &RoundMeans| TrailPoint {
        number: round.round as f64,
        x: round.helpful.estimate(),
        y: round.harmless.estimate(),
    };
    Trails {
        title: "Helpful and harmless, round by round".into(),
        x_label: "helpful".into(),
        y_label: "harmless".into(),
        trails: trails(rounds, |round| &round.arm, point),
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
