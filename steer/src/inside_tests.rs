//! An Aligner inside a model: identities of its use, and its training on a small model.

use std::cell::Cell;

use redline_model::generate::{GenerateOptions, Prompt, generate};
use redline_model::train::Parameters;
use redline_model::train::loss::correction_loss;
use redline_model::{
    Chunk, Decoder, Error as ModelError, Hook, InsideBlock, Kernels, KvCache, ModelConfig, NoHook, Past, Wanted,
};

use crate::trained::{
    Checkpoint, Objective, SteeredOutput, SteeredRow, TrainingRow, Variables, VectorTraining, VectorTrainingRun,
    train_vector,
};
use crate::{ControlVector, Error, Inject, Operator, RowSteering, TokenRange};

const WIDTH: usize = 32;
const RANK: usize = 4;

fn decoder() -> Decoder {
    Parameters::from_scratch(ModelConfig::llama([320, WIDTH, 64, 2, 4], 256), 7).unwrap().inference_decoder().unwrap()
}

/// Networks with numbers of about `up` in W_up, whose inner values are of about 1 at the activations of the model.
fn networks(up: f32) -> ControlVector {
    let mut random = redline_model::random::Random::named(&[3], "inside tests");
    let mut values = |scale: f32| (0..RANK * WIDTH).map(|_| random.normal() as f32 * scale).collect::<Vec<f32>>();
    let blocks = (0..2).map(|layer| (layer, InsideBlock::new(WIDTH, values(5.0), values(up)).unwrap())).collect();
    ControlVector::of_networks(blocks).unwrap()
}

fn injection(decoder: &Decoder, rows: &[(usize, f32, usize)]) -> Inject {
    let mut inject = Inject::new(&[&networks(0.1)], TokenRange::All, decoder.config()).unwrap();
    for &(row, coefficient, prompt_len) in rows {
        inject.steer(row, RowSteering::new(0, coefficient, prompt_len)).unwrap();
    }
    inject
}

fn bits(decoder: &Decoder, states: &candle_core::Tensor) -> Vec<Vec<u32>> {
    let logits: Vec<Vec<f32>> = decoder.logits(states).unwrap().to_vec2().unwrap();
    logits.iter().map(|line| line.iter().map(|value| value.to_bits()).collect()).collect()
}

/// Bits of the logits of every position of each text, all in one pass without cache.
fn logits(decoder: &Decoder, texts: &[(usize, &[u32])], hook: &mut dyn Hook) -> Vec<Vec<u32>> {
    let mut chunks: Vec<_> = texts.iter().map(|&(row, tokens)| Chunk { tokens, past: Past::None { row } }).collect();
    bits(decoder, &decoder.forward(&mut chunks, hook, &Wanted::All).unwrap().unwrap())
}

const LONG: [u32; 6] = [3, 1, 4, 1, 5, 9];
const SHORT: [u32; 3] = [2, 7, 1];

#[test]
fn at_zero_the_model_is_the_base_bit_for_bit() {
    let decoder = decoder();
    let base = logits(&decoder, &[(0, &LONG)], &mut NoHook);
    for (coefficient, same) in [(0.0, true), (-0.0, true), (1.0, false), (-1.0, false), (0.01, false)] {
        let mut inject = injection(&decoder, &[(0, coefficient, 4)]);
        assert_eq!(logits(&decoder, &[(0, &LONG)], &mut inject) == base, same, "{coefficient}");
        assert_eq!(inject.effect().is_empty(), same);
    }
    // and so it is where W_up is 0
    let mut inject = Inject::new(&[&networks(0.0)], TokenRange::All, decoder.config()).unwrap();
    inject.steer(0, RowSteering::new(0, 1.0, 4)).unwrap();
    assert_eq!(logits(&decoder, &[(0, &LONG)], &mut inject), base);
}

