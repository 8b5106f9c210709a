//! Identities of steering on the tiny model, through the library.
//!
//! Tolerance 1e-5 of the largest magnitude where the same numbers are summed in another order (two vectors or their sum); where they are not,
//! in another batch or another split into passes, bits must agree.

mod batching;
mod drafting;
mod effects;
mod first_order;
mod identities;
mod operators;
mod passes;
mod reading;

use std::ops::ControlFlow;

use candle_core::Tensor;
use redline::embedded;
use redline::model::generate::{GenerateOptions, Prompt, generate};
use redline::model::sampling::SamplingOptions;
use redline::model::{AlignerTemplate, Chunk, Decoder, Hook, Model, NoHook, Past, Wanted};
use redline::steer::controls::random_like;
use redline::steer::{ControlVector, Inject, RowSteering, TokenRange};

use crate::fixture::{Tiny, triples};

/// Layers that are steered.
const LAYERS: [usize; 3] = [1, 2, 3];
const TOLERANCE: f32 = 1e-5;

fn decoder() -> Decoder {
    Tiny::new().load().decoder
}

/// The embedded Aligner and its prompts for the first `n` rows inside, with the answers as drafts.
fn drafted_prompts(n: usize) -> (Model, Vec<Prompt>) {
    let model = embedded::model().unwrap();
    let tokenizer = model.tokenizer().unwrap();
    let template = AlignerTemplate::by_name_or_file(embedded::TEMPLATE).unwrap();
    let rows = embedded::rows().unwrap();
    let prompt = |(row, qac): (usize, &redline::data::corrupt::CorruptedRow)| {
        let tokens = tokenizer.encode_prompt(&template.render(&qac.question, &qac.answer).text).unwrap();
        Prompt { draft: tokenizer.encode(&qac.answer).unwrap(), ..Prompt::new(tokens, vec![row]) }
    };
    let prompts = rows[..n].iter().enumerate().map(prompt).collect();
    (model, prompts)
}

/// Prompts of different length.
fn prompts() -> Vec<Vec<u32>> {
    let tiny = Tiny::new();
    let model = tiny.load();
    let texts = triples(3).into_iter().enumerate().map(|(i, qac)| qac.answer[..20 + 3 * i].to_string());
    texts.map(|text| model.tokenizer().unwrap().encode(&text).unwrap()).collect()
}

/// A random direction of length `norm` at each of [`LAYERS`].
fn vector(seed: u64, norm: f32) -> ControlVector {
    let mut like = vec![0.0; 64];
    like[0] = norm;
    let template = ControlVector::new(LAYERS.iter().map(|&layer| (layer, like.clone())).collect()).unwrap();
    random_like(&template, seed).unwrap()
}

/// A hook that steers these rows of (row, vector, coefficient), all with prompts of `prompt_len` tokens.
fn injection(
    decoder: &Decoder,
    vectors: &[&ControlVector],
    range: TokenRange,
    prompt_len: usize,
    rows: &[(usize, usize, f32)],
) -> Inject {
    let mut inject = Inject::new(vectors, range, decoder.config()).unwrap();
    for &(row, vector, coefficient) in rows {
        inject.steer(row, RowSteering::new(vector, coefficient, prompt_len)).unwrap();
    }
    inject
}

/// Logits of every position of one row, in one pass without cache: [position][vocabulary].
fn uncached_logits(decoder: &Decoder, row: usize, tokens: &[u32], hook: &mut dyn Hook) -> Vec<Vec<f32>> {
    let chunk = Chunk { tokens, past: Past::None { row } };
    let states = decoder.forward(&mut [chunk], hook, &Wanted::All).unwrap().unwrap();
    lines(&decoder.logits(&states).unwrap())
}

fn lines(tensor: &Tensor) -> Vec<Vec<f32>> {
    tensor.to_vec2().unwrap()
}

fn bits(lines: &[Vec<f32>]) -> Vec<u32> {
    lines.iter().flatten().map(|value| value.to_bits()).collect()
}

/// Largest difference divided by the largest magnitude of `expected`.
fn relative_difference(got: &[Vec<f32>], expected: &[Vec<f32>]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let pairs = got.iter().flatten().zip(expected.iter().flatten());
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    difference / expected.iter().flatten().map(|value| value.abs()).fold(0.0, f32::max)
}

fn assert_near(got: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    let difference = relative_difference(got, expected);
    assert!(difference < TOLERANCE, "{what}: {difference}");
}

/// Greedy or sampled outputs of exactly `n` tokens, in the order of the prompts' rows.
fn outputs(
    decoder: &Decoder,
    prompts: &[Prompt],
    n: usize,
    sampling: SamplingOptions,
    share_prompt: bool,
    hook: &mut dyn Hook,
) -> Vec<Vec<u32>> {
    let options = GenerateOptions { max_new_tokens: n, sampling, stop_ids: Vec::new(), share_prompt };
    let rows = generate(decoder, prompts, &options, hook, &mut |_, _| Ok(ControlFlow::Continue(()))).unwrap();
    rows.into_iter().map(|row| row.tokens).collect()
}

fn greedy(decoder: &Decoder, prompts: &[Prompt], n: usize, share_prompt: bool, hook: &mut dyn Hook) -> Vec<Vec<u32>> {
    outputs(decoder, prompts, n, SamplingOptions::default(), share_prompt, hook)
}
