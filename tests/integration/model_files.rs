//! Files that other programs read otherwise than their first look says: read rightly, or refused by name. `tests/cases` holds the
//! ones that came from outside.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use redline::model::gguf::{GgufArray, GgufValue};
use serde_json::{Value, json};

use crate::fixture::{Tiny, edit_json, gguf_metadata, words, write_gguf_model};
use crate::program::{Ran, case, golden, json, run, succeed};

const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n";

/// The golden Llama with another configuration.
fn llama_with(folder: &Path, config: &Path) {
    std::fs::copy(golden("llama/model.safetensors"), folder.join("model.safetensors")).unwrap();
    std::fs::copy(config, folder.join("config.json")).unwrap();
}

/// `check` beside the numbers of transformers.
fn check(folder: &Path, model: &str, reference: &Path) -> Ran {
    run(folder, &["check", model, "--reference", &reference.display().to_string()])
}

/// Refused by `inspect` and by a verb that runs a model, with a cure and without a word about what works.
fn refused(tiny: &Tiny, model: &str, parts: &[&str]) {
    for line in [format!("inspect {model}"), format!("perplexity template.txt --model {model}")] {
        let ran = run(tiny.folder(), &words(&line));
        assert!(ran.code == 1 && ran.stdout.is_empty(), "{line}: {ran:?}");
        for part in parts.iter().chain(&["hint: "]) {
            assert!(ran.stderr.contains(part), "{part} is not in {}", ran.stderr);
        }
    }
}

