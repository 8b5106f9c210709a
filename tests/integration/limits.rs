//! Numbers on the command line: whatever is given, the program ends soon, as the user's error or well, and never by a crash.

use std::time::Duration;

use crate::fixture::{Tiny, words};
use crate::program::BINARY;

const MODEL: &str = "--model model --template template.txt --data triples.jsonl";
/// The largest and the smallest that types hold, and what is no number.
const VALUES: [&str; 8] = [
    "18446744073709551615",
    "4294967295",
    "65535",
    "0",
    "-1",
    "1e308",
    "nan",
    "-170141183460469231731687303715884105728",
];
/// Options with more numbers than this are not lists that anybody writes.
const LIST: usize = 20_000;
/// Values of these options are paths, names or words, or take a server.
const NO_NUMBERS: [&str; 11] =
    ["FILE", "PATH", "DIR", "STEM", "NAME", "MODEL", "URL", "ORIGIN", "PRECISION", "CHECKPOINT", "METHOD"];
/// How long a run may take on a busy machine; those here take less than a second.
const LONGEST: Duration = Duration::from_secs(120);

/// The options of a verb that take a value, as its help lists them.
fn options(verb: &[&str]) -> Vec<String> {
    let output = assert_cmd::Command::new(BINARY).args(verb).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let named = help.lines().filter_map(|line| {
        let option = line.trim_start().strip_prefix("--")?;
        let (name, value) = option.split_once(" <")?;
        let is_number = !NO_NUMBERS.iter().any(|word| value.contains(word)) && !name.contains(' ');
        is_number.then(|| format!("--{name}"))
    });
    named.collect()
}

/// Runs a line with each value of each numeric option; what it says is the user's to mend.
fn survives(tiny: &Tiny, verb: &str, line: &str) {
    let verb = words(verb);
    let options = options(&verb);
    assert!(options.len() > 1, "{verb:?} has options: {options:?}");
    for option in &options {
        let long = vec!["1"; LIST].join(",");
        for value in VALUES.iter().copied().chain([long.as_str()]) {
            let mut arguments = verb.clone();
            arguments.extend(without(&words(line), option));
            let given = format!("{option}={value}");
            arguments.push(&given);
            let mut command = assert_cmd::Command::new(BINARY);
            command.args(&arguments).current_dir(tiny.folder()).timeout(LONGEST);
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let shown = &given[..given.len().min(60)];
            assert!(matches!(output.status.code(), Some(0 | 1)), "{verb:?} {shown}: {:?} {said}", output.status);
            assert!(!said.contains("panicked"), "{verb:?} {shown}: {said}");
        }
    }
}

/// A line without an option and its value.
fn without<'a>(words: &[&'a str], option: &str) -> Vec<&'a str> {
    let is_value = |i: usize| i > 0 && words[i - 1] == option;
    let kept = words.iter().enumerate().filter(|(i, word)| **word != option && !is_value(*i));
    kept.map(|(_, word)| *word).collect()
}

#[test]
fn verbs_that_read() {
    let tiny = Tiny::new();
    tiny.extract();
    survives(&tiny, "extract", &format!("{MODEL} --pairs 12 --out v.safetensors"));
    survives(&tiny, "scan", &format!("{MODEL} --vector vector.safetensors --row 30"));
    survives(&tiny, "layers", &format!("{MODEL} --pairs 12 --tokens 2 --around 1 --out layers"));
    survives(&tiny, "compare", &format!("{MODEL} --pairs 12 --measured 2 --random 1 --score-tokens 4"));
    survives(&tiny, "check", "model --template template.txt --prompts 2");
}

#[test]
fn verbs_that_write_text() {
    let tiny = Tiny::new();
    tiny.extract();
    let sweep =
        format!("{MODEL} --vector vector.safetensors --skip 24 --prompts 2 --max-new-tokens 4 --coefficients -1,0,1");
    survives(
        &tiny,
        "correct",
        &format!("{MODEL} --vector vector.safetensors --max-new-tokens 4 --gate vector.safetensors --gate-layer 1"),
    );
    survives(&tiny, "evaluate", &format!("{MODEL} --prompts 2 --max-new-tokens 4"));
    survives(&tiny, "bench", "--model model --prefill 8 --decode 4 --repeats 1");
    survives(&tiny, "sweep", &format!("{sweep} --out sweep.jsonl"));
}

