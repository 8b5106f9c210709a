use ndarray::Array2;
use redline_model::Qac;

use super::fit::test;
use super::*;
use crate::rows::Rows;

fn options() -> RouteOptions {
    RouteOptions { layer: None, utility: None, held_out: 0.5, n_resamples: 200, seed: 0 }
}

fn rows(n: usize) -> Rows {
    let qac = |i: usize| Qac { question: format!("q{i}"), answer: "a".into(), correction: "b".into() };
    Rows::of((0..n).map(qac).collect(), "rows")
}

/// Two candidates, of which the sign of the first dimension tells the better one where `tells`.
fn material(n: usize, tells: bool) -> (Array2<f64>, Vec<Vec<f64>>) {
    let sign = |row: usize| if row.is_multiple_of(2) { 1.0 } else { -1.0 };
    let activations = Array2::from_shape_fn((n, 3), |(row, column)| match (column, tells) {
        (0, true) => 3.0 * sign(row) + (row % 5) as f64 / 5.0,
        _ => ((row / 2 * 7 + column) % 11) as f64,
    });
    let worth = (0..n).map(|row| vec![0.5 + 0.4 * sign(row), 0.5 - 0.4 * sign(row) + 0.02]).collect();
    (activations, worth)
}

#[test]
fn a_prompt_that_tells_is_worth_a_router() {
    let (activations, worth) = material(80, true);
    let chosen: Vec<usize> = (0..80).collect();
    let (router, tested) = test(&activations, &worth, &rows(80), &chosen, &options()).unwrap();
    assert!(tested.is_better(), "{tested:?}");
    assert!((tested.routed_worth - tested.oracle_worth).abs() < 0.05, "{tested:?}");
    assert!((tested.over_single.value - (tested.routed_worth - tested.single_worth)).abs() < 1e-9);
    assert_eq!((tested.n_fit, tested.n_test), (40, 40));
    assert_eq!(tested.n_chosen.iter().sum::<usize>(), 40);
    assert_eq!(router.candidates, [0, 1]);
}

#[test]
fn a_prompt_that_tells_nothing_is_not_better_and_never_beats_hindsight() {
    let (activations, worth) = material(80, false);
    let chosen: Vec<usize> = (0..80).collect();
    let (_, tested) = test(&activations, &worth, &rows(80), &chosen, &options()).unwrap();
    assert!(!tested.is_better(), "{tested:?}");
    assert!(tested.routed_worth <= tested.oracle_worth && tested.headroom.value >= 0.0);
}

#[test]
fn too_few_questions_are_refused() {
    let (activations, worth) = material(16, true);
    let chosen: Vec<usize> = (0..16).collect();
    let refused = |options: &RouteOptions| {
        test(&activations, &worth, &rows(16), &chosen, options).map(drop).unwrap_err().to_string()
    };
    assert!(refused(&options()).contains("16 questions in common"));
    assert!(refused(&RouteOptions { held_out: 1.0, ..options() }).contains("--held-out is 1"));
}
