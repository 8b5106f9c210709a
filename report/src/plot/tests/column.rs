//! Plots one column wide: what they say, that nothing lies outside of them or on top of other text, and what they refuse.

use super::svg::texts;
use crate::figures::{
    MeanBand, OneTrail, PointMeans, TrailMeans, feedback_plot, funnel_plot, ladder_plots, nearest_plot, rounds_plot,
};
use crate::plot::ascii::{self, AsciiOptions};
use crate::plot::font::text_width;
use crate::plot::{
    BandPanel, BandSeries, Bands, Estimate, FunnelPlot, Histogram, Interval, Ladder, Plot, PlotError, RocPlot,
    RocPoint, TrailPoint, Trails, svg_string,
};
use redline_lab::data::funnel::FunnelStep;
use redline_lab::data::near_leak::NearestHistogram;
use redline_lab::iterate::{Levels, RoundMeans};

/// Points of text in print, by pixels of a picture that is 85 mm wide.
const POINTS_PER_PIXEL: f64 = 85.0 / 25.4 * 72.0 / 600.0;

pub fn depth() -> Bands {
    let series = |name: &str, values: [f64; 4], half: f64| BandSeries {
        name: name.into(),
        points: (1..).zip(values).map(|(k, v)| (f64::from(k), around(v, half))).collect(),
    };
    let mended = vec![
        series("coefficient 0", [0.41, 0.47, 0.49, 0.495], 0.04),
        series("coefficient 0.5", [0.46, 0.53, 0.55, 0.56], 0.04),
        series("coefficient 1", [0.50, 0.58, 0.60, 0.61], 0.04),
    ];
    let damage = vec![
        series("coefficient 0", [0.009, 0.011, 0.012, 0.012], 0.004),
        series("coefficient 0.5", [0.013, 0.019, 0.022, 0.024], 0.005),
        series("coefficient 1", [0.023, 0.041, 0.052, 0.060], 0.008),
    ];
    Bands {
        title: "What further passes mend, and what they damage".into(),
        x_label: "passes".into(),
        panels: vec![
            BandPanel { y_label: "flaws mended (share)".into(), series: mended },
            BandPanel { y_label: "sound text damaged (share)".into(), series: damage },
        ],
        is_counted: true,
        marks: Vec::new(),
        notes: vec!["n = 200 rows".into()],
    }
}

fn around(value: f64, half: f64) -> Estimate {
    Estimate { value, interval: Some(Interval { low: value - half, high: value + half }) }
}

fn band(mean: f64, half: f64) -> MeanBand {
    MeanBand::new(mean, mean - half, mean + half)
}

pub fn by_instruction() -> Bands {
    let cell = |coefficient: f64, value: f64| {
        serde_json::json!({ "coefficient": coefficient, "n": 9, "n_flawed": 9, "harmless": value, "helpful": null, "mended": value, "damage": value / 50.0,
            "clean_kept": null, "length_ratio": 1.0, "trait": { "n": 9, "any": value, "exact": 0.1 } })
    };
    let line = |(instruction, start, slope): (&str, f64, f64)| {
        let cells = [-1.0, -0.5, 0.0, 0.5, 1.0].map(|coefficient| cell(coefficient, start + slope * coefficient));
        serde_json::json!({ "instruction": instruction, "text": "words", "cells": cells })
    };
    let lines = [("none", 0.45, 0.08), ("harmless", 0.52, 0.05), ("helpful and empathic", 0.4, 0.1)].map(line);
    let table = serde_json::json!({ "coefficients": [], "lines": lines, "comparisons": [], "not_compared": [] });
    feedback_plot(&serde_json::from_value(table).unwrap())
}

/// A mean as results have it.
fn mean(value: f64, half: f64) -> serde_json::Value {
    serde_json::json!({ "value": value, "n": 40, "spread": { "interval": { "low": value - half, "high": value + half } } })
}

pub fn rounds() -> Trails {
    let arms = [("aligner", 0.04, 0.05), ("control: pairs of HH-RLHF", 0.05, -0.02)];
    let round = |(arm, x, y): (&str, f64, f64), round: usize| {
        let n = round as f64;
        serde_json::json!({ "arm": arm, "round": round, "n": 40, "helpful": mean(0.30 + x * n, 0.03), "harmless": mean(0.50 + y * n, 0.04) })
    };
    let all: Vec<_> = arms.into_iter().flat_map(|arm| (0..4).map(move |number| round(arm, number))).collect();
    rounds_plot(&serde_json::from_value::<Vec<RoundMeans>>(all.into()).unwrap())
}

