//! What an Aligner knows: calibrated by `check`, minded by `correct`, counted by `evaluate`.

use serde_json::{Value, json};

use crate::fixture::{Tiny, words};
use crate::program::{json as parsed, run, succeed};

const QUESTION: &str = "What is the capital of France?";
const KNOWN: &str = "The capital of France is Paris. It lies on the Seine. About two million people live there.";
/// Of a kind that the built-in Aligner was not trained on.
const UNKNOWN: &str = "The baker has 12*9=108 rolls.\nHe sells 108*5/6=90 rolls.\nSo 108-90=18 rolls are left.\nA: 18";

fn correct(folder: &std::path::Path, answer: &str, more: &[&str]) -> crate::program::Ran {
    succeed(folder, &[&["correct", "--question", QUESTION, "--answer", answer], more].concat())
}

#[test]
fn answers_outside_are_told_and_may_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let inside = correct(folder.path(), KNOWN, &[]);
    assert!(!inside.stderr.contains("outside of what"), "{}", inside.stderr);

    let warned = correct(folder.path(), UNKNOWN, &[]);
    assert!(
        warned.stderr.contains("outside of what the Aligner knows, and its correction may damage it"),
        "{}",
        warned.stderr
    );
    assert!(warned.stderr.contains("nats a token (upper quartile; the limit is 0.0"), "{}", warned.stderr);
    assert_ne!(warned.stdout.trim(), UNKNOWN, "it is corrected all the same");

    let copied = correct(folder.path(), UNKNOWN, &["--outside", "copy"]);
    assert_eq!(copied.stdout.trim(), UNKNOWN);
    assert!(copied.stderr.contains("was not corrected"), "{}", copied.stderr);

    let unchecked = correct(folder.path(), UNKNOWN, &["--outside", "correct"]);
    assert_eq!((unchecked.stdout, unchecked.stderr.contains("outside")), (warned.stdout, false));
}

#[test]
fn rows_carry_how_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let row =
        |answer: &str| json!({ "question": QUESTION, "answer": answer, "domain": "of the user" }).to_string() + "\n";
    std::fs::write(folder.path().join("rows.jsonl"), [KNOWN, UNKNOWN, "Paris."].map(row).concat()).unwrap();
    let rows = |more: &str| {
        let ran = succeed(folder.path(), &words(&format!("correct --data rows.jsonl {more}")));
        let rows: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (rows, ran.stderr)
    };
    let (warned, stderr) = rows("");
    assert!(stderr.contains("1 of 2 answers are outside of what the Aligner knows"), "{stderr}");
    let flags = |row: &Value| (row["domain"]["outside"].as_bool(), row["domain"]["copied"].as_bool());
    assert_eq!(flags(&warned[0]), (Some(false), Some(false)));
    assert_eq!(flags(&warned[1]), (Some(true), Some(false)));
    assert!(warned[1]["domain"]["cost"].as_f64() > warned[1]["domain"]["most_cost"].as_f64());
    assert!(warned[2].get("domain").is_none(), "too short to tell: {}", warned[2]);

    let (copied, _) = rows("--outside copy");
    assert_eq!((copied[1]["correction"].as_str(), copied[1]["exact_copy"].as_bool()), (Some(UNKNOWN), Some(true)));
    assert_eq!(flags(&copied[1]), (Some(true), Some(true)));
    let (unchecked, _) = rows("--outside correct");
    let texts = |rows: &[Value]| rows.iter().map(|row| row["correction"].clone()).collect::<Vec<_>>();
    // what was read to judge serves to write, and changes nothing
    assert_eq!(texts(&warned), texts(&unchecked));
    assert!(unchecked.iter().all(|row| row.get("domain").is_none()));
}

#[test]
fn another_aligner_is_calibrated_first() {
    let tiny = Tiny::new();
    let model = "--model model --template template.txt";
    let rows = |more: &str| format!("correct {model} --data triples.jsonl --max-new-tokens 8 {more}");
    let refused = run(tiny.folder(), &words(&rows("--outside copy")));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("nothing tells what answers this Aligner knows"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: calibrate it"), "{}", refused.stderr);
    // without a calibration nothing is said
    assert!(!succeed(tiny.folder(), &words(&rows(""))).stdout.contains("\"domain\""));

    let check = "check model --template template.txt --data triples.jsonl --domain-out domain.json";
    let said = succeed(tiny.folder(), &words(check));
    assert!(said.stdout.contains("from 48 answers; at least 93.9 %"), "{}", said.stdout);
    let first = succeed(tiny.folder(), &words(&rows("--domain domain.json --outside copy"))).stdout;
    assert!(first.lines().all(|line| line.contains("\"outside\":false")), "those that it was calibrated by: {first}");
    let evaluated = parsed(
        tiny.folder(),
        &words(&format!("evaluate {model} --data triples.jsonl --prompts 4 --max-new-tokens 8 --domain domain.json")),
    );
    assert_eq!(evaluated["domain"]["answers"]["inside"]["n"], 4, "{evaluated}");

    // of other weights, and a file that is none
    let other = run(tiny.folder(), &["correct", "--question", QUESTION, "--answer", KNOWN, "--domain", "domain.json"]);
    assert!(other.code == 1 && other.stderr.contains("calibrated with other weights"), "{}", other.stderr);
    let none = run(tiny.folder(), &words(&rows("--domain triples.jsonl")));
    assert!(none.code == 1 && none.stderr.contains("not a domain"), "{}", none.stderr);
    // what it did not write is not replaced
    let own = check.replace("--domain-out domain.json", "--domain-out template.txt");
    assert_eq!(run(tiny.folder(), &words(&own)).code, 1);
}
