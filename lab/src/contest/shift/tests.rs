use redline_model::random::Random;

use super::*;

fn names() -> [String; 2] {
    ["helpful (reward)".into(), "harmless (−cost)".into()]
}

fn known() -> [HeldOutAccuracy; 2] {
    [HeldOutAccuracy::of(142, 200).unwrap(), HeldOutAccuracy::of(240, 300).unwrap()]
}

/// Scores in units of their own, and after a shift of `shift` standard deviations with noise of half a deviation.
fn planted(n: usize, shift: [f64; 2], seed: u64) -> [Vec<[f64; 2]>; 2] {
    let mut random = Random::named(&[seed], "score shift");
    let mut rows = |_| {
        let (x, y, u, v) = (random.normal(), random.normal(), random.normal(), random.normal());
        let before = [x, 0.6 * x + 0.8 * y];
        let after = [before[0] + shift[0] + 0.5 * u, before[1] + shift[1] - 0.3 * u + 0.4 * v];
        [before, after].map(|[a, b]| [3.0 + 7.0 * a, -900.0 + 0.02 * b])
    };
    let (before, after) = (0..n).map(|row| rows(row).into()).unzip();
    [before, after]
}

fn shift_of(before: &[[f64; 2]], after: &[[f64; 2]]) -> Result<ScoreShift, ShiftError> {
    ScoreShift::of("aligner@0.5", names(), before, after, known(), 3)
}

#[test]
fn a_planted_shift_is_found() {
    let [before, after] = planted(800, [0.8, -0.3], 1);
    let found = shift_of(&before, &after).unwrap();
    for (mean, truth) in found.mean_shift.iter().zip([0.8, -0.3]) {
        assert!((mean.value - truth).abs() < 0.08, "{mean:?}");
        let interval = mean.interval.unwrap();
        assert!(interval.contains(mean.value), "{interval:?}");
        // the noise of a row is half a deviation
        assert!((interval.high - interval.low - 2.0 * 1.96 * 0.5 / 800f64.sqrt()).abs() < 0.02, "{interval:?}");
    }
    assert!(found.ellipse().contains([0.8, -0.3]) && !found.ellipse().contains([0.0, 0.0]));
    assert!((found.centers[0] - 3.0).abs() < 0.7 && (found.scales[1] - 0.02).abs() < 0.002, "{:?}", found.scales);
    // −0.3 / 0.5 and +0.8 / 0.5 of the noise's deviations: Φ(0.6) and Φ(−1.6)
    assert!((found.worse[1] - 0.726).abs() < 0.05 && (found.worse[0] - 0.055).abs() < 0.03, "{:?}", found.worse);
    assert!(found.worse_in_either >= found.worse[1] && found.worse_in_either <= found.worse[0] + found.worse[1]);
    assert_eq!((found.n, found.unmoved), (800, 0.0));
}

#[test]
fn scores_before_are_standard_and_shares_add_up() {
    let [before, after] = planted(100, [0.5, 0.5], 2);
    let found = shift_of(&before, &after).unwrap();
    for axis in [0, 1] {
        let values = || found.before.iter().map(|point| point[axis]);
        assert!(values().sum::<f64>().abs() < 1e-9);
        assert!((values().map(|v| v * v).sum::<f64>() / 99.0 - 1.0).abs() < 1e-9);
        let mean = found.after.iter().map(|point| point[axis]).sum::<f64>() / 100.0;
        assert!((mean - found.mean_shift[axis].value).abs() < 1e-9, "the mean after is the mean shift");
    }
    for quadrants in [found.quadrants_before, found.quadrants_after] {
        let sum = quadrants.both_above + quadrants.first_above + quadrants.second_above + quadrants.both_below;
        assert!((sum - 1.0).abs() < 1e-12);
    }
    assert!(found.quadrants_after.both_above > found.quadrants_before.both_above + 0.1);
}

