//! The ROC curve of a gate, with the threshold marked.

use redline_lab::answer_gate::GateCalibration;

use crate::plot::RocPlot;

/// The curve of the held-out rows. Marked is the last point whose threshold is as strict as the gate's or stricter: what that finds, the gate finds.
pub fn gate_curve(calibration: &GateCalibration) -> RocPlot {
    let GateCalibration { threshold, held_out, roc, .. } = calibration;
    let kind = calibration.kind;
    let is_within = |own: f64| kind.need(own) >= kind.need(*threshold);
    let chosen = roc.iter().rposition(|point| point.threshold.is_some_and(is_within));
    RocPlot {
        title: format!("Gate by {}", kind.quantity()),
        points: roc.clone(),
        chosen: Some(chosen.unwrap_or(0)),
        auc: Some(held_out.auc),
        notes: vec![format!("{} answers to correct and {} to leave, held out", held_out.n_needed, held_out.n_fine)],
    }
}
