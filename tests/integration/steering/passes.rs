//! Cached = uncached, batch = single, and sampling that does not depend on the company.

use redline::model::SharedPrefix;
use redline::model::generate::read_prefix;
use redline::steer::TokenRange;

use super::*;

const COEFFICIENTS: [f32; 7] = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5];
/// Every kind of range; positions lie across the end of the prompt.
const RANGES: [TokenRange; 6] = [
    TokenRange::Output,
    TokenRange::All,
    TokenRange::Prompt,
    TokenRange::LastPromptToken,
    TokenRange::Generated,
    TokenRange::Positions { start: 3, end: 25 },
];

/// Logits of the last prompt token and of every further token, read one by one through a cache.
fn cached_logits(
    decoder: &Decoder,
    row: usize,
    prompt: &[u32],
    output: &[u32],
    hook: &mut Inject,
    share: bool,
) -> Vec<Vec<f32>> {
    let (last, before) = prompt.split_last().unwrap();
    let mut cache = if share {
        let prefix = read_prefix(decoder, before, hook).unwrap();
        prefix.branch(decoder.config(), vec![row], output.len() + 1, decoder.device()).unwrap()
    } else {
        let mut cache = decoder.cache(vec![row], 4).unwrap();
        for piece in before.chunks(7) {
            let chunk = Chunk { tokens: piece, past: Past::Cache(&mut cache) };
            decoder.forward(&mut [chunk], hook, &Wanted::Nothing).unwrap();
        }
        cache
    };
    let mut logits = Vec::new();
    for token in std::iter::once(last).chain(output) {
        let chunk = Chunk { tokens: std::slice::from_ref(token), past: Past::Cache(&mut cache) };
        let states = decoder.forward(&mut [chunk], hook, &Wanted::All).unwrap().unwrap();
        logits.extend(lines(&decoder.logits(&states).unwrap()));
    }
    logits
}

#[test]
fn cached_equals_uncached_for_every_range() {
    let decoder = decoder();
    let v = vector(1, 1.0);
    for prompt in prompts() {
        let plain = greedy(&decoder, &[Prompt::new(prompt.clone(), vec![0])], 12, true, &mut NoHook).remove(0);
        for range in RANGES {
            let hook = || injection(&decoder, &[&v], range, prompt.len(), &[(0, 0, 1.0)]);
            let (share, what) = (range.leaves_prompt(), range.to_string());
            let output = greedy(&decoder, &[Prompt::new(prompt.clone(), vec![0])], 12, share, &mut hook()).remove(0);
            let text = [prompt.as_slice(), &output].concat();
            let whole = uncached_logits(&decoder, 0, &text, &mut hook());
            let whole = &whole[prompt.len() - 1..];
            let cached = cached_logits(&decoder, 0, &prompt, &output, &mut hook(), share);
            assert_eq!(bits(&cached), bits(whole), "{what}");
            for (step, logits) in whole[..output.len()].iter().enumerate() {
                let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let chosen = logits[output[step] as usize];
                assert!(best - chosen <= 1e-4 * best.abs(), "{what}: token {step} is not the best");
            }
            let unsteered =
                cached_logits(&decoder, 0, &prompt, &plain, &mut injection(&decoder, &[&v], range, 0, &[]), share);
            let steered = cached_logits(&decoder, 0, &prompt, &plain, &mut hook(), share);
            assert!(relative_difference(&steered, &unsteered) > 1e-3, "{what} must change something");
        }
    }
}

/// Logits of the token after the prompt, in as many rows as there are arms: one pass.
fn branch_logits(
    decoder: &Decoder,
    prefix: &SharedPrefix,
    last: u32,
    rows: &[usize],
    hook: &mut Inject,
) -> Vec<Vec<f32>> {
    let mut cache = prefix.branch(decoder.config(), rows.to_vec(), 1, decoder.device()).unwrap();
    let tokens = vec![last; rows.len()];
    let chunk = Chunk { tokens: &tokens, past: Past::Cache(&mut cache) };
    let states = decoder.forward(&mut [chunk], hook, &Wanted::All).unwrap().unwrap();
    lines(&decoder.logits(&states).unwrap())
}

