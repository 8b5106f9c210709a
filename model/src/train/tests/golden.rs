//! Against Hugging Face transformers and PyTorch, in f32 on both sides.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::golden_folder;
use crate::train::loss::{GradientOptions, batch_loss};
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
        let result = batch_loss(&parameters, &batch, GradientOptions { n_pieces, checkpointing }, None).unwrap();
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
        AdamW::new(&parameters, options).update(&parameters, &result.gradients, norm, 1e-3).unwrap();
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
    let mut optimizer = AdamW::new(&parameters, options);
    for step in 0..10 {
        let result =
            batch_loss(&parameters, &batch, GradientOptions { n_pieces: 1, checkpointing: false }, None).unwrap();
        let norm = result.gradients.norm().unwrap();
        assert!((result.loss - losses[step]).abs() < 1e-3, "step {step}: loss {} {}", result.loss, losses[step]);
        assert!((norm / norms[step] - 1.0).abs() < 1e-3, "step {step}: norm {norm} {}", norms[step]);
        optimizer.update(&parameters, &result.gradients, norm, schedule.rate(step, 10)).unwrap();
    }
    assert!(losses[9] < 0.5 * losses[0]);
}
