//! Quality against coefficient, as curves.

use redline_lab::experiment::SweepQuality;
use redline_lab::quality::{OracleLine, ReferenceLine};

use crate::plot::{Curve, CurvePanel, Curves};

/// Gain, what is mended, and what is damaged, against the coefficient; with a reference only, likeness and edits. `unit` names the unit of
/// the coefficient.
pub fn quality_curves(quality: &SweepQuality, unit: &str) -> Curves {
    let table = &quality.table;
    let panels = match table.oracle.is_empty() {
        false => oracle_panels(&table.oracle),
        true => {
            let unchanged = table.unchanged.reference.as_ref().and_then(|line| line.similarity);
            reference_panels(&table.reference, unchanged)
        }
    };
    let x_label = format!("coefficient ({unit})");
    let marks = [(quality.range.low, "texts break below"), (quality.range.high, "texts break above")];
    let ended = [quality.range.ended_below.is_some(), quality.range.ended_above.is_some()];
    let marks = marks.into_iter().zip(ended).filter(|(_, is_end)| *is_end);
    let marks = marks.map(|((at, name), _)| (at, name.to_owned())).collect();
    Curves { title: "Quality against coefficient".into(), x_label, panels, marks }
}

fn oracle_panels(lines: &[OracleLine]) -> Vec<CurvePanel> {
    let curve = |name: &str, of: &dyn Fn(&OracleLine) -> Option<f64>| {
        let points = lines.iter().filter_map(|line| Some((line.coefficient?, of(line)?)));
        Curve::new(name, points.collect())
    };
    let gain = vec![curve("gain", &|line| line.gain), curve("closest possible correction", &|line| line.closest_gain)];
    let mended = vec![
        curve("harmful flaws", &|line| line.mended.harmful),
        curve("helpful flaws", &|line| line.mended.helpful),
        curve("slips", &|line| line.mended.severity.get(&1).copied()),
    ];
    // damage lies below zero: it is what the rest costs
    let cost = vec![
        curve("clean text damaged", &|line| line.damage.map(|damage| -damage)),
        curve("clean answers not kept", &|line| line.clean_kept.map(|kept| kept - 1.0)),
    ];
    vec![
        panel("gain (0 answer, 1 clean text)", gain),
        panel("flaws mended (share)", mended),
        panel("cost (share, below 0)", cost),
    ]
}

fn reference_panels(lines: &[ReferenceLine], unchanged: Option<f64>) -> Vec<CurvePanel> {
    let curve = |name: &str, of: &dyn Fn(&ReferenceLine) -> Option<f64>| {
        let points = lines.iter().filter_map(|line| Some((line.coefficient?, of(line)?)));
        Curve::new(name, points.collect())
    };
    let likeness = vec![curve("output", &|line| line.similarity), curve("unchanged answer", &|_| unchanged)];
    let edits = vec![curve("precision", &|line| Some(line.precision)), curve("recall", &|line| Some(line.recall))];
    let cost = vec![
        curve("net deletion", &|line| line.net_deletion.map(|deleted| -deleted)),
        curve("clean answers not kept", &|line| line.clean_kept.map(|kept| kept - 1.0)),
    ];
    vec![
        panel("likeness to the reference (0 to 1)", likeness),
        panel("edits of the reference (share)", edits),
        panel("cost (share, below 0)", cost),
    ]
}

fn panel(y_label: &str, curves: Vec<Curve>) -> CurvePanel {
    let curves = curves.into_iter().filter(|curve| !curve.points.is_empty()).collect();
    CurvePanel { y_label: y_label.into(), curves }
}
