//! What was written comes back, here and in other programs.

use super::{rows, tiny_config, tokenizer};
use crate::train::export::{GgufStored, StoredType, export_adapter, export_gguf, export_hugging_face};
use crate::train::*;
use crate::{Chunk, Decoder, LoraOptions, Model, NoHook, Past, RopeScaling, Wanted};

const TOKENS: [u32; 6] = [5, 7, 9, 30, 200, 258];

fn logits(decoder: &Decoder) -> Vec<Vec<f32>> {
    let mut chunks = [Chunk { tokens: &TOKENS, past: Past::None { row: 0 } }];
    let states = decoder.forward(&mut chunks, &mut NoHook, &Wanted::All).unwrap().unwrap();
    decoder.logits(&states).unwrap().to_vec2().unwrap()
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn gguf_files_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aligner.gguf");
    for tie_embeddings in [true, false] {
        let config = crate::ModelConfig { tie_embeddings, ..tiny_config(310) };
        let parameters = Parameters::from_scratch(config, 8).unwrap();
        let tokenizer = tokenizer();
        let reference = logits(&parameters.inference_decoder().unwrap());
        let largest = reference.iter().flatten().fold(0f32, |max, x| max.max(x.abs()));
        for (stored, tolerance) in [(GgufStored::F16, 2e-3), (GgufStored::Q8_0, 2e-2)] {
            export_gguf(&path, &parameters, &tokenizer, stored).unwrap();
            let model = Model::load(&path).unwrap();
            let difference = largest_difference(&logits(&model.decoder), &reference) / largest;
            assert!(difference < tolerance, "{stored:?}: {difference}");
            let loaded = model.tokenizer().unwrap();
            assert_eq!((loaded.eos_id(), loaded.stop_ids()), (Some(0), &[0][..]));
            for text in rows(5).iter().map(|row| row.correction.as_str()).chain(["1997 ü\n\t<|endoftext|>"]) {
                assert_eq!(loaded.encode(text).unwrap(), tokenizer.encode(text).unwrap());
            }
        }
    }
}

#[test]
fn what_gguf_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let factors = RopeScaling::Factors { factors: vec![2.0; 4], attention_factor: 1.5 };
    let config = crate::ModelConfig { rope_scaling: factors, ..tiny_config(310) };
    let parameters = Parameters::from_scratch(config, 8).unwrap();
    let error = export_gguf(&folder.path().join("x.gguf"), &parameters, &tokenizer(), GgufStored::F16).unwrap_err();
    assert!(matches!(error, crate::Error::Request { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn f16_refuses_what_it_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = Parameters::from_scratch(tiny_config(300), 8).unwrap();
    let variable = &parameters.trained()[0].variable;
    variable.set(&(variable.as_detached_tensor() * 1e8).unwrap()).unwrap();
    let export = |stored| export_hugging_face(folder.path(), &parameters, &tokenizer(), stored);
    assert!(matches!(export(StoredType::F16).unwrap_err(), crate::Error::TensorNotFinite { .. }));
    export(StoredType::Bf16).unwrap();
}

/// Writes a model, an adapter and their logits for scripts/check_export.py, which loads them in Python.
#[test]
#[ignore = "writes for another program"]
fn write_for_python() {
    let folder = std::path::PathBuf::from(std::env::var("REDLINE_EXPORT").unwrap());
    let tokenizer = tokenizer();
    let scratch = Parameters::from_scratch(tiny_config(310), 8).unwrap();
    export_hugging_face(&folder.join("model"), &scratch, &tokenizer, StoredType::F32).unwrap();
    export_gguf(&folder.join("model-f16.gguf"), &scratch, &tokenizer, GgufStored::F16).unwrap();
    export_gguf(&folder.join("model-q8_0.gguf"), &scratch, &tokenizer, GgufStored::Q8_0).unwrap();
    let lora = Method::Lora(LoraOptions { rank: 2, ..LoraOptions::default() });
    let (adapted, _) = Parameters::open(&folder.join("model"), lora, 4).unwrap();
    for parameter in adapted.trained() {
        let value = (parameter.variable.as_detached_tensor() + 0.05).unwrap();
        parameter.variable.set(&value).unwrap();
    }
    export_adapter(&folder.join("adapter"), &adapted, "model", StoredType::F32).unwrap();
    let text = "How do I make tea in 1997?";
    let expected = serde_json::json!({
        "tokens": TOKENS,
        "logits": logits(&scratch.inference_decoder().unwrap()),
        "adapter_logits": logits(&adapted.inference_decoder().unwrap()),
        "text": text,
        "text_ids": tokenizer.encode(text).unwrap(),
    });
    std::fs::write(folder.join("expected.json"), expected.to_string()).unwrap();
}
