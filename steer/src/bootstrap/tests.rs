use proptest::prelude::*;

use super::*;

const COEFFICIENTS: [f64; 4] = [-1.0, -0.5, 0.0, 0.5];

fn options(seed: u64) -> BootstrapOptions {
    BootstrapOptions { n_resamples: 500, seed }
}

/// Prompts on lines of different slope and height, with a ripple.
fn rippled(n_prompts: usize) -> Vec<Vec<f64>> {
    (0..n_prompts)
        .map(|i| {
            let i = i as f64;
            let ratio = |c: f64| 1.0 + 0.1 * i.sin() + (0.5 + 0.3 * i.cos()) * c + 0.05 * (7.0 * i + 9.0 * c).sin();
            COEFFICIENTS.iter().map(|&c| ratio(c)).collect()
        })
        .collect()
}

#[test]
fn the_sweep_is_summed_up_by_hand() {
    let per_prompt = vec![vec![0.0, 1.0, 2.0], vec![2.0, 1.0, 0.0], vec![1.0, 1.0, 4.0], vec![0.5, 0.5, 0.5]];
    let fit = bootstrap_sweep(&[-1.0, 0.0, 1.0], &per_prompt, &options(1)).unwrap();
    assert_eq!(fit.mean_ratio, [0.875, 0.875, 1.625]);
    // Slope (1.625 − 0.875) / 2; the middle falls 0.25 below the line's mean 1.125: R² = 0.28125 / 0.375.
    assert!((fit.line.slope - 0.375).abs() < 1e-12 && (fit.line.intercept - 1.125).abs() < 1e-12);
    assert!((fit.line.r2.unwrap() - 0.75).abs() < 1e-12);
    let expected = [1.0, -1.0, 1.5, 0.0];
    assert!(fit.prompt_slopes.iter().zip(expected).all(|(got, slope)| (got - slope).abs() < 1e-12));
    assert_eq!((fit.negative_slope_share, fit.n_sign_violations, fit.n_prompts), (0.25, 0, 4));
    // Ranks 1.5 1.5 3 against 1 2 3: 1.5 / sqrt(2 · 1.5).
    assert!((fit.spearman.unwrap() - 0.866_025_403_784_438_6).abs() < 1e-12);
}

#[test]
fn two_prompts_have_the_binomial_interval() {
    // Means are 0, 0.5, 1 with probabilities 1/4, 1/2, 1/4: the middle 95 % reaches both ends.
    let per_prompt = vec![vec![0.0, 0.0], vec![1.0, 1.0]];
    let fit = bootstrap_sweep(&[0.0, 1.0], &per_prompt, &options(3)).unwrap();
    assert_eq!(fit.mean_ratio_interval, [Interval { low: 0.0, high: 1.0 }; 2]);
    assert_eq!(fit.slope_interval, Interval { low: 0.0, high: 0.0 });
    assert_eq!(fit.line_interval, fit.mean_ratio_interval, "a line through two points meets both");
    assert_eq!((fit.spearman_interval, fit.spearman), (None, None));
    assert_eq!(fit.n_constant_resamples, 500);
}

#[test]
fn the_interval_of_a_mean_has_the_width_of_theory() {
    // Ratios 0 … 99 / 100 at one coefficient: standard error sd / 10, interval ± 1.96 of it (normal limit, 10 %).
    let per_prompt: Vec<Vec<f64>> = (0..100).map(|i| vec![f64::from(i) / 100.0, 1.0]).collect();
    let options = BootstrapOptions { n_resamples: 4000, seed: 5 };
    let interval = bootstrap_sweep(&[0.0, 1.0], &per_prompt, &options).unwrap().mean_ratio_interval[0];
    let expected = 2.0 * 1.96 * (f64::from(100 * 100 - 1) / 12.0).sqrt() / 100.0 / 10.0;
    assert!(((interval.high - interval.low) / expected - 1.0).abs() < 0.1, "{interval:?} {expected}");
    assert!(interval.contains(0.495));
}

#[test]
fn same_seed_same_intervals_other_seed_others() {
    let per_prompt = rippled(20);
    let fit = |seed| bootstrap_sweep(&COEFFICIENTS, &per_prompt, &options(seed)).unwrap();
    assert_eq!(fit(7), fit(7));
    assert_ne!(fit(7).slope_interval, fit(8).slope_interval);
    assert_eq!(fit(7).line, fit(8).line);
}

#[test]
fn the_point_estimates_lie_in_their_intervals() {
    let fit = bootstrap_sweep(&COEFFICIENTS, &rippled(40), &options(2)).unwrap();
    assert!(fit.slope_interval.contains(fit.line.slope) && fit.intercept_interval.contains(fit.line.intercept));
    assert!(fit.mean_ratio_interval.iter().zip(&fit.mean_ratio).all(|(interval, mean)| interval.contains(*mean)));
    assert_eq!(fit.mean_ratio_interval.len(), COEFFICIENTS.len());
    assert!(fit.slope_interval.low > 0.0 && fit.slope_interval.low < fit.slope_interval.high);
}

