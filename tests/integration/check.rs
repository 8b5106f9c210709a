//! `redline check`: the golden references of Hugging Face transformers, and references that are not met.
//!
//! Tolerance 1e-4 of the largest magnitude: both sides compute in f32, in another order of summation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde_json::Value;

use crate::fixture::{Tiny, gguf_metadata, write_gguf_model};
use crate::program::{Ran, golden, run};

fn check(model: &Path, reference: &Path) -> (Ran, Value) {
    let args = ["check", &model.display().to_string(), "--reference", &reference.display().to_string(), "--json"];
    let ran = run(Path::new("."), &args);
    let value = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
    (ran, value)
}

fn assert_passes(model: &Path, reference: &Path) {
    let (ran, value) = check(model, reference);
    assert_eq!(ran.code, 0, "{ran:?}");
    for key in ["hidden_max_rel", "logits_max_rel", "steered_logits_max_rel"] {
        let difference = value[key].as_f64().unwrap_or_else(|| panic!("{key} is missing: {value}"));
        assert!((0.0..1e-4).contains(&difference), "{key}: {difference}");
    }
    assert_eq!(value["greedy_equal"], true);
    assert_eq!(value["passes"], true);
    let expected = candle_core::safetensors::load(reference, &Device::Cpu).unwrap();
    let n_hidden = expected.keys().filter(|name| name.starts_with("hidden.")).count();
    assert_eq!(value["hidden_rel"].as_object().unwrap().len(), n_hidden, "embeddings and blocks");
}

#[test]
fn every_family() {
    let folders = std::fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path());
    let models: Vec<PathBuf> = folders.filter(|folder| folder.join("config.json").exists()).collect();
    assert!(models.len() >= 13, "{models:?}");
    for model in models {
        assert_passes(&model, &model.join("expected.safetensors"));
    }
}

#[test]
fn llama_as_gguf() {
    let tiny = Tiny::new();
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    assert_passes(&tiny.path("model.gguf"), &golden("llama/expected.safetensors"));
}

#[test]
fn a_reference_without_numbers_does_not_pass() {
    for pairs in ["dpo/expected.safetensors", "reward/expected.safetensors"] {
        let (ran, _) = check(&golden("llama"), &golden(pairs));
        assert!(ran.code == 1 && ran.stderr.contains("holds no numbers to compare"), "{pairs}: {}", ran.stderr);
        assert!(ran.stderr.contains("--objective"), "{}", ran.stderr);
    }
}

/// The reference of `llama` with one tensor changed.
fn damaged(folder: &Path, name: &str, change: impl FnOnce(&Tensor) -> Tensor) -> std::path::PathBuf {
    let path = golden("llama/expected.safetensors");
    let mut tensors: HashMap<String, Tensor> = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let changed = change(&tensors[name]);
    tensors.insert(name.into(), changed);
    let damaged = folder.join("damaged.safetensors");
    candle_core::safetensors::save(&tensors, &damaged).unwrap();
    damaged
}

#[test]
fn damaged_references_fail() {
    for (name, key) in [
        ("logits", "logits_max_rel"),
        ("hidden.2", "hidden_max_rel"),
        ("steer.logits", "steered_logits_max_rel"),
        ("steer.vector", "steered_logits_max_rel"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let reference = damaged(folder.path(), name, |tensor| (tensor * 1.001).unwrap());
        let (ran, value) = check(&golden("llama"), &reference);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        assert_eq!(value["passes"], false);
        assert!(value[key].as_f64().unwrap() > 1e-4, "{name}: {value}");
    }
}

#[test]
fn other_greedy_tokens_fail() {
    let folder = tempfile::tempdir().unwrap();
    let reference = damaged(folder.path(), "greedy", |tensor| {
        let mut rows: Vec<Vec<i64>> = tensor.to_vec2().unwrap();
        *rows[0].last_mut().unwrap() ^= 1;
        Tensor::new(rows, &Device::Cpu).unwrap()
    });
    let (ran, value) = check(&golden("llama"), &reference);
    assert_eq!((ran.code, &value["greedy_equal"]), (1, &Value::Bool(false)));
}

#[test]
fn numbers_that_are_not_finite_fail() {
    let folder = tempfile::tempdir().unwrap();
    let reference = damaged(folder.path(), "logits", |tensor| (tensor * f64::NAN).unwrap());
    let (ran, value) = check(&golden("llama"), &reference);
    assert_eq!((ran.code, &value["passes"]), (1, &Value::Bool(false)));
}

#[test]
fn another_family_fails() {
    let (ran, _) = check(&golden("llama3_rope"), &golden("llama/expected.safetensors"));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.is_empty(), "differences are results, not errors: {}", ran.stderr);
}

#[test]
fn the_table_says_what_the_json_says() {
    let model = golden("llama").display().to_string();
    let reference = golden("llama/expected.safetensors").display().to_string();
    let ran = run(Path::new("."), &["check", &model, "--reference", &reference]);
    assert_eq!(ran.code, 0);
    for part in
        ["hidden_max_rel", "logits_max_rel", "steered_logits_max_rel", "greedy_equal            equal", "passes"]
    {
        assert!(ran.stdout.contains(part), "{part} is not in {}", ran.stdout);
    }
}

#[test]
fn a_model_tests_itself() {
    let tiny = Tiny::new();
    tiny.extract();
    let args = "check model vector.safetensors --template template.txt --data triples.jsonl --prompts 4 --json";
    let ran = run(tiny.folder(), &args.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, 0, "{ran:?}");
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["passes"], true);
    let verdict = |test: &str| {
        let found = value["findings"].as_array().unwrap().iter().find(|finding| finding["test"] == test);
        found.unwrap_or_else(|| panic!("{test} is missing: {value}"))["verdict"].as_str().unwrap().to_owned()
    };
    for test in ["coefficient-0", "cache", "batch", "plain-kernels", "tokens"] {
        assert_eq!(verdict(test), "passed", "{test}");
    }
    // on a model of random weights these are opinions
    for test in ["template", "copies", "effect"] {
        assert!(["passed", "doubtful"].contains(&verdict(test).as_str()), "{test}: {value}");
    }
}

#[test]
fn a_vector_that_touches_nothing_fails_the_self_test() {
    let tiny = Tiny::new();
    tiny.extract();
    let args =
        "check model vector.safetensors --template template.txt --data triples.jsonl --prompts 4 --range 9000..9001";
    let ran = run(tiny.folder(), &args.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("FAILS  effect"), "{}", ran.stdout);
}

#[test]
fn the_embedded_aligner_passes_without_a_doubt() {
    let ran = run(Path::new("."), &["check", "--prompts", "6"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("ok")).count(), 7, "{}", ran.stdout);
}
