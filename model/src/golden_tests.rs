//! The decoder against Hugging Face transformers, and against itself: cached, batched, forked, in pieces.
//!
//! Tolerance 1e-4 of the reference's largest magnitude: both sides compute in f32, in another order of summation.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::{Device, Tensor};

use crate::generate::{GenerateOptions, Prompt, generate, generate_and_keep, read_prefix};
use crate::hook::{HookPoint, TokenLayout};
use crate::sampling::SamplingOptions;
use crate::*;

const TOLERANCE: f32 = 1e-4;

fn golden(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(family)
}

/// The models in `tests/golden`, which `scripts/goldens/make_family.py` makes: a new one is tested once it lies there.
pub(crate) fn goldens() -> Vec<String> {
    let folders = std::fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path());
    let models = folders.filter(|folder| folder.join("config.json").exists());
    let mut names: Vec<String> =
        models.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() >= 13, "{names:?}");
    names
}

#[test]
fn every_family_has_a_golden() {
    let families: Vec<String> = goldens().iter().map(|name| load(name).0.config().architecture.clone()).collect();
    for name in SUPPORTED_ARCHITECTURES {
        assert!(families.iter().any(|family| family == name), "scripts/goldens/make_family.py makes one for {name}");
    }
}

fn load(family: &str) -> (Decoder, HashMap<String, Tensor>) {
    let decoder = Model::load(&golden(family)).unwrap().decoder;
    let expected = candle_core::safetensors::load(golden(family).join("expected.safetensors"), &Device::Cpu).unwrap();
    (decoder, expected)
}

/// The rows of `input_ids` without their padding.
fn sequences(expected: &HashMap<String, Tensor>) -> Vec<Vec<u32>> {
    let ids: Vec<Vec<i64>> = expected["input_ids"].to_vec2().unwrap();
    let mask: Vec<Vec<i64>> = expected["attention_mask"].to_vec2().unwrap();
    let kept = |(ids, mask): (Vec<i64>, Vec<i64>)| {
        ids.into_iter().zip(mask).filter(|(_, m)| *m == 1).map(|(id, _)| id as u32).collect()
    };
    ids.into_iter().zip(mask).map(kept).collect()
}

fn uncached_states(decoder: &Decoder, sequences: &[Vec<u32>], hook: &mut dyn Hook) -> Tensor {
    let mut chunks: Vec<Chunk<'_>> =
        sequences.iter().enumerate().map(|(row, tokens)| Chunk { tokens, past: Past::None { row } }).collect();
    decoder.forward(&mut chunks, hook, &Wanted::All).unwrap().unwrap()
}

/// Largest difference divided by the reference's largest magnitude.
fn relative_difference(got: &Tensor, expected: &Tensor) -> f32 {
    let scalar = |x: Tensor| x.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    scalar((got - expected).unwrap()) / scalar(expected.clone())
}

