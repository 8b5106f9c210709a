//! Operators, several vectors and gates: the same with a cache and without, in a batch and alone.

use redline::model::hook::{HookPoint, TokenLayout};
use redline::model::{Result as ModelResult, Site};
use redline::probe::LayerVector;
use redline::steer::{Gate, Operator};

use super::*;

/// Logits of every position after the prompt, read with a cache: the prompt at once, then a token a pass.
fn cached_logits(decoder: &Decoder, tokens: &[u32], prompt_len: usize, hook: &mut dyn Hook) -> Vec<Vec<f32>> {
    let mut cache = decoder.cache(vec![0], tokens.len()).unwrap();
    let mut pieces = vec![&tokens[..prompt_len]];
    pieces.extend(tokens[prompt_len..].chunks(1));
    let mut all = Vec::new();
    for tokens in pieces {
        let chunk = Chunk { tokens, past: Past::Cache(&mut cache) };
        let states = decoder.forward(&mut [chunk], hook, &Wanted::All).unwrap().unwrap();
        all.extend(lines(&decoder.logits(&states).unwrap()));
    }
    all
}

fn steered(decoder: &Decoder, vectors: &[&ControlVector], terms: &[RowSteering]) -> Inject {
    let mut inject = Inject::new(vectors, TokenRange::Output, decoder.config()).unwrap();
    terms.iter().for_each(|term| inject.also_steer(0, *term).unwrap());
    inject
}

/// A prompt and a continuation.
fn text() -> (Vec<u32>, usize) {
    let prompts = prompts();
    ([prompts[2].as_slice(), &prompts[1][..8]].concat(), prompts[2].len())
}

#[test]
fn every_operator_is_the_same_with_a_cache_and_without() {
    let (decoder, v) = (decoder(), vector(5, 2.0));
    let (tokens, prompt_len) = text();
    let plain = uncached_logits(&decoder, 0, &tokens, &mut NoHook);
    for operator in Operator::ALL {
        for range in
            [TokenRange::All, TokenRange::Output, TokenRange::Generated, TokenRange::Positions { start: 3, end: 9 }]
        {
            let term = RowSteering::new(0, 0.8, prompt_len).by(operator).over(range);
            let whole = uncached_logits(&decoder, 0, &tokens, &mut steered(&decoder, &[&v], &[term]));
            let cached = cached_logits(&decoder, &tokens, prompt_len, &mut steered(&decoder, &[&v], &[term]));
            assert_eq!(bits(&cached), bits(&whole), "{operator} over {range}");
            assert!(relative_difference(&whole, &plain) > 1e-4, "{operator} over {range} does something");
        }
    }
}

#[test]
fn coefficient_0_leaves_a_row_alone_under_every_operator() {
    let (decoder, v) = (decoder(), vector(5, 2.0));
    let (tokens, prompt_len) = text();
    let plain = uncached_logits(&decoder, 0, &tokens, &mut NoHook);
    for operator in Operator::ALL {
        let term = RowSteering::new(0, 0.0, prompt_len).by(operator).over(TokenRange::All);
        let steered = uncached_logits(&decoder, 0, &tokens, &mut steered(&decoder, &[&v], &[term]));
        assert_eq!(bits(&steered), bits(&plain), "{operator}");
    }
}

#[test]
fn several_vectors_add_up() {
    let (decoder, a, b) = (decoder(), vector(5, 2.0), vector(6, 1.0));
    let (tokens, prompt_len) = text();
    let terms = [RowSteering::new(0, 0.5, prompt_len), RowSteering::new(1, -2.0, prompt_len)];
    let both = uncached_logits(&decoder, 0, &tokens, &mut steered(&decoder, &[&a, &b], &terms));
    let sum = &(&a * 0.5) + &(&b * -2.0);
    let once = [RowSteering::new(0, 1.0, prompt_len)];
    assert_near(&both, &uncached_logits(&decoder, 0, &tokens, &mut steered(&decoder, &[&sum], &once)), "sum");
    let mut counted = steered(&decoder, &[&a, &b], &terms);
    uncached_logits(&decoder, 0, &tokens, &mut counted);
    let positions = (tokens.len() - prompt_len + 1) as u64;
    assert!(counted.effect().values().all(|effect| effect.edits == positions), "a position counts once");
}

/// What stands at a site of one layer.
struct Reader(HookPoint, Vec<Vec<f32>>);

impl Hook for Reader {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.0
    }

    fn on(&mut self, _: HookPoint, x: &Tensor, _: &TokenLayout) -> ModelResult<Option<Tensor>> {
        self.1 = lines(&x.flatten_from(1)?);
        Ok(None)
    }
}

