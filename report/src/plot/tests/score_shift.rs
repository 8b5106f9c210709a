use std::path::Path;

use super::samples::{Noise, estimate};
use crate::plot::font::text_width;
use crate::plot::{Estimate, Plot, PlotError, ScoreShiftPlot, ShiftAxis, ShiftPanel, svg_string, write_both};

fn axis(name: &str, accuracy: f64) -> ShiftAxis {
    let accuracy = estimate(accuracy, accuracy - 0.06, accuracy + 0.05);
    ShiftAxis { name: name.into(), accuracy, n_held_out: 400 }
}

/// A panel of so many rows that move by `shift`; its numbers go with the points as far as a plot needs.
fn panel(n: usize, shift: [f64; 2], seed: u64) -> ShiftPanel {
    let mut noise = Noise::new(seed);
    let mut row = |_| {
        let (x, y, u, v) = (noise.normal(), noise.normal(), noise.normal(), noise.normal());
        let before = [x, 0.8 * y - 0.5 * x];
        (before, [0.8 * x + shift[0] + 0.4 * u, before[1] + shift[1] + 0.5 * v])
    };
    let (before, after): (Vec<_>, Vec<_>) = (0..n).map(&mut row).unzip();
    let half = 2.45 * 0.5 / (n as f64).sqrt();
    let mean = |value: f64| estimate(value, value - 0.8 * half, value + 0.8 * half);
    let share = |points: &[[f64; 2]], right: bool, up: bool| {
        let is_there = |point: &&[f64; 2]| (point[0] >= 0.0) == right && (point[1] >= 0.0) == up;
        points.iter().filter(is_there).count() as f64 / n as f64
    };
    let quadrant = |(right, up)| [share(&before, right, up), share(&after, right, up)];
    ShiftPanel {
        name: "aligner, checkpoint 400".into(),
        axes: [axis("helpful (Qwen2.5-0.5B reward)", 0.714), axis("harmless (−cost, SmolLM2-135M)", 0.82)],
        quadrants: [(true, true), (false, true), (true, false), (false, false)].map(quadrant),
        before,
        after,
        mean_shift: shift.map(mean),
        half_axes: [[half, 0.3 * half], [-0.18 * half, 0.6 * half]],
        worse: [0.1875, 0.25],
        worse_in_either: 0.375,
        unmoved: 0.0625,
    }
}

fn plot(panels: Vec<ShiftPanel>) -> ScoreShiftPlot {
    ScoreShiftPlot { title: "Helpful against harmless, before and after correction".into(), panels }
}

/// All texts of an SVG document, in its order.
fn texts(svg: &str) -> Vec<String> {
    let text = |part: &str| part.split_once('>').unwrap().1.split("</text>").next().unwrap().trim().to_owned();
    svg.split("<text").skip(1).map(text).collect()
}

fn said(svg: &str) -> String {
    texts(svg).join(" ")
}

/// The numbers of an attribute, all over a document.
fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
    let mark = format!(" {attribute}=\"");
    svg.split(&mark).skip(1).map(|part| part.split('"').next().unwrap().parse().unwrap()).collect()
}

/// Where each text of a document lies: left, top, right, bottom.
fn boxes(svg: &str) -> Vec<([f64; 4], String)> {
    let of = |part: &str| {
        let (tag, rest) = part.split_once('>').unwrap();
        let text = rest.split("</text>").next().unwrap().trim().to_owned();
        let value = |name: &str| tag.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let number = |name: &str| value(name).parse::<f64>().unwrap();
        let (x, y, em) = (number(" x"), number(" y"), number("font-size"));
        let width = text_width(&text, em);
        let before = match value("text-anchor") {
            "start" => 0.0,
            "middle" => width / 2.0,
            _ => width,
        };
        // read upwards, what lies to the right of the place lies above it; `dy` tells the top of a text from its middle
        let (above, below) = if value(" dy") == "0.76em" { (0.0, em) } else { (em / 2.0, em / 2.0) };
        let place = match tag.contains("rotate(270") {
            true => [x - above, y - width + before, x + below, y + before],
            false => [x - before, y - above, x - before + width, y + below],
        };
        (place, text)
    };
    svg.split("<text").skip(1).map(of).collect()
}

