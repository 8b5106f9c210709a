//! Rows of the usual data sets as rows of another kind.
//!
//! | `--from` | triples | answers | preferences | unpaired | questions |
//! |---|---|---|---|---|---|
//! | `triples`, `hh-rlhf`, `trl-preference`, `ultrafeedback-binarized`, `ultrafeedback`, `helpsteer2`, `pku-saferlhf` | yes | yes | yes | yes | yes |
//! | `beavertails`, `trl-unpaired` | | yes | | yes | yes |
//! | `answers`, `alpaca`, `sharegpt`, `messages`, `trl-prompt-completion`, `empathetic-dialogues` | | yes | | | yes |
//! | `questions` | | | | | yes |
//!
//! Each row says by its fields what it is, unless the format is named. Formats that [`DataRow`] does not read are first made into
//! plain rows (`unfold`, `gather`), so that the reading of fields stands in one place, `row.rs`; the table of formats is `format.rs`.
//!
//! Rules:
//! - The answer of `answers` is the good one: the preferred one of a pair, the correction of a triple. One that is labelled bad or flagged unsafe
//!   is left out.
//! - The question of several turns is a transcript; its messages are kept in `messages`, and a conversion back uses them.
//! - PKU-SafeRLHF: `helpful` takes `better_response_id`, `harmless` takes `safer_response_id` and refuses flags that contradict it; the flags are
//!   kept as `is_chosen_safe` and `is_rejected_safe`. As triples, answers and unpaired rows only pairs whose better answer is not flagged unsafe.
//! - UltraFeedback: the mean of the four aspects, not the overall score, which is 10 in many rows where 1 was meant. Chosen is the best, rejected
//!   one of the worse ones, drawn by the seed and the instruction. Unpaired: above 3 is good, below is bad.
//! - HelpSteer2: the most and the least helpful response to a prompt; unpaired: above 2 is good, below is bad.
//! - EmpatheticDialogues: who speaks first is the user; each answer of the other one is a row. `prompt` and `context` become `situation` and
//!   `emotion`.
//! - Of ShareGPT and messages the last answer is taken.
//! - All other fields are kept under their names. One whose name the new row needs, or that would change what the row says, gets
//!   `source_` before its name. Fields of two rows that differ get `chosen_` or `rejected_`.
//!
//! # Example
//! ```
//! use std::path::Path;
//!
//! use redline_data::convert::{ConvertOptions, Converter, Target};
//! use redline_model::qac::{Fields, JsonRow};
//!
//! let row = r#"{"prompt": "Why?", "response_0": "So.", "response_1": "Because.", "better_response_id": 1}"#;
//! let mut converter = Converter::new(Path::new("pku.jsonl"), ConvertOptions::new(Target::Triples))?;
//! converter.push(JsonRow { line: 1, fields: Fields::read(row) })?;
//! let converted = converter.finish()?;
//! assert_eq!(converted.rows[0].text("correction").as_deref(), Some("Because."));
//! # Ok::<(), redline_data::DataError>(())
//! ```

pub mod csv;
mod fault;
mod format;
mod gather;
mod loose;
mod plain;
mod source;
mod target;
mod unfold;

use std::path::{Path, PathBuf};

use redline_model::qac::{Fields, JsonRow};
use serde::Serialize;

use super::error::DataError;
use super::left_out::{ReadReport, RowFault};
use super::row::{DataRow, RowFormat};
pub use fault::ConvertFault;
pub use format::{SourceFormat, Target};
use gather::Gathered;
pub use source::convert_file;

/// By what one of two answers is the better one, where a data set says both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// It helps more.
    #[default]
    Helpful,
    /// It does less harm.
    Harmless,
}

/// How rows are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertOptions {
    /// What the rows are; by their fields where it is not said.
    pub from: Option<SourceFormat>,
    /// What they become.
    pub to: Target,
    /// What makes an answer the better one, in PKU-SafeRLHF.
    pub dimension: Dimension,
    /// Seed of what is drawn, in UltraFeedback.
    pub seed: u64,
    /// Whether the first row that cannot be converted is an error.
    pub is_strict: bool,
}

impl ConvertOptions {
    /// Rows of any format; those that cannot be converted are left out.
    pub fn new(to: Target) -> Self {
        Self { from: None, to, dimension: Dimension::default(), seed: 0, is_strict: false }
    }
}

/// How many rows were of a format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormatRows {
    /// The format; `plain` for rows that are of none by name, but can be read.
    pub format: &'static str,
    /// How many they are.
    pub n_rows: usize,
}

/// Rows of the new kind, and what became of the old ones.
#[derive(Debug, Clone)]
pub struct Converted {
    /// The new rows. One old row may give several, and several old ones one.
    pub rows: Vec<Fields>,
    /// Rows by format, in the order in which these were met.
    pub formats: Vec<FormatRows>,
    /// Rows read and left out. Of rows that belong together each group that is left out counts once.
    pub report: ReadReport,
}

