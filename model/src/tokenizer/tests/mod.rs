//! Tokenizers as a whole: against a reference, against files with faults, and piece by piece.

mod decoders;
mod sentence_pieces;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::AlignerTemplate;
use crate::gguf::{GgufArray, GgufValue, encode_gguf};

/// The real model's file; the tests that need it say so loudly and pass when it is absent.
fn smollm2() -> Option<Tokenizer> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let default = root.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let path = std::env::var_os("REDLINE_SMOLLM2").map_or(default, PathBuf::from);
    if !path.exists() {
        eprintln!("NOT TESTED: {} is absent; set REDLINE_SMOLLM2 or run scripts/fetch-smollm2.sh", path.display());
        return None;
    }
    Some(Tokenizer::from_gguf(&GgufFile::open(&path).unwrap()).unwrap())
}

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/smollm2").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// The 256 characters that stand for bytes, in the order of the bytes.
fn byte_characters() -> Vec<String> {
    let mut others = 256u32..;
    let mut character = |byte: u8| {
        let code = match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => u32::from(byte),
            _ => others.next().unwrap(),
        };
        char::from_u32(code).unwrap().to_string()
    };
    (0..=255u8).map(&mut character).collect()
}

/// A tokenizer of bytes with a few merges and special tokens: 259 `<|im_end|>`, 260 a user-defined token, 261 `<bos>`.
fn tiny_metadata() -> Vec<(&'static str, GgufValue)> {
    let mut tokens = byte_characters();
    tokens.extend(["he", "12", "Ġhe", "<|im_end|>", "[user]", "<bos>"].map(String::from));
    let mut types = vec![1i32; tokens.len()];
    types[259..].copy_from_slice(&[3, 4, 3]);
    let merges = ["h e", "1 2", "Ġ he"].map(String::from).to_vec();
    vec![
        ("tokenizer.ggml.model", "gpt2".into()),
        ("tokenizer.ggml.pre", "gpt-2".into()),
        ("tokenizer.ggml.tokens", GgufValue::Array(GgufArray::String(tokens))),
        ("tokenizer.ggml.token_type", GgufValue::Array(GgufArray::I32(types))),
        ("tokenizer.ggml.merges", GgufValue::Array(GgufArray::String(merges))),
        ("tokenizer.ggml.bos_token_id", 261.into()),
        ("tokenizer.ggml.eos_token_id", 259.into()),
        ("tokenizer.ggml.add_bos_token", GgufValue::Bool(true)),
        ("tokenizer.chat_template", "{{ messages }}".into()),
    ]
}

fn build(metadata: &[(&str, GgufValue)]) -> Result<Tokenizer> {
    let file = GgufFile::from_bytes(Path::new("x.gguf"), &encode_gguf(metadata, &[]).unwrap()).unwrap();
    Tokenizer::from_gguf(&file)
}

fn tiny() -> Tokenizer {
    build(&tiny_metadata()).unwrap()
}

fn tiny_with(key: &'static str, value: Option<GgufValue>) -> Result<Tokenizer> {
    let mut metadata = tiny_metadata();
    metadata.retain(|(other, _)| *other != key);
    metadata.extend(value.map(|value| (key, value)));
    build(&metadata)
}

fn strings<const N: usize>(values: [&str; N]) -> Option<GgufValue> {
    Some(GgufValue::Array(GgufArray::String(values.map(String::from).to_vec())))
}

#[test]
fn smollm2_equals_the_reference_tokenizer() {
    let Some(tokenizer) = smollm2() else { return };
    let cases = golden("tokenizer.json");
    assert_eq!(cases.as_array().unwrap().len(), 12);
    for case in cases.as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let encoded = tokenizer.encode(text).unwrap();
        assert_eq!(encoded, ids(&case["ids"]), "{text:?}");
        assert_eq!(tokenizer.decode(&encoded, false).unwrap(), case["decoded"].as_str().unwrap());
        assert_eq!(stream_all(&tokenizer, &encoded), case["decoded"].as_str().unwrap());
        assert_eq!(tokenizer.encode_prompt(text).unwrap(), encoded, "the file asks for no bos");
    }
    for case in golden("greedy.json").as_array().unwrap() {
        assert_eq!(tokenizer.encode(case["prompt"].as_str().unwrap()).unwrap(), ids(&case["ids"]));
        assert_eq!(tokenizer.decode(&ids(&case["greedy"]), false).unwrap(), case["text"].as_str().unwrap());
    }
}