#[test]
fn verbs_that_run_long() {
    let tiny = Tiny::new();
    let shape =
        "--hidden-size 16 --heads 2 --n-layers 1 --vocab-size 280 --context 256 --steps 1 --batch-rows 4 --generate 0";
    // no rows: what is checked before they are read is checked
    std::fs::write(tiny.path("none.jsonl"), "").unwrap();
    survives(&tiny, "train", &format!("--data none.jsonl --from-scratch {shape} --out run"));
    survives(&tiny, "train", &format!("--data triples.jsonl --from-scratch {shape} --held-out-share 1 --out run"));
    survives(&tiny, "ablate-warmup", &format!("--data none.jsonl --from-scratch {shape} --out run"));
    survives(&tiny, "reproduce", &format!("--model missing {} --pairs 8 --prompts 2 --out report", &MODEL[14..]));
    survives(&tiny, "tune", &format!("--model missing {} --target-ratio 0.3", &MODEL[14..]));
    survives(&tiny, "serve", "--model missing");
}

#[test]
fn verbs_without_a_model() {
    let tiny = Tiny::new();
    tiny.extract();
    let sweep = format!(
        "sweep {MODEL} --vector vector.safetensors --skip 24 --prompts 2 --max-new-tokens 4 --coefficients=-1,0,1"
    );
    crate::program::succeed(tiny.folder(), &words(&sweep));
    survives(&tiny, "fit", "sweep.jsonl");
    survives(&tiny, "plot", "sweep.jsonl --ascii");
    survives(&tiny, "data synth", "--rows 3 --out /dev/null");
    survives(&tiny, "data scramble", "triples.jsonl --rows 3 --out /dev/null");
    survives(&tiny, "data clean", "triples.jsonl --out /dev/null");
    survives(&tiny, "data corrupt", "triples.jsonl --out /dev/null");
    survives(&tiny, "data split", "triples.jsonl --out /dev/null --held-out /dev/null");
}

#[test]
fn numbers_inside_of_words() {
    let tiny = Tiny::new();
    tiny.extract();
    let long = vec!["0-4095"; LIST / 2].join(",");
    let most = VALUES[0];
    let extract = format!("extract {MODEL} --pairs 12 --out v.safetensors");
    let correct = format!("correct {MODEL} --vector vector.safetensors --coefficient 1 --max-new-tokens 4");
    for line in [
        format!("{extract} --read first-tokens:{most}"),
        format!("{extract} --read output-token:{most}"),
        format!("{extract} --read from-first-difference:{most}"),
        format!("{extract} --read at-difference:-9223372036854775808"),
        format!("{correct} --range 0..{most}"),
        format!("{correct} --range 18446744073709551614..{most}"),
        format!("{correct} --layers 0-{most}"),
        format!("{correct} --layers {long}"),
        format!("{correct} --also vector.safetensors:1e39"),
        format!("{correct} --device cuda:{most}"),
        format!("correct --data triples.jsonl --aligner embedded,coefficient={most},layers=0-{most}"),
    ] {
        let ran = crate::program::run(tiny.folder(), &words(&line));
        assert!([0, 1].contains(&ran.code), "{:.300}: {:.300}", line, ran.stderr);
    }
}

#[test]
fn sizes_of_a_model_are_refused_by_the_memory_that_they_take() {
    let tiny = Tiny::new();
    let line = "train --data triples.jsonl --from-scratch --hidden-size 131072 --heads 1024 --n-layers 1024 --steps 1 --out run";
    let ran = crate::program::run(tiny.folder(), &words(line));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("GiB of memory are needed"), "{}", ran.stderr);
    assert!(!tiny.path("run").exists());
}

#[test]
fn a_bound_is_named() {
    let tiny = Tiny::new();
    for (line, bound) in [
        ("correct --question q --answer a --max-new-tokens 18446744073709551615", "from 0 to 1048576"),
        ("correct --question q --answer a --threads 65535", "1..=1024"),
        ("train --data triples.jsonl --from-scratch --out run --vocab-size 18446744073709551615", "from 0 to 1048576"),
        ("train --data triples.jsonl --model model --method lora --out run --rank 9999999", "from 0 to 16384"),
        ("data synth --rows 99999999 --out rows.jsonl", "from 1 to 1000000"),
    ] {
        let ran = crate::program::run(tiny.folder(), &words(line));
        assert!(ran.code == 1 && ran.stderr.contains(bound), "{line}: {}", ran.stderr);
    }
    let many = vec!["1"; LIST].join(",");
    let ran = crate::program::run(tiny.folder(), &["reproduce", "--coefficients", &many]);
    assert!(ran.code == 1 && ran.stderr.contains("at most 1000 numbers"), "{:.300}", ran.stderr);
    assert!(ran.stderr.len() < 2000, "a long value is not repeated: {} bytes", ran.stderr.len());
}
