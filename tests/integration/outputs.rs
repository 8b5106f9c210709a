//! Outputs of real runs: one writer at a time, nothing of others replaced, nothing left by killed runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::fixture::{Tiny, words};
use crate::program::{Ran, lines, run, succeed};

const MODEL: &str = "--model model --template template.txt --data triples.jsonl";
/// What a user has lying there.
const OF_THE_USER: &str = "{\"mine\": true}\n";

fn sweep(out: &str) -> String {
    format!(
        "sweep {MODEL} --vector vector.safetensors --skip 24 --prompts 2 --coefficients=-1,0,1 --max-new-tokens 4 --out {out}"
    )
}

fn train(out: &str) -> String {
    format!(
        "train --data triples.jsonl --from-scratch --hidden-size 16 --heads 2 --n-layers 1 --vocab-size 280 --context 256 \
         --steps 2 --batch-rows 4 --held-out-share 0.2 --generate 2 --max-new-tokens 4 --out {out}"
    )
}

fn reproduce(out: &str) -> String {
    format!(
        "reproduce {MODEL} --pairs 12 --prompts 4 --max-new-tokens 4 --coefficients=-1,0,1 --random-generated 1 --shuffled-generated 1 \
         --random-propensity 2 --control-prompts 2 --out {out}"
    )
}

fn go(tiny: &Tiny, line: &str) -> Ran {
    run(tiny.folder(), &words(line))
}

/// Holds a lock as a run does that is not over.
fn held(path: PathBuf) -> File {
    let file = File::create(path).unwrap();
    file.lock().unwrap();
    file
}

fn hidden(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn a_second_run_is_told_at_once_that_the_output_is_taken() {
    let tiny = Tiny::new();
    tiny.extract();
    let correct = format!("correct {MODEL} --max-new-tokens 4 --out out.jsonl");
    fs::create_dir(tiny.path("run")).unwrap();
    for (line, lock, output) in [
        (correct, ".out.jsonl.redline-lock", "out.jsonl"),
        (sweep("sweep.jsonl"), ".sweep.jsonl.redline-lock", "sweep.jsonl"),
        (train("run"), "run/.redline-lock", "run/train.jsonl"),
        (reproduce("run"), "run/.redline-lock", "run/settings.json"),
    ] {
        let lock = held(tiny.path(lock));
        let refused = go(&tiny, &line);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains("another run is writing there"), "{line}: {}", refused.stderr);
        assert!(!tiny.path(output).exists(), "{line}");
        drop(lock);
    }
    // a lock that nobody holds is what a killed run left
    succeed(tiny.folder(), &words(&sweep("sweep.jsonl")));
    assert!(!hidden(tiny.folder()).contains(&".sweep.jsonl.redline-lock".into()));
    let before = fs::read(tiny.path("sweep.jsonl")).unwrap();
    succeed(tiny.folder(), &words(&sweep("sweep.jsonl")));
    assert!(fs::read(tiny.path("sweep.jsonl")).unwrap() == before, "a run that is complete is continued by nothing");
}

