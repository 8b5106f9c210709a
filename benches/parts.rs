//! How long the parts take, so that a regression is seen: `cargo bench --bench parts`.
//!
//! The built-in Aligner serves for whatever needs a model; with models/SmolLM2-135M-Instruct.Q4_1.gguf in place
//! (scripts/fetch-smollm2.sh) the passes run on that as well.

use std::ops::ControlFlow;
use std::path::Path;

use divan::Bencher;
use ndarray::Array2;
use redline::embedded;
use redline::model::generate::{GenerateOptions, Prompt, generate, read_prefix};
use redline::model::{Chunk, Model, NoHook, Past, Wanted};
use redline::probe::{ExtractOptions, LayerPairs, extract_directions};
use redline::steer::levenshtein_distance;

fn main() {
    divan::main();
}

const SMOLLM2: &str = "models/SmolLM2-135M-Instruct.Q4_1.gguf";

/// A model by name; `None` where its file is absent.
fn model(name: &str) -> Option<Model> {
    match name {
        "embedded" => Some(embedded::model().expect("the built-in model loads")),
        _ => Path::new(SMOLLM2).exists().then(|| Model::load(Path::new(SMOLLM2)).expect("the file loads")),
    }
}

fn tokens(model: &Model, n: usize) -> Vec<u32> {
    (0..n).map(|i| (i * 7919 + 13) as u32 % model.decoder.config().vocab_size as u32).collect()
}

/// A pass over `n` tokens of one row: matrix products, norms, rotation, attention.
#[divan::bench(args = [("embedded", 1), ("embedded", 128), ("smollm2", 1), ("smollm2", 12), ("smollm2", 128)])]
fn pass(bencher: Bencher<'_, '_>, (name, n): (&str, usize)) {
    let Some(model) = model(name) else { return };
    let tokens = tokens(&model, n);
    bencher.bench_local(|| {
        let chunk = Chunk { tokens: &tokens, past: Past::None { row: 0 } };
        model.decoder.forward(&mut [chunk], &mut NoHook, &Wanted::LastOfRow).expect("a plain pass")
    });
}

/// Sixteen tokens for each of `n` rows that share a prompt of 128.
#[divan::bench(args = [("embedded", 1), ("embedded", 64), ("smollm2", 1), ("smollm2", 64)], sample_count = 5)]
fn decode(bencher: Bencher<'_, '_>, (name, n): (&str, usize)) {
    let Some(model) = model(name) else { return };
    let tokens = tokens(&model, 128);
    let prefix = read_prefix(&model.decoder, &tokens[..127], &mut NoHook).expect("a plain pass");
    let prompt = Prompt { prefix: Some(prefix), ..Prompt::new(tokens, (0..n).collect()) };
    let options = GenerateOptions { max_new_tokens: 16, ..GenerateOptions::default() };
    bencher.bench_local(|| {
        let prompts = std::slice::from_ref(&prompt);
        generate(&model.decoder, prompts, &options, &mut NoHook, &mut |_, _| Ok(ControlFlow::Continue(())))
            .expect("a plain generation")
    });
}

/// PCA of 64 pairs at one layer of SmolLM2's width.
#[divan::bench(sample_count = 10)]
fn direction(bencher: Bencher<'_, '_>) {
    let value = |seed: usize, i: usize| ((i * (2 * seed + 3)) as f32 * 0.37).sin();
    let pole = |sign: f32| Array2::from_shape_fn((64, 576), |(pair, i)| value(pair, i) + sign * value(1000, i));
    let layer = LayerPairs::new(0, pole(1.0), pole(-1.0)).expect("pairs of one shape");
    let options = ExtractOptions::default();
    bencher.bench_local(|| extract_directions(std::slice::from_ref(&layer), &options).expect("pairs that differ"));
}

/// An answer of `n` characters and one with every twentieth changed.
#[divan::bench(args = [300, 3000])]
fn levenshtein(bencher: Bencher<'_, '_>, n: usize) {
    let answer: String = (0..n).map(|i| char::from(b'a' + (i * 7 % 26) as u8)).collect();
    let output: String = answer.chars().enumerate().map(|(i, c)| if i % 20 == 0 { '-' } else { c }).collect();
    bencher.bench_local(|| levenshtein_distance(&answer, &output));
}
