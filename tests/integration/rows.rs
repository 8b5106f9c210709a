//! Rows of data files from elsewhere: those that cannot be used are counted and left out, the others keep what they hold.

use std::path::Path;

use serde_json::{Value, json};

use crate::fixture::words;
use crate::program::{Ran, json as json_of, lines, repository, run, succeed};

fn case(name: &str) -> std::path::PathBuf {
    repository().join("tests/cases/16-hh-outlier-row").join(name)
}

fn clean(folder: &Path, input: &Path, more: &str) -> Ran {
    let input = input.display().to_string();
    run(folder, &[&["data", "clean", &input, "--out", "out.jsonl"][..], &words(more)].concat())
}

/// Cleans a file with this text and returns what was written, line by line.
fn cleaned(text: &str) -> (Vec<String>, Ran) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, text).unwrap();
    let ran = clean(folder.path(), Path::new("in.jsonl"), "");
    let written = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap_or_default();
    (written.lines().map(str::to_owned).collect(), ran)
}

#[test]
fn dialogues_that_part_early_are_counted_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let ran = clean(folder.path(), &case("rows.jsonl"), "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, "out.jsonl: 2 read, 1 unusable, 0 empty, 0 over-long, 0 duplicates, 1 kept\n");
    let note = "rows.jsonl: 1 of 2 rows left out: chosen and rejected differ before the last turn (line 2)";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
    let expected = json!({ "question": "Hi?", "answer": "Go away.", "correction": "Hello." });
    assert_eq!(lines(&folder.path().join("out.jsonl")), [expected]);

    let printed = clean(folder.path(), &case("rows.jsonl"), "--json --force");
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!((printed["report"]["read"].as_u64(), printed["report"]["unusable"].as_u64()), (Some(2), Some(1)));
    let left_out = json!([{ "reason": "differ-before-last-turn", "n_rows": 1, "first_line": 2, "first": "chosen and rejected differ before the last turn" }]);
    assert_eq!(printed["data_files"][0]["left_out"], left_out);

    std::fs::remove_file(folder.path().join("out.jsonl")).unwrap();
    let strict = clean(folder.path(), &case("rows.jsonl"), "--strict");
    assert_eq!(strict.code, 1);
    assert!(strict.stderr.contains("rows.jsonl:2: chosen and rejected differ"), "{}", strict.stderr);
    assert!(!folder.path().join("out.jsonl").exists(), "nothing is written");
}

#[test]
fn earlier_turns_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(clean(folder.path(), &case("turns.jsonl"), "").code, 0);
    let row = &lines(&folder.path().join("out.jsonl"))[0];
    let question = "USER: What is the capital of France?\nASSISTANT: Paris.\nUSER: How many people live there?";
    assert_eq!(row["question"], question);
    assert_eq!((&row["answer"], &row["correction"]), (&"Who cares.".into(), &"About two million.".into()));
}

#[test]
fn measuring_leaves_rows_out_too_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = case("rows.jsonl").display().to_string();
    let ran = succeed(folder.path(), &["ratio", &path]);
    assert!(ran.stdout.starts_with("n 1\n") && ran.stderr.contains("1 of 2 rows left out"), "{ran:?}");
    let printed = json_of(folder.path(), &["ratio", &path]);
    assert_eq!((printed["n"].as_u64(), printed["data_files"][0]["n_read"].as_u64()), (Some(1), Some(2)));
    assert_eq!(run(folder.path(), &["ratio", &path, "--strict"]).code, 1);
}

