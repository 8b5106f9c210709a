//! Proof of effect: counts are exact, and propensity does not depend on how the prompt is read.

use redline::probe::{ContrastPair, PairBuilder, PairDesign};
use redline::steer::{Arm, Operator, PropensityOptions, TokenRange, propensity};

use super::*;

/// Edits of a layer over two prompts of three rows (−1, 0, 1), 10 new tokens each.
fn edits(range: TokenRange) -> (Vec<(usize, u64)>, usize) {
    let (decoder, prompts) = (decoder(), prompts());
    let v = vector(1, 1.0);
    let mut inject = Inject::new(&[&v], range, decoder.config()).unwrap();
    let mut batch = Vec::new();
    for (i, tokens) in prompts[..2].iter().enumerate() {
        for (j, coefficient) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
            inject.steer(3 * i + j, RowSteering::new(0, coefficient, tokens.len())).unwrap();
        }
        batch.push(Prompt::new(tokens.clone(), (3 * i..3 * i + 3).collect()));
    }
    greedy(&decoder, &batch, 10, range.leaves_prompt(), &mut inject);
    let counts = inject.effect().iter().map(|(&layer, effect)| (layer, effect.edits)).collect();
    (counts, prompts[0].len() + prompts[1].len())
}

#[test]
fn counts_are_rows_times_positions_times_layers() {
    // the tenth token is chosen, but never read: 9 generated positions; 2 of the 3 rows of a prompt are steered
    let per_layer = |count: usize| LAYERS.map(|layer| (layer, count as u64)).to_vec();
    let (counts, prompt_tokens) = edits(TokenRange::Output);
    assert_eq!(counts, per_layer(2 * 2 * (1 + 9)));
    assert_eq!(edits(TokenRange::Generated).0, per_layer(2 * 2 * 9));
    assert_eq!(edits(TokenRange::LastPromptToken).0, per_layer(2 * 2));
    assert_eq!(edits(TokenRange::Prompt).0, per_layer(2 * prompt_tokens));
    assert_eq!(edits(TokenRange::All).0, per_layer(2 * (prompt_tokens + 2 * 9)));
    assert_eq!(edits(TokenRange::Positions { start: 2, end: 7 }).0, per_layer(2 * 2 * 5));
}

#[test]
fn relative_norms_are_those_of_the_definition() {
    let (decoder, prompt) = (decoder(), prompts().remove(0));
    let v = vector(2, 0.5).restrict([1]).unwrap();
    let range = TokenRange::Positions { start: 4, end: 6 };
    let mut inject = injection(&decoder, &[&v], range, prompt.len(), &[(0, 0, -2.0)]);
    uncached_logits(&decoder, 0, &prompt, &mut inject);
    let states = super::reading::block_outputs(&decoder, &prompt, 1);
    let norm = |line: &[f32]| line.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let expected = (4..6).map(|p| 2.0 * 0.5 / norm(&states[p])).sum::<f64>();
    let effect = inject.effect()[&1];
    assert_eq!(effect.edits, 2);
    assert!((effect.relative_norm_sum - expected).abs() < 1e-5 * expected, "{effect:?}, expected {expected}");
}

fn pair() -> (redline::model::Model, ContrastPair) {
    let tiny = Tiny::new();
    let model = tiny.load();
    let template =
        redline::model::AlignerTemplate::by_name_or_file(tiny.path("template.txt").to_str().unwrap()).unwrap();
    let builder = PairBuilder {
        tokenizer: model.tokenizer().unwrap(),
        template: &template,
        design: PairDesign::Forced,
        max_tokens: 256,
    };
    let pair = builder.pair(0, &triples(1)[0]).unwrap();
    (model, pair)
}

#[test]
fn propensity_with_a_shared_prompt_equals_the_unshared() {
    let (model, pair) = pair();
    let v = vector(3, 1.0);
    let arms = [-1.0, 0.0, 1.0].map(|coefficient| Arm { vector: 0, coefficient });
    let measure = |range| {
        let options = PropensityOptions { range, operator: Operator::Add, max_tokens: 32 };
        let pairs = std::slice::from_ref(&pair);
        propensity(&model.decoder, pairs, &[&v], &arms, &options, &mut |_, _| Ok(())).unwrap()
    };
    let shared = measure(TokenRange::Output);
    // the same positions, named so that nothing can be shared
    let start = pair.positive.prompt.len() - 1;
    let unshared = measure(TokenRange::Positions { start, end: 10_000 });
    assert_eq!(shared.len(), 3);
    for (a, b) in shared.iter().zip(&unshared) {
        assert_eq!(
            (a.coefficient, a.correction_tokens, a.answer_tokens),
            (b.coefficient, b.correction_tokens, b.answer_tokens)
        );
        assert!((a.correction - b.correction).abs() < 1e-4 * a.correction.abs(), "{a:?}, {b:?}");
        assert!((a.answer - b.answer).abs() < 1e-4 * a.answer.abs(), "{a:?}, {b:?}");
    }
    assert!((shared[0].total() - shared[2].total()).abs() > 1e-3, "steering must move it: {shared:?}");
}

#[test]
fn propensity_is_the_sum_of_log_softmax() {
    let (model, pair) = pair();
    let v = vector(3, 1.0);
    let options = PropensityOptions { range: TokenRange::All, operator: Operator::Add, max_tokens: 1000 };
    let arms = [Arm { vector: 0, coefficient: 0.5 }];
    let pairs = std::slice::from_ref(&pair);
    let got = propensity(&model.decoder, pairs, &[&v], &arms, &options, &mut |_, _| Ok(())).unwrap()[0];
    let by_hand = |text: &redline::probe::TokenText| {
        let tokens = [text.prompt.as_slice(), &text.output].concat();
        let rows = [(0, 0, 0.5)];
        let mut inject = injection(&model.decoder, &[&v], TokenRange::All, text.prompt.len(), &rows);
        let logits = uncached_logits(&model.decoder, 0, &tokens, &mut inject);
        let log_prob = |position: usize| {
            let line = &logits[position - 1];
            let total: f64 = line.iter().map(|&x| f64::from(x).exp()).sum();
            f64::from(line[tokens[position] as usize]) - total.ln()
        };
        (text.prompt.len()..tokens.len()).map(log_prob).sum::<f64>()
    };
    for (got, expected) in [(got.correction, by_hand(&pair.positive)), (got.answer, by_hand(&pair.negative))] {
        assert!((got - expected).abs() < 1e-4 * expected.abs(), "{got}, expected {expected}");
    }
}
