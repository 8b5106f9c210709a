//! Simulations of 1,000 runs without a model: intervals must cover what they say, p values must be uniform where nothing is there.

use ndarray::Array2;
use rayon::prelude::*;
use redline_model::random::Random;
use redline_probe::LayerPairs;
use redline_probe::stats::{Interval, NullPlace, Resamples};

use crate::bootstrap::means;
use crate::controls::{Null, null_slopes};
use crate::{
    BootstrapOptions, ControlVector, PropensityGradient, bootstrap_sweep, fit_line, paired_change, straightness,
    two_level_change,
};

const RUNS: u64 = 1000;
const X: [f64; 7] = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5];
const N_PROMPTS: usize = 30;

fn options(seed: u64) -> BootstrapOptions {
    BootstrapOptions { n_resamples: 300, seed }
}

/// Prompts of different height and slope (0.1 on average), with noise, about a common curve.
fn sweep(seed: u64, curve: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    let mut random = Random::named(&[seed], "simulated sweep");
    let mut row = || {
        let (height, slope) = (0.3 + 0.2 * random.normal(), 0.1 + 0.1 * random.normal());
        X.map(|x| height + slope * x + curve(x) + 0.05 * random.normal()).to_vec()
    };
    (0..N_PROMPTS).map(|_| row()).collect()
}

/// Share of the runs in which an interval holds the truth.
fn coverage(truth: f64, interval: impl Fn(u64) -> Interval + Sync) -> f64 {
    (0..RUNS).into_par_iter().filter(|seed| interval(*seed).contains(truth)).count() as f64 / RUNS as f64
}

fn assert_covers(what: &str, coverage: f64) {
    assert!((0.90..=0.99).contains(&coverage), "{what}: {coverage}");
}

/// Largest distance of the share of p values up to p from p (Kolmogorov and Smirnov).
fn assert_uniform(what: &str, mut p: Vec<f64>) {
    p.sort_by(f64::total_cmp);
    let n = p.len() as f64;
    let last_of_ties = (0..p.len()).filter(|&i| p.get(i + 1) != Some(&p[i]));
    let distance = last_of_ties.map(|i| ((i + 1) as f64 / n - p[i]).abs()).fold(0.0, f64::max);
    // the 1 % point is 1.63 / √n = 0.052
    assert!(distance < 0.06, "{what}: {distance}");
}

#[test]
fn intervals_of_slopes_and_changes_cover() {
    let slope = |seed| bootstrap_sweep(&X, &sweep(seed, |_| 0.0), &options(seed)).unwrap().slope_interval;
    assert_covers("slope", coverage(0.1, slope));
    let change = |seed| {
        let found = paired_change(&X, &sweep(seed, |x| x * x), &options(seed)).unwrap();
        found.change[0].spread.interval().unwrap()
    };
    assert_covers("paired change", coverage(0.9, change)); // −0.1 + 1 at −1
}

#[test]
fn the_interval_of_the_quadratic_term_covers() {
    let bend = |seed| straightness(&X, &sweep(seed, |x| 0.2 * x * x), &options(seed)).unwrap().quadratic_interval;
    assert_covers("quadratic term", coverage(0.2, |seed| bend(seed).unwrap()));
}

#[test]
fn two_level_intervals_cover_directions_and_prompts() {
    let interval = |seed| {
        let mut random = Random::named(&[seed], "simulated directions");
        let mut effects = |n: usize| (0..n).map(|_| 0.1 * random.normal()).collect::<Vec<f64>>();
        let (of_directions, of_prompts) = (effects(15), effects(25));
        let mut row =
            |direction: f64, prompt: f64| vec![prompt, 2.0 * prompt + 0.3 + direction + 0.1 * random.normal()];
        let table: Vec<Vec<Vec<f64>>> =
            of_directions.iter().map(|d| of_prompts.iter().map(|p| row(*d, *p)).collect()).collect();
        two_level_change(&[0.0, 1.0], &table, &options(seed)).unwrap().change[1].spread.interval().unwrap()
    };
    let both = coverage(0.3, interval);
    assert_covers("two levels", both);
}

#[test]
fn lack_of_fit_is_uniform_where_prompts_have_lines_of_their_own() {
    let p = |seed| straightness(&X, &sweep(seed, |_| 0.0), &options(seed)).unwrap().lack_of_fit.unwrap().p;
    assert_uniform("lack of fit", (0..RUNS).into_par_iter().map(p).collect());
}

#[test]
fn the_place_among_shuffles_is_uniform_where_labels_mean_nothing() {
    let p = |seed| {
        let mut random = Random::named(&[seed], "simulated pairs");
        // two dimensions hold most of the variance
        let mut pole =
            || Array2::from_shape_fn((30, 8), |(_, j)| (random.normal() * if j < 2 { 5.0 } else { 1.0 }) as f32);
        let pairs = [LayerPairs::new(0, pole(), pole()).unwrap()];
        let mean = pairs[0].differences().mean_axis(ndarray::Axis(0)).unwrap();
        let vector = ControlVector::new([(0, mean.iter().map(|value| *value as f32).collect())].into()).unwrap();
        let gradient = PropensityGradient { layers: [(0, (0..8).map(|_| random.normal()).collect())].into() };
        let place = |null| {
            let nulls = null_slopes(null, (&vector, &pairs), &gradient, 99, 1000 * seed).unwrap();
            NullPlace::among(gradient.slope(&vector).unwrap(), &nulls).unwrap().p
        };
        [place(Null::Shuffled), place(Null::CovarianceMatched)]
    };
    let all: Vec<[f64; 2]> = (0..RUNS).into_par_iter().map(p).collect();
    assert_uniform("shuffled", all.iter().map(|p| p[0]).collect());
    assert_uniform("covariance-matched", all.iter().map(|p| p[1]).collect());
}

/// Why a sweep's R² has no interval: resampled means carry the noise of the prompts twice, so R² falls.
#[test]
fn a_percentile_interval_of_r2_does_not_cover() {
    let interval = |seed| {
        let rows = sweep(seed, |x| 0.06 * x * x);
        let r2 = |counts: Vec<u32>| fit_line(&X, &means(&rows, &counts)).unwrap().r2;
        Interval::of(Resamples::new(N_PROMPTS, 300, seed).filter_map(r2).collect()).unwrap()
    };
    let curve = X.map(|x| 0.1 * x + 0.06 * x * x);
    let truth = fit_line(&X, &curve).unwrap().r2.unwrap();
    let straight = |seed| {
        let rows = sweep(seed, |_| 0.0);
        let r2 = |counts: Vec<u32>| fit_line(&X, &means(&rows, &counts)).unwrap().r2;
        Interval::of(Resamples::new(N_PROMPTS, 300, seed).filter_map(r2).collect()).unwrap()
    };
    let (bent, straight) = (coverage(truth, interval), coverage(1.0, straight));
    assert!(straight == 0.0 && bent < 0.9, "straight {straight}, bent (R² {truth:.3}) {bent}");
}
