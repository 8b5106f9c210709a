//! `redline tune` and steering profiles, with the built-in Aligner and with the tiny model.

use redline::profile::Profile;
use serde_json::Value;

use crate::fixture::{Tiny, edit_json, words};
use crate::program::{json, lines, run, succeed};

const SMALL: &str = "--pairs 60 --prompts 24 --verify 16 --coefficients -1,0,1 --max-new-tokens 160";

/// A profile of the built-in Aligner, in a folder of its own.
fn tuned(more: &str) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let result = json(folder.path(), &words(&format!("tune {SMALL} {more}")));
    (folder, result)
}

#[test]
fn a_ratio_becomes_a_profile_that_corrects() {
    let (folder, result) = tuned("--target-ratio 0.25 --save gentle");
    assert_eq!(result["schema"], "redline.tune.v1");
    let coefficient = result["coefficient"].as_f64().unwrap();
    let interval = &result["coefficient_interval"];
    assert!(interval["low"].as_f64().unwrap() < coefficient && coefficient < interval["high"].as_f64().unwrap());
    let line = &result["fit"]["line"];
    let at = line["intercept"].as_f64().unwrap() + line["slope"].as_f64().unwrap() * coefficient;
    assert!((at - 0.25).abs() < 1e-9, "{at}");
    assert_eq!(result["verified"]["n_prompts"], 16);

    let path = folder.path().join("profiles/gentle.json");
    let profile = Profile::load(&path).unwrap();
    assert_eq!((profile.coefficient, profile.vector.file.as_str()), (coefficient as f32, "gentle.safetensors"));
    let model = redline::embedded::model().unwrap();
    let vector = profile.control_vector(&path, &model).unwrap();
    assert_eq!(vector.layers.keys().copied().collect::<Vec<_>>(), profile.layers);

    let shown = succeed(folder.path(), &["inspect", "profiles/gentle.json"]).stdout;
    assert!(shown.contains("steering profile") && shown.contains("gentle.safetensors, unchanged"), "{shown}");
    assert_eq!(json(folder.path(), &["inspect", "profiles/gentle.json"])["content"]["name"], "gentle");

    // the profile is the vector at its coefficient
    let text = ["--question", "What is the capital of France?", "--answer", "Um, teh capital of France is Paris."];
    let correct = |how: &str| json(folder.path(), &[&words(&format!("correct {how}"))[..], &text[..]].concat());
    let by_profile = correct("--profile gentle");
    assert_eq!(by_profile["coefficient"].as_f64().unwrap() as f32, profile.coefficient);
    let by_hand = format!("--vector profiles/gentle.safetensors --layers all --coefficient {}", profile.coefficient);
    // but for what the Aligner knows, which the profile has from its own rows
    let without_domain = |mut row: serde_json::Value| {
        assert!(row.as_object_mut().unwrap().remove("domain").is_some());
        row
    };
    assert_eq!(without_domain(by_profile), without_domain(correct(&by_hand)));
    // options beside it win
    assert_eq!(correct("--profile profiles/gentle.json --coefficient 0")["coefficient"], 0.0);

    let data = crate::program::repository().join("assets/aligner/held-out.jsonl.gz");
    let sweep = "sweep --profile gentle --skip 500 --prompts 2 --max-new-tokens 8 --coefficients -1,0,1 --data";
    succeed(folder.path(), &[&words(sweep)[..], &[data.to_str().unwrap()]].concat());
    let settings = &lines(&folder.path().join("sweep.jsonl"))[0]["settings"];
    assert_eq!((settings["unit"].as_str(), settings["range"].as_str()), (Some("gap"), Some("output")));
    assert_eq!(settings["vector_norms"].as_object().unwrap().len(), profile.layers.len());
}

#[test]
fn a_sweep_that_is_there_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = json(folder.path(), &words(&format!("tune {SMALL} --target-ratio 0.25 --out sweep.jsonl")));
    let line = "tune --sweep sweep.jsonl --verify 16 --target-ratio 0.25 --save again";
    let again = json(folder.path(), &words(line));
    for key in ["coefficient", "coefficient_interval", "fit", "coherent_range"] {
        assert_eq!(first[key], again[key], "{key}");
    }
    let profile = Profile::load(&folder.path().join("profiles/again.json")).unwrap();
    assert_eq!(profile.vector.file, "../sweep.safetensors");
    // the prompts of the sweep are not those it is verified on, which come after them
    assert_eq!(again["verified"]["n_prompts"], 16);
    assert_eq!(first["verified"], again["verified"], "the same prompts, the same coefficient");
}

#[test]
fn wished_outputs_set_the_target() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [("abcdefgh", "abcdefgh"), ("abcdefgh", "abcd")];
    let rows = rows.map(|(answer, correction)| {
        serde_json::json!({"question": "q", "answer": answer, "correction": correction}).to_string() + "\n"
    });
    std::fs::write(folder.path().join("wished.jsonl"), rows.concat()).unwrap();
    let ran = succeed(folder.path(), &words(&format!("tune {SMALL} --like wished.jsonl --json")));
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((result["target"].as_f64(), result["target_rows"].as_u64()), (Some(0.25), Some(2)));
    assert!(ran.stderr.contains("target: char ratio 0.250, the mean of 2 wished rows"), "{}", ran.stderr);
}

