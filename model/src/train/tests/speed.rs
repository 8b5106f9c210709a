//! Tokens a second of a training step, for the record: `cargo test --release -- --ignored tokens_per_second --nocapture`.

use std::time::Instant;

use super::tiny_config;
use crate::ModelConfig;
use crate::train::loss::{GradientOptions, batch_loss};
use crate::train::*;

#[test]
#[ignore = "a measurement"]
fn tokens_per_second() {
    let config = ModelConfig {
        hidden_size: 256,
        intermediate_size: 688,
        n_layers: 5,
        n_heads: 4,
        n_kv_heads: 4,
        head_dim: 64,
        ..tiny_config(2048)
    };
    let parameters = Parameters::from_scratch(config, 1).unwrap();
    let example = |row: usize| {
        let n = 95 + row % 11;
        Example { row, tokens: (0..n as u32).map(|i| (i * 37 + row as u32 * 11) % 2048).collect(), prompt_len: n / 2 }
    };
    let examples: Vec<Example> = (0..32).map(example).collect();
    let batch: Vec<&Example> = examples.iter().collect();
    let n_tokens: usize = batch.iter().map(|example| example.tokens.len()).sum();
    let mut optimizer = AdamW::new(parameters.trained(), AdamWOptions::default());
    for _ in 0..8 {
        let started = Instant::now();
        let result = batch_loss(&parameters, &batch, GradientOptions::default(), None).unwrap();
        let gradients = started.elapsed().as_secs_f64();
        let norm = result.gradients.norm().unwrap();
        optimizer.update(parameters.trained(), &result.gradients, norm, 1e-3).unwrap();
        let all = started.elapsed().as_secs_f64();
        println!(
            "{:.0} tokens/s; loss and gradients {gradients:.3} s, update {:.3} s",
            n_tokens as f64 / all,
            all - gradients
        );
    }
}
