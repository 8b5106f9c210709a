use ndarray::array;

use super::*;

const HIDDEN: usize = 96;
const MASSIVE: [usize; 3] = [5, 40, 77];

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// A unit direction without any part in the massive dimensions.
fn planted_direction() -> Vec<f32> {
    let mut direction = random_direction(9, HIDDEN, 7);
    MASSIVE.iter().for_each(|&dimension| direction[dimension] = 0.0);
    unit(direction.view()).unwrap().iter().map(|value| *value as f32).collect()
}

/// Pairs that share a base and part by 4 along the planted direction, under noise; some dimensions ×300.
fn planted(n_pairs: usize, massive: &[usize], seed: u64) -> LayerPairs {
    let mut random = Random::named(&[seed], "test");
    let direction = planted_direction();
    let mut gauss = move |deviation: f64| deviation * random.normal();
    let (mut positive, mut negative) = (Array2::zeros((n_pairs, HIDDEN)), Array2::zeros((n_pairs, HIDDEN)));
    for pair in 0..n_pairs {
        let strength = 4.0 + gauss(0.5);
        for dimension in 0..HIDDEN {
            let size = if massive.contains(&dimension) { 300.0 } else { 1.0 };
            let (base, half) = (gauss(1.0), strength * f64::from(direction[dimension]) / 2.0);
            positive[[pair, dimension]] = ((base + half + gauss(0.4)) * size) as f32;
            negative[[pair, dimension]] = ((base - half + gauss(0.4)) * size) as f32;
        }
    }
    LayerPairs::new(3, positive, negative).unwrap()
}

fn options(method: Method, scaling: Scaling, mirrored: bool) -> ExtractOptions {
    ExtractOptions { method, scaling, mirrored, seed: 11 }
}

fn pca_options(scaling: Scaling) -> [ExtractOptions; 3] {
    [
        options(Method::PcaDiff, scaling, false),
        options(Method::PcaDiff, scaling, true),
        options(Method::PcaCenter, scaling, false),
    ]
}

fn all_options() -> Vec<ExtractOptions> {
    let mut all = vec![options(Method::MeanDiff, Scaling::None, false), options(Method::Random, Scaling::None, false)];
    all.extend(Scaling::ALL.into_iter().flat_map(pca_options));
    all
}

fn noise_only(n_pairs: usize) -> LayerPairs {
    let mut random = Random::named(&[8], "test");
    let mut pole = || Array2::from_shape_simple_fn((n_pairs, HIDDEN), || random.normal() as f32);
    LayerPairs::new(0, pole(), pole()).unwrap()
}

#[test]
fn a_planted_direction_is_recovered_with_its_sign() {
    let pairs = planted(300, &[], 1);
    for options in all_options().into_iter().filter(|options| options.method != Method::Random) {
        let found = extract_layer(&pairs, &options).unwrap();
        let cosine = cosine(&found.direction, &planted_direction());
        assert!(cosine > 0.99, "{options:?}: {cosine}");
        assert!(found.cosine_to_mean_diff.unwrap() > 0.99, "{options:?}");
    }
}

#[test]
fn a_logistic_regression_tells_held_out_poles_apart_where_dimensions_are_massive() {
    for massive in [&[][..], &MASSIVE] {
        // many pairs: a boundary fitted to a few in 96 dimensions also follows their noise
        let found =
            extract_layer(&planted(1500, massive, 1), &options(Method::Logistic, Scaling::None, false)).unwrap();
        let cosine = cosine(&found.direction, &planted_direction());
        assert!(cosine > 0.9, "{cosine} with {massive:?}");
        let held_out = planted(100, massive, 2);
        let direction: Array1<f64> = found.direction.iter().map(|value| f64::from(*value)).collect();
        let above = held_out.differences().dot(&direction).iter().filter(|score| **score > 0.0).count();
        assert!(above >= 99, "{above} of 100 with {massive:?}");
    }
}

#[test]
fn fewer_pairs_than_dimensions_serve() {
    for options in pca_options(Scaling::PerDimensionFilter) {
        let found = extract_layer(&planted(60, &MASSIVE, 2), &options).unwrap();
        let cosine = cosine(&found.direction, &planted_direction());
        assert!(cosine > 0.95, "{options:?}: {cosine}");
    }
}

