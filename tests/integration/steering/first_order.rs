//! Propensity to first order: the gradient of one backward pass against what small coefficients do.

use redline::model::Site;
use redline::probe::{ContrastPair, PairBuilder, PairDesign};
use redline::steer::{Arm, Error, Operator, PropensityGradient, PropensityOptions, propensity, propensity_gradients};

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
