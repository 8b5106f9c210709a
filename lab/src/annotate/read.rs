//! Rows of any kind as questions with answers.
//!
//! | rows | answers, for aspects | for corrections |
//! |---|---|---|
//! | `question` with `answers`, or UltraFeedback's `completions` | all of the list | all of the list |
//! | triples | the answer and its correction | the answer |
//! | preferences | `chosen` and `rejected` | `rejected` |
//! | a question with an answer | the answer; rows with the same question come together | the answer |
//! | `redline.answers.v1` | the output of each system | the same |
//!
//! An entry of `answers` is a text, or an object with the text in `text`, `response`, `answer`, `output` or `content`, and who gave it in
//! `source`, `system` or `model`.

use std::path::Path;

use redline_model::qac::{Fields, kind, read_objects};
use serde_json::Value;

use super::AnnotationKind;
use super::item::{Candidate, Item, gather};
use crate::data::{self, DataRow, ReadReport, RowFault, RowFormat, read_each};
use crate::error::Result;
use crate::judge::record::{AnswerRecord, Record, read_records};

/// Lists of answers.
const LISTS: [&str; 2] = ["answers", "completions"];
/// Where the text of an entry stands.
const TEXTS: [&str; 5] = ["text", "response", "answer", "output", "content"];
/// Where it says who gave it.
const SOURCES: [&str; 3] = ["source", "system", "model"];

/// Questions with answers, and what became of the rows.
#[derive(Debug, Clone)]
pub struct ItemFile {
    /// The questions in the order of the file.
    pub items: Vec<Item>,
    /// Answers whose text stood under the same question before.
    pub n_repeated: usize,
    /// Rows read and left out.
    pub report: ReadReport,
    /// What people should know of the file.
    pub notes: Vec<String>,
}

/// Reads a file for a kind of annotation.
///
/// # Errors
/// Those of [`read_each`](crate::data::read_each), and of a file of answers.
pub fn read_items(path: &Path, kind: AnnotationKind, is_strict: bool) -> Result<ItemFile> {
    if is_answers(path)? {
        let records = read_records::<AnswerRecord>(path)?;
        let report = ReadReport { n_read: records.rows.len(), ..ReadReport::default() };
        let n_empty = records.rows.iter().filter(|record| record.output.trim().is_empty()).count();
        let empty = (n_empty > 0).then(|| format!("{}: {n_empty} outputs are empty and left out", path.display()));
        let notes = records.note(path).into_iter().chain(empty).collect();
        let answers =
            records.lines.into_iter().zip(records.rows).filter(|(_, record)| !record.output.trim().is_empty());
        let (items, n_repeated) = gather(answers.map(|(line, record)| {
            let source = record.name();
            (record.question, Candidate { text: record.output, source, line })
        }));
        return Ok(ItemFile { items, n_repeated, report, notes });
    }
    let (rows, report) = read_each(path, is_strict, |line, fields| answers(line, fields, kind))?;
    let (items, n_repeated) = gather(rows.into_iter().flatten());
    Ok(ItemFile { items, n_repeated, report, notes: Vec::new() })
}

fn is_answers(path: &Path) -> Result<bool> {
    let first = read_objects(path)?.into_iter().next();
    let schema = first.and_then(|row| row.fields.ok()).and_then(|fields| fields.text("schema"));
    Ok(schema.is_some_and(|schema| schema == AnswerRecord::SCHEMA))
}

/// The answers of a row, each with its question.
fn answers(
    line: usize,
    fields: Fields,
    kind: AnnotationKind,
) -> std::result::Result<Vec<(String, Candidate)>, RowFault> {
    if let Some(list) = LISTS.into_iter().find(|name| fields.kind(name) == Some("a list")) {
        return listed(line, fields, list);
    }
    let row = DataRow::read(line, fields)?;
    let with_better = kind == AnnotationKind::Aspects;
    let names = if row.format == RowFormat::Preference { ["rejected", "chosen"] } else { ["answer", "correction"] };
    let texts = [(names[0], &row.answer), (names[1], if with_better { &row.correction } else { &None })];
    let given: Vec<(&'static str, &String)> =
        texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))).collect();
    if row.answer.is_none() {
        return Err(RowFault::MissingField { field: "answer" });
    }
    let with_question = std::iter::once(("question", &row.question)).chain(given.iter().copied());
    if let Some((field, _)) = with_question.into_iter().find(|(_, text)| text.trim().is_empty()) {
        return Err(RowFault::EmptyField { field });
    }
    let own = row.fields.text("model").filter(|name| given.len() == 1 && !name.trim().is_empty());
    let candidate = |(name, text): (&str, &String)| {
        let source = own.clone().unwrap_or_else(|| name.to_owned());
        (row.question.clone(), Candidate { text: text.clone(), source, line })
    };
    Ok(given.into_iter().map(candidate).collect())
}

/// The answers of a list.
fn listed(
    line: usize,
    mut fields: Fields,
    list: &'static str,
) -> std::result::Result<Vec<(String, Candidate)>, RowFault> {
    let value = data::value(&fields, list)?;
    let wrong = |got: &Value| RowFault::FieldType { field: list, expected: "a list of answers", got: kind(got) };
    let entries = value.as_array().ok_or_else(|| wrong(&value))?;
    fields.retain(|name| !LISTS.contains(&name));
    let question = DataRow::read(line, fields)?.question;
    if question.trim().is_empty() {
        return Err(RowFault::EmptyField { field: "question" });
    }
    let mut found = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let text = entry.as_str().or_else(|| TEXTS.iter().find_map(|name| entry[*name].as_str()));
        let text = text.ok_or_else(|| wrong(entry))?.to_owned();
        if text.trim().is_empty() {
            return Err(RowFault::EmptyField { field: list });
        }
        let source = SOURCES.iter().find_map(|name| entry[*name].as_str()).filter(|name| !name.trim().is_empty());
        let source = source.map_or_else(|| format!("answer {}", place + 1), str::to_owned);
        found.push((question.clone(), Candidate { text, source, line }));
    }
    match found.is_empty() {
        true => Err(RowFault::EmptyField { field: list }),
        false => Ok(found),
    }
}
