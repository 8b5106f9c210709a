//! The command line itself: help, versions, JSON, what goes to which stream.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fixture::{Tiny, triples, words, write_triples};
use crate::program::{BINARY, json, lines, run, succeed};

const VERBS: [&str; 13] = [
    "reproduce",
    "scan",
    "layers",
    "compare",
    "extract",
    "sweep",
    "fit",
    "plot",
    "correct",
    "serve",
    "ratio",
    "check",
    "data",
];

#[test]
fn help_of_the_program() {
    let ran = succeed(Path::new("."), &["--help"]);
    assert_eq!(ran.stderr, "");
    for verb in VERBS {
        assert!(ran.stdout.contains(&format!("  {verb}")), "{verb} is missing");
    }
    insta::assert_snapshot!("help", ran.stdout);
}

#[test]
fn help_of_every_verb() {
    for verb in VERBS {
        let ran = succeed(Path::new("."), &[verb, "--help"]);
        assert_eq!(ran.stderr, "");
        assert!(ran.stdout.contains(&format!("redline {verb} ")), "no example of {verb}");
        insta::assert_snapshot!(format!("help_{verb}"), ran.stdout);
    }
}

#[test]
fn version() {
    let ran = succeed(Path::new("."), &["--version"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (concat!("redline ", env!("CARGO_PKG_VERSION"), "\n"), ""));
}

#[test]
fn wrong_usage_is_the_users_error() {
    for line in ["", "nonsense", "ratio", "ratio a b", "correct --model m", "check m", "ratio a --threads 0"] {
        let ran = run(Path::new("."), &words(line));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line}: {ran:?}");
        assert!(!ran.stderr.is_empty());
    }
}

const SWEEP: &str = "sweep --model model --template template.txt --vector vector.safetensors --data triples.jsonl \
                     --skip 24 --prompts 3 --coefficients -1,0,1 --max-new-tokens 8";

/// The tiny model with a vector and a sweep.
fn prepared() -> Tiny {
    let tiny = Tiny::new();
    tiny.extract();
    succeed(tiny.folder(), &words(SWEEP));
    tiny
}

#[test]
fn a_sweep_has_the_same_rows_however_it_is_batched() {
    let tiny = prepared();
    let whole = lines(&tiny.path("sweep.jsonl"));
    for n in [1, 6] {
        succeed(tiny.folder(), &words(&format!("{SWEEP} --batch-rows {n} --threads 1 --out batched-{n}.jsonl")));
        assert_eq!(lines(&tiny.path(&format!("batched-{n}.jsonl")))[1..], whole[1..], "{n} rows");
    }
}

#[test]
fn scans_have_a_line_each() {
    let tiny = prepared();
    let line =
        "scan --model model --template template.txt --data triples.jsonl --vector vector.safetensors --row 30 --json";
    let scans = succeed(tiny.folder(), &words(line));
    let scans: Vec<Value> = scans.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let labels: Vec<&str> = scans.iter().map(|scan| scan["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["correction", "copy"]);
    for scan in &scans {
        let z = scan["z"].as_array().unwrap();
        assert_eq!((z.len(), scan["row"].as_u64()), (4, Some(30)));
        assert!(z.iter().all(|line| line.as_array().unwrap().len() == scan["tokens"].as_array().unwrap().len()));
    }
}

#[test]
fn standard_output_holds_data_only() {
    let tiny = prepared();
    write_triples(&tiny.path("two.jsonl"), &triples(2));
    let steered = "correct --model model --data two.jsonl --template template.txt --vector vector.safetensors \
                   --coefficient 1 --max-new-tokens 6 --batch-rows 1 --no-draft";
    let ran = succeed(tiny.folder(), &words(steered));
    let rows: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["question"], triples(2)[1].question);
    // last prompt token and 5 of 6 new tokens, 2 rows in 2 batches, 3 layers
    assert!(ran.stderr.contains("steered: 36 activations changed in 3 layers"), "{}", ran.stderr);
    let streamed = succeed(
        tiny.folder(),
        &[&words("correct --model model --max-new-tokens 6 --question")[..], &["Why?", "--answer", "So."]].concat(),
    );
    assert!(streamed.stderr.starts_with("template: "), "{}", streamed.stderr);
    assert!(!streamed.stdout.contains("template") && streamed.stdout.ends_with('\n'));
    assert!(lines(&tiny.path("sweep.jsonl")).len() == 10, "a header and 3 prompts at 3 coefficients");
}

#[test]
fn streamed_and_batched_text_agree() {
    let tiny = Tiny::new();
    let mut args = words("correct --model model --template template.txt --max-new-tokens 24 --question");
    args.extend(["Why?", "--answer", "So."]);
    let streamed = succeed(tiny.folder(), &args).stdout;
    assert_eq!(json(tiny.folder(), &args)["correction"].as_str().unwrap(), streamed.trim());
}

#[test]
fn a_closed_pipe_is_no_error() {
    let tiny = Tiny::new();
    let model = "--model model --template template.txt --max-new-tokens 40";
    for line in [
        "--help".to_string(),
        "ratio triples.jsonl --json".into(),
        format!("correct {model} --data triples.jsonl --batch-rows 4"),
        format!("correct {model} --question Why --answer So"),
    ] {
        let mut child = Command::new(BINARY)
            .args(words(&line))
            .current_dir(tiny.folder())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{line}: {stderr}");
    }
}

#[test]
fn one_thread_gives_the_same_text() {
    let tiny = Tiny::new();
    let line = "correct --model model --template template.txt --data triples.jsonl --max-new-tokens 8";
    let all = succeed(tiny.folder(), &words(line)).stdout;
    assert_eq!(succeed(tiny.folder(), &words(&format!("{line} --threads 1"))).stdout, all);
}

/// What a command prints on a terminal, with these variables set; `None` where the program that makes terminals is missing.
#[cfg(unix)]
fn on_a_terminal(tiny: &Tiny, line: &str, variables: &[(&str, &str)]) -> Option<String> {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{BINARY} {line}"), "/dev/null"]).current_dir(tiny.folder());
    command.env_remove("NO_COLOR").env("TERM", "xterm-256color").envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(unix)]
#[test]
fn colours_are_for_terminals_that_want_them() {
    let tiny = prepared();
    let line = "scan --model model --template template.txt --data triples.jsonl --vector vector.safetensors --row 30 --out scan";
    let piped = succeed(tiny.folder(), &words(line)).stdout;
    let shown = |variables: &[(&str, &str)]| on_a_terminal(&tiny, "plot scan/scans.jsonl --ascii", variables);
    let Some(coloured) = shown(&[]) else {
        crate::program::not_tested("colours on a terminal: `script` of util-linux is missing");
        return;
    };
    assert!(coloured.contains("\u{1b}[0m"), "{coloured}");
    let unset = shown(&[("NO_COLOR", "")]).unwrap();
    assert_eq!(unset, coloured, "an empty NO_COLOR is none");
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = shown(&[variable]).unwrap().replace("\r\n", "\n");
        assert!(!plain.contains('\u{1b}'), "{variable:?}: {plain}");
        assert_eq!(plain, piped, "colours carry nothing that the text does not");
    }
}
