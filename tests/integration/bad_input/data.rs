//! Triples that cannot be read or used.

use serde_json::Value;

use super::*;
use crate::fixture::{triples, write_triples};

const EXTRACT: &str = "extract --model model --template template.txt --out vector.safetensors --data";

/// Good rows with `line` as the third.
fn with_third_line(tiny: &Tiny, line: &str) {
    let text = std::fs::read_to_string(tiny.path("triples.jsonl")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = line;
    std::fs::write(tiny.path("bad.jsonl"), lines.join("\n")).unwrap();
}

fn line_refused(name: &str, line: &str) {
    let tiny = Tiny::new();
    with_third_line(&tiny, line);
    refused_line(&tiny, name, "ratio bad.jsonl --strict");
    // the same before a model is loaded: this one would not load
    let line = "extract --model triples.jsonl --data bad.jsonl --out vector.safetensors --strict";
    refused_line(&tiny, name, line);
}

#[test]
fn malformed_line() {
    line_refused("data_malformed", r#"{"question": "a", "answer": "b", "correction": }"#);
}

#[test]
fn line_that_is_no_object() {
    line_refused("data_no_object", r#"["question", "answer"]"#);
}

#[test]
fn missing_field() {
    line_refused("data_missing_field", r#"{"question": "a", "answer": "b"}"#);
}

#[test]
fn empty_answer() {
    line_refused("data_empty_answer", r#"{"question": "a", "answer": " ", "correction": "c"}"#);
}

#[test]
fn field_that_is_no_text() {
    line_refused("data_field_type", r#"{"question": "a", "answer": 7, "correction": "c"}"#);
}

#[test]
fn missing_file() {
    refused_line(&Tiny::new(), "data_missing_file", &format!("{EXTRACT} no-such-file.jsonl"));
}

#[test]
fn empty_file() {
    let tiny = Tiny::new();
    std::fs::write(tiny.path("empty.jsonl"), "").unwrap();
    refused_line(&tiny, "data_empty_file", &format!("{EXTRACT} empty.jsonl"));
    refused_line(&tiny, "data_empty_file", "ratio empty.jsonl");
}

#[test]
fn truncated_gzip() {
    let tiny = Tiny::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &std::fs::read(tiny.path("triples.jsonl")).unwrap()).unwrap();
    let bytes = gzip.finish().unwrap();
    std::fs::write(tiny.path("cut.jsonl.gz"), &bytes[..bytes.len() / 2]).unwrap();
    let ran = run(tiny.folder(), &["ratio", "cut.jsonl.gz"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("cut.jsonl.gz: not a valid gzip file: cut short or damaged after line"),
        "{}",
        ran.stderr
    );
}

#[test]
fn empty_answer_on_the_command_line() {
    let tiny = Tiny::new();
    let args = ["correct", "--model", "model", "--question", "Why?", "--answer", " "];
    refused(&tiny, "data_empty_answer_argument", &args);
}

#[test]
fn scan_of_identical_texts() {
    let tiny = Tiny::new();
    tiny.extract();
    let mut rows = triples(6);
    rows[4].correction = rows[4].answer.clone();
    write_triples(&tiny.path("copies.jsonl"), &rows);
    let scan = "scan --model model --template template.txt --vector vector.safetensors --data copies.jsonl";
    refused_line(&tiny, "data_scan_identical", &format!("{scan} --row 4"));
}

#[test]
fn extract_from_identical_texts_only() {
    let tiny = Tiny::new();
    let mut rows = triples(6);
    rows.iter_mut().for_each(|qac| qac.correction = qac.answer.clone());
    write_triples(&tiny.path("copies.jsonl"), &rows);
    refused_line(&tiny, "data_extract_identical", &format!("{EXTRACT} copies.jsonl"));
}

#[test]
fn some_identical_texts_are_left_out_and_counted() {
    let tiny = Tiny::new();
    let mut rows = triples(12);
    rows[4].correction = rows[4].answer.clone();
    write_triples(&tiny.path("mixed.jsonl"), &rows);
    let ran = crate::program::succeed(tiny.folder(), &words(&format!("{EXTRACT} mixed.jsonl")));
    assert!(ran.stderr.contains("note: 1 triples left out: their correction equals the answer"), "{}", ran.stderr);
}

#[test]
fn a_row_that_is_not_there() {
    let tiny = Tiny::new();
    tiny.extract();
    let scan = "scan --model model --template template.txt --vector vector.safetensors --data triples.jsonl";
    refused_line(&tiny, "data_scan_row", &format!("{scan} --row 48"));
}

/// Five rows, of which the fourth has a prompt of some 400 tokens.
fn one_too_long(tiny: &Tiny) {
    let mut rows = triples(5);
    rows[3].answer = "longer ".repeat(60);
    write_triples(&tiny.path("long.jsonl"), &rows);
}

#[test]
fn prompt_longer_than_the_context() {
    let tiny = Tiny::new();
    tiny.extract();
    one_too_long(&tiny);
    let common = "--model model --template template.txt --data long.jsonl --max-new-tokens 16";
    // one engine, whatever it writes to: the same rows, of which one says why it is not corrected
    let shown = run(tiny.folder(), &words(&format!("correct {common}")));
    let written = run(tiny.folder(), &words(&format!("correct {common} --out out.jsonl")));
    let named = run(
        tiny.folder(),
        &words("correct --aligner model,template=template.txt --data long.jsonl --max-new-tokens 16"),
    );
    let rows = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let mut file = rows(&std::fs::read_to_string(tiny.path("out.jsonl")).unwrap());
    file.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("run")));
    assert_eq!(file, rows(&shown.stdout));
    assert_eq!(shown.stdout, named.stdout);
    for ran in [&shown, &written, &named] {
        assert!(ran.code == 1 && ran.stderr.contains("the prompt of 337 tokens and 16 new ones exceed"), "{ran:?}");
    }
    let errors: Vec<bool> = file.iter().map(|row| row["error"].is_string()).collect();
    assert_eq!(errors, [false, false, false, true, false]);
    assert!(file.iter().all(|row| row["error"].is_string() != row["correction"].is_string()));
    let vector = "--vector vector.safetensors --allow-overlap --out sweep.jsonl";
    refused_line(&tiny, "data_context_sweep", &format!("sweep {common} {vector}"));
    let scan = "scan --model model --template template.txt --vector vector.safetensors --data long.jsonl --row 3";
    refused_line(&tiny, "data_context_scan", scan);
}

#[test]
fn prompt_of_the_command_line_longer_than_the_context() {
    let tiny = Tiny::new();
    let long = "longer ".repeat(60);
    let args = ["correct", "--model", "model", "--question", "Why?", "--answer", &long, "--max-new-tokens", "16"];
    refused(&tiny, "data_context_argument", &args);
}

#[test]
fn more_new_tokens_than_the_context() {
    let tiny = Tiny::new();
    let args = "correct --model model --template template.txt --data triples.jsonl --max-new-tokens 300";
    refused_line(&tiny, "data_context_output", args);
}

#[test]
fn too_few_rows_for_reproduce() {
    let tiny = Tiny::new();
    let line = "reproduce --model model --template template.txt --data triples.jsonl --max-new-tokens 16 --out report";
    std::fs::create_dir(tiny.path("report")).unwrap();
    refused_line(&tiny, "data_reproduce_rows", &format!("{line} --pairs 40 --prompts 40"));
}

#[test]
fn outputs_that_replace_something() {
    let tiny = Tiny::new();
    refused_line(
        &tiny,
        "data_split_into_one",
        "data split triples.jsonl --share 0.5 --out a.jsonl --held-out ./a.jsonl",
    );
    refused_line(
        &tiny,
        "data_split_onto_itself",
        "data split triples.jsonl --share 0.5 --out triples.jsonl --held-out b.jsonl",
    );
    refused_line(&tiny, "data_clean_onto_itself", "data clean triples.jsonl --out ./triples.jsonl");
}

#[test]
fn a_sweep_of_other_rows() {
    let tiny = Tiny::new();
    tiny.extract();
    let sweep = |prompts: usize| {
        let line =
            "sweep --model model --template template.txt --data triples.jsonl --vector vector.safetensors --skip 24";
        format!("{line} --coefficients -1,0,1 --max-new-tokens 4 --out sweep.jsonl --prompts {prompts}")
    };
    crate::program::succeed(tiny.folder(), &words(&sweep(2)));
    let mut others = triples(48);
    others[40].answer.push('!');
    write_triples(&tiny.path("triples.jsonl"), &others);
    refused_line(&tiny, "data_sweep_of_other_rows", &sweep(4));
    std::fs::write(tiny.path("flawed.jsonl"), flawed_rows()).unwrap();
    refused_line(&tiny, "data_fit_of_other_rows", "fit sweep.jsonl --rows flawed.jsonl");
}

/// Rows of `data synth`, which nothing was swept on.
fn flawed_rows() -> String {
    let folder = tempfile::tempdir().unwrap();
    crate::program::succeed(folder.path(), &words("data synth --rows 40 --out rows.jsonl"));
    std::fs::read_to_string(folder.path().join("rows.jsonl")).unwrap()
}
