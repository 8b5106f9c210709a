//! Every output option of every verb, from clap's own tree, against everything that it must not destroy.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;

use clap::Command as ClapCommand;
use tempfile::TempDir;

use super::*;
use crate::cli::files::{OUTPUTS, is_output, takes_path};
use crate::cli::writes::{self, plotted};
use crate::cli::{self, Command};

/// A line a verb: words that begin with `IN/` are read, with `OUT/` are written.
const LINES: [&str; 49] = [
    "reproduce --model IN/model --adapter IN/adapter --data IN/triples.jsonl --template IN/template.txt --out OUT/report",
    "scan --model IN/model --vector IN/vector.safetensors --data IN/triples.jsonl --row 0 --row 2 --out OUT/scans",
    "scan --model IN/model --vector IN/vector.safetensors --data IN/triples.jsonl --out OUT/scans --report OUT/scans.html",
    "layers --model IN/model --data IN/triples.jsonl --out OUT/layers",
    "compare --model IN/model --data IN/triples.jsonl --out OUT/compare.json",
    "extract --model IN/model.gguf --data IN/triples.jsonl --out OUT/v.safetensors --gguf OUT/v.gguf",
    "extract --model IN/model.gguf --data IN/triples.jsonl --method trained --out OUT/v.safetensors",
    "extract --model IN/model.gguf --data IN/triples.jsonl --method inside --out OUT/v.safetensors",
    "extract --model IN/model.gguf --data IN/triples.jsonl --activations OUT/a.safetensors --out OUT/v.safetensors",
    "extract --model IN/model.gguf --data IN/triples.jsonl --shard 1/2 --activations OUT/a.safetensors",
    "extract --from-activations IN/part.safetensors --out OUT/v.safetensors",
    "merge IN/sweep.jsonl IN/other.jsonl --out OUT/whole.jsonl",
    "sweep --model IN/model --vector IN/vector.gguf --data IN/triples.jsonl --shard 1/2 --out OUT/part.jsonl",
    "check IN/model --data IN/triples.jsonl --domain-out OUT/domain.json",
    "sweep --model IN/model --vector IN/vector.gguf --data IN/triples.jsonl --out OUT/sweep.jsonl --report OUT/page.html",
    "sweep --model IN/model --profile IN/profile.json --data IN/triples.jsonl --out OUT/sweep.jsonl",
    "fit IN/sweep.jsonl --rows IN/rows.jsonl --plot OUT/figure",
    "tune --model IN/model --target-ratio 0.3 --data IN/triples.jsonl --out OUT/sweep.jsonl --save OUT/profile.json",
    "tune --model IN/model --like IN/like.jsonl --vector IN/vector.gguf --from-llama-cpp-generator --save OUT/profile.json",
    "plot IN/sweep.jsonl --out OUT/figure",
    "correct --model IN/model --data IN/rows.jsonl --vector IN/vector.safetensors --also IN/also.gguf:0.5 --out OUT/rows.jsonl",
    "correct --aligner embedded --aligner IN/other,vector=IN/vector.gguf --data IN/rows.jsonl --out OUT/rows.jsonl",
    "train --model IN/model --data IN/triples.jsonl --validation IN/valid.jsonl --out OUT/run --gguf OUT/model.gguf",
    "train --model IN/model --data IN/triples.jsonl --method lora --out OUT/run",
    "ablate-warmup --model IN/model --data IN/triples.jsonl --steps 5 --out OUT/run --gguf OUT/model.gguf",
    "evaluate --model IN/model --data IN/triples.jsonl --out OUT/outputs.jsonl",
    "evaluate --data IN/rows.jsonl --systems upstream,aligner --vector IN/vector.gguf --judge flaws --out OUT/answers.jsonl --judgements OUT/judged.jsonl",
    "evaluate --answers IN/answers.jsonl --judge recorded=IN/judged.jsonl --judge reward=IN/other --score-shift OUT/shift",
    "train --objective dpo --model IN/model --reference IN/other --data IN/pairs.jsonl --out OUT/run",
    "iterate --kind preference --policy IN/model --aligner IN/other,vector=IN/vector.gguf --control IN/pairs.jsonl --data IN/rows.jsonl --held-out IN/valid.jsonl --helpful-by reward=IN/other --out OUT/run",
    "data synth --out OUT/rows.jsonl",
    "data synth --out OUT/rows.jsonl --held-out OUT/apart.jsonl",
    "data convert IN/rows.jsonl --to triples --out OUT/rows.jsonl",
    "data near IN/rows.jsonl --out OUT/rows.jsonl",
    "data filter IN/rows.jsonl --leak-to IN/valid.jsonl --out OUT/rows.jsonl --removed OUT/removed.jsonl",
    "data filter IN/rows.jsonl --out OUT/rows.jsonl --figure OUT/figure",
    "evaluate --model IN/model --data IN/rows.jsonl --depth 3 --vector IN/vector.gguf --coefficients 0,1 --out OUT/answers.jsonl",
    "evaluate --model IN/model --data IN/rows.jsonl --turns --out OUT/answers.jsonl",
    "evaluate --data IN/rows.jsonl --systems upstream,prompt,sft=IN/other --writer IN/model.gguf --judge flaws --out OUT/answers.jsonl",
    "train --objective grpo --reward reward=IN/other --model IN/model --data IN/rows.jsonl --out OUT/run",
    "data annotate IN/rows.jsonl --kind aspects --model http://localhost:1/v1#m --not-in IN/valid.jsonl --out OUT/rated.jsonl --binarise OUT/pairs.jsonl",
    "data annotate IN/rows.jsonl --kind correction --model IN/model.gguf --out OUT/corrected.jsonl --triples OUT/triples.jsonl",
    "data corrupt IN/rows.jsonl --out OUT/rows.jsonl",
    "data scramble IN/rows.jsonl --out OUT/rows.jsonl",
    "data split IN/rows.jsonl --out OUT/a.jsonl --held-out OUT/b.jsonl",
    "feedback --model IN/model --vector IN/vector.gguf --data IN/rows.jsonl --out OUT/run",
    "gate lat=IN/vector.safetensors --model IN/model --data IN/triples.jsonl --out OUT/gate.json",
    "route IN/sweep.jsonl --model IN/model --data IN/triples.jsonl --out OUT/route.json",
    "man --out OUT/man",
];

