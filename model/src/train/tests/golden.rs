//! Against Hugging Face transformers and PyTorch, in f32 on both sides.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::golden_folder;
use crate::layers::Kernels;
use crate::train::loss::{GradientOptions, batch_loss, correction_loss};
use crate::train::*;

fn expected(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden_folder(name).join("expected.safetensors"), &Device::Cpu).unwrap()
}

fn scalar(tensor: &Tensor) -> f64 {
    f64::from(tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0])
}

/// Largest difference divided by the reference's largest magnitude.
fn relative_difference(got: &Tensor, expected: &Tensor) -> f32 {
    let scalar = |x: Tensor| x.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    scalar((got - expected).unwrap()) / scalar(expected.clone())
}

/// Rows of ids without padding; labels of −100 mark the prompt.
fn examples(expected: &HashMap<String, Tensor>) -> Vec<Example> {
    let read = |name: &str| expected[name].to_vec2::<i64>().unwrap();
    let (ids, mask, labels) = (read("input_ids"), read("attention_mask"), read("labels"));
    let example = |row: usize| Example {
        row,
        tokens: ids[row].iter().zip(&mask[row]).filter(|(_, m)| **m == 1).map(|(id, _)| *id as u32).collect(),
        prompt_len: labels[row].iter().position(|label| *label != -100).unwrap(),
    };
    (0..ids.len()).map(example).collect()
}

#[test]
fn loss_gradients_and_one_step_equal_pytorch() {
    let expected = expected("sft");
    let examples = examples(&expected);
    let batch: Vec<&Example> = examples.iter().collect();
    // in one pass and accumulated over three: the mean is over all counted tokens
    for (n_pieces, checkpointing) in [(1, false), (3, false), (1, true), (3, true)] {
        let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
        let result =
            batch_loss(&parameters, &batch, GradientOptions { n_pieces, checkpointing, ..Default::default() }, None)
                .unwrap();
        let norm = result.gradients.norm().unwrap();
        assert!((result.loss / scalar(&expected["loss"]) - 1.0).abs() < 1e-4, "loss {}", result.loss);
        assert!((norm / scalar(&expected["grad_norm"]) - 1.0).abs() < 1e-4, "gradient norm {norm}");

        // the reference decays all parameters and clips nothing
        let options = AdamWOptions {
            weight_decay: 0.01,
            decay_group: DecayGroup::All,
            max_gradient_norm: None,
            ..AdamWOptions::default()
        };
        AdamW::new(parameters.trained(), options).update(parameters.trained(), &result.gradients, norm, 1e-3).unwrap();
        let mut n_compared = 0;
        for (parameter, gradient) in parameters.trained().iter().zip(&result.gradients.tensors) {
            let name = &parameter.name;
            let Some(reference) = expected.get(&format!("grad.{name}")) else { continue };
            let difference = relative_difference(gradient, reference);
            assert!(difference < 1e-4, "grad.{name}: {difference}");
            let difference = relative_difference(&parameter.variable, &expected[&format!("after.{name}")]);
            assert!(difference < 1e-4, "after.{name}: {difference}");
            n_compared += 1;
        }
        assert_eq!(n_compared, 6);
    }
}