#[test]
fn smollm2_knows_its_special_tokens() {
    let Some(tokenizer) = smollm2() else { return };
    assert_eq!(tokenizer.vocab_size(), 49152);
    assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.eot_id()), (Some(1), Some(2), None));
    assert!(!tokenizer.adds_bos());
    assert_eq!(tokenizer.stop_ids(), [0, 2]);
    assert_eq!(tokenizer.token_id("<|im_start|>"), Some(1));
    assert!(tokenizer.chat_template().unwrap().contains("SmolLM"));
    assert_eq!(tokenizer.decode(&[1, 4093, 2], true).unwrap(), "user");
    assert_eq!(tokenizer.token_text(1792).unwrap(), "·x");
    assert_eq!(tokenizer.token_text(198).unwrap(), "↵");
    assert_eq!(tokenizer.token_text(2).unwrap(), "<|im_end|>");
}

fn stream_all(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = tokenizer.stream(false);
    let mut text: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
    text += &stream.finish().unwrap();
    text
}

#[test]
fn merges_and_special_tokens_are_applied() {
    let tokenizer = tiny();
    assert_eq!(tokenizer.encode("he he").unwrap(), [256, 258]);
    assert_eq!(tokenizer.encode("he<|im_end|>he[user]").unwrap(), [256, 259, 256, 260]);
    assert_eq!(tokenizer.decode(&[256, 259, 260], false).unwrap(), "he<|im_end|>[user]");
    assert_eq!(tokenizer.decode(&[256, 259, 260], true).unwrap(), "he[user]");
    assert_eq!(tokenizer.stop_ids(), [259]);
    assert_eq!(tokenizer.chat_template(), Some("{{ messages }}"));
}

#[test]
fn a_prompt_begins_with_bos_once_and_only_when_asked_for() {
    assert_eq!(tiny().encode_prompt("he").unwrap(), [261, 256]);
    assert_eq!(tiny().encode_prompt("<bos>he").unwrap(), [261, 256]);
    assert_eq!(tiny().encode_prompt("").unwrap(), [261]);
    assert_eq!(tiny().encode("he").unwrap(), [256]);
    let silent = tiny_with("tokenizer.ggml.add_bos_token", None).unwrap();
    assert_eq!(silent.encode_prompt("he").unwrap(), [256]);
    let no_bos = tiny_with("tokenizer.ggml.bos_token_id", None).unwrap();
    assert_eq!((no_bos.adds_bos(), no_bos.encode_prompt("he").unwrap()), (false, vec![256]));
}

/// Pieces of a text as each named pre-tokenizer cuts it, seen through single-byte tokens joined by merges of everything in it.
fn digits_joined(pre: &str) -> bool {
    let tokenizer = tiny_with("tokenizer.ggml.pre", Some(pre.into())).unwrap();
    tokenizer.encode("12").unwrap() == [257]
}

#[test]
fn pre_tokenizers_differ_as_their_names_say() {
    assert!(!digits_joined("smollm") && !digits_joined("qwen2"), "single digits");
    assert!(digits_joined("gpt-2") && digits_joined("default") && digits_joined("llama-bpe"), "runs of digits");
    let llama = tiny_with("tokenizer.ggml.pre", Some("llama-bpe".into())).unwrap();
    assert_eq!(llama.encode("1212").unwrap().len(), 3, "groups of three digits: 12, 1, 2");
    assert_eq!(tiny().encode("1212").unwrap(), [257, 257]);
    let composed = tiny_with("tokenizer.ggml.pre", Some("qwen2".into())).unwrap();
    assert_eq!(composed.encode("e\u{301}").unwrap(), [0xc3, 0xa9], "qwen2 composes characters");
    let absent = tiny_with("tokenizer.ggml.add_bos_token", None).unwrap();
    assert!(!absent.adds_bos());
}

