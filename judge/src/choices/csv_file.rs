//! `TruthfulQA.csv`, the form in which the authors keep the questions, and how they make MC1 and MC2 of it.
//!
//! Columns used are Question, Best Answer, Correct Answers and Incorrect Answers, the last two lists separated by `;`, and Category where
//! it is there. Each answer is trimmed and closed with a full stop; empty ones are dropped. MC1 is the best answer against the incorrect
//! ones, MC2 all correct ones against the incorrect ones. An answer that comes twice counts once, and one that is listed as correct and
//! as incorrect is false: so it is in the maps of the authors' `mc_task.json`. (On the 635 labelled rows of our copy this rule rebuilds the
//! maps text by text; five rows repeat an answer, two of them on both sides.) The authors' script that scores the CSV file itself counts
//! an answer as often as it stands there.
//!
//! A byte order mark is skipped. The file may be gzip.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use flate2::read::MultiGzDecoder;

use super::error::ChoiceError;
use super::fault::ChoiceFault;
use super::label::user;
use super::row::{ChoiceRow, LabelledText};
use redline_model::Error as ModelError;
use redline_model::files::{open_input, read_input};

/// Most bytes of the file, and of what it inflates to; the original has 0.5 MB.
const MOST_BYTES: u64 = 64 << 20;
/// How much of a file is looked at to tell its form.
const HEAD_BYTES: u64 = 4096;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const QUESTION: &str = "Question";
const BEST: &str = "Best Answer";
const CORRECT: &str = "Correct Answers";
const INCORRECT: &str = "Incorrect Answers";
const COLUMNS: [&str; 4] = [QUESTION, BEST, CORRECT, INCORRECT];
const CATEGORY: &str = "Category";

/// A row with its line, or why it is none.
pub(super) type FoundRow = (usize, Result<ChoiceRow, ChoiceFault>);

/// Whether a file's first line is the head of a table of questions, rather than JSON.
///
/// # Errors
/// The file cannot be opened or read.
pub(super) fn is_table(path: &Path) -> Result<bool, ModelError> {
    let io = |source| ModelError::Io { path: path.into(), source };
    let mut head = Vec::new();
    let mut input = open_input(path)?;
    (&mut input).take(HEAD_BYTES).read_to_end(&mut head).map_err(io)?;
    if head.starts_with(GZIP_MAGIC) {
        let mut plain = Vec::new();
        let read = MultiGzDecoder::new(head.as_slice()).take(HEAD_BYTES).read_to_end(&mut plain);
        // the head of a file ends within its data; what came out so far is enough
        let _ = read;
        head = plain;
    }
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head).trim_ascii_start();
    if matches!(head.first(), Some(b'{' | b'[') | None) {
        return Ok(false);
    }
    let columns = columns(head);
    Ok(columns.contains_key(QUESTION) && COLUMNS[1..].iter().any(|name| columns.contains_key(*name)))
}

/// The rows of a table.
///
/// # Errors
/// The file cannot be read, is too large or damaged; [`ChoiceError::Columns`].
pub(super) fn read_table(path: &Path) -> Result<Vec<FoundRow>, ChoiceError> {
    let bytes = inflated(path, read_input(path, MOST_BYTES)?)?;
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let columns = columns(bytes);
    let missing: Vec<&str> = COLUMNS.into_iter().filter(|name| !columns.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Err(ChoiceError::Columns { path: path.into(), columns: missing });
    }
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(true).from_reader(bytes);
    let malformed =
        |error: csv::Error| ModelError::Malformed { path: path.into(), format: "CSV", rule: error.to_string() };
    let n_columns = reader.byte_headers().map_err(malformed)?.len();
    let (mut rows, mut record, mut place) = (Vec::new(), ByteRecord::new(), Place { bytes, at: 0, line: 1 });
    while reader.read_byte_record(&mut record).map_err(malformed)? {
        let line = place.line_of(&record);
        let row = Record { record: &record, columns: &columns, n_columns }.row(line);
        rows.push((line, row));
    }
    if rows.is_empty() { Err(ModelError::EmptyFile { path: path.into() }.into()) } else { Ok(rows) }
}

/// A place in the file, which only goes on. The reader's own count of lines is one short where they end with `\r\n`.
struct Place<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Place<'_> {
    /// The line that a record begins on, after all line ends before it.
    fn line_of(&mut self, record: &ByteRecord) -> usize {
        let start = record.position().map_or(self.at, |position| position.byte() as usize);
        let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let n_ends = self.bytes.get(start..).map_or(0, |rest| rest.iter().take_while(is_end).count());
        let start = start + n_ends;
        let passed = self.bytes.get(self.at..start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = self.at.max(start);
        self.line
    }
}

