//! Further passes and further turns of an Aligner, as lines with bands.

use redline_lab::stacking::{DepthLine, DepthTable};
use redline_lab::turns::DriftReport;

use crate::plot::{BandPanel, BandSeries, Bands, Estimate};

/// Mended and damage against depth, a line a coefficient; where flaws are not known, edit ratio and fixed points.
pub fn depth_plot(table: &DepthTable) -> Bands {
    let is_known = table.lines.iter().any(|line| line.mended.is_some());
    let panels = match is_known {
        true => vec![
            panel(table, "flaws mended (share)", |line| line.mended),
            panel(table, "sound text damaged (share)", |line| line.damage),
        ],
        false => vec![
            panel(table, "edit ratio from the answer", |line| line.edit_ratio),
            panel(table, "unchanged by one more pass (share)", |line| line.fixed_point),
        ],
    };
    Bands {
        title: "What further passes mend, and what they damage".into(),
        x_label: "passes".into(),
        panels: panels.into_iter().filter(|panel| !panel.series.is_empty()).collect(),
        is_counted: true,
        marks: Vec::new(),
        notes: vec![format!("n = {} rows", table.n_rows)],
    }
}

fn panel(table: &DepthTable, y_label: &str, of: fn(&DepthLine) -> Option<Estimate>) -> BandPanel {
    let mut series: Vec<BandSeries> = Vec::new();
    for line in &table.lines {
        let name = line.coefficient.map_or_else(|| "Aligner".into(), |at| format!("coefficient {at}"));
        let Some(value) = of(line) else { continue };
        match series.iter_mut().find(|own| own.name == name) {
            Some(own) => own.points.push((line.depth as f64, value)),
            None => series.push(BandSeries { name, points: vec![(line.depth as f64, value)] }),
        }
    }
    BandPanel { y_label: y_label.into(), series }
}

/// Edit ratio by turn, a line a history and coefficient, and below the difference of the two histories.
pub fn drift_plot(report: &DriftReport) -> Bands {
    let at = |coefficient: Option<f64>| coefficient.map_or_else(String::new, |at| format!(", coefficient {at}"));
    let mut ratios: Vec<BandSeries> = Vec::new();
    for line in &report.lines {
        let name = format!("{} history{}", line.history, at(line.coefficient));
        push(&mut ratios, name, line.turn, &line.edit_ratio);
    }
    let mut differences: Vec<BandSeries> = Vec::new();
    for line in &report.differences {
        push(&mut differences, format!("corrected less original{}", at(line.coefficient)), line.turn, &line.difference);
    }
    let panels = vec![
        BandPanel { y_label: "edit ratio".into(), series: ratios },
        BandPanel { y_label: "difference".into(), series: differences },
    ];
    Bands {
        title: "Edit ratio by turn".into(),
        x_label: "turn of the conversation".into(),
        panels: panels.into_iter().filter(|panel| !panel.series.is_empty()).collect(),
        is_counted: true,
        marks: Vec::new(),
        notes: vec![format!("n = {} conversations; later turns are those of longer ones only", report.n_dialogues)],
    }
}

fn push(series: &mut Vec<BandSeries>, name: String, turn: usize, mean: &redline_probe::stats::MeanEstimate) {
    let value = mean.estimate();
    match series.iter_mut().find(|own| own.name == name) {
        Some(own) => own.points.push((turn as f64, value)),
        None => series.push(BandSeries { name, points: vec![(turn as f64, value)] }),
    }
}
