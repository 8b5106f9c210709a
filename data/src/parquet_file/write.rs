//! Rows as Parquet: columns of text, numbers and truth values, and lists of messages as `list<struct<role, content>>`, which is how TRL
//! and `datasets` keep conversations.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError as Fault;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use redline_model::files::AtomicFile;
use redline_model::qac::{Fields, kind};
use serde_json::Value;

use super::error::ParquetError;

/// Rows of a row group.
const GROUP_ROWS: usize = 8192;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bool,
    Whole,
    Fraction,
    Messages,
    /// Anything else, as its JSON text.
    Json,
}

impl Kind {
    fn of(value: &Value, raw: &str) -> Self {
        match value {
            Value::Bool(_) => Self::Bool,
            Value::String(_) => Self::Text,
            Value::Number(_) if raw.parse::<i64>().is_ok() => Self::Whole,
            // whole numbers beyond 64 bits are kept as they are spelt
            Value::Number(_) if raw.contains(['.', 'e', 'E']) => Self::Fraction,
            Value::Array(list) if !list.is_empty() && list.iter().all(|item| message(item).is_some()) => Self::Messages,
            _ => Self::Json,
        }
    }

    /// The kind that holds values of both kinds.
    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Self::Whole, Self::Fraction) | (Self::Fraction, Self::Whole) => Some(Self::Fraction),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "truth values",
            Self::Whole | Self::Fraction => "numbers",
            Self::Messages => "messages",
            Self::Json => "lists or objects",
        }
    }
}

/// Role and content of a message that has nothing else.
fn message(value: &Value) -> Option<(&str, &str)> {
    let message = value.as_object().filter(|message| message.len() == 2)?;
    Some((message.get("role")?.as_str()?, message.get("content")?.as_str()?))
}

struct ColumnPlan {
    name: String,
    kind: Kind,
}

/// Writes rows as Parquet, compressed with snappy. Columns stand in the order in which rows first have them; a row without a field has null
/// there. Lists of messages of role and content become `list<struct<role, content>>`; other lists and objects are written as their JSON
/// text. The same rows give the same bytes.
///
/// # Errors
/// [`ParquetError::Column`] where rows hold values of different kinds in one field, [`ParquetError::NoColumns`], [`ParquetError::Write`].
pub fn to_parquet(rows: &[Fields], out: &mut (impl Write + Send)) -> Result<(), ParquetError> {
    let plan = plan(rows)?;
    let failed = |fault: Fault| ParquetError::Write { rule: fault.to_string() };
    let schema = schema(&plan).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("redline ", env!("CARGO_PKG_VERSION")).into())
        .build();
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?;
    for rows in rows.chunks(GROUP_ROWS) {
        let mut group = file.next_row_group().map_err(failed)?;
        for column in &plan {
            let values: Vec<Value> = rows.iter().map(|row| value(row, &column.name)).collect();
            write_column(&mut group, rows, column, &values).map_err(failed)?;
        }
        group.close().map_err(failed)?;
    }
    file.close().map(drop).map_err(failed)
}

/// Writes rows to a Parquet file, which appears only when it is complete.
///
/// # Errors
/// Those of [`to_parquet`]; [`ParquetError::Io`].
pub fn write_parquet(rows: &[Fields], path: &Path) -> Result<(), ParquetError> {
    let mut bytes = Vec::new();
    to_parquet(rows, &mut bytes)?;
    let write = || -> std::io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(&bytes)?;
        file.commit()
    };
    write().map_err(|source| ParquetError::Io { path: path.into(), source })
}

/// A field's value; null where it is not there. What cannot be held as a value, such as a number beyond all bounds, is its JSON text.
fn value(row: &Fields, name: &str) -> Value {
    match row.value(name) {
        None => Value::Null,
        Some(Ok(value)) => value,
        Some(Err(_)) => Value::String(row.raw(name).unwrap_or_default().to_owned()),
    }
}

fn plan(rows: &[Fields]) -> Result<Vec<ColumnPlan>, ParquetError> {
    let mut plan: Vec<(String, Option<Kind>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        for name in row.names() {
            let at = *places.entry(name.to_owned()).or_insert_with(|| {
                plan.push((name.to_owned(), None));
                plan.len() - 1
            });
            let value = value(row, name);
            if value.is_null() {
                continue;
            }
            let found = Kind::of(&value, row.raw(name).unwrap_or_default());
            // an empty list may be one of messages
            if value.as_array().is_some_and(Vec::is_empty) && plan[at].1.is_some() {
                continue;
            }
            let kind = plan[at].1.map_or(Some(found), |kind| kind.with(found));
            plan[at].1 = Some(kind.ok_or_else(|| ParquetError::Column {
                row: index + 1,
                column: name.to_owned(),
                expected: plan[at].1.map_or("nothing", Kind::name),
                got: self::kind(&value).to_owned(),
            })?);
        }
    }
    match plan.is_empty() {
        true => Err(ParquetError::NoColumns),
        false => {
            Ok(plan.into_iter().map(|(name, kind)| ColumnPlan { name, kind: kind.unwrap_or(Kind::Text) }).collect())
        }
    }
}