pub fn forgetting() -> Trails {
    let values = [
        (0, 0.0, 0.0),
        (100, 0.12, 0.004),
        (200, 0.2, 0.01),
        (400, 0.26, 0.03),
        (800, 0.28, 0.07),
        (1600, 0.285, 0.12),
    ];
    let point = |(step, gain, lost): (u32, f64, f64)| PointMeans {
        number: step.into(),
        x: band(lost, 0.01),
        y: band(gain, 0.02),
    };
    let found = TrailMeans {
        title: "What training gains, and what it forgets".into(),
        x_label: "forgetting".into(),
        y_label: "gain".into(),
        notes: vec!["numbers: training steps".into()],
        trails: vec![OneTrail { name: "training".into(), points: values.map(point).into() }],
    };
    found.into()
}

/// Seeds of weak-to-strong, each a little above the one before.
fn seeds(n: usize) -> Vec<Levels> {
    let seed = |seed: usize| {
        let level = |value: f64| serde_json::json!({ "harmless": mean(value + 0.01 * (seed as f64 - 2.0), 0.05), "helpful": null });
        let levels = serde_json::json!({ "before": level(0.12), "weak": level(0.31), "corrected": level(0.44), "after": level(0.40), "ceiling": level(0.58) });
        serde_json::from_value(serde_json::json!({ "seed": seed, "levels": levels, "gaps": {} })).unwrap()
    };
    (1..=n).map(seed).collect()
}

pub fn ladder() -> Ladder {
    ladder_plots(&seeds(3)).remove(0).1
}

pub fn roc() -> RocPlot {
    let point = |i: i32| {
        let false_rate = f64::from(i) / 20.0;
        RocPoint { false_rate, true_rate: false_rate.powf(0.35), threshold: Some(f64::from(20 - i) / 10.0) }
    };
    RocPlot {
        title: "Gate by cost".into(),
        points: (0..=20).map(point).collect(),
        chosen: Some(1),
        auc: Some(around(0.741, 0.037)),
        notes: vec!["40 answers to correct and 60 to leave, held out".into()],
    }
}

pub fn funnel() -> FunnelPlot {
    let steps = [
        ("normalise", "text of white space only", 12, 57_314),
        ("exact duplicates", "equal texts", 2814, 54_500),
        ("filters", "word_count", 0, 54_500),
        ("filters", "repeating_lines", 430, 54_070),
        ("filters", "unbalanced_code_fence", 70, 54_000),
        ("near-duplicates", "near an earlier row that is kept", 6100, 47_900),
        ("leak", "question of the test", 1, 47_899),
    ];
    let step = |(stage, filter, removed, left): (&str, &str, usize, usize)| FunnelStep {
        stage: stage.into(),
        filter: filter.into(),
        removed,
        left,
    };
    funnel_plot(57_326, &steps.map(step))
}

pub fn nearest() -> Histogram {
    let counts = vec![310, 480, 222, 120, 61, 40, 20, 11, 9, 6, 3, 2, 0, 1, 0, 0, 0, 0, 0, 1];
    nearest_plot(&NearestHistogram { counts, n_empty: 2 }, Some(0.5))
}

/// Ends of a text on the page: left, top, right, bottom.
type Extent = (f64, f64, f64, f64);

/// Every text of a document with its ends and its em.
fn extents(svg: &str) -> Vec<(String, Extent, f64)> {
    let attribute = |tag: &str, name: &str| -> Option<String> {
        let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
        Some(tag[start..].split('"').next().unwrap().to_owned())
    };
    let number = |tag: &str, name: &str| attribute(tag, name).unwrap().parse::<f64>().unwrap();
    let unescaped = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    svg.split("<text")
        .skip(1)
        .map(|part| {
            let (tag, rest) = part.split_once('>').unwrap();
            let text = unescaped(rest.split("</text>").next().unwrap().trim());
            let (x, y, em) = (number(tag, "x"), number(tag, "y"), number(tag, "font-size"));
            let width = text_width(&text, em);
            let start = match attribute(tag, "text-anchor").unwrap().as_str() {
                "middle" => -width / 2.0,
                "end" => -width,
                _ => 0.0,
            };
            let (top, bottom) = match attribute(tag, "dy").unwrap_or_default().as_str() {
                "0.5ex" => (-0.5 * em, 0.5 * em),
                "-0.5ex" => (-em, 0.0),
                _ => (0.0, em),
            };
            let is_upward = tag.contains("rotate(270");
            let ends = match is_upward {
                true => (x + top, y - start - width, x + bottom, y - start),
                false => (x + start, y + top, x + start + width, y + bottom),
            };
            (text, ends, em)
        })
        .collect()
}

