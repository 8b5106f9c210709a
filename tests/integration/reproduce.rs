//! `redline reproduce` from end to end on the tiny model: what is on disk, and that stopping changes nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use redline::probe::Reading;
use redline::probe::artifact::question_hash;
use serde_json::Value;

use crate::fixture::{Tiny, triples, words};
use crate::program::{BINARY, lines, run, succeed};

const PAIRS: usize = 12;
const PROMPTS: usize = 8;
const COEFFICIENTS: [f64; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];
const KEYS: [&str; 13] = [
    "schema",
    "coefficients",
    "mean_edit_ratio",
    "intervals",
    "slope",
    "r2",
    "n_prompts",
    "n_pairs",
    "coherent_range",
    "controls",
    "settings",
    "hashes",
    "effect",
];
const FIGURES: [&str; 6] = ["scan-correction", "scan-copy", "layers", "quality", "sweep", "slopes"];

fn command(out: &str) -> String {
    format!(
        "reproduce --model model --template template.txt --data triples.jsonl --pairs {PAIRS} --prompts {PROMPTS} \
         --coefficients -1,-0.5,0,0.5,1 --max-new-tokens 24 --random-generated 2 --shuffled-generated 1 --random-propensity 3 \
         --control-prompts 3 --batch-rows 5 --out {out}"
    )
}

fn summary(tiny: &Tiny, out: &str) -> Value {
    serde_json::from_slice(&std::fs::read(tiny.path(out).join("summary.json")).unwrap()).unwrap()
}

/// The rows of a sweep, in an order of their own.
fn rows(path: &Path) -> BTreeSet<String> {
    lines(path).iter().skip(1).map(Value::to_string).collect()
}

