use ndarray::{Array2, array};
use redline_model::random::Random;

use super::*;
use crate::{ExtractOptions, Method, Scaling, extract_directions, stats::Interval};

/// Two dimensions: the poles part by `gap` along the first, under unit noise in both.
fn noisy(n_pairs: usize, gap: f32, seed: u64) -> LayerPairs {
    let mut random = Random::named(&[seed], "test");
    let mut pole = |shift: f32| {
        let mut rows = Array2::from_shape_simple_fn((n_pairs, 2), || random.normal() as f32);
        rows.column_mut(0).mapv_inplace(|value| value + shift);
        rows
    };
    let (positive, negative) = (pole(10.0 + gap), pole(10.0));
    LayerPairs::new(5, positive, negative).unwrap()
}

fn direction(values: Vec<f32>) -> LayerDirection {
    LayerDirection {
        layer: 5,
        direction: values,
        explained_variance_ratio: Some(0.5),
        cosine_to_mean_diff: Some(0.9),
        flipped: false,
    }
}

#[test]
fn centre_gap_and_spread_come_from_the_training_pairs() {
    let train = LayerPairs::new(5, array![[3.0, 1.0], [5.0, 1.0]], array![[0.0, 3.0], [0.0, 3.0]]).unwrap();
    let vector = LayerVector::fit(&direction(vec![1.0, 0.0]), &train).unwrap();
    assert_eq!(vector.centre, [2.0, 2.0]);
    assert_eq!(vector.gap, 4.0);
    // scores 1, 3, -2, -2
    assert!((vector.score_std - 4.5_f64.sqrt()).abs() < 1e-12);
    assert_eq!(vector.score(&[7.0, 100.0]).unwrap(), 5.0);
    assert_eq!(vector.scores(array![[2.0, 0.0], [1.0, 0.0]].view()).unwrap(), array![0.0, -1.0]);
}

#[test]
fn a_report_finds_the_separation_that_was_put_in() {
    let train = [noisy(400, 2.0, 1)];
    for method in [Method::PcaDiff, Method::MeanDiff] {
        let extract = ExtractOptions { method, scaling: Scaling::None, ..ExtractOptions::default() };
        let found = extract_directions(&train, &extract).unwrap();
        let vectors = fit_layers(&found.directions, &train).unwrap();
        let report = report_layers(&vectors, &[noisy(600, 2.0, 2)], &ReportOptions::default()).unwrap().remove(0);
        // scores differ by 2 ± √2: Φ(√2) = 0.921 of pairs, and of all comparisons; d_z = √2; d′ = 2
        for (estimate, expected) in [(report.pair_accuracy, 0.921), (report.auroc, 0.921), (report.cohens_d, 1.414)] {
            let Estimate { value, interval: Some(Interval { low, high }) } = estimate.unwrap() else { panic!() };
            assert!(low < value && value < high);
            assert!(low < expected && expected < high, "{method}: {expected} outside {low} .. {high}");
        }
        assert!((report.d_prime.unwrap().value - 2.0).abs() < 0.2);
        assert!((0.5..0.9).contains(&report.mean_difference_cosine.unwrap()));
        assert_eq!(report.explained_variance_ratio.is_some(), method == Method::PcaDiff);
        assert_eq!((report.layer, report.n_pairs, report.n_resamples, report.seed), (5, 600, 1000, 0));
    }
}

#[test]
fn the_wrong_way_round_scores_below_chance() {
    let train = noisy(200, 2.0, 1);
    let vector = LayerVector::fit(&direction(vec![1.0, 0.0]), &train).unwrap();
    let options = ReportOptions { n_resamples: 50, seed: 1 };
    let held_out = noisy(200, 2.0, 2);
    let right = report_layer(&vector, &held_out, &options).unwrap();
    let wrong = report_layer(&vector, &held_out.swapped(), &options).unwrap();
    assert!((right.auroc.unwrap().value + wrong.auroc.unwrap().value - 1.0).abs() < 1e-12);
    assert_eq!(right.cohens_d.unwrap().value, -wrong.cohens_d.unwrap().value);
}

#[test]
fn degenerate_pairs_give_none_and_valid_json() {
    let vector = LayerVector::fit(&direction(vec![1.0, 0.0]), &noisy(50, 2.0, 1)).unwrap();
    let one = LayerPairs::new(5, array![[2.0, 0.0]], array![[1.0, 0.0]]).unwrap();
    let report = report_layer(&vector, &one, &ReportOptions::default()).unwrap();
    assert_eq!(report.pair_accuracy, Some(Estimate { value: 1.0, interval: None }));
    assert_eq!((report.cohens_d, report.d_prime), (None, None));
    assert_eq!(report.mean_difference_cosine, Some(1.0));

    let flat = LayerPairs::new(5, Array2::ones((4, 2)), Array2::ones((4, 2))).unwrap();
    let report = report_layer(&vector, &flat, &ReportOptions::default()).unwrap();
    assert_eq!(report.auroc.unwrap().value, 0.5);
    assert_eq!((report.cohens_d, report.d_prime, report.mean_difference_cosine), (None, None, None));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<LayerReading>(&json).unwrap(), report);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let train = noisy(20, 2.0, 1);
    let vector = LayerVector::fit(&direction(vec![1.0, 0.0]), &train).unwrap();
    assert!(matches!(vector.score(&[1.0]), Err(Error::HiddenSize { layer: 5, got: 1, expected: 2 })));
    assert!(matches!(vector.score(&[f32::NAN, 0.0]), Err(Error::ScoreNotFinite { layer: 5, .. })));
    let wide = LayerVector::fit(&direction(vec![1.0, 0.0, 0.0]), &train);
    assert!(matches!(wide, Err(Error::HiddenSize { .. })));
    let elsewhere = LayerPairs::new(6, train.positive().to_owned(), train.negative().to_owned()).unwrap();
    let options = ReportOptions::default();
    let mismatch = report_layer(&vector, &elsewhere, &options);
    assert!(matches!(mismatch, Err(Error::LayerMismatch { got: 6, expected: 5 })));
    let none = ReportOptions { n_resamples: 0, seed: 0 };
    assert!(matches!(report_layer(&vector, &train, &none), Err(Error::NoResamples)));
    let uneven = report_layers(&[vector], &[], &options);
    assert!(matches!(uneven, Err(Error::LayerCount { got: 0, expected: 1, .. })));
}
