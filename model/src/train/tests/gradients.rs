//! Gradients of every family against PyTorch's, by `scripts/goldens/make_family.py`, by every kind of kernels.
//!
//! Tolerance 1e-4 of the reference's largest magnitude: both sides compute in f32, in another order of summation.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::golden_folder;
use crate::golden_tests::goldens;
use crate::layers::Kernels;
use crate::train::loss::{GradientOptions, batch_loss, correction_loss};
use crate::train::*;

const PROMPT_TOKENS: usize = 8;

fn load(golden: &str, file: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden_folder(golden).join(file), &Device::Cpu).unwrap()
}

fn largest(x: &Tensor) -> f32 {
    x.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap()
}

fn example(golden: &str) -> Example {
    let tokens = load(golden, "expected.safetensors")["input_ids"].get(0).unwrap().to_vec1::<i64>().unwrap();
    Example { row: 0, tokens: tokens.into_iter().map(|id| id as u32).collect(), prompt_len: PROMPT_TOKENS }
}

/// Compares what the reference has of these gradients; returns how many that were.
fn compare<'a>(golden: &str, gradients: impl Iterator<Item = (&'a str, Tensor)>) -> usize {
    let expected = load(golden, "gradients.safetensors");
    // a bias of keys that do not rotate shifts all scores of a query alike: its gradient is 0 but for rounding
    let least = 1e-3 * expected.values().map(largest).fold(0.0, f32::max);
    let is_close = |(name, gradient): (&str, Tensor)| {
        let reference = expected.get(&format!("grad.{name}"))?;
        let difference = largest(&(gradient - reference).unwrap()) / largest(reference).max(least);
        assert!(difference < 1e-4, "{golden}, {name}: {difference}");
        Some(())
    };
    gradients.filter_map(is_close).count()
}

#[test]
fn gradients_of_every_family_equal_pytorch() {
    for golden in goldens() {
        let example = example(&golden);
        for checkpointing in [false, true] {
            let (parameters, _) = Parameters::open(&golden_folder(&golden), Method::Full, 0).unwrap();
            let options = GradientOptions { checkpointing, ..Default::default() };
            let result = batch_loss(&parameters, &[&example], options, None).unwrap();
            let loss = load(&golden, "gradients.safetensors")["loss"].to_scalar::<f32>().unwrap();
            assert!((result.loss / f64::from(loss) - 1.0).abs() < 1e-5, "{golden}: {} for {loss}", result.loss);
            let names = parameters.trained().iter().map(|parameter| parameter.name.as_str());
            let n = compare(&golden, names.zip(result.gradients.tensors.iter().cloned()));
            assert!(n >= 8, "{golden}: {n} gradients are compared");
        }
    }
}

#[test]
fn gradients_through_elementary_operations_equal_pytorch() {
    for golden in goldens() {
        let example = example(&golden);
        let (parameters, _) = Parameters::open(&golden_folder(&golden), Method::Full, 0).unwrap();
        let decoder = parameters.decoder_in(DType::F32, Kernels::Differentiable, None).unwrap();
        let store = correction_loss(&decoder, &[&example], 1.0 / example.n_counted() as f64, &mut crate::NoHook)
            .unwrap()
            .backward()
            .unwrap();
        let own = parameters.trained().iter().filter_map(|parameter| {
            Some((parameter.name.as_str(), store.get(parameter.variable.as_tensor())?.clone()))
        });
        assert!(compare(&golden, own) >= 8, "{golden}");
    }
}
