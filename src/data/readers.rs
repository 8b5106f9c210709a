//! Reading data whose kind is found out from its fields.
//!
//! | fields | kind |
//! |---|---|
//! | `question`, `answer`, `correction` | question–answer–correction |
//! | `question`, `chosen`, `rejected` (`context` may hold earlier turns) | preference pairs |
//! | `chosen`, `rejected`, both `Human: … Assistant: …` | preference pairs as dialogues |
//! | `question`, `answer` | question–answer |
//!
//! A file is JSON Lines or one JSON array, plain or gzip, and holds one kind of row: the first row decides, and a row of another
//! kind is an error that names its line. Other fields are ignored. Empty text is read here and removed by [`filter`](mod@super::filter).

use std::fmt;
use std::path::{Path, PathBuf};

use redline_model::qac::{JsonRow, Qac, Question, kind, read_objects};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::corrupt::CorruptedRow;
use super::dialogue;
use super::error::DataError;

/// The kind of a row, known from its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RowFormat {
    /// `question`, `answer`, `correction`.
    QuestionAnswerCorrection,
    /// `question`, `chosen`, `rejected`.
    Preference,
    /// `chosen`, `rejected` as dialogues.
    DialoguePreference,
    /// `question`, `answer`.
    QuestionAnswer,
}

impl fmt::Display for RowFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QuestionAnswerCorrection => "question–answer–correction",
            Self::Preference => "preference pairs (question, chosen, rejected)",
            Self::DialoguePreference => "preference dialogues (chosen, rejected)",
            Self::QuestionAnswer => "plain question–answer (no correction)",
        })
    }
}

/// A question with a preferred and a rejected answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Preference {
    /// The last turn of the asker.
    pub question: String,
    /// The whole dialogue up to and with the question, where there is more than the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The preferred answer.
    pub chosen: String,
    /// The other answer.
    pub rejected: String,
}

impl Preference {
    /// The pair as a triple: the rejected answer is to become the preferred one.
    pub fn to_qac(&self) -> Qac {
        Qac { question: self.question.clone(), answer: self.rejected.clone(), correction: self.chosen.clone() }
    }
}

/// The rows of a file, all of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Rows {
    /// Triples.
    Qac(Vec<Qac>),
    /// Preference pairs, from fields or dialogues.
    Preference(Vec<Preference>),
    /// Questions with answers.
    QuestionAnswer(Vec<Question>),
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Qac(rows) => rows.len(),
            Self::Preference(rows) => rows.len(),
            Self::QuestionAnswer(rows) => rows.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The question of each row: the key to split by.
    pub fn questions(&self) -> Vec<&str> {
        match self {
            Self::Qac(rows) => rows.iter().map(|row| row.question.as_str()).collect(),
            Self::Preference(rows) => rows.iter().map(|row| row.question.as_str()).collect(),
            Self::QuestionAnswer(rows) => rows.iter().map(|row| row.question.as_str()).collect(),
        }
    }
}

/// A file's rows and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// What the fields say it is.
    pub format: RowFormat,
    /// Its rows, in order.
    pub rows: Rows,
}

impl DataFile {
    /// The rows as triples; preference pairs become triples from the rejected to the preferred answer.
    ///
    /// # Errors
    /// [`DataError::WrongFormat`] for plain question–answer rows.
    pub fn into_triples(self) -> Result<Vec<Qac>, DataError> {
        match self.rows {
            Rows::Qac(rows) => Ok(rows),
            Rows::Preference(rows) => Ok(rows.iter().map(Preference::to_qac).collect()),
            Rows::QuestionAnswer(_) => Err(DataError::WrongFormat {
                path: self.path,
                got: self.format,
                needed: RowFormat::QuestionAnswerCorrection,
            }),
        }
    }

    /// The rows of any kind as questions with an answer, flawed or not; of a preference pair it is the preferred one.
    pub fn into_answers(self) -> Vec<Question> {
        let answer = |question, answer| Question { question, answer };
        match self.rows {
            Rows::Qac(rows) => rows.into_iter().map(|row| answer(row.question, row.answer)).collect(),
            Rows::Preference(rows) => rows.into_iter().map(|row| answer(row.question, row.chosen)).collect(),
            Rows::QuestionAnswer(rows) => rows,
        }
    }

    /// The rows as questions with an answer taken to be clean: the answer, or of a preference pair the preferred one.
    ///
    /// # Errors
    /// [`DataError::WrongFormat`] for triples, whose answers are there to be corrected.
    pub fn into_clean_answers(self) -> Result<Vec<Question>, DataError> {
        match self.rows {
            Rows::Qac(_) => {
                Err(DataError::WrongFormat { path: self.path, got: self.format, needed: RowFormat::QuestionAnswer })
            }
            Rows::Preference(_) | Rows::QuestionAnswer(_) => Ok(self.into_answers()),
        }
    }
}

