//! Every key that changes numbers, walked: with another value than the neutral one it is read, or refused by its name.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::gguf_keys::GGUF_KEYS;
use super::hugging_face_keys::{CONFIG_KEYS, ROPE_KEYS};
use super::keys::Neutral::{Flag, Number, Text};
use super::keys::{Neutral, Rule};
use super::{Family, ModelConfig, SUPPORTED_ARCHITECTURES};
use crate::gguf::{GgufArray, GgufFile, GgufTensor, GgufValue, encode_gguf};
use crate::{Error, Result};

/// A value of each key that is read, other than that of the base, with what it needs beside it.
fn another(key: &str, family: &str) -> (Value, Value) {
    let facts = Family::named(family).unwrap();
    let yarn = json!({ "rope_parameters": { "rope_type": "yarn", "factor": 2.0 } });
    let long = json!({ "rope_parameters": { "rope_type": "longrope", "short_factor": [1, 1, 1, 1, 1, 1, 1, 1] } });
    let windowed =
        json!({ "use_sliding_window": true, "sliding_window": 8, "layer_types": null, "max_window_layers": 1 });
    match key {
        "model_type" => (json!("mamba"), json!({})),
        "hidden_size" => (json!(128), json!({ "head_dim": 16 })),
        "head_dim" => (json!(8), json!({})),
        "vocab_size" | "intermediate_size" => (json!(96), json!({})),
        "num_hidden_layers" => (json!(3), json!({ "layer_types": null })),
        "num_attention_heads" => (json!(8), json!({ "head_dim": 16 })),
        "num_key_value_heads" => (json!(if family == "llama" { 1 } else { 4 }), json!({})),
        "rms_norm_eps" => (json!(1e-3), json!({})),
        "max_position_embeddings" => (json!(99), json!({})),
        "original_max_position_embeddings" => match family {
            "phi3" => (json!(64), long),
            "gemma3" => (json!(64), json!({ "rope_parameters": { "full_attention": yarn["rope_parameters"] } })),
            _ => (json!(64), yarn),
        },
        "tie_word_embeddings" => (json!(!facts.ties_embeddings), json!({ "tie_word_embeddings": null })),
        "eos_token_id" => (json!([2, 7]), json!({})),
        "layer_types" => (json!(["full_attention", "sliding_attention"]), json!({})),
        "rope_theta" => (json!(5e4), json!({ "rope_parameters": null })),
        "rope_parameters" if family == "gemma3" => (json!({ "full_attention": { "rope_theta": 7e4 } }), json!({})),
        "rope_parameters" => (json!({ "rope_theta": 7e4 }), json!({})),
        "rope_scaling" if family == "phi3" => {
            let factors = json!([1, 2, 3, 4, 5, 6, 7, 8]);
            (json!({ "type": "su", "short_factor": factors, "long_factor": factors }), json!({}))
        }
        "rope_scaling" => (json!({ "rope_type": "linear", "factor": 4.0 }), json!({})),
        "text_config" => (json!({ "hidden_size": 32 }), json!({ "model_type": "gemma3" })),
        "hidden_activation" | "hidden_act" => (json!("relu"), json!({})),
        "partial_rotary_factor" => (json!(0.5), json!({ "rope_parameters": null })),
        "rope_local_base_freq" => (json!(3e4), json!({ "rope_parameters": null })),
        "no_rope_layers" => (json!([0, 1, 1, 1, 1]), json!({})),
        "no_rope_layer_interval" => (json!(2), json!({ "no_rope_layers": null })),
        "embedding_multiplier" | "attention_multiplier" | "residual_multiplier" | "logits_scaling" => {
            (json!(1.5), json!({}))
        }
        "attention_bias" | "mlp_bias" => (json!(true), json!({})),
        "sliding_window" => (json!(5), if facts.switches_windows() { windowed } else { json!({}) }),
        "use_sliding_window" => (json!(false), windowed),
        "max_window_layers" => (json!(3), windowed),
        "sliding_window_pattern" => (json!(2), json!({ "layer_types": null })),
        "attn_logit_softcapping" | "final_logit_softcapping" => (json!(9.0), json!({})),
        "query_pre_attn_scalar" => (json!(77), json!({})),
        other => panic!("{other} is read, but there is no other value of it here"),
    }
}

