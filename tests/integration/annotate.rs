//! `redline data annotate` before a server that replies by a script.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::words;
use crate::program::{BINARY, lines, run};
use crate::stack_upstream::{Reply, error, serve};

const KEY: &str = "sk-a-very-secret-key-0123456789";

/// A reply with its count of tokens.
fn said(text: &str) -> Reply {
    let choice = json!({ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" });
    (200, "", json!({ "choices": [choice], "usage": { "prompt_tokens": 300, "completion_tokens": 40 } }).to_string())
}

/// Texts between the fences of a request, the question first.
fn shown(request: &str) -> Vec<&str> {
    request.split("```\n").skip(1).step_by(2).map(|text| text.trim_end_matches('`').trim()).collect()
}

/// Scores each answer with the digit at its end.
fn rates(request: &str) -> Reply {
    let rating = |(place, text): (usize, &&str)| {
        let score = &text[text.len() - 1..];
        let names = ["Instruction following", "Truthfulness", "Honesty", "Helpfulness"];
        let lines = names.map(|name| format!("{name}: {score} (about {text})\n")).concat();
        format!("### Answer {}\n{lines}", place + 1)
    };
    said(&shown(request)[1..].iter().enumerate().map(rating).collect::<String>())
}

/// Questions with three answers each, one of which is the best.
fn write_rows(folder: &Path, n: usize) {
    let row = |i: usize| json!({ "question": format!("What is number {i} of {}?", i * 7919), "answers": ["poor 1", { "text": "good 5", "model": "m" }, "fair 3"] });
    let rows: String = (0..n).map(|i| row(i).to_string() + "\n").collect();
    std::fs::write(folder.join("rows.jsonl"), rows).unwrap();
}

/// Runs `data annotate` with a key.
fn annotate(folder: &Path, address: std::net::SocketAddr, more: &str) -> (i32, Value, String) {
    let line =
        format!("data annotate rows.jsonl --model http://{address}/v1#chat --key-env ANNOTATE_KEY --json {more}");
    let output = assert_cmd::Command::new(BINARY)
        .args(words(&line))
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("ANNOTATE_KEY", KEY)
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!stdout.contains(KEY) && !stderr.contains(KEY), "{stdout}{stderr}");
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "the key is in a file");
    }
    (output.status.code().unwrap(), serde_json::from_str(&stdout).unwrap_or_default(), stderr)
}

const ASPECTS: &str = "--kind aspects --workers 1 --out rated.jsonl --binarise pairs.jsonl --price-in 1 --price-out 10";

