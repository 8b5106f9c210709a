//! The rows of a run: read, checked against each other, dealt out to rounds.

use std::collections::BTreeSet;
use std::path::Path;

use redline_model::qac::Fields;
use redline_model::random::Random;
use redline_probe::split::{PartSizes, normalise, overlap, split_by_question};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::corrected::QuestionRow;
use super::error::IterateError;
use super::files::{read_json, write_json, write_lines};
use super::options::{IterateKind, IterateOptions};
use super::places::Places;
use crate::data::near_leak::{NearLeakOptions, near_leak};
use crate::data::{DataFile, DataRow, Need, ReadOptions, read_data};
use crate::error::Result;
use crate::observer::Observer;

/// What was found when rows were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RowsReport {
    /// Different questions to learn from, and to measure on.
    pub n_questions: usize,
    pub n_held_out: usize,
    /// Questions to learn from that are nearly held-out ones, and whether they were left out.
    pub n_near: usize,
    pub near_left_out: bool,
    /// Held-out questions whose right answer is known.
    pub n_references: usize,
    /// Pairs of the control arm.
    pub n_control: Option<usize>,
}

impl RowsReport {
    pub fn read(places: &Places) -> Result<Self> {
        read_json(&places.rows_report())
    }
}

/// Reads all files and writes the questions of each round, those to measure on, and the pairs of the control arm.
pub(super) fn deal(options: &IterateOptions, places: &Places, observer: &mut dyn Observer) -> Result<()> {
    let need = if options.kind == IterateKind::WeakToStrong { Need::Triple } else { Need::Question };
    let is_strict = options.global.iter().any(|argument| argument == "--strict");
    let mut read = |path: &Path, need| read(path, ReadOptions { is_strict, ..ReadOptions::new(need) }, observer);
    let (data, held_out) = (read(&options.data, need)?, read(&options.held_out, Need::Question)?);
    let control = options.control.as_deref().map(|path| read(path, Need::Triple)).transpose()?;
    refuse_shared(&data, &held_out)?;
    control.iter().try_for_each(|control| refuse_shared(control, &held_out))?;
    let mut measured = unique(&held_out.rows);
    measured.truncate(options.held_out_prompts);
    let (rows, n_near) = without_near(&data.rows, &held_out, options, observer)?;
    let questions = match options.kind {
        IterateKind::WeakToStrong => {
            rows_with_gold(&rows, &options.data)?;
            write_lines(&places.of("rows/data.jsonl"), &rows.iter().map(DataRow::written).collect::<Vec<Fields>>())?;
            unique(&rows)
        }
        IterateKind::Preference | IterateKind::Distil => rounds(&rows, options, places)?,
    };
    let n_control = control.map(|control| control_pairs(&control, options, places)).transpose()?;
    write_lines(&places.held_out(), &measured)?;
    let report = RowsReport {
        n_questions: questions.len(),
        n_held_out: measured.len(),
        n_near,
        near_left_out: options.drop_near,
        n_references: measured.iter().filter(|row| row.reference.is_some()).count(),
        n_control,
    };
    write_json(&places.rows_report(), &report)
}

fn read(path: &Path, options: ReadOptions, observer: &mut dyn Observer) -> Result<DataFile> {
    let file = read_data(path, &options)?;
    if file.report.n_left_out() > 0 {
        let told = file.report.told("left out");
        told.lines().for_each(|line| observer.note(&format!("{}: {line}", path.display())));
    }
    Ok(file)
}

fn refuse_shared(data: &DataFile, held_out: &DataFile) -> Result<()> {
    let shared = overlap(&data.questions(), &held_out.questions());
    match shared.first() {
        None => Ok(()),
        Some(first) => {
            let (data, held_out) = (data.path.clone(), held_out.path.clone());
            Err(IterateError::Shared { data, held_out, n: shared.len(), first: first.clone() }.into())
        }
    }
}

/// Looks for questions that are nearly held-out ones; leaves them out where that is asked for.
fn without_near(
    rows: &[DataRow],
    held_out: &DataFile,
    options: &IterateOptions,
    observer: &mut dyn Observer,
) -> Result<(Vec<DataRow>, usize)> {
    let questions: Vec<&str> = rows.iter().map(|row| row.question.as_str()).collect();
    let leak = near_leak(&questions, &held_out.questions(), &NearLeakOptions::default(), observer)?;
    let near: BTreeSet<usize> = leak.first.into_iter().collect();
    let distinct: BTreeSet<String> = near.iter().map(|&place| normalise(questions[place])).collect();
    if distinct.is_empty() {
        return Ok((rows.to_vec(), 0));
    }
    let fate = if options.drop_near { "left out" } else { "kept; --drop-near leaves them out" };
    observer.note(&format!("{} questions are nearly held-out ones: {fate}", distinct.len()));
    let kept = rows.iter().enumerate().filter(|(place, _)| !options.drop_near || !near.contains(place));
    Ok((kept.map(|(_, row)| row.clone()).collect(), distinct.len()))
}