#[test]
fn massive_dimensions_hide_the_direction_unless_scaled() {
    let pairs = planted(300, &MASSIVE, 1);
    for options in pca_options(Scaling::PerDimensionFilter) {
        let found = extract_layer(&pairs, &options).unwrap();
        let cosine = cosine(&found.direction, &planted_direction());
        assert!(cosine > 0.99, "{options:?}: {cosine}");
        assert!(found.cosine_to_mean_diff.unwrap() > 0.95, "{options:?}");
    }
    for options in pca_options(Scaling::None) {
        let found = extract_layer(&pairs, &options).unwrap();
        assert!(cosine(&found.direction, &planted_direction()).abs() < 0.5, "{options:?}");
    }
}

#[test]
fn a_score_on_plain_activations_is_the_score_on_scaled_ones() {
    let pairs = planted(200, &MASSIVE, 1);
    let contrast = Contrast::new(&pairs, Scaling::PerDimensionFilter).unwrap();
    let component = random_direction(0, HIDDEN, 0);
    let scaled = contrast.differences.dot(&component);
    let found = contrast.orient(component, None);
    let direction: Array1<f64> = found.direction.iter().map(|value| f64::from(*value)).collect();
    let plain = pairs.differences().dot(&direction);
    let ratio = plain[0] / scaled[0];
    for (plain, scaled) in plain.iter().zip(&scaled) {
        assert!((plain / scaled / ratio - 1.0).abs() < 1e-3, "{plain} against {scaled}");
    }
}

#[test]
fn the_pattern_agrees_with_the_mean_difference_where_scales_differ() {
    // dimensions of very different scale, the signal in proportion to it: 1 to 100
    let scale = |j: usize| 10f32.powf(2.0 * j as f32 / HIDDEN as f32);
    let plain = planted(400, &[], 7);
    let stretch = |pole: ndarray::ArrayView2<'_, f32>| {
        let mut pole = pole.to_owned();
        pole.columns_mut().into_iter().enumerate().for_each(|(j, mut column)| column.mapv_inplace(|v| v * scale(j)));
        pole
    };
    let pairs = LayerPairs::new(3, stretch(plain.positive()), stretch(plain.negative())).unwrap();
    let direction = |method, scaling| extract_layer(&pairs, &options(method, scaling, true)).unwrap().direction;
    let mean = direction(Method::MeanDiff, Scaling::None);
    let pattern = direction(Method::PcaDiff, Scaling::PerDimension);
    let filter = direction(Method::PcaDiff, Scaling::PerDimensionFilter);
    assert!(cosine(&pattern, &mean) > 0.99, "{}", cosine(&pattern, &mean));
    assert!(cosine(&filter, &mean) < 0.5, "{}", cosine(&filter, &mean));
}

#[test]
fn massive_dimensions_are_warned_of() {
    let warnings = |scaling| {
        let pairs = [planted(200, &MASSIVE, 1)];
        extract_directions(&pairs, &options(Method::PcaDiff, scaling, true)).unwrap().warnings
    };
    let found = warnings(Scaling::None);
    // where the mean difference points there is chance, so that may be doubted too
    let [Warning::FewDimensions { layer: 3, dimensions, share }, ..] = found.as_slice() else { panic!("{found:?}") };
    assert!(dimensions.iter().all(|dimension| MASSIVE.contains(dimension)) && *share > 0.99);
    assert_eq!(warnings(Scaling::PerDimensionFilter), []);
}

#[test]
fn variance_without_signal_is_warned_of() {
    // dimension 0 varies hugely with mean zero; dimension 1 holds the signal
    let positive = array![[500.0, 1.0], [-500.0, 1.1], [400.0, 0.9], [-400.0, 1.0]];
    let pairs = [LayerPairs::new(6, positive, Array2::zeros((4, 2))).unwrap()];
    let found = extract_directions(&pairs, &options(Method::PcaDiff, Scaling::None, true)).unwrap();
    let [warning @ Warning::VarianceWithoutSignal { layer: 6, explained_variance_ratio, .. }] =
        found.warnings.as_slice()
    else {
        panic!("{:?}", found.warnings)
    };
    assert!(*explained_variance_ratio > 0.99);
    assert!(warning.to_string().starts_with("layer 6: the component explains 100.0 % of the variance"));
}