/// Reads a file and finds out what it holds; `-` is the standard input.
///
/// # Errors
/// What [`read_objects`] says of files that are no JSON, [`DataError::UnknownFormat`], [`DataError::MixedFormats`],
/// [`DataError::FieldType`] and [`DataError::Dialogue`], each with the line.
pub fn read_data(path: &Path) -> Result<DataFile, DataError> {
    rows_of(path, &read_objects(path)?)
}

/// Reads rows that carry their flaws, as [`corrupt`](super::corrupt) makes them; `None` when a row has no `flaws` or no `clean`.
///
/// # Errors
/// What [`read_objects`] says, and [`DataError::Corrupted`] with the line when flaws cannot be read.
pub fn read_corrupted(path: &Path) -> Result<Option<Vec<CorruptedRow>>, DataError> {
    let objects = read_objects(path)?;
    if !objects.iter().all(|object| object.fields.contains_key("flaws") && object.fields.contains_key("clean")) {
        return Ok(None);
    }
    let read = |JsonRow { line, fields }| {
        let row: CorruptedRow = serde_json::from_value(Value::Object(fields))
            .map_err(|source| DataError::Corrupted { path: path.to_path_buf(), line, rule: source.to_string() })?;
        match row.possible_corrections() {
            Ok(_) => Ok(row),
            Err(error) => Err(DataError::Corrupted { path: path.to_path_buf(), line, rule: error.to_string() }),
        }
    };
    objects.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn rows_of(path: &Path, objects: &[JsonRow]) -> Result<DataFile, DataError> {
    let mut found = Vec::with_capacity(objects.len());
    for object in objects {
        found.push(Fields { path, object });
    }
    let Some(first) = found.first() else {
        return Err(redline_model::Error::EmptyFile { path: path.to_path_buf() }.into());
    };
    let format = first.format()?;
    for row in &found {
        let got = row.format()?;
        if got != format {
            return Err(DataError::MixedFormats {
                path: path.to_path_buf(),
                line: row.object.line,
                got,
                expected: format,
            });
        }
    }
    let rows = match format {
        RowFormat::QuestionAnswerCorrection => Rows::Qac(found.iter().map(Fields::triple).collect::<Result<_, _>>()?),
        RowFormat::Preference => Rows::Preference(found.iter().map(Fields::preference).collect::<Result<_, _>>()?),
        RowFormat::DialoguePreference => {
            Rows::Preference(found.iter().map(Fields::dialogue).collect::<Result<_, _>>()?)
        }
        RowFormat::QuestionAnswer => {
            Rows::QuestionAnswer(found.iter().map(Fields::question).collect::<Result<_, _>>()?)
        }
    };
    Ok(DataFile { path: path.to_path_buf(), format, rows })
}

/// One row and where it is.
struct Fields<'a> {
    path: &'a Path,
    object: &'a JsonRow,
}

impl Fields<'_> {
    fn format(&self) -> Result<RowFormat, DataError> {
        let has = |field| self.object.fields.contains_key(field);
        let format = match (has("question"), has("answer"), has("correction"), has("chosen") && has("rejected")) {
            (true, _, _, true) => RowFormat::Preference,
            (false, _, _, true) => RowFormat::DialoguePreference,
            (true, true, true, false) => RowFormat::QuestionAnswerCorrection,
            (true, true, false, false) => RowFormat::QuestionAnswer,
            _ => {
                let names: Vec<String> = self.object.fields.keys().map(|name| format!("`{name}`")).collect();
                let fields = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(DataError::UnknownFormat { path: self.path.to_path_buf(), line: self.object.line, fields });
            }
        };
        Ok(format)
    }

    fn text(&self, field: &'static str) -> Result<String, DataError> {
        match self.object.fields.get(field).unwrap_or(&Value::Null) {
            Value::String(text) => Ok(text.clone()),
            other => Err(DataError::FieldType {
                path: self.path.to_path_buf(),
                line: self.object.line,
                field,
                got: kind(other),
            }),
        }
    }

    fn question(&self) -> Result<Question, DataError> {
        Ok(Question { question: self.text("question")?, answer: self.text("answer")? })
    }

    fn triple(&self) -> Result<Qac, DataError> {
        let Question { question, answer } = self.question()?;
        Ok(Qac { question, answer, correction: self.text("correction")? })
    }

    fn preference(&self) -> Result<Preference, DataError> {
        let context = match self.object.fields.get("context") {
            None | Some(Value::Null) => None,
            Some(_) => Some(self.text("context")?),
        };
        Ok(Preference {
            question: self.text("question")?,
            context,
            chosen: self.text("chosen")?,
            rejected: self.text("rejected")?,
        })
    }

    fn dialogue(&self) -> Result<Preference, DataError> {
        let pair = dialogue::pair(&self.text("chosen")?, &self.text("rejected")?);
        pair.map_err(|rule| DataError::Dialogue { path: self.path.to_path_buf(), line: self.object.line, rule })
    }
}

#[cfg(test)]
mod tests;
