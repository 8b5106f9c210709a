//! Questions, answers and corrections: from files, lists of dictionaries, and tables of other libraries.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PySlice, PyString};
use redline_lab::data::corrupt::CorruptedRow;
use redline_lab::data::{DataError, DataRow, Need, ReadOptions, ReadReport, RowFault, read_corrupted, read_data};
use redline_lab::profile::hash_of;
use redline_lab::rows::{Rows as LabRows, at_strictness};
use redline_model::qac::{Fields, data_bytes};
use redline_model::{Qac, Question};
use redline_probe::split::normalise;

use crate::convert::{table, to_dict};
use crate::error::{OrRaise, hinted};
use crate::watch::warn;

/// What errors call rows that come from no file.
const NO_FILE: &str = "rows";

/// Triples: question, answer, correction.
///
/// Rows("triples.jsonl"), Rows([{"question": …, "answer": …, "correction": …}]) or Rows(data_frame). Slices are rows too.
#[pyclass(frozen, module = "redline")]
#[derive(Clone)]
pub struct Rows {
    pub rows: Arc<LabRows>,
}

#[pymethods]
impl Rows {
    #[new]
    #[pyo3(signature = (data, *, strictness=None))]
    fn new(data: &Bound<'_, PyAny>, strictness: Option<u8>) -> PyResult<Self> {
        Self::read(data, strictness)
    }

    /// The rows inside the package, which its Aligners were not trained on.
    #[staticmethod]
    #[pyo3(signature = (*, strictness=None))]
    fn embedded(py: Python<'_>, strictness: Option<u8>) -> PyResult<Self> {
        Ok(LabRows::embedded(strictness).or_raise(py)?.into())
    }

    /// One row of each question whose correction differs from its answer.
    fn distinct(&self) -> Self {
        let mut seen = std::collections::HashSet::new();
        let mut is_used =
            |row: &Qac| row.answer.trim() != row.correction.trim() && seen.insert(normalise(&row.question));
        let kept: Vec<usize> = (0..self.rows.triples.len()).filter(|&row| is_used(&self.rows.triples[row])).collect();
        self.select(&kept)
    }

    fn __len__(&self) -> usize {
        self.rows.triples.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let n = self.rows.triples.len();
        if let Ok(slice) = index.cast::<PySlice>() {
            let at = slice.indices(n as isize)?;
            let rows: Vec<usize> = (0..at.slicelength).map(|i| (at.start + i as isize * at.step) as usize).collect();
            return Ok(Bound::new(py, self.select(&rows))?.into_any());
        }
        let index: isize = index.extract()?;
        let place = if index < 0 { index + n as isize } else { index };
        match usize::try_from(place).ok().and_then(|place| self.rows.triples.get(place)) {
            Some(row) => to_dict(py, row),
            None => Err(PyIndexError::new_err(format!("row {index} of {n}"))),
        }
    }

    fn __repr__(&self) -> String {
        format!("<redline.Rows: {} of {}>", self.rows.triples.len(), self.rows.name.display())
    }

    /// Whether every row carries its flaws and its clean text, so that quality can be measured exactly.
    #[getter]
    fn has_flaws(&self) -> bool {
        self.rows.flawed.is_some()
    }

    /// The rows as a pandas DataFrame.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        table(py, &self.rows.triples)?.call_method0("to_pandas")
    }

    /// The rows as a polars DataFrame.
    fn to_polars<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        table(py, &self.rows.triples)?.call_method0("to_polars")
    }

    /// The rows as a list of dictionaries.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_dict(py, &self.rows.triples)
    }
}

impl From<LabRows> for Rows {
    fn from(rows: LabRows) -> Self {
        Self { rows: Arc::new(rows) }
    }
}

impl Rows {
    /// Rows of anything that holds rows.
    pub fn read(data: &Bound<'_, PyAny>, strictness: Option<u8>) -> PyResult<Self> {
        let py = data.py();
        if let Ok(rows) = data.cast::<Self>() {
            return match strictness {
                None => Ok(rows.get().clone()),
                Some(strictness) => at(py, (*rows.get().rows).clone(), strictness),
            };
        }
        let rows = match path_of(data)? {
            Some(path) => read_file(py, &path)?,
            None => read_values(data)?,
        };
        strictness.map_or_else(|| Ok(rows.clone().into()), |strictness| at(py, rows.clone(), strictness))
    }

    fn select(&self, kept: &[usize]) -> Self {
        let rows = &self.rows;
        let triples: Vec<Qac> = kept.iter().map(|&row| rows.triples[row].clone()).collect();
        let flawed = rows.flawed.as_ref().map(|flawed| kept.iter().map(|&row| flawed[row].clone()).collect());
        let strictness = rows.strictness;
        LabRows { flawed, strictness, is_embedded: false, ..LabRows::of(triples, rows.name.clone()) }.into()
    }
}