#[test]
fn vectors_meet_the_site_they_are_for() {
    let decoder = decoder();
    let (tokens, prompt_len) = text();
    for site in [Site::ResidPre, Site::ResidMid, Site::AttnOut, Site::MlpOut, Site::AttnZ] {
        let values: Vec<f32> = (0..64).map(|i| (i as f32).cos()).collect();
        let v = ControlVector::new([(2, values.clone())].into()).unwrap().at(site);
        let point = HookPoint::Block { layer: 2, site };
        let mut before = Reader(point, Vec::new());
        uncached_logits(&decoder, 0, &tokens, &mut before);
        let mut after = Reader(point, Vec::new());
        let term = RowSteering::new(0, 0.5, prompt_len).over(TokenRange::All);
        let mut inject = steered(&decoder, &[&v], &[term]);
        uncached_logits(&decoder, 0, &tokens, &mut redline::model::hook::Then(&mut inject, &mut after));
        for (after, before) in after.1.iter().zip(&before.1) {
            for ((after, before), v) in after.iter().zip(before).zip(&values) {
                assert!((after - before - 0.5 * v).abs() < 1e-5, "{site}");
            }
        }
    }
    let pattern = ControlVector::new([(2, vec![1.0; 64])].into()).unwrap().at(Site::AttnPattern);
    assert!(Inject::new(&[&pattern], TokenRange::All, decoder.config()).is_err());
}

/// A reading vector of one layer along its first dimension.
fn reading(layer: usize, centre: f32) -> LayerVector {
    let axis = |value: f32| std::iter::once(value).chain([0.0; 63]).collect::<Vec<f32>>();
    LayerVector {
        layer,
        direction: axis(1.0),
        centre: axis(centre),
        gap: 1.0,
        score_std: 1.0,
        explained_variance_ratio: None,
        cosine_to_mean_diff: None,
        trained_norm: None,
    }
}

#[test]
fn a_gate_lets_through_where_its_score_is_high() {
    let (decoder, v) = (decoder(), vector(7, 2.0).restrict([2, 3]).unwrap());
    let (tokens, prompt_len) = text();
    let mut reader = Reader(HookPoint::resid_post(1), Vec::new());
    let plain = uncached_logits(&decoder, 0, &tokens, &mut reader);
    let scores: Vec<f32> = reader.1.iter().map(|line| line[0] - 0.25).collect();
    let mut sorted = scores.clone();
    sorted.sort_by(f32::total_cmp);
    let threshold = f64::from((sorted[tokens.len() / 2] + sorted[tokens.len() / 2 - 1]) / 2.0);
    let n_fired = scores.iter().filter(|score| f64::from(**score) >= threshold).count() as u64;
    let term = RowSteering::new(0, 1.0, prompt_len).over(TokenRange::All);
    let gated = |threshold: f64| {
        let inject = steered(&decoder, &[&v], &[term]);
        inject.where_fires(Gate::new(&reading(1, 0.25), threshold).unwrap(), decoder.config()).unwrap()
    };
    let mut half = gated(threshold);
    let whole = uncached_logits(&decoder, 0, &tokens, &mut half);
    assert!(half.effect().values().all(|effect| effect.edits == n_fired), "{:?}", half.effect());
    let counts = half.gate().unwrap().counts();
    assert_eq!((counts.scored, counts.fired), (tokens.len() as u64, n_fired));
    assert_eq!(
        bits(&cached_logits(&decoder, &tokens, prompt_len, &mut gated(threshold))),
        bits(&whole),
        "with a cache"
    );
    let open = uncached_logits(&decoder, 0, &tokens, &mut gated(f64::NEG_INFINITY));
    assert_eq!(bits(&open), bits(&uncached_logits(&decoder, 0, &tokens, &mut steered(&decoder, &[&v], &[term]))));
    assert_eq!(bits(&uncached_logits(&decoder, 0, &tokens, &mut gated(f64::INFINITY))), bits(&plain));
}

#[test]
fn a_gate_must_read_before_it_decides() {
    let decoder = decoder();
    let config = decoder.config();
    let with_gate = |v: &ControlVector, layer: usize| {
        let inject = Inject::new(&[v], TokenRange::All, config).unwrap();
        inject.where_fires(Gate::new(&reading(layer, 0.0), 0.0).unwrap(), config).map(|_| ())
    };
    assert!(with_gate(&vector(1, 1.0), 1).is_ok());
    assert!(with_gate(&vector(1, 1.0), 2).is_err());
    // the output of attention comes before the output of its block
    let attention = ControlVector::new([(1, vec![1.0; 64])].into()).unwrap().at(Site::AttnOut);
    assert!(with_gate(&attention, 1).is_err());
    assert!(Gate::new(&reading(1, 0.0), f64::NAN).is_err());
}
