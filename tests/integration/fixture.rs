//! A tiny model with a tokenizer, as a Hugging Face folder and as GGUF, with triples and a template.
//!
//! The weights are those of `tests/golden/llama`: random, 4 blocks of width 64, 320 tokens, context 256. The tokenizer
//! is a byte-level BPE of 3 special tokens, 256 bytes and 61 merges, so that every id the model can write has a token.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use redline::model::gguf::{GgufArray, GgufTensor, GgufValue, write_gguf};
use redline::model::{Model, Qac};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{golden, succeed};

const SPECIALS: [&str; 3] = ["<pad>", "<s>", "</s>"];
const N_MERGES: usize = 61;
/// Names of llama.cpp for the parts of a block.
const GGUF_PARTS: [(&str, &str); 9] = [
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
];

/// A folder with `model/`, `triples.jsonl` (48 rows) and `template.txt`.
pub struct Tiny {
    folder: TempDir,
}

impl Tiny {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_model(&folder.path().join("model"));
        write_triples(&folder.path().join("triples.jsonl"), &triples(48));
        std::fs::write(folder.path().join("template.txt"), "{instruction}Q: {question}\nA: {answer}\nC:").unwrap();
        Self { folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn load(&self) -> Model {
        Model::load(&self.path("model")).unwrap()
    }

    /// Extracts `vector.safetensors` from the first 24 triples.
    pub fn extract(&self) {
        let args = "extract --model model --template template.txt --data triples.jsonl --pairs 24";
        succeed(self.folder(), &words(args));
    }
}

/// Arguments without quoting.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Distinct triples of about 40 tokens a text.
pub fn triples(n: usize) -> Vec<Qac> {
    let animals = ["cat", "dog", "goat", "hen", "horse", "mole", "owl", "seal"];
    let places = ["barn", "city", "desert", "forest", "garden", "lake", "meadow", "north"];
    let foods = ["bread", "corn", "fish", "grass", "mice", "roots"];
    let flaws = ["dummy, ", "as I said, as I said, ", "well, um, ", "teh answer: "];
    let triple = |i: usize| {
        let (animal, place) = (animals[i % 8], places[(i / 8) % 8]);
        let (food, flaw) = (foods[i % 6], flaws[i % 4]);
        Qac {
            question: format!("What does a {animal} eat in the {place}?"),
            answer: format!("In the {place}, {flaw}it eats {food}"),
            correction: format!("In the {place} a {animal} eats {food}."),
        }
    };
    assert!(n <= 64, "only 64 questions differ");
    (0..n).map(triple).collect()
}

/// Each of 48 triples under another question, and the same with an answer that needs no correction.
pub fn labelled() -> Vec<Qac> {
    let clean = |qac: Qac| Qac { answer: qac.correction.clone(), ..qac };
    let asked = |qac: Qac| Qac { question: format!("Say: {}", qac.question), ..qac };
    triples(48)
        .into_iter()
        .map(asked)
        .collect::<Vec<_>>()
        .into_iter()
        .flat_map(|qac| [qac.clone(), clean(qac)])
        .collect()
}

pub fn write_triples(path: &Path, triples: &[Qac]) {
    let lines: Vec<String> = triples.iter().map(|qac| serde_json::to_string(qac).unwrap() + "\n").collect();
    std::fs::write(path, lines.concat()).unwrap();
}

/// Changes a JSON file.
pub fn edit_json(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    edit(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

fn write_model(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden("llama").join(name), folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("tokenizer.json"), tokenizer_json().to_string()).unwrap();
}

/// The character that stands for a byte in byte-level BPE.
fn byte_symbol(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if printable(byte) {
        return char::from(byte);
    }
    let place = (0..byte).filter(|&other| !printable(other)).count() as u32;
    char::from_u32(256 + place).unwrap()
}

/// Pairs of a consonant and a vowel.
fn merges() -> Vec<[String; 2]> {
    let pairs = "bcdfghlmnprst".chars().flat_map(|c| "aeiou".chars().map(move |v| [c.to_string(), v.to_string()]));
    pairs.take(N_MERGES).collect()
}

fn tokens() -> Vec<String> {
    let specials = SPECIALS.iter().map(|token| (*token).to_string());
    let bytes = (0..=255u8).map(|byte| byte_symbol(byte).to_string());
    specials.chain(bytes).chain(merges().iter().map(|merge| merge.concat())).collect()
}

fn tokenizer_json() -> Value {
    let added = |(id, content): (usize, &&str)| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let vocab: serde_json::Map<String, Value> =
        tokens().into_iter().enumerate().map(|(id, token)| (token, json!(id))).collect();
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": SPECIALS.iter().enumerate().map(added).collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab,
            "merges": merges(),
        },
    })
}

