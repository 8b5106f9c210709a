//! `redline inspect`: what files are said to be.

use std::path::Path;

use crate::fixture::{Tiny, gguf_metadata, write_gguf_model};
use crate::program::{golden, json, run, succeed};

#[test]
fn models_adapters_and_vectors_are_told_apart() {
    let tiny = Tiny::new();
    tiny.extract();
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    let kind = |path: &str| json(tiny.folder(), &["inspect", path])["kind"].as_str().unwrap().to_owned();
    let adapter = golden("lora").display().to_string();
    let control = golden("control_vector.gguf").display().to_string();
    assert_eq!(kind("model"), "model");
    assert_eq!(kind("model.gguf"), "model");
    assert_eq!(kind(&adapter), "LoRA adapter");
    assert_eq!(kind("vector.safetensors"), "reading vector");
    assert_eq!(kind(&control), "control vector");
}

#[test]
fn a_model_is_described_by_its_numbers() {
    let value = json(Path::new("."), &["inspect", &golden("gemma2").display().to_string()]);
    let config = &value["content"]["config"];
    assert_eq!((&config["architecture"], config["n_layers"].as_u64()), (&"gemma2".into(), Some(4)));
    assert_eq!(config["windows"].as_array().unwrap().iter().filter(|window| window.is_u64()).count(), 2);
    let text = succeed(Path::new("."), &["inspect", &golden("gemma2").display().to_string()]).stdout;
    for part in ["gemma2", "a window of 8 in 2 of 4 layers", "scores capped at 50", "none: put tokenizer.json"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn other_files_are_refused_with_a_cure() {
    let tiny = Tiny::new();
    for (path, part) in [
        ("triples.jsonl", "no kind of file that is known here"),
        (".", "neither config.json nor adapter_config.json"),
        ("nothing.gguf", "nothing.gguf"),
    ] {
        let ran = run(tiny.folder(), &["inspect", path]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(part) && ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
}
