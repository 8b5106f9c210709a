//! The decoder against the models of candle-transformers, written by others in the same language.
//!
//! Eight tokens, so that every position lies within the goldens' sliding windows: candle's windows are one token longer than those of
//! transformers, which `golden_tests` hold to.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{gemma, llama, mistral, phi3, qwen2, qwen3};
use serde::de::DeserializeOwned;

use crate::*;

const TOKENS: [u32; 8] = [1, 40, 300, 7, 7, 129, 58, 211];

/// Of the largest logit; both compute in f32, in another order of summation.
const TOLERANCE: f32 = 1e-4;

fn folder(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

/// A golden's `config.json` with the keys that transformers 5 has moved or left out.
fn config<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string(folder(name).join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rope = config["rope_parameters"].clone();
    config["rope_theta"] = rope["rope_theta"].clone();
    if rope["rope_type"] == "llama3" {
        config["rope_scaling"] = rope;
    }
    if config["model_type"] == "qwen2" {
        config["sliding_window"] = 4096.into();
    }
    // candle's Gemma takes one of the two
    if config["hidden_activation"].is_string() {
        config.as_object_mut().unwrap().remove("hidden_act");
    }
    serde_json::from_value(config).unwrap()
}

fn weights(name: &str) -> VarBuilder<'static> {
    let tensors = candle_core::safetensors::load(folder(name).join("model.safetensors"), &Device::Cpu).unwrap();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// The logits after the last token, (vocab_size).
fn ours(name: &str) -> Vec<f32> {
    let decoder = Model::load(&folder(name)).unwrap().decoder;
    let mut chunks = [Chunk { tokens: &TOKENS, past: Past::None { row: 0 } }];
    let states = decoder.forward(&mut chunks, &mut NoHook, &Wanted::All).unwrap().unwrap();
    let logits = decoder.logits(&states).unwrap();
    logits.get(TOKENS.len() - 1).unwrap().to_vec1().unwrap()
}

fn is_as(name: &str, forward: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>) {
    let ids = Tensor::new(&[TOKENS], &Device::Cpu).unwrap();
    let expected: Vec<f32> = forward(&ids).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let got = ours(name);
    assert_eq!(got.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let difference = got.iter().zip(&expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(difference < TOLERANCE * largest, "{name}: {difference} of {largest}");
}

#[test]
fn llamas_are_as_in_candle() {
    for name in ["llama", "llama3_rope", "llama_tied"] {
        let config = config::<llama::LlamaConfig>(name).into_config(false);
        let model = llama::Llama::load(weights(name), &config).unwrap();
        let mut cache = llama::Cache::new(false, DType::F32, &config, &Device::Cpu).unwrap();
        is_as(name, |ids| model.forward(ids, 0, &mut cache));
    }
}

#[test]
fn other_families_are_as_in_candle() {
    let name = "mistral_swa";
    is_as(name, |ids| mistral::Model::new(&config(name), weights(name))?.forward(ids, 0));
    let name = "qwen2";
    is_as(name, |ids| qwen2::ModelForCausalLM::new(&config(name), weights(name))?.forward(ids, 0));
    let name = "qwen3";
    is_as(name, |ids| qwen3::ModelForCausalLM::new(&config(name), weights(name))?.forward(ids, 0));
    let name = "gemma";
    is_as(name, |ids| gemma::Model::new(false, &config(name), weights(name))?.forward(ids, 0));
    let name = "phi3";
    is_as(name, |ids| phi3::Model::new(&config(name), weights(name))?.forward(ids, 0));
}
