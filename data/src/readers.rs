//! Reading data files whose rows are of any kind: each [row](DataRow) says by its fields what it is.
//!
//! A file is JSON Lines, one JSON array, or one object with a list of rows; plain or gzip. A row that cannot be used is counted by
//! reason and left out, or ends the reading where [`ReadOptions`] ask for it.

use std::path::{Path, PathBuf};

use redline_model::qac::{Fields, JsonRow, Qac, Question, read_objects};

use super::corrupt::CorruptedRow;
use super::error::DataError;
use super::left_out::{ReadReport, RowFault};
use super::row::{DataRow, RowFormat};

/// What a row has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A question.
    Question,
    /// An answer too.
    Answer,
    /// An answer that is taken to be clean: it has no correction, or is the preferred one of a pair.
    CleanAnswer,
    /// An answer and its correction.
    Triple,
}

/// What rows are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOptions {
    /// What a row has to hold.
    pub need: Need,
    /// Whether texts of white space only are left to a filter.
    pub allows_empty: bool,
    /// Whether the first row that cannot be used is an error.
    pub is_strict: bool,
}

impl ReadOptions {
    /// Rows that hold this, none of it empty; others are left out.
    pub fn new(need: Need) -> Self {
        Self { need, allows_empty: false, is_strict: false }
    }
}

/// A file's rows and what was left out.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its usable rows, in order.
    pub rows: Vec<DataRow>,
    /// What became of all rows.
    pub report: ReadReport,
}

impl DataFile {
    /// The rows as triples.
    pub fn triples(&self) -> Vec<Qac> {
        self.rows.iter().filter_map(DataRow::triple).collect()
    }

    /// The rows as questions with an answer.
    pub fn answers(&self) -> Vec<Question> {
        self.rows.iter().filter_map(DataRow::answered).collect()
    }

    /// The question of each row: the key to split by.
    pub fn questions(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.question.as_str()).collect()
    }
}

/// Reads a file; `-` is the standard input.
///
/// # Errors
/// Those of [`read_each`].
pub fn read_data(path: &Path, options: &ReadOptions) -> Result<DataFile, DataError> {
    let (rows, report) = read_each(path, options.is_strict, |line, fields| usable(line, fields, options))?;
    Ok(data_file(path, rows, report))
}

fn data_file(path: &Path, rows: Vec<DataRow>, mut report: ReadReport) -> DataFile {
    rows.iter().for_each(|row| report.use_row(row));
    DataFile { path: path.to_path_buf(), rows, report }
}

impl DataFile {
    /// What `read` makes of each row; one that it refuses is counted in the report and left out, or is an error where the reading is strict.
    ///
    /// # Errors
    /// [`DataError::Row`] where the reading is strict, or [`DataError::NoUsableRow`] where every row is refused.
    pub fn each_usable<T>(
        &mut self,
        is_strict: bool,
        read: impl Fn(&DataRow) -> Result<Option<T>, RowFault>,
    ) -> Result<Vec<T>, DataError> {
        let (mut rows, mut first) = (Vec::with_capacity(self.rows.len()), None);
        for row in &self.rows {
            let (path, line) = (self.path.clone(), row.line);
            match read(row) {
                Ok(found) => rows.extend(found),
                Err(fault) if is_strict => return Err(DataError::Row { path, line, fault }),
                Err(fault) => {
                    self.report.leave_out(line, &fault);
                    first = first.or(Some((line, fault)));
                }
            }
        }
        match first.filter(|_| rows.is_empty()) {
            None => Ok(rows),
            Some((line, fault)) => {
                Err(DataError::NoUsableRow { path: self.path.clone(), n_rows: self.report.n_read, line, fault })
            }
        }
    }
}