#[test]
fn errors_name_what_is_wrong() {
    let message = |key, value| tiny_with(key, value).unwrap_err().to_string();
    let pre = message("tokenizer.ggml.pre", Some("falcon".into()));
    assert!(pre.starts_with("x.gguf: tokenizer: `tokenizer.ggml.pre` is `falcon`; supported: smollm, gpt-2"), "{pre}");
    assert_eq!(message("tokenizer.ggml.pre", None), "x.gguf: tokenizer: `tokenizer.ggml.pre` is missing");
    assert!(
        message("tokenizer.ggml.model", Some("bert".into()))
            .contains("`tokenizer.ggml.model` is `bert`; `gpt2` (byte-level BPE) and `llama`")
    );
    assert!(message("tokenizer.ggml.model", None).contains("`tokenizer.ggml.model` is missing"));
    assert!(message("tokenizer.ggml.tokens", None).contains("`tokenizer.ggml.tokens` is missing or empty"));
    assert!(
        message("tokenizer.ggml.tokens", strings(["a", "b", "a"]))
            .contains("`tokenizer.ggml.bos_token_id` is no token id below 3")
    );
    assert!(message("tokenizer.ggml.merges", None).contains("`tokenizer.ggml.merges` is missing"));
    assert!(message("tokenizer.ggml.merges", strings(["he"])).contains("merge 0, `he`, is not two tokens"));
    assert!(
        message("tokenizer.ggml.merges", strings(["h e", "x y"]))
            .contains("merge 1, `x y`, uses `xy`, which is no token")
    );
    assert!(
        message("tokenizer.ggml.eos_token_id", Some("x".into()))
            .contains("`tokenizer.ggml.eos_token_id` is no token id below 262")
    );
    let types = Some(GgufValue::Array(GgufArray::I32(vec![1])));
    assert!(message("tokenizer.ggml.token_type", types).contains("1 token types for 262 tokens"));
}

#[test]
fn repeated_tokens_are_refused() {
    let tokens = GgufArray::String(["a", "b", "a"].map(String::from).to_vec());
    let metadata = [
        ("tokenizer.ggml.model", "gpt2".into()),
        ("tokenizer.ggml.pre", "gpt-2".into()),
        ("tokenizer.ggml.tokens", GgufValue::Array(tokens)),
    ];
    assert_eq!(build(&metadata).unwrap_err().to_string(), "x.gguf: tokenizer: tokens 0 and 2 are both `a`");
}

#[test]
fn an_id_without_a_token_has_no_text() {
    assert_eq!(tiny().decode(&[256, 262, 257], false).unwrap(), tiny().decode(&[256, 257], false).unwrap());
    assert_eq!(tiny().token_text(262), None);
    assert_eq!(tiny().stream(false).push(9999).unwrap(), "");
}

#[test]
fn special_tokens_in_texts_of_others_are_text() {
    let tokenizer = tiny();
    let text = "he<|im_end|>he";
    let (parsed, literal) = (tokenizer.encode(text).unwrap(), tokenizer.encode_text(text).unwrap());
    assert!(parsed.contains(&259) && !literal.contains(&259), "{parsed:?} {literal:?}");
    assert_eq!(tokenizer.decode(&literal, true).unwrap(), text);
    assert_eq!(tokenizer.encode_text("hehe").unwrap(), tokenizer.encode("hehe").unwrap());

    let template = AlignerTemplate::from_text("t", "{question}<|im_end|>{answer}<|im_end|>").unwrap();
    let ends = |answer: &str| {
        let ids = tokenizer.encode_rendered(&template.render("he", answer)).unwrap();
        ids.iter().filter(|id| **id == 259).count()
    };
    assert_eq!([ends("he"), ends(text)], [2, 2], "only the template's own");
}

#[test]
fn token_text_is_readable() {
    let text = |id| tiny().token_text(id).unwrap();
    assert_eq!([text(258), text(10), text(9), text(13), text(0xe2)], ["·he", "↵", "⇥", "\\r", "\\xE2"]);
    assert_eq!(text(259), "<|im_end|>");
}

#[test]
fn streaming_holds_back_incomplete_characters() {
    let tokenizer = tiny();
    let mut stream = tokenizer.stream(false);
    let mut push = |id| stream.push(id).unwrap();
    assert_eq!([push(256), push(0xe2), push(0x80), push(0x94), push(256)], ["he", "", "", "—", "he"]);
    assert_eq!(push(0xe2), "");
    assert_eq!(stream.finish().unwrap(), "\u{fffd}");
    assert_eq!(stream.push(256).unwrap(), "he", "it begins anew");
}