#[test]
fn a_run_is_stopped_continued_and_binarised() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_rows(here, 20);
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = asked.clone();
    // from the seventh request on the key is spent, for a while
    let address = serve(move |text, n| {
        if (6..10).contains(&n) {
            return error(401, &format!("the key {KEY} is spent"));
        }
        heard.lock().unwrap().push(text.to_owned());
        rates(text)
    });
    let (code, _, stderr) = annotate(here, address, ASPECTS);
    assert!(code != 0 && stderr.contains("is spent") && stderr.contains("by counted characters"), "{stderr}");
    assert!(!here.join("pairs.jsonl").exists());
    assert_eq!(lines(&here.join("rated.jsonl")).len(), 7, "what came before is kept, behind the schema");
    // a kill in the middle of a line, and the rows in another order
    let bytes = std::fs::read(here.join("rated.jsonl")).unwrap();
    std::fs::write(here.join("rated.jsonl"), &bytes[..bytes.len() - 20]).unwrap();
    let rows = std::fs::read_to_string(here.join("rows.jsonl")).unwrap();
    std::fs::write(here.join("rows.jsonl"), rows.lines().rev().map(|row| format!("{row}\n")).collect::<String>())
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let found = loop {
        let (code, found, stderr) = annotate(here, address, ASPECTS);
        if code == 0 {
            assert!(stderr.contains("cut short") || stderr.contains("by replies so far"), "{stderr}");
            break found;
        }
        assert!(stderr.contains("is spent") && Instant::now() < until, "{stderr}");
    };
    let rated = lines(&here.join("rated.jsonl"));
    assert_eq!((rated.len(), &rated[0]["schema"]), (21, &json!("redline.annotation.v1")));
    let mut requests = asked.lock().unwrap().clone();
    let n_asked = requests.len();
    requests.sort();
    requests.dedup();
    assert_eq!((requests.len(), n_asked), (20, 21), "only the torn one is asked twice");
    for record in &rated[1..] {
        let overall: Vec<f64> =
            record["answers"].as_array().unwrap().iter().map(|a| a["overall"].as_f64().unwrap()).collect();
        assert_eq!(overall, [1.0, 5.0, 3.0], "{record}");
    }
    assert!(rated[1..].iter().any(|record| record["order"] != rated[1]["order"]));
    let run = &found["run"];
    assert_eq!(run["n_requests"], 20);
    assert_eq!(run["n_known"].as_u64().unwrap() + run["n_asked"].as_u64().unwrap(), 20);
    let n = run["n_asked"].as_f64().unwrap();
    assert!((found["cost"].as_f64().unwrap() - n * (300.0 + 400.0) / 1e6).abs() < 1e-12, "{found}");
    assert_eq!((&found["binarised"]["n_pairs"], &found["binarised"]["n_tied"]), (&json!(20), &json!(0)));
    assert_eq!(found["sources"][1]["source"], "answer 3");
    let pairs = lines(&here.join("pairs.jsonl"));
    assert!(
        pairs.iter().all(|pair| pair["chosen"][0]["content"] == "good 5" && pair["rejected"][0]["content"] != "good 5")
    );
    // once more: nothing is asked, and the preferences are written anew
    let (code, found, _) = annotate(here, address, ASPECTS);
    assert_eq!((code, &found["run"]["n_asked"], asked.lock().unwrap().len()), (0, &json!(0), 21));
}

#[test]
fn too_many_requests_wait_as_long_as_the_server_says() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(folder.path(), 3);
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let heard = times.clone();
    let address = serve(move |text, n| {
        heard.lock().unwrap().push(Instant::now());
        match n {
            0 => (429, "Retry-After: 2\r\n", String::new()),
            _ => rates(text),
        }
    });
    let (code, found, stderr) = annotate(folder.path(), address, "--kind aspects --out rated.jsonl --workers 1");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!((&found["server"]["n_requests"], &found["server"]["n_retries"]), (&json!(4), &json!(1)));
    let times = times.lock().unwrap();
    // the wait is longer than the first one without a wish
    assert!(times[1] - times[0] > Duration::from_millis(1500), "{:?}", times[1] - times[0]);
}

#[test]
fn nonsense_is_counted_kept_and_asked_again_where_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(folder.path(), 30);
    let address = serve(|_, _| said("All of them are fine, I would say 10 out of 10."));
    let line = "--kind aspects --out rated.jsonl --most-faults 4 --workers 1";
    let (code, _, stderr) = annotate(folder.path(), address, line);
    assert!(code == 1 && stderr.contains("4 replies in a row are no annotation"), "{stderr}");
    let kept = lines(&folder.path().join("rated.jsonl"));
    assert!(kept.len() == 5 && kept[1..].iter().all(|row| row["fault"]["reason"] == "no_score"), "{kept:?}");
    assert!(kept[1]["raw"].as_str().unwrap().contains("10 out of 10"));
    assert!(kept[1..].iter().all(|row| row["answers"][0].get("overall").is_none()));
    let odd = serve(|text, n| match n % 5 {
        1 => said("?"),
        2 => error(400, &format!("the key {KEY} is odd")),
        _ => rates(text),
    });
    // a model is known by its address too, so a server at another place is another one
    let (code, found, stderr) = annotate(folder.path(), odd, &format!("{line} --ask-faults-again"));
    assert_eq!(code, 0, "{stderr}");
    let (no_score, no_reply) = (&found["run"]["faults"]["no_score"], &found["run"]["faults"]["no_reply"]);
    assert_eq!((no_score, no_reply, &found["run"]["n_asked"]), (&json!(6), &json!(6), &json!(30)));
    let (code, found, _) = annotate(folder.path(), odd, &format!("{line} --ask-faults-again"));
    assert_eq!((code, &found["run"]["n_known"], &found["run"]["n_asked"]), (0, &json!(18), &json!(12)));
}

