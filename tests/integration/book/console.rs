//! Runs the `console` blocks of a page, one after another in one folder, and compares what they print.
//!
//! A block is `$ redline …` lines, each with its expected standard output below: `[..]` stands for any text within a line, `...` for
//! any lines; `? 1` after the command asks for that exit code, and then standard error is compared.

use std::path::Path;

use crate::program::{repository, run};

/// Runs all blocks; returns the number of commands.
fn run_blocks(page: &Path, text: &str, folder: &Path) -> usize {
    let mut n_commands = 0;
    for block in text.split("```console\n").skip(1) {
        let block = block.split("\n```").next().unwrap();
        for part in block.split("$ redline ").skip(1) {
            let (command, expected) = part.split_once('\n').unwrap_or((part, ""));
            check(page, command, expected, folder);
            n_commands += 1;
        }
    }
    n_commands
}

/// Runs the blocks of a page in a folder of its own, which holds rows and model of the repository's `assets`; returns the number of
/// commands.
pub fn run_page(page: &Path, text: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    if text.contains("```console\n") {
        let assets = folder.path().join("assets/aligner");
        std::fs::create_dir_all(&assets).unwrap();
        for name in ["held-out.jsonl.gz", "redline-tiny.gguf"] {
            std::fs::copy(repository().join("assets/aligner").join(name), assets.join(name)).unwrap();
        }
    }
    run_blocks(page, text, folder.path())
}

fn check(page: &Path, command: &str, expected: &str, folder: &Path) {
    let (code, expected) = match expected.strip_prefix("? ").and_then(|rest| rest.split_once('\n')) {
        Some((code, rest)) => (code.trim().parse().unwrap(), rest),
        None => (0, expected),
    };
    let ran = run(folder, &arguments(command));
    let what = format!("{}: redline {command}", page.display());
    assert_eq!(ran.code, code, "{what}\n{}", ran.stderr);
    let printed = if code == 0 { &ran.stdout } else { &ran.stderr };
    let (printed, expected): (Vec<&str>, Vec<&str>) =
        (printed.trim_end().lines().collect(), expected.trim_end().lines().collect());
    assert!(matches(&printed, &expected), "{what}\nprints\n{}\nnot\n{}", printed.join("\n"), expected.join("\n"));
}

/// Words, of which those in double quotes hold spaces.
fn arguments(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    parts
        .flat_map(|(place, part)| match place % 2 {
            1 => vec![part.to_string()],
            _ => part.split_whitespace().map(str::to_string).collect(),
        })
        .collect()
}

/// Whether lines are as expected, `...` being any number of them.
fn matches(lines: &[&str], expected: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((&"...", rest)) => (0..=lines.len()).any(|skipped| matches(&lines[skipped..], rest)),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, left)| is_like(line, first) && matches(left, rest))
        }
    }
}

/// Whether a line is as expected, `[..]` being any text.
fn is_like(line: &str, expected: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.is_empty()
}

#[test]
fn patterns() {
    assert!(
        is_like("a 1 b", "a [..] b") && is_like("a", "a") && is_like("ab", "a[..]") && is_like("x1y2z", "x[..]y[..]z")
    );
    assert!(!is_like("a 1 c", "a [..] b") && !is_like("ab", "a") && !is_like("b", "a[..]"));
    assert!(matches(&["a", "b", "c"], &["a", "...", "c"]) && matches(&["a"], &["...", "a"]) && matches(&[], &["..."]));
    assert!(!matches(&["a", "b"], &["a"]) && !matches(&[], &["a"]));
    assert_eq!(arguments("x --a \"b c\" d"), ["x", "--a", "b c", "d"]);
}
