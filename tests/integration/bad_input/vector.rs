//! Vectors of another model, of another size, of another kind.

use redline::model::gguf::{GgufTensor, GgufValue, write_gguf};
use redline::probe::Reading;

use super::*;
use crate::program::{golden, succeed};

const CORRECT: &str = "correct --model model --template template.txt --question Why --answer So --max-new-tokens 4 \
                       --coefficient 1 --vector";

fn scan(tiny: &Tiny, name: &str, more: &str) {
    let line = "scan --model model --template template.txt --data triples.jsonl --vector vector.safetensors";
    refused_line(tiny, name, &format!("{line} {more}"));
}

/// A vector whose provenance was changed.
fn edited(change: impl FnOnce(&mut Reading)) -> Tiny {
    let tiny = Tiny::new();
    tiny.extract();
    let path = tiny.path("vector.safetensors");
    let mut reading = Reading::load(&path).unwrap();
    change(&mut reading);
    reading.save(&path).unwrap();
    tiny
}

fn write_control(path: &Path, architecture: &str, name: &str, values: &[f32]) {
    let metadata = [
        ("general.architecture", GgufValue::String(architecture.into())),
        ("controlvector.layer_count", GgufValue::U32(1)),
    ];
    write_gguf(path, &metadata, &[GgufTensor { name, dims: &[values.len()], data: values }]).unwrap();
}

#[test]
fn of_another_model() {
    let tiny = edited(|reading| reading.provenance.model_hash = "0123456789abcdef".repeat(4));
    refused_line(&tiny, "vector_other_model", &format!("{CORRECT} vector.safetensors"));
    scan(&tiny, "vector_other_model", "");
    succeed(tiny.folder(), &words(&format!("{CORRECT} vector.safetensors --any-model")));
}

#[test]
fn of_another_depth() {
    let deeper = || edited(|reading| reading.provenance.n_layers = 8);
    refused_line(&deeper(), "vector_other_depth", &format!("{CORRECT} vector.safetensors"));
    // no flag makes a vector fit that does not
    refused_line(&deeper(), "vector_other_depth", &format!("{CORRECT} vector.safetensors --any-model"));
    scan(&deeper(), "vector_other_depth", "--any-model");
}

#[test]
fn of_another_width() {
    let tiny = edited(|reading| {
        reading.provenance.hidden_size = 32;
        for layer in &mut reading.layers {
            layer.direction = [vec![1.0], vec![0.0; 31]].concat();
            layer.centre.truncate(32);
        }
    });
    refused_line(&tiny, "vector_other_width", &format!("{CORRECT} vector.safetensors"));
    refused_line(&tiny, "vector_other_width", &format!("{CORRECT} vector.safetensors --any-model"));
}

#[test]
fn gguf_of_another_width() {
    let tiny = Tiny::new();
    write_control(&tiny.path("vector.gguf"), "controlvector", "direction.1", &[0.5; 32]);
    refused_line(&tiny, "vector_gguf_other_width", &format!("{CORRECT} vector.gguf"));
}

#[test]
fn gguf_of_another_depth() {
    let tiny = Tiny::new();
    write_control(&tiny.path("vector.gguf"), "controlvector", "direction.4", &[0.5; 64]);
    refused_line(&tiny, "vector_gguf_other_depth", &format!("{CORRECT} vector.gguf"));
}

#[test]
fn gguf_that_is_a_model() {
    let tiny = Tiny::new();
    write_control(&tiny.path("vector.gguf"), "llama", "direction.1", &[0.5; 64]);
    refused_line(&tiny, "vector_gguf_model", &format!("{CORRECT} vector.gguf"));
}

#[test]
fn gguf_with_a_value_that_is_not_finite() {
    let tiny = Tiny::new();
    write_control(&tiny.path("vector.gguf"), "controlvector", "direction.1", &[f32::INFINITY; 64]);
    refused_line(&tiny, "vector_gguf_infinite", &format!("{CORRECT} vector.gguf"));
}

#[test]
fn missing() {
    refused_line(&Tiny::new(), "vector_missing", &format!("{CORRECT} no-such-vector.safetensors"));
}

#[test]
fn text_file() {
    refused_line(&Tiny::new(), "vector_text_file", &format!("{CORRECT} triples.jsonl"));
}

#[test]
fn safetensors_without_directions() {
    let tiny = Tiny::new();
    std::fs::copy(golden("control_vector.safetensors"), tiny.path("other.safetensors")).unwrap();
    refused_line(&tiny, "vector_other_safetensors", &format!("{CORRECT} other.safetensors"));
}

#[test]
fn truncated() {
    let tiny = Tiny::new();
    tiny.extract();
    let bytes = std::fs::read(tiny.path("vector.safetensors")).unwrap();
    std::fs::write(tiny.path("vector.safetensors"), &bytes[..bytes.len() - 100]).unwrap();
    refused_line(&tiny, "vector_truncated", &format!("{CORRECT} vector.safetensors"));
}

#[test]
fn layers_that_it_does_not_have() {
    let tiny = Tiny::new();
    tiny.extract();
    refused_line(&tiny, "vector_layers", &format!("{CORRECT} vector.safetensors --layers 2-9"));
    write_control(&tiny.path("vector.gguf"), "controlvector", "direction.1", &[0.5; 64]);
    refused_line(&tiny, "vector_gguf_layers", &format!("{CORRECT} vector.gguf --layers 2"));
}

#[test]
fn that_touches_nothing() {
    let tiny = Tiny::new();
    tiny.extract();
    let line = format!("{CORRECT} vector.safetensors --range 200..210");
    let ran = run(tiny.folder(), &words(&line));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("the control vector touched nothing"), "{}", ran.stderr);
}

#[test]
fn scan_by_a_control_vector() {
    let tiny = Tiny::new();
    succeed(
        tiny.folder(),
        &words("extract --model model --template template.txt --data triples.jsonl --pairs 24 --gguf vector.gguf"),
    );
    let line = "scan --model model --template template.txt --data triples.jsonl --vector vector.gguf";
    refused_line(&tiny, "vector_scan_by_gguf", line);
}

#[test]
fn scan_without_calibration() {
    let tiny = edited(|reading| reading.calibration = None);
    scan(&tiny, "vector_no_calibration", "");
}
