//! Damaged files: whatever bytes they hold, every reader ends with an error or a value, soon and without a panic.
//!
//! Here in one process, by the library; the number of tries is bounded, and `REDLINE_FUZZ_SECONDS=600 cargo test --release fuzz` goes
//! on for so long, with seeds that go on from run to run. `program` does the same to the program, every verb of it, and measures memory:
//! `scripts/fuzz.sh`.

mod damage;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod program;

use std::path::Path;
use std::time::{Duration, Instant};

use redline::data::{Need, ReadOptions, read_data};
use redline::model::gguf::{GgufArray, GgufFile, GgufValue};
use redline::model::qac::{read_qac, read_questions};
use redline::model::summary::ModelSummary;
use redline::model::{Adapter, AlignerTemplate, Model, ModelConfig, Tokenizer};
use redline::probe::Reading;
use redline::profile::Profile;
use redline::steer::control_file::read_control_vector;
use redline::steer::read_sweep;
use serde_json::json;

use crate::fixture::{Tiny, gguf_metadata, triples, write_gguf_model, write_triples};
use crate::program::golden;
use damage::{Random, damaged};

/// Tries a reader, where no time is given.
const TRIES: u64 = 300;
/// A try that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(20);

/// Damages a file, reads it, again and again; then puts it back.
fn torment(path: &Path, name: &str, read: &dyn Fn() -> bool) {
    let original = std::fs::read(path).unwrap();
    assert!(read(), "{name}: the file itself is read");
    let seconds = std::env::var("REDLINE_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let (start, first) = (Instant::now(), seconds.map_or(0, |_: u64| std::process::id().into()));
    let mut refused = 0u64;
    for seed in 0.. {
        match seconds {
            None if seed >= TRIES => break,
            Some(seconds) if start.elapsed() > Duration::from_secs(seconds) => break,
            _ => {}
        }
        std::fs::write(path, damaged(&original, &mut Random(first + seed))).unwrap();
        let began = Instant::now();
        refused += u64::from(!read());
        assert!(began.elapsed() < LONGEST, "{name}, seed {}: {:?}", first + seed, began.elapsed());
    }
    assert!(refused > 0, "{name}: no damage was noticed");
    std::fs::write(path, original).unwrap();
}

fn write_gzip(from: &Path, to: &Path) {
    let mut encoder = flate2::write::GzEncoder::new(std::fs::File::create(to).unwrap(), flate2::Compression::fast());
    std::io::copy(&mut std::fs::File::open(from).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
}

/// The tiny model with pieces and scores, as SentencePiece models are in GGUF.
fn write_piece_model(path: &Path) {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    tokens.extend((0..=255u8).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend("▁abcdefghijklmnopqrstuvwxyz".chars().map(String::from));
    let pairs = "aeiou".chars().flat_map(|a| "lnrst".chars().map(move |b| format!("{a}{b}")));
    tokens.extend(pairs);
    tokens.resize_with(320, String::new);
    (0..tokens.len()).filter(|i| tokens[*i].is_empty()).collect::<Vec<_>>().into_iter().for_each(|i| {
        tokens[i] = format!("▁x{i}");
    });
    let mut metadata = gguf_metadata();
    metadata.retain(|(key, _)| !key.starts_with("tokenizer."));
    let scores = (0..tokens.len()).map(|i| -(i as f32)).collect();
    metadata.extend([
        ("tokenizer.ggml.model", GgufValue::String("llama".into())),
        ("tokenizer.ggml.tokens", GgufValue::Array(GgufArray::String(tokens))),
        ("tokenizer.ggml.scores", GgufValue::Array(GgufArray::F32(scores))),
        ("tokenizer.ggml.bos_token_id", GgufValue::U32(1)),
        ("tokenizer.ggml.eos_token_id", GgufValue::U32(2)),
    ]);
    write_gguf_model(path, &metadata);
}

/// Texts of tokenizer.json with every kind of step and model.
fn tokenizers() -> Vec<(&'static str, String)> {
    let tiny = Tiny::new();
    let byte_level = std::fs::read_to_string(tiny.path("model/tokenizer.json")).unwrap();
    let case = crate::program::repository().join("tests/cases/stream-byte-fallback/model/tokenizer.json");
    let added = json!({"id": 3, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": true});
    let split =
        |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    let unigram = json!({
        "version": "1.0", "added_tokens": [added],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, {"type": "StripAccents"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split(r"\s+(?!\S)|\d{1,3}"), {"type": "Punctuation", "behavior": "Isolated"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [3], "tokens": ["<s>"]}}},
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["<s>", 0.0], ["it", -4.0]]}
    });
    let word_piece = json!({
        "version": "1.0", "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "it": 1, "a": 2, "##a": 3, "!": 4}}
    });
    vec![
        ("byte-level BPE", byte_level),
        ("byte fallback", std::fs::read_to_string(case).unwrap()),
        ("unigram", unigram.to_string()),
        ("word pieces", word_piece.to_string()),
    ]
}

#[test]
fn fuzz_gguf_models() {
    let tiny = Tiny::new();
    let path = tiny.path("model.gguf");
    write_gguf_model(&path, &gguf_metadata());
    torment(&path, "GGUF", &|| GgufFile::open(&path).is_ok());
    torment(&path, "GGUF summary", &|| ModelSummary::read(&path).is_ok());
    torment(&path, "GGUF model", &|| Model::load(&path).is_ok());
    write_piece_model(&path);
    torment(&path, "GGUF of pieces", &|| {
        ModelSummary::read(&path).is_ok_and(|summary| summary.tokenizer.is_some_and(|t| t.is_ok()))
    });
}

#[test]
fn fuzz_hugging_face_models() {
    let tiny = Tiny::new();
    let (folder, weights) = (tiny.path("model"), tiny.path("model/model.safetensors"));
    torment(&weights, "safetensors", &|| Model::load(&folder).is_ok());
    let config = tiny.path("model/config.json");
    torment(&config, "config.json", &|| ModelConfig::from_hugging_face(&config).is_ok());
    torment(&config, "config.json of a folder", &|| ModelSummary::read(&folder).is_ok());
    let tokenizer = tiny.path("model/tokenizer.json");
    let settings = json!({"eos_token": "</s>", "bos_token": {"content": "<s>"}, "add_bos_token": true, "chat_template": "{{ x }}"});
    std::fs::write(tiny.path("model/tokenizer_config.json"), settings.to_string()).unwrap();
    std::fs::write(tiny.path("model/generation_config.json"), r#"{"eos_token_id": [1, 2], "bos_token_id": 1}"#)
        .unwrap();
    for name in ["tokenizer_config.json", "generation_config.json"] {
        torment(&tiny.path("model").join(name), name, &|| Tokenizer::from_file(&tokenizer).is_ok());
    }
    torment(&tokenizer, "tokenizer.json", &|| Tokenizer::from_file(&tokenizer).is_ok());
}

#[test]
fn fuzz_tokenizers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let read = || {
        let Ok(tokenizer) = Tokenizer::from_file(&path) else { return false };
        let Ok(ids) = tokenizer.encode("Hé, 日本!\n\t it is  <s> 1234 aaaaaaaaaaaaaaaa") else { return false };
        let mut stream = tokenizer.stream(false);
        let pieces: Option<String> = ids.iter().map(|id| stream.push(*id).ok()).collect();
        let streamed = pieces.and_then(|text| Some(text + &stream.finish().ok()?));
        assert_eq!(streamed, tokenizer.decode(&ids, false).ok());
        streamed.is_some()
    };
    for (name, text) in tokenizers() {
        std::fs::write(&path, text).unwrap();
        torment(&path, name, &read);
    }
}

#[test]
fn fuzz_templates() {
    let tiny = Tiny::new();
    let path = tiny.path("template.txt");
    let name = path.display().to_string();
    torment(&path, "template", &|| AlignerTemplate::by_name_or_file(&name).is_ok());
}

#[test]
fn fuzz_adapters() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(golden("lora").join(name), folder.path().join(name)).unwrap();
    }
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        torment(&folder.path().join(name), name, &|| Adapter::open(folder.path()).is_ok());
    }
}