fn gallery(plot: &ScoreShiftPlot, name: &str) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("REDLINE_PLOT_GALLERY");
    let folder = folder.as_deref().map_or(temporary.path(), Path::new);
    write_both(plot, &folder.join(name)).unwrap();
    let svg = svg_string(plot).unwrap();
    let (width, height) = plot.size();
    assert!((400..=1400).contains(&width) && (400..=1400).contains(&height), "{name}: {width} × {height}");
    for (attribute, end) in [("x", width), ("cx", width), ("y", height), ("cy", height)] {
        for at in numbers(&svg, attribute) {
            assert!((0.0..=f64::from(end)).contains(&at), "{name}: {attribute} {at} of {end}");
        }
    }
    let boxes = boxes(&svg);
    for (i, (place, text)) in boxes.iter().enumerate() {
        let [left, top, right, bottom] = *place;
        let is_inside =
            left >= 2.0 && top >= 2.0 && right <= f64::from(width) - 2.0 && bottom <= f64::from(height) - 2.0;
        assert!(is_inside, "{name}: “{text}” at {place:?} of {width} × {height}");
        let meets = |other: &[f64; 4]| left < other[2] && other[0] < right && top < other[3] && other[1] < bottom;
        let met = boxes[..i].iter().find(|(other, _)| meets(other));
        assert!(met.is_none(), "{name}: “{text}” lies over {met:?}");
    }
    assert!(!texts(&svg).iter().any(|text| text.ends_with('…')), "{name}: cut");
}

#[test]
fn one_two_three_and_four_panels_are_drawn() {
    gallery(&plot(vec![panel(200, [0.7, 0.4], 1)]), "score-shift-1");
    gallery(&plot(vec![panel(200, [0.7, 0.4], 1), panel(800, [1.1, -0.6], 2)]), "score-shift-2");
    let mut three = vec![panel(60, [0.2, 0.1], 3), panel(60, [0.5, 0.2], 4), panel(60, [0.9, 0.1], 5)];
    three[1].axes[0].accuracy = estimate(0.53, 0.48, 0.58);
    gallery(&plot(three), "score-shift-3");
    let four = (0..4).map(|i| panel(120, [0.3 * i as f64, 0.8 - 0.3 * i as f64], 6 + i)).collect();
    gallery(&plot(four), "score-shift-4");
}

#[test]
fn few_and_many_points_outliers_and_long_names_are_drawn() {
    gallery(&plot(vec![panel(8, [0.6, 0.5], 11)]), "score-shift-few");
    gallery(&plot(vec![panel(4000, [0.6, 0.05], 12)]), "score-shift-many");
    let mut outliers = panel(100, [0.1, 0.1], 13);
    (outliers.before[0], outliers.after[1], outliers.after[2]) = ([900.0, 0.2], [1e6, -1e6], [-0.3, 40.0]);
    gallery(&plot(vec![outliers, panel(8, [0.9, -0.2], 14)]), "score-shift-outliers");
    let far = [20.0, -5000.0, 2e5].map(|shift| panel(40, [0.1 * shift, shift], 18));
    for (i, one) in far.into_iter().enumerate() {
        gallery(&plot(vec![one.clone(), one.clone(), one]), &format!("score-shift-far-{i}"));
    }
    let mut still = panel(30, [0.0, 0.0], 15);
    (still.after, still.half_axes) = (still.before.clone(), [[0.0; 2]; 2]);
    still.mean_shift = [Estimate { value: 0.0, interval: None }; 2];
    let mut level = panel(30, [1.5, 1.0], 16);
    level.after = vec![[1.5, 1.0]; 30];
    gallery(&plot(vec![still, level]), "score-shift-degenerate");
    let mut long = panel(50, [0.5, 0.5], 17);
    long.name = "aligner trained on two epochs of corrections with the identity warm-up at coefficient 0.75".into();
    long.axes[1].name = "harmless: cost of beaver-7b-unified-cost as given, its sign turned, layer norm kept".into();
    gallery(&plot(vec![long.clone(), long.clone(), long]), "score-shift-long");
}