/// The questions, each once, with the right answer of the first row that has one.
fn unique(rows: &[DataRow]) -> Vec<QuestionRow> {
    let mut seen = BTreeSet::new();
    let is_new = |row: &&DataRow| seen.insert(normalise(&row.question));
    let question = |row: &DataRow| QuestionRow { question: row.question.clone(), reference: gold(row) };
    rows.iter().filter(is_new).map(question).collect()
}

/// How a question should be answered: the clean text of rows that carry their flaws, else the correction.
pub(super) fn gold(row: &DataRow) -> Option<String> {
    row.fields.text("clean").or_else(|| row.correction.clone()).filter(|text| !text.trim().is_empty())
}

fn rows_with_gold(rows: &[DataRow], path: &Path) -> Result<()> {
    match rows.iter().filter(|row| gold(row).is_none()).count() {
        0 => Ok(()),
        n => Err(IterateError::NoGold { path: path.into(), n, of: rows.len() }.into()),
    }
}

/// Deals the questions out, an equal part to each round.
fn rounds(rows: &[DataRow], options: &IterateOptions, places: &Places) -> Result<Vec<QuestionRow>> {
    let mut questions = unique(rows);
    if questions.len() < options.rounds {
        let (n, needed) = (questions.len(), options.rounds);
        return Err(IterateError::FewQuestions { path: options.data.clone(), n, needed }.into());
    }
    Random::named(&[options.seed], "questions of rounds").shuffle(&mut questions);
    let each = questions.len() / options.rounds;
    let each = options.prompts.map_or(each, |most| most.min(each));
    for (round, part) in (1..=options.rounds).zip(questions.chunks(each)) {
        write_lines(&places.questions(round), part)?;
    }
    questions.truncate(each * options.rounds);
    Ok(questions)
}

/// The pairs of the control arm in a random order, so that rounds take them one after the other.
fn control_pairs(control: &DataFile, options: &IterateOptions, places: &Places) -> Result<usize> {
    let pairs = control.triples().into_iter().filter(|row| row.answer.trim() != row.correction.trim());
    let pair =
        |row: redline_model::Qac| json!({ "prompt": row.question, "chosen": row.correction, "rejected": row.answer });
    let mut pairs: Vec<Value> = pairs.map(pair).collect();
    Random::named(&[options.seed], "pairs of the control arm").shuffle(&mut pairs);
    write_lines(&places.control_pairs(), &pairs)?;
    Ok(pairs.len())
}

/// Parts rows with right answers for a seed of weak-to-strong: half A for the weak model, half B for the strong one.
pub(super) fn halves(seed: usize, options: &IterateOptions, places: &Places) -> Result<()> {
    let path = places.of("rows/data.jsonl");
    let rows = read_data(&path, &ReadOptions::new(Need::Triple))?.rows;
    let keys: Vec<&str> = rows.iter().map(|row| row.question.as_str()).collect();
    let mut parts =
        split_by_question(&keys, &PartSizes::Shares(vec![0.5, 0.5]), options.seed.wrapping_add(seed as u64))?
            .into_iter();
    let mut part =
        || -> Vec<DataRow> { parts.next().unwrap_or_default().iter().map(|&row| rows[row].clone()).collect() };
    let (a, mut b) = (part(), unique(&part()));
    b.truncate(options.prompts.unwrap_or(b.len()));
    let taught = |row: &QuestionRow| json!({ "question": row.question, "answer": row.reference });
    write_lines(&places.in_seed(seed, "a.jsonl"), &a.iter().map(DataRow::written).collect::<Vec<Fields>>())?;
    let of_a = a.iter().map(|row| json!({ "question": row.question, "answer": gold(row) }));
    write_lines(&places.in_seed(seed, "a-gold.jsonl"), &of_a.collect::<Vec<Value>>())?;
    write_lines(&places.in_seed(seed, "b.jsonl"), &b)?;
    write_lines(&places.in_seed(seed, "b-gold.jsonl"), &b.iter().map(taught).collect::<Vec<Value>>())
}