#[test]
fn what_lies_out_of_reach_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &words(&format!("tune {SMALL} --target-ratio 3 --save wild")));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("edit ratio 3.0000 is out of reach"), "{}", ran.stderr);
    assert!(ran.stderr.contains("at coefficient 1\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

/// The tiny model knows no dial; its profile is written by hand.
#[test]
fn profiles_of_other_weights_are_refused_unless_told() {
    let (folder, _) = tuned("--target-ratio 0.25 --save gentle");
    let path = folder.path().join("profiles/gentle.json");
    let text = words("correct --profile gentle --question Why? --answer So.");
    edit_json(&path, |profile| profile["model"]["fingerprint"] = "0123".into());
    let ran = run(folder.path(), &text);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("profiles/gentle.json: made with other weights (redline-tiny.gguf)"), "{}", ran.stderr);
    succeed(folder.path(), &[&text[..], &["--any-model"]].concat());
    let tiny = Tiny::new();
    let line =
        format!("correct --model model --profile {} --question Why? --answer So. --max-new-tokens 4", path.display());
    assert!(run(tiny.folder(), &words(&line)).stderr.contains("made with other weights"));
}

/// What `correct` and the server make of a profile whose policy asks for −1 below the mean score and for 1 above it.
#[test]
fn a_policy_sets_the_coefficient_of_each_request() {
    let (folder, result) = tuned("--for harmless=5,helpful=1,damage=10 --per-request --save each");
    let tested = &result["chosen_for"]["policy"]["tested"];
    assert_eq!((tested["n_fit"].as_u64(), tested["n_test"].as_u64()), (Some(12), Some(12)), "{tested}");
    let number = |name: &str| tested[name].as_f64().unwrap();
    assert!(
        number("policy_utility") <= number("hindsight_utility")
            && number("constant_utility") <= number("hindsight_utility")
    );
    let is_better = tested["difference"]["low"].as_f64().unwrap() > 0.0;
    let path = folder.path().join("profiles/each.json");
    assert_eq!(Profile::load(&path).unwrap().policy.is_some(), is_better, "only what is better is kept");

    let policy = &result["chosen_for"]["policy"];
    edit_json(&path, |profile| {
        profile["policy"] = policy.clone();
        profile["policy"]["tested"]["line"]["intercept"] = 0.0.into();
        profile["policy"]["tested"]["line"]["slope"] = 1000.0.into();
    });
    let data = crate::program::repository().join("assets/aligner/held-out.jsonl.gz");
    let rows = words("data split --share 0.01 --seed 5 --out few.jsonl --held-out rest.jsonl");
    succeed(folder.path(), &[&rows[..], &[data.to_str().unwrap()]].concat());
    let correct = words("correct --profile each --max-new-tokens 120 --data few.jsonl --out corrected.jsonl");
    let ran = succeed(folder.path(), &correct);
    assert!(ran.stderr.contains("the profile chooses a coefficient for each answer"), "{}", ran.stderr);
    let corrected = lines(&folder.path().join("corrected.jsonl"));
    let rows: Vec<&Value> = corrected.iter().filter(|row| row["correction"].is_string()).collect();
    let at = |coefficient: f64| rows.iter().copied().find(|row| row["coefficient"].as_f64() == Some(coefficient));
    let (low, high) = (at(-1.0).expect("a score below the mean"), at(1.0).expect("a score above the mean"));

    let server = crate::serve::program::Server::start(&format!("--profile {}", path.display()));
    assert_eq!(server.get("/v1/steering").json()["vectors"][0]["per_request"], true);
    for row in [low, high] {
        let ask = |steering: Value| {
            let body = serde_json::json!({ "question": row["question"], "answer": row["answer"], "steering": steering, "max_tokens": 120 });
            server.post("/v1/correct", &body).json()
        };
        let reply = ask(serde_json::json!({}));
        assert_eq!((&reply["coefficient"], &reply["correction"]), (&row["coefficient"], &row["correction"]), "{reply}");
        assert_eq!(ask(serde_json::json!({ "coefficient": 0.5 }))["coefficient"], 0.5, "what a request gives wins");
    }
    let by_hand =
        words("correct --profile each --coefficient 0.5 --max-new-tokens 120 --data few.jsonl --out by-hand.jsonl");
    succeed(folder.path(), &by_hand);
    let by_hand = lines(&folder.path().join("by-hand.jsonl"));
    assert!(by_hand.iter().all(|row| !row["correction"].is_string() || row["coefficient"] == 0.5));

    edit_json(&path, |profile| profile["policy"]["tested"]["line"]["slope"] = "steep".into());
    let refused = run(folder.path(), &words("correct --profile each --question q --answer a"));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
}