/// Questions with answers, of anything that holds rows.
pub fn read_answers(data: &Bound<'_, PyAny>) -> PyResult<Vec<Question>> {
    let py = data.py();
    if let Ok(rows) = data.cast::<Rows>() {
        let question = |row: &Qac| Question { question: row.question.clone(), answer: row.answer.clone() };
        return Ok(rows.get().rows.triples.iter().map(question).collect());
    }
    if let Some(path) = path_of(data)? {
        let file = read_data(&path, &ReadOptions::new(Need::Answer)).or_raise(py)?;
        say(py, &path, &file.report)?;
        return Ok(file.answers());
    }
    let missing = RowFault::MissingField { field: "answer" };
    each(data, |row| row.answered().ok_or_else(|| missing.clone()))
}

/// The path that a text or a path-like object names.
pub fn path_of(data: &Bound<'_, PyAny>) -> PyResult<Option<PathBuf>> {
    match data.is_instance_of::<PyString>() || data.hasattr("__fspath__")? {
        true => data.extract().map(Some),
        false => Ok(None),
    }
}

/// The same rows with the corrections of a strictness.
fn at(py: Python<'_>, rows: LabRows, strictness: u8) -> PyResult<Rows> {
    let Some(flawed) = &rows.flawed else {
        let message = format!("{}: a strictness is given, but the rows carry no flaws", rows.name.display());
        return Err(hinted(py, &message, Some("leave strictness out, or make the rows with `redline data corrupt`")));
    };
    let triples = at_strictness(flawed, strictness).or_raise(py)?;
    Ok(LabRows { triples, strictness: Some(strictness), ..rows }.into())
}

fn read_file(py: Python<'_>, path: &Path) -> PyResult<LabRows> {
    let options = ReadOptions::new(Need::Triple);
    let file = read_data(path, &options).or_raise(py)?;
    say(py, path, &file.report)?;
    let triples = file.triples();
    let flawed = read_corrupted(path, &options).or_raise(py)?.map(|(rows, _)| rows);
    let flawed = flawed.filter(|flawed| flawed.len() == triples.len());
    let hash = hash_of(&data_bytes(path).or_raise(py)?);
    Ok(LabRows { triples, flawed, name: path.into(), hash, strictness: None, is_embedded: false })
}

/// Says what was left out of a file.
fn say(py: Python<'_>, path: &Path, report: &ReadReport) -> PyResult<()> {
    if report.is_plain() {
        return Ok(());
    }
    report.told("left out").lines().try_for_each(|line| warn(py, &format!("{}: {line}", path.display())))
}

/// Rows of dictionaries; one that cannot be used is an error.
fn read_values(data: &Bound<'_, PyAny>) -> PyResult<LabRows> {
    let missing =
        |row: &DataRow| RowFault::MissingField { field: if row.answer.is_none() { "answer" } else { "correction" } };
    let mut flawed: Vec<CorruptedRow> = Vec::new();
    let triples = each(data, |row| {
        if row.fields.has("flaws") && row.fields.has("clean") {
            flawed.extend(row.fields.parse::<CorruptedRow>().ok().filter(CorruptedRow::is_consistent));
        }
        let triple = row.triple().ok_or_else(|| missing(row))?;
        let texts = [("question", &triple.question), ("answer", &triple.answer), ("correction", &triple.correction)];
        let empty = texts.iter().find(|(_, text)| text.trim().is_empty()).map(|(field, _)| *field);
        match empty {
            Some(field) => Err(RowFault::EmptyField { field }),
            None => Ok(triple),
        }
    })?;
    let flawed = Some(flawed).filter(|flawed| flawed.len() == triples.len() && !flawed.is_empty());
    Ok(LabRows { flawed, ..LabRows::of(triples, NO_FILE) })
}

/// What `take` makes of each row.
fn each<T>(data: &Bound<'_, PyAny>, mut take: impl FnMut(&DataRow) -> Result<T, RowFault>) -> PyResult<Vec<T>> {
    let py = data.py();
    let texts: Vec<String> = py.import("redline._rows")?.call_method1("json_rows", (data,))?.extract()?;
    let mut kept = Vec::with_capacity(texts.len());
    for (line, text) in texts.iter().enumerate() {
        let fields = Fields::read(text).map_err(|fault| RowFault::from(&fault));
        let row = fields.and_then(|fields| DataRow::read(line, fields)).and_then(|row| take(&row));
        // rows are counted from 0 here, lines of files from 1
        kept.push(row.map_err(|fault| {
            let hint = DataError::Row { path: NO_FILE.into(), line, fault: fault.clone() };
            hinted(py, &format!("row {line}: {fault}"), hint.hint())
        })?);
    }
    match kept.is_empty() {
        true => Err(PyTypeError::new_err("there are no rows")),
        false => Ok(kept),
    }
}
