//! Input that cannot be used: the message names what is wrong and how to mend it, the exit code says whose fault it
//! is, and no file is left behind.

mod data;
mod hostile;
mod model;
mod options;
mod training;
mod tuning;
mod vector;

pub use tuning::prepared as tuned;

use std::ffi::OsStr;
use std::path::Path;

use crate::fixture::{Tiny, words};
use crate::program::{masked, run};

/// Every file under a folder with its content, and every folder.
fn listing(folder: &Path) -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let content = if path.is_dir() {
                left.push(path.clone());
                None
            } else {
                Some(std::fs::read(&path).unwrap())
            };
            found.push((path, content));
        }
    }
    found.sort();
    found
}

/// Runs a command that must be refused as the user's error, and compares what it says with the snapshot `name`.
/// Files may neither appear nor change.
fn refused<S: AsRef<OsStr>>(tiny: &Tiny, name: &str, args: &[S]) {
    let before = listing(tiny.folder());
    let ran = run(tiny.folder(), args);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{name}: {ran:?}");
    let said: String =
        ran.stderr.lines().filter(|line| !line.starts_with("template: ")).map(|l| format!("{l}\n")).collect();
    let last = said.lines().last().unwrap_or_default();
    let n_errors = said.lines().filter(|line| line.starts_with("error: ")).count();
    assert!(n_errors == 1 && last.starts_with("hint: "), "{name} says no cure: {said}");
    insta::assert_snapshot!(name, masked(&said, tiny.folder()));
    let after = listing(tiny.folder());
    let names = |files: &[(std::path::PathBuf, Option<Vec<u8>>)]| files.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "{name} leaves files behind");
    assert!(after == before, "{name} changes files");
}

/// [`refused`] with arguments in one line.
fn refused_line(tiny: &Tiny, name: &str, line: &str) {
    refused(tiny, name, &words(line));
}