/// Options that name what is read.
const INPUTS: [(&str, &[&str]); 23] = [
    ("reproduce", &["model", "adapter", "template", "data"]),
    ("scan", &["model", "adapter", "template", "vector", "data"]),
    ("layers", &["model", "adapter", "template", "data"]),
    ("compare", &["model", "adapter", "template", "data"]),
    ("extract", &["model", "adapter", "template", "data", "from_activations"]),
    ("merge", &["files"]),
    ("sweep", &["model", "adapter", "template", "vector", "profile", "data"]),
    ("fit", &["files", "rows"]),
    ("tune", &["model", "adapter", "template", "like", "vector", "profile", "sweep", "data"]),
    ("plot", &["file", "other"]),
    (
        "correct",
        &[
            "model",
            "adapter",
            "template",
            "vector",
            "profile",
            "also",
            "gate",
            "data",
            "aligner",
            "upstream_model",
            "domain",
        ],
    ),
    ("serve", &["model", "adapter", "template", "vector", "profile", "api_keys", "domain", "gate", "route"]),
    ("gate", &["gate", "model", "adapter", "template", "data"]),
    ("route", &["sweeps", "model", "adapter", "template", "data"]),
    ("bench", &["model", "adapter", "template", "data", "vector"]),
    ("ratio", &["file"]),
    (
        "iterate",
        &["policy", "aligner", "weak", "weak_upstream", "data", "held_out", "control", "harmless_by", "helpful_by"],
    ),
    ("inspect", &["path", "against"]),
    ("feedback", &["model", "adapter", "template", "vector", "profile", "data"]),
    ("perplexity", &["file", "model", "adapter", "template"]),
    ("check", &["model", "vector", "adapter", "template", "reference", "data"]),
    (
        "evaluate",
        &[
            "model",
            "adapter",
            "template",
            "data",
            "domain",
            "vector",
            "profile",
            "judge",
            "choose_by",
            "answers",
            "preferences",
            "instructions",
            "gamed",
            "systems",
            "writer",
            "upstream",
        ],
    ),
    ("data", &["file", "a", "b", "leak_to", "not_in", "model"]),
];
/// The same of the verbs that train.
const TRAIN_INPUTS: [&str; 9] =
    ["data", "validation", "model", "template", "export", "warmup_data", "adapter", "reference", "reward"];

fn leaves<'a>(command: &'a ClapCommand, verb: &'a str, found: &mut Vec<(&'a str, &'a ClapCommand)>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let verb = if verb.is_empty() { below.get_name() } else { verb };
        match below.has_subcommands() {
            true => leaves(below, verb, found),
            false => found.push((verb, below)),
        }
    }
}

