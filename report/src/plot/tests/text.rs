use super::samples;
use crate::plot::ascii::{AsciiOptions, LineChart, heatmap, line_chart, slopes};
use crate::plot::{Curve, PlotError, RandomSlopes};

#[test]
fn text_heatmap_has_layer_0_at_the_bottom_and_no_colour_unless_asked() {
    let options = AsciiOptions::default();
    let text = heatmap(&samples::heatmap(), &options).unwrap();
    if std::env::var_os("REDLINE_PLOT_GALLERY").is_some() {
        println!("{text}");
    }
    let line = |start: &str| text.lines().position(|line| line.starts_with(start)).unwrap();
    assert!(line("   29 ") < line("    0 ") && line("    0 ") < line("token "));
    assert!(!text.contains('\x1b'));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for wanted in ["clipped at ±3", "copy ≡", "# correction", "5 ·Canberra", " ? "] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    let color = AsciiOptions { color: true, ..options };
    let colored = heatmap(&samples::heatmap(), &color).unwrap();
    assert!(colored.contains("\x1b[0m"));
    let mut plain = String::new();
    for part in colored.split('\x1b') {
        plain.push_str(if plain.is_empty() { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(plain, text);
}

#[test]
fn text_heatmap_signs_follow_the_value() {
    let values = vec![vec![-9.0, -2.0, -1.0, 0.2, 1.0, 2.0, 9.0, f32::NAN]];
    let plot = crate::plot::Heatmap::new("", values, vec!["t".into(); 8]);
    let text = heatmap(&plot, &AsciiOptions::default()).unwrap();
    assert!(text.contains("    0  ≡  =  -  .  +  *  #  ? "), "{text}");
    assert!(text.contains("2 of 8 cells lie beyond"), "{text}");
}

#[test]
fn wide_text_heatmaps_are_split_into_blocks() {
    let plot = crate::plot::Heatmap::new("", vec![vec![0.0; 50]; 2], vec!["t".into(); 50]);
    let text = heatmap(&plot, &AsciiOptions { width: 60, ..AsciiOptions::default() }).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("token ")).count(), 3);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
}

#[test]
fn text_curves_show_every_point_and_name() {
    let mut sweep = samples::sweep(&[-1.0, -0.5, 0.0, 0.5, 1.0]);
    let with_line = line_chart(&LineChart::from(&sweep), &AsciiOptions::default()).unwrap();
    assert!(with_line.contains("x line: slope 0.0503, R² 0.961") && with_line.contains("coherent from −1.00 to 1.00"));
    sweep.line = None;
    let text = line_chart(&LineChart::from(&sweep), &AsciiOptions::default()).unwrap();
    let profile = line_chart(&LineChart::from(&samples::profile()), &AsciiOptions::default()).unwrap();
    if std::env::var_os("REDLINE_PLOT_GALLERY").is_some() {
        println!("{with_line}\n{profile}");
    }
    let field: String = text.lines().skip(1).take(16).collect();
    assert_eq!(field.matches('o').count(), 5);
    assert!(text.contains("coefficient (gap)"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let ticks = profile.lines().rev().find(|line| line.contains("20")).unwrap();
    assert!(ticks.split_whitespace().all(|tick| tick.parse::<usize>().is_ok()), "layers are whole: {ticks}");
    assert!(profile.contains("AUROC, mean_diff") && profile.contains("layer (block number, from 0)"));
}

#[test]
fn text_curves_may_have_places_of_their_own() {
    let curves = samples::curves();
    let text = line_chart(&LineChart::of_panel(&curves.panels[1], &curves.x_label), &AsciiOptions::default()).unwrap();
    let field: String = text.lines().skip(1).take(16).collect();
    assert_eq!(field.matches('o').count(), 6, "{text}");
    assert!(text.starts_with("share (0 to 1)\n") && text.contains("o exact copies"));
}

#[test]
fn text_slopes_count_every_prompt() {
    let mut plot = samples::slopes();
    plot.slopes = vec![-0.2, 0.0, 0.3, 0.4];
    plot.random = Some(RandomSlopes { slopes: vec![0.1], percentile_95: 0.1 });
    let text = slopes(&plot, &AsciiOptions::default()).unwrap();
    assert_eq!(text.matches('█').count(), 4, "{text}");
    for wanted in ["1 of 4 prompts (25.0 %)", "random directions (n = 1): 95th percentile 0.100", "mean slope: 1.95"] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    plot.slopes = (0..9000).map(|i| f64::from(i) / 1000.0).collect();
    let text = slopes(&plot, &AsciiOptions::default()).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn bad_curves_are_refused() {
    let good = LineChart {
        title: String::new(),
        x_label: "x".into(),
        curves: vec![Curve::new("a", vec![(0.0, 1.0), (1.0, 2.0)])],
    };
    let options = AsciiOptions { width: 0, height: 0, color: false };
    assert!(line_chart(&good, &options).is_ok());
    let with = |change: fn(&mut LineChart)| {
        let mut bad = good.clone();
        change(&mut bad);
        line_chart(&bad, &options).unwrap_err()
    };
    assert!(matches!(with(|c| c.curves.clear()), PlotError::Empty { .. }));
    assert!(matches!(with(|c| c.curves[0].points.clear()), PlotError::Empty { .. }));
    assert!(matches!(with(|c| c.curves[0].points[0].1 = f64::NAN), PlotError::NotFinite { .. }));
    assert!(matches!(with(|c| c.curves[0].points.reverse()), PlotError::NotAscending { .. }));
}
