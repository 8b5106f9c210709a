use super::samples::{self, estimate};
use crate::plot::{Control, Heatmap, Plot, PlotError, SweepPlot, svg_string};

/// The texts of an SVG document with the row they stand at.
pub(super) fn texts(svg: &str) -> Vec<(f64, String)> {
    let row = |tag: &str| -> f64 {
        let start = tag.find(" y=\"").unwrap() + 4;
        tag[start..].split('"').next().unwrap().parse().unwrap()
    };
    let text = |part: &str| {
        let (tag, rest) = part.split_once('>').unwrap();
        (row(tag), rest.split("</text>").next().unwrap().trim().to_owned())
    };
    svg.split("<text").skip(1).map(text).collect()
}

fn row_of(svg: &str, wanted: &str) -> f64 {
    let found: Vec<f64> = texts(svg).into_iter().filter(|(_, text)| text == wanted).map(|(y, _)| y).collect();
    assert_eq!(found.len(), 1, "{wanted}: {found:?}");
    found[0]
}

fn assert_says(svg: &str, wanted: &[&str]) {
    let all: Vec<String> = texts(svg).into_iter().map(|(_, text)| text).collect();
    let all = all.join(" ");
    for text in wanted {
        assert!(all.contains(text), "“{text}” is not in: {all}");
    }
}

#[test]
fn heatmap_puts_layer_0_at_the_bottom() {
    let svg = svg_string(&samples::heatmap()).unwrap();
    // The colour bar has its own 0, +1 …, so layer labels are told by their column.
    let at_left: String = svg
        .split("<text")
        .filter(|part| part.contains("x=\"76\""))
        .fold(String::new(), |all, part| format!("{all}<text{}</text>", part.split("</text>").next().unwrap()));
    let rows: Vec<f64> = (0..30).map(|layer| row_of(&at_left, &layer.to_string())).collect();
    assert!(rows.windows(2).all(|pair| pair[1] < pair[0]), "{rows:?}");
}

