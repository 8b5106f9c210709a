//! Every family is trained for two steps, written and read again, as a folder, as an adapter and as a GGUF file: the numbers stay.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde_json::{Value, json};

use super::{golden_folder, options, rows, short_template, tokenizer};
use crate::golden_tests::goldens;
use crate::train::export::{
    GgufStored, StoredType, check_gguf, check_hugging_face, export_adapter, export_gguf, export_hugging_face,
    formats_of,
};
use crate::train::*;
use crate::{Adapter, Chunk, Decoder, Error, LoraOptions, Model, ModelConfig, NoHook, Past, RopeScaling, Wanted};

/// More than any window, so that windows matter.
fn logits(decoder: &Decoder) -> Tensor {
    let tokens: Vec<u32> = (0..40).map(|i| (i * 37 + 5) % 300).collect();
    let mut chunks = [Chunk { tokens: &tokens, past: Past::None { row: 0 } }];
    let states = decoder.forward(&mut chunks, &mut NoHook, &Wanted::All).unwrap().unwrap();
    decoder.logits(&states).unwrap()
}

/// Largest difference by the largest magnitude.
fn difference(a: &Tensor, b: &Tensor) -> f32 {
    let largest = |x: Tensor| x.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    largest((a - b).unwrap()) / largest(b.clone())
}

fn trained(folder: &Path, method: Method) -> Parameters {
    let (parameters, _) = Parameters::open(folder, method, 4).unwrap();
    let run = TrainRun {
        parameters: &parameters,
        tokenizer: &tokenizer(),
        template: &short_template(),
        data: TrainData { rows: &rows(8), identity_rows: None, held_out: &[], ..TrainData::default() },
        options: &TrainOptions { n_steps: Some(2), evaluate_every: None, ..options() },
        saving: Saving::default(),
    };
    train(&run, &mut ()).unwrap();
    parameters
}

#[test]
fn a_folder_comes_back() {
    for family in goldens() {
        let folder = tempfile::tempdir().unwrap();
        let base = golden_folder(&family);
        let parameters = trained(&base, Method::Full);
        let live = logits(&parameters.inference_decoder().unwrap());
        assert!(difference(&live, &logits(&Model::load(&base).unwrap().decoder)) > 1e-3, "{family} does not learn");
        check_hugging_face(folder.path(), &parameters, &tokenizer()).unwrap();
        export_hugging_face(folder.path(), &parameters, &tokenizer(), StoredType::F32).unwrap();
        let loaded = Model::load(folder.path()).unwrap();
        let difference = difference(&logits(&loaded.decoder), &live);
        assert!(difference < 1e-5, "{family}: {difference}");
        assert_eq!((loaded.decoder.config(), loaded.warnings.as_slice()), (parameters.config(), &[][..]), "{family}");
        // and names as files of the family have them
        let names = |folder: &Path| -> Vec<String> {
            let file = std::fs::read(folder.join("model.safetensors")).unwrap();
            let mut names: Vec<String> = safetensors::SafeTensors::deserialize(&file)
                .unwrap()
                .names()
                .iter()
                .map(|name| name.to_string())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(folder.path()), names(&base), "{family}");
    }
}

#[test]
fn an_adapter_comes_back() {
    for family in goldens() {
        let folder = tempfile::tempdir().unwrap();
        let base = golden_folder(&family);
        let lora = LoraOptions { rank: 2, ..LoraOptions::default() };
        let parameters = trained(&base, Method::Lora(lora));
        let live = logits(&parameters.inference_decoder().unwrap());
        export_adapter(folder.path(), &parameters, &family, StoredType::F32).unwrap();
        let adapter = Adapter::open(folder.path()).unwrap();
        let loaded = Model::load_with_adapter(&base, &adapter).unwrap();
        let changed = difference(&live, &logits(&Model::load(&base).unwrap().decoder));
        let difference = difference(&logits(&loaded.decoder), &live);
        assert!(changed > 1e-4 && difference < 1e-5, "{family}: {difference} of {changed}");
        let config: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("adapter_config.json")).unwrap()).unwrap();
        let targets: Vec<&str> =
            config["target_modules"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for target in &targets {
            assert!(adapter.layers().any(|layer| layer.ends_with(target)), "{family}: {target}");
        }
        if family == "phi3" {
            assert_eq!(targets, ["o_proj", "down_proj", "qkv_proj", "gate_up_proj"]);
            assert_eq!(adapter.layers().count(), 4 * 4);
        }
    }
}