fn tiny_json() -> Value {
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0},
        "added_tokens": [
            {"id": 3, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
            {"id": 4, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [3], "tokens": ["<s>"]}}
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    })
}

#[test]
fn tokenizer_json_and_the_files_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, tiny_json().to_string()).unwrap();
    let alone = Tokenizer::from_file(&path).unwrap();
    assert_eq!(alone.encode("aba").unwrap(), [2, 0], "length limits of the file are not applied");
    assert_eq!(alone.encode_prompt("ab").unwrap(), [3, 2], "the post-processor adds bos");
    assert_eq!((alone.bos_id(), alone.eos_id(), alone.vocab_size()), (Some(3), None, 5));
    assert_eq!(alone.stop_ids(), [4]);

    let settings =
        json!({"eos_token": {"content": "</s>"}, "bos_token": "<s>", "add_bos_token": false, "chat_template": "T"});
    std::fs::write(folder.path().join("tokenizer_config.json"), settings.to_string()).unwrap();
    std::fs::write(folder.path().join("generation_config.json"), r#"{"eos_token_id": [4, 2]}"#).unwrap();
    let full = Tokenizer::from_file(&path).unwrap();
    assert_eq!((full.eos_id(), full.adds_bos(), full.chat_template()), (Some(4), false, Some("T")));
    assert_eq!(full.stop_ids(), [2, 4]);

    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(Tokenizer::from_file(&path).unwrap_err().to_string().contains("config.json: not a valid JSON file"));
}

/// A folder with tokenizer.json and these files beside it.
fn folder_with(files: &[(&str, Value)]) -> (tempfile::TempDir, Result<Tokenizer>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, tiny_json().to_string()).unwrap();
    for (name, value) in files {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let tokenizer = Tokenizer::from_file(&path);
    (folder, tokenizer)
}

#[test]
fn chat_templates_are_taken_as_transformers_does() {
    let template = |files: &[(&str, Value)]| {
        let tokenizer = folder_with(files).1.unwrap();
        (tokenizer.chat_template().map(str::to_owned), tokenizer.warnings().to_vec())
    };
    let named = json!({"chat_template": [{"name": "tool_use", "template": "U"}, {"name": "default", "template": "D"}]});
    let config = |value: &Value| ("tokenizer_config.json", value.clone());
    assert_eq!(template(&[config(&named)]), (Some("D".into()), vec![]));
    assert_eq!(template(&[config(&json!({"chat_template": {"default": "D"}}))]), (Some("D".into()), vec![]));
    // a file of its own counts before the settings
    assert_eq!(template(&[config(&named), ("chat_template.jinja", json!("F"))]), (Some("F".into()), vec![]));
    let (none, warnings) = template(&[config(&json!({"chat_template": [{"name": "rag", "template": "R"}]}))]);
    assert_eq!(none, None);
    assert!(warnings[0].contains("tokenizer_config.json") && warnings[0].contains("`rag`"), "{warnings:?}");
    for wrong in [json!(3), json!([{"name": "default"}]), json!({"default": 3})] {
        let error = folder_with(&[config(&json!({ "chat_template": wrong }))]).1.unwrap_err().to_string();
        assert!(error.contains("tokenizer_config.json") && error.contains("`chat_template`"), "{error}");
    }
}

#[test]
fn what_settings_of_a_tokenizer_ask_for_and_is_not_done_is_said() {
    let warnings = |settings: Value| folder_with(&[("tokenizer_config.json", settings)]).1.unwrap().warnings().to_vec();
    assert_eq!(warnings(json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true})), [""; 0]);
    for (settings, part) in [
        (json!({"add_bos_token": false}), "`add_bos_token` is false"),
        (json!({"add_eos_token": true}), "`add_eos_token` is ignored"),
        (json!({"split_special_tokens": true}), "`split_special_tokens` is ignored"),
        (json!({"do_lower_case": true}), "`do_lower_case` is ignored"),
        (json!({"eos_token": "<|end|>"}), "does not have, which are not made: `<|end|>`"),
        (json!({"added_tokens_decoder": {"9": {"content": "<new>"}, "3": {"content": "<s>"}}}), "not made: `<new>`"),
    ] {
        let said = warnings(settings.clone());
        assert!(said.len() == 1 && said[0].contains(part), "{settings}: {said:?}");
    }
    for (file, key, value) in [
        ("tokenizer_config.json", "add_bos_token", json!("yes")),
        ("generation_config.json", "eos_token_id", json!("</s>")),
        ("config.json", "eos_token_id", json!([2, "x"])),
        ("config.json", "bos_token_id", json!(1.5)),
    ] {
        let error = folder_with(&[(file, json!({ key: value }))]).1.unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(key), "{error}");
    }
    // no token has such an id
    let (_folder, tokenizer) = folder_with(&[("config.json", json!({"eos_token_id": [-1, 5_000_000_000u64, 4]}))]);
    assert_eq!(tokenizer.unwrap().stop_ids(), [4]);
    assert!(folder_with(&[("tokenizer_config.json", json!([]))]).1.is_err());
}

