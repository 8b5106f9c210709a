//! Files made to crash, to hang, to eat memory, or to write on the terminal what they like.

use std::io::Write;
use std::process::{Command, Stdio};

use redline::model::gguf::GgufValue;
use serde_json::json;

use super::*;
use crate::fixture::{edit_json, gguf_metadata, write_gguf_model, write_triples};
use crate::program::{BINARY, Ran, case, succeed};

const CORRECT: &str = "correct --model model --template template.txt --question Why --answer So --max-new-tokens 4";

/// Runs a command that must be refused, and gives what it says.
fn said(tiny: &Tiny, line: &str) -> String {
    let ran = run(tiny.folder(), &words(line));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line}: {ran:?}");
    ran.stderr
}

#[test]
fn tokenizers_that_make_the_library_panic() {
    for name in ["tok-precompiled", "tok-template-101"] {
        let tiny = Tiny::new();
        std::fs::copy(case(name).join("tokenizer.json"), tiny.path("model/tokenizer.json")).unwrap();
        let message = said(&tiny, CORRECT);
        assert!(message.contains("error: model/tokenizer.json: tokenizer: "), "{name}: {message}");
        let inspected = succeed(tiny.folder(), &["inspect", "model"]);
        assert!(inspected.stdout.contains("cannot be used: model/tokenizer.json"), "{inspected:?}");
        assert_eq!(inspected.stderr, "");
    }
}

#[test]
fn one_text_from_every_verb() {
    let folder = case("stream-byte-fallback");
    let correct = "correct --model model --template template.txt --max-new-tokens 8 --coefficient 0";
    let data = succeed(&folder, &words(&format!("{correct} --data row.jsonl")));
    let row: serde_json::Value = serde_json::from_str(&data.stdout).unwrap();
    assert_eq!(row["correction"], "the\n\u{fffd}inoner");
    let one = succeed(&folder, &words(&format!("{correct} --question q --answer a")));
    assert_eq!(one.stdout, "the\n\u{fffd}inoner\n");
}

#[cfg(unix)]
#[test]
fn endless_files_and_pipes_are_refused_at_once() {
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    for name in ["config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json", "chat_template.jinja"] {
        for kind in ["a named pipe", "a device", "a folder"] {
            let tiny = Tiny::new();
            let path = tiny.path("model").join(name);
            let _ = std::fs::remove_file(&path);
            match kind {
                "a named pipe" => pipe(&path),
                "a device" => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
                _ => std::fs::create_dir(&path).unwrap(),
            }
            let message = said(&tiny, CORRECT);
            assert!(
                message.contains(&format!("error: model/{name}: is {kind}, not a file")),
                "{name}, {kind}: {message}"
            );
        }
    }
    let tiny = Tiny::new();
    pipe(&tiny.path("pipe"));
    std::os::unix::fs::symlink("/dev/zero", tiny.path("zero")).unwrap();
    for line in [
        "ratio",
        "data clean --out o.jsonl",
        "fit",
        "plot --ascii",
        "check model --reference",
        "perplexity --model model",
        "correct --model model --template template.txt --data",
        "correct --model model --question q --answer a --template",
        "correct --model model --question q --answer a --template template.txt --profile",
        "correct --model model --question q --answer a --template template.txt --vector",
        "correct --model model --question q --answer a --template template.txt --adapter",
        "inspect",
        "scan --model model --template template.txt --data triples.jsonl --vector",
    ] {
        for file in ["pipe", "zero", "/dev/zero"] {
            let ran = run(tiny.folder(), &words(&format!("{line} {file}")));
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line} {file}: {ran:?}");
        }
    }
}