#[test]
fn a_batch_a_single_row_and_a_cache_agree() {
    let decoder = decoder();
    let rows = [(0, 1.0, 4), (1, -0.5, 2)];
    let together = logits(&decoder, &[(0, &LONG), (1, &SHORT)], &mut injection(&decoder, &rows));
    let mut apart = logits(&decoder, &[(0, &LONG)], &mut injection(&decoder, &rows));
    apart.extend(logits(&decoder, &[(1, &SHORT)], &mut injection(&decoder, &rows)));
    assert_eq!(together, apart);

    let (mut inject, mut cached) = (injection(&decoder, &rows), Vec::new());
    let mut cache = KvCache::new(decoder.config(), vec![0], LONG.len(), decoder.device()).unwrap();
    for tokens in LONG.chunks(2) {
        let chunk = Chunk { tokens, past: Past::Cache(&mut cache) };
        cached.extend(bits(&decoder, &decoder.forward(&mut [chunk], &mut inject, &Wanted::All).unwrap().unwrap()));
    }
    assert_eq!(cached, together[..LONG.len()]);
}

#[test]
fn operators_of_vectors_are_refused() {
    let decoder = decoder();
    let mut inject = injection(&decoder, &[]);
    for operator in Operator::ALL.into_iter().filter(|operator| *operator != Operator::Add) {
        let error = inject.steer(0, RowSteering::new(0, 1.0, 4).by(operator)).unwrap_err();
        assert!(matches!(error, Error::NetworkOnlyAdded { .. }) && error.hint().is_some(), "{error}");
    }
    let error = crate::controls::random_like(&networks(0.1), 1).unwrap_err();
    assert!(matches!(error, Error::NoDirection { .. }), "{error}");
    let path = std::path::Path::new("never.gguf");
    let error = crate::control_file::write_control_vector(path, &networks(0.1), "x").unwrap_err();
    assert!(error.to_string().contains("a GGUF control vector needs a direction"), "{error}");
    let narrow = InsideBlock::new(8, vec![0.1; 8], vec![0.1; 8]).unwrap();
    let narrow = ControlVector::of_networks([(0, narrow)].into()).unwrap();
    let error = Inject::new(&[&narrow], TokenRange::All, decoder.config()).err().unwrap();
    assert!(matches!(error, Error::VectorSize { layer: 0, got: 8, expected: WIDTH }), "{error}");
}

fn rows(n: u32) -> Vec<TrainingRow> {
    let output = |coefficient, token: u32| SteeredOutput { coefficient, tokens: vec![token, token + 1, 2] };
    let row = |i: u32| TrainingRow { prompt: vec![1, 5 + i, 9], outputs: vec![output(1.0, 40)] };
    (0..n).map(row).collect()
}

fn options() -> VectorTraining {
    VectorTraining { n_steps: 30, batch_rows: 4, learning_rate: 1.0, evaluate_every: 10, ..VectorTraining::default() }
}

fn run<'a>(
    decoder: &'a Decoder,
    start: &'a ControlVector,
    rows: &'a [TrainingRow],
    options: &'a VectorTraining,
    checkpoint: Option<&'a Checkpoint>,
) -> VectorTrainingRun<'a> {
    let (range, objective) = (TokenRange::Output, Objective::Likelihood);
    VectorTrainingRun { decoder, start, range, objective, rows, development: rows, options, checkpoint }
}

#[test]
fn training_from_nothing_leads_to_the_corrections() {
    let (decoder, start, rows, options) = (decoder(), networks(0.0), rows(8), options());
    let trained = train_vector(&run(&decoder, &start, &rows, &options, None), &mut |_| Ok(())).unwrap();
    // outputs of a model with random weights can hardly be told apart: 0.6 nats is the most there is
    assert!(trained.best_loss < trained.start_loss - 0.1, "{} {}", trained.best_loss, trained.start_loss);
    assert_eq!(trained.vector.steered_layers(), [0, 1]);
    // the start adds nothing: its loss is the base's
    let tokens = [rows[0].prompt.as_slice(), &rows[0].outputs[0].tokens].concat();
    let example = redline_model::train::Example { row: 0, tokens, prompt_len: 3 };
    let base = correction_loss(&decoder, &[&example], 1.0 / 3.0, &mut NoHook).unwrap().to_scalar::<f32>().unwrap();
    let one = train_vector(&run(&decoder, &start, &rows[..1], &options, None), &mut |_| Ok(())).unwrap();
    assert!((one.start_loss - f64::from(base)).abs() < 1e-5, "{} {base}", one.start_loss);
    // at 0 the base writes, at 1 what was trained
    let write = |hook: &mut dyn Hook| {
        let prompts = [Prompt::new(rows[0].prompt.clone(), vec![0])];
        let options = GenerateOptions { max_new_tokens: 2, ..GenerateOptions::default() };
        let mut go_on = |_: usize, _: u32| Ok(std::ops::ControlFlow::Continue(()));
        generate(&decoder, &prompts, &options, hook, &mut go_on).unwrap().remove(0).tokens
    };
    let at = |coefficient: f32| {
        let mut inject = Inject::new(&[&trained.vector], TokenRange::Output, decoder.config()).unwrap();
        inject.steer(0, RowSteering::new(0, coefficient, 3)).unwrap();
        write(&mut inject)
    };
    assert_eq!(at(0.0), write(&mut NoHook));
    assert_ne!(at(1.0), at(0.0));
}