#[test]
fn a_mean_against_the_majority_is_warned_of() {
    let positive = array![[1.0], [1.1], [0.9], [-50.0]];
    let pairs = [LayerPairs::new(0, positive, Array2::zeros((4, 1))).unwrap()];
    let found = extract_directions(&pairs, &options(Method::PcaDiff, Scaling::None, true)).unwrap();
    assert_eq!(found.directions[0].direction, [1.0]);
    assert_eq!(found.warnings, [Warning::MeanAgainstMajority { layer: 0, cosine_to_mean_diff: -1.0 }]);
}

#[test]
fn swapping_the_poles_flips_the_sign_exactly() {
    // more pairs than dimensions, and fewer: the solver takes another path; noise alone converges worst
    for pairs in [planted(150, &MASSIVE, 7), planted(30, &[], 7), noise_only(30), noise_only(150)] {
        let swapped = pairs.clone().swapped();
        for options in all_options() {
            let (found, mirrored) =
                (extract_layer(&pairs, &options).unwrap(), extract_layer(&swapped, &options).unwrap());
            let negated: Vec<f32> = mirrored.direction.iter().map(|value| -value).collect();
            assert_eq!(found.direction, negated, "{options:?}");
            assert_eq!(found.explained_variance_ratio, mirrored.explained_variance_ratio);
            assert_eq!(found.cosine_to_mean_diff, mirrored.cosine_to_mean_diff);
        }
    }
}

#[test]
fn pca_center_is_mirrored_pca_diff() {
    let pairs = planted(60, &[], 3);
    let center = extract_layer(&pairs, &options(Method::PcaCenter, Scaling::None, false)).unwrap();
    let mirrored = extract_layer(&pairs, &options(Method::PcaDiff, Scaling::None, true)).unwrap();
    assert_eq!(center, mirrored);
}

#[test]
fn without_flips_centring_removes_a_constant_signal() {
    // every difference is the same but for noise in another dimension
    let positive = array![[5.0, 0.3], [5.0, -0.3], [5.0, 0.1], [5.0, -0.1]];
    let pairs = LayerPairs::new(0, positive, Array2::zeros((4, 2))).unwrap();
    let same_order = direction_with_flips(&pairs, &[false; 4], Scaling::None).unwrap();
    assert!(same_order.cosine_to_mean_diff.unwrap().abs() < 1e-6);
    let flipped = direction_with_flips(&pairs, &[true, false, true, false], Scaling::None).unwrap();
    assert!(flipped.cosine_to_mean_diff.unwrap() > 0.99);
}

#[test]
fn flips_are_balanced_and_seeded() {
    for n_pairs in [0, 1, 2, 7, 100] {
        let flips = balanced_flips(n_pairs, 3);
        assert_eq!(flips.iter().filter(|flip| **flip).count(), n_pairs / 2);
    }
    assert_eq!(balanced_flips(100, 3), balanced_flips(100, 3));
    assert_ne!(balanced_flips(100, 3), balanced_flips(100, 4));
}

#[test]
fn random_directions_differ_by_layer_and_seed() {
    let drawn = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(layer, seed)| random_direction(layer, 500, seed));
    for (i, a) in drawn.iter().enumerate() {
        assert!((a.dot(a) - 1.0).abs() < 1e-12);
        assert!(drawn[..i].iter().all(|b| a.dot(b).abs() < 0.2));
    }
    assert_eq!(drawn[0], random_direction(0, 500, 0));
}

#[test]
fn a_layer_gives_the_same_direction_alone_and_among_others() {
    let first = planted(50, &[], 5);
    let second = LayerPairs::new(8, first.negative().to_owned(), first.positive().to_owned()).unwrap();
    for options in all_options() {
        let both = extract_directions(&[first.clone(), second.clone()], &options).unwrap();
        assert_eq!(both.directions[0], extract_layer(&first, &options).unwrap());
        assert_eq!(both.directions[1], extract_layer(&second, &options).unwrap());
    }
}

#[test]
fn ties_of_the_majority_go_by_the_mean() {
    let tied = array![3.0, -1.0];
    assert!(!points_to_negative(&tied));
    assert!(points_to_negative(&-tied));
    assert!(points_to_negative(&array![-1.0, -1.0, 9.0]));
}

