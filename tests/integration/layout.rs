//! The house rules: which crate may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::program::repository;

/// The module that opens files, so that no other reads what never ends or does not fit in memory.
const READER: &str = "model/src/files";
/// Modules of the program that write on standard error, after they took out what moves a terminal's cursor.
const WRITERS: [&str; 5] =
    ["src/failure.rs", "src/interrupt.rs", "src/output.rs", "src/progress.rs", "src/request_log.rs"];

/// Crates of the program that no library may use.
const PROGRAM_ONLY: [&str; 6] = ["clap", "clap_complete", "clap_mangen", "anyhow", "indicatif", "ctrlc"];
/// Crates that only these libraries may use.
const OWNED: [(&str, &[&str]); 5] = [
    ("plotters", &["redline-report"]),
    ("axum", &["redline-serve"]),
    ("hyper", &["redline-serve"]),
    ("reqwest", &["redline-hub", "redline-serve"]),
    ("tokio", &["redline-serve"]),
];
/// The rooms from the lowest to the highest, with those that each may use.
const ARROWS: [(&str, &[&str]); 12] = [
    ("redline-kernels", &[]),
    ("redline-model", &["redline-kernels"]),
    ("redline-hub", &["redline-model"]),
    ("redline-probe", &["redline-model"]),
    ("redline-steer", &["redline-model", "redline-probe"]),
    ("redline-data", &["redline-model", "redline-probe"]),
    ("redline-judge", &["redline-data", "redline-model", "redline-probe", "redline-steer"]),
    ("redline-lab", &["redline-data", "redline-judge", "redline-model", "redline-probe", "redline-steer"]),
    ("redline-report", &["redline-lab", "redline-model", "redline-probe", "redline-steer"]),
    ("redline-serve", &["redline-lab", "redline-model", "redline-probe", "redline-steer"]),
    (
        "redline-py",
        &["redline-hub", "redline-lab", "redline-model", "redline-probe", "redline-report", "redline-steer"],
    ),
    (
        "redline",
        &[
            "redline-hub",
            "redline-lab",
            "redline-model",
            "redline-probe",
            "redline-report",
            "redline-serve",
            "redline-steer",
        ],
    ),
];

/// Where the sources are.
const SOURCES: [&str; 12] = [
    "src",
    "data/src",
    "hub/src",
    "judge/src",
    "lab/src",
    "model/src",
    "model/kernels/src",
    "probe/src",
    "python/src",
    "report/src",
    "serve/src",
    "steer/src",
];
/// Files outside of the kernels that have `unsafe` code, for what only the operating system can do.
const UNSAFE: [&str; 3] = ["serve/src/descriptors.rs", "serve/src/memory.rs", "src/main.rs"];

/// Names of the dependencies of each workspace member, those of tests and builds included.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies.map(|dependency| dependency["name"].as_str().unwrap().to_string()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (package["name"].as_str().unwrap().to_string(), names(package))).collect()
}

#[test]
fn arrows_point_one_way() {
    let dependencies = dependencies();
    assert_eq!(dependencies.keys().map(String::as_str).collect::<BTreeSet<_>>(), ARROWS.map(|(name, _)| name).into());
    for (name, may) in ARROWS {
        let used = dependencies[name].iter().filter(|used| dependencies.contains_key(*used));
        assert_eq!(used.map(String::as_str).collect::<BTreeSet<_>>(), may.iter().copied().collect(), "{name}");
    }
}

#[test]
fn libraries_know_nothing_of_the_program() {
    let dependencies = dependencies();
    for (name, used) in dependencies.iter().filter(|(name, _)| name.starts_with("redline-")) {
        for forbidden in PROGRAM_ONLY {
            assert!(!used.contains(forbidden), "{name} uses {forbidden}");
        }
        for (forbidden, owners) in OWNED {
            assert!(owners.contains(&name.as_str()) || !used.contains(forbidden), "{name} uses {forbidden}");
        }
    }
    for expected in PROGRAM_ONLY {
        assert!(dependencies["redline"].contains(expected), "the program no longer uses {expected}");
    }
}

/// The code of every source file, tests left out, by its path.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left: Vec<_> = SOURCES.map(|folder| repository().join(folder)).into();
    while let Some(path) = left.pop() {
        let name = path.strip_prefix(repository()).unwrap().display().to_string();
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if name.ends_with(".rs") && !name.contains("tests") {
            let text = std::fs::read_to_string(&path).unwrap();
            let text =
                text.replace("pub(super) mod tests {", "mod tests {").replace("pub(crate) mod tests {", "mod tests {");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.insert(name, lines.collect::<Vec<_>>().join("\n"));
        }
    }
    assert!(found.len() > 200, "the sources are there");
    found
}