#[test]
fn seven_coefficients_in_a_batch_are_seven_single_runs() {
    let decoder = decoder();
    let v = vector(2, 2.0);
    for prompt in prompts() {
        let arms: Vec<(usize, usize, f32)> = COEFFICIENTS.iter().enumerate().map(|(row, &c)| (row, 0, c)).collect();
        let rows: Vec<usize> = (0..arms.len()).collect();
        let hook = |arms: &[(usize, usize, f32)]| injection(&decoder, &[&v], TokenRange::Output, prompt.len(), arms);
        let batch = greedy(&decoder, &[Prompt::new(prompt.clone(), rows.clone())], 16, true, &mut hook(&arms));
        let (last, before) = prompt.split_last().unwrap();
        let prefix = read_prefix(&decoder, before, &mut NoHook).unwrap();
        let logits = branch_logits(&decoder, &prefix, *last, &rows, &mut hook(&arms));
        for (row, arm) in arms.iter().enumerate() {
            let arm = std::slice::from_ref(arm);
            let single = greedy(&decoder, &[Prompt::new(prompt.clone(), vec![row])], 16, true, &mut hook(arm));
            assert_eq!(batch[row], single[0], "coefficient {}", COEFFICIENTS[row]);
            let alone = branch_logits(&decoder, &prefix, *last, &[row], &mut hook(arm));
            assert_eq!(bits(&logits[row..=row]), bits(&alone), "coefficient {}", COEFFICIENTS[row]);
        }
        assert_ne!(batch[0], batch[4], "−1 must differ from 0");
    }
}

#[test]
fn prompts_of_different_length_in_a_batch_are_single_runs() {
    let (decoder, prompts) = (decoder(), prompts());
    let v = vector(3, 2.0);
    let mut inject = Inject::new(&[&v], TokenRange::Output, decoder.config()).unwrap();
    let mut batch = Vec::new();
    for (i, tokens) in prompts.iter().enumerate() {
        for (row, coefficient) in [(2 * i, -1.0), (2 * i + 1, 1.0)] {
            inject.steer(row, RowSteering::new(0, coefficient, tokens.len())).unwrap();
        }
        batch.push(Prompt::new(tokens.clone(), vec![2 * i, 2 * i + 1]));
    }
    let together = greedy(&decoder, &batch, 16, true, &mut inject);
    for (prompt, pair) in batch.iter().zip(together.chunks(2)) {
        assert_eq!(greedy(&decoder, std::slice::from_ref(prompt), 16, true, &mut inject), pair);
    }
}

#[test]
fn vectors_in_one_batch_are_each_alone() {
    let (decoder, prompt) = (decoder(), prompts().remove(1));
    // one of them steers other layers than the rest
    let vectors = [vector(1, 1.0), vector(2, 2.0), vector(3, 1.5).restrict([2]).unwrap()];
    let all: Vec<&ControlVector> = vectors.iter().collect();
    let rows = [(0, 0, 1.0), (1, 1, -0.5), (2, 2, 2.0)];
    let mut together = injection(&decoder, &all, TokenRange::Output, prompt.len(), &rows);
    let batch = greedy(&decoder, &[Prompt::new(prompt.clone(), vec![0, 1, 2])], 16, true, &mut together);
    let (last, before) = prompt.split_last().unwrap();
    let prefix = read_prefix(&decoder, before, &mut NoHook).unwrap();
    let logits = branch_logits(&decoder, &prefix, *last, &[0, 1, 2], &mut together);
    for (row, vector, coefficient) in rows {
        let arm = [(row, 0, coefficient)];
        let mut alone = injection(&decoder, &[&vectors[vector]], TokenRange::Output, prompt.len(), &arm);
        let single = greedy(&decoder, &[Prompt::new(prompt.clone(), vec![row])], 16, true, &mut alone);
        assert_eq!(batch[row], single[0], "vector {vector}");
        let alone = branch_logits(&decoder, &prefix, *last, &[row], &mut alone);
        assert_eq!(bits(&logits[row..=row]), bits(&alone), "vector {vector}");
    }
    assert!(batch[0] != batch[1] && batch[1] != batch[2], "the vectors must differ");
}

#[test]
fn sampling_does_not_depend_on_the_rows_beside() {
    let (decoder, prompts) = (decoder(), prompts());
    let v = vector(4, 1.0);
    let prompt = &prompts[0];
    let sampling = |seed| SamplingOptions { temperature: 1.0, top_k: Some(40), seed, ..SamplingOptions::default() };
    let arms = [(0, 0, -1.0), (1, 0, 0.0), (2, 0, 1.0)];
    let mut inject = injection(&decoder, &[&v], TokenRange::Output, prompt.len(), &arms);
    let mut draw = |rows: &[usize], seed| {
        outputs(&decoder, &[Prompt::new(prompt.clone(), rows.to_vec())], 16, sampling(seed), true, &mut inject)
    };
    let batch = draw(&[0, 1, 2], 5);
    assert_eq!(draw(&[0, 1, 2], 5), batch, "the same seed");
    for (row, tokens) in batch.iter().enumerate() {
        assert_eq!(draw(&[row], 5)[0], *tokens, "row {row} alone");
    }
    assert_ne!(draw(&[0, 1, 2], 6), batch, "another seed");
    assert_ne!(draw(&[1], 5), greedy(&decoder, &[Prompt::new(prompt.clone(), vec![1])], 16, true, &mut NoHook));
}
