//! The curves of a training run.

use redline_lab::experiment::{EvaluationRecord, StepRecord};

use crate::plot::{Curve, CurvePanel, Curves};

/// Points of a curve at most: of longer runs, neighbouring losses are averaged.
const MOST_POINTS: usize = 400;

/// Losses and held-out measures over the steps; `None` before the first step.
pub fn training_curves(steps: &[StepRecord], evaluations: &[EvaluationRecord]) -> Option<Curves> {
    if steps.is_empty() {
        return None;
    }
    let are_pairs = steps[0].pairs.is_some();
    let mut panels = vec![CurvePanel {
        y_label: if are_pairs { "loss (a pair)" } else { "loss (nats per token)" }.into(),
        curves: vec![Curve::new("training loss", smoothed(steps))],
    }];
    let of = |value: &dyn Fn(&EvaluationRecord) -> Option<f64>| -> Vec<(f64, f64)> {
        evaluations.iter().filter_map(|record| Some((record.step as f64, value(record)?))).collect()
    };
    let held_out = of(&|record| Some(record.loss));
    if !held_out.is_empty() {
        panels[0].curves.push(Curve::new("held-out loss", held_out));
    }
    let measures = [
        ("exact copies of clean answers (share)", of(&|record| record.exact_copy_rate)),
        ("edit ratio", of(&|record| record.edit_ratio)),
        ("similarity to the correction", of(&|record| record.similarity)),
        ("pairs in the right order", of(&|record| Some(record.pairs?.accuracy))),
    ];
    let curves = measures.into_iter().filter(|(_, points)| !points.is_empty());
    let curves: Vec<Curve> = curves.map(|(name, points)| Curve::new(name, points)).collect();
    if !curves.is_empty() {
        panels.push(CurvePanel { y_label: "held-out outputs (0 to 1)".into(), curves });
    }
    let n_identity = steps.iter().filter(|step| step.phase == "identity").count();
    let is_split = (1..steps.len()).contains(&n_identity);
    let marks = is_split.then(|| (n_identity as f64, "end of identity warm-up".to_owned()));
    Some(Curves { title: "Training".into(), x_label: "step".into(), panels, marks: marks.into_iter().collect() })
}

/// Means of neighbouring losses, so that a long run can be read.
fn smoothed(steps: &[StepRecord]) -> Vec<(f64, f64)> {
    let width = steps.len().div_ceil(MOST_POINTS);
    let mean = |part: &[StepRecord], value: &dyn Fn(&StepRecord) -> f64| {
        part.iter().map(value).sum::<f64>() / part.len() as f64
    };
    steps.chunks(width).map(|part| (mean(part, &|s| s.step as f64), mean(part, &|s| s.loss))).collect()
}
