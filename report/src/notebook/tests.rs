use redline_steer::{BootstrapOptions, Interval, bootstrap_sweep, fit_line};

use super::*;

fn contents(of: &(impl EvcxrDisplay + ?Sized)) -> Vec<(&'static str, String)> {
    of.contents().unwrap()
}

#[test]
fn a_fit_is_a_table() {
    let line = fit_line(&[-1.0, 0.0, 1.0], &[0.1, 0.2, 0.3]).unwrap();
    let shown = contents(&line);
    assert_eq!(shown[0].0, "text/html");
    assert!(shown[0].1.contains("<td>slope</td><td align=\"right\">0.100</td>"), "{}", shown[0].1);
    assert_eq!(
        shown[1],
        ("text/plain", "slope      0.100\nintercept  0.200\nR²         1.000\npoints         3".into())
    );

    let per_prompt = [vec![0.1, 0.2, 0.3], vec![0.2, 0.3, 0.5]];
    let fit = bootstrap_sweep(&[-1.0, 0.0, 1.0], &per_prompt, &BootstrapOptions::default()).unwrap();
    let text = &contents(&fit)[1].1;
    assert!(text.contains("slope") && text.contains("[0.100, 0.150]") && text.contains("-1 … 1"), "{text}");
}

#[test]
fn a_tuned_coefficient_is_a_table() {
    let interval = Interval { low: 0.25, high: 0.75 };
    let tuned = Tuned { target: 0.3, coefficient: 0.5, interval, n_level_resamples: 0 };
    let text = &contents(&tuned)[1].1;
    assert_eq!(text, "target ratio  0.300\ncoefficient   0.500  [0.250, 0.750]");
}

#[test]
fn a_scan_is_a_picture() {
    let scan = LatScan {
        label: "copy".into(),
        row: 7,
        layers: vec![0, 1],
        tokens: vec!["a".into(), "b".into()],
        scores: vec![vec![0.0, 1.0], vec![1.0, 0.0]],
        z: vec![vec![0.0, 1.0], vec![-1.0, 0.5]],
    };
    let shown = contents(&scan);
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].0, "image/svg+xml");
    assert!(shown[0].1.starts_with("<svg") && shown[0].1.contains("LAT scan, row 7, copy"));
}

#[test]
fn a_sweep_is_a_picture() {
    use redline_lab::aligner::Aligner;
    let aligner = Aligner::embedded().unwrap();
    let triples = redline_lab::embedded::triples().unwrap();
    let extracted = aligner.extract().run(&triples[..24]).unwrap();
    let vector = extracted.control_vector(&redline_lab::experiment::LayerSpec::All, redline_steer::Unit::Gap).unwrap();
    let sweep = aligner.sweep(&vector).coefficients(&[-1.0, 0.0, 1.0]).max_new_tokens(8).run(&triples[48..52]).unwrap();
    assert_eq!(contents(&sweep)[0].0, "image/svg+xml");
}