/// Nothing reaches out of the picture, no text lies on another, and all can be read in print.
fn assert_tidy(plot: &impl Plot, name: &str) {
    let svg = svg_string(plot).unwrap();
    let (width, height) = plot.size();
    let (width, height) = (f64::from(width), f64::from(height));
    assert_eq!(width, 600.0, "{name}: one column");
    let all = extents(&svg);
    for (place, (text, (left, top, right, bottom), em)) in all.iter().enumerate() {
        let is_inside = *left >= 0.0 && *top >= 0.0 && *right <= width && *bottom <= height;
        assert!(is_inside, "{name}: “{text}” at {left:.0} {top:.0} {right:.0} {bottom:.0}");
        assert!(em * POINTS_PER_PIXEL >= 6.0, "{name}: “{text}” has {em} pixels");
        for (other, (a, b, c, d), _) in &all[place + 1..] {
            let apart = right <= a || c <= left || *bottom <= b + 1.0 || *d <= top + 1.0;
            assert!(apart, "{name}: “{text}” lies on “{other}”");
        }
    }
    let numbers = |tag: &str| -> Vec<f64> {
        tag.split([' ', ',']).filter_map(|word| word.trim_matches('"').parse().ok()).collect()
    };
    for points in svg.split("points=\"").skip(1).map(|part| part.split('"').next().unwrap()) {
        for pair in numbers(points).chunks(2) {
            assert!((0.0..=width).contains(&pair[0]) && (0.0..=height).contains(&pair[1]), "{name}: {points}");
        }
    }
}

#[test]
fn nothing_lies_outside_or_on_top() {
    assert_tidy(&depth(), "depth");
    assert_tidy(&by_instruction(), "by instruction");
    assert_tidy(&rounds(), "rounds");
    assert_tidy(&forgetting(), "forgetting");
    assert_tidy(&ladder(), "ladder");
    assert_tidy(&roc(), "roc");
    assert_tidy(&funnel(), "funnel");
    assert_tidy(&nearest(), "nearest");
}

#[test]
fn long_words_and_large_numbers_stay_inside() {
    let long = "a name that goes on and on without an end that anybody could foresee, ".repeat(3);
    let mut plot = depth();
    plot.title.clone_from(&long);
    plot.panels[0].y_label.clone_from(&long);
    for series in plot.panels.iter_mut().flat_map(|panel| &mut panel.series) {
        series.points.iter_mut().for_each(|point| point.1 = around(point.1.value * -1.5e7, 1e5));
    }
    plot.panels[1].series[0].name.clone_from(&long);
    assert_tidy(&plot, "long bands");
    let mut plot = rounds();
    plot.trails[0].name.clone_from(&long);
    plot.x_label.clone_from(&long);
    assert_tidy(&plot, "long trails");
    let mut plot = ladder();
    plot.levels[0].name.clone_from(&long);
    plot.levels[1].value = around(-123_456.0, 1000.0);
    assert_tidy(&plot, "long ladder");
    let mut plot = funnel();
    plot.steps[0].name = long;
    assert_tidy(&plot, "long funnel");
    let counts = vec![12_345_678, 0, 1];
    assert_tidy(&nearest_plot(&NearestHistogram { counts, n_empty: 0 }, None), "large histogram");
}

fn says(plot: &impl Plot, wanted: &[&str]) -> String {
    let svg = svg_string(plot).unwrap();
    let all: Vec<String> = texts(&svg).into_iter().map(|(_, text)| text).collect();
    let all = all.join(" ");
    wanted.iter().for_each(|text| assert!(all.contains(text), "“{text}” is not in: {all}"));
    svg
}