/// Metadata of the model as llama.cpp writes it.
pub fn gguf_metadata() -> Vec<(&'static str, GgufValue)> {
    let n_tokens = tokens().len();
    let types = (0..n_tokens).map(|id| if id < SPECIALS.len() { 3 } else { 1 }).collect();
    let merges = merges().iter().map(|merge| merge.join(" ")).collect();
    let text = |text: &str| GgufValue::String(text.into());
    vec![
        ("general.architecture", text("llama")),
        ("llama.block_count", GgufValue::U32(4)),
        ("llama.context_length", GgufValue::U32(256)),
        ("llama.embedding_length", GgufValue::U32(64)),
        ("llama.feed_forward_length", GgufValue::U32(160)),
        ("llama.attention.head_count", GgufValue::U32(4)),
        ("llama.attention.head_count_kv", GgufValue::U32(2)),
        // f64 where llama.cpp has f32, so that both formats hold the very same number
        ("llama.attention.layer_norm_rms_epsilon", GgufValue::F64(1e-6)),
        ("llama.rope.freq_base", GgufValue::F32(10_000.0)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("gpt-2")),
        ("tokenizer.ggml.tokens", GgufValue::Array(GgufArray::String(tokens()))),
        ("tokenizer.ggml.token_type", GgufValue::Array(GgufArray::I32(types))),
        ("tokenizer.ggml.merges", GgufValue::Array(GgufArray::String(merges))),
        ("tokenizer.ggml.bos_token_id", GgufValue::U32(1)),
        ("tokenizer.ggml.eos_token_id", GgufValue::U32(2)),
        ("tokenizer.ggml.add_bos_token", GgufValue::Bool(false)),
    ]
}

/// Writes the model as one GGUF file.
pub fn write_gguf_model(path: &Path, metadata: &[(&'static str, GgufValue)]) {
    let weights = candle_core::safetensors::load(golden("llama/model.safetensors"), &Device::Cpu).unwrap();
    let mut names: Vec<&String> = weights.keys().collect();
    names.sort();
    let tensor = |name: &&String| {
        let weight = &weights[*name];
        let interleaved = match () {
            () if name.ends_with("q_proj.weight") => interleave(weight, 4),
            () if name.ends_with("k_proj.weight") => interleave(weight, 2),
            () => weight.clone(),
        };
        let data: Vec<f32> = interleaved.flatten_all().unwrap().to_vec1().unwrap();
        (gguf_name(name), interleaved.dims().to_vec(), data)
    };
    let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = names.iter().map(tensor).collect();
    let views: Vec<GgufTensor<'_>> = tensors.iter().map(|(name, dims, data)| GgufTensor { name, dims, data }).collect();
    write_gguf(path, metadata, &views).unwrap();
}

fn gguf_name(name: &str) -> String {
    match name {
        "model.embed_tokens.weight" => "token_embd.weight".into(),
        "model.norm.weight" => "output_norm.weight".into(),
        "lm_head.weight" => "output.weight".into(),
        _ => {
            let part = GGUF_PARTS.iter().find(|(hugging_face, _)| name.contains(hugging_face)).unwrap();
            name.replace("model.layers.", "blk.").replace(part.0, part.1)
        }
    }
}

/// Each head's rows in llama.cpp's order: first half and second half alternate.
pub fn interleave(weight: &Tensor, n_heads: usize) -> Tensor {
    let (rows, columns) = weight.dims2().unwrap();
    let halves = weight.reshape((n_heads, 2, rows / n_heads / 2, columns)).unwrap();
    halves.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, columns)).unwrap()
}

#[test]
fn the_tokenizer_covers_the_vocabulary_and_round_trips() {
    let model = Tiny::new().load();
    let tokenizer = model.tokenizer().unwrap();
    assert_eq!(tokenizer.vocab_size(), model.decoder.config().vocab_size);
    for text in ["banana", "Hé, 日本!\n\tx", "</s>"] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap(), false).unwrap(), text);
    }
    assert_eq!(tokenizer.encode("banana").unwrap().len(), 3, "merges apply");
    assert_eq!(tokenizer.stop_ids(), [2]);
}

#[test]
fn safetensors_and_gguf_give_the_same_output() {
    let tiny = Tiny::new();
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    let gguf = Model::load(&tiny.path("model.gguf")).unwrap();
    let folder = tiny.load();
    let (a, b) = (gguf.decoder.config(), folder.decoder.config());
    assert_eq!(
        (a.context, a.n_kv_heads, a.head_dim, a.vocab_size),
        (b.context, b.n_kv_heads, b.head_dim, b.vocab_size)
    );
    for text in ["What does it eat? 12", "</s>é"] {
        assert_eq!(gguf.tokenizer().unwrap().encode(text).unwrap(), folder.tokenizer().unwrap().encode(text).unwrap());
    }
    let correct = |model: &str| {
        let args = format!(
            "correct --model {model} --template template.txt --data triples.jsonl --max-new-tokens 16 --batch-rows 8"
        );
        succeed(tiny.folder(), &words(&args)).stdout
    };
    let from_gguf = correct("model.gguf");
    assert_eq!(from_gguf, correct("model"));
    assert_eq!(from_gguf.lines().count(), 48);
}
