//! Shell completions and man pages.

use std::process::Command;

use crate::fixture::words;
use crate::program::{json, not_tested, run, succeed};

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

#[test]
fn completions_know_verbs_and_options() {
    let folder = tempfile::tempdir().unwrap();
    for shell in SHELLS {
        let ran = succeed(folder.path(), &["completions", shell]);
        assert_eq!(ran.stderr, "");
        for part in ["sweep", "coherence-bound", "ablate-warmup"] {
            assert!(ran.stdout.contains(part), "{shell} lacks {part}");
        }
        assert_eq!(json(folder.path(), &["completions", shell])["shell"], shell);
    }
    let ran = run(folder.path(), &["completions", "cmd"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("bash") && ran.stderr.contains("zsh"), "{}", ran.stderr);
}

/// Bash itself completes a verb and an option.
#[test]
fn bash_completes() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("redline.bash");
    std::fs::write(&script, succeed(folder.path(), &["completions", "bash"]).stdout).unwrap();
    let complete = |line: &[&str]| {
        let asked: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
        let commands = format!(
            "source '{}'; COMP_WORDS=({}); COMP_CWORD={}; _redline redline '{}' ''; echo \"${{COMPREPLY[@]}}\"",
            script.display(),
            asked.join(" "),
            line.len() - 1,
            line[line.len() - 1]
        );
        Command::new("bash").args(["--norc", "-c", &commands]).output()
    };
    let Ok(output) = complete(&["redline", "swe"]) else {
        return not_tested("completions in bash: there is no bash");
    };
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "sweep");
    let options = String::from_utf8(complete(&["redline", "tune", "--target"]).unwrap().stdout).unwrap();
    assert_eq!(options.trim(), "--target-ratio");
}

#[test]
fn man_pages() {
    let folder = tempfile::tempdir().unwrap();
    let page = succeed(folder.path(), &["man"]).stdout;
    assert!(page.contains(".TH redline 1"), "{page}");
    assert!(page.contains("reproduce") && page.contains("SUBCOMMANDS"), "{page}");
    let ran = succeed(folder.path(), &words("man --out pages"));
    assert_eq!(ran.stdout, "");
    for name in ["redline.1", "redline-sweep.1", "redline-tune.1", "redline-data-synth.1"] {
        let text = std::fs::read_to_string(folder.path().join("pages").join(name)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{name}");
    }
    let tune = std::fs::read_to_string(folder.path().join("pages/redline-tune.1")).unwrap();
    assert!(tune.contains("target\\-ratio") && tune.contains("redline tune \\-\\-target\\-ratio"), "{tune}");
    let serve = std::fs::read_to_string(folder.path().join("pages/redline-serve.1")).unwrap();
    for variable in ["REDLINE_THREADS", "REDLINE_MAX_ROWS", "REDLINE_API_KEYS_FILE"] {
        assert!(serve.contains(variable) && !tune.contains(variable), "{variable}: {serve}");
    }
}