/// What must be alike for a token alone and among others.
fn bits(x: &Tensor) -> Vec<u32> {
    x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// The packed lines that stand for the unpadded tokens of a padded reference (rows, length, width).
fn unpadded(reference: &Tensor, sequences: &[Vec<u32>]) -> Tensor {
    let rows: Vec<Tensor> = sequences
        .iter()
        .enumerate()
        .map(|(row, tokens)| reference.get(row).unwrap().narrow(0, 0, tokens.len()).unwrap())
        .collect();
    Tensor::cat(&rows, 0).unwrap()
}

/// Keeps every block's output.
#[derive(Default)]
struct Recorder(Vec<Tensor>);

impl Hook for Recorder {
    fn wants(&self, point: HookPoint) -> bool {
        matches!(point, HookPoint::Embed | HookPoint::Block { site: Site::ResidPost, .. })
    }

    fn on(&mut self, _: HookPoint, x: &Tensor, _: &TokenLayout) -> Result<Option<Tensor>> {
        self.0.push(x.clone());
        Ok(None)
    }
}

#[test]
fn hidden_states_and_logits_equal_transformers() {
    for family in goldens() {
        let (decoder, expected) = load(&family);
        let sequences = sequences(&expected);
        let mut recorder = Recorder::default();
        let states = uncached_states(&decoder, &sequences, &mut recorder);
        for (i, hidden) in recorder.0.iter().enumerate() {
            let difference = relative_difference(hidden, &unpadded(&expected[&format!("hidden.{i}")], &sequences));
            assert!(difference < TOLERANCE, "{family}, hidden.{i}: {difference}");
        }
        assert_eq!(recorder.0.len(), decoder.config().n_layers + 1);
        let logits = decoder.logits(&states).unwrap();
        let difference = relative_difference(&logits, &unpadded(&expected["logits"], &sequences));
        assert!(difference < TOLERANCE, "{family}, logits: {difference}");
    }
}

#[test]
fn greedy_tokens_equal_transformers() {
    for family in goldens() {
        let (decoder, expected) = load(&family);
        let reference: Vec<u32> =
            expected["greedy"].get(0).unwrap().to_vec1::<i64>().unwrap().iter().map(|&id| id as u32).collect();
        let prompt = sequences(&expected).remove(0);
        let new = reference.len() - prompt.len();
        let got = greedy(&decoder, &[Prompt::new(prompt.clone(), vec![0])], new, true);
        assert_eq!(got[0], reference[prompt.len()..], "{family}");
    }
}

fn greedy(decoder: &Decoder, prompts: &[Prompt], max_new_tokens: usize, share_prompt: bool) -> Vec<Vec<u32>> {
    let options = GenerateOptions { max_new_tokens, share_prompt, ..GenerateOptions::default() };
    let rows = generate(decoder, prompts, &options, &mut NoHook, &mut |_, _| Ok(ControlFlow::Continue(()))).unwrap();
    rows.into_iter().map(|row| row.tokens).collect()
}

#[test]
fn differentiable_kernels_equal_fused_ones() {
    let (decoder, expected) = load("llama");
    let sequences = sequences(&expected);
    let fused = uncached_states(&decoder, &sequences, &mut NoHook);
    let composed =
        uncached_states(&decoder.clone().with_kernels(Kernels::Differentiable).unwrap(), &sequences, &mut NoHook);
    assert!(relative_difference(&composed, &fused) < 1e-5);
}

/// States of passes of every kind, packed together: rows that share a past and read one token, a row that reads several, one that
/// has no past.
fn mixed_states(decoder: &Decoder, tokens: &[u32], hook: &mut dyn Hook) -> Vec<Tensor> {
    let prefix = read_prefix(decoder, &tokens[..9], &mut NoHook).unwrap();
    let branch = |rows: Vec<usize>| prefix.branch(decoder.config(), rows, 8, decoder.device()).unwrap();
    let (mut several, mut one) = (branch(vec![0, 1, 2]), branch(vec![3]));
    let mut pass = |several: &mut KvCache, one: &mut KvCache| {
        let mut chunks = [
            Chunk { tokens: &tokens[9..12], past: Past::Cache(several) },
            Chunk { tokens: &tokens[12..16], past: Past::Cache(one) },
            Chunk { tokens, past: Past::None { row: 4 } },
        ];
        decoder.forward(&mut chunks, hook, &Wanted::All).unwrap().unwrap()
    };
    let first = pass(&mut several, &mut one);
    one.truncate(10).unwrap();
    several.keep(&[2, 0]).unwrap();
    let mut chunks = [
        Chunk { tokens: &tokens[3..7], past: Past::Cache(&mut several) },
        Chunk { tokens: &tokens[5..6], past: Past::Cache(&mut one) },
    ];
    vec![first, decoder.forward(&mut chunks, hook, &Wanted::All).unwrap().unwrap()]
}

#[test]
fn attention_over_caches_in_one_kernel_equals_the_composition() {
    for family in goldens() {
        let (decoder, expected) = load(&family);
        let tokens = sequences(&expected).remove(0);
        let composed = decoder.clone().with_kernels(Kernels::Differentiable).unwrap();
        let expected = mixed_states(&composed, &tokens, &mut NoHook);
        for (got, expected) in mixed_states(&decoder, &tokens, &mut NoHook).iter().zip(&expected) {
            assert!(relative_difference(got, expected) < 1e-5, "{family}");
        }
    }
}

/// Looks at all attention patterns, which the kernels for attention on the CPU do not show.
struct Patterns;

impl Hook for Patterns {
    fn wants(&self, point: HookPoint) -> bool {
        matches!(point, HookPoint::Block { site: Site::AttnPattern, .. })
    }

    fn on(&mut self, _: HookPoint, _: &Tensor, _: &TokenLayout) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// Rotation, attention and caches as on other devices; there sums and gates are plain operations too.
#[test]
fn what_other_devices_run_equals_the_kernels_of_the_cpu() {
    for family in goldens() {
        let (decoder, expected) = load(&family);
        let sequences = sequences(&expected);
        let fused = mixed_states(&decoder, &sequences[0], &mut NoHook);
        let moved = decoder.moved_to(&Device::Cpu).unwrap();
        for (got, expected) in mixed_states(&moved, &sequences[0], &mut Patterns).iter().zip(&fused) {
            assert!(relative_difference(got, expected) < 1e-5, "{family}");
        }
        let states = uncached_states(&moved, &sequences, &mut Patterns);
        let difference =
            relative_difference(&moved.logits(&states).unwrap(), &unpadded(&expected["logits"], &sequences));
        assert!(difference < TOLERANCE, "{family}: {difference}");
    }
}

#[test]
fn cached_in_pieces_equals_uncached_to_the_last_bit() {
    for family in goldens() {
        let (decoder, expected) = load(&family);
        // longer than a block of queries and than any window
        let tokens: Vec<u32> = sequences(&expected).remove(0).into_iter().cycle().take(100).collect();
        let whole = uncached_states(&decoder, std::slice::from_ref(&tokens), &mut NoHook);
        for pieces in [vec![1; 100], vec![5, 95], vec![67, 1, 1, 24, 7]] {
            // a capacity of 4 makes the cache grow on the way
            let mut cache = decoder.cache(vec![0], 4).unwrap();
            let mut states = Vec::new();
            let mut start = 0;
            for length in pieces {
                let chunk = Chunk { tokens: &tokens[start..start + length], past: Past::Cache(&mut cache) };
                states.push(decoder.forward(&mut [chunk], &mut NoHook, &Wanted::All).unwrap().unwrap());
                start += length;
            }
            assert_eq!(bits(&Tensor::cat(&states, 0).unwrap()), bits(&whole), "{family}");
        }
    }
}

#[test]
fn truncated_cache_forgets() {
    let (decoder, expected) = load("llama");
    let tokens = sequences(&expected).remove(0);
    let mut cache = decoder.cache(vec![0], 32).unwrap();
    let read = |tokens: &[u32], cache: &mut KvCache| {
        let chunk = Chunk { tokens, past: Past::Cache(cache) };
        decoder.forward(&mut [chunk], &mut NoHook, &Wanted::LastOfRow).unwrap().unwrap()
    };
    read(&tokens[..10], &mut cache);
    read(&[3, 1, 4], &mut cache); // a rejected draft
    cache.truncate(10).unwrap();
    let after = read(&tokens[10..], &mut cache);
    let whole = uncached_states(&decoder, std::slice::from_ref(&tokens), &mut NoHook);
    assert_eq!(bits(&after), bits(&whole.narrow(0, tokens.len() - 1, 1).unwrap()));
    assert!(cache.truncate(100).is_err());
}

#[test]
fn forked_rows_equal_single_runs() {
    let (decoder, expected) = load("llama");
    let tokens = sequences(&expected).remove(0);
    let prefix = read_prefix(&decoder, &tokens[..12], &mut NoHook).unwrap();
    let tails: [&[u32]; 2] = [&tokens[12..20], &[9, 8, 7, 6, 5, 4, 3, 2]];
    let mut cache = prefix.branch(decoder.config(), vec![0, 1], 8, decoder.device()).unwrap();
    let chunk = Chunk { tokens: &tails.concat(), past: Past::Cache(&mut cache) };
    let forked = decoder.forward(&mut [chunk], &mut NoHook, &Wanted::All).unwrap().unwrap();
    for (row, tail) in tails.iter().enumerate() {
        let single = uncached_states(&decoder, &[[&tokens[..12], tail].concat()], &mut NoHook);
        let (single, forked) = (single.narrow(0, 12, 8).unwrap(), forked.narrow(0, row * 8, 8).unwrap());
        assert_eq!(bits(&forked), bits(&single));
    }
}

/// Adds its row's number to the first dimension behind a block.
struct Push {
    point: HookPoint,
    lines_seen: usize,
}

impl Hook for Push {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.point
    }

    fn on(&mut self, _: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<Option<Tensor>> {
        self.lines_seen += x.dim(0)?;
        let numbers: Vec<f32> = layout.spans.iter().flat_map(|span| vec![span.row as f32; span.len]).collect();
        let pushes = Tensor::from_vec(numbers, (x.dim(0)?, 1), x.device())?;
        Ok(Some(Tensor::cat(&[&(x.narrow(1, 0, 1)? + pushes)?, &x.narrow(1, 1, x.dim(1)? - 1)?], 1)?))
    }
}

#[test]
fn rows_that_read_the_same_equal_single_runs() {
    let (decoder, expected) = load("llama");
    let tokens = sequences(&expected).remove(0);
    let prefix = read_prefix(&decoder, &tokens[..6], &mut NoHook).unwrap();
    // the fourth row leaves the others in the second piece; the last pieces see a hook further down, and then further up again
    let pieces: [[&[u32]; 4]; 4] = [
        [&tokens[6..8]; 4],
        [&tokens[8..9], &tokens[8..9], &tokens[8..9], &[5]],
        [&tokens[9..12]; 4],
        [&tokens[12..13]; 4],
    ];
    let layers = [1, 1, 0, 1];
    let states = |rows: &[usize]| -> Vec<Tensor> {
        let mut cache = prefix.branch(decoder.config(), rows.to_vec(), 4, decoder.device()).unwrap();
        let piece = |(piece, layer): (&[&[u32]; 4], usize)| {
            let tokens: Vec<u32> = rows.iter().flat_map(|&row| piece[row]).copied().collect();
            let mut hook = Push { point: HookPoint::resid_post(layer), lines_seen: 0 };
            let chunk = Chunk { tokens: &tokens, past: Past::Cache(&mut cache) };
            let states = decoder.forward(&mut [chunk], &mut hook, &Wanted::All).unwrap().unwrap();
            assert_eq!(hook.lines_seen, tokens.len());
            states.reshape((rows.len(), (), states.dim(1).unwrap())).unwrap()
        };
        pieces.iter().zip(layers).map(piece).collect()
    };
    let together = states(&[0, 1, 2, 3]);
    for row in 0..4 {
        for (got, alone) in together.iter().zip(&states(&[row])) {
            assert_eq!(bits(&got.get(row).unwrap()), bits(&alone.get(0).unwrap()), "{row}");
        }
    }
}

#[test]
fn ragged_batch_equals_single_runs() {
    for share_prompt in [true, false] {
        let (decoder, expected) = load("llama");
        let prompts: Vec<Prompt> = sequences(&expected)
            .into_iter()
            .enumerate()
            .map(|(i, tokens)| Prompt::new(tokens, vec![2 * i, 2 * i + 1]))
            .collect();
        let batch = greedy(&decoder, &prompts, 12, share_prompt);
        for (i, prompt) in prompts.iter().enumerate() {
            let single = greedy(&decoder, &[Prompt::new(prompt.tokens.clone(), vec![0])], 12, share_prompt);
            assert_eq!(batch[2 * i], single[0]);
            assert_eq!(batch[2 * i + 1], single[0]);
        }
    }
}

#[test]
fn log_probs_equal_the_logits_of_one_pass() {
    let (decoder, expected) = load("llama");
    let tokens = sequences(&expected).remove(0);
    let prefix = read_prefix(&decoder, &tokens[..9], &mut NoHook).unwrap();
    let continuation = |tokens, rows| Continuation { prefix: &prefix, last_prompt_token: 0, tokens, rows };
    let whole = Continuation { last_prompt_token: tokens[9], ..continuation(&tokens[10..], &[0, 1]) };
    let short = Continuation { last_prompt_token: tokens[9], ..continuation(&tokens[10..13], &[2]) };
    let got = log_probs(&decoder, &[whole, short], &mut NoHook).unwrap();
    assert_eq!(got[0][0], got[0][1]);
    assert_eq!(got[1][0], got[0][0][..3]);
    let got = &got[0];
    let states = uncached_states(&decoder, std::slice::from_ref(&tokens), &mut NoHook);
    let reference = candle_nn::ops::log_softmax(&decoder.logits(&states).unwrap(), 1).unwrap();
    for (i, value) in got[0].iter().enumerate() {
        let expected: f32 = reference.get(9 + i).unwrap().get(tokens[10 + i] as usize).unwrap().to_scalar().unwrap();
        assert!((value - expected).abs() < 1e-4, "{value} {expected}");
    }
}

#[test]
fn texts_that_begin_alike_have_the_log_probs_of_each_alone() {
    let (decoder, expected) = load("llama");
    let tokens = sequences(&expected).remove(0);
    let prefix = read_prefix(&decoder, &tokens[..9], &mut NoHook).unwrap();
    let whole = &tokens[10..];
    let with = |place: usize, token: u32| [&whole[..place], &[token], &whole[place + 1..]].concat();
    let changed = [with(3, 7), with(3, 8), with(6, 7), with(0, 9)];
    let mut texts: Vec<&[u32]> = vec![whole, &whole[..4], whole, &[]];
    texts.extend(changed.iter().map(Vec::as_slice));
    let got = log_probs_of_texts(&decoder, &prefix, tokens[9], &texts, None).unwrap();
    for (text, got) in texts.iter().zip(&got) {
        let alone = Continuation { prefix: &prefix, last_prompt_token: tokens[9], tokens: text, rows: &[0] };
        let alone = if text.is_empty() {
            Vec::new()
        } else {
            log_probs(&decoder, &[alone], &mut NoHook).unwrap().concat().concat()
        };
        assert_eq!(got, &alone, "{text:?}");
    }
    assert!(
        got[0].iter().zip(&got[4]).skip(4).any(|(a, b)| (a - b).abs() > 1e-3),
        "the change is seen after its place"
    );
}

#[test]
fn what_a_kept_row_has_read_spares_reading_it_again() {
    let (decoder, expected) = load("llama");
    let tokens = sequences(&expected).remove(0);
    let prefix = read_prefix(&decoder, &tokens[..tokens.len() - 1], &mut NoHook).unwrap();
    let last = tokens[tokens.len() - 1];
    let free = greedy(&decoder, &[Prompt::new(tokens.clone(), vec![0])], 8, true).remove(0);
    let warm = SamplingOptions { temperature: 1.0, repetition_penalty: 1.2, seed: 5, ..SamplingOptions::default() };
    for (share_prompt, stop_ids, draft, n, sampling) in [
        (true, vec![], vec![], 8, None),
        (false, vec![], vec![], 8, None),
        (true, vec![free[5]], vec![], 5, None),
        (true, vec![free[5]], free.clone(), 5, None),
        (true, vec![free[0]], vec![], 0, None),
        (true, vec![], free.clone(), 8, Some(warm)),
    ] {
        let is_greedy = sampling.is_none();
        let sampling = sampling.unwrap_or_default();
        let options = GenerateOptions { max_new_tokens: 8, stop_ids, share_prompt, sampling };
        let prompt = Prompt { draft, kept: vec![4], ..Prompt::new(tokens.clone(), vec![3, 4]) };
        let go_on = &mut |_, _| Ok(ControlFlow::Continue(()));
        let (rows, kept) = generate_and_keep(&decoder, &[prompt], &options, &mut NoHook, go_on).unwrap();
        let written = rows[1].tokens.as_slice();
        assert_eq!((rows[1].row, written == &free[..n]), (4, is_greedy));
        assert_eq!(kept.keys().collect::<Vec<_>>(), [&4]);
        let changed = |place: usize| {
            let mut text = written.to_vec();
            text.iter_mut().skip(place).take(1).for_each(|id| *id = (*id + 1) % 320);
            text
        };
        let others = [changed(2), [written, &[7, 8]].concat(), changed(0), changed(4)];
        let mut texts: Vec<&[u32]> = others.iter().map(Vec::as_slice).collect();
        texts.insert(1, written);
        let alone = log_probs_of_texts(&decoder, &prefix, last, &texts, None).unwrap();
        let got = log_probs_of_texts(&decoder, &prefix, last, &texts, Some((1, kept[&4].clone()))).unwrap();
        assert_eq!(got[1], kept[&4].log_probs);
        assert_eq!(got, alone);
        for foreign in [2, texts.len()] {
            let refused = log_probs_of_texts(&decoder, &prefix, last, &texts, Some((foreign, kept[&4].clone())));
            assert!(matches!(refused, Err(Error::Request { .. })), "{foreign}");
        }
    }
}

#[test]
fn stop_ids_and_callers_end_rows() {
    let (decoder, expected) = load("llama");
    let tokens = sequences(&expected).remove(0);
    let free = greedy(&decoder, &[Prompt::new(tokens.clone(), vec![0])], 8, true).remove(0);
    let prompts = [Prompt::new(tokens.clone(), vec![5, 6])];
    let options = GenerateOptions { max_new_tokens: 8, stop_ids: vec![free[4]], ..GenerateOptions::default() };
    let rows = generate(&decoder, &prompts, &options, &mut NoHook, &mut |row, id| {
        Ok(if row == 6 && id == free[1] { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .unwrap();
    assert_eq!((rows[0].row, rows[0].tokens.as_slice()), (5, &free[..4]));
    assert_eq!((rows[1].row, rows[1].tokens.as_slice()), (6, &free[..2]));
}

#[test]
fn too_long_and_out_of_vocabulary_are_refused() {
    let (decoder, _) = load("llama");
    let run = |tokens: Vec<u32>, max_new_tokens| {
        let options = GenerateOptions { max_new_tokens, ..GenerateOptions::default() };
        let prompts = [Prompt::new(tokens, vec![0])];
        generate(&decoder, &prompts, &options, &mut NoHook, &mut |_, _| Ok(ControlFlow::Continue(())))
    };
    assert!(matches!(run(vec![1; 250], 10), Err(Error::ContextExceeded { tokens: 260, context: 256, .. })));
    assert!(matches!(run(vec![1, 320, 2], 1), Err(Error::TokenOutOfRange { id: 320, vocab_size: 320 })));
    assert!(matches!(run(vec![], 1), Err(Error::Request { .. })));
}
