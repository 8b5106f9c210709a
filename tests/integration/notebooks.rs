//! The notebooks take half an hour to run, so what can be wrong with them without running is tested here: that they are notebooks, and that
//! the names of the library that they use exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Names that must exist for this file to compile, and the list of them.
macro_rules! names {
    ($($name:path),* $(,)?) => {
        #[allow(unused_imports)]
        mod exist { $(use $name as _;)* }
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

names!(
    redline::aligner::shared_questions,
    redline::embedded::MODEL,
    redline::embedded::triples,
    redline::experiment::Extracted,
    redline::experiment::ExtractionSettings,
    redline::experiment::extract,
    redline::experiment::scan_pair,
    redline::figures::heatmap,
    redline::figures::layer_profile,
    redline::figures::slope_plot,
    redline::lab::Result,
    redline::model::AlignerTemplate,
    redline::model::LoraOptions,
    redline::model::Model,
    redline::model::NoHook,
    redline::model::Qac,
    redline::model::Result,
    redline::model::generate::GenerateOptions,
    redline::model::generate::Prompt,
    redline::model::generate::generate,
    redline::model::qac::read_qac,
    redline::model::train::Method,
    redline::model::train::Observer,
    redline::model::train::Parameters,
    redline::model::train::Saving,
    redline::model::train::Schedule,
    redline::model::train::StepReport,
    redline::model::train::TrainData,
    redline::model::train::TrainOptions,
    redline::model::train::TrainRun,
    redline::model::train::export::StoredType,
    redline::model::train::export::export_hugging_face,
    redline::model::train::train,
    redline::plot::Plot,
    redline::plot::PlotError,
    redline::plot::Profile,
    redline::plot::ProfileSeries,
    redline::plot::svg_string,
    redline::prelude,
    redline::probe::ExtractOptions,
    redline::probe::LatScan,
    redline::probe::LayerReading,
    redline::probe::Method,
    redline::probe::PairDesign,
    redline::probe::ReadAt,
    redline::steer::Result,
    redline::steer::control_file::write_control_vector,
    redline::steer::controls::random_like,
    redline::steer::controls::shuffled_like,
    redline::steer::percentile,
);

/// The text of all code cells of a notebook.
fn code(path: &Path) -> String {
    let notebook: Value = serde_json::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: no JSON: {error}", path.display()));
    assert_eq!(notebook["nbformat"], 4, "{}", path.display());
    let cells = notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code");
    let source = |cell: &Value| match &cell["source"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<String>(),
        text => text.as_str().unwrap_or_default().to_owned(),
    };
    cells.map(|cell| source(cell) + "\n").collect()
}

/// Every name below `redline::` in a piece of code, groups in braces spelt out.
fn names_in(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("redline::") {
        let is_whole = !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
        let is_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
        let rest = &code[at..];
        let end = rest.find(|letter| !is_path(letter)).unwrap_or(rest.len());
        let path = &rest[..end];
        if !is_whole || path.contains(":::") {
            continue;
        }
        match rest[end..].strip_prefix('{').and_then(|group| group.split_once('}')) {
            Some((group, _)) => {
                names.extend(group.split(',').map(str::trim).filter(|name| !name.is_empty()).map(|name| {
                    let name = name.split_once(" as ").map_or(name, |(name, _)| name);
                    format!("{path}{name}")
                }))
            }
            None => drop(names.insert(path.trim_end_matches(':').to_owned())),
        }
    }
    names
}

#[test]
fn notebooks_use_names_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks");
    let mut used = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "ipynb") {
            used.extend(names_in(&code(&path)));
        }
    }
    let plain = |name: &&str| name.replace(' ', "");
    let known: BTreeSet<String> = NAMES.iter().map(plain).collect();
    let unknown: Vec<&String> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "add these to the list of this file, where they must compile: {unknown:?}");
    let unused: Vec<&String> = known.difference(&used).collect();
    assert!(unused.is_empty(), "no notebook uses these any more: {unused:?}");
}

#[test]
fn names_are_found_in_every_spelling() {
    let found = names_in(
        "use redline::model::{Qac, train::Method as M};\nlet x = redline::steer::percentile(&v);\nuse redline::prelude::*;",
    );
    let expected =
        ["redline::model::Qac", "redline::model::train::Method", "redline::prelude", "redline::steer::percentile"];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