#[test]
fn every_file_of_a_folder_is_checked_before_it_is_replaced() {
    let tiny = Tiny::new();
    tiny.extract();
    let scan = format!("scan {MODEL} --vector vector.safetensors --row 30 --out scan");
    let layers = format!("layers {MODEL} --pairs 24 --tokens 2 --around 1 --out layers");
    for (line, folder) in [
        (scan, "scan"),
        (layers, "layers"),
        (train("run"), "run"),
        (reproduce("report"), "report"),
        ("man --out man".to_owned(), "man"),
    ] {
        succeed(tiny.folder(), &words(&line));
        assert_eq!(hidden(&tiny.path(folder)), [""; 0], "{line}");
        succeed(tiny.folder(), &words(&line));
        for entry in fs::read_dir(tiny.path(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            fs::create_dir(tiny.path("other")).unwrap();
            fs::write(tiny.path("other").join(&name), OF_THE_USER).unwrap();
            let refused = go(&tiny, &line.replace(&format!("--out {folder}"), "--out other"));
            assert_eq!(refused.code, 1, "{line} replaces {name}: {}", refused.stderr);
            assert_eq!(fs::read_to_string(tiny.path("other").join(&name)).unwrap(), OF_THE_USER, "{line}: {name}");
            assert_eq!(fs::read_dir(tiny.path("other")).unwrap().count(), 1, "{line}: {name}");
            fs::remove_dir_all(tiny.path("other")).unwrap();
        }
    }
}

#[test]
fn sweeps_in_one_folder_keep_a_report_each() {
    let tiny = Tiny::new();
    tiny.extract();
    succeed(tiny.folder(), &words(&sweep("a.jsonl")));
    let first = fs::read(tiny.path("a.html")).unwrap();
    succeed(tiny.folder(), &words(&format!("{} --seed 7", sweep("b.jsonl"))));
    assert!(fs::read(tiny.path("a.html")).unwrap() == first && tiny.path("b.html").exists());
    assert!(!tiny.path("index.html").exists());
}

#[test]
fn outputs_over_files_of_the_user_need_force() {
    let tiny = Tiny::new();
    tiny.extract();
    for (line, name) in [
        ("data synth --rows 3 --out mine".to_owned(), "mine"),
        (sweep("mine"), "mine"),
        (format!("extract {MODEL} --pairs 12 --out mine"), "mine"),
        (format!("extract {MODEL} --pairs 12 --out new.safetensors --gguf mine"), "mine"),
        (format!("correct {MODEL} --max-new-tokens 4 --out mine"), "mine"),
        (format!("{} --report mine", sweep("other.jsonl")), "mine"),
        ("plot vector.safetensors --out mine".to_owned(), "mine.svg"),
    ] {
        fs::write(tiny.path(name), OF_THE_USER).unwrap();
        let refused = go(&tiny, &line);
        assert_eq!(refused.code, 1, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains("--force"), "{line}: {}", refused.stderr);
        assert_eq!(fs::read_to_string(tiny.path(name)).unwrap(), OF_THE_USER, "{line}");
        let forced = succeed(tiny.folder(), &words(&format!("{line} --force")));
        assert!(forced.stderr.contains("was replaced"), "{line}: {}", forced.stderr);
        assert!(!fs::read_to_string(tiny.path(name)).is_ok_and(|text| text == OF_THE_USER), "{line}");
        // what the same verb wrote is its own
        succeed(tiny.folder(), &words(&line));
        fs::remove_file(tiny.path(name)).unwrap();
    }
    assert!(lines(&tiny.path("triples.jsonl")).len() == 48, "the rows are whole");
}

#[test]
fn a_forced_run_begins_anew() {
    let tiny = Tiny::new();
    tiny.extract();
    succeed(tiny.folder(), &words(&reproduce("fresh")));
    fs::create_dir(tiny.path("other")).unwrap();
    fs::copy(tiny.path("vector.safetensors"), tiny.path("other/vector.safetensors")).unwrap();
    fs::write(tiny.path("other/sweep.jsonl"), OF_THE_USER).unwrap();
    assert_eq!(go(&tiny, &reproduce("other")).code, 1);
    succeed(tiny.folder(), &words(&format!("{} --force", reproduce("other"))));
    let of = |folder: &str, name: &str| fs::read(tiny.path(folder).join(name)).unwrap();
    assert!(of("other", "vector.safetensors") == of("fresh", "vector.safetensors"), "not the one that lay there");
    assert_eq!(of("other", "sweep.jsonl").len(), of("fresh", "sweep.jsonl").len());
}

#[test]
fn a_picture_needs_a_name() {
    let tiny = Tiny::new();
    tiny.extract();
    for out in ["/", ".", "..", "model", "model/", "new/"] {
        let refused = go(&tiny, &format!("plot vector.safetensors --out {out}"));
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{out}: {}", refused.stderr);
    }
    assert_eq!(hidden(&tiny.path("model")), [""; 0]);
    assert!(!Path::new("/.png").exists());
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let tiny = Tiny::new();
    let left = [".rows.jsonl.redline-tmp-4000000-0", ".rows.jsonl.redline-lock"];
    left.iter().for_each(|name| fs::write(tiny.path(name), "half").unwrap());
    fs::write(tiny.path(".tmpabcdef"), "of another program").unwrap();
    succeed(tiny.folder(), &words("data synth --rows 3 --out rows.jsonl"));
    assert_eq!(hidden(tiny.folder()), [".tmpabcdef"]);
    assert_eq!(lines(&tiny.path("rows.jsonl")).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_of_the_machine_for_every_verb() {
    let tiny = Tiny::new();
    tiny.extract();
    ["full.png", "full.svg"].iter().for_each(|name| std::os::unix::fs::symlink("/dev/full", tiny.path(name)).unwrap());
    for line in [
        "data synth --rows 3 --out /dev/full".to_owned(),
        "data clean triples.jsonl --out /dev/full".to_owned(),
        format!("extract {MODEL} --pairs 12 --out /dev/full"),
        format!("evaluate {MODEL} --prompts 2 --max-new-tokens 4 --out /dev/full"),
        "plot vector.safetensors --out full".to_owned(),
    ] {
        let ran = go(&tiny, &line);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("No space left") && ran.stderr.contains("hint: "), "{line}: {}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_grows_has_one_writer_under_all_its_names() {
    let tiny = Tiny::new();
    tiny.extract();
    let correct = format!("correct {MODEL} --max-new-tokens 4 --out");
    for (line, name) in [(format!("{correct} out.jsonl"), "out.jsonl"), (sweep("sweep.jsonl"), "sweep.jsonl")] {
        succeed(tiny.folder(), &words(&line));
        let before = fs::read(tiny.path(name)).unwrap();
        fs::hard_link(tiny.path(name), tiny.path("other.jsonl")).unwrap();
        let held = redline::model::files::open_to_append(&tiny.path(name)).unwrap();
        for output in [name, "other.jsonl"] {
            let refused = go(&tiny, &line.replace(&format!("--out {name}"), &format!("--out {output}")));
            let told = refused.stderr.contains("another run is writing there (under another name)");
            assert!(refused.code == 1 && told, "{line}: {refused:?}");
            assert!(fs::read(tiny.path(name)).unwrap() == before, "{line}");
        }
        drop(held);
        succeed(tiny.folder(), &words(&line));
        fs::remove_file(tiny.path("other.jsonl")).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_standard_input_is_not_replaced_where_it_is_a_file() {
    let tiny = Tiny::new();
    let rows = fs::read(tiny.path("triples.jsonl")).unwrap();
    for input in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        for verb in ["clean", "scramble", "corrupt"] {
            let line = format!("data {verb} {input} --out triples.jsonl --force");
            let mut command = std::process::Command::new(crate::program::BINARY);
            command.args(words(&line)).current_dir(tiny.folder());
            let output = command.stdin(File::open(tiny.path("triples.jsonl")).unwrap()).output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(1) && told.contains("which is read by this run"), "{line}: {told}");
            assert!(fs::read(tiny.path("triples.jsonl")).unwrap() == rows, "{line}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_the_size_of_files_is_an_error_not_a_signal() {
    let tiny = Tiny::new();
    // blocks of 512 bytes
    let line = format!("ulimit -f 8; exec {} data synth --rows 500 --out rows.jsonl", crate::program::BINARY);
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", &line]).current_dir(tiny.folder()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("rows.jsonl") && told.contains("hint: "), "{told}");
    assert!(!tiny.path("rows.jsonl").exists() && hidden(tiny.folder()) == [""; 0], "{:?}", hidden(tiny.folder()));
}

#[test]
fn a_second_gguf_file_beside_the_only_one_of_a_folder_is_refused() {
    let tiny = Tiny::new();
    tiny.extract();
    fs::create_dir(tiny.path("one")).unwrap();
    crate::fixture::write_gguf_model(&tiny.path("one/model.gguf"), &crate::fixture::gguf_metadata());
    let line = "extract --model one --template template.txt --data triples.jsonl --pairs 24 --out one/v.safetensors";
    let refused = go(&tiny, &format!("{line} --gguf one/v.gguf"));
    assert!(refused.code == 1 && refused.stderr.contains("it is part of one"), "{refused:?}");
    succeed(tiny.folder(), &words(line));
}