/// Reads what `convert` makes of each row; rows that it refuses are left out.
///
/// # Errors
/// What [`read_objects`] says of the file as a whole, and [`DataError::Row`] for the first row that cannot be used when the reading is strict or no
/// row can be used.
pub fn read_each<T>(
    path: &Path,
    is_strict: bool,
    mut convert: impl FnMut(usize, Fields) -> Result<T, RowFault>,
) -> Result<(Vec<T>, ReadReport), DataError> {
    let objects = read_objects(path)?;
    let mut report = ReadReport { n_read: objects.len(), ..ReadReport::default() };
    let mut rows = Vec::with_capacity(objects.len());
    let mut first = None;
    for JsonRow { line, fields } in objects {
        match fields.map_err(|fault| RowFault::from(&fault)).and_then(|fields| convert(line, fields)) {
            Ok(row) => rows.push(row),
            Err(fault) if is_strict => return Err(DataError::Row { path: path.to_path_buf(), line, fault }),
            Err(fault) => {
                report.leave_out(line, &fault);
                first = first.or(Some((line, fault)));
            }
        }
    }
    match first.filter(|_| rows.is_empty()) {
        None => Ok((rows, report)),
        Some((line, fault)) if report.n_read == 1 => Err(DataError::Row { path: path.to_path_buf(), line, fault }),
        Some((line, fault)) => {
            Err(DataError::NoUsableRow { path: path.to_path_buf(), n_rows: report.n_read, line, fault })
        }
    }
}

fn usable(line: usize, fields: Fields, options: &ReadOptions) -> Result<DataRow, RowFault> {
    let row = DataRow::read(line, fields)?;
    if row.answer.is_none() && options.need != Need::Question {
        return Err(RowFault::MissingField { field: "answer" });
    }
    if row.correction.is_none() && options.need == Need::Triple {
        return Err(RowFault::MissingField { field: "correction" });
    }
    if row.format == RowFormat::Triple && options.need == Need::CleanAnswer {
        return Err(RowFault::HasCorrection);
    }
    // unpaired preferences: a completion is good or not
    if row.is_bad() && options.need == Need::CleanAnswer {
        return Err(RowFault::BadAnswer);
    }
    let n_needed = match options.need {
        Need::Question => 1,
        Need::Answer => 2,
        Need::CleanAnswer | Need::Triple => 3,
    };
    let is_empty = |(_, text): &(&str, &str)| text.trim().is_empty();
    match row.texts().into_iter().take(n_needed).find(is_empty) {
        Some((field, _)) if !options.allows_empty => Err(RowFault::EmptyField { field }),
        _ => Ok(row),
    }
}

/// Reads rows that carry their flaws, as [`corrupt`](super::corrupt) makes them, each with all its fields; `None` when a row has no `flaws` or no
/// `clean`. Rows whose flaws cannot be read are left out like others.
///
/// # Errors
/// As [`read_data`].
pub fn read_corrupted(path: &Path, options: &ReadOptions) -> Result<Option<(Vec<CorruptedRow>, DataFile)>, DataError> {
    // rows of other kinds are no fault as long as it is not known that flaws are meant
    let any = read_data(path, &ReadOptions { need: Need::Question, allows_empty: true, ..*options })?;
    if !any.rows.iter().all(|row| row.fields.has("flaws") && row.fields.has("clean")) {
        return Ok(None);
    }
    let with_flaws = |line, fields| {
        let row = usable(line, fields, options)?;
        Ok((corrupted(&row)?, row))
    };
    let (rows, report) = read_each(path, options.is_strict, with_flaws)?;
    let (corrupted, rows) = rows.into_iter().unzip();
    Ok(Some((corrupted, data_file(path, rows, report))))
}

fn corrupted(row: &DataRow) -> Result<CorruptedRow, RowFault> {
    let corrupted: CorruptedRow = row.fields.parse().map_err(|error| RowFault::Flaws { rule: rule_of(&error) })?;
    let possible = corrupted.possible_corrections();
    possible.map_err(|error| RowFault::Flaws { rule: error.to_string() })?;
    match corrupted.is_consistent() {
        true => Ok(corrupted),
        false => Err(RowFault::Flaws { rule: "the answer is not the clean one with these flaws".into() }),
    }
}

/// What a parser says, without a place that is not that of the file.
fn rule_of(error: &serde_json::Error) -> String {
    error.to_string().split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
