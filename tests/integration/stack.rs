//! `redline correct` after an upstream model, with several Aligners in a row, into a file that can be continued.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Tiny, words};
use crate::program::{BINARY, Ran, lines, run, succeed};
use crate::serve::upstream::Mock;
use crate::serve::{CLEAN, FLAWED, QUESTION};

fn folder_with(rows: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.path().join("rows.jsonl"), text).unwrap();
    folder
}

fn correct(folder: &Path, arguments: &str) -> Ran {
    run(folder, &words(&format!("correct --data rows.jsonl --max-new-tokens 48 {arguments}")))
}

fn rows_of(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_upstream_model_answers_rows_that_have_no_answer() {
    let mock = Mock::start();
    let question = format!("{QUESTION} answer with: {FLAWED}");
    let messages = json!([{ "role": "user", "content": "Hi" }, { "role": "assistant", "content": "Hello." },
                          { "role": "user", "content": question }]);
    let folder = folder_with(&[
        json!({ "id": 7, "question": question }),
        json!({ "question": QUESTION, "answer": CLEAN }),
        json!({ "messages": messages }),
    ]);
    let rows = rows_of(&correct(folder.path(), &format!("--upstream http://{}/v1 --upstream-name ok", mock.address)));
    let text = |row: usize, name: &str| rows[row][name].as_str().unwrap_or_default().to_string();
    assert_eq!([text(0, "answer"), text(1, "answer"), text(2, "answer")], [FLAWED, CLEAN, FLAWED]);
    assert_eq!((rows[0]["id"].as_u64(), &rows[2]["messages"]), (Some(7), &messages), "rows keep what they hold");
    assert!(text(0, "correction").contains(CLEAN) && !text(0, "correction").contains("fool"), "{}", rows[0]);
    assert_eq!((text(1, "correction").as_str(), rows[1]["edit_ratio"].as_f64()), (CLEAN, Some(0.0)));
    let received = mock.received.lock().unwrap();
    assert_eq!(received.len(), 2);
    assert!(received.iter().any(|(body, _)| body["messages"] == messages), "turns are kept: {received:?}");
    drop(received);

    let one = ["correct", "--question", &question, "--upstream", &format!("http://{}/v1", mock.address)];
    assert_eq!(succeed(folder.path(), &one).stdout.trim(), text(0, "correction"));
    let refused = correct(folder.path(), &format!("--upstream http://{}/v1 --upstream-name refuse", mock.address));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("no such parameter") && refused.stderr.contains("hint: "), "{}", refused.stderr);
}

#[test]
fn aligners_in_a_row_each_correct_what_the_one_before_wrote() {
    let folder = folder_with(&[json!({ "question": QUESTION, "answer": FLAWED })]);
    let tiny = Tiny::new();
    tiny.extract();
    let second = format!(
        "{0}/model,template={0}/template.txt,vector={0}/vector.safetensors,coefficient=2",
        tiny.folder().display()
    );
    let rows = rows_of(&correct(folder.path(), &format!("--aligner embedded --aligner {second}")));
    let steps = rows[0]["steps"].as_array().unwrap();
    assert_eq!((steps.len(), steps[1]["coefficient"].as_f64()), (2, Some(2.0)));
    let alone = rows_of(&correct(folder.path(), "--out alone.jsonl")).len();
    assert_eq!(alone, 0, "rows go to the file");
    let first = &lines(&folder.path().join("alone.jsonl"))[0];
    assert_eq!(steps[0]["correction"], first["correction"]);
    assert_eq!((&rows[0]["correction"], rows[0]["answer"].as_str()), (&steps[1]["correction"], Some(FLAWED)));

    // the second one alone, on what the first one wrote
    let between = folder_with(&[json!({ "question": QUESTION, "answer": first["correction"] })]);
    let model = format!(
        "--model {0}/model --template {0}/template.txt --vector {0}/vector.safetensors --coefficient 2 --with-scan",
        tiny.folder().display()
    );
    let rows = rows_of(&correct(between.path(), &model));
    assert_eq!(rows[0]["correction"], steps[1]["correction"]);
    assert_eq!(rows[0]["scan"]["z"].as_array().unwrap().len(), 4);
    for (line, message) in [
        ("--aligner coefficient=1", "does not begin with a model"),
        ("--aligner embedded,coefficient=1", "no vector to steer by"),
        ("--aligner embedded,colour=red", "known are adapter"),
        ("--aligner embedded,layers=x", "`x` is not a layer"),
    ] {
        let ran = correct(folder.path(), line);
        assert!(ran.code == 1 && ran.stderr.contains(message), "{line}: {}", ran.stderr);
    }
}

