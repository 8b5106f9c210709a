//! `redline data synth --trait` and `--instructions`: rows that teach a trait, and rows with an instruction.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use redline::data::traits::{
    InstructOptions, InstructedRow, Trait, TraitCorpus, TraitOptions, TraitRow, instructed_apart, traits_apart,
};
use redline::data::write_json_lines;
use serde::Serialize;
use serde_json::json;

use crate::cli::SynthArgs;
use crate::output;

/// Rows that teach a trait.
pub fn taught(args: &SynthArgs, taught: Trait, json: bool) -> anyhow::Result<ExitCode> {
    let corpus = TraitCorpus::built_in(taught)?;
    let options = TraitOptions { seed: args.seed, n_rows: args.rows, clean_share: args.clean_share };
    let kind = |row: &TraitRow| name_of(&row.kind);
    let Some(held_out) = &args.held_out else {
        return write(&[(&args.out, corpus.rows(&options)?)], kind, json);
    };
    let apart = traits_apart(&corpus, &options, args.held_out_rows)?;
    write(&[(&args.out, apart.train), (held_out, apart.held_out)], kind, json)
}

/// Rows with an instruction.
pub fn instructed(args: &SynthArgs, json: bool) -> anyhow::Result<ExitCode> {
    let corpus = TraitCorpus::built_in(Trait::Empathy)?;
    let options = InstructOptions { seed: args.seed, n_rows: args.rows, clean_share: args.clean_share };
    let kind = |row: &InstructedRow| row.asked.name().to_owned();
    let Some(held_out) = &args.held_out else {
        return write(&[(&args.out, corpus.instructed_rows(&options)?)], kind, json);
    };
    let apart = instructed_apart(&corpus, &options, args.held_out_rows)?;
    write(&[(&args.out, apart.train), (held_out, apart.held_out)], kind, json)
}

fn name_of(kind: &impl Serialize) -> String {
    let name = serde_json::to_value(kind).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

/// Writes one file or two, and says how many rows of each kind are in them.
fn write<R: Serialize>(
    files: &[(&std::path::PathBuf, Vec<R>)],
    kind: impl Fn(&R) -> String,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut said = Vec::new();
    for (path, rows) in files {
        write_json_lines(rows, path)?;
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *kinds.entry(kind(row)).or_default() += 1);
        said.push((path.as_path(), rows.len(), kinds));
    }
    match (json, &said[..]) {
        (true, [(path, n_rows, kinds)]) => {
            output::json(&json!({ "schema": "redline.data.v1", "file": path, "n_rows": n_rows, "kinds": kinds }))?;
        }
        (true, files) => {
            let file = |(path, n_rows, kinds): &(&Path, usize, BTreeMap<String, usize>)| json!({ "file": path, "n_rows": n_rows, "kinds": kinds });
            let files: Vec<_> = files.iter().map(file).collect();
            output::json(&json!({ "schema": "redline.split.v1", "files": files }))?;
        }
        (false, files) => files.iter().try_for_each(|(path, n_rows, kinds)| {
            let kinds: Vec<String> = kinds.iter().map(|(name, n)| format!("{n} {name}")).collect();
            output::line(&format!("{}: {}, {}", path.display(), output::rows_in_words(*n_rows), kinds.join(", ")))
        })?,
    }
    Ok(ExitCode::SUCCESS)
}