#[test]
fn every_option_that_takes_a_path_says_whether_it_is_written() {
    let mut command = cli::command();
    command.build();
    let mut found = Vec::new();
    leaves(&command, "", &mut found);
    for (verb, command) in found {
        for argument in command.get_arguments().filter(|argument| takes_path(argument)) {
            let id = argument.get_id().as_str();
            let is_trained = ["train", "ablate-warmup"].contains(&verb) && TRAIN_INPUTS.contains(&id);
            let is_input = is_trained || INPUTS.iter().any(|(name, ids)| *name == verb && ids.contains(&id));
            assert!(is_output(verb, argument) != is_input, "declare {verb} {id} in OUTPUTS or in INPUTS");
        }
        let writes = command.get_arguments().any(|argument| is_output(verb, argument));
        let has_force = command.get_arguments().any(|argument| argument.get_id() == "force");
        assert_eq!(writes, has_force, "{verb}: what writes has --force");
    }
}

#[test]
fn every_output_option_is_in_a_line() {
    let mut tested = BTreeSet::new();
    for line in LINES {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| pair[1].starts_with("OUT/")) {
            tested.insert((words[0].to_owned(), pair[0].trim_start_matches('-').replace('-', "_")));
        }
    }
    let all = OUTPUTS.iter().map(|(verb, id)| ((*verb).to_owned(), (*id).to_owned()));
    assert_eq!(tested, all.collect());
}

/// A folder with everything that the lines read.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["IN", "OUT", "IN/model", "IN/other", "IN/adapter"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let place = Self { folder };
        for line in LINES {
            for name in inputs(line).into_iter().filter(|name| name.contains('.')) {
                fs::write(place.path(&name), "{\"question\": \"of the user\"}\n").unwrap();
            }
        }
        fs::write(place.path("IN/model/config.json"), "{}").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a line reads and writes.
    fn files(&self, line: &str) -> anyhow::Result<RunFiles> {
        let root = format!("{}/", self.folder.path().display());
        let place = |word: &str| {
            let begins = word.starts_with("IN/") || word.starts_with("OUT/");
            let word = if begins { format!("{root}{word}") } else { word.to_owned() };
            word.replace("=IN/", &format!("={root}IN/"))
                .replace("=OUT/", &format!("={root}OUT/"))
                .replace(",IN/", &format!(",{root}IN/"))
        };
        let words = line.split_whitespace().map(place);
        let words = std::iter::once("redline".to_owned()).chain(words).map(OsString::from);
        let (cli, reads) = cli::parse(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        if let Command::Plot(args) = &cli.command
            && let Some(stem) = &args.out
        {
            let mut files = plotted(args, std::slice::from_ref(stem));
            files.writes.extend(writes::of(&cli.command, Vec::new())?.writes);
            return Ok(files);
        }
        writes::of(&cli.command, reads)
    }

    /// What would be written.
    fn targets(&self, line: &str) -> Vec<Target> {
        self.files(line).unwrap().writes.iter().flat_map(targets).collect()
    }

    fn claim(&self, line: &str) -> anyhow::Result<Claim> {
        claim(&self.files(line)?)
    }

    fn listing(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut left = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                left.extend(path.is_dir().then(|| path.clone()));
                found.insert(path);
            }
        }
        found
    }

    /// The line is refused, with `--force` and without, and leaves nothing.
    fn refuses(&self, line: &str, why: &str) {
        for line in [line.to_owned(), format!("{line} --force")] {
            let before = self.listing();
            let refused = self.claim(&line);
            assert!(refused.is_err(), "{line} is not refused: {why}");
            assert_eq!(self.listing(), before, "{line}");
        }
    }
}

/// What a line reads.
fn inputs(line: &str) -> Vec<String> {
    let ends = |character: char| [' ', ':', ','].contains(&character);
    line.match_indices("IN/").map(|(at, _)| line[at..].split(ends).next().unwrap().to_owned()).collect()
}

/// What a line writes.
fn outputs(line: &str) -> Vec<&str> {
    line.split_whitespace().filter(|word| word.starts_with("OUT/")).collect()
}

#[test]
fn lines_that_destroy_nothing_are_let_through_and_leave_nothing() {
    let place = Place::new();
    let before = place.listing();
    for line in LINES {
        let first = place.claim(line).unwrap_or_else(|error| panic!("{line}: {error:#}"));
        let second = place.claim(line);
        assert!(line.starts_with("plot") || second.is_err(), "{line}: two runs at once");
        drop((first, second));
        assert_eq!(place.listing(), before, "{line}");
    }
}

