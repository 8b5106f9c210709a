//! Models that are missing, damaged or of another kind.

use candle_core::{Device, Tensor};
use redline::model::gguf::{GgufValue, write_gguf};
use serde_json::json;

use super::*;
use crate::fixture::{edit_json, gguf_metadata, write_gguf_model};

const CORRECT: &str = "correct --template template.txt --question Why --answer So --model";

fn model_refused(tiny: &Tiny, name: &str, model: &str) {
    refused_line(tiny, name, &format!("{CORRECT} {model}"));
}

fn truncate(path: &Path, share: f64) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
}

/// The GGUF file with some bytes of one tensor's entry changed: those `skip` after its name.
fn edit_entry(path: &Path, tensor: &str, skip: usize, bytes: &[u8]) {
    let mut file = std::fs::read(path).unwrap();
    let name = file.windows(tensor.len()).position(|window| window == tensor.as_bytes()).unwrap();
    let at = name + tensor.len() + skip;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    std::fs::write(path, file).unwrap();
}

#[test]
fn missing() {
    model_refused(&Tiny::new(), "model_missing", "no-such-model.gguf");
}

#[test]
fn missing_for_check() {
    refused_line(&Tiny::new(), "model_missing_for_check", "check no-such-model --reference expected.safetensors");
}

#[test]
fn folder_without_weights() {
    let tiny = Tiny::new();
    std::fs::remove_file(tiny.path("model/model.safetensors")).unwrap();
    model_refused(&tiny, "model_without_weights", "model");
}

#[test]
fn folder_without_config() {
    let tiny = Tiny::new();
    std::fs::remove_file(tiny.path("model/config.json")).unwrap();
    model_refused(&tiny, "model_without_config", "model");
}

#[test]
fn folder_without_tokenizer() {
    let tiny = Tiny::new();
    std::fs::remove_file(tiny.path("model/tokenizer.json")).unwrap();
    model_refused(&tiny, "model_without_tokenizer", "model");
}

#[test]
fn truncated_safetensors() {
    let tiny = Tiny::new();
    truncate(&tiny.path("model/model.safetensors"), 0.5);
    model_refused(&tiny, "model_truncated_safetensors", "model");
}

#[test]
fn truncated_safetensors_header() {
    let tiny = Tiny::new();
    truncate(&tiny.path("model/model.safetensors"), 0.001);
    model_refused(&tiny, "model_truncated_safetensors_header", "model");
}

#[test]
fn truncated_gguf() {
    let tiny = Tiny::new();
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    truncate(&tiny.path("model.gguf"), 0.5);
    model_refused(&tiny, "model_truncated_gguf", "model.gguf");
}

#[test]
fn truncated_gguf_header() {
    let tiny = Tiny::new();
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    truncate(&tiny.path("model.gguf"), 0.002);
    model_refused(&tiny, "model_truncated_gguf_header", "model.gguf");
}

#[test]
fn empty_gguf() {
    let tiny = Tiny::new();
    std::fs::write(tiny.path("model.gguf"), "").unwrap();
    model_refused(&tiny, "model_empty_gguf", "model.gguf");
}

#[test]
fn neither_folder_nor_gguf() {
    model_refused(&Tiny::new(), "model_not_gguf", "triples.jsonl");
}

#[test]
fn gguf_of_unsupported_type() {
    let tiny = Tiny::new();
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    // after the name: number of dimensions (4 bytes), two dimensions (8 each), type: 20 is IQ4_NL
    edit_entry(&tiny.path("model.gguf"), "blk.2.ffn_up.weight", 20, &20u32.to_le_bytes());
    model_refused(&tiny, "model_gguf_unsupported_type", "model.gguf");
}

#[test]
fn gguf_of_unknown_type() {
    let tiny = Tiny::new();
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    edit_entry(&tiny.path("model.gguf"), "blk.2.ffn_up.weight", 20, &999u32.to_le_bytes());
    model_refused(&tiny, "model_gguf_unknown_type", "model.gguf");
}

#[test]
fn gguf_of_unsupported_architecture() {
    let tiny = Tiny::new();
    let mut metadata = gguf_metadata();
    metadata[0].1 = GgufValue::String("mamba".into());
    write_gguf_model(&tiny.path("model.gguf"), &metadata);
    model_refused(&tiny, "model_gguf_unsupported_architecture", "model.gguf");
}

#[test]
fn gguf_that_is_a_control_vector() {
    let tiny = Tiny::new();
    let metadata = [("general.architecture", GgufValue::String("controlvector".into()))];
    write_gguf(&tiny.path("vector.gguf"), &metadata, &[]).unwrap();
    model_refused(&tiny, "model_gguf_control_vector", "vector.gguf");
}

#[test]
fn config_of_unsupported_architecture() {
    let tiny = Tiny::new();
    edit_json(&tiny.path("model/config.json"), |config| config["model_type"] = json!("mamba"));
    model_refused(&tiny, "model_unsupported_architecture", "model");
}

#[test]
fn config_with_a_shape_the_tensors_do_not_have() {
    let tiny = Tiny::new();
    edit_json(&tiny.path("model/config.json"), |config| config["intermediate_size"] = json!(161));
    model_refused(&tiny, "model_config_shape", "model");
}

#[test]
fn config_with_more_layers_than_the_tensors() {
    let tiny = Tiny::new();
    edit_json(&tiny.path("model/config.json"), |config| config["num_hidden_layers"] = json!(5));
    model_refused(&tiny, "model_config_layers", "model");
}

#[test]
fn config_without_a_field() {
    let tiny = Tiny::new();
    edit_json(&tiny.path("model/config.json"), |config| {
        config.as_object_mut().unwrap().remove("hidden_size");
    });
    model_refused(&tiny, "model_config_field", "model");
}

#[test]
fn config_that_is_not_json() {
    let tiny = Tiny::new();
    std::fs::write(tiny.path("model/config.json"), "{\n  \"model_type\": llama\n}\n").unwrap();
    model_refused(&tiny, "model_config_json", "model");
}

#[test]
fn tokenizer_larger_than_the_model() {
    let tiny = Tiny::new();
    edit_json(&tiny.path("model/tokenizer.json"), |tokenizer| tokenizer["model"]["vocab"]["zzz"] = json!(320));
    model_refused(&tiny, "model_tokenizer_size", "model");
}

#[test]
fn nan_in_weights() {
    let tiny = Tiny::new();
    let path = tiny.path("model/model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let name = "model.layers.1.mlp.down_proj.weight";
    let mut values: Vec<f32> = tensors[name].flatten_all().unwrap().to_vec1().unwrap();
    values[77] = f32::NAN;
    let damaged = Tensor::from_vec(values, tensors[name].dims(), &Device::Cpu).unwrap();
    tensors.insert(name.into(), damaged);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    model_refused(&tiny, "model_nan", "model");
}

#[test]
fn unknown_template() {
    refused_line(
        &Tiny::new(),
        "template_unknown",
        "correct --model model --template alinger --question Why --answer So",
    );
}

#[test]
fn damaged_reference() {
    let tiny = Tiny::new();
    std::fs::copy(crate::program::golden("llama/expected.safetensors"), tiny.path("expected.safetensors")).unwrap();
    truncate(&tiny.path("expected.safetensors"), 0.5);
    refused_line(&tiny, "reference_truncated", "check model --reference expected.safetensors");
    std::fs::copy(tiny.path("model/model.safetensors"), tiny.path("expected.safetensors")).unwrap();
    refused_line(&tiny, "reference_without_input", "check model --reference expected.safetensors");
}
