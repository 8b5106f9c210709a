//! `redline data`: the same seed gives the same bytes, and leaks are found.

use crate::program::{repository, run, succeed};

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