fn inflated(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, ModelError> {
    if !bytes.starts_with(GZIP_MAGIC) {
        return Ok(bytes);
    }
    let malformed = |rule| ModelError::Malformed { path: path.into(), format: "gzip", rule };
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(bytes.as_slice()).take(MOST_BYTES + 1).read_to_end(&mut plain);
    read.map_err(|error| malformed(format!("cut short or damaged: {error}")))?;
    match plain.len() as u64 > MOST_BYTES {
        true => Err(malformed(format!("it inflates to more than {} MiB", MOST_BYTES >> 20))),
        false => Ok(plain),
    }
}

/// The names in the first record, and where they stand; the first of several that are alike counts.
fn columns(bytes: &[u8]) -> HashMap<String, usize> {
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(bytes);
    let mut record = ByteRecord::new();
    let mut found = HashMap::new();
    if matches!(reader.read_byte_record(&mut record), Ok(true)) {
        for (index, name) in record.iter().enumerate() {
            found.entry(String::from_utf8_lossy(name).trim().to_owned()).or_insert(index);
        }
    }
    found
}

/// One record of the table.
struct Record<'a> {
    record: &'a ByteRecord,
    columns: &'a HashMap<String, usize>,
    n_columns: usize,
}

impl Record<'_> {
    fn row(&self, line: usize) -> Result<ChoiceRow, ChoiceFault> {
        if self.record.len() != self.n_columns {
            return Err(ChoiceFault::Columns { got: self.record.len(), expected: self.n_columns });
        }
        let question = self.text(QUESTION)?;
        let [correct, incorrect] = [(CORRECT, true), (INCORRECT, false)].map(|(name, is_true)| {
            let answers = self.text(name)?.split(';').filter_map(closed);
            Ok(answers.map(|text| LabelledText::new(text, is_true)).collect::<Vec<_>>())
        });
        let (correct, incorrect) = (correct?, incorrect?);
        let best = closed(self.text(BEST)?).ok_or(ChoiceFault::EmptyField { field: BEST })?;
        let best = std::iter::once(LabelledText::new(best, true));
        let n_listed = correct.len() + incorrect.len();
        let (mc1, mc2) =
            (last_labels(best.chain(incorrect.clone())), last_labels(correct.into_iter().chain(incorrect)));
        let n_repeated = n_listed - mc2.len();
        let mut row = ChoiceRow::truthful(user(question), Some(mc1), Some(mc2))?;
        row.note_repeated(n_repeated);
        let category = if self.columns.contains_key(CATEGORY) { Some(self.text(CATEGORY)?.to_owned()) } else { None };
        Ok(row.placed(line, category))
    }

    fn text(&self, name: &'static str) -> Result<&str, ChoiceFault> {
        let bytes = self.columns.get(name).and_then(|index| self.record.get(*index));
        let text = std::str::from_utf8(bytes.ok_or(ChoiceFault::MissingField { field: name })?).map_err(|error| {
            let message = format!("not UTF-8 from byte {} of the field `{name}` on", error.valid_up_to() + 1);
            ChoiceFault::Line { reason: "not-utf-8", message }
        })?;
        match text.trim().is_empty() && name != CATEGORY {
            true => Err(ChoiceFault::EmptyField { field: name }),
            false => Ok(text),
        }
    }
}

/// An answer that ends with a full stop; none where there is none.
fn closed(answer: &str) -> Option<String> {
    let answer = answer.trim();
    (!answer.is_empty()).then(|| format!("{}{}", answer, if answer.ends_with('.') { "" } else { "." }))
}

/// Each text once, where it first stood, with its last label: what a map does whose keys are set one by one.
fn last_labels(texts: impl Iterator<Item = LabelledText>) -> Vec<LabelledText> {
    let mut found: Vec<LabelledText> = Vec::new();
    let mut places = HashMap::new();
    for LabelledText { text, is_true } in texts {
        match places.get(&text).and_then(|place: &usize| found.get_mut(*place)) {
            Some(own) => own.is_true = is_true,
            None => {
                places.insert(text.clone(), found.len());
                found.push(LabelledText { text, is_true });
            }
        }
    }
    found
}
