use super::samples;
use crate::plot::PlotError;
use crate::plot::ascii::{AsciiOptions, Curves, curves, heatmap};

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
    let plot = Curves::from(&samples::sweep(&[-1.0, -0.5, 0.0, 0.5, 1.0]));
    let text = curves(&plot, &AsciiOptions::default()).unwrap();
    let profile = curves(&Curves::from(&samples::profile()), &AsciiOptions::default()).unwrap();
    if std::env::var_os("REDLINE_PLOT_GALLERY").is_some() {
        println!("{text}\n{profile}");
    }
    let field: String = text.lines().skip(1).take(16).collect();
    assert_eq!(field.matches('o').count(), 5);
    assert!(text.contains("coefficient (gap)"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(profile.contains("AUROC, mean_diff"));
}

#[test]
fn bad_curves_are_refused() {
    let good = Curves {
        title: String::new(),
        x_label: "x".into(),
        x: vec![0.0, 1.0],
        series: vec![("a".into(), vec![1.0, 2.0])],
    };
    let options = AsciiOptions { width: 0, height: 0, color: false };
    assert!(curves(&good, &options).is_ok());
    let with = |change: fn(&mut Curves)| {
        let mut bad = good.clone();
        change(&mut bad);
        curves(&bad, &options).unwrap_err()
    };
    assert!(matches!(with(|c| c.series.clear()), PlotError::Empty { .. }));
    assert!(matches!(with(|c| c.x.clear()), PlotError::Empty { .. }));
    assert!(matches!(with(|c| c.series[0].1.push(0.0)), PlotError::Ragged { .. }));
    assert!(matches!(with(|c| c.series[0].1[0] = f64::NAN), PlotError::NotFinite { .. }));
    assert!(matches!(with(|c| c.x.reverse()), PlotError::NotAscending { .. }));
}