fn schema(plan: &[ColumnPlan]) -> Result<TypePtr, Fault> {
    let columns: Result<Vec<TypePtr>, Fault> = plan.iter().map(column_type).collect();
    Ok(Arc::new(Type::group_type_builder("schema").with_fields(columns?).build()?))
}

fn column_type(column: &ColumnPlan) -> Result<TypePtr, Fault> {
    let name = column.name.as_str();
    Ok(Arc::new(match column.kind {
        Kind::Text | Kind::Json => text_type(name)?,
        Kind::Bool => optional(name, Physical::BOOLEAN)?,
        Kind::Whole => optional(name, Physical::INT64)?,
        Kind::Fraction => optional(name, Physical::DOUBLE)?,
        Kind::Messages => {
            let group = |name, repetition, logical, fields| {
                let group = Type::group_type_builder(name).with_repetition(repetition).with_logical_type(logical);
                group.with_fields(fields).build().map(Arc::new)
            };
            let fields = vec![Arc::new(text_type("role")?), Arc::new(text_type("content")?)];
            let element = group("element", Repetition::OPTIONAL, None, fields)?;
            let list = group("list", Repetition::REPEATED, None, vec![element])?;
            return group(name, Repetition::OPTIONAL, Some(LogicalType::List), vec![list]);
        }
    }))
}

fn optional(name: &str, physical: Physical) -> Result<Type, Fault> {
    Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL).build()
}

fn text_type(name: &str) -> Result<Type, Fault> {
    let text = Type::primitive_type_builder(name, Physical::BYTE_ARRAY).with_repetition(Repetition::OPTIONAL);
    text.with_logical_type(Some(LogicalType::String)).build()
}

fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Fields],
    column: &ColumnPlan,
    values: &[Value],
) -> Result<(), Fault> {
    /// Writes the values that there are, with a level for each row.
    macro_rules! flat {
        ($kind:ty, $found:expr) => {{
            let found: Vec<Option<_>> = $found.collect();
            let levels: Vec<i16> = found.iter().map(|value| i16::from(value.is_some())).collect();
            let values: Vec<_> = found.into_iter().flatten().collect();
            write_levels::<$kind, W>(group, &values, &levels, None)
        }};
    }
    match column.kind {
        Kind::Bool => flat!(BoolType, values.iter().map(Value::as_bool)),
        Kind::Whole => flat!(Int64Type, values.iter().map(Value::as_i64)),
        Kind::Fraction => flat!(DoubleType, values.iter().map(Value::as_f64)),
        Kind::Text => flat!(ByteArrayType, values.iter().map(|value| value.as_str().map(ByteArray::from))),
        Kind::Json => {
            let text = |(row, value): (&Fields, &Value)| {
                if value.is_null() { None } else { row.raw(&column.name).map(ByteArray::from) }
            };
            flat!(ByteArrayType, rows.iter().zip(values).map(text))
        }
        Kind::Messages => write_messages(group, values),
    }
}

fn write_messages<W: Write + Send>(group: &mut SerializedRowGroupWriter<'_, W>, values: &[Value]) -> Result<(), Fault> {
    /// Levels: no list, an empty one, a message with its texts.
    const LEVELS: [i16; 3] = [0, 1, 4];
    let (mut levels, mut repetitions) = (Vec::new(), Vec::new());
    let (mut roles, mut contents) = (Vec::new(), Vec::new());
    for value in values {
        let messages = value.as_array().map(Vec::as_slice).unwrap_or_default();
        if messages.is_empty() {
            levels.push(LEVELS[usize::from(value.is_array())]);
            repetitions.push(0);
        }
        for (index, (role, content)) in messages.iter().filter_map(message).enumerate() {
            levels.push(LEVELS[2]);
            repetitions.push(i16::from(index > 0));
            roles.push(ByteArray::from(role));
            contents.push(ByteArray::from(content));
        }
    }
    for texts in [roles, contents] {
        write_levels::<ByteArrayType, W>(group, &texts, &levels, Some(&repetitions))?;
    }
    Ok(())
}

fn write_levels<T: parquet::data_type::DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: &[i16],
    repetitions: Option<&[i16]>,
) -> Result<(), Fault> {
    let missing = || Fault::General("the schema has fewer columns than there are values".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, Some(levels), repetitions)?;
    column.close()
}