#[test]
fn a_score_shift_says_what_its_axes_are_worth() {
    let svg = svg_string(&plot(vec![panel(200, [0.7, 0.4], 1)])).unwrap();
    let said = said(&svg);
    for wanted in [
        "helpful (Qwen2.5-0.5B reward)",
        "held-out accuracy 0.71 [0.65, 0.76]",
        "harmless (−cost, SmolLM2-135M)",
        "held-out accuracy 0.82 [0.76, 0.87]",
        "n = 200 rows; held-out pairs: x 400, y 400",
        "mean shift: x 0.700 [0.631, 0.769], y 0.400",
        "made worse: x 18.8 %, y 25.0 %, either 37.5 %; unmoved 6.2 %",
        "contours of 50 % and 90 %",
        "95 % ellipse",
        "share of rows before → after",
    ] {
        assert!(said.contains(wanted), "“{wanted}” is not in: {said}");
    }
    assert!(!said.contains("beyond") && !said.contains("chance") && !said.contains("too small"), "{said}");
    let mut weak = panel(8, [0.7, 0.4], 1);
    weak.axes[1].accuracy = estimate(0.55, 0.5, 0.6);
    weak.after[3] = [0.0, 1e4];
    let said = self::said(&svg_string(&plot(vec![weak])).unwrap());
    for wanted in ["the accuracy of y is not above chance", "fewer than 30 rows are too small", "0 before, 1 after"] {
        assert!(said.contains(wanted), "“{wanted}” is not in: {said}");
    }
}

#[test]
fn before_and_after_differ_without_colour() {
    let n = 20;
    let svg = svg_string(&plot(vec![panel(n, [0.7, 0.4], 1)])).unwrap();
    assert_eq!(svg.matches("<circle").count(), n + 1 + 1, "the answers before, their mean, the key");
    let triangles = svg.split("<polygon").skip(1).filter(|part| {
        let points = part.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        points.split_whitespace().count() == 3
    });
    assert_eq!(triangles.count(), n + 1, "the answers after, the key");
    let lines = |color: &str| svg.lines().filter(|line| line.contains("polyline") && line.contains(color)).count();
    assert!(lines("#0072B2") > 100, "broken into dashes");
    assert!((3..12).contains(&lines("#D55E00")), "whole: two margins, contours, the key");
}

#[test]
fn larger_scores_lie_to_the_right_and_higher() {
    let mut one = panel(12, [1.0, 1.0], 21);
    (one.before, one.after) = (vec![[-1.0, 0.5]; 12], vec![[2.0, 2.5]; 12]);
    let svg = svg_string(&plot(vec![one])).unwrap();
    let (cx, cy) = (numbers(&svg, "cx"), numbers(&svg, "cy"));
    // the last circle but the key's is the mean before, at (0, 0)
    let (mean, key) = (cx.len() - 2, cx.len() - 1);
    assert!(cx[0] < cx[mean] && cy[0] < cy[mean] && cy[key] > cy[mean], "{cx:?} {cy:?}");
    let triangle = svg.lines().find(|l| l.contains("<polygon") && l.contains("opacity=\"0.75\"")).unwrap();
    let corner = triangle.split("points=\"").nth(1).unwrap().split([' ', ',']).next().unwrap();
    assert!(corner.parse::<f64>().unwrap() > cx[mean] + 50.0, "{triangle}");
}

#[test]
fn the_ellipse_lies_around_the_mean_shift() {
    let one = panel(30, [1.4, -0.7], 22);
    let svg = svg_string(&plot(vec![one.clone()])).unwrap();
    let places = |line: &str| -> Vec<[f64; 2]> {
        let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let pair = |point: &str| point.split_once(',').map(|(x, y)| [x, y].map(|at| at.parse().unwrap())).unwrap();
        points.split_whitespace().map(pair).collect()
    };
    let rims = svg.lines().filter(|line| line.contains("<polyline") && line.contains("#222222")).map(places);
    let rim = rims.max_by_key(Vec::len).unwrap();
    // how many pixels a standard deviation has, from the ticks at 0 and 1
    let boxes = boxes(&svg);
    let middle = |text: &str, axis: usize| {
        let found = boxes.iter().filter(|(_, own)| own == text).map(|(at, _)| (at[axis] + at[axis + 2]) / 2.0);
        if axis == 0 { found.fold(0.0, f64::max) } else { found.fold(f64::MAX, f64::min) }
    };
    for axis in [0, 1] {
        let (zero, unit) = (middle("0", axis), middle("1", axis) - middle("0", axis));
        let (low, high) = rim.iter().fold((f64::MAX, f64::MIN), |(a, b), at| (a.min(at[axis]), b.max(at[axis])));
        let center = ((low + high) / 2.0 - zero) / unit;
        assert!((center - one.mean_shift[axis].value).abs() < 0.03, "{axis}: {center}");
        let reach = one.half_axes[0][axis].hypot(one.half_axes[1][axis]);
        assert!(((high - low) / 2.0 / unit.abs() - reach).abs() < 0.03, "{axis}: {low} to {high}, {unit}");
    }
}