#[test]
fn copies_at_every_coefficient_are_not_anti_steerable() {
    let per_prompt: Vec<Vec<f64>> = [0.0, 0.1, 0.3].map(|ratio| vec![ratio; 4]).to_vec();
    let fit = bootstrap_sweep(&COEFFICIENTS, &per_prompt, &options(1)).unwrap();
    assert_eq!((fit.prompt_slopes, fit.negative_slope_share, fit.line.r2), (vec![0.0; 3], 0.0, None));
}

#[test]
fn falls_are_counted_as_sign_violations() {
    assert_eq!(sign_violations(&[-1.0, 0.0, 1.0, 2.0], &[1.0, 2.0, 1.5, 1.5]).unwrap(), 1);
    assert_eq!(sign_violations(&[-1.0, 0.0, 1.0], &[3.0, 2.0, 1.0]).unwrap(), 2);
    assert!(matches!(sign_violations(&[1.0, 0.0], &[1.0, 2.0]), Err(Error::NotAscending { .. })));
}

#[test]
fn bad_input_is_refused() {
    let run = |coefficients: &[f64], rows: &[Vec<f64>], n_resamples| {
        bootstrap_sweep(coefficients, rows, &BootstrapOptions { n_resamples, seed: 0 }).unwrap_err()
    };
    let rows = vec![vec![0.0, 1.0], vec![1.0, 2.0]];
    assert!(matches!(run(&[0.0, 1.0], &rows, 0), Error::TooFew { needed: 1, .. }));
    assert!(matches!(run(&[0.0, 1.0], &rows[..1], 9), Error::TooFew { got: 1, needed: 2, .. }));
    assert!(matches!(run(&[0.0], &[vec![1.0], vec![1.0]], 9), Error::TooFew { got: 1, needed: 2, .. }));
    assert!(matches!(run(&[1.0, 0.0], &rows, 9), Error::NotAscending { .. }));
    assert!(matches!(run(&[0.0, f64::NAN], &rows, 9), Error::NotFinite { index: 1, .. }));
    let short = [vec![0.0, 1.0], vec![1.0]];
    assert!(matches!(run(&[0.0, 1.0], &short, 9), Error::PromptLength { prompt: 1, got: 1, expected: 2 }));
    let nan = run(&[0.0, 0.5], &[vec![0.0, 1.0], vec![1.0, f64::NAN]], 9);
    assert_eq!(nan.to_string(), "prompt 1: the ratio at coefficient 0.5 is NaN");
    assert!(nan.hint().is_some());
    assert!(matches!(prompt_slopes(&[0.0, 1.0], &[]), Err(Error::TooFew { got: 0, needed: 1, .. })));
}

#[test]
fn a_fit_survives_json() {
    let fit = bootstrap_sweep(&COEFFICIENTS, &rippled(5), &options(4)).unwrap();
    let json = serde_json::to_string(&fit).unwrap();
    // The parser may miss the last bit of a number.
    let back: SweepFit = serde_json::from_str(&json).unwrap();
    assert_eq!(format!("{back:.12?}"), format!("{fit:.12?}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn noise_free_lines_have_intervals_around_their_line(
        lines in prop::collection::vec((0.2f64..2.0, 1.0f64..3.0), 2..12), seed in any::<u64>(),
    ) {
        let row = |&(slope, intercept): &(f64, f64)| COEFFICIENTS.iter().map(|c| intercept + slope * c).collect();
        let per_prompt: Vec<Vec<f64>> = lines.iter().map(row).collect();
        let fit = bootstrap_sweep(&COEFFICIENTS, &per_prompt, &options(seed)).unwrap();
        prop_assert!(fit.slope_interval.contains(fit.line.slope));
        prop_assert!(fit.intercept_interval.contains(fit.line.intercept));
        prop_assert!(fit.line.r2.unwrap() > 1.0 - 1e-9);
        let rho = fit.spearman_interval.unwrap();
        prop_assert!((rho.low - 1.0).abs() < 1e-12 && (rho.high - 1.0).abs() < 1e-12);
        prop_assert_eq!((fit.negative_slope_share, fit.n_sign_violations), (0.0, 0));
    }

    #[test]
    fn one_shared_line_has_no_width(slope in -2.0f64..2.0, seed in any::<u64>()) {
        let row: Vec<f64> = COEFFICIENTS.iter().map(|c| 3.0 + slope * c).collect();
        let fit = bootstrap_sweep(&COEFFICIENTS, &vec![row; 6], &options(seed)).unwrap();
        prop_assert!(fit.slope_interval.high - fit.slope_interval.low < 1e-12);
        prop_assert!((fit.slope_interval.low - fit.line.slope).abs() < 1e-12);
    }
}