/// Ten steps of AdamW with clipping, weight decay on matrices and a cosine schedule; see scripts/ten_losses.py.
#[test]
fn ten_losses_equal_pytorch() {
    let text = std::fs::read_to_string(golden_folder("ten_losses.json")).unwrap();
    let reference: serde_json::Value = serde_json::from_str(&text).unwrap();
    let numbers = |key: &str| -> Vec<f64> {
        reference[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let (losses, norms) = (numbers("losses"), numbers("gradient_norms"));
    let examples = examples(&expected("sft"));
    let batch: Vec<&Example> = examples.iter().collect();
    let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
    let options = AdamWOptions { weight_decay: 0.1, ..AdamWOptions::default() };
    let schedule = Schedule { learning_rate: 3e-3, shape: ScheduleShape::Cosine, rise_share: 0.2 };
    let mut optimizer = AdamW::new(parameters.trained(), options);
    for step in 0..10 {
        let result = batch_loss(&parameters, &batch, GradientOptions::default(), None).unwrap();
        let norm = result.gradients.norm().unwrap();
        assert!((result.loss - losses[step]).abs() < 1e-3, "step {step}: loss {} {}", result.loss, losses[step]);
        assert!((norm / norms[step] - 1.0).abs() < 1e-3, "step {step}: norm {norm} {}", norms[step]);
        optimizer.update(parameters.trained(), &result.gradients, norm, schedule.rate(step, 10)).unwrap();
    }
    assert!(losses[9] < 0.5 * losses[0]);
}

/// ‖a − b‖ / ‖b‖
fn relative_error(a: &Tensor, b: &Tensor) -> f64 {
    let norm = |x: &Tensor| scalar(&x.sqr().unwrap().sum_all().unwrap()).sqrt();
    norm(&(a - b).unwrap()) / norm(b)
}

/// What 16 bits lose is rounding: f16 keeps 11 bits and bf16 8, so every gradient must be about eight times nearer in f16, and
/// the gradients of both have to be those of PyTorch up to that.
#[test]
fn passes_in_16_bits_lose_rounding_only() {
    let expected = expected("sft");
    let examples = examples(&expected);
    let batch: Vec<&Example> = examples.iter().collect();
    let scale = 1.0 / batch.iter().map(|example| example.n_counted()).sum::<usize>() as f64;
    let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
    let errors = |dtype: DType| -> Vec<f64> {
        let decoder = parameters.decoder_in(dtype, Kernels::Differentiable, None).unwrap();
        let loss = correction_loss(&decoder, &batch, scale, &mut crate::NoHook).unwrap();
        assert!((scalar(&loss) / scalar(&expected["loss"]) - 1.0).abs() < 1e-2, "{dtype:?}: {loss}");
        let gradients = loss.backward().unwrap();
        let compared = parameters.trained().iter().filter_map(|parameter| {
            let gradient = gradients.get(&parameter.variable).unwrap();
            assert_eq!(gradient.dtype(), DType::F32, "{}", parameter.name);
            Some(relative_error(gradient, expected.get(&format!("grad.{}", parameter.name))?))
        });
        compared.collect()
    };
    let (f16, bf16) = (errors(DType::F16), errors(DType::BF16));
    assert_eq!(f16.len(), 6);
    for (f16, bf16) in f16.iter().zip(&bf16) {
        assert!(*f16 < 0.05 && (3.0..25.0).contains(&(bf16 / f16)), "f16 {f16}, bf16 {bf16}");
    }
}

#[test]
fn bf16_runs_through_the_same_step() {
    let expected = expected("sft");
    let examples = examples(&expected);
    let batch: Vec<&Example> = examples.iter().collect();
    let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
    let gradients = |checkpointing| {
        let options = GradientOptions { checkpointing, precision: Precision::Bf16, ..Default::default() };
        let result = batch_loss(&parameters, &batch, options, None).unwrap();
        assert!((result.loss / scalar(&expected["loss"]) - 1.0).abs() < 1e-2, "loss {}", result.loss);
        result.gradients.tensors
    };
    for (plain, checkpointed) in gradients(false).iter().zip(&gradients(true)) {
        assert!(relative_error(checkpointed, plain) < 0.05);
    }
}

/// Updates far below what bf16 can tell apart still add up, because the parameters are f32.
#[test]
fn small_updates_are_not_lost_in_bf16() {
    let expected = expected("sft");
    let examples = examples(&expected);
    let batch: Vec<&Example> = examples.iter().collect();
    let losses = |precision: Precision| -> Vec<f64> {
        let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
        let mut optimizer =
            AdamW::new(parameters.trained(), AdamWOptions { weight_decay: 0.0, ..AdamWOptions::default() });
        let step = |_| {
            let options = GradientOptions { precision, ..Default::default() };
            let result = batch_loss(&parameters, &batch, options, None).unwrap();
            let norm = result.gradients.norm().unwrap();
            // weights are about 0.02 to 0.1, whose bf16 neighbours lie 1e-4 or more away
            optimizer.update(parameters.trained(), &result.gradients, norm, 2e-5).unwrap();
            result.loss
        };
        (0..60).map(step).collect()
    };
    let (full, half) = (losses(Precision::F32), losses(Precision::Bf16));
    let fallen = |losses: &[f64]| losses[0] - losses[59];
    assert!(fallen(&full) > 0.0);
    assert!((fallen(&half) / fallen(&full) - 1.0).abs() < 0.2, "{} against {}", fallen(&half), fallen(&full));
}