#[test]
fn a_dead_dimension_is_not_blown_up() {
    let mut pairs = planted(200, &[], 1);
    let (mut positive, mut negative) = (pairs.positive().to_owned(), pairs.negative().to_owned());
    positive.column_mut(0).fill(1.0);
    negative.column_mut(0).fill(1.0);
    // all but dead: rounding noise
    positive.column_mut(1).iter_mut().enumerate().for_each(|(i, value)| *value = 1e-9 * (i % 3) as f32);
    negative.column_mut(1).fill(0.0);
    pairs = LayerPairs::new(0, positive, negative).unwrap();
    for options in pca_options(Scaling::PerDimension) {
        let found = extract_layer(&pairs, &options).unwrap();
        assert!(found.direction.iter().all(|value| value.is_finite()));
        assert!(found.direction[0].abs() < 1e-6 && found.direction[1].abs() < 1e-2, "{:?}", &found.direction[..2]);
        assert!(cosine(&found.direction, &planted_direction()) > 0.97);
    }
}

#[test]
fn one_pair_serves_where_its_difference_is_enough() {
    let pairs = LayerPairs::new(0, array![[3.0, 4.0]], array![[0.0, 0.0]]).unwrap();
    for options in all_options() {
        let result = extract_layer(&pairs, &options);
        match options.method {
            Method::PcaDiff if !options.mirrored => {
                assert!(matches!(result, Err(Error::TooFewPairs { got: 1, needed: 2, .. })));
            }
            Method::Random => assert!(result.is_ok()),
            _ => assert_eq!(result.unwrap().direction, [0.6, 0.8], "{options:?}"),
        }
    }
}

#[test]
fn pairs_without_a_usable_difference_are_errors() {
    let same = array![[1.0, 2.0], [3.0, 4.0]];
    let identical = LayerPairs::new(4, same.clone(), same).unwrap();
    for options in all_options() {
        let error = extract_layer(&identical, &options).unwrap_err();
        assert!(matches!(error, Error::IdenticalPairs { layer: 4, n_pairs: 2 }), "{options:?}");
    }
    let opposed = LayerPairs::new(1, array![[1.0], [-1.0]], array![[0.0], [0.0]]).unwrap();
    let no_mean = extract_layer(&opposed, &options(Method::MeanDiff, Scaling::None, false));
    assert!(matches!(no_mean, Err(Error::NoMeanDifference { layer: 1, .. })));
    let no_variance = direction_with_flips(&opposed, &[false, true], Scaling::None);
    assert!(matches!(no_variance, Err(Error::NoVariance { layer: 1, n_rows: 2, .. })));
    let wrong_flips = direction_with_flips(&opposed, &[false], Scaling::None);
    assert!(matches!(wrong_flips, Err(Error::FlipCount { got: 1, expected: 2, .. })));
}

#[test]
fn layers_must_be_given_once() {
    let pairs = planted(4, &[], 1);
    let options = ExtractOptions::default();
    assert!(matches!(extract_directions(&[], &options), Err(Error::NoLayers)));
    let twice = extract_directions(&[pairs.clone(), pairs], &options);
    assert!(matches!(twice, Err(Error::DuplicateLayer { layer: 3 })));
}

#[test]
fn identical_pairs_among_others_are_counted() {
    let pairs = [LayerPairs::new(2, array![[1.0], [2.0], [5.0]], array![[1.0], [1.0], [3.0]]).unwrap()];
    let found = extract_directions(&pairs, &options(Method::MeanDiff, Scaling::None, false)).unwrap();
    assert_eq!(found.warnings, [Warning::IdenticalPairs { layer: 2, n_identical: 1, n_pairs: 3 }]);
}

#[test]
fn the_first_draws_stay_what_they_are() {
    let flips = balanced_flips(10, 0).iter().map(|flip| usize::from(*flip)).collect::<Vec<_>>();
    assert_eq!(flips, [1, 0, 1, 0, 0, 1, 1, 0, 1, 0]);
    let drawn = random_direction(3, 3, 0);
    let expected = array![-0.047_260_260_120_534_84, -0.195_249_125_447_298_36, -0.979_614_335_759_437_8];
    assert!((&drawn - &expected).iter().all(|difference| difference.abs() < 1e-12), "{drawn}");
}