/// The points of every polyline of so many points, in order.
fn lines(svg: &str, n: usize) -> Vec<Vec<(f64, f64)>> {
    let pair = |word: &str| word.split_once(',').map(|(x, y)| (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap()));
    let tags = svg.split("<polyline").skip(1).map(|part| part.split("points=\"").nth(1).unwrap());
    let points = tags.map(|tag| tag.split('"').next().unwrap().split_whitespace().filter_map(pair).collect::<Vec<_>>());
    points.filter(|points| points.len() == n).collect()
}

#[test]
fn lines_run_through_their_points_in_order() {
    let wanted =
        ["flaws mended (share)", "sound text damaged (share)", "passes", "coefficient 0.5", "bars: 95 % intervals"];
    let svg = says(&depth(), &wanted);
    let drawn = lines(&svg, 4);
    assert_eq!(drawn.len(), 6);
    for line in &drawn {
        assert!(line.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 >= pair[1].1), "{line:?}");
    }
    assert!(drawn[0][0].1 > drawn[1][0].1 && drawn[1][0].1 > drawn[2][0].1, "less lies lower");
    let svg = says(
        &by_instruction(),
        &["none", "helpful and empathic", "coefficient", "−0.5", "acknowledging outputs (share)"],
    );
    assert_eq!(lines(&svg, 5).len(), 3 * 3, "three measures; the one without a value has no panel");
}

#[test]
fn trails_run_from_number_to_number() {
    let svg = says(
        &rounds(),
        &["helpful", "harmless", "control: pairs of HH-RLHF", "numbers: rounds", "bars: 95 % intervals"],
    );
    let drawn = lines(&svg, 4);
    assert_eq!(drawn.len(), 2);
    assert!(drawn.iter().all(|line| line.windows(2).all(|pair| pair[0].0 < pair[1].0)), "helpful grows to the right");
    assert!(drawn[0].windows(2).all(|pair| pair[0].1 > pair[1].1), "more harmless lies higher");
    assert!(drawn[1].windows(2).all(|pair| pair[0].1 < pair[1].1));
    let svg = says(&forgetting(), &["forgetting", "gain", "1600", "400", "numbers: training steps"]);
    assert_eq!(lines(&svg, 6).len(), 1);
    let numbers: Vec<String> = texts(&svg).into_iter().map(|(_, text)| text).collect();
    for step in ["100", "200", "400", "800", "1600"] {
        assert_eq!(numbers.iter().filter(|text| *text == step).count(), 1, "{step}");
    }
}

#[test]
fn of_many_points_some_are_numbered() {
    let mut plot = forgetting();
    let first = plot.trails[0].points[0];
    plot.trails[0].points =
        (0..3000).map(|i| TrailPoint { number: f64::from(i), x: around(f64::from(i), 0.1), ..first }).collect();
    let svg = svg_string(&plot).unwrap();
    let n_numbers = texts(&svg).into_iter().filter(|(_, text)| text.parse::<u32>().is_ok()).count();
    assert!((50..150).contains(&n_numbers), "{n_numbers}");
}

#[test]
fn bars_are_as_long_as_their_values() {
    let svg =
        says(&ladder(), &["before", "corrected", "0.440", "0.580", "mean, with the lowest and the highest of 3 seeds"]);
    let bars = rectangles(&svg, "22");
    assert_eq!(bars.len(), 5);
    let scale = bars[0] / 0.12;
    for (bar, value) in bars.iter().zip([0.12, 0.31, 0.44, 0.40, 0.58]) {
        assert!((bar / scale - value).abs() < 0.01, "{bars:?}");
    }
    let wanted = [
        "rows read",
        "57326 (100.0 %)",
        "−2814, 54500 left (95.1 %)",
        "repeating lines",
        "1 more step removed nothing",
    ];
    let svg = says(&funnel(), &wanted);
    let bars = rectangles(&svg, "14");
    // two keys of the legend; then rows left and, beside them, what was removed
    assert_eq!(bars.len(), 2 + 1 + 2 * 6);
    assert!((bars[2] - 564.0).abs() < 1.0 && (bars[5] / bars[2] - 54_500.0 / 57_326.0).abs() < 0.005, "{bars:?}");
    assert!(bars.iter().all(|width| *width >= 2.0), "one row of many is seen: {bars:?}");
}

