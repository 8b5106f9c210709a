//! Runs the real binary.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Path of the binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_redline");

/// The root of the repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file under `tests/golden`.
pub fn golden(name: &str) -> PathBuf {
    repository().join("tests/golden").join(name)
}

/// A file or folder under `tests/cases`.
pub fn case(name: &str) -> PathBuf {
    repository().join("tests/cases").join(name)
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `redline` in `folder` and waits for its end.
pub fn run<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Ran {
    let output = assert_cmd::Command::new(BINARY)
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        // a path that is not there is no name to be asked for
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    let ran = Ran {
        code: output.status.code().expect("no signal ended the program"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    ran
}

/// Runs `redline`, which must succeed.
pub fn succeed<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Ran {
    let ran = run(folder, args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

/// Runs `redline` with `--json` and parses what it prints.
pub fn json<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Value {
    let mut all: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
    all.push(OsStr::new("--json"));
    serde_json::from_str(&succeed(folder, &all).stdout).expect("one JSON value on standard output")
}

/// The values of a JSON Lines file.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A text with paths that differ from machine to machine replaced.
pub fn masked(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "[folder]");
    text.replace(&repository().display().to_string(), "[repository]")
}

/// Says that a test did not run, past the test harness's capture.
pub fn not_tested(what: &str) {
    // a closed standard error is no reason to fail
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {what}");
}