fn gguf_with(tiny: &Tiny, name: &str, more: Vec<(&'static str, GgufValue)>) {
    let mut metadata = gguf_metadata();
    metadata.retain(|(key, _)| !more.iter().any(|(other, _)| key == other));
    metadata.extend(more);
    write_gguf_model(&tiny.path(name), &metadata);
}

#[test]
fn an_output_projection_beside_a_tied_configuration_is_used_and_said() {
    let folder = tempfile::tempdir().unwrap();
    llama_with(folder.path(), &case("tied-with-own-head/config.json"));
    let ran = check(folder.path(), ".", &golden("llama/expected.safetensors"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("lm_head.weight"), "{}", ran.stderr);
    // one that equals the embedding is the tied one
    let weights = candle_core::safetensors::load(golden("llama_tied/model.safetensors"), &Device::Cpu).unwrap();
    let head = ("lm_head.weight".to_owned(), weights["model.embed_tokens.weight"].clone());
    let weights: HashMap<String, Tensor> = weights.into_iter().chain([head]).collect();
    candle_core::safetensors::save(&weights, folder.path().join("model.safetensors")).unwrap();
    std::fs::copy(golden("llama_tied/config.json"), folder.path().join("config.json")).unwrap();
    let ran = check(folder.path(), ".", &golden("llama_tied/expected.safetensors"));
    assert!(ran.code == 0 && !ran.stderr.contains("warning"), "{ran:?}");
}

#[test]
fn rope_scaling_beside_rope_parameters_counts_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let case = case("rope-scaling-beside-rope-parameters");
    llama_with(folder.path(), &case.join("config.json"));
    let ran = check(folder.path(), ".", &case.join("expected.safetensors"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("`rope_scaling` beside `rope_parameters`"), "{}", ran.stderr);
}

#[test]
fn old_keys_of_rotation_in_gguf_files_are_read() {
    let tiny = Tiny::new();
    let reference = case("rope-scaling-beside-rope-parameters/expected.safetensors");
    for key in ["llama.rope.scale_linear", "llama.rope.scaling.factor"] {
        gguf_with(&tiny, "model.gguf", vec![(key, GgufValue::F32(4.0))]);
        let ran = check(tiny.folder(), "model.gguf", &reference);
        assert_eq!(ran.code, 0, "{key}: {ran:?}");
    }
}

#[test]
fn adapters_that_change_the_model_are_refused_with_the_cure() {
    let tiny = Tiny::new();
    std::fs::create_dir(tiny.path("adapter")).unwrap();
    let weights = tiny.path("adapter/adapter_model.safetensors");
    std::fs::copy(golden("lora/adapter_model.safetensors"), &weights).unwrap();
    std::fs::copy(case("pissa/adapter_config.json"), tiny.path("adapter/adapter_config.json")).unwrap();
    let refused = |parts: &[&str]| {
        let reference = golden("lora/expected.safetensors").display().to_string();
        for line in ["inspect adapter".to_owned(), format!("check model --adapter adapter --reference {reference}")] {
            let ran = run(tiny.folder(), &words(&line));
            assert_eq!(ran.code, 1, "{line}: {ran:?}");
            assert!(parts.iter().all(|part| ran.stderr.contains(part)), "{line}: {}", ran.stderr);
        }
    };
    refused(&["adapter_config.json", "`init_lora_weights`", "pissa", "hint: ", "merge_and_unload"]);
    std::fs::rename(&weights, tiny.path("adapter/adapter_model.bin")).unwrap();
    refused(&["adapter_model.bin", "pickle", "hint: "]);
}

/// The golden adapter with another configuration.
fn adapter_with(tiny: &Tiny, edit: impl FnOnce(&mut Value)) -> Ran {
    let folder = tiny.path("adapter");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(golden("lora").join(name), folder.join(name)).unwrap();
    }
    edit_json(&folder.join("adapter_config.json"), edit);
    let reference = golden("lora/expected.safetensors").display().to_string();
    run(tiny.folder(), &words(&format!("check model --adapter adapter --reference {reference}")))
}

#[test]
fn ranks_and_strengths_of_single_layers_are_read() {
    let tiny = Tiny::new();
    // the same adapter, said by patterns: rank 4, alpha 8
    for (r, alpha, ranks, alphas) in [
        (9, 8, json!({ ".*_proj": 4 }), json!({})),
        (4, 1, json!({}), json!({ "self_attn.[qkvo]_proj": 8, r"model\.layers\.\d\.mlp\..*": 8.0 })),
        (2, 3, json!({ "q_proj": 4, "[^q]*_proj": 4, "lm_head": 1 }), json!({ "^model.*": 8 })),
        (4, 8, Value::Null, Value::Null),
    ] {
        let ran = adapter_with(&tiny, |config| {
            (config["r"], config["lora_alpha"]) = (json!(r), json!(alpha));
            (config["rank_pattern"], config["alpha_pattern"]) = (ranks.clone(), alphas.clone());
        });
        assert_eq!(ran.code, 0, "{ranks} {alphas}: {ran:?}");
    }
    for (key, value, part) in [
        ("rank_pattern", json!({ "q_proj": 2 }), "have ranks 4 and 4, the file says 2"),
        ("rank_pattern", json!({ "q_proj": 0 }), "`rank_pattern` must give"),
        ("alpha_pattern", json!({ "q_proj": "8" }), "`alpha_pattern` must give"),
        ("alpha_pattern", json!({ "(": 8 }), "`alpha_pattern` holds the pattern `(`"),
        ("alpha_pattern", json!({ "q_proj": 8, ".*_proj": 9 }), "8 by `q_proj`"),
    ] {
        let ran = adapter_with(&tiny, |config| config[key] = value.clone());
        assert!(ran.code == 1 && ran.stderr.contains(part), "{value}: {ran:?}");
    }
    // another strength is another model
    assert_eq!(adapter_with(&tiny, |config| config["alpha_pattern"] = json!({ "q_proj": 9 })).code, 1);
}

#[test]
fn layers_are_matched_by_patterns_as_peft_does() {
    let tiny = Tiny::new();
    for (key, value, part) in [
        ("target_modules", json!(r".*\.(self_attn|mlp)\..*_proj"), None),
        ("target_modules", json!("all-linear"), None),
        ("target_modules", json!("q_proj"), Some("`target_modules` does not name")),
        ("target_modules", json!(r".*\.q_proj"), Some("`target_modules` does not name")),
        ("exclude_modules", json!(r".*lm_head"), None),
        ("exclude_modules", json!(r".*layers\.0.*"), Some("`exclude_modules` names")),
        ("exclude_modules", json!("["), Some("`exclude_modules` holds the pattern `[`")),
        ("layers_to_transform", json!([0, 1, 2, 3]), None),
        ("layers_to_transform", json!([0, 1]), Some("`layers_to_transform` does not name")),
    ] {
        let ran = adapter_with(&tiny, |config| config[key] = value.clone());
        match part {
            None => assert_eq!(ran.code, 0, "{key} {value}: {ran:?}"),
            Some(part) => assert!(ran.code == 1 && ran.stderr.contains(part), "{key} {value}: {ran:?}"),
        }
    }
    for (pattern, code) in [(json!("layers"), 0), (json!(["h", "layers"]), 0), (json!("h"), 1)] {
        let ran = adapter_with(&tiny, |config| {
            config["layers_to_transform"] = json!([0, 1, 2, 3]);
            config["layers_pattern"] = pattern.clone();
        });
        assert_eq!(ran.code, code, "{pattern}: {ran:?}");
    }
}

#[test]
fn adapters_with_values_that_are_no_numbers_are_refused() {
    let tiny = Tiny::new();
    adapter_with(&tiny, |_| {});
    let path = tiny.path("adapter/adapter_model.safetensors");
    let mut weights = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let name = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
    weights.insert(name.into(), (&weights[name] * f64::NAN).unwrap());
    candle_core::safetensors::save(&weights, &path).unwrap();
    let ran = run(tiny.folder(), &words("inspect adapter"));
    assert!(ran.code == 1 && ran.stderr.contains(name) && ran.stderr.contains("NaN"), "{ran:?}");
}

#[test]
fn parts_of_a_model_are_said_to_be_that() {
    let tiny = Tiny::new();
    let parts = vec![("split.no", GgufValue::U16(0)), ("split.count", GgufValue::U16(2))];
    gguf_with(&tiny, "model-00001-of-00002.gguf", parts);
    refused(&tiny, "model-00001-of-00002.gguf", &["part 1 of a model that is split into 2 files", "--merge"]);
}

#[test]
fn mixtures_of_experts_and_layers_of_different_shape_are_said_to_be_that() {
    let tiny = Tiny::new();
    gguf_with(&tiny, "model.gguf", vec![("llama.expert_count", GgufValue::U32(8))]);
    refused(&tiny, "model.gguf", &["model.gguf", "`llama.expert_count`", "a mixture of experts"]);
    let heads = GgufValue::Array(GgufArray::I32(vec![2, 2, 1, 2]));
    gguf_with(&tiny, "model.gguf", vec![("llama.attention.head_count_kv", heads)]);
    refused(&tiny, "model.gguf", &["`llama.attention.head_count_kv`", "differs between layers"]);
    edit_json(&tiny.path("model/config.json"), |config| config["num_local_experts"] = json!(8));
    refused(&tiny, "model", &["config.json", "`num_local_experts`", "a mixture of experts"]);
}

#[test]
fn pointers_of_git_lfs_are_said_to_be_that() {
    for name in ["model/model.safetensors", "model/config.json", "model/tokenizer.json", "other.gguf"] {
        let tiny = Tiny::new();
        std::fs::write(tiny.path(name), LFS_POINTER).unwrap();
        let model = name.split('/').next().unwrap();
        let line = format!("perplexity template.txt --model {model}");
        let ran = run(tiny.folder(), &words(&line));
        assert!(ran.code == 1 && ran.stderr.contains("Git LFS pointer"), "{name}: {ran:?}");
        let ran = run(tiny.folder(), &["inspect", model]);
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("Git LFS pointer") && !said.contains("scan, extract"), "{name}: {said}");
    }
}