/// A value that is none of the neutral ones.
fn not_neutral(neutral: &[Neutral]) -> Value {
    match neutral {
        [Flag(false)] => json!(true),
        [Flag(true)] => json!(false),
        [Text(_), ..] => json!("another"),
        _ => json!(3),
    }
}

fn as_value(neutral: Neutral) -> Value {
    match neutral {
        Flag(flag) => json!(flag),
        Number(number) => json!(number),
        Text(text) => json!(text),
    }
}

/// The configuration of a golden model.
fn golden(family: &str) -> Map<String, Value> {
    let folder = if family == "mistral" { "mistral_swa" } else { family };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(folder).join("config.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

struct Place(tempfile::TempDir);

impl Place {
    fn read(&self, map: &Map<String, Value>) -> Result<(ModelConfig, Vec<String>)> {
        let path = self.path();
        std::fs::write(&path, serde_json::to_vec(map).unwrap()).unwrap();
        ModelConfig::read_hugging_face(&path)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("config.json")
    }
}

fn with(mut map: Map<String, Value>, more: &Value) -> Map<String, Value> {
    for (key, value) in more.as_object().unwrap() {
        map.insert(key.clone(), value.clone());
        if value.is_null() {
            map.remove(key);
        }
    }
    map
}

#[test]
fn every_key_of_config_json_is_read_or_refused_by_name() {
    let place = Place(tempfile::tempdir().unwrap());
    for family in SUPPORTED_ARCHITECTURES {
        for key in CONFIG_KEYS.keys {
            let (name, rule) = (key.name, CONFIG_KEYS.rule(key.name, Family::named(family)).unwrap());
            let of = |value: Value| with(golden(family), &json!({ name: value }));
            match rule {
                Rule::Harmless => {}
                Rule::Only { neutral, .. } => {
                    let error = place.read(&of(not_neutral(neutral))).unwrap_err();
                    let is_named = matches!(&error, Error::UnsupportedSetting { field, .. } if field == name);
                    assert!(is_named && error.hint().is_some(), "{family}, {name}: {error}");
                    for value in neutral.iter().map(|neutral| as_value(*neutral)) {
                        assert!(place.read(&of(value.clone())).is_ok(), "{family}, {name}: {value}");
                    }
                }
                Rule::Read => {
                    let (value, more) = another(name, family);
                    let base = with(golden(family), &more);
                    let before =
                        place.read(&base).map_or_else(|error| error.to_string(), |read| format!("{:?}", read.0));
                    let changed = place.read(&with(base, &json!({ name: value })));
                    match changed {
                        Ok((config, _)) => assert_ne!(format!("{config:?}"), before, "{family}, {name} is not read"),
                        Err(error) => assert_ne!(error.to_string(), before, "{family}, {name} is not read"),
                    }
                }
            }
        }
    }
}

#[test]
fn every_key_about_rotation_is_read_or_refused_by_name() {
    let place = Place(tempfile::tempdir().unwrap());
    let llama = |rope: Value| with(golden("llama"), &json!({ "rope_parameters": rope }));
    let llama3 = json!({ "rope_type": "llama3", "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0 });
    let yarn = json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64 });
    let mscaled = json!({ "rope_type": "yarn", "factor": 4.0, "mscale": 0.7, "mscale_all_dim": 1.0 });
    let long = json!({ "rope_type": "longrope", "short_factor": [1, 1, 1, 1, 1, 1, 1, 1], "factor": 4.0 });
    for (base, key, value) in [
        (&json!({ "factor": 2.0 }), "rope_type", json!("linear")),
        (&json!({ "factor": 2.0 }), "type", json!("linear")),
        (&json!({}), "rope_theta", json!(7.0)),
        (&json!({ "rope_type": "linear", "factor": 2.0 }), "factor", json!(3.0)),
        (&llama3, "low_freq_factor", json!(2.0)),
        (&llama3, "high_freq_factor", json!(3.0)),
        (&llama3, "original_max_position_embeddings", json!(32)),
        (&yarn, "attention_factor", json!(1.5)),
        (&yarn, "beta_fast", json!(16)),
        (&yarn, "beta_slow", json!(2)),
        (&yarn, "truncate", json!(false)),
        (&mscaled, "mscale", json!(0.5)),
        (&mscaled, "mscale_all_dim", json!(0.5)),
        (&long, "short_factor", json!([2, 1, 1, 1, 1, 1, 1, 1])),
    ] {
        assert!(ROPE_KEYS.rule(key, Some(&Family::LLAMA)).is_some(), "{key}");
        let before = place.read(&llama(base.clone())).unwrap().0;
        let mut changed = base.clone();
        changed[key] = value;
        assert_ne!(place.read(&llama(changed)).unwrap().0, before, "{key} is not read");
    }
    for (key, value) in [("partial_rotary_factor", json!(0.5)), ("mrope_section", json!([16, 24]))] {
        let error = place.read(&llama(json!({ key: value }))).unwrap_err().to_string();
        assert!(error.contains(&format!("rope_parameters.{key}")), "{error}");
    }
    let (_, warnings) = place.read(&llama(json!({ "new_factor": 2.0 }))).unwrap();
    assert!(warnings[0].contains("`rope_parameters.new_factor`"), "{warnings:?}");
    for (base, key) in [
        (&json!({ "rope_type": "linear" }), "factor"),
        (&llama3, "factor"),
        (&llama3, "low_freq_factor"),
        (&llama3, "high_freq_factor"),
        (&llama3, "original_max_position_embeddings"),
        (&yarn, "factor"),
        (&yarn, "attention_factor"),
        (&yarn, "beta_fast"),
        (&yarn, "original_max_position_embeddings"),
    ] {
        for wrong in [json!(-1), json!(1e39), json!(1e-60), json!("2"), json!(true)] {
            let mut changed = base.clone();
            changed[key] = wrong.clone();
            let error = place.read(&llama(changed)).unwrap_err().to_string();
            assert!(error.contains(&format!("rope_parameters.{key}")), "{wrong}: {error}");
        }
    }
    for (family, rope) in [
        ("phi3", json!({ "rope_type": "linear", "factor": 2.0 })),
        ("llama", json!({ "rope_type": "proportional" })),
        ("llama", json!({ "rope_type": 7 })),
        ("llama", json!({ "full_attention": { "rope_theta": 1e4 } })),
        ("gemma3", json!({ "rope_theta": 1e4 })),
        ("gemma3", json!({ "sliding_attention": { "rope_type": "linear", "factor": 2.0 } })),
    ] {
        let error = place.read(&with(golden(family), &json!({ "rope_parameters": rope }))).unwrap_err().to_string();
        assert!(error.contains("rope_parameters"), "{family}: {error}");
    }
}

#[test]
fn rope_scaling_counts_before_rope_parameters() {
    let place = Place(tempfile::tempdir().unwrap());
    let both = json!({
        "rope_parameters": { "rope_type": "default", "rope_theta": 5e5 },
        "rope_scaling": { "type": "linear", "factor": 4.0 },
    });
    let (config, warnings) = place.read(&with(golden("llama"), &both)).unwrap();
    // transformers then takes the base from the outer key or its own, never from the dictionary that is passed over
    assert_eq!((config.rope_scaling, config.rope_theta), (super::RopeScaling::Linear { factor: 4.0 }, 10_000.0));
    assert!(warnings[0].contains("`rope_scaling` beside `rope_parameters`"), "{warnings:?}");
    let gemma3 = json!({ "rope_scaling": { "rope_type": "linear", "factor": 8.0 } });
    let (config, _) = place.read(&with(golden("gemma3"), &gemma3)).unwrap();
    assert_eq!((config.rope_scaling, config.rope_theta), (super::RopeScaling::Linear { factor: 8.0 }, 1e6));
}

#[test]
fn absent_keys_have_the_defaults_of_their_family() {
    let place = Place(tempfile::tempdir().unwrap());
    let without = |family: &str, keys: &[&str]| {
        let mut map = golden(family);
        keys.iter().for_each(|key| drop(map.remove(*key)));
        place.read(&map).unwrap().0
    };
    let gemma2 = without("gemma2", &["attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar"]);
    assert_eq!((gemma2.attention_softcap, gemma2.logit_softcap), (Some(50.0), Some(30.0)));
    assert_eq!(gemma2.attention_scale, 1.0 / 16.0);
    let null = with(golden("gemma2"), &json!({}));
    let null: Map<String, Value> = null
        .into_iter()
        .map(|(key, value)| if key == "final_logit_softcapping" { (key, Value::Null) } else { (key, value) })
        .collect();
    assert_eq!(place.read(&null).unwrap().0.logit_softcap, None, "null says that there is none");
    assert_eq!(without("mistral", &["sliding_window"]).windows, [Some(4096); 4]);
    assert_eq!(without("phi3", &["rms_norm_eps"]).rms_norm_eps, 1e-5);
    // not 1 / √head_dim
    let granite = without("granite", &["attention_multiplier", "residual_multiplier", "logits_scaling"]);
    assert_eq!((granite.attention_scale, granite.residual_scale, granite.logit_divisor), (1.0, 1.0, 1.0));
}

/// Checkpoints compare configurations as they are written.
#[test]
fn what_changes_nothing_is_not_written() {
    let plain = ModelConfig::llama([310, 32, 64, 2, 4], 256);
    let value = serde_json::to_value(&plain).unwrap();
    for key in ["unrotated_layers", "residual_scale", "logit_divisor"] {
        assert_eq!(value.get(key), None, "{key}");
    }
    assert_eq!(serde_json::from_value::<ModelConfig>(value).unwrap(), plain);
    let other = ModelConfig { unrotated_layers: vec![1], residual_scale: 0.5, logit_divisor: 2.0, ..plain };
    assert_eq!(serde_json::from_value::<ModelConfig>(serde_json::to_value(&other).unwrap()).unwrap(), other);
}

#[test]
fn layers_that_do_not_rotate_are_named_by_a_list_or_an_interval() {
    let place = Place(tempfile::tempdir().unwrap());
    let layers = |more: Value| Ok::<_, Error>(place.read(&with(golden("smollm3"), &more))?.0.unrotated_layers);
    assert_eq!(layers(json!({})).unwrap(), [3]);
    assert_eq!(layers(json!({ "no_rope_layers": [0, 1, 1, 1, 0, 0, 0] })).unwrap(), [0, 4], "more entries than layers");
    assert_eq!(layers(json!({ "no_rope_layers": null, "no_rope_layer_interval": 2 })).unwrap(), [1, 3]);
    assert_eq!(layers(json!({ "no_rope_layers": null, "no_rope_layer_interval": null })).unwrap(), [3]);
    for (key, value) in [
        ("no_rope_layers", json!([1, 0])),
        ("no_rope_layers", json!([1, 1, 1, 2, 1])),
        ("no_rope_layers", json!(4)),
        ("no_rope_layer_interval", json!(0)),
    ] {
        let error = layers(json!({ "no_rope_layers": null, key: value.clone() })).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{value}: {error}");
    }
    // windows stand in these layers only, and only where they are switched on
    let windowed = |on: bool| json!({ "layer_types": null, "sliding_window": 8, "use_sliding_window": on });
    let windows = |more: &Value| place.read(&with(golden("smollm3"), more)).unwrap().0.windows;
    assert_eq!(windows(&windowed(true)), [None, None, None, Some(8), None]);
    assert_eq!(windows(&windowed(false)), [None; 5]);
}

#[test]
fn keys_that_are_not_known_are_named() {
    let place = Place(tempfile::tempdir().unwrap());
    for family in SUPPORTED_ARCHITECTURES {
        assert_eq!(place.read(&golden(family)).unwrap().1, Vec::<String>::new(), "{family}");
    }
    let more = json!({ "secret_multiplier": 2.0, "new\u{1b}[2J": 1, "unset": null, "output_attentions": true });
    let (_, warnings) = place.read(&with(golden("llama"), &more)).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("`secret_multiplier`") && warnings[0].contains("config.json"), "{warnings:?}");
    assert!(!warnings[0].contains('\u{1b}') && !warnings[0].contains("output_attentions"), "{warnings:?}");
}

/// Metadata of a small model of a family.
fn metadata(family: &str) -> Vec<(String, GgufValue)> {
    let key = |name: &str| format!("{family}.{name}");
    let sizes = [
        ("block_count", 2),
        ("context_length", 256),
        ("embedding_length", 64),
        ("feed_forward_length", 160),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
        ("attention.key_length", 16),
    ];
    let mut metadata = vec![("general.architecture".to_owned(), GgufValue::String(family.into()))];
    metadata.extend(sizes.map(|(name, size)| (key(name), GgufValue::U32(size))));
    metadata.push((key("attention.layer_norm_rms_epsilon"), GgufValue::F32(1e-6)));
    if Family::named(family).unwrap().gguf.has_scales {
        metadata.push((key("logit_scale"), GgufValue::F32(8.0)));
    }
    metadata
}

fn read_gguf(metadata: &[(String, GgufValue)]) -> Result<(ModelConfig, Vec<String>)> {
    let metadata: Vec<(&str, GgufValue)> = metadata.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let embedding = GgufTensor { name: "token_embd.weight", dims: &[32, 1], data: &[0.0; 32] };
    let bytes = encode_gguf(&metadata, &[embedding]).unwrap();
    ModelConfig::read_gguf(&GgufFile::from_bytes(Path::new("model.gguf"), &bytes).unwrap())
}

/// The same with some keys set.
fn set(family: &str, more: &[(&str, GgufValue)]) -> Result<(ModelConfig, Vec<String>)> {
    let mut all = metadata(family);
    for (name, value) in more {
        let name = format!("{family}.{name}");
        all.retain(|(key, _)| *key != name);
        all.push((name, value.clone()));
    }
    read_gguf(&all)
}

fn text(text: &str) -> GgufValue {
    GgufValue::String(text.into())
}

/// A value of each key that is read, other than the base's, with what it needs beside it.
fn another_gguf(name: &str) -> (GgufValue, Vec<(&'static str, GgufValue)>) {
    let yarn = || vec![("rope.scaling.type", text("yarn")), ("rope.scaling.factor", GgufValue::F32(4.0))];
    match name {
        "rope.scaling.type" => (text("none"), vec![("rope.scaling.factor", GgufValue::F32(4.0))]),
        "rope.scaling.factor" | "rope.scale_linear" => (GgufValue::F32(4.0), vec![]),
        "rope.scaling.attn_factor" => (GgufValue::F32(2.0), yarn()),
        "rope.scaling.original_context_length" => (GgufValue::U32(64), yarn()),
        "rope.freq_base" | "rope.freq_base_swa" => (GgufValue::F32(7e4), vec![]),
        "attention.layer_norm_rms_epsilon" => (GgufValue::F32(1e-3), vec![]),
        "attn_logit_softcapping" | "final_logit_softcapping" => (GgufValue::F32(9.0), vec![]),
        "attention.sliding_window" => (GgufValue::U32(5), vec![]),
        "attention.sliding_window_pattern" => {
            (GgufValue::U32(1), vec![("attention.sliding_window", GgufValue::U32(5))])
        }
        "embedding_scale" | "residual_scale" | "attention.scale" | "logit_scale" => (GgufValue::F32(0.5), vec![]),
        "attention.head_count" => (GgufValue::U32(8), vec![]),
        "attention.head_count_kv" => (GgufValue::U32(1), vec![]),
        "attention.key_length" | "attention.value_length" | "rope.dimension_count" => (GgufValue::U32(8), vec![]),
        "embedding_length" => (GgufValue::U32(128), vec![]),
        "block_count" => (GgufValue::U32(3), vec![]),
        "context_length" | "feed_forward_length" | "vocab_size" => (GgufValue::U32(99), vec![]),
        other => panic!("{other} is read, but there is no other value of it here"),
    }
}

#[test]
fn every_key_of_gguf_metadata_is_read_or_refused_by_name() {
    for family in SUPPORTED_ARCHITECTURES {
        for key in GGUF_KEYS.keys {
            let name = key.name;
            match GGUF_KEYS.rule(name, Family::named(family)).unwrap() {
                Rule::Harmless => {}
                Rule::Only { neutral, .. } => {
                    let value = match not_neutral(neutral) {
                        Value::Bool(flag) => GgufValue::Bool(flag),
                        Value::String(text) => GgufValue::String(text),
                        _ => GgufValue::F32(3.0),
                    };
                    let error = set(family, &[(name, value)]).unwrap_err();
                    let field = format!("{family}.{name}");
                    let is_named = matches!(&error, Error::UnsupportedSetting { field: named, .. } if *named == field);
                    assert!(is_named && error.hint().is_some(), "{family}, {name}: {error}");
                }
                Rule::Read => {
                    let (value, more) = another_gguf(name);
                    let before = set(family, &more).unwrap().0;
                    let with: Vec<_> = more.into_iter().chain([(name, value)]).collect();
                    match set(family, &with) {
                        Ok((config, _)) => assert_ne!(config, before, "{family}, {name} is not read"),
                        Err(error) => assert!(error.to_string().contains('`'), "{family}, {name}: {error}"),
                    }
                }
            }
        }
    }
}

#[test]
fn old_and_new_keys_of_linear_stretching_say_the_same() {
    let linear = |more: &[(&str, GgufValue)]| set("llama", more).unwrap().0.rope_scaling;
    let expected = super::RopeScaling::Linear { factor: 4.0 };
    assert_eq!(linear(&[("rope.scale_linear", GgufValue::F32(4.0))]), expected);
    assert_eq!(linear(&[("rope.scaling.factor", GgufValue::F32(4.0))]), expected);
    assert_eq!(
        linear(&[("rope.scaling.factor", GgufValue::F32(4.0)), ("rope.scaling.type", text("linear"))]),
        expected
    );
    // the new key counts before the old one, 0 is not given, and `none` is none
    let both = [("rope.scaling.factor", GgufValue::F32(4.0)), ("rope.scale_linear", GgufValue::F32(8.0))];
    assert_eq!(linear(&both), expected);
    assert_eq!(linear(&[("rope.scaling.factor", GgufValue::F32(0.0))]), super::RopeScaling::None);
    let none = [("rope.scaling.factor", GgufValue::F32(4.0)), ("rope.scaling.type", text("none"))];
    assert_eq!(linear(&none), super::RopeScaling::None);
    assert!(set("llama", &[("rope.scaling.attn_factor", GgufValue::F32(2.0))]).is_err());
    for wrong in [-2.0, f32::NAN, f32::INFINITY] {
        assert!(set("llama", &[("rope.scaling.factor", GgufValue::F32(wrong))]).is_err(), "{wrong}");
    }
}

#[test]
fn a_factor_of_zero_is_one_that_is_not_given() {
    let scales = |name: &str, value: f32| set("granite", &[(name, GgufValue::F32(value))]).map(|(config, _)| config);
    let plain = scales("embedding_scale", 0.0).unwrap();
    assert_eq!((plain.embedding_scale, plain.residual_scale, plain.attention_scale), (1.0, 1.0, 0.25));
    assert_eq!((plain.logit_divisor, scales("logit_scale", 4.0).unwrap().logit_divisor), (8.0, 4.0));
    let error = scales("logit_scale", 0.0).unwrap_err().to_string();
    assert!(error.contains("`granite.logit_scale`"), "{error}");
    let error = scales("residual_scale", -1.0).unwrap_err().to_string();
    assert!(error.contains("must be positive"), "{error}");
}

#[test]
fn lists_are_taken_where_layers_are_alike_and_refused_otherwise() {
    let list = |values: &[i32]| GgufValue::Array(GgufArray::I32(values.to_vec()));
    assert_eq!(set("llama", &[("attention.head_count_kv", list(&[1, 1]))]).unwrap().0.n_kv_heads, 1);
    for (name, value) in [
        ("attention.head_count_kv", list(&[1, 2])),
        ("attention.head_count_kv", list(&[])),
        ("feed_forward_length", list(&[160, 96])),
        ("attention.head_count_kv", text("two")),
        ("rope.freq_base", text("high")),
    ] {
        let error = set("llama", &[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(&format!("`llama.{name}`")), "{error}");
    }
}

#[test]
fn parts_of_a_model_and_other_kinds_of_file_are_said_to_be_that() {
    let with = |key: &str, value: GgufValue| read_gguf(&[metadata("llama"), vec![(key.into(), value)]].concat());
    let error = with("split.count", GgufValue::U16(2)).unwrap_err();
    assert!(matches!(error, Error::SplitFile { part: 1, parts: 2, .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("--merge")));
    // later parts hold nothing else
    let error =
        read_gguf(&[("split.no".into(), GgufValue::U16(1)), ("split.count".into(), GgufValue::U16(2))]).unwrap_err();
    assert!(matches!(error, Error::SplitFile { part: 2, .. }), "{error}");
    assert!(with("split.count", GgufValue::U16(1)).is_ok());
    assert!(with("split.count", text("2")).unwrap_err().to_string().contains("`split.count`"));
    let error = with("general.type", text("adapter")).unwrap_err().to_string();
    assert!(error.contains("general.type"), "{error}");
    let (_, warnings) = with("llama.new_factor", GgufValue::F32(2.0)).unwrap();
    assert!(warnings[0].contains("`llama.new_factor`"), "{warnings:?}");
    assert!(with("mradermacher.quantized_by", text("x")).unwrap().1.is_empty());
}