/// All Rust files below the sources and the tests, by their path.
fn files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left: Vec<_> = SOURCES.iter().chain(&["tests"]).map(|folder| repository().join(folder)).collect();
    while let Some(path) = left.pop() {
        let name = path.strip_prefix(repository()).unwrap().display().to_string();
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if name.ends_with(".rs") {
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// Functions of a file that was formatted, each with its number of lines: from the line that begins it to the brace below its first letter.
fn functions(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split_whitespace().take_while(|word| !word.contains('(')).collect();
        let is_function = words.iter().position(|word| *word == "fn").is_some_and(|at| {
            let before = ["pub", "pub(super)", "pub(crate)", "const", "async", "unsafe", "extern", "\"C\"", "default"];
            words[..at].iter().all(|word| before.contains(word) || word.starts_with("pub("))
        }) || code.starts_with("fn ");
        if !is_function {
            continue;
        }
        let end = format!("{}}}", " ".repeat(line.len() - code.len()));
        let length = lines[start..].iter().position(|line| {
            *line == end
                || line.trim_end().ends_with(';') && line.len() - line.trim_start().len() == line.len() - code.len()
        });
        found.push((code.to_owned(), length.map_or(1, |length| length + 1)));
    }
    found
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    let mut n = 0;
    for (name, text) in files() {
        if text.lines().count() > 500 {
            long.push(format!("{name}: {} lines", text.lines().count()));
        }
        for (function, length) in functions(&text) {
            n += 1;
            if length > 80 {
                long.push(format!("{name}: {function} {length} lines"));
            }
        }
    }
    assert!(n > 5000, "only {n} functions were found");
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Lines of code of each crate.
#[test]
fn no_crate_holds_more_than_a_quarter() {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for (name, code) in sources() {
        let folder =
            SOURCES.iter().filter(|folder| name.starts_with(&format!("{folder}/"))).max_by_key(|folder| folder.len());
        *lines.entry((*folder.unwrap()).to_owned()).or_default() +=
            code.lines().filter(|line| !line.trim().is_empty()).count();
    }
    let all: usize = lines.values().sum();
    let (largest, most) = lines.iter().max_by_key(|(_, n)| **n).unwrap();
    assert!(4 * most <= all, "{largest} has {most} of {all} lines");
}

#[test]
fn the_command_line_knows_no_verb_and_verbs_know_no_other() {
    for (name, code) in sources() {
        let flat: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.starts_with("src/cli") {
            assert!(!flat.contains("commands::") && !flat.contains("{commands"), "{name} uses a verb");
        } else {
            let uses = flat.contains("use clap") || flat.contains(" clap::") || flat.contains("clap_");
            assert!(!uses || !name.starts_with("src/"), "{name} uses a crate of the command line");
        }
        if let Some(verb) = name.strip_prefix("src/commands/").and_then(|rest| rest.split(['/', '.']).next()) {
            let others = flat.match_indices("commands::").map(|(at, found)| &flat[at + found.len()..]);
            for other in others {
                assert!(other.starts_with(verb), "{name} uses another verb: {}", &other[..other.len().min(40)]);
            }
        }
    }
}

/// Facts about a family stand in its row; tokenizers have names of their own, some of which sound alike.
#[test]
fn one_place_names_families() {
    let named = |code: &str| {
        let mut families = redline::model::SUPPORTED_ARCHITECTURES.iter();
        families.find(|family| code.contains(&format!("\"{family}\""))).copied()
    };
    let sources = sources();
    assert_eq!(named(&sources["model/src/config/family/table.rs"]), Some("llama"), "the table is searched too");
    for (path, code) in sources {
        if !path.starts_with("model/src/config/family/") && !path.starts_with("model/src/tokenizer/") {
            assert_eq!(named(&code), None, "{path} names a family: ask for a fact of its row");
        }
    }
}

#[test]
fn every_file_belongs_to_a_module() {
    let sources = sources();
    for name in sources.keys().filter(|name| !name.contains("/bin/")) {
        let path = std::path::Path::new(name);
        let (folder, stem) = (path.parent().unwrap(), path.file_stem().unwrap().to_str().unwrap());
        if ["lib", "main"].contains(&stem) {
            continue;
        }
        let (owner, module) = match stem {
            "mod" => (folder.parent().unwrap(), folder.file_name().unwrap().to_str().unwrap()),
            stem => (folder, stem),
        };
        let parents = [owner.join("mod.rs"), owner.with_extension("rs"), owner.join("lib.rs"), owner.join("main.rs")];
        let mut parents = parents.iter().filter_map(|parent| sources.get(parent.to_str().unwrap()));
        let is_named = parents.any(|code| code.contains(&format!("mod {module};")));
        assert!(is_named, "no module names {name}");
    }
}

#[test]
fn one_module_opens_files() {
    let forbidden =
        ["fs::read(", "fs::read_to_string", "File::open(", "Mmap", "from_mmaped", "stdin()", "safetensors::load("];
    for (name, code) in sources() {
        for word in forbidden {
            // a GGUF file has an `open` of its own
            let uses = code.replace("GgufFile::open(", "").replace("SafetensorsFile::open(", "");
            let uses =
                uses.replace("OutFile::open(", "").replace("StatesFile::open(", "").replace("ParquetFile::open(", "");
            assert!(name.starts_with(READER) || !uses.contains(word), "{name} uses {word}; see {READER}");
        }
    }
}

#[test]
fn text_of_files_is_escaped_before_it_is_shown() {
    for (name, code) in sources() {
        // the notebook is no terminal
        let is_free = name == "report/src/notebook.rs" || WRITERS.contains(&name.as_str());
        for word in ["eprintln!", "eprint!", "println!", "print!"] {
            assert!(is_free || !code.contains(word), "{name} uses {word}; see src/output.rs");
        }
    }
}

#[test]
fn unsafe_code_is_in_the_kernels() {
    let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
    let has_any = |code: &str| words.iter().any(|word| code.contains(word));
    let all = sources();
    let found = all.iter().filter(|(name, code)| !name.starts_with("model/kernels/") && has_any(code));
    assert_eq!(found.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), UNSAFE);
}
