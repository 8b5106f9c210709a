//! A row of `redline correct` on its way.

use std::path::Path;

use redline::data::{DataError, DataRow, ReadReport, RowFault};
use redline::model::qac::{Fields, JsonRow, read_objects};
use serde_json::Value;

use super::file::is_written;
use crate::cli::CorrectArgs;
use crate::failure::hinted;
use crate::{output, rows};

/// The schema of every row.
const SCHEMA: &str = "redline.correct.v1";
/// What helps where an answer is missing.
const WITH_UPSTREAM: &str = "give an answer in every row, or --upstream URL or --upstream-model PATH";

/// A row on its way.
pub struct Row {
    /// What it holds, as read.
    pub(super) fields: Fields,
    /// What the Aligners read as the question.
    pub question: String,
    /// What the upstream model reads.
    pub(super) messages: Value,
    pub(super) answer: Option<String>,
    /// Why nothing can be made of it.
    pub(super) fault: Option<String>,
}

impl Row {
    /// Whether it can be corrected, once it has an answer.
    pub fn is_known(&self) -> bool {
        self.fault.is_none()
    }

    /// Whether an upstream model has to answer it.
    pub fn is_open(&self) -> bool {
        self.is_known() && self.answer.is_none()
    }

    /// The row that is written: what it holds, but for what runs write, under the schema.
    pub fn output(&self) -> Fields {
        let mut fields = self.fields.clone();
        fields.retain(|name| !is_written(name));
        fields.put("schema", SCHEMA);
        fields
    }

    fn faulty(fields: Fields, line: usize, fault: &RowFault) -> Self {
        let fault = Some(format!("line {line}: {fault}"));
        Self { fields, question: String::new(), messages: Value::Null, answer: None, fault }
    }
}

/// The rows, each with a question and, unless an upstream model answers, an answer. A row of a file with neither stays, with the reason.
pub fn rows(args: &CorrectArgs) -> anyhow::Result<Vec<Row>> {
    let has_upstream = args.stack.has_upstream();
    let Some(path) = &args.data else {
        let mut fields = Fields::default();
        let named = [("question", &args.question), ("answer", &args.answer)];
        named.into_iter().for_each(|(name, text)| text.iter().for_each(|text| fields.put(name, text.as_str())));
        let wrong = |fault: RowFault| hinted(format!("the command line: {fault}"), WITH_UPSTREAM);
        return Ok(vec![data_row(0, fields, has_upstream).map_err(wrong)?.into()]);
    };
    let objects = read_objects(path).map_err(DataError::from)?;
    let mut report = ReadReport { n_read: objects.len(), ..ReadReport::default() };
    let (mut rows, mut first, mut n_asking) = (Vec::with_capacity(objects.len()), None, 0);
    for JsonRow { line, fields } in objects {
        let kept = fields.as_ref().cloned().unwrap_or_default();
        match fields.map_err(|fault| RowFault::from(&fault)).and_then(|fields| data_row(line, fields, has_upstream)) {
            Ok(row) => {
                report.use_row(&row);
                n_asking += usize::from(row.instruction().is_some());
                rows.push(Row::from(row));
            }
            Err(fault) => {
                report.leave_out(line, &fault);
                rows.push(Row::faulty(kept, line, &fault));
                first = first.or(Some((line, fault)));
            }
        }
    }
    match first {
        Some((line, fault)) if rows::is_strict() || rows.iter().all(|row| !row.is_known()) => {
            Err(refused(path, line, fault))
        }
        _ => {
            rows::say_as(path, &report, "cannot be corrected");
            if n_asking > 0 {
                let (path, rows) = (path.display(), output::rows_in_words(n_asking));
                match (&args.model.instruction, args.stack.aligner.is_empty()) {
                    (Some(_), _) => output::note!("{path}: the `instruction` of {rows} gives way to --instruction"),
                    (None, true) => output::note!(
                        "{path}: the `instruction` of {rows} is not told to the Aligner; --instruction TEXT tells one for all rows, and \
                         `redline evaluate` each its own"
                    ),
                    (None, false) => {
                        output::note!("{path}: the `instruction` of {rows} is told to none of the Aligners")
                    }
                }
            }
            Ok(rows)
        }
    }
}

fn refused(path: &Path, line: usize, fault: RowFault) -> anyhow::Error {
    let lacks_answer = fault == RowFault::MissingField { field: "answer" };
    let error = DataError::Row { path: path.to_path_buf(), line, fault };
    match lacks_answer {
        true => hinted(error.to_string(), WITH_UPSTREAM),
        false => error.into(),
    }
}

impl From<DataRow> for Row {
    fn from(DataRow { question, messages, answer, fields, .. }: DataRow) -> Self {
        Self { question, messages, answer, fault: None, fields }
    }
}

/// A row with a question and, unless an upstream model answers, an answer.
fn data_row(line: usize, fields: Fields, has_upstream: bool) -> Result<DataRow, RowFault> {
    let mut row = DataRow::read(line, fields)?;
    row.answer = row.answer.filter(|answer| !answer.trim().is_empty());
    if row.question.trim().is_empty() {
        return Err(RowFault::EmptyField { field: "question" });
    }
    if row.answer.is_none() && !has_upstream {
        return Err(RowFault::MissingField { field: "answer" });
    }
    Ok(row)
}