#[test]
fn a_model_is_known_by_its_first_bytes_whatever_its_name() {
    let tiny = Tiny::new();
    for name in ["sha256-4d7a21", "model.bin"] {
        write_gguf_model(&tiny.path(name), &gguf_metadata());
        assert_eq!(json(tiny.folder(), &["inspect", name])["kind"], "model", "{name}");
    }
    std::fs::create_dir(tiny.path("folder")).unwrap();
    std::fs::rename(tiny.path("model.bin"), tiny.path("folder/one.gguf")).unwrap();
    assert_eq!(json(tiny.folder(), &["inspect", "folder"])["kind"], "model");
}

#[test]
fn what_is_not_used_is_named_on_every_verb_and_in_json() {
    let tiny = Tiny::new();
    let path = tiny.path("model/model.safetensors");
    let mut weights = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for name in ["model.layers.0.self_attn.q_proj.bias", "score.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"]
    {
        weights.insert(name.into(), Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap());
    }
    candle_core::safetensors::save(&weights, &path).unwrap();
    edit_json(&tiny.path("model/config.json"), |config| config["secret_multiplier"] = json!(2.5));
    let value = json(tiny.folder(), &["inspect", "model"]);
    let warnings: Vec<&str> =
        value["content"]["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("`secret_multiplier`"), "{warnings:?}");
    let named = ["2 tensors are not used", "q_proj.bias", "score.weight"];
    assert!(named.iter().all(|part| warnings[1].contains(part)) && !warnings[1].contains("inv_freq"), "{warnings:?}");
    let model = "--model model --template template.txt";
    for line in [
        "inspect model".to_owned(),
        "perplexity template.txt --model model".to_owned(),
        format!("correct {model} --question Why --answer So --max-new-tokens 2"),
        format!("extract {model} --data triples.jsonl --pairs 8 --out v.safetensors"),
        format!("train {model} --data triples.jsonl --steps 1 --batch-rows 2 --generate 0 --out run"),
    ] {
        let ran = succeed(tiny.folder(), &words(&line));
        let said = ran.stdout + &ran.stderr;
        assert!(warnings.iter().all(|warning| said.contains(warning)), "{line}: {said}");
    }
}

#[test]
fn a_model_that_could_not_be_written_is_refused_before_the_first_step() {
    let tiny = Tiny::new();
    // a tokenizer that llama.cpp has no name for
    edit_json(&tiny.path("model/tokenizer.json"), |tokenizer| tokenizer["normalizer"] = json!({ "type": "Lowercase" }));
    let line = "train --model model --template template.txt --data triples.jsonl --steps 1 --gguf x.gguf --out run";
    let ran = run(tiny.folder(), &words(line));
    assert!(ran.code == 1 && ran.stderr.contains("GGUF") && ran.stderr.contains("hint: "), "{ran:?}");
    assert!(!tiny.path("run").exists() && !tiny.path("x.gguf").exists());
}
