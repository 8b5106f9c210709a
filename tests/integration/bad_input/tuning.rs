//! Targets, sweeps and profiles that cannot be used.

use serde_json::json;

use super::*;
use crate::fixture::edit_json;
use crate::program::succeed;

const TUNE: &str = "tune --model model --template template.txt --data triples.jsonl --max-new-tokens 8";
const CORRECT: &str = "correct --model model --template template.txt --question Why --answer So --max-new-tokens 4";

/// The tiny model with a vector, a sweep and a profile written by hand.
pub fn prepared() -> Tiny {
    let tiny = Tiny::new();
    tiny.extract();
    let sweep = "sweep --model model --template template.txt --data triples.jsonl --vector vector.safetensors --skip 24 \
                 --prompts 4 --coefficients -1,0,1 --max-new-tokens 8";
    succeed(tiny.folder(), &words(sweep));
    std::fs::create_dir(tiny.path("profiles")).unwrap();
    let interval = json!({"low": -1.0, "high": 1.0});
    let hash = redline::profile::hash_of(&std::fs::read(tiny.path("vector.safetensors")).unwrap());
    let template = std::fs::read_to_string(tiny.path("template.txt")).unwrap();
    let profile = json!({
        "schema": "redline.profile.v1",
        "name": "mine",
        "vector": {"file": "../vector.safetensors", "sha256": hash},
        "operator": "add",
        "coefficient": 0.5,
        "coefficient_interval": interval,
        "layers": [1, 2],
        "unit": "gap",
        "range": "output",
        "template": {"name": "t", "text": template},
        "model": {"fingerprint": tiny.load().fingerprint, "name": "model", "architecture": "llama"},
        "fit": {
            "variant": "char", "target": 0.3, "slope": 0.1, "slope_interval": interval, "intercept": 0.2,
            "intercept_interval": interval, "r2": 0.9, "coherent_range": interval, "coherence_bound": 0.5, "n_prompts": 4,
        },
        "verified": null,
        "made_with": "hand",
    });
    std::fs::write(tiny.path("profiles/mine.json"), profile.to_string()).unwrap();
    tiny
}

#[test]
fn targets() {
    let tiny = Tiny::new();
    refused_line(&tiny, "tune_no_target", &format!("{TUNE} --save a"));
    refused_line(&tiny, "tune_two_targets", &format!("{TUNE} --target-ratio 1 --like triples.jsonl"));
    refused_line(&tiny, "tune_target_negative", &format!("{TUNE} --target-ratio -1"));
    refused_line(&tiny, "tune_target_nan", &format!("{TUNE} --target-ratio NaN"));
    refused_line(&tiny, "tune_like_missing", &format!("{TUNE} --like no-such.jsonl"));
    refused_line(&tiny, "tune_no_baseline", &format!("{TUNE} --target-ratio 1 --coefficients 1,2,3"));
    refused_line(&tiny, "tune_few_coefficients", &format!("{TUNE} --target-ratio 1 --coefficients 0,1"));
    refused_line(&tiny, "tune_one_prompt", &format!("{TUNE} --target-ratio 1 --prompts 1"));
    refused_line(&tiny, "tune_few_rows", &format!("{TUNE} --target-ratio 1 --pairs 40 --prompts 40"));
    refused_line(&tiny, "tune_name", &format!("{TUNE} --target-ratio 1 --save a/b"));
    refused_line(&tiny, "tune_output", &format!("{TUNE} --target-ratio 1 --save triples.jsonl/sub/a.json"));
}

#[test]
fn sweeps() {
    let tiny = prepared();
    let sweep = "tune --model model --target-ratio 0.5 --verify 4 --sweep";
    refused_line(&tiny, "tune_sweep_missing", &format!("{sweep} no-such.jsonl"));
    refused_line(&tiny, "tune_sweep_other_file", &format!("{sweep} triples.jsonl"));
    refused_line(&tiny, "tune_sweep_other_template", &format!("{sweep} sweep.jsonl --template aligner"));
    refused_line(&tiny, "tune_sweep_other_model", "tune --target-ratio 0.5 --sweep sweep.jsonl --any-model");
    std::fs::copy(tiny.path("sweep.jsonl"), tiny.path("other.jsonl")).unwrap();
    let text = std::fs::read_to_string(tiny.path("other.jsonl")).unwrap();
    std::fs::write(tiny.path("other.jsonl"), text.replacen("\"vector_norms\":{\"1\":", "\"vector_norms\":{\"1\":9", 1))
        .unwrap();
    refused_line(&tiny, "tune_sweep_other_vector", &format!("{sweep} other.jsonl"));
    std::fs::write(tiny.path("other.jsonl"), text.replacen("\"vector\":", "\"victor\":", 1)).unwrap();
    refused_line(&tiny, "tune_sweep_settings", &format!("{sweep} other.jsonl"));
    // random weights write noise: their line leads nowhere
    let ran = run(tiny.folder(), &words(&format!("{sweep} sweep.jsonl --save a")));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!tiny.path("profiles/a.json").exists());
}

#[test]
fn profiles() {
    let tiny = prepared();
    succeed(tiny.folder(), &words(&format!("{CORRECT} --profile mine")));
    refused_line(&tiny, "profile_unknown", &format!("{CORRECT} --profile yours"));
    refused_line(&tiny, "profile_bad_name", &format!("{CORRECT} --profile a/b"));
    refused_line(&tiny, "profile_other_file", &format!("{CORRECT} --profile triples.jsonl"));
    let changed = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let tiny = prepared();
        edit_json(&tiny.path("profiles/mine.json"), |profile| change(profile));
        refused_line(&tiny, name, &format!("{CORRECT} --profile mine"));
    };
    changed("profile_coefficient_null", &|profile| profile["coefficient"] = serde_json::Value::Null);
    changed("profile_coefficient_beyond", &|profile| profile["coefficient"] = json!(2));
    changed("profile_key", &|profile| profile["colour"] = json!("red"));
    changed("profile_schema", &|profile| profile["schema"] = json!("redline.profile.v9"));
    changed("profile_vector_missing", &|profile| profile["vector"]["file"] = json!("gone.safetensors"));
    changed("profile_layers", &|profile| profile["layers"] = json!([1, 7]));
    changed("profile_other_model", &|profile| profile["model"]["fingerprint"] = json!("0123"));
    std::fs::write(tiny.path("vector.safetensors"), "another").unwrap();
    refused_line(&tiny, "profile_vector_changed", &format!("{CORRECT} --profile mine"));
}

#[test]
fn a_coefficient_without_a_vector() {
    refused_line(&Tiny::new(), "coefficient_without_vector", &format!("{CORRECT} --coefficient 1"));
}