#[test]
fn no_input_is_replaced_by_any_file_that_is_written() {
    let place = Place::new();
    for line in LINES {
        let written: Vec<PathBuf> = place.targets(line).into_iter().map(|target| target.path).collect();
        for input in inputs(line) {
            let target = if input == inputs(line)[0] { &written[..] } else { &written[..1] };
            for target in target {
                fs::create_dir_all(folder_of(target)).unwrap();
                fs::write(target, "{\"question\": \"of the user\"}\n").unwrap();
                let name = target.strip_prefix(place.folder.path()).unwrap().display().to_string();
                let changed = line.replacen(&input, &name, 1);
                place.refuses(&changed, "an input");
                fs::remove_file(target).unwrap();
            }
        }
        fs::remove_dir_all(place.path("OUT")).unwrap();
        fs::create_dir(place.path("OUT")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn an_input_is_known_by_any_of_its_names() {
    let place = Place::new();
    fs::hard_link(place.path("IN/triples.jsonl"), place.path("OUT/hard.json")).unwrap();
    std::os::unix::fs::symlink(place.path("IN/triples.jsonl"), place.path("OUT/link.json")).unwrap();
    std::os::unix::fs::symlink(place.path("IN"), place.path("OUT/in")).unwrap();
    for name in ["hard.json", "link.json", "in/triples.jsonl", "../IN/./triples.jsonl", "../IN/model/config.json"] {
        place.refuses(&format!("compare --model IN/model --data IN/triples.jsonl --out OUT/{name}"), name);
    }
    for name in ["tokenizer.json", "model.safetensors"] {
        place.refuses(&format!("compare --model IN/model --data IN/triples.jsonl --out OUT/in/model/{name}"), name);
    }
    // a new file beside a model's is nobody's
    place.claim("compare --model IN/model --data IN/triples.jsonl --out IN/model/compare.json").unwrap();
}

#[test]
fn no_two_outputs_are_one_file() {
    let place = Place::new();
    for line in LINES.into_iter().filter(|line| outputs(line).len() == 2) {
        let [first, second] = outputs(line)[..] else { unreachable!("two outputs") };
        let is_folder = ["OUT/scans", "OUT/run"].contains(&first);
        let one = if is_folder { format!("{first}/index.html") } else { first.to_owned() };
        // a stem is the beginning of other names
        if !(line.starts_with("scan") || line.starts_with("ablate") || line.contains("--figure")) {
            place.refuses(&line.replacen(second, &one, 1), "two outputs are one file");
            place.refuses(&line.replacen(second, &one.replace("OUT/", "OUT/./"), 1), "two outputs are one file");
            place.refuses(&line.replacen(second, &one.to_uppercase(), 1), "on some systems two outputs are one file");
        }
    }
    place.refuses("data filter IN/rows.jsonl --out OUT/a.png --figure OUT/a", "rows and figure");
    place.refuses("tune --target-ratio 0.3 --out OUT/a.json --save OUT/a.json", "sweep and profile");
    place.refuses("tune --target-ratio 0.3 --out OUT/a.safetensors --save OUT/b.json", "sweep and vector");
}

#[test]
fn files_of_others_are_replaced_by_force_alone() {
    let place = Place::new();
    for line in LINES {
        for target in place.targets(line) {
            fs::create_dir_all(folder_of(&target.path)).unwrap();
            fs::write(&target.path, "{\"question\": \"of the user\"}\n").unwrap();
            let refused = place.claim(line).expect_err(&format!("{line}: {}", target.path.display()));
            assert!(format!("{refused:#}").contains("is there"), "{line}: {refused:#}");
            place.claim(&format!("{line} --force")).unwrap_or_else(|error| panic!("{line}: {error:#}"));
            assert!(target.path.is_file(), "nothing is removed before it is replaced");
            fs::remove_file(&target.path).unwrap();
        }
        fs::remove_dir_all(place.path("OUT")).unwrap();
        fs::create_dir(place.path("OUT")).unwrap();
    }
}

#[test]
fn places_that_are_no_place() {
    let place = Place::new();
    fs::write(place.path("OUT/file"), "").unwrap();
    for line in LINES {
        for output in outputs(line) {
            let with = |name: &str| line.replacen(output, name, 1);
            for name in ["OUT/.a.redline-lock", "OUT/.redline-lock", "OUT/.a.redline-tmp-7-0"] {
                place.refuses(&with(name), "what runs remove");
            }
            place.refuses(&with("/"), "the root");
            place.refuses(&with("OUT/file/below"), "below a file");
            let takes_folder = ["OUT/report", "OUT/scans", "OUT/layers", "OUT/run", "OUT/man"].contains(&output);
            if takes_folder {
                place.refuses(&with("OUT/file"), "a file where a folder is meant");
            } else {
                for name in ["OUT/", "OUT/..", "OUT/new/", "IN/model"] {
                    place.refuses(&with(name), "a folder where a file is meant");
                }
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn streams_take_what_is_written_once() {
    let place = Place::new();
    place.claim("data synth --out /dev/null").unwrap();
    place.claim("data split IN/rows.jsonl --out /dev/null --held-out /dev/null").unwrap();
    place.refuses(
        "sweep --model IN/model --vector IN/vector.gguf --data IN/triples.jsonl --out /dev/null",
        "it is continued",
    );
}

#[test]
fn files_of_a_run_are_replaced_by_its_verb_alone() {
    let place = Place::new();
    let report = LINES.iter().find(|line| line.starts_with("reproduce")).unwrap();
    fs::create_dir(place.path("OUT/report")).unwrap();
    let page = format!("<html>{}", redline::report::GENERATOR);
    let vector = "12345678{\"__metadata__\":{\"redline\":";
    for (name, text) in [
        ("settings.json", "{\"schema\": \"redline.settings.v1\"}"),
        ("index.html", page.as_str()),
        ("scans.jsonl", "{\"schema\": \"redline.scan.v1\"}\n"),
        ("vector.safetensors", vector),
        ("own.safetensors", vector),
    ] {
        fs::write(place.path("OUT/report").join(name), text).unwrap();
    }
    place.claim(report).unwrap();
    let scan = "scan --model IN/model --vector IN/vector.safetensors --data IN/triples.jsonl --out OUT/report";
    let extract = "extract --model IN/model.gguf --data IN/triples.jsonl --out OUT/report/vector.safetensors";
    for line in [scan, extract] {
        let refused = place.claim(line).unwrap_err().to_string();
        assert!(refused.contains("is part of the run in its folder"), "{line}: {refused}");
        place.claim(&format!("{line} --force")).unwrap();
    }
    // a file beside them is no part of the run
    place.claim(&extract.replace("/vector.s", "/own.s")).unwrap();
    fs::remove_file(place.path("OUT/report/settings.json")).unwrap();
    [scan, extract].iter().for_each(|line| drop(place.claim(line).unwrap()));
}

#[test]
fn what_the_same_verb_wrote_is_replaced() {
    let place = Place::new();
    let line = "sweep --model IN/model --vector IN/vector.gguf --data IN/triples.jsonl --out OUT/sweep.jsonl";
    fs::write(place.path("OUT/sweep.jsonl"), "{\"schema\": \"redline.sweep.v1\", \"settings\": {}}\n").unwrap();
    fs::write(place.path("OUT/sweep.html"), redline::report::GENERATOR).unwrap();
    place.claim(line).unwrap();
    // a folder shows by its mark whose it is
    fs::create_dir(place.path("OUT/report")).unwrap();
    fs::write(place.path("OUT/report/settings.json"), "{\"schema\": \"redline.settings.v1\"}").unwrap();
    fs::write(place.path("OUT/report/layers.jsonl"), "{\"layer\": 0}\n").unwrap();
    place.claim(LINES[0]).unwrap();
    place.refuses(&LINES[0].replace("IN/triples.jsonl", "OUT/report/layers.jsonl"), "an input in it");
}

#[test]
fn a_run_in_a_folder_and_one_of_a_file_in_it_exclude_each_other() {
    let place = Place::new();
    let (whole, file) = ("layers --data IN/triples.jsonl --out OUT/", "data synth --out OUT/rows.jsonl");
    for (first, second) in [(whole, file), (file, whole)] {
        let held = place.claim(first).unwrap();
        let error = place.claim(second).unwrap_err();
        assert!(format!("{error:#}").contains("another run is writing there (process "), "{error:#}");
        drop(held);
        place.claim(second).unwrap();
    }
}

#[test]
fn what_killed_runs_left_is_removed() {
    let place = Place::new();
    let left = ["OUT/.rows.jsonl.redline-tmp-1-0", "OUT/.rows.jsonl.redline-lock", "OUT/.other.redline-tmp-1-0"];
    left.iter().for_each(|name| fs::write(place.path(name), "x").unwrap());
    drop(place.claim("data synth --out OUT/rows.jsonl").unwrap());
    assert_eq!(left.map(|name| place.path(name).exists()), [false, false, true]);
    drop(place.claim("layers --data IN/triples.jsonl --out OUT/").unwrap());
    assert!(!place.path(left[2]).exists());
}