#[test]
fn a_step_sees_what_injection_does_and_its_gradient_is_that_of_differences() {
    let (decoder, start, rows) = (decoder(), networks(0.05), rows(2));
    let differentiable = decoder.clone().with_kernels(Kernels::FusedDifferentiable).unwrap();
    let row = &rows[0];
    let tokens = [row.prompt.as_slice(), &row.outputs[0].tokens].concat();
    let example = redline_model::train::Example { row: 0, tokens, prompt_len: 3 };
    let steered = SteeredRow { coefficient: 0.7, prompt_len: 3 };
    let variables = Variables::scaled(&start, TokenRange::Output, decoder.device()).unwrap();
    let loss = || {
        let mut hook = variables.hook([(0, steered)].into());
        correction_loss(&differentiable, &[&example], 1.0, &mut hook).unwrap()
    };
    let value = |loss: candle_core::Tensor| f64::from(loss.to_scalar::<f32>().unwrap());
    let mut inject = Inject::new(&[&start], TokenRange::Output, decoder.config()).unwrap();
    inject.steer(0, RowSteering::new(0, 0.7, 3)).unwrap();
    let injected = value(correction_loss(&decoder, &[&example], 1.0, &mut inject).unwrap());
    assert!((value(loss()) - injected).abs() < 1e-3, "{} {injected}", value(loss()));

    let store = loss().backward().unwrap();
    for parameter in variables.parameters("") {
        let gradient = store.get(&parameter.variable).unwrap();
        let square = value(gradient.sqr().unwrap().sum_all().unwrap());
        let there = parameter.variable.as_tensor().copy().unwrap();
        let step = 0.02 / square.sqrt();
        let moved = |sign: f64| {
            parameter.variable.set(&(&there + (gradient * (sign * step)).unwrap()).unwrap()).unwrap();
            let moved = value(loss());
            parameter.variable.set(&there).unwrap();
            moved
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        assert!((slope / square - 1.0).abs() < 0.05, "{}: {slope} {square}", parameter.name);
    }
}

#[test]
fn a_training_that_was_stopped_ends_with_the_same_bits() {
    let (decoder, start, rows, options) = (decoder(), networks(0.0), rows(8), options());
    let unbroken = train_vector(&run(&decoder, &start, &rows, &options, None), &mut |_| Ok(())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint { path: folder.path().join("state"), model_hash: "m".into() };
    let training = run(&decoder, &start, &rows, &options, Some(&checkpoint));
    let steps = Cell::new(0);
    let stop_after = |n: usize| {
        let steps = &steps;
        move |_: &crate::trained::VectorStep| {
            steps.set(steps.get() + 1);
            if steps.get() == n { Err(ModelError::Interrupted.into()) } else { Ok(()) }
        }
    };
    for stop in [7, 10, 23] {
        train_vector(&training, &mut stop_after(stop)).unwrap_err();
    }
    let resumed = train_vector(&training, &mut stop_after(usize::MAX)).unwrap();
    assert_eq!((steps.get(), resumed), (30, unbroken));
    // and one of other networks does not go on from it
    let other = &networks(0.0) + &networks(0.1);
    let error = train_vector(&run(&decoder, &other, &rows, &options, Some(&checkpoint)), &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("cannot go on from it"), "{error}");
}
