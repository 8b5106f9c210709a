//! Files of rows with choices.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::csv_file::{FoundRow, is_table, read_table};
use super::error::ChoiceError;
use super::fault::ChoiceFault;
use super::label::{kind_of, read_row};
use super::row::{ChoiceKind, ChoiceRow};
use redline_data::LeftOutRows;
use redline_model::qac::{Fields, JsonRow, read_objects};

/// Parts of the HHH set: BIG-bench keeps each in a file or folder of this name.
const ASPECTS: [&str; 4] = ["helpful", "harmless", "honest", "other"];

/// A file's rows and what was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// Where they were read from.
    pub path: PathBuf,
    /// What kind of rows they are.
    pub kind: ChoiceKind,
    /// The usable rows, in order.
    pub rows: Vec<ChoiceRow>,
    /// What became of all rows.
    pub report: ChoiceReport,
}

/// What became of the rows of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChoiceReport {
    /// Rows there are.
    pub n_read: usize,
    /// Those left out, by reason.
    pub left_out: Vec<LeftOutRows>,
    /// Usable rows that name a choice more than once; it counts once.
    pub n_with_repeated: usize,
}

impl Choices {
    /// Reads a file, whose form its content tells: JSON Lines, one array or one object with a list of rows, of which each is TruthfulQA,
    /// better and worse answers, or labelled choices; or `TruthfulQA.csv`. Plain or gzip; `-` is the standard input.
    ///
    /// # Errors
    /// The file cannot be read; [`ChoiceError::Columns`]; [`ChoiceError::NoUsableRow`].
    pub fn read(path: &Path) -> super::Result<Self> {
        let (kind, found) = match is_table(path)? {
            true => (Some(ChoiceKind::TruthfulQa), read_table(path)?),
            false => json_rows(path)?,
        };
        let mut report = ChoiceReport { n_read: found.len(), ..ChoiceReport::default() };
        let (mut rows, mut first) = (Vec::with_capacity(found.len()), None);
        for (line, row) in found {
            match row {
                Ok(row) => {
                    report.n_with_repeated += usize::from(row.n_repeated() > 0);
                    rows.push(row);
                }
                Err(fault) => {
                    report.leave_out(line, &fault);
                    first = first.or(Some((line, fault)));
                }
            }
        }
        match (kind, first) {
            (_, Some((line, fault))) if rows.is_empty() => {
                Err(ChoiceError::NoUsableRow { path: path.into(), n_rows: report.n_read, line, fault })
            }
            (Some(kind), _) => Ok(Self { path: path.into(), kind, rows, report }),
            (None, _) => Err(ChoiceError::NoRows),
        }
    }
}

/// The rows of a JSON file, and the kind of the first whose kind is known.
fn json_rows(path: &Path) -> super::Result<(Option<ChoiceKind>, Vec<FoundRow>)> {
    let mut kind = None;
    let aspect = aspect_of(path);
    let mut row = |line: usize, fields: &Fields| {
        let got = kind_of(fields)?;
        let expected = *kind.get_or_insert(got);
        if got != expected {
            return Err(ChoiceFault::OtherKind { got, expected });
        }
        let (row, subset) = read_row(fields, got)?;
        let subset = subset.or_else(|| aspect.filter(|_| got == ChoiceKind::Comparison).map(str::to_owned));
        Ok(row.placed(line, subset))
    };
    let mut rows = Vec::new();
    for JsonRow { line, fields } in read_objects(path)? {
        let fields = fields.map_err(|fault| ChoiceFault::of_line(&fault));
        rows.push((line, fields.and_then(|fields| row(line, &fields))));
    }
    Ok((kind, rows))
}

/// The part of HHH that a file is, by its own name or its folder's.
fn aspect_of(path: &Path) -> Option<&'static str> {
    let file = path.file_name()?.to_str()?.split('.').next();
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let is_name = |name: Option<&str>| ASPECTS.into_iter().find(|aspect| Some(*aspect) == name);
    is_name(file).or_else(|| is_name(folder))
}

impl ChoiceReport {
    /// How many rows were left out.
    pub fn n_left_out(&self) -> usize {
        self.left_out.iter().map(|rows| rows.n_rows).sum()
    }

    fn leave_out(&mut self, line: usize, fault: &ChoiceFault) {
        LeftOutRows::count(&mut self.left_out, fault.reason(), line, fault);
    }
}

/// A line for each thing to say; nothing where all rows are used as they are.
impl fmt::Display for ChoiceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_read = self.n_read;
        let mut lines: Vec<String> = Vec::new();
        for LeftOutRows { n_rows, first_line, first, .. } in &self.left_out {
            lines.push(format!("{n_rows} of {n_read} rows left out, the first in line {first_line}: {first}"));
        }
        if self.n_with_repeated > 0 {
            lines.push(format!(
                "{} of {n_read} rows name a choice more than once; it counts once",
                self.n_with_repeated
            ));
        }
        f.write_str(&lines.join("\n"))
    }
}