#[test]
fn a_row_without_an_answer_does_not_end_the_run() {
    let mock = Mock::start();
    let question = |text: &str| json!({ "question": format!("{QUESTION} answer with: {text}"), "answer": "" });
    let texts = [FLAWED, "something forbidden", "silence", CLEAN];
    let folder = folder_with(&texts.map(question));
    let go = || {
        let upstream = format!("--upstream http://{}/v1 --upstream-name picky", mock.address);
        correct(folder.path(), &format!("{upstream} --out out.jsonl"))
    };
    let first = go();
    assert_eq!(first.code, 1);
    assert!(first.stderr.contains("2 rows have no correction"), "{}", first.stderr);
    let rows = lines(&folder.path().join("out.jsonl"));
    let text = |row: usize, name: &str| rows[row][name].as_str().unwrap_or_default().to_string();
    assert_eq!([text(0, "answer"), text(3, "answer")], [FLAWED, CLEAN]);
    assert!(text(1, "error").contains("this is not answered"), "{}", rows[1]);
    assert!(text(2, "error").contains("content_filter"), "{}", rows[2]);
    // an empty answer in the data is one to be asked for, so the file is that of the same run
    let n_asked = mock.received.lock().unwrap().len();
    let again = go();
    assert!(again.code == 1 && again.stderr.contains("2 rows have no correction"), "{}", again.stderr);
    assert_eq!(mock.received.lock().unwrap().len(), n_asked, "nothing is asked again");
}

#[test]
fn keys_are_sent_only_when_named() {
    let mock = Mock::start();
    let folder = folder_with(&[json!({ "question": format!("{QUESTION} answer with: {CLEAN}") })]);
    let asked = |more: &str| {
        let line = format!("correct --data rows.jsonl --upstream http://{}/v1 --upstream-name ok {more}", mock.address);
        let command = Command::new(BINARY)
            .args(words(&line))
            .current_dir(folder.path())
            .env("OPENAI_API_KEY", "sk-mine")
            .output();
        assert!(command.unwrap().status.success());
        mock.received.lock().unwrap().last().unwrap().1.clone()
    };
    assert_eq!(asked(""), None);
    assert_eq!(asked("--upstream-key-env OPENAI_API_KEY").as_deref(), Some("Bearer sk-mine"));
}

#[test]
fn a_finished_file_and_one_of_another_vector() {
    let tiny = Tiny::new();
    tiny.extract();
    let line = "correct --model model --template template.txt --vector vector.safetensors --layers all --coefficient 1 \
                --data triples.jsonl --max-new-tokens 6 --out out.jsonl";
    succeed(tiny.folder(), &words(line));
    let written = std::fs::read(tiny.path("out.jsonl")).unwrap();
    succeed(tiny.folder(), &words(line));
    assert!(std::fs::read(tiny.path("out.jsonl")).unwrap() == written, "nothing is left to do");
    let extract = "extract --model model --template template.txt --data triples.jsonl --pairs 12 --seed 9 --out vector.safetensors";
    succeed(tiny.folder(), &words(extract));
    let other = run(tiny.folder(), &words(line));
    assert!(other.code == 1 && other.stderr.contains("is not of this run"), "{}", other.stderr);
    let unsteered = run(
        tiny.folder(),
        &words("correct --model model --template template.txt --also v.gguf:1 --data triples.jsonl --out o.jsonl"),
    );
    assert!(unsteered.stderr.contains("no vector to steer by"), "{}", unsteered.stderr);
}

/// Rows of the embedded corpus.
fn corpus(n: usize) -> TempDir {
    let rows = redline::embedded::rows().unwrap();
    let row = |(id, row): (usize, &redline::data::corrupt::CorruptedRow)| json!({ "id": id, "question": row.question, "answer": row.answer });
    folder_with(&rows[..n].iter().enumerate().map(row).collect::<Vec<_>>())
}