#[test]
fn panels_share_their_axes() {
    let svg = svg_string(&plot(vec![panel(40, [0.1, 0.1], 31), panel(40, [3.0, 0.1], 31)])).unwrap();
    let circles = numbers(&svg, "cx");
    // the same answers before, 40 and a mean a panel
    let apart: Vec<f64> = (0..41).map(|i| circles[41 + i] - circles[i]).collect();
    assert!(apart.iter().all(|distance| (distance - apart[0]).abs() <= 1.0), "{apart:?}");
}

#[test]
fn the_same_numbers_make_the_same_picture() {
    let one = plot(vec![panel(50, [0.4, 0.2], 41)]);
    assert_eq!(svg_string(&one).unwrap(), svg_string(&one.clone()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let png = |name: &str| {
        write_both(&one, &folder.path().join(name)).unwrap();
        std::fs::read(folder.path().join(format!("{name}.png"))).unwrap()
    };
    assert!(png("a") == png("b"));
}

#[test]
fn bad_score_shifts_are_refused() {
    type Fault = fn(&mut ShiftPanel);
    let refused = |fault: Fault| {
        let mut panel = panel(10, [0.5, 0.5], 51);
        fault(&mut panel);
        plot(vec![panel]).check().unwrap_err()
    };
    assert!(matches!(plot(vec![]).check(), Err(PlotError::Empty { what: "panels", .. })));
    let empty: [Fault; 3] = [
        |panel| (panel.before, panel.after) = (Vec::new(), Vec::new()),
        |panel| panel.axes[1].n_held_out = 0,
        |panel| panel.axes[0].accuracy.interval = None,
    ];
    for fault in empty {
        assert!(matches!(refused(fault), PlotError::Empty { .. }));
    }
    let not_finite: [Fault; 7] = [
        |panel| panel.before[3][1] = f64::NAN,
        |panel| panel.after[9][0] = f64::INFINITY,
        |panel| panel.mean_shift[1].value = f64::NAN,
        |panel| panel.half_axes[1][0] = f64::NAN,
        |panel| panel.quadrants[2][1] = f64::NAN,
        |panel| panel.worse_in_either = f64::NAN,
        |panel| panel.axes[0].accuracy.value = f64::NAN,
    ];
    for fault in not_finite {
        assert!(matches!(refused(fault), PlotError::NotFinite { .. }));
    }
    let error = refused(|panel| panel.after.truncate(7));
    assert_eq!(error.to_string(), "score shift: the scores after has 7 values where 10 were expected");
    let error = refused(|panel| panel.axes[1].accuracy = estimate(0.8, 0.9, 0.7));
    assert!(matches!(error, PlotError::ReversedInterval { .. }) && error.to_string().contains("harmless"), "{error}");
}

#[test]
fn extreme_scores_do_not_panic() {
    for value in [f64::MAX, f64::MIN_POSITIVE, 1e300, 1e150, 1.0 + f64::EPSILON, -1e17] {
        let mut one = panel(9, [0.5, 0.5], 61);
        (one.before[0], one.after[1]) = ([value, -value], [value, value]);
        svg_string(&plot(vec![one.clone()])).unwrap();
        (one.before, one.after) = (vec![[value, 0.0]; 9], vec![[-value, value]; 9]);
        one.mean_shift[0] = estimate(value, value, value);
        svg_string(&plot(vec![one])).unwrap();
    }
    svg_string(&plot(vec![panel(1, [0.5, 0.5], 62)])).unwrap();
}