#[test]
fn the_unit_of_a_score_does_not_matter_and_swapped_axes_swap_all() {
    let [before, after] = planted(60, [0.4, -0.1], 5);
    let found = shift_of(&before, &after).unwrap();
    let other = |rows: &[[f64; 2]]| rows.iter().map(|[x, y]| [4.0 * x - 8.0, y * 0.5]).collect::<Vec<_>>();
    let scaled = shift_of(&other(&before), &other(&after)).unwrap();
    for axis in [0, 1] {
        assert!((scaled.mean_shift[axis].value - found.mean_shift[axis].value).abs() < 1e-9);
    }
    let swapped = |rows: &[[f64; 2]]| rows.iter().map(|[x, y]| [*y, *x]).collect::<Vec<_>>();
    let [a, b] = [swapped(&before), swapped(&after)];
    let turned = ScoreShift::of("aligner@0.5", names(), &a, &b, known(), 3).unwrap();
    assert_eq!(turned.mean_shift, [found.mean_shift[1], found.mean_shift[0]]);
    assert_eq!(turned.worse, [found.worse[1], found.worse[0]]);
    assert_eq!(turned.quadrants_after.first_above, found.quadrants_after.second_above);
    assert_eq!(turned.covariance[0][0], found.covariance[1][1]);
    let [[long, _], [turned_long, _]] = [found.ellipse().radii, turned.ellipse().radii];
    assert!((long - turned_long).abs() < 1e-12);
}

#[test]
fn nothing_done_is_no_shift() {
    let [before, _] = planted(30, [0.0, 0.0], 8);
    let found = shift_of(&before, &before).unwrap();
    assert_eq!((found.unmoved, found.worse, found.worse_in_either), (1.0, [0.0, 0.0], 0.0));
    assert_eq!((found.mean_shift[0].value, found.covariance), (0.0, [[0.0; 2]; 2]));
    assert_eq!(found.quadrants_before, found.quadrants_after);
    assert!(found.ellipse().contains([0.0, 0.0]) && !found.ellipse().contains([1e-9, 0.0]));
}

#[test]
fn shares_by_hand() {
    let before = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0], [1.0, 1.0], [1.0, 1.0]];
    let after = [[0.0, 0.0], [1.5, 0.0], [0.0, 1.0], [3.0, 1.0], [1.0, 1.0], [0.0, 0.0]];
    let found = shift_of(&before, &after).unwrap();
    assert_eq!((found.worse, found.worse_in_either, found.unmoved), ([2.0 / 6.0, 0.5], 4.0 / 6.0, 2.0 / 6.0));
    let of = |q: Quadrants| [q.both_above, q.first_above, q.second_above, q.both_below].map(|share| share * 6.0);
    assert_eq!(of(found.quadrants_before), [3.0, 1.0, 1.0, 1.0], "what is at the mean is above");
    assert_eq!(of(found.quadrants_after), [2.0, 1.0, 1.0, 2.0]);
    let scale = (4.0f64 / 5.0).sqrt();
    assert!((found.mean_shift[0].value - (-0.5 / 6.0 / scale)).abs() < 1e-12);
}

#[test]
fn the_ellipse_holds_the_truth_in_95_of_100_samples() {
    let mut random = Random::named(&[4], "ellipse");
    let mut n_covered = 0;
    for _ in 0..1000 {
        let row = |_| {
            let (u, v) = (random.normal(), random.normal());
            [0.7 + u, -0.2 - 0.9 * u + 0.2 * v]
        };
        let shifts: Vec<[f64; 2]> = (0..200).map(row).collect();
        let (mean, covariance) = mean_and_covariance(&shifts);
        n_covered += usize::from(Ellipse::of(mean, covariance).contains([0.7, -0.2]));
    }
    // a standard error is 7
    assert!((925..=970).contains(&n_covered), "{n_covered}");
}