#[test]
fn a_gguf_file_comes_back() {
    for family in goldens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let parameters = trained(&golden_folder(&family), Method::Full);
        let live = logits(&parameters.inference_decoder().unwrap());
        if family == "smollm3_swa" {
            assert!(check_gguf(&path, &parameters, &tokenizer()).is_err(), "llama.cpp knows no window in this family");
            continue;
        }
        let notes = check_gguf(&path, &parameters, &tokenizer()).unwrap();
        assert_eq!(!notes.is_empty(), family == "mistral_swa", "{family}: {notes:?}");
        export_gguf(&path, &parameters, &tokenizer(), GgufStored::F16).unwrap();
        let loaded = Model::load(&path).unwrap();
        let difference = difference(&logits(&loaded.decoder), &live);
        assert!(difference < 1e-2, "{family}: {difference}");
        assert!(loaded.warnings.is_empty(), "{family}: {:?}", loaded.warnings);
        // from there to a folder, without the base's own files
        if family == "llama3_rope" {
            continue; // config.json cannot say one factor for each frequency
        }
        let (again, _) = Parameters::open(&path, Method::Full, 4).unwrap();
        let written = folder.path().join("again");
        export_hugging_face(&written, &again, &tokenizer(), StoredType::F32).unwrap();
        let config: Value = serde_json::from_slice(&std::fs::read(written.join("config.json")).unwrap()).unwrap();
        // where none is named transformers takes the family's own, which a small vocabulary lacks
        let pad = tokenizer().token_id("<|pad|>");
        assert!(pad.is_some() && config["pad_token_id"] == json!(pad), "{family}: {config}");
        let again = Model::load(&written).unwrap();
        assert!(self::difference(&logits(&again.decoder), &logits(&loaded.decoder)) < 1e-3, "{family}");
        assert!(again.warnings.is_empty(), "{family}: {:?}", again.warnings);
    }
}

/// For `scripts/check_gguf_families.py`: every golden as a GGUF file, in the folder that `REDLINE_EXPORT` names.
#[test]
#[ignore = "writes for another program"]
fn write_for_llama_cpp() {
    let folder = PathBuf::from(std::env::var_os("REDLINE_EXPORT").expect("REDLINE_EXPORT names a folder"));
    for family in goldens() {
        let (parameters, _) = Parameters::open(&golden_folder(&family), Method::Full, 4).unwrap();
        let path = folder.join(format!("{family}.gguf"));
        if check_gguf(&path, &parameters, &tokenizer()).is_ok() {
            export_gguf(&path, &parameters, &tokenizer(), GgufStored::F16).unwrap();
        }
    }
}

#[test]
fn parts_of_a_fused_layer_are_refused_without_the_others() {
    let open = |targets: &[&str]| {
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        let lora = LoraOptions { rank: 2, targets, ..LoraOptions::default() };
        Parameters::open(&golden_folder("phi3"), Method::Lora(lora), 1)
            .map(|(parameters, _)| parameters.trained().len())
    };
    assert_eq!(open(&["qkv_proj"]).unwrap(), 2 * 4);
    assert_eq!(open(&["q_proj", "k_proj", "v_proj", "o_proj"]).unwrap(), 4 * 4);
    assert!(matches!(open(&["q_proj"]).unwrap_err(), Error::TrainOption { .. }));
}

/// An adapter with the names of other families is refused, not half loaded.
#[test]
fn adapters_with_names_that_a_model_does_not_have_are_refused() {
    let adapter = Adapter::open(&golden_folder("lora")).unwrap();
    let error = Model::load_with_adapter(&golden_folder("phi3"), &adapter).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Adapter { .. }), "{error}");
}

/// A golden folder with files of a tokenizer beside it.
fn with_files(folder: &Path, config: impl FnOnce(&mut Value)) -> PathBuf {
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden_folder("llama").join(name), folder.join(name)).unwrap();
    }
    let mut value: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    config(&mut value);
    std::fs::write(folder.join("config.json"), value.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer().to_json().unwrap()).unwrap();
    folder.to_path_buf()
}