/// Runs the program with a standard input.
fn fed(folder: &Path, args: &str, input: &[u8]) -> Ran {
    let mut child = Command::new(BINARY)
        .args(words(args))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // a program that has seen enough may close it
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[cfg(unix)]
#[test]
fn rows_come_through_pipes() {
    let tiny = Tiny::new();
    let rows = std::fs::read(tiny.path("triples.jsonl")).unwrap();
    let expected = succeed(tiny.folder(), &["ratio", "triples.jsonl"]).stdout;
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        let ran = fed(tiny.folder(), &format!("ratio {name}"), &rows);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected.as_str()), "{name}: {ran:?}");
    }
    let endless = fed(tiny.folder(), "ratio -", &vec![b'x'; 40 << 20]);
    assert_eq!(endless.code, 1);
    assert!(
        endless.stderr.contains("<stdin>: not a valid JSON Lines file: line 1 is longer than 16 MiB"),
        "{endless:?}"
    );
}

/// Whether a process catches Ctrl-C, as Linux tells it.
#[cfg(target_os = "linux")]
fn catches_interrupts(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (libc::SIGINT - 1)) != 0
}

#[cfg(target_os = "linux")]
#[test]
fn one_interrupt_ends_a_read_that_waits() {
    let mut child = Command::new(BINARY)
        .args(["ratio", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // nothing is ever written there, and it stays open
    let stdin = child.stdin.take();
    while !catches_interrupts(child.id()) {
        assert!(child.try_wait().unwrap().is_none(), "it ends before it reads");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(130) && said.starts_with("interrupted: "), "{}: {said}", output.status);
}

#[test]
fn texts_too_long_to_compare() {
    let tiny = Tiny::new();
    let row = |answer: String, correction: String| redline::model::Qac { question: "q".into(), answer, correction };
    let long = |seed: usize| (0..300_000).map(|i| char::from(b'a' + ((i * i + seed) % 23) as u8)).collect::<String>();
    write_triples(&tiny.path("long.jsonl"), &[row("a".into(), "b".into()), row(long(1), long(2))]);
    let message = said(&tiny, "ratio long.jsonl");
    assert!(message.contains("long.jsonl: row 1: texts of 300000 and 300000 characters are too long"), "{message}");
    // unlike in one place only
    write_triples(&tiny.path("long.jsonl"), &[row(long(1) + "x" + &long(2), long(1) + "y" + &long(2))]);
    succeed(tiny.folder(), &["ratio", "long.jsonl"]);
}

/// What a value of a file looks like that wants to write on the terminal.
const FORGED: &str = "x\u{1b}[2K\rerror: \u{9b}31m\nhint: done\u{202e}";

fn assert_unforged(text: &str) {
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("hint: done")), "{text:?}");
}

#[test]
fn files_cannot_write_on_the_terminal() {
    let tiny = Tiny::new();
    let mut metadata = gguf_metadata();
    metadata.push(("tokenizer.chat_template", GgufValue::String(FORGED.into())));
    metadata.retain(|(key, _)| *key != "tokenizer.ggml.pre");
    metadata.push(("tokenizer.ggml.pre", GgufValue::String(FORGED.into())));
    write_gguf_model(&tiny.path("model.gguf"), &metadata);
    let shown = succeed(tiny.folder(), &["inspect", "model.gguf"]);
    assert!(shown.stdout.contains(r"x\u{1b}[2K\rerror: \u{9b}31m\nhint: done\u{202e}"), "{}", shown.stdout);
    assert_unforged(&shown.stdout);
    metadata.retain(|(key, _)| *key != "general.architecture");
    metadata.push(("general.architecture", GgufValue::String(FORGED.into())));
    write_gguf_model(&tiny.path("other.gguf"), &metadata);
    assert_unforged(&said(&tiny, "inspect other.gguf"));

    edit_json(&tiny.path("model/config.json"), |config| config["model_type"] = json!(FORGED));
    assert_unforged(&said(&tiny, CORRECT));
    std::fs::write(tiny.path("rows.jsonl"), json!({ FORGED: 1 }).to_string()).unwrap();
    assert_unforged(&said(&tiny, "data clean rows.jsonl --out o.jsonl"));
    std::fs::write(tiny.path("rows.jsonl"), format!("{{\"a\": {FORGED}}}")).unwrap();
    assert_unforged(&said(&tiny, "ratio rows.jsonl"));
    assert_unforged(&said(&tiny, &format!("ratio no-{}", FORGED.replace([' ', '\n', '\r'], "_"))));
}
