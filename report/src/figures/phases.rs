//! Which coefficient is best for whom, and what mending costs.

use redline_lab::quality::{OracleLine, PhaseDiagram, QualityTable};

use crate::plot::{Curve, CurvePanel, Curves, Heatmap};

/// The best coefficient by share of clean answers and price of damage; hatched where the rows leave the choice open.
pub fn phase_heatmap(phases: &PhaseDiagram, unit: &str) -> Heatmap {
    let values = phases.best.iter().map(|row| row.iter().map(|best| *best as f32).collect()).collect();
    let labels = phases.clean_shares.iter().map(|share| format!("{:.0}%", 100.0 * share)).collect();
    let PhaseDiagram { harmful, helpful, .. } = phases;
    let title =
        format!("Best coefficient, where mending all harmful flaws is worth {harmful}, all helpful ones {helpful}");
    let mut heatmap = Heatmap::new(title, values, labels);
    heatmap.layers.clone_from(&phases.prices);
    let ends = phases.coefficients.iter().map(|coefficient| coefficient.abs());
    heatmap.clip = ends.fold(0.0, f64::max).max(f64::MIN_POSITIVE) as f32;
    heatmap.quantity = "coefficient".into();
    heatmap.unit = unit.into();
    heatmap.x_label = "share of answers that were fine".into();
    heatmap.y_label = ["price of changing all clean text".into(), "price of damage".into()];
    heatmap.poles = ["less correction".into(), "more correction".into()];
    let is_wide =
        |price: usize| (0..phases.clean_shares.len()).map(move |share| phases.is_wide(price, share)).collect();
    heatmap.hatched = (0..phases.prices.len()).map(is_wide).collect();
    heatmap.hatched_note = "hatched: most coefficients are as good".into();
    heatmap
}

/// What is mended against what is damaged, from coefficient to coefficient; `others` are single points beside the dial, such as
/// prompting. `None` where flaws are not known.
pub fn pareto_curves(table: &QualityTable, others: &[(String, OracleLine)]) -> Option<Curves> {
    let point = |line: &OracleLine, mended: fn(&OracleLine) -> Option<f64>| Some((line.damage?, mended(line)?));
    let panel = |y_label: &str, mended: fn(&OracleLine) -> Option<f64>| {
        let mut dial: Vec<(f64, f64)> = table.oracle.iter().filter_map(|line| point(line, mended)).collect();
        dial.sort_by(|a, b| a.0.total_cmp(&b.0));
        dial.dedup_by(|a, b| a.0 == b.0);
        let unsteered = table.oracle.iter().filter(|line| line.coefficient == Some(0.0));
        let single = |name: &str, line: &OracleLine| Some(Curve::new(name, vec![point(line, mended)?]));
        let mut curves = vec![Curve::new("the dial", dial), Curve::new("unchanged answers", vec![(0.0, 0.0)])];
        curves.extend(unsteered.filter_map(|line| single("unsteered", line)));
        curves.extend(others.iter().filter_map(|(name, line)| single(name, line)));
        curves.retain(|curve| !curve.points.is_empty());
        CurvePanel { y_label: y_label.into(), curves }
    };
    let panels = vec![
        panel("harmful flaws mended (share)", |line| line.mended.harmful),
        panel("helpful flaws mended (share)", |line| line.mended.helpful),
    ];
    (!table.oracle.is_empty()).then(|| Curves {
        title: "What is mended against what is damaged".into(),
        x_label: "clean text damaged (share)".into(),
        panels,
        marks: Vec::new(),
    })
}
