//! One column as its values with their levels, a few rows at a time.

use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::{ParquetError as Fault, Result};
use parquet::schema::types::ColumnDescPtr;
use redline_model::guard::guarded;
use serde_json::Value;

use super::value::{self, Meaning};

/// Rows that are decoded at once.
const ROWS_AT_ONCE: usize = 64;

/// Decoded values.
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// A place in a column.
pub(super) struct Column {
    reader: ColumnReader,
    most_level: i16,
    has_lists: bool,
    levels: Vec<i16>,
    repetitions: Vec<i16>,
    values: Values,
    n_levels: usize,
    /// The next level, and the next value.
    at: usize,
    value_at: usize,
}

impl Column {
    pub(super) fn new(column: ColumnDescPtr, pages: Box<dyn PageReader>) -> Self {
        let (most_level, has_lists) = (column.max_def_level(), column.max_rep_level() > 0);
        let reader = get_column_reader(column, pages);
        let (levels, repetitions, values) = (Vec::new(), Vec::new(), Values::Bool(Vec::new()));
        Self { reader, most_level, has_lists, levels, repetitions, values, n_levels: 0, at: 0, value_at: 0 }
    }

    /// The next definition and repetition level; `None` at the end.
    ///
    /// # Errors
    /// What is wrong with the column, a panic of its decoders included.
    pub(super) fn peek(&mut self) -> Result<Option<(i16, i16)>> {
        if self.at == self.n_levels {
            self.fill()?;
        }
        if self.at == self.n_levels {
            return Ok(None);
        }
        let level = if self.most_level > 0 { self.levels[self.at] } else { 0 };
        let repetition = if self.has_lists { self.repetitions[self.at] } else { 0 };
        Ok(Some((level, repetition)))
    }

    /// Goes on to the next value; null where this one is none.
    ///
    /// # Errors
    /// Those of [`peek`](Self::peek); the column is at its end.
    pub(super) fn take(&mut self, meaning: Meaning) -> Result<Value> {
        let (level, _) = self.peek()?.ok_or_else(|| Fault::General("a column ends before the others do".into()))?;
        self.at += 1;
        if level < self.most_level {
            return Ok(Value::Null);
        }
        let at = self.value_at;
        self.value_at += 1;
        let found = match &self.values {
            Values::Bool(values) => values.get(at).map(|value| Value::Bool(*value)),
            Values::Int32(values) => values.get(at).map(|value| value::whole(i64::from(*value), 32, meaning)),
            Values::Int64(values) => values.get(at).map(|value| value::whole(*value, 64, meaning)),
            Values::Int96(values) => values.get(at).map(|value| value::int96(value.data())),
            Values::Float(values) => values.get(at).map(|value| value::single(*value)),
            Values::Double(values) => values.get(at).map(|value| value::fraction(*value)),
            Values::Bytes(values) => values.get(at).map(|value| value::bytes(value.data(), meaning)),
            Values::Fixed(values) => values.get(at).map(|value| value::bytes(value.data(), meaning)),
        };
        found.ok_or_else(|| Fault::General("a column has fewer values than its levels say".into()))
    }

    fn fill(&mut self) -> Result<()> {
        (self.at, self.value_at) = (0, 0);
        self.n_levels = 0;
        self.levels.clear();
        self.repetitions.clear();
        let Self { reader, levels, repetitions, .. } = self;
        // the decoders check much, but not all: what still panics is a damaged page
        let filled = guarded(|| -> Result<(Values, usize)> {
            Ok(match reader {
                ColumnReader::BoolColumnReader(reader) => decode(reader, levels, repetitions, Values::Bool)?,
                ColumnReader::Int32ColumnReader(reader) => decode(reader, levels, repetitions, Values::Int32)?,
                ColumnReader::Int64ColumnReader(reader) => decode(reader, levels, repetitions, Values::Int64)?,
                ColumnReader::Int96ColumnReader(reader) => decode(reader, levels, repetitions, Values::Int96)?,
                ColumnReader::FloatColumnReader(reader) => decode(reader, levels, repetitions, Values::Float)?,
                ColumnReader::DoubleColumnReader(reader) => decode(reader, levels, repetitions, Values::Double)?,
                ColumnReader::ByteArrayColumnReader(reader) => decode(reader, levels, repetitions, Values::Bytes)?,
                ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                    decode(reader, levels, repetitions, Values::Fixed)?
                }
            })
        });
        let (values, n_levels) =
            filled.map_err(|panic| Fault::General(format!("a page cannot be decoded: {panic}")))??;
        let is_short = |levels: &[i16], is_used: bool| is_used && levels.len() != n_levels;
        if is_short(&self.levels, self.most_level > 0) || is_short(&self.repetitions, self.has_lists) {
            return Err(Fault::General("a page has fewer levels than values".into()));
        }
        (self.values, self.n_levels) = (values, n_levels);
        Ok(())
    }
}

fn decode<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: &mut Vec<i16>,
    repetitions: &mut Vec<i16>,
    wrap: fn(Vec<T::T>) -> Values,
) -> Result<(Values, usize)> {
    let mut values = Vec::new();
    let (_, _, n_levels) = reader.read_records(ROWS_AT_ONCE, Some(levels), Some(repetitions), &mut values)?;
    Ok((wrap(values), n_levels))
}