#[test]
fn a_stopped_run_is_continued_to_the_same_bytes() {
    let folder = corpus(12);
    let path = |name: &str| folder.path().join(name);
    let go = |name: &str, more: &str| correct(folder.path(), &format!("--out {name} --batch-rows 3 {more}"));
    rows_of(&go("whole.jsonl", ""));
    let whole = std::fs::read(path("whole.jsonl")).unwrap();
    let ids: Vec<u64> = lines(&path("whole.jsonl")).iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (0..12).collect::<Vec<_>>(), "in order");
    // five rows, and the sixth cut in its middle
    let end = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(4).unwrap().0;
    std::fs::write(path("cut.jsonl"), &whole[..end + 40]).unwrap();
    rows_of(&go("cut.jsonl", ""));
    assert!(std::fs::read(path("cut.jsonl")).unwrap() == whole);

    std::fs::write(path("notes.txt"), "what I thought").unwrap();
    let other = go("notes.txt", "");
    assert!(other.code == 1 && other.stderr.contains("notes.txt is there and is no result"), "{}", other.stderr);
    assert_eq!(std::fs::read_to_string(path("notes.txt")).unwrap(), "what I thought");
    assert_eq!(rows_of(&go("-", "")).len(), 12);
    assert!(!path("-").exists(), "rows went to standard output");

    let other = go("cut.jsonl", "--temperature 1 --seed 5");
    assert!(other.code == 1 && other.stderr.contains("line 1 is not of this run"), "{}", other.stderr);
    assert!(std::fs::read(path("cut.jsonl")).unwrap() == whole, "a refused file stays as it is");
    std::fs::write(path("rows.jsonl"), json!({ "question": "Other?", "answer": "Yes." }).to_string()).unwrap();
    let other = go("cut.jsonl", "");
    assert!(other.code == 1 && other.stderr.contains("is not of this run"), "{}", other.stderr);
}

#[test]
fn a_killed_run_is_continued_to_the_same_bytes() {
    let folder = corpus(24);
    let path = |name: &str| folder.path().join(name);
    let arguments = "correct --data rows.jsonl --max-new-tokens 160 --batch-rows 1 --out";
    succeed(folder.path(), &[&words(arguments)[..], &["whole.jsonl"]].concat());
    let mut child = Command::new(BINARY)
        .args(words(arguments))
        .arg("killed.jsonl")
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let n_lines = || std::fs::read_to_string(path("killed.jsonl")).map_or(0, |text| text.lines().count());
    while n_lines() < 3 && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(600), "no rows are written");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    succeed(folder.path(), &[&words(arguments)[..], &["killed.jsonl"]].concat());
    assert!(std::fs::read(path("killed.jsonl")).unwrap() == std::fs::read(path("whole.jsonl")).unwrap());
}

#[test]
fn a_local_chat_model_answers() {
    let tiny = Tiny::new();
    let folder =
        folder_with(&[json!({ "question": "Why is grass green in May?" }), json!({ "question": "Who is it?" })]);
    let go = || correct(folder.path(), &format!("--upstream-model {}/model", tiny.folder().display()));
    // a model of random weights may write nothing, which is no answer
    let ran = go();
    let rows: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{}", ran.stderr);
    for row in &rows {
        let is_empty = row["answer"].as_str().unwrap().is_empty();
        assert_eq!(is_empty, row["correction"].is_null(), "{row}");
        assert_eq!(is_empty, row["error"] == "the upstream model wrote nothing", "{row}");
    }
    assert_eq!(ran.stdout, go().stdout);
}

#[test]
fn rows_that_cannot_be_corrected_say_so() {
    let folder = folder_with(&[
        json!({ "question": QUESTION, "answer": "The capital is Paris. ".repeat(900) }),
        json!({ "question": QUESTION, "answer": CLEAN }),
    ]);
    let ran = correct(folder.path(), "--out out.jsonl");
    assert!(ran.code == 1 && ran.stderr.contains("1 row has no correction"), "{}", ran.stderr);
    let rows = lines(&folder.path().join("out.jsonl"));
    assert!(rows[0]["error"].as_str().unwrap().contains("exceed the context"), "{}", rows[0]["error"]);
    assert_eq!(rows[1]["correction"], CLEAN);
    for (row, message) in [
        (json!({ "question": QUESTION }), "rows.jsonl:1: field `answer` is missing"),
        (json!({ "answer": "x" }), "not a known kind of row; its fields are `answer`"),
        (json!({ "messages": [], "answer": "x" }), "field `messages` has no message of a user"),
    ] {
        let folder = folder_with(&[row]);
        let ran = correct(folder.path(), "--out out.jsonl");
        assert!(ran.code == 1 && ran.stderr.contains(message), "{}", ran.stderr);
        assert!(!folder.path().join("out.jsonl").exists(), "nothing is written");
    }
}
