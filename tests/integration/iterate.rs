//! `redline iterate` with real models: rounds end to end, killed and continued, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::words;
use crate::program::{BINARY, json, run, succeed};

/// Longer than anything here takes, so that a hang fails instead of lasting.
const PATIENCE: Duration = Duration::from_secs(600);
const COLOURS: [&str; 4] = ["red", "blue", "green", "white"];

/// Rows whose answers begin with an insult.
fn rows(numbers: std::ops::Range<usize>) -> String {
    let row = |number: usize| {
        let (clean, question) = (format!("It is {}.", COLOURS[number % 4]), format!("Which colour has box {number}?"));
        json!({ "question": question, "answer": format!("Listen, you fool. {clean}"), "correction": clean }).to_string()
            + "\n"
    };
    numbers.map(row).collect()
}

/// A folder with a policy that insults, rows, and pairs of another world.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("taught.jsonl", rows(0..64).lines().map(|line| line.replace("\"correction\"", "\"clean\"") + "\n").collect());
    write("data.jsonl", rows(100..116));
    write("held-out.jsonl", rows(200..206));
    let pair = |n: usize| format!("{{\"prompt\":\"Is {n} odd?\",\"chosen\":\"I see.\",\"rejected\":\"It is {n}.\"}}\n");
    write("control.jsonl", (0..40).map(pair).collect());
    let train = "train --objective sft --data taught.jsonl --from-scratch --hidden-size 64 --heads 2 --n-layers 2 --vocab-size 300 \
                 --context 256 --steps 60 --batch-rows 8 --learning-rate 1e-2 --held-out-share 0 --generate 0 --out start";
    succeed(folder.path(), &words(train));
    folder
}

fn preference(out: &str) -> String {
    format!(
        "iterate --kind preference --policy start/model --data data.jsonl --held-out held-out.jsonl --control control.jsonl \
         --rounds 2 --temperature 0.2 --max-new-tokens 40 --steps 3 --checkpoint-every 1 --train-rows 4 --learning-rate 1e-3 \
         --max-tokens 120 --export trl --out {out}"
    )
}

/// All files below a folder, but those that say how long something took.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut left) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        let has_times = name.starts_with("logs/") || name.ends_with("train.jsonl") || name.ends_with("index.html");
        if !has_times && !name.contains("curves.") {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Kills a run, as `kill -9` does, once a file of it is there.
fn killed_at(folder: &Path, command: &str, file: &str) {
    let mut child = Command::new(BINARY)
        .args(words(command))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !folder.join(file).exists() {
        assert!(start.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "{file} does not appear");
        std::thread::sleep(Duration::from_micros(500));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn killed_rounds_of_preferences_end_as_unbroken_ones() {
    let folder = folder();
    let summary = json(folder.path(), &words(&preference("rounds")));
    assert_eq!((&summary["schema"], &summary["kind"]), (&"redline.iterate.v1".into(), &"preference".into()));
    let arms: Vec<(&str, u64)> = summary["rounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|round| (round["arm"].as_str().unwrap(), round["round"].as_u64().unwrap()))
        .collect();
    assert_eq!(arms, [("aligner", 0), ("aligner", 1), ("control", 1), ("aligner", 2), ("control", 2)]);
    let start = &summary["rounds"][0];
    assert!(start["harmless"]["value"].as_f64().unwrap() < -0.5, "the policy insults: {start}");
    assert!(start["with_aligner"]["harmless"]["value"].as_f64().unwrap() > -0.5, "the Aligner mends: {start}");
    let per_token =
        |round: usize| summary["rounds"][round]["closeness"]["before"]["chosen_per_token"].as_f64().unwrap();
    assert!(per_token(1) > per_token(2), "own pairs are nearer than those of another world");
    let out = folder.path().join("rounds");
    for name in ["pairs.jsonl", "pairs.parquet", "unpaired.jsonl", "unpaired.parquet", "policy/model", "control/model"]
    {
        assert!(out.join("round-2").join(name).exists(), "{name}");
    }

    std::fs::rename(&out, folder.path().join("whole")).unwrap();
    let command = preference("rounds");
    for file in ["round-1/draws.jsonl", "round-1/policy/last.checkpoint", "round-2/control/train.jsonl"] {
        killed_at(folder.path(), &command, &format!("rounds/{file}"));
    }
    assert_eq!(json(folder.path(), &words(&command)), summary);
    let (whole, broken) = (files(&folder.path().join("whole")), files(&out));
    assert_eq!(whole.keys().collect::<Vec<_>>(), broken.keys().collect::<Vec<_>>());
    for (name, bytes) in whole {
        assert!(broken[&name] == bytes, "{name} differs");
    }

    let refused = run(folder.path(), &words(&(command.clone() + " --seed 7")));
    assert!(refused.code == 1 && refused.stderr.contains("iterate.json"), "{}", refused.stderr);
    let other = command.replace("--out rounds", "--out start");
    let refused = run(folder.path(), &words(&other));
    assert!(refused.code == 1 && refused.stderr.contains("summary.json is there"), "{}", refused.stderr);
}

#[test]
fn a_plan_is_printed_and_what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("data.jsonl", rows(0..8));
    write("held-out.jsonl", rows(20..26));
    write("same.jsonl", rows(5..9));
    write("model.gguf", "no model".into());
    let line = |more: &str| {
        format!(
            "iterate --kind distil --policy model.gguf --data data.jsonl --held-out held-out.jsonl --rounds 1 --out out {more}"
        )
    };
    let plan = json(folder.path(), &words(&line("--dry-run --passes 2")));
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(plan["schema"], "redline.iterate-plan.v1");
    let command = |step: &Value| step["command"].as_str().unwrap().to_owned();
    assert!(command(&steps[1]).starts_with("redline correct --data out/rows/held-out.jsonl"), "{}", command(&steps[1]));
    assert!(command(&steps[0]).ends_with("--out out --passes 2 --step rows"), "{}", command(&steps[0]));
    assert!(!folder.path().join("out").exists(), "nothing is written");
    let refused = |line: &str, said: &[&str]| {
        let ran = run(folder.path(), &words(line));
        assert!(ran.code == 1 && ran.stdout.is_empty(), "{line}: {}", ran.stderr);
        for said in said.iter().chain(&["hint: "]) {
            assert!(ran.stderr.contains(said), "{line}: {}", ran.stderr);
        }
    };
    refused(
        &line("").replace("held-out.jsonl", "same.jsonl"),
        &["3 questions of data.jsonl are also among those held out"],
    );
    refused(&line("").replace("model.gguf", "none.gguf"), &["none.gguf: no such file or folder (policy)"]);
    refused(&line("--seeds 2"), &["--seeds has no effect beside --kind distil"]);
    refused(&line("--helpful-by flaws"), &["flaws is none"]);
    refused(&line("--control data.jsonl"), &["--control has no effect"]);
    // the fault of a step is passed on, with its name and where all of it stands
    refused(&line(""), &["step round-0/held-out: model.gguf", "out/logs/round-0-held-out.log"]);
}
