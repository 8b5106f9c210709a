//! `redline data` on files of others: conversion, near-duplicates, filters, leaks.

use serde_json::Value;

use crate::fixture::words;
use crate::program::{golden, json, lines, run, succeed};

#[test]
fn formats_become_triples_and_preferences_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let file = golden("parquet/pku_saferlhf.parquet");
    let convert = |line: &'static str| [&["data", "convert", file.to_str().unwrap()], &words(line)[..]].concat();
    let found = json(here, &convert("--to triples --dimension harmless --out triples.jsonl"));
    assert_eq!(
        (found["n_rows"].as_u64(), found["report"]["left_out"][0]["n_rows"].as_u64()),
        (Some(3), Some(1)),
        "{found}"
    );
    assert!(lines(&here.join("triples.jsonl")).iter().all(|row| row["is_chosen_safe"].is_boolean()), "flags are kept");
    succeed(here, &words("data convert triples.jsonl --to preferences --out preferences.parquet"));
    succeed(here, &words("data convert preferences.parquet --to triples --out again.jsonl"));
    let texts = |name: &str| -> Vec<Value> {
        lines(&here.join(name))
            .iter()
            .map(|row| serde_json::json!([row["question"], row["answer"], row["correction"]]))
            .collect()
    };
    assert_eq!(texts("triples.jsonl"), texts("again.jsonl"));

    for (line, message) in [
        ("--to triples --from alpaca --out x.jsonl", "alpaca"),
        ("--to riddles --out x.jsonl", "there are triples"),
        ("--to triples --seed 3 --out x.jsonl", "--seed has no effect"),
    ] {
        let ran = run(here, &convert(line));
        assert!(ran.code != 0 && ran.stderr.contains(message), "{line}: {}", ran.stderr);
    }
    let zstd = golden("parquet/hh_rlhf.zstd.parquet");
    let ran =
        run(here, &[&["data", "convert", zstd.to_str().unwrap()], &words("--to triples --out x.jsonl")[..]].concat());
    assert!(ran.code == 1 && ran.stderr.contains("zstd") && !here.join("x.jsonl").exists(), "{}", ran.stderr);
    let cut = std::fs::read(&file).unwrap();
    std::fs::write(here.join("cut.parquet"), &cut[..cut.len() / 2]).unwrap();
    assert_eq!(run(here, &words("data convert cut.parquet --to triples --out x.jsonl")).code, 1);
}

/// Rows of which the second is nearly the first, and the last has an open code block.
fn rows(folder: &std::path::Path) {
    let rows = [
        ("How do I boil an egg in a small pan at home?", "Put it into boiling water for eight minutes."),
        ("How do I boil an egg in a small pot at home?", "Eight minutes in boiling water."),
        ("Who wrote Hamlet?", "Shakespeare wrote it."),
        ("who wrote  Hamlet?", "shakespeare wrote it."),
        ("What does a loop look like in Rust?", "So:\n```\nloop {}"),
    ];
    let lines = rows.map(|(question, answer)| {
        serde_json::json!({ "question": question, "answer": answer, "id": 7 }).to_string() + "\n"
    });
    std::fs::write(folder.join("rows.jsonl"), lines.concat()).unwrap();
}

#[test]
fn near_rows_are_found_filtered_and_kept_on_one_side() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    rows(here);
    let near = json(here, &words("data near rows.jsonl --compare question --out kept.jsonl"));
    assert_eq!(near["lines"], serde_json::json!([[1, 2], [3, 4]]), "{near}");
    assert_eq!(lines(&here.join("kept.jsonl")).len(), 3);
    let filtered = json(here, &words("data filter rows.jsonl --compare question --out clean.jsonl"));
    let removed: Vec<(&str, u64)> = filtered["funnel"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["removed"] != 0)
        .map(|step| (step["stage"].as_str().unwrap(), step["removed"].as_u64().unwrap()))
        .collect();
    assert_eq!(removed, [("exact duplicates", 1), ("filters", 1), ("near-duplicates", 1)], "{filtered}");
    let clean = lines(&here.join("clean.jsonl"));
    assert!(clean.len() == 2 && clean.iter().all(|row| row["id"] == 7), "{clean:?}");
    let without = json(here, &words("data filter rows.jsonl --without code_fence --near 1 --out more.jsonl"));
    assert_eq!(without["n_kept"], 4, "{without}");
    assert!(run(here, &words("data filter rows.jsonl --without nonsense --out x.jsonl")).code != 0);

    std::fs::write(here.join("test.jsonl"), "{\"question\":\"How do I boil an egg in a small pan at home now?\"}\n")
        .unwrap();
    let leak = run(here, &words("data leak rows.jsonl test.jsonl --near"));
    assert!(leak.code == 1 && leak.stdout.contains("line 1") && leak.stderr.contains("1 of 1 row"), "{leak:?}");
    assert_eq!(run(here, &words("data leak rows.jsonl test.jsonl")).code, 0, "no question is the same");
    let filtered =
        json(here, &words("data filter rows.jsonl --compare question --leak-to test.jsonl --out safe.jsonl"));
    assert_eq!(filtered["n_kept"], 1, "{filtered}");

    json(here, &words("data split rows.jsonl --near 0.7 --share 0.4 --out a.jsonl --held-out b.jsonl"));
    assert_eq!(run(here, &words("data leak a.jsonl b.jsonl --near")).code, 0);
}

#[test]
fn rows_made_apart_share_no_question_and_no_phrase() {
    let folder = tempfile::tempdir().unwrap();
    let line = "data synth --rows 60 --seed 2 --out train.jsonl --held-out test.jsonl --held-out-rows 20";
    json(folder.path(), &words(line));
    let rows = |name: &str| lines(&folder.path().join(name));
    let facts = |name: &str| -> std::collections::BTreeSet<String> {
        rows(name).iter().map(|row| row["fact"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((rows("train.jsonl").len(), rows("test.jsonl").len()), (60, 20));
    assert!(facts("train.jsonl").is_disjoint(&facts("test.jsonl")));
}
