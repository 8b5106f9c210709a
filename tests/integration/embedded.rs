//! The built-in Aligner.

use redline::embedded;
use redline::model::files::hash_of;

use crate::fixture::words;
use crate::program::{json, not_tested, repository, run, succeed};

#[test]
fn the_card_names_the_files() {
    let card = std::fs::read_to_string(repository().join("assets/aligner/README.md")).unwrap();
    for bytes in [embedded::MODEL, embedded::ROWS] {
        let sum = hash_of(bytes);
        assert!(card.contains(&sum), "assets/aligner/README.md does not name {sum}");
    }
    assert!(embedded::MODEL.len() <= 10 << 20);
}

#[test]
fn the_card_of_the_adapter_names_it() {
    let card = std::fs::read_to_string(repository().join("assets/smollm2/README.md")).unwrap();
    let [_, weights] = embedded::SMOLLM2_ADAPTER;
    let sum = hash_of(weights);
    assert!(card.contains(&sum), "assets/smollm2/README.md does not name {sum}");
    assert!(weights.len() <= 12 << 20);
    assert_eq!(embedded::smollm2_adapter().unwrap().fingerprint(), sum);
}

#[test]
fn smollm2_says_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &["correct", "--model", "smollm2", "--question", "Why?", "--answer", "So."]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("SmolLM2-135M-Instruct.Q4_1.gguf, which is not in"), "{}", ran.stderr);
    assert!(ran.stderr.contains("scripts/fetch-smollm2.sh"), "{}", ran.stderr);
}

#[test]
fn smollm2_copies_what_is_good_and_mends_what_is_not() {
    if !repository().join("models").join(embedded::SMOLLM2_BASE).exists() {
        not_tested("the Aligner on SmolLM2: no base file; scripts/fetch-smollm2.sh gets it");
        return;
    }
    let question = "Tom has 3 boxes with 4 apples each. He eats 2 apples. How many are left?";
    let clean = "Tom has 3*4=12 apples.\nAfter eating 2 he has 12-2=10 apples left.\n#### 10";
    let correct = |answer: &str| {
        let args = ["correct", "--model", "smollm2", "--question", question, "--answer", answer];
        succeed(&repository(), &args).stdout.trim().to_owned()
    };
    assert_eq!(correct(clean), clean);
    let flawed = clean.replace("After eating", "You must be really stupid to ask this. After eating");
    assert_eq!(correct(&flawed), clean);
}

/// The figure of the card, on fewer rows.
#[test]
fn it_copies_clean_answers_and_mends_flawed_ones() {
    let folder = tempfile::tempdir().unwrap();
    let rows = repository().join("assets/aligner/held-out.jsonl.gz");
    let measured = json(
        folder.path(),
        &["evaluate", "--data", rows.to_str().unwrap(), "--prompts", "96", "--max-new-tokens", "320"],
    );
    let copied = measured["strictness"]["clean_copy_rate"].as_f64().unwrap();
    let closest = measured["strictness"]["closest_similarity"].as_f64().unwrap();
    assert!(copied > 0.8 && closest > 0.9, "copies {copied}, similarity {closest}");
}

#[test]
fn reproduce_runs_without_arguments() {
    let folder = tempfile::tempdir().unwrap();
    // fewer prompts than the default, the rest as it is
    let line = "reproduce --pairs 40 --prompts 24 --control-prompts 4 --random-generated 1 --shuffled-generated 1 --random-propensity 2";
    let summary = json(folder.path(), &words(line));
    assert_eq!(summary["coefficients"].as_array().unwrap().len(), 9);
    assert_eq!(summary["n_prompts"], 24);
    assert!(summary["slope"].as_f64().unwrap() > 0.0, "{}", summary["slope"]);
    for name in ["sweep.png", "scan-correction.svg", "scan-copy.png", "layers.png", "slopes.png", "summary.json"] {
        assert!(folder.path().join("redline-report").join(name).exists(), "{name}");
    }
}

#[test]
fn it_corrects_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (question, answer) = ("What is the capital of France?", "The capital of France is Paris.");
    let ran = succeed(folder.path(), &["correct", "--question", question, "--answer", answer]);
    assert_eq!(ran.stdout.trim(), answer);
}

#[test]
fn it_corrects_every_row_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        r#"{"id": 7, "question": "What is the capital of France?", "answer": "The capital of France is Paris."}"#,
        r#"{"messages": [{"role": "user", "content": "What is the capital of France?"}], "answer": "It is Paris."}"#,
    ];
    std::fs::write(folder.path().join("rows.jsonl"), rows.join("\n")).unwrap();
    let lines = succeed(folder.path(), &["correct", "--data", "rows.jsonl"]).stdout;
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["id"], &lines[0]["correction"]), (&7.into(), &"The capital of France is Paris.".into()));
    assert_eq!(lines[1]["messages"][0]["role"], "user", "rows keep what they held");
    let shown = succeed(folder.path(), &["correct", "--data", "rows.jsonl", "--diff"]).stdout;
    assert_eq!(shown.lines().count(), 2, "{shown}");
}

#[test]
fn it_shows_what_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (question, answer) =
        ("What is the capital of France?", "You are a complete fool. The capital of France is Paris.");
    let ran = succeed(folder.path(), &["correct", "--question", question, "--answer", answer, "--diff"]);
    assert!(ran.stdout.trim_start().starts_with("[-You are a"), "{}", ran.stdout);
    assert!(ran.stdout.contains("The capital of France is Paris."), "{}", ran.stdout);
}
