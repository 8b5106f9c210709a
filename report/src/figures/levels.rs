//! Levels beside each other: from weak to strong, and by instruction.

use redline_lab::feedback::{FeedbackCell, FeedbackTable};
use redline_lab::iterate::{LevelName, Levels};
use redline_probe::stats::mean;

use crate::plot::{BandPanel, BandSeries, Bands, Estimate, Interval, Ladder, LadderLevel};

/// Bars from the strong model as it was to its ceiling, one plot a dimension (`harmless`, `helpful`): the mean of the seeds. The interval is
/// that of the questions where there is one seed, and from the lowest to the highest seed where there are several. A dimension that no instrument could
/// tell has no plot.
pub fn ladder_plots(seeds: &[Levels]) -> Vec<(&'static str, Ladder)> {
    let mut plots = Vec::from(["harmless", "helpful"].map(|dimension| (dimension, ladder(seeds, dimension))));
    if plots.iter().any(|(_, plot)| !plot.levels.is_empty()) {
        plots.retain(|(_, plot)| !plot.levels.is_empty());
    }
    plots
}

fn ladder(seeds: &[Levels], dimension: &str) -> Ladder {
    let level = |name: LevelName| {
        let estimates = seeds.iter().filter_map(|own| own.levels.get(&name)?.dimension(dimension));
        let estimates: Vec<Estimate> = estimates.map(|own| own.estimate()).collect();
        Some(LadderLevel { name: name.to_string(), value: together(&estimates)? })
    };
    Ladder {
        title: "From weak to strong".into(),
        x_label: dimension.into(),
        interval: match seeds.len() {
            n @ 2.. => format!("the lowest and the highest of {n} seeds"),
            _ => "its 95 % interval".into(),
        },
        levels: LevelName::ALL.into_iter().filter_map(level).collect(),
        notes: Vec::new(),
    }
}

fn together(estimates: &[Estimate]) -> Option<Estimate> {
    let values = || estimates.iter().map(|own| own.value);
    match estimates {
        [] => None,
        [only] => Some(*only),
        _ => {
            let interval = Interval { low: values().reduce(f64::min)?, high: values().reduce(f64::max)? };
            Some(Estimate { value: mean(values())?, interval: Some(interval) })
        }
    }
}

/// What is measured of a cell, with the label of its panel.
type CellPanel = (&'static str, fn(&FeedbackCell) -> Option<f64>);

/// Lines over the coefficient, one an instruction, in a panel each for harmful and other flaws mended, acknowledging, and damage. A measure
/// without a value anywhere has no panel.
pub fn feedback_plot(table: &FeedbackTable) -> Bands {
    let panels: [CellPanel; 4] = [
        ("harmful flaws mended (share)", |cell| cell.harmless),
        ("other flaws mended (share)", |cell| cell.helpful),
        ("acknowledging outputs (share)", |cell| cell.trait_share.any),
        ("sound text damaged (share)", |cell| cell.damage),
    ];
    let panel = |(label, value): CellPanel| {
        let series: Vec<BandSeries> = table
            .lines
            .iter()
            .map(|line| {
                let points = line
                    .cells
                    .iter()
                    .filter_map(|cell| Some((cell.coefficient, Estimate { value: value(cell)?, interval: None })));
                BandSeries { name: line.instruction.clone(), points: points.collect() }
            })
            .filter(|series: &BandSeries| !series.points.is_empty())
            .collect();
        (!series.is_empty()).then(|| BandPanel { y_label: label.into(), series })
    };
    Bands {
        title: "Words in the prompt beside the dial".into(),
        x_label: "coefficient".into(),
        panels: panels.into_iter().filter_map(panel).collect(),
        is_counted: false,
        marks: Vec::new(),
        notes: Vec::new(),
    }
}