/// Every file of a report that holds numbers.
fn numbers(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, String)> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json" || extension == "jsonl"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_full_run() {
    let tiny = Tiny::new();
    let ran = succeed(tiny.folder(), &words(&command("a")));
    assert!(ran.stdout.contains("coherent range") && ran.stdout.contains("report: a"), "{}", ran.stdout);
    everything_is_there(&tiny.path("a"));
    numbers_make_sense(&summary(&tiny, "a"));
    questions_do_not_overlap(&tiny, "a");

    let first = numbers(&tiny.path("a"));
    let again = succeed(tiny.folder(), &words(&format!("{} --json", command("a"))));
    assert_eq!(numbers(&tiny.path("a")), first, "the same command again changes no number");
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap(), summary(&tiny, "a"));

    succeed(tiny.folder(), &words(&command("b")));
    assert_eq!(summary(&tiny, "b"), summary(&tiny, "a"), "the same seed in another folder");
    assert_eq!(rows(&tiny.path("b/sweep.jsonl")), rows(&tiny.path("a/sweep.jsonl")));

    for other in ["--seed 1", "--unit std", "--max-tokens 200"] {
        let ran = run(tiny.folder(), &words(&format!("{} {other}", command("a"))));
        assert_eq!(ran.code, 1, "{other}");
        assert!(ran.stderr.contains("made with other settings") && ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
    assert_eq!(numbers(&tiny.path("a")), first, "a refused run changes nothing");

    succeed(tiny.folder(), &words(&format!("{} --seed 1", command("c"))));
    assert_ne!(rows(&tiny.path("c/sweep.jsonl")), rows(&tiny.path("a/sweep.jsonl")), "another seed");
}

fn everything_is_there(folder: &Path) {
    for figure in FIGURES {
        let png = std::fs::read(folder.join(format!("{figure}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n") && png.ends_with(b"IEND\xaeB`\x82"), "{figure}.png");
        let svg = std::fs::read_to_string(folder.join(format!("{figure}.svg"))).unwrap();
        assert!(svg.contains("<svg") && svg.trim_end().ends_with("</svg>"), "{figure}.svg");
    }
    let count = |name: &str| lines(&folder.join(name)).len();
    assert_eq!(count("sweep.jsonl"), 1 + PROMPTS * COEFFICIENTS.len());
    // 3 prompts × (2 random and 1 shuffled) × the two ends
    assert_eq!(count("controls.jsonl"), 1 + 3 * 3 * 2);
    assert_eq!(count("clean.jsonl"), 1 + 3 * COEFFICIENTS.len());
    assert_eq!(count("shuffled.jsonl"), 1);
    assert_eq!(count("prompt-copy.jsonl"), 1 + 3);
    assert_eq!(count("prompt-edit.jsonl"), 1 + 3);
    assert_eq!(count("layers.jsonl"), 4);
    assert_eq!(count("scans.jsonl"), 2);
    // 3 pairs × (5 coefficients and (3 random, 1 shuffled) × the one farthest from 0)
    assert_eq!(count("propensity.jsonl"), 3 * (5 + 4));
    let reading = Reading::load(&folder.join("vector.safetensors")).unwrap();
    assert_eq!(reading.layers.len(), 4);
    let control = redline::steer::control_file::read_control_vector(&folder.join("vector.gguf")).unwrap();
    assert_eq!(control.vector.layers.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    let names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.') || name.contains("tmp"))
        .collect();
    assert!(names.is_empty(), "temporary files are left: {names:?}");
}

fn numbers_make_sense(summary: &Value) {
    for key in KEYS {
        assert!(!summary[key].is_null(), "{key} is missing");
    }
    let floats =
        |value: &Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
    assert_eq!(floats(&summary["coefficients"]), COEFFICIENTS);
    assert_eq!(floats(&summary["mean_edit_ratio"]).len(), COEFFICIENTS.len());
    assert_eq!(summary["n_prompts"], PROMPTS);
    for (mean, interval) in floats(&summary["mean_edit_ratio"]).iter().zip(summary["intervals"].as_array().unwrap()) {
        let (low, high) = (interval["low"].as_f64().unwrap(), interval["high"].as_f64().unwrap());
        assert!(low <= *mean && *mean <= high, "{mean} is not in [{low}, {high}]");
    }
    let controls = &summary["controls"];
    assert_eq!(controls["edit_ratio"]["random"].as_array().unwrap().len(), 2);
    assert_eq!(summary["propensity"]["random"].as_array().unwrap().len(), 3);
    assert!(!controls["edit_ratio"]["shuffled"].is_null() && !controls["clean"].is_null());
    assert_eq!(controls["prompting"].as_object().unwrap().len(), 2);
    assert!(["model", "data"].iter().all(|key| summary["hashes"][key].as_str().unwrap().len() == 64));
    let effect = summary["effect"].as_object().unwrap();
    assert_eq!(effect.keys().collect::<Vec<_>>(), ["1", "2", "3"]);
    let edits: BTreeSet<u64> = effect.values().map(|layer| layer["edits"].as_u64().unwrap()).collect();
    assert_eq!(edits.len(), 1, "every layer is edited at the same positions");
    let most = (PROMPTS * (COEFFICIENTS.len() - 1) * 24) as u64;
    assert!((1..=most).contains(edits.first().unwrap()), "{edits:?}, at most {most}");
}

fn questions_do_not_overlap(tiny: &Tiny, out: &str) {
    let reading = Reading::load(&tiny.path(out).join("vector.safetensors")).unwrap();
    let seen: BTreeSet<String> = reading.provenance.questions.into_iter().collect();
    assert_eq!(seen.len(), PAIRS);
    let all = triples(48);
    for name in ["sweep.jsonl", "controls.jsonl", "clean.jsonl"] {
        let swept: BTreeSet<u64> =
            lines(&tiny.path(out).join(name)).iter().filter_map(|row| row["row"].as_u64()).collect();
        assert!(!swept.is_empty());
        for row in swept {
            assert!(!seen.contains(&question_hash(&all[row as usize].question)), "{name}: row {row} is a pair");
        }
    }
}

/// Longer than anything here takes, so that a hang fails instead of lasting.
const PATIENCE: Duration = Duration::from_secs(600);

/// Starts a run on one thread and waits until the sweep has rows of two prompts, or the run has ended.
fn started(tiny: &Tiny, out: &str) -> Child {
    let mut child = Command::new(BINARY)
        .args(words(&format!("{} --threads 1", command(out))))
        .current_dir(tiny.folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let path = tiny.path(out).join("sweep.jsonl");
    let start = Instant::now();
    loop {
        let n_lines = std::fs::read_to_string(&path).map_or(0, |text| text.lines().count());
        if n_lines > 2 * COEFFICIENTS.len() {
            return child;
        }
        assert!(start.elapsed() < PATIENCE, "the sweep does not begin");
        if child.try_wait().unwrap().is_some() {
            return child;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The summary with its sums rounded: a sum over rows that came in two runs may differ in its last bits.
fn equal_summaries(a: &Value, b: &Value) {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            assert!((x - y).abs() <= 1e-6 * x.abs().max(1.0), "{x} and {y}");
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).for_each(|(x, y)| equal_summaries(x, y));
        }
        (Value::Object(x), Value::Object(y)) => {
            assert_eq!(x.keys().collect::<Vec<_>>(), y.keys().collect::<Vec<_>>());
            x.iter().for_each(|(key, x)| equal_summaries(x, &y[key]));
        }
        _ => assert_eq!(a, b),
    }
}

/// Continues the run, compares it with one that was never stopped, and returns what it said.
fn same_as_unbroken(tiny: &Tiny, out: &str) -> String {
    let ran = succeed(tiny.folder(), &words(&command(out)));
    assert!(ran.stderr.contains("prompts are there already"), "{}", ran.stderr);
    succeed(tiny.folder(), &words(&command("unbroken")));
    for name in ["sweep.jsonl", "controls.jsonl", "clean.jsonl"] {
        assert_eq!(rows(&tiny.path(out).join(name)), rows(&tiny.path("unbroken").join(name)), "{name}");
    }
    equal_summaries(&summary(tiny, out), &summary(tiny, "unbroken"));
    let effect = |out: &str| summary(tiny, out)["effect"]["1"]["edits"].clone();
    assert_eq!(effect(out), effect("unbroken"), "edits of both runs count");
    ran.stderr
}

/// Lines of a whole sweep.
const SWEEP_LINES: usize = 1 + PROMPTS * COEFFICIENTS.len();
/// On a busy machine a run can end before its signal arrives; then it is run anew.
const ATTEMPTS: usize = 20;

/// A run that a signal stopped in the middle of its sweep.
fn stopped(tiny: &Tiny, out: &str, signal: &str) -> Output {
    for _ in 0..ATTEMPTS {
        let mut child = started(tiny, out);
        if child.try_wait().unwrap().is_none() {
            Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let text = std::fs::read_to_string(tiny.path(out).join("sweep.jsonl")).unwrap();
        if text.lines().count() < SWEEP_LINES {
            assert!(!tiny.path(out).join("summary.json").exists());
            return output;
        }
        std::fs::remove_dir_all(tiny.path(out)).unwrap();
    }
    panic!("{ATTEMPTS} runs ended before their signal");
}

#[cfg(unix)]
#[test]
fn a_killed_run_continues_to_the_same_numbers() {
    let tiny = Tiny::new();
    stopped(&tiny, "killed", "-KILL");
    same_as_unbroken(&tiny, "killed");
}

#[cfg(unix)]
#[test]
fn a_kill_in_the_middle_of_a_line_loses_only_that_prompt() {
    let tiny = Tiny::new();
    stopped(&tiny, "killed", "-KILL");
    // one whole prompt, four rows of the second and a piece of its fifth
    let path = tiny.path("killed/sweep.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let whole: String = text.lines().take(2 * COEFFICIENTS.len()).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, whole + "{\"vector\":\"corr").unwrap();
    let ran = same_as_unbroken(&tiny, "killed");
    assert!(ran.contains("sweep: 1 of 8 prompts are there already"), "{ran}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_and_continues() {
    let tiny = Tiny::new();
    let output = stopped(&tiny, "stopped", "-INT");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.ends_with("the same command continues where it can\n"), "{stderr}");
    same_as_unbroken(&tiny, "stopped");
}