#[test]
fn fuzz_vectors() {
    let tiny = Tiny::new();
    tiny.extract();
    let path = tiny.path("vector.safetensors");
    torment(&path, "reading vector", &|| Reading::load(&path).is_ok());
    let control = tiny.path("control.gguf");
    std::fs::copy(golden("control_vector.gguf"), &control).unwrap();
    torment(&control, "control vector", &|| read_control_vector(&control).is_ok());
}

#[test]
fn fuzz_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    write_triples(&path, &triples(8));
    torment(&path, "triples", &|| read_qac(&path).is_ok());
    torment(&path, "questions", &|| read_questions(&path).is_ok());
    torment(&path, "rows of any kind", &|| read_data(&path, &ReadOptions::new(Need::Answer)).is_ok());
    let array = folder.path().join("rows.json");
    std::fs::write(&array, serde_json::to_string_pretty(&triples(8)).unwrap()).unwrap();
    torment(&array, "array", &|| read_qac(&array).is_ok());
    let gzip = folder.path().join("rows.jsonl.gz");
    write_gzip(&path, &gzip);
    torment(&gzip, "gzip", &|| read_qac(&gzip).is_ok());
}

#[test]
fn fuzz_sweeps_and_profiles() {
    let tiny = crate::bad_input::tuned();
    let sweep = tiny.path("sweep.jsonl");
    torment(&sweep, "sweep", &|| read_sweep(&sweep).is_ok());
    let profile = tiny.path("profiles/mine.json");
    torment(&profile, "profile", &|| Profile::load(&profile).is_ok());
}
