//! Files of rows, whatever they hold: Parquet and the CSV of EmpatheticDialogues by their content, else JSON in all its forms.

use std::path::Path;

use redline_model::qac::{JsonRow, read_objects};

use super::{ConvertOptions, Converted, Converter, csv};
use crate::error::DataError;
use crate::parquet_file::{ParquetFile, is_parquet};

/// Converts the rows of a file: Parquet, JSON Lines, one JSON array, or the CSV of EmpatheticDialogues. `-` is the standard input, as JSON.
///
/// # Errors
/// What is wrong with the file; those of [`Converter`].
pub fn convert_file(path: &Path, options: ConvertOptions) -> Result<Converted, DataError> {
    let mut converter = Converter::new(path, options)?;
    if path != Path::new("-") && is_parquet(path)? {
        let file = ParquetFile::open(path)?;
        for (row, line) in file.rows().zip(1..) {
            converter.push(JsonRow { line, fields: Ok(file.in_order(row?)) })?;
        }
    } else if path != Path::new("-") && csv::is_csv(path)? {
        csv::each_row(path, |row| converter.push(row))?;
    } else {
        read_objects(path)?.into_iter().try_for_each(|row| converter.push(row))?;
    }
    converter.finish()
}