/// Widths of the rectangles of a height.
fn rectangles(svg: &str, height: &str) -> Vec<f64> {
    let number = |tag: &str, name: &str| -> Option<String> {
        Some(tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.to_owned())
    };
    let tags = svg.split("<rect").skip(1).map(|part| part.split("/>").next().unwrap());
    let wanted = tags.filter(|tag| number(tag, "height").as_deref() == Some(height));
    wanted.map(|tag| number(tag, "width").unwrap().parse().unwrap()).collect()
}

#[test]
fn a_histogram_counts_what_lies_beyond_its_threshold() {
    let wanted = [
        "Jaccard similarity to the nearest",
        "nearly the same (0.5)",
        "bins from there on: 7 of 1286",
        "2 empty texts",
    ];
    let svg = says(&nearest(), &wanted);
    let red = svg.matches("#D55E00").count();
    assert_eq!(red, 4 + 1, "bins with something beyond 0.5, and the key");
}

#[test]
fn a_roc_curve_marks_what_was_chosen() {
    let plot = roc();
    let found = 100.0 * 0.05f64.powf(0.35);
    let text = format!("threshold 1.90: {found:.1} % found, 5.0 % found wrongly");
    says(&plot, &["false rate", "true rate", "area 0.741 [0.704, 0.778]", &text, "chance"]);
}

#[test]
fn bad_numbers_are_refused() {
    let is = |result: Result<(), PlotError>, wanted: &str| {
        let error = result.unwrap_err();
        assert!(format!("{error:?}").starts_with(wanted), "{error:?} is not {wanted}");
        assert!(!error.hint().is_empty());
    };
    is(rounds_plot(&[]).check(), "Empty");
    is(Trails { trails: Vec::new(), ..forgetting() }.check(), "Empty");
    is(ladder_plots(&[]).remove(0).1.check(), "Empty");
    is(funnel_plot(0, &[]).check(), "Empty");
    is(nearest_plot(&NearestHistogram { counts: vec![0; 20], n_empty: 0 }, None).check(), "Empty");
    is(RocPlot { points: Vec::new(), ..roc() }.check(), "Empty");

    let mut plot = forgetting();
    plot.trails[0].points.swap(1, 2);
    is(plot.check(), "NotAscending");
    let mut plot = rounds();
    plot.trails[1].points[2].y.value = f64::NAN;
    is(plot.check(), "NotFinite");
    let mut plot = depth();
    plot.panels[1].series[2].points.swap(0, 3);
    is(plot.check(), "NotAscending");
    let mut plot = ladder();
    plot.levels[2].value.interval = Some(Interval { low: 1.0, high: 0.0 });
    is(plot.check(), "ReversedInterval");
    let mut plot = funnel();
    plot.steps[2].n_left += 1;
    is(plot.check(), "Unbalanced");
    is(nearest_plot(&NearestHistogram { counts: vec![1], n_empty: 0 }, Some(1.5)).check(), "OutOfRange");
    let with = |change: fn(&mut RocPlot)| {
        let mut plot = roc();
        change(&mut plot);
        plot.check()
    };
    is(with(|plot| plot.points[3].true_rate = 1.2), "OutOfRange");
    is(with(|plot| plot.points.swap(3, 4)), "NotAscending");
    is(with(|plot| plot.points[3].false_rate = f64::NAN), "NotFinite");
    is(with(|plot| plot.chosen = Some(99)), "OutOfRange");
}

#[test]
fn all_have_a_form_for_the_terminal() {
    let options = AsciiOptions::default();
    let texts = [
        ascii::bands(&depth(), &options).unwrap(),
        ascii::trails(&rounds(), &options).unwrap(),
        ascii::ladder(&ladder(), &options).unwrap(),
        ascii::funnel(&funnel(), &options).unwrap(),
        ascii::histogram(&nearest(), &options).unwrap(),
        ascii::roc(&roc(), &options).unwrap(),
    ];
    let wanted = ["flaws mended", "control: pairs of HH-RL…", "corrected", "57326", "0.95 – 1", "← chosen"];
    for (text, wanted) in texts.iter().zip(wanted) {
        assert!(text.contains(wanted) && text.ends_with('\n'), "“{wanted}” is not in:\n{text}");
    }
    let bar =
        |name: &str| texts[2].lines().find(|line| line.trim_start().starts_with(name)).unwrap().matches('█').count();
    assert!(bar("before") < bar("weak") && bar("weak") < bar("ceiling"));
    assert!(ascii::ladder(&ladder_plots(&[]).remove(0).1, &options).is_err());
}
