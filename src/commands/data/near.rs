//! `redline data near`, and what else goes by nearness: splits and leaks.

use std::process::ExitCode;

use redline::data::clean::ComparedText;
use redline::data::cluster_split::{ClusterSplit, split_by_cluster};
use redline::data::near::{NearDuplicates, NearOptions, near_duplicates};
use redline::data::near_leak::{LeakPair, NearLeakOptions, NearestHistogram, near_leak};
use redline::data::{DataRow, Need, write_json_lines};
use redline::model::qac::Fields;
use serde_json::json;

use crate::cli::data::ComparedName;
use crate::cli::{LeakArgs, NearArgs, SplitArgs};
use crate::failure::hinted;
use crate::observer::Shown;
use crate::{output, rows};

/// Groups and pairs printed at most; all are in the JSON.
const MOST_SHOWN: usize = 20;
/// Characters of a text shown at most.
const MOST_CHARACTERS: usize = 90;
/// Bins of similarities to the nearest.
const N_BINS: usize = 20;

/// What is compared, by its name.
pub fn compared(name: ComparedName) -> ComparedText {
    match name {
        ComparedName::Question => ComparedText::Question,
        ComparedName::Answer => ComparedText::Target,
        ComparedName::Both => ComparedText::QuestionAndTarget,
    }
}

pub fn run(args: &NearArgs, json: bool) -> anyhow::Result<ExitCode> {
    let file = rows::read_with_empty(&args.file, Need::Question)?;
    let compared = compared(args.compare);
    let texts: Vec<_> = file.rows.iter().map(|row| compared.of(row)).collect();
    let options = NearOptions { threshold: args.threshold, ..NearOptions::default() };
    let NearDuplicates { clusters, report } = near_duplicates(&texts, &options, &mut Shown::default())?;
    if let Some(out) = &args.out {
        write_json_lines(&clusters.kept().map(|row| file.rows[row].written()).collect::<Vec<_>>(), out)?;
    }
    let groups = clusters.shared();
    let lines = |group: &[usize]| group.iter().map(|&row| file.rows[row].line).collect::<Vec<_>>();
    if json {
        let groups: Vec<_> = groups.iter().map(|group| lines(group)).collect();
        output::json(&json!({
            "schema": "redline.near.v1", "threshold": args.threshold, "report": report, "lines": groups, "file": args.out,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for group in groups.iter().take(MOST_SHOWN) {
        let numbers = lines(group).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        output::line(&format!("lines {numbers}: {}", shortened(&texts[group[0]])))?;
    }
    if groups.len() > MOST_SHOWN {
        output::line(&format!("… and {} groups more; --json has all", groups.len() - MOST_SHOWN))?;
    }
    output::line(&format!(
        "{} rows: {} groups of nearly the same, {} rows beside the first of theirs; {} candidate pairs",
        report.n_texts, report.n_clusters, report.n_repeated, report.n_candidates
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > MOST_CHARACTERS {
        true => line.chars().take(MOST_CHARACTERS).chain(['…']).collect(),
        false => line,
    }
}

/// Rows of which those with similar keys stay together, and how near the keys of the held-out ones come to the others.
pub struct NearSplit {
    pub parts: Vec<Vec<Fields>>,
    pub nearest: NearestHistogram,
}

/// Splits rows so that those with similar keys stay together.
pub fn split(rows: &[Fields], keys: &[String], threshold: f64, args: &SplitArgs) -> anyhow::Result<NearSplit> {
    let options = NearOptions { threshold, ..NearOptions::default() };
    let near = near_duplicates(keys, &options, &mut Shown::default())?;
    output::note!(
        "{}: {} groups of rows that are nearly the same stay together",
        args.file.display(),
        near.report.n_clusters
    );
    let ClusterSplit { train, held_out } = split_by_cluster(&near.clusters, args.share, args.seed)?;
    let keys_of = |part: &[usize]| part.iter().map(|&row| keys[row].as_str()).collect::<Vec<_>>();
    // without runs of words: similarity alone is counted
    let options = NearLeakOptions { n_gram: 0, ..NearLeakOptions::default() };
    let found = near_leak(&keys_of(&train), &keys_of(&held_out), &options, &mut Shown::default())?;
    let parts = [train, held_out].map(|part| part.into_iter().map(|row| rows[row].clone()).collect()).into();
    Ok(NearSplit { parts, nearest: found.histogram(N_BINS) })
}

/// Fails when questions of the second file are in the first, or nearly so.
pub fn leak(args: &LeakArgs, json: bool) -> anyhow::Result<ExitCode> {
    let [a, b] = [&args.a, &args.b].map(|path| rows::read(path, Need::Question));
    let (a, b) = (a?, b?);
    let options = NearLeakOptions { jaccard: args.threshold, ..NearLeakOptions::default() };
    let found = near_leak(&a.questions(), &b.questions(), &options, &mut Shown::default())?;
    let pair = |pair: &LeakPair| {
        let [first, second] = [&a.rows[pair.first], &b.rows[pair.second]];
        json!({ "a": first.line, "b": second.line, "measure": pair.measure, "value": pair.value })
    };
    if json {
        output::json(&json!({
            "schema": "redline.leak.v1",
            "threshold": args.threshold,
            "n_pairs": found.n_pairs,
            "n_leaked": found.second.len(),
            "pairs": found.pairs.iter().map(pair).collect::<Vec<_>>(),
            "nearest": found.histogram(N_BINS),
        }))?;
    } else {
        found.pairs.iter().take(MOST_SHOWN).try_for_each(|pair| output::line(&in_words(&a.rows, &b.rows, pair)))?;
    }
    match found.second.len() {
        0 if json => Ok(ExitCode::SUCCESS),
        0 => output::line("no question of the second file is in the first, or nearly so").map(|()| ExitCode::SUCCESS),
        n => Err(hinted(
            format!(
                "{} of {} of {} are also in {}, or nearly so",
                n,
                output::rows_in_words(b.rows.len()),
                args.b.display(),
                args.a.display()
            ),
            "remove them from the other file with `redline data filter --leak-to`",
        )),
    }
}

fn in_words(a: &[DataRow], b: &[DataRow], pair: &LeakPair) -> String {
    let measure = serde_json::to_value(pair.measure).unwrap_or_default();
    let [first, second] = [&a[pair.first], &b[pair.second]];
    format!(
        "{} {:.2}: line {} {:?} and line {} {:?}",
        measure.as_str().unwrap_or_default(),
        pair.value,
        first.line,
        shortened(&first.question),
        second.line,
        shortened(&second.question)
    )
}
