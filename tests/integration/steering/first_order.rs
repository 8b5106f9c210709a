//! Propensity to first order: the gradient of one backward pass against what small coefficients do.

use redline::experiment::{ExtractionSettings, extract};
use redline::model::{Qac, Site};
use redline::probe::stats::NullPlace;
use redline::probe::{ContrastPair, ExtractOptions, Method, PairBuilder, PairDesign, Scaling};
use redline::steer::controls::{Null, null_slopes};
use redline::steer::{
    Arm, Error, Operator, PropensityGradient, PropensityOptions, Unit, propensity, propensity_gradients,
    reading_control_vector,
};

use super::*;

fn model_and_pairs(n: usize) -> (Model, Vec<ContrastPair>) {
    let tiny = Tiny::new();
    let model = tiny.load();
    let template = AlignerTemplate::by_name_or_file(tiny.path("template.txt").to_str().unwrap()).unwrap();
    let builder = PairBuilder::new(&model, &template, PairDesign::Forced, 512).unwrap();
    let pairs = builder.pairs(triples(n).iter().enumerate()).unwrap().pairs;
    (model, pairs)
}

fn options(range: TokenRange) -> PropensityOptions {
    PropensityOptions { range, operator: Operator::Add, max_tokens: 1000 }
}

fn gradients(
    model: &Model,
    pairs: &[ContrastPair],
    like: &ControlVector,
    range: TokenRange,
) -> Vec<PropensityGradient> {
    propensity_gradients(&model.decoder, pairs, like, &options(range), &mut |_, _| Ok(())).unwrap()
}

/// (propensity at h − propensity at −h) / 2h for each pair.
fn differences(model: &Model, pairs: &[ContrastPair], v: &ControlVector, range: TokenRange, h: f32) -> Vec<f64> {
    let arms = [-h, h].map(|coefficient| Arm { vector: 0, coefficient });
    let found = propensity(&model.decoder, pairs, &[v], &arms, &options(range), &mut |_, _| Ok(())).unwrap();
    found.chunks(2).map(|two| (two[1].total() - two[0].total()) / (2.0 * f64::from(h))).collect()
}

#[test]
fn one_gradient_gives_the_slope_of_every_direction() {
    let (model, pairs) = model_and_pairs(2);
    let width = model.decoder.config().hidden_size;
    let like = |norm: f32| {
        let mut first = vec![0.0; width];
        first[0] = norm;
        ControlVector::new([(1, first.clone()), (2, first)].into()).unwrap()
    };
    for range in [TokenRange::Output, TokenRange::All, TokenRange::Prompt, TokenRange::Positions { start: 3, end: 25 }]
    {
        for site in [Site::ResidPost, Site::MlpOut] {
            let gradients = gradients(&model, &pairs, &like(1.0).at(site), range);
            for seed in 0..2 {
                let v = random_like(&like(1.0).at(site), seed).unwrap();
                // central differences: their own error falls with h², that of f32 grows with 1 / h
                let measured = differences(&model, &pairs, &v, range, 0.05);
                for (gradient, measured) in gradients.iter().zip(measured) {
                    let slope = gradient.slope(&v).unwrap();
                    assert!(
                        (slope - measured).abs() < 0.02 * (1.0 + measured.abs()),
                        "{range} {site}: {slope} {measured}"
                    );
                }
            }
        }
    }
}

#[test]
fn positions_outside_the_range_do_not_count() {
    let (model, pairs) = model_and_pairs(1);
    let like = ControlVector::new([(1, vec![1.0; model.decoder.config().hidden_size])].into()).unwrap();
    let slope = |range| gradients(&model, &pairs, &like, range)[0].slope(&like).unwrap();
    let [all, prompt, generated] = [TokenRange::All, TokenRange::Prompt, TokenRange::Generated].map(slope);
    // every position is of the prompt or generated, so the two add up
    assert!((all - prompt - generated).abs() < 1e-3 * (1.0 + all.abs()), "{all} {prompt} {generated}");
    assert!(prompt != 0.0 && generated != 0.0);
}

#[test]
fn other_operators_are_refused() {
    let model = Tiny::new().load();
    let like = ControlVector::new([(1, vec![1.0; model.decoder.config().hidden_size])].into()).unwrap();
    let clamp = PropensityOptions { operator: Operator::Clamp, ..options(TokenRange::All) };
    let refused = propensity_gradients(&model.decoder, &[], &like, &clamp, &mut |_, _| Ok(()));
    assert!(matches!(refused, Err(Error::OperatorNotLinear { .. })));
}

#[test]
fn the_dial_inside_stands_out_among_thousands_of_nulls() {
    let model = embedded::model().unwrap();
    let template = AlignerTemplate::by_name_or_file(embedded::TEMPLATE).unwrap();
    let rows = embedded::rows().unwrap();
    let flawed = rows.iter().enumerate().filter(|(_, row)| row.answer != row.clean).take(80);
    let mended = flawed.map(|(i, row)| {
        let (question, answer, correction) = (row.question.clone(), row.answer.clone(), row.clean.clone());
        (i, Qac { question, answer, correction })
    });
    let mended: Vec<(usize, Qac)> = mended.collect();
    let triples: Vec<(usize, &Qac)> = mended.iter().map(|(i, qac)| (*i, qac)).collect();
    let method = ExtractOptions { method: Method::MeanDiff, scaling: Scaling::None, ..ExtractOptions::default() };
    let settings = ExtractionSettings { extract: method, calibration_pairs: 0, ..ExtractionSettings::default() };
    let found = extract(&model, &template, &triples, &settings, &mut |_, _| Ok(())).unwrap();
    let vector = reading_control_vector(&found.reading, &[0, 1, 2, 3], Unit::Gap).unwrap();
    let pairs = &found.held_out[..8];
    let options = PropensityOptions { max_tokens: 32, ..options(TokenRange::Output) };
    let gradients = propensity_gradients(&model.decoder, pairs, &vector, &options, &mut |_, _| Ok(())).unwrap();
    let gradient = PropensityGradient::mean(&gradients).unwrap();
    let slope = gradient.slope(&vector).unwrap();

    let arms = [-0.1, 0.1].map(|coefficient| Arm { vector: 0, coefficient });
    let exact = propensity(&model.decoder, pairs, &[&vector], &arms, &options, &mut |_, _| Ok(())).unwrap();
    let exact = exact.chunks(2).map(|two| (two[1].total() - two[0].total()) / 0.2).sum::<f64>() / 8.0;
    assert!((slope - exact).abs() < 0.1 * exact.abs(), "{slope}, measured {exact}");

    let nulls = |null| null_slopes(null, (&vector, &found.train), &gradient, 2000, 0).unwrap();
    let spread = |slopes: &[f64]| (slopes.iter().map(|slope| slope * slope).sum::<f64>() / 2000.0).sqrt();
    let [isotropic, matched, shuffled] = [Null::Isotropic, Null::CovarianceMatched, Null::Shuffled].map(nulls);
    let spreads = [&isotropic, &matched, &shuffled].map(|slopes| spread(slopes));
    let p = [&isotropic, &matched, &shuffled].map(|slopes| NullPlace::among(slope, slopes).unwrap().p);
    let what = format!("slope {slope}, spreads {spreads:?}, p {p:?}");
    assert!(p[0] < 0.01 && p[2] < 0.05, "{what}");
    assert!(spreads[1] > 2.0 * spreads[0] && spreads[2] > 2.0 * spreads[0], "isotropic nulls are the weakest: {what}");
}