#[test]
fn gguf_values_of_another_type_are_refused_by_their_key() {
    for (key, value) in [
        ("tokenizer.ggml.add_bos_token", GgufValue::U8(1)),
        ("tokenizer.ggml.token_type", GgufValue::Array(GgufArray::F32(vec![1.0; 262]))),
        ("tokenizer.ggml.merges", GgufValue::String("h e".into())),
        ("tokenizer.ggml.tokens", GgufValue::Array(GgufArray::U8(vec![1, 2]))),
        ("tokenizer.ggml.model", GgufValue::U32(2)),
        ("tokenizer.ggml.pre", GgufValue::Bool(true)),
        ("tokenizer.chat_template", GgufValue::Array(GgufArray::String(vec!["T".into()]))),
        ("tokenizer.ggml.bos_token_id", GgufValue::String("<s>".into())),
        ("tokenizer.ggml.add_sep_token", GgufValue::Bool(true)),
        ("tokenizer.ggml.normalizer.lowercase", GgufValue::Bool(true)),
    ] {
        let error = tiny_with(key, Some(value)).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn gguf_keys_of_tokenizers_that_are_not_known_are_named() {
    assert_eq!(tiny().warnings(), [""; 0]);
    let said = |key: &'static str, value| tiny_with(key, Some(value)).unwrap().warnings().to_vec();
    let ignored = said("tokenizer.ggml.add_eos_token", GgufValue::Bool(true));
    assert!(ignored[0].contains("`tokenizer.ggml.add_eos_token` is ignored"), "{ignored:?}");
    let unknown = said("tokenizer.ggml.reverse", GgufValue::Bool(true));
    assert!(unknown[0].contains("`tokenizer.ggml.reverse`"), "{unknown:?}");
    for (key, value) in [
        ("tokenizer.ggml.add_eos_token", GgufValue::Bool(false)),
        ("tokenizer.ggml.padding_token_id", GgufValue::U32(0)),
        ("tokenizer.chat_template.tool_use", GgufValue::String("T".into())),
    ] {
        assert_eq!(said(key, value), [""; 0], "{key}");
    }
}

#[test]
fn a_broken_tokenizer_json_is_an_error() {
    let failure = |bytes: &[u8]| Tokenizer::from_bytes(Path::new("t.json"), bytes).unwrap_err().to_string();
    assert!(failure(b"{}").starts_with("t.json: tokenizer: "));
    assert!(failure(&[0xff]).starts_with("t.json: tokenizer: "));
    let mut json = tiny_json();
    json["model"]["merges"] = json!([["ab", "ab"]]);
    let panicked = failure(json.to_string().as_bytes());
    assert!(panicked.starts_with("t.json: tokenizer: the library that reads it failed: range end index"), "{panicked}");
    assert!(matches!(Tokenizer::from_file(Path::new("no/tokenizer.json")), Err(Error::NotFound { .. })));
}

proptest! {
    #[test]
    fn any_text_round_trips(text in any::<String>()) {
        let tokenizer = tiny();
        let encoded = tokenizer.encode(&text).unwrap();
        prop_assert_eq!(tokenizer.decode(&encoded, false).unwrap(), text.as_str());
    }

    #[test]
    fn streaming_equals_decoding_at_once(ids in prop::collection::vec(0u32..262, 0..60)) {
        let tokenizer = tiny();
        prop_assert_eq!(stream_all(&tokenizer, &ids), tokenizer.decode(&ids, false).unwrap());
    }
}
