//! Vectors that are trained, and copy bias.

use std::fs;
use std::path::Path;

use redline::probe::Reading;

use crate::fixture::words;
use crate::program::{json, run, succeed};

/// Options of a training that takes seconds.
const SHORT: &str = "--method trained --training-rows 40 --steps 6 --step-rows 6 --evaluate-every 3 --development-rows 4 --learning-rate 0.2";

fn rows(folder: &Path, name: &str, seed: u32) {
    succeed(folder, &words(&format!("data synth --rows 80 --seed {seed} --out {name}")));
}

fn sweep_outputs(folder: &Path, file: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line.get("output").is_some()).collect()
}

#[test]
fn a_trained_vector_is_a_vector_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    rows(at, "rows.jsonl", 3);
    rows(at, "other.jsonl", 4);
    let line = format!(
        "extract --data rows.jsonl --pairs 40 --layers 1-2 --range all --gguf dial.gguf --out dial.safetensors {SHORT}"
    );
    let extracted = json(at, &words(&line));
    let training = &extracted["provenance"]["training"];
    assert_eq!((training["goal"].as_str(), training["range"].as_str()), (Some("graded"), Some("all")));
    assert!(training["best_loss"].as_f64().unwrap() <= training["start_loss"].as_f64().unwrap(), "{training}");
    assert_eq!(extracted["layers"].as_array().unwrap().len(), 2);
    assert!(!at.join("dial.safetensors.checkpoint").exists(), "its training has ended");

    let reading = Reading::load(&at.join("dial.safetensors")).unwrap();
    assert_eq!(reading.layers.iter().map(|layer| layer.layer).collect::<Vec<_>>(), [1, 2]);
    assert!(reading.layers.iter().all(|layer| layer.trained_norm.unwrap() > 0.0));

    // positions and layers are those of the training unless told otherwise
    let sweep = "sweep --data other.jsonl --prompts 4 --coefficients=-1,0,1 --max-new-tokens 40 --allow-overlap";
    let ran = succeed(at, &words(&format!("{sweep} --vector dial.safetensors --out sweep.jsonl")));
    assert!(!ran.stderr.contains("was trained over"), "{}", ran.stderr);
    let settings = fs::read_to_string(at.join("sweep.jsonl")).unwrap();
    let settings: serde_json::Value = serde_json::from_str(settings.lines().next().unwrap()).unwrap();
    assert_eq!(settings["settings"]["range"], "all");
    for (layer, norm) in settings["settings"]["vector_norms"].as_object().unwrap() {
        let trained = reading.layers.iter().find(|one| one.layer.to_string() == *layer).unwrap().trained_norm.unwrap();
        assert!((norm.as_f64().unwrap() / trained - 1.0).abs() < 1e-5, "a unit is what was trained");
    }
    // the GGUF file holds the same scales
    succeed(at, &words(&format!("{sweep} --vector dial.gguf --range all --out gguf.jsonl")));
    let texts = |file: &str| {
        sweep_outputs(at, file).iter().map(|row| row["output"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts("sweep.jsonl"), texts("gguf.jsonl"));
    let elsewhere =
        succeed(at, &words(&format!("{sweep} --vector dial.safetensors --range output --out output.jsonl")));
    assert!(elsewhere.stderr.contains("was trained over the positions `all`"), "{}", elsewhere.stderr);
    // questions of the training cannot be measured on
    let leak = run(at, &words("sweep --data rows.jsonl --prompts 40 --vector dial.safetensors --out leak.jsonl"));
    assert!(leak.code == 1 && leak.stderr.contains("were used to extract the vector"), "{}", leak.stderr);
}

#[test]
fn rows_without_flaws_train_poles_and_every_goal_trains() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    rows(at, "rows.jsonl", 5);
    let plain: String = fs::read_to_string(at.join("rows.jsonl"))
        .unwrap()
        .lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let kept = ["question", "answer", "correction"].map(|key| (key.to_owned(), row[key].clone()));
            serde_json::Value::Object(kept.into_iter().collect()).to_string() + "\n"
        })
        .collect();
    fs::write(at.join("plain.jsonl"), plain).unwrap();
    let extract = format!("extract --data plain.jsonl --pairs 40 --layers 1 --out v.safetensors {SHORT}");
    assert_eq!(json(at, &words(&extract))["provenance"]["training"]["goal"], "poles");
    for goal in ["bipo", "reps"] {
        let line = format!("{extract} --goal {goal}");
        assert_eq!(json(at, &words(&line))["provenance"]["training"]["goal"], goal);
    }
    let refused = run(at, &words(&format!("{extract} --goal graded")));
    assert!(refused.code == 1 && refused.stderr.contains("graded training takes rows that carry their flaws"));
    assert!(refused.stderr.contains("--goal poles"), "{}", refused.stderr);
}