/// Takes rows one by one, so that those of a large file need not be in memory twice.
pub struct Converter {
    path: PathBuf,
    options: ConvertOptions,
    gathered: Gathered,
    rows: Vec<Fields>,
    formats: Vec<FormatRows>,
    report: ReadReport,
    first_fault: Option<(usize, RowFault)>,
}

impl Converter {
    /// Begins a conversion of the rows of a file; its name is for messages.
    ///
    /// # Errors
    /// [`DataError::Convert`] where rows of the named format cannot become the others.
    pub fn new(path: &Path, options: ConvertOptions) -> Result<Self, DataError> {
        if let Some(format) = options.from {
            format.check_gives(options.to)?;
        }
        let (rows, formats, report) = (Vec::new(), Vec::new(), ReadReport::default());
        let gathered = Gathered::default();
        Ok(Self { path: path.into(), options, gathered, rows, formats, report, first_fault: None })
    }

    /// Converts a row, or keeps it until those come that belong to it.
    ///
    /// # Errors
    /// [`DataError::Row`] for a row that cannot be converted, when the conversion is strict.
    pub fn push(&mut self, row: JsonRow) -> Result<(), DataError> {
        let JsonRow { line, fields } = row;
        self.report.n_read += 1;
        let converted = fields.map_err(|fault| RowFault::from(&fault)).and_then(|fields| self.take(line, fields));
        self.settle(line, converted)
    }

    /// Converts the rows that were kept, and ends the conversion.
    ///
    /// # Errors
    /// As [`push`](Self::push); [`DataError::NoUsableRow`] and [`DataError::Row`] where no row could be converted.
    pub fn finish(mut self) -> Result<Converted, DataError> {
        for group in std::mem::take(&mut self.gathered).into_groups() {
            let line = group.rows.first().map_or(0, |(line, _)| *line);
            match group.plain_rows(self.options.to) {
                Err(fault) => self.settle(line, Err(fault))?,
                Ok(rows) => {
                    for (line, fields) in rows {
                        let converted = self.write(line, fields);
                        self.settle(line, converted)?;
                    }
                }
            }
        }
        let (path, n_rows) = (self.path, self.report.n_read);
        match self.first_fault.filter(|_| self.rows.is_empty()) {
            None => Ok(Converted { rows: self.rows, formats: self.formats, report: self.report }),
            Some((line, fault)) if n_rows == 1 => Err(DataError::Row { path, line, fault }),
            Some((line, fault)) => Err(DataError::NoUsableRow { path, n_rows, line, fault }),
        }
    }

    fn take(&mut self, line: usize, fields: Fields) -> Result<(), RowFault> {
        let (options, to) = (self.options, self.options.to);
        let format = options.from.or_else(|| SourceFormat::detect(&fields));
        self.count(format.map_or("plain", SourceFormat::name));
        let Some(format) = format else { return self.write(line, fields) };
        format.check_fields(&fields)?;
        format.check_gives(to)?;
        if gather::is_gathered(format, to) {
            return self.gathered.add(format, line, fields);
        }
        if format == SourceFormat::HelpSteer2 {
            return self.write(line, gather::help_steer_row(&fields, to)?);
        }
        let rows = unfold::unfold(format, fields, &options)?;
        // rows of one example are all converted or all left out
        let rows: Result<Vec<Vec<Fields>>, RowFault> = rows.into_iter().map(|row| self.converted(line, row)).collect();
        self.rows.extend(rows?.into_iter().flatten());
        Ok(())
    }

    /// Converts a plain row.
    fn write(&mut self, line: usize, fields: Fields) -> Result<(), RowFault> {
        let rows = self.converted(line, fields)?;
        self.rows.extend(rows);
        Ok(())
    }

    fn converted(&mut self, line: usize, fields: Fields) -> Result<Vec<Fields>, RowFault> {
        let row = DataRow::read(line, fields)?;
        let has_pair = matches!(row.format, RowFormat::Triple | RowFormat::Preference);
        if self.options.to.is_pair() && !has_pair {
            return Err(RowFault::MissingField { field: "correction" });
        }
        let rows = target::rows(&row, self.options.to)?;
        self.report.use_row(&row);
        Ok(rows)
    }

    fn settle(&mut self, line: usize, converted: Result<(), RowFault>) -> Result<(), DataError> {
        match converted {
            Ok(()) => Ok(()),
            Err(fault) if self.options.is_strict => Err(DataError::Row { path: self.path.clone(), line, fault }),
            Err(fault) => {
                self.report.leave_out(line, &fault);
                self.first_fault.get_or_insert((line, fault));
                Ok(())
            }
        }
    }

    fn count(&mut self, format: &'static str) {
        match self.formats.iter_mut().find(|rows| rows.format == format) {
            Some(rows) => rows.n_rows += 1,
            None => self.formats.push(FormatRows { format, n_rows: 1 }),
        }
    }
}

#[cfg(test)]
mod tests;