#[test]
fn a_run_without_one_annotation_fails() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(folder.path(), 2);
    let address = serve(|_, _| said("?"));
    let (code, found, stderr) = annotate(folder.path(), address, "--kind aspects --out rated.jsonl");
    assert_eq!((code, &found["n_faults"]), (1, &json!(2)), "{stderr}");
    assert!(stderr.contains("not one reply is an annotation"), "{stderr}");
}

#[test]
fn corrections_become_triples_and_questions_of_a_test_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        json!({ "question": "How many legs does a spider have, all told?", "answer": "Six." }),
        json!({ "prompt": "What is the capital of France?", "chosen": "Paris.", "rejected": "Lyon." }),
    ];
    std::fs::write(folder.path().join("rows.jsonl"), rows.map(|row| row.to_string() + "\n").concat()).unwrap();
    std::fs::write(
        folder.path().join("test.jsonl"),
        "{\"question\": \"How many legs does a spider have, all told??\"}\n",
    )
    .unwrap();
    let address = serve(|text, _| said(&format!("Corrected answer:\n{} Mended.", shown(text)[1])));
    let line = "--kind correction --not-in test.jsonl --out corrected.jsonl --triples triples.jsonl";
    let (code, found, stderr) = annotate(folder.path(), address, line);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("1 questions are left out") && stderr.contains("test.jsonl:1"), "{stderr}");
    assert_eq!((&found["refused"][0]["lines"], &found["run"]["n_requests"]), (&json!([1]), &json!(1)));
    let triples = lines(&folder.path().join("triples.jsonl"));
    assert_eq!(
        (triples.len(), &triples[0]["answer"], &triples[0]["correction"]),
        (1, &json!("Lyon."), &json!("Lyon. Mended."))
    );
    // the same command replaces what it wrote, and nothing else
    assert_eq!(annotate(folder.path(), address, line).0, 0);
    let (code, _, stderr) = annotate(folder.path(), address, &line.replace("triples.jsonl", "test.jsonl"));
    assert!(code == 1 && stderr.contains("test.jsonl"), "{stderr}");
}

#[test]
fn what_has_no_effect_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(folder.path(), 2);
    for (more, message) in [
        ("--kind correction --model http://localhost:1/v1#m --aspects honesty", "--aspects has no effect"),
        ("--kind correction --model http://localhost:1/v1#m --binarise b.jsonl", "--binarise has no effect"),
        ("--kind aspects --model http://localhost:1/v1#m --triples t.jsonl", "--triples has no effect"),
        ("--kind aspects --model model.gguf --workers 2", "--workers has no effect"),
        ("--kind aspects --model http://localhost:1/v1#m --aspects honesty,honesty", "to be rated twice"),
        ("--kind aspects --model http://localhost:1/v1#m --aspects beauty", "known: instruction_following"),
        ("--kind aspects --model http://localhost:1/v1#m --price-in 1", "--price-out"),
        ("--kind aspects --model http://me:secret@localhost:1/v1#m", "without user, password or query"),
        ("--kind aspects --model http://localhost:1/v1#m --key-env sk-12", "no name of one"),
    ] {
        let ran = run(folder.path(), &words(&format!("data annotate rows.jsonl --out out.jsonl {more}")));
        assert!(ran.code != 0 && ran.stderr.contains(message), "{more}: {}", ran.stderr);
        assert!(!ran.stderr.contains("secret") && !ran.stderr.contains("sk-12"), "{}", ran.stderr);
        assert!(!folder.path().join("out.jsonl").exists(), "{more}");
    }
}
