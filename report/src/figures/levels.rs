//! Levels beside each other: from weak to strong, by instruction, by threshold.

use serde::{Deserialize, Serialize};

use super::band::MeanBand;
use crate::plot::{BandPanel, BandSeries, Bands, Ladder, LadderLevel, PlotError, RocPlot, RocPoint};

/// A level: an item of `redline.ladder.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelMean {
    /// What it is called.
    pub level: String,
    /// What it came to.
    #[serde(flatten)]
    pub value: MeanBand,
}

/// Bars from the first level to the last, such as strong before, weak alone, strong + Aligner, strong after, ceiling.
pub fn ladder_plot(levels: &[LevelMean]) -> Ladder {
    let level = |own: &LevelMean| LadderLevel { name: own.level.clone(), value: own.value.estimate() };
    Ladder {
        title: "From weak to strong".into(),
        x_label: "measure".into(),
        levels: levels.iter().map(level).collect(),
        notes: Vec::new(),
    }
}

/// An instruction over coefficients: an item of `redline.by_instruction.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstructionLine {
    /// What the Aligner was asked for; empty for nothing.
    pub instruction: String,
    /// By coefficient.
    pub points: Vec<CoefficientMean>,
}

/// A coefficient of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoefficientMean {
    /// The coefficient.
    pub coefficient: f64,
    /// What it came to.
    #[serde(flatten)]
    pub value: MeanBand,
}

/// Lines with bands over the coefficient, one an instruction. `measure` names what is measured, with its unit.
pub fn instruction_plot(lines: &[InstructionLine], measure: &str) -> Bands {
    let name = |line: &InstructionLine| match line.instruction.trim() {
        "" => "no instruction".to_owned(),
        text => text.to_owned(),
    };
    let series = |line: &InstructionLine| BandSeries {
        name: name(line),
        points: line.points.iter().map(|point| (point.coefficient, point.value.estimate())).collect(),
    };
    Bands {
        title: "Quality against coefficient, by instruction".into(),
        x_label: "coefficient".into(),
        panels: vec![BandPanel { y_label: measure.into(), series: lines.iter().map(series).collect() }],
        is_counted: false,
        marks: Vec::new(),
        notes: Vec::new(),
    }
}

/// A ROC curve: `redline.roc.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RocCurve {
    /// Its points, from the strictest threshold to the loosest.
    pub points: Vec<RocPoint>,
    /// The threshold that was chosen, which one of the points has.
    #[serde(default)]
    pub chosen: Option<ChosenThreshold>,
    /// The area under the curve.
    #[serde(default)]
    pub auc: Option<MeanBand>,
}

/// A threshold, alone or with its rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ChosenThreshold {
    /// Its value.
    Threshold(f64),
    /// The point that has it.
    Point(RocPoint),
}

/// The curve with the chosen threshold marked.
///
/// # Errors
/// [`PlotError::NoPoint`] when no point has that threshold.
pub fn roc_plot(curve: &RocCurve) -> Result<RocPlot, PlotError> {
    let value = curve.chosen.and_then(|chosen| match chosen {
        ChosenThreshold::Threshold(value) => Some(value),
        ChosenThreshold::Point(point) => point.threshold,
    });
    let place = |value: f64| {
        let is_it = |point: &RocPoint| point.threshold.is_some_and(|own| (own - value).abs() <= 1e-9 * value.abs());
        curve.points.iter().position(is_it).ok_or(PlotError::NoPoint { threshold: value })
    };
    Ok(RocPlot {
        title: "What a threshold finds, and what it finds wrongly".into(),
        points: curve.points.clone(),
        chosen: value.map(place).transpose()?,
        auc: curve.auc.map(|auc| auc.estimate()),
        notes: Vec::new(),
    })
}