#[test]
fn verbs_that_only_read_say_so() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path(), "rows.jsonl", 6);
    for line in [
        "layers --data rows.jsonl --out x --method trained",
        "compare --data rows.jsonl --method trained",
        "tune --target-ratio 0.3 --method trained",
    ] {
        let ran = run(folder.path(), &words(line));
        assert!(ran.code == 1 && ran.stderr.contains("redline extract --method trained"), "{line}: {ran:?}");
    }
}

#[test]
fn copy_bias_is_a_dial_without_a_vector() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    rows(at, "rows.jsonl", 7);
    let line = "sweep --data rows.jsonl --prompts 8 --vector none --copy-bias 60 --coefficients=-1,0,1 --max-new-tokens 120 --out sweep.jsonl";
    succeed(at, &words(line));
    let ratios = |coefficient: f64| -> Vec<f64> {
        let rows = sweep_outputs(at, "sweep.jsonl").into_iter().filter(|row| row["coefficient"] == coefficient);
        rows.map(|row| row["ratios"]["char"].as_f64().unwrap()).collect()
    };
    assert!(ratios(-1.0).iter().all(|ratio| *ratio == 0.0), "copies: {:?}", ratios(-1.0));
    let sum = |coefficient: f64| ratios(coefficient).iter().sum::<f64>();
    assert!(sum(0.0) > 0.0 && sum(1.0) > sum(0.0), "{} {}", sum(0.0), sum(1.0));

    let answer = "The past of to go is goed. You fool, go away.";
    let correct = |more: &str| {
        let mut line = words("correct --vector none --copy-bias 60 --question");
        line.extend(["What is the past of go?", "--answer", answer]);
        line.extend(words(more));
        succeed(at, &line).stdout.trim().to_owned()
    };
    assert_eq!(correct("--coefficient -1"), answer);
    assert_ne!(correct("--coefficient 1"), answer);
    let refused = run(at, &words("sweep --data rows.jsonl --vector none --copy-bias -1 --out x.jsonl"));
    assert!(refused.code != 0 && refused.stderr.contains("give nats from 0 to 1000"), "{}", refused.stderr);
}

#[test]
fn options_without_what_they_belong_to_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    rows(at, "rows.jsonl", 8);
    let refused = [
        (
            "extract --data rows.jsonl --method mean_diff --goal bipo --out v.safetensors",
            "--goal is an option of training",
        ),
        ("extract --data rows.jsonl --range all --out v.safetensors", "--range is an option of training"),
        ("sweep --data rows.jsonl --vector none --out s.jsonl", "and there is none"),
        ("correct --copy-bias 2 --question Why? --answer So.", "there is no vector"),
    ];
    for (line, said) in refused {
        let ran = run(at, &words(line));
        assert!(ran.code == 1 && ran.stderr.contains(said) && ran.stderr.contains("hint:"), "{line}: {}", ran.stderr);
    }
    assert!(!at.join("s.jsonl").exists() && !at.join("v.safetensors").exists());
}

#[test]
fn a_damaged_checkpoint_is_named_and_force_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    rows(at, "rows.jsonl", 9);
    let head = b"\x40\0\0\0\0\0\0\0{\"__metadata__\":{\"redline_checkpoint\":";
    fs::write(at.join("v.safetensors.checkpoint"), head).unwrap();
    let line = format!("extract --data rows.jsonl --pairs 40 --layers 1 --out v.safetensors {SHORT}");
    let ran = run(at, &words(&line));
    assert!(ran.code == 1 && ran.stderr.contains("this training cannot go on from it"), "{}", ran.stderr);
    assert!(ran.stderr.contains("remove the file"), "{}", ran.stderr);
    let ran = succeed(at, &words(&format!("{line} --force")));
    assert!(ran.stderr.contains("at the start"), "{}", ran.stderr);
}