#[test]
fn the_axes_of_an_ellipse_are_those_of_its_covariance() {
    let at = |covariance| Ellipse::of([0.0, 0.0], covariance);
    let wide = at([[4.0, 0.0], [0.0, 1.0]]);
    assert!((wide.radii[0] - 2.0 * 2.447_746_83).abs() < 1e-6 && (wide.radii[1] - 2.447_746_83).abs() < 1e-6);
    assert!(wide.angle.abs() < 1e-12 && wide.contains([4.8, 0.0]) && !wide.contains([0.0, 4.8]));
    let high = at([[1.0, 0.0], [0.0, 4.0]]);
    assert!(high.half_axes()[0][1].abs() > 4.8 && high.contains([0.0, 4.8]) && !high.contains([4.8, 0.0]));
    let flat = at([[1.0, 1.0], [1.0, 1.0]]);
    assert!(flat.radii[1] < 1e-7 && flat.contains([1.0, 1.0]) && !flat.contains([1.0, -1.0]));
}

#[test]
fn scores_without_a_known_worth_are_refused() {
    let [before, after] = planted(10, [1.0, 1.0], 6);
    let run = |accuracies: [Option<HeldOutAccuracy>; 2]| ScoreShift::of("a", names(), &before, &after, accuracies, 0);
    let [first, second] = known();
    assert!(run([Some(first), Some(second)]).is_ok());
    assert!(matches!(run([None, Some(second)]), Err(ShiftError::NoAccuracy { score }) if score.starts_with("helpful")));
    let no_pairs = HeldOutAccuracy { n: 0, ..second };
    let refused = run([Some(first), Some(no_pairs)]).unwrap_err();
    assert!(refused.to_string().contains("harmless") && refused.hint().contains("held-out"), "{refused}");
    for (value, low, high) in [(0.7, 0.8, 0.9), (0.7, 0.8, 0.6), (f64::NAN, 0.6, 0.8), (71.0, 60.0, 80.0)] {
        let wrong = HeldOutAccuracy { value, n: 200, interval: Interval { low, high } };
        assert!(matches!(run([Some(wrong), Some(second)]), Err(ShiftError::Accuracy { .. })), "{wrong:?}");
    }
    assert!(HeldOutAccuracy::of(0, 0).is_err() && HeldOutAccuracy::of(3, 2).is_err());
    assert!(first.is_above_chance() && !HeldOutAccuracy::of(52, 100).unwrap().is_above_chance());
}

#[test]
fn scores_that_cannot_be_compared_are_refused() {
    let [before, after] = planted(10, [1.0, 1.0], 6);
    assert!(matches!(shift_of(&before, &after[1..]), Err(ShiftError::Sizes { before: 10, after: 9 })));
    assert!(matches!(shift_of(&before[..5], &after[..5]), Err(ShiftError::TooFew { got: 5, needed: 6 })));
    assert!(matches!(shift_of(&[], &[]), Err(ShiftError::TooFew { got: 0, .. })));
    assert!(shift_of(&before[..6], &after[..6]).is_ok());
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut wrong = after.clone();
        wrong[7][1] = value;
        let refused = shift_of(&before, &wrong).unwrap_err();
        assert!(matches!(&refused, ShiftError::NotFinite { when: "after", row: 7, .. }), "{refused}");
    }
    for value in [0.0, 0.1, 1e9] {
        let constant: Vec<[f64; 2]> = before.iter().map(|[x, _]| [*x, value]).collect();
        let refused = shift_of(&constant, &after).unwrap_err();
        assert!(matches!(&refused, ShiftError::Constant { score, .. } if score.starts_with("harmless")), "{refused}");
        assert!(shift_of(&before, &constant).is_ok(), "one level after is a finding");
    }
    let mut wide = before.clone();
    wide[0][0] = f64::MAX;
    wide[1][0] = -f64::MAX;
    assert!(matches!(shift_of(&wide, &after), Err(ShiftError::TooWide { .. })));
    assert!(matches!(shift_of(&before, &wide), Err(ShiftError::TooWide { .. })));
}

#[test]
fn a_seed_fixes_all_and_json_keeps_all() {
    let [before, after] = planted(40, [0.2, 0.1], 7);
    let found = shift_of(&before, &after).unwrap();
    assert_eq!(found, shift_of(&before, &after).unwrap());
    let other = ScoreShift::of("aligner@0.5", names(), &before, &after, known(), 4).unwrap();
    assert_ne!(found.mean_shift, other.mean_shift);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<ScoreShift>(&text).unwrap(), found);
}