#[test]
fn what_lies_beside_the_weights_is_passed_on() {
    let (base, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    with_files(base.path(), |config| config["pad_token_id"] = json!(5));
    let kept = [
        ("generation_config.json", json!({ "eos_token_id": [2, 7, 9], "pad_token_id": 5 }).to_string()),
        ("tokenizer_config.json", json!({ "eos_token": "<|endoftext|>", "pad_token": "a" }).to_string()),
        ("special_tokens_map.json", json!({ "pad_token": "a" }).to_string()),
        ("chat_template.jinja", "{{ messages }}".into()),
    ];
    for (name, text) in &kept {
        std::fs::write(base.path().join(name), text).unwrap();
    }
    let (parameters, tokenizer) = Parameters::open(base.path(), Method::Full, 4).unwrap();
    export_hugging_face(out.path(), &parameters, &tokenizer.unwrap(), StoredType::Bf16).unwrap();
    for (name, text) in &kept {
        assert_eq!(std::fs::read_to_string(out.path().join(name)).unwrap(), *text, "{name}");
    }
    let config: Value = serde_json::from_slice(&std::fs::read(out.path().join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["pad_token_id"], &config["dtype"]), (&json!(5), &json!("bfloat16")));
    let stop = |folder: &Path| Model::load(folder).unwrap().tokenizer.unwrap().stop_ids().to_vec();
    assert_eq!(stop(out.path()), stop(base.path()));
    assert!([2, 7, 9].iter().all(|id| stop(out.path()).contains(id)));
}

#[test]
fn a_tokenizer_of_a_gguf_file_is_passed_on_with_its_pad_and_end_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first.gguf", "second.gguf"].map(|name| folder.path().join(name));
    let parameters = Parameters::from_scratch(ModelConfig::llama([310, 32, 64, 2, 4], 256), 8).unwrap();
    export_gguf(&first, &parameters, &tokenizer(), GgufStored::F16).unwrap();
    let (parameters, tokenizer) = Parameters::open(&first, Method::Full, 4).unwrap();
    export_gguf(&second, &parameters, &tokenizer.unwrap(), GgufStored::F16).unwrap();
    let metadata = |path: &Path| -> Vec<(String, crate::gguf::GgufValue)> {
        let file = crate::gguf::GgufFile::open(path).unwrap();
        let own = file.metadata().filter(|(key, _)| key.starts_with("tokenizer."));
        own.map(|(key, value)| (key.to_owned(), value.clone())).collect()
    };
    assert_eq!(metadata(&first), metadata(&second));
    assert!(metadata(&first).iter().any(|(key, _)| key == "tokenizer.ggml.padding_token_id"));
}

#[test]
fn what_a_format_cannot_say_is_refused_before_training() {
    let open = |change: &dyn Fn(&mut ModelConfig)| {
        let mut config = ModelConfig::llama([310, 32, 64, 2, 4], 256);
        change(&mut config);
        Parameters::from_scratch(config, 8).unwrap()
    };
    let refused = |parameters: &Parameters| {
        let gguf = check_gguf(Path::new("x.gguf"), parameters, &tokenizer()).unwrap_err();
        assert!(matches!(gguf, Error::Request { .. }) && gguf.hint().is_some(), "{gguf}");
        assert!(!formats_of(parameters.config(), true).contains(&"GGUF"));
    };
    refused(&open(&|config| config.attention_softcap = Some(9.0)));
    refused(&open(&|config| (config.architecture, config.mlp_bias) = ("qwen3".into(), true)));
    refused(&open(&|config| config.windows[0] = Some(5)));
    refused(&open(&|config| config.unrotated_layers = vec![1]));
    refused(&open(&|config| config.residual_scale = 0.5));
    refused(&open(&|config| config.logit_divisor = 2.0));
    refused(&open(&|config| {
        (config.architecture, config.unrotated_layers) = ("smollm3".into(), vec![1]); // llama.cpp: every fourth
    }));
    let factors = || RopeScaling::Factors { factors: vec![2.0; 4], attention_factor: 1.5 };
    let stretched = open(&|config| config.rope_scaling = factors());
    refused(&stretched);
    assert!(check_hugging_face(Path::new("x"), &stretched, &tokenizer()).is_err());
    assert_eq!(formats_of(stretched.config(), false), ["PEFT"]);
    let written = open(&|config| config.rope_scaling = RopeScaling::Linear { factor: 2.0 });
    assert_eq!(formats_of(written.config(), false), ["Hugging Face", "PEFT", "GGUF"]);
}
