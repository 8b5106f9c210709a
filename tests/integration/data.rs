//! `redline data`: the same seed gives the same bytes, and leaks are found.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::{json, lines, repository, run, succeed};

#[test]
fn the_demonstration_triples_are_what_the_command_writes() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["data", "synth", "--rows", "240", "--seed", "1", "--out", "triples.jsonl"]);
    let written = std::fs::read(folder.path().join("triples.jsonl")).unwrap();
    let shipped = std::fs::read(repository().join("assets/demo/triples.jsonl")).unwrap();
    assert!(written == shipped, "run `redline data synth --rows 240 --seed 1 --out assets/demo/triples.jsonl`");
}

#[test]
fn flaws_go_into_clean_answers_and_shared_questions_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let answers = (0..20).map(|i| {
        let answer = format!("Water boils at 100 degrees. It freezes at 0 degrees. Bath {i} is warm.");
        serde_json::json!({ "question": format!("What does water do, part {i}?"), "answer": answer }).to_string() + "\n"
    });
    std::fs::write(folder.path().join("clean.jsonl"), answers.collect::<String>()).unwrap();
    succeed(folder.path(), &["data", "corrupt", "clean.jsonl", "--seed", "3", "--out", "flawed.jsonl"]);
    let flawed = std::fs::read_to_string(folder.path().join("flawed.jsonl")).unwrap();
    assert_eq!(flawed.lines().count(), 20);
    let leak = run(folder.path(), &["data", "leak", "clean.jsonl", "flawed.jsonl"]);
    assert_eq!(leak.code, 1, "{}", leak.stderr);
    assert!(leak.stderr.contains("error: "), "{}", leak.stderr);
    succeed(folder.path(), &["data", "synth", "--rows", "5", "--out", "other.jsonl"]);
    assert_eq!(run(folder.path(), &["data", "leak", "clean.jsonl", "other.jsonl"]).code, 0);
}

#[test]
fn a_share_out_of_range_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &["data", "synth", "--clean-share", "1.5", "--out", "x.jsonl"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(!folder.path().join("x.jsonl").exists());
}

#[test]
fn rows_are_cleaned_and_split_by_question() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let row = |i: usize, rejected: &str| serde_json::json!({ "question": format!("Q{}?", i % 10), "chosen": format!("good {i}"), "rejected": rejected });
    let mut rows: Vec<String> = (0..30).map(|i| row(i, "bad").to_string()).collect();
    rows.extend([row(3, "bad").to_string(), row(31, " ").to_string(), row(32, &"long ".repeat(50)).to_string()]);
    std::fs::write(path("pairs.jsonl"), rows.join("\n")).unwrap();
    let args = ["data", "clean", "pairs.jsonl", "--max-chars", "100", "--out", "triples.jsonl"];
    let report = json(folder.path(), &args)["report"].clone();
    let counts = ["read", "empty", "over_long", "duplicates", "kept"].map(|key| report[key].as_u64().unwrap());
    assert_eq!(counts, [33, 1, 1, 1, 30]);
    let triples = lines(&path("triples.jsonl"));
    assert_eq!((&triples[4]["answer"], &triples[4]["correction"]), (&"bad".into(), &"good 4".into()));

    let args = ["data", "split", "triples.jsonl", "--share", "0.3", "--out", "a.jsonl", "--held-out", "b.jsonl"];
    succeed(folder.path(), &args);
    let questions = |name: &str| -> BTreeSet<String> {
        lines(&path(name)).iter().map(|row| row["question"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((questions("a.jsonl").len(), questions("b.jsonl").len()), (7, 3));
    assert!(questions("a.jsonl").is_disjoint(&questions("b.jsonl")));
    assert_eq!(lines(&path("a.jsonl")).len() + lines(&path("b.jsonl")).len(), 30);
    let missing = ["data", "split", "triples.jsonl", "--by", "fact", "--out", "c.jsonl", "--held-out", "d.jsonl"];
    let ran = run(folder.path(), &missing);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("triples.jsonl:1: no text in `fact`"), "{}", ran.stderr);
}

#[test]
fn corrupted_rows_are_corrupted_anew_and_scrambled() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    succeed(folder.path(), &["data", "synth", "--rows", "30", "--seed", "2", "--out", "rows.jsonl"]);
    succeed(folder.path(), &["data", "corrupt", "rows.jsonl", "--seed", "9", "--out", "again.jsonl"]);
    let field =
        |name: &str, key: &str| -> Vec<Value> { lines(&path(name)).iter().map(|row| row[key].clone()).collect() };
    assert_eq!(field("rows.jsonl", "clean"), field("again.jsonl", "clean"));
    assert_ne!(field("rows.jsonl", "answer"), field("again.jsonl", "answer"));
    succeed(folder.path(), &["data", "scramble", "rows.jsonl", "--rows", "12", "--out", "copies.jsonl"]);
    assert_eq!(field("copies.jsonl", "answer"), field("copies.jsonl", "correction"));
    assert_eq!(lines(&path("copies.jsonl")).len(), 12);
    // other fields are kept once each, but for what is said of the texts
    assert_eq!(field("copies.jsonl", "fact"), field("rows.jsonl", "fact")[..12]);
    assert!(lines(&path("copies.jsonl")).iter().all(|row| row.get("flaws").is_none() && row.get("clean").is_none()));
    succeed(folder.path(), &["data", "scramble", "rows.jsonl", "--rows", "33", "--out", "more.jsonl"]);
    assert_eq!(field("more.jsonl", "fact")[..30], field("rows.jsonl", "fact"));
    assert!(field("more.jsonl", "fact")[30..].iter().all(Value::is_null));
    // a row whose flaws do not fit its text
    let mut row =
        lines(&path("rows.jsonl")).into_iter().find(|row| !row["flaws"].as_array().unwrap().is_empty()).unwrap();
    row["clean"] = "short".into();
    std::fs::write(path("bad.jsonl"), format!("{row}\n")).unwrap();
    let ran = run(folder.path(), &["data", "corrupt", "bad.jsonl", "--out", "never.jsonl"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("bad.jsonl:1: the row's flaws cannot be read"), "{}", ran.stderr);
    assert!(!path("never.jsonl").exists());
}