#[test]
fn every_line_is_read_or_has_a_reason() {
    let good = r#"{"question": "q", "answer": "a", "correction": "c"}"#;
    let text = [
        format!("\u{feff}{good}"),
        String::new(),
        format!("{good},"),
        r#"{"question": "q", "answer": NaN}"#.to_owned(),
        r#"{"question": "q", "answer": "a", "answer": "b"}"#.to_owned(),
        "[]".to_owned(),
        r#"{"question": "q", "answer": "b\ud83d"}"#.to_owned(),
        r#"{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}"#.to_owned(),
        r#"{"text": "q"}"#.to_owned(),
    ];
    let (written, ran) = cleaned(&text.join("\r\n"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(written, [good.replace(": ", ":").replace(", ", ","), r#"{"question":"q","answer":"b�"}"#.to_owned()]);
    for reason in [
        "2 of 8 rows left out, the first in line 3: not valid JSON: trailing characters at column 52",
        "1 of 8 rows left out: the key `answer` is there twice (line 5)",
        "1 of 8 rows left out: a row must be an object, but this is a list (line 6)",
        "1 of 8 rows left out: field `messages` holds more than text: a part of type `image_url` (line 8)",
        "1 of 8 rows left out: not a known kind of row; its fields are `text` (line 9)",
        "1 row with half a surrogate pair in a text",
    ] {
        assert!(ran.stderr.contains(reason), "{reason} is not in {}", ran.stderr);
    }
}

#[test]
fn arrays_and_objects_with_a_list_are_read() {
    let row = r#"{"question": "q", "answer": "a", "correction": "c"}"#;
    for text in [
        format!("[{row}]"),
        format!("[\n {},\n {row}\n]", row.replace("\"q\"", "3")),
        format!("{{\"version\": 1, \"data\": [{row}]}}"),
        format!("{{\n \"data\": [\n  {}\n ]\n}}\n", row.replace(", ", ",\n   ")),
    ] {
        let (written, ran) = cleaned(&text);
        assert_eq!(written.len(), 1, "{text}: {}", ran.stderr);
    }
    let (written, ran) = cleaned(&format!("[{row},]"));
    assert!(written.is_empty() && ran.code == 1 && ran.stderr.contains("in.jsonl:1"), "{}", ran.stderr);
    let (written, ran) = cleaned("{\n \"data\": [\n  {\"question\": 3}\n ]\n}\n");
    assert!(written.is_empty() && ran.stderr.contains("in.jsonl:3: field `question` must be text"), "{}", ran.stderr);
}

/// Fields whose values no floating-point number or sorted map keeps.
const OTHERS: &str = r#""id":18446744073709551617,"score":0.10,"meta":{"z":1,"a":1e400}"#;

#[test]
fn other_fields_go_through_every_verb_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let row = |i: usize| {
        format!(r#"{{"n":{i},{OTHERS},"prompt":"Q{i}?","completion":"Water boils at 100 degrees. Part {i}."}}"#)
    };
    std::fs::write(path("rows.jsonl"), (0..20).map(|i| row(i) + "\n").collect::<String>()).unwrap();
    let n_kept = |name: &str| read(name).lines().filter(|line| line.contains(OTHERS)).count();
    let go = |line: &str| succeed(folder.path(), &words(line));
    go("data clean rows.jsonl --out clean.jsonl");
    go("data corrupt rows.jsonl --out flawed.jsonl --clean-share 0");
    go("data corrupt flawed.jsonl --seed 4 --out again.jsonl");
    go("data clean again.jsonl --out again-clean.jsonl");
    for name in ["clean.jsonl", "flawed.jsonl", "again.jsonl", "again-clean.jsonl"] {
        assert_eq!(n_kept(name), 20, "{name}");
    }
    assert!(lines_with_flaws(&read("again-clean.jsonl")), "flaws are fields like others");
    go("data split rows.jsonl --share 0.25 --out a.jsonl --held-out b.jsonl");
    let mut parts: Vec<String> = [read("a.jsonl"), read("b.jsonl")].concat().lines().map(str::to_owned).collect();
    parts.sort_unstable_by_key(|line| read("rows.jsonl").find(line.as_str()));
    assert_eq!(parts, read("rows.jsonl").lines().collect::<Vec<_>>(), "rows are split as they are");
    go("data split rows.jsonl --by n --share 0.25 --out c.jsonl --held-out d.jsonl");
    assert_eq!([n_kept("c.jsonl"), n_kept("d.jsonl")], [15, 5], "numbers are keys too");
    go("correct --data rows.jsonl --max-new-tokens 24 --out corrected.jsonl");
    assert_eq!(n_kept("corrected.jsonl"), 20);
    let before = read("corrected.jsonl");
    go("correct --data rows.jsonl --max-new-tokens 24 --out corrected.jsonl");
    assert_eq!(read("corrected.jsonl"), before, "a file with such fields is known to be of the same run");
}

fn lines_with_flaws(text: &str) -> bool {
    text.lines().all(|line| line.contains("\"flaws\":[") && line.contains("\"strictness\":"))
}

#[test]
fn correct_gives_a_faulty_row_an_error_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        r#"{"id": 1, "question": "Why?", "answer": "So."}"#,
        r#"{"id": 2, "question": "Why?"}"#,
        "{,}",
        r#"{"id": 4, "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}"#,
        r#"{"id": 5, "prompt": "Why?", "chosen": "Because.", "rejected": "So."}"#,
    ];
    std::fs::write(folder.path().join("rows.jsonl"), rows.join("\n")).unwrap();
    let ran = run(folder.path(), &words("correct --data rows.jsonl --max-new-tokens 24"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("2 rows have no correction"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("1 of 5 rows cannot be corrected: field `answer` is missing (line 2)"),
        "{}",
        ran.stderr
    );
    let found: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<Option<u64>> = found.iter().map(|row| row["id"].as_u64()).collect();
    assert_eq!(ids, [Some(1), Some(2), None, Some(4), Some(5)], "in order");
    assert_eq!(found[1]["error"], "line 2: field `answer` is missing");
    assert!(found[2]["error"].as_str().unwrap().starts_with("line 3: not valid JSON"), "{}", found[2]);
    for row in [0, 3, 4] {
        assert_eq!((&found[row]["answer"], &found[row]["error"]), (&"So.".into(), &Value::Null));
        assert!(found[row]["correction"].is_string());
    }
    let strict = run(folder.path(), &words("correct --data rows.jsonl --max-new-tokens 24 --strict"));
    assert!(strict.code == 1 && strict.stdout.is_empty() && strict.stderr.contains("rows.jsonl:2: "), "{strict:?}");
}

#[test]
fn correct_says_what_it_read_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        r#"{"question": "Why?", "answer": "So\ud83d."}"#,
        r#"{"prompt": "Why?", "context": "A text.", "chosen": "Because.", "rejected": "So."}"#,
    ];
    std::fs::write(folder.path().join("rows.jsonl"), rows.join("\n")).unwrap();
    let ran = succeed(folder.path(), &words("correct --data rows.jsonl --max-new-tokens 4"));
    for said in ["1 row with half a surrogate pair in a text", "1 row with a `context` that is no turns"] {
        assert!(ran.stderr.contains(said), "{said} is not in {}", ran.stderr);
    }
}

#[test]
fn the_aligner_inside_the_program_is_warned_of_where_answers_come_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.jsonl"), r#"{"question": "Why?", "answer": "So."}"#).unwrap();
    let warning = "warning: the built-in Aligner knows short texts of its own kind only";
    for (line, is_warned) in [
        ("correct --data rows.jsonl --max-new-tokens 4", true),
        ("correct --data rows.jsonl --max-new-tokens 4 --out out.jsonl", true),
        ("correct --data rows.jsonl --max-new-tokens 4 --aligner embedded --aligner embedded", true),
        ("correct --question Why? --answer So. --max-new-tokens 4", false),
    ] {
        let ran = succeed(folder.path(), &words(line));
        assert_eq!(ran.stderr.matches(warning).count(), usize::from(is_warned), "{line}: {}", ran.stderr);
    }
    let tiny = crate::fixture::Tiny::new();
    let own = "correct --model model --template template.txt --data triples.jsonl --max-new-tokens 4";
    assert!(!succeed(tiny.folder(), &words(own)).stderr.contains(warning));
}
