//! The ROC curve of a gate, with the threshold marked.

use redline_lab::answer_gate::GateCalibration;

use crate::plot::{Curve, CurvePanel, Curves};

/// The curve of the held-out rows beside the line of chance.
pub fn gate_curve(calibration: &GateCalibration) -> Curves {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for point in &calibration.roc {
        match points.last_mut() {
            // where it rises straight up, the upper end stands
            Some(last) if last.0 == point.false_rate => last.1 = last.1.max(point.true_rate),
            _ => points.push((point.false_rate, point.true_rate)),
        }
    }
    let held_out = &calibration.held_out;
    let name = format!("held-out answers (AUC {:.3})", held_out.auc.value);
    Curves {
        title: format!("Gate by {} ({})", calibration.kind.quantity(), calibration.instrument.display()),
        x_label: "answers to leave that are corrected (share)".into(),
        panels: vec![CurvePanel {
            y_label: "answers to correct that are (share)".into(),
            curves: vec![Curve::new(name, points), Curve::new("chance", vec![(0.0, 0.0), (1.0, 1.0)])],
        }],
        marks: vec![(held_out.false_rate, format!("threshold {:.4}", calibration.threshold))],
    }
}