#[test]
fn heatmap_draws_the_lowest_layer_lowest() {
    let mut values = vec![vec![0.0; 4]; 3];
    values[0] = vec![3.0; 4];
    let svg = svg_string(&Heatmap::new("", values, vec!["x".into(); 4])).unwrap();
    let cells: Vec<&str> = svg.lines().filter(|l| l.contains("width=\"64\" height=\"30\"")).collect();
    assert_eq!(cells.len(), 12);
    let y = |cell: &str| -> u32 { cell.split(" y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap() };
    let lowest = cells.iter().map(|cell| y(cell)).max().unwrap();
    for cell in &cells {
        assert_eq!(cell.contains("#8A161C"), y(cell) == lowest, "{cell}");
    }
}

#[test]
fn heatmap_has_a_cell_per_value_and_names_clip_and_poles() {
    let plot = samples::heatmap();
    let svg = svg_string(&plot).unwrap();
    let cells = svg.matches("width=\"45\" height=\"21\"").count();
    assert_eq!(cells, 30 * 20);
    let beyond = plot.values.iter().flatten().filter(|v| v.abs() > 3.0).count();
    assert!(beyond > 0);
    let counted = format!("{beyond} of 600 cells lie");
    assert_says(&svg, &["clipped at ±3", &counted, "30 cells missing", "correction", "copy"]);
    assert_says(&svg, &["score (z)", "·Canberra", "⏎⏎", "layer (block number, from 0)"]);
    assert_eq!(svg.matches("<polygon").count(), beyond + 2);
}

#[test]
fn heatmap_cells_carry_their_sign() {
    let strokes = |values: [f32; 3]| {
        let svg = svg_string(&Heatmap::new("", vec![values.to_vec()], vec!["x".into(); 3])).unwrap();
        svg.matches("<polyline").count()
    };
    let none = strokes([0.0, 0.9, -0.9]);
    assert_eq!(strokes([1.0, 0.0, 0.0]), none + 2, "a plus");
    assert_eq!(strokes([-1.0, 0.0, 0.0]), none + 1, "a minus");
    assert_eq!(strokes([3.5, -3.5, f32::NAN]) - strokes([0.0, 0.0, f32::NAN]), 3, "clipped cells too");
}

#[test]
fn heatmap_keeps_absolute_layer_numbers() {
    let mut plot = Heatmap::new("", vec![vec![1.0]; 3], vec!["x".into()]);
    plot.layers = vec![17, 18, 25];
    let svg = svg_string(&plot).unwrap();
    assert!(row_of(&svg, "17") > row_of(&svg, "25"));
    assert_says(&svg, &["no cell lies beyond"]);
}

#[test]
fn markup_in_labels_is_escaped() {
    let tokens = vec!["</svg>".into(), "\u{0}&".into()];
    let svg = svg_string(&Heatmap::new("a < b\u{1b}", vec![vec![0.0; 2]], tokens)).unwrap();
    assert_eq!(svg.matches("</svg>").count(), 1);
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn profile_names_series_chance_and_axes() {
    let svg = svg_string(&samples::profile()).unwrap();
    let wanted = ["pair accuracy, mean_diff", "AUROC, mean_diff", "chance (0.5)", "95 % interval"];
    assert_says(&svg, &wanted);
    assert_says(&svg, &["layer (block number, from 0)", "share (0 to 1)"]);
    assert_eq!(svg.matches("<polygon").count(), 3 + 2 * 31, "three bands; 30 squares, 30 triangles and their keys");
}

#[test]
fn sweep_names_fit_range_controls_and_coherence() {
    let plot = samples::sweep(&[-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5]);
    let svg = svg_string(&plot).unwrap();
    assert_says(&svg, &["slope 0.0503 [0.0388, 0.0617]", "R² = 0.961", "coherent range −1 … 0.5"]);
    assert_says(&svg, &["single prompts (n = 24)", "prompt values beyond the axis: 1"]);
    assert_says(&svg, &["shuffled labels", "clean prompts", "random directions of equal norm", "(20)"]);
    assert_says(&svg, &["nats / token", "repeated 4-grams", "cut by the length limit", "“edit more”"]);
    for tick in ["−0.75", "−0.25", "0.25"] {
        row_of(&svg, tick);
    }
}

#[test]
fn a_line_fitted_beyond_the_sweep_is_not_bent() {
    let mut plot = samples::sweep(&[-1.0, 0.0, 1.0]);
    plot.line.as_mut().unwrap().range = (-4.0, 4.0);
    plot.coherence = None;
    plot.prompts.clear();
    let svg = svg_string(&plot).unwrap();
    let line = svg.lines().find(|l| l.contains("stroke-width=\"3\"") && l.contains("points=\"92,"));
    assert!(line.is_some_and(|line| line.contains(" 866,")), "{line:?}");
}

#[test]
fn a_long_legend_makes_room_for_itself() {
    let mut plot = samples::sweep(&[-1.0, 0.0, 1.0]);
    let (_, height) = plot.size();
    // controls of one name share a line
    plot.controls.extend(vec![plot.controls[0].clone(); 12]);
    assert!(plot.size().1 < height + 40);
    for i in 0..12 {
        plot.controls.push(Control { name: format!("control {i}"), ..plot.controls[0].clone() });
    }
    assert!(plot.size().1 > height + 200);
}

#[test]
fn curves_name_panels_curves_and_marks() {
    let svg = svg_string(&samples::curves()).unwrap();
    assert_says(&svg, &["loss (nats per token)", "share (0 to 1)", "training", "exact copies"]);
    assert_says(&svg, &["end of identity warm-up", "step"]);
    assert_eq!(row_of(&svg, "step"), texts(&svg).iter().map(|(y, _)| *y).fold(0.0, f64::max), "one axis, below all");
    let mut plot = samples::curves();
    plot.panels[1].curves[0].points[2].1 = f64::NAN;
    assert!(matches!(svg_string(&plot), Err(PlotError::NotFinite { .. })));
    plot.panels[1].curves[0].points.swap(0, 1);
    plot.panels[1].curves[0].points[2].1 = 0.5;
    assert!(matches!(svg_string(&plot), Err(PlotError::NotAscending { .. })));
    plot.panels.clear();
    assert!(matches!(svg_string(&plot), Err(PlotError::Empty { .. })));
}

#[test]
fn extreme_numbers_do_not_panic() {
    for value in [f64::MAX, f64::MIN_POSITIVE, 1e300, -1e-300, 1.0 + f64::EPSILON] {
        let mut slopes = samples::slopes();
        slopes.slopes = vec![value, 1.0, value * (1.0 - 1e-12)];
        svg_string(&slopes).unwrap();
        let mut sweep = samples::sweep(&[-1.0, 0.0, 1.0]);
        sweep.points[1].mean = estimate(value, value, value);
        svg_string(&sweep).unwrap();
        let mut profile = samples::profile();
        profile.series[0].values[0] = -value;
        profile.series[1].values[0] = value;
        svg_string(&profile).unwrap();
        let values = vec![vec![value as f32, 0.0]];
        let mut heatmap = Heatmap::new("", values, vec!["a".into(); 2]);
        heatmap.clip = f32::MIN_POSITIVE;
        if heatmap.check().is_ok() {
            svg_string(&heatmap).unwrap();
        }
    }
}

#[test]
fn slopes_name_the_anti_steerable_share() {
    let mut plot = samples::slopes();
    plot.slopes = vec![-0.2, 0.0, 0.3, 0.4];
    assert_eq!(plot.n_anti_steerable(), 1);
    let svg = svg_string(&plot).unwrap();
    assert_says(&svg, &["1 of 4 prompts (25.0 %)", "95th percentile: 0.210", "anti-steerable"]);
    assert_says(&svg, &["random directions", "shuffled labels", "slope (nats per gap)"]);
}

#[test]
fn empty_data_is_refused() {
    let empty = |result: Result<(), PlotError>| matches!(result, Err(PlotError::Empty { .. }));
    assert!(empty(Heatmap::new("", vec![], vec![]).check()));
    assert!(empty(Heatmap::new("", vec![vec![]], vec![]).check()));
    let mut profile = samples::profile();
    profile.series.clear();
    assert!(empty(profile.check()));
    assert!(empty(SweepPlot::new("", vec![]).check()));
    let mut slopes = samples::slopes();
    slopes.slopes.clear();
    assert!(empty(slopes.check()));
}

#[test]
fn ragged_data_is_refused() {
    let ragged = |result: Result<(), PlotError>| matches!(result, Err(PlotError::Ragged { .. }));
    let mut heatmap = samples::heatmap();
    heatmap.values[7].pop();
    let error = heatmap.check().unwrap_err();
    assert_eq!(error.to_string(), "heatmap: layer 7 has 19 values where 20 were expected");
    let mut profile = samples::profile();
    profile.series[1].intervals.as_mut().unwrap().pop();
    assert!(ragged(profile.check()));
    let mut sweep = samples::sweep(&[-1.0, 0.0, 1.0]);
    sweep.prompts[2].pop();
    assert!(ragged(sweep.check()));
    let mut sweep = samples::sweep(&[-1.0, 0.0, 1.0]);
    sweep.coherence.as_mut().unwrap().truncated.pop();
    assert!(ragged(sweep.check()));
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let refused = |result: Result<(), PlotError>| matches!(result, Err(PlotError::NotFinite { .. }));
    let mut heatmap = samples::heatmap();
    heatmap.values[0][0] = f32::INFINITY;
    assert!(refused(heatmap.check()));
    let mut sweep = samples::sweep(&[-1.0, 0.0, 1.0]);
    sweep.points[1].mean = estimate(1.0, 0.9, f64::NAN);
    assert!(refused(sweep.check()));
    let mut slopes = samples::slopes();
    slopes.random.as_mut().unwrap().percentile_95 = f64::NAN;
    assert!(refused(slopes.check()));
}

#[test]
fn disorder_is_refused() {
    let mut sweep = samples::sweep(&[-1.0, 0.0, 1.0]);
    sweep.points.swap(0, 1);
    assert!(matches!(sweep.check(), Err(PlotError::NotAscending { position: 1, .. })));
    let mut slopes = samples::slopes();
    slopes.mean = Some(estimate(1.0, 2.0, 0.0));
    assert!(matches!(slopes.check(), Err(PlotError::ReversedInterval { .. })));
    for clip in [0.0, -3.0, f32::NAN, f32::INFINITY] {
        let mut heatmap = samples::heatmap();
        heatmap.clip = clip;
        assert!(matches!(heatmap.check(), Err(PlotError::Clip { .. })), "{clip}");
    }
}
