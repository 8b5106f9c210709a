//! Rows one by one, put together from their columns.

use std::path::PathBuf;
use std::sync::Arc;

use parquet::column::page::PageReader;
use parquet::errors::ParquetError as Fault;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use redline_model::guard::guarded;
use serde_json::{Map, Value};

use super::column::Column;
use super::error::ParquetError;
use super::pages::{Beyond, Codec, Limits, Pages, Unsupported, beyond};
use super::schema::Node;
use super::value::Meaning;

/// Most memory of a row.
const MOST_ROW: usize = 64 << 20;
/// Memory of a value, of an object, and of a row beside its values.
const VALUE_BYTES: usize = 64;
const OBJECT_BYTES: usize = 640;
/// Most memory of all rows of a file together, as far as it is not much larger itself.
const MOST_ROWS: u64 = 640 << 20;
/// How many times larger than the file its rows may be beyond that.
const MOST_TIMES: u64 = 50;

/// The rows of a Parquet file, in order. After an error there are no more.
pub struct ParquetRows<R> {
    pub(super) path: PathBuf,
    pub(super) file: Arc<R>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) fields: Arc<Vec<(String, Node)>>,
    pub(super) limits: Limits,
    columns: Vec<Column>,
    /// The row group to open next.
    group: usize,
    /// Rows of the present group that are still to come.
    n_left: i64,
    n_read: usize,
    /// Memory that rows may still take.
    left: u64,
    is_over: bool,
}

type Step<T> = Result<T, Fault>;

impl<R: ChunkReader + 'static> ParquetRows<R> {
    pub(super) fn new(
        path: PathBuf,
        file: Arc<R>,
        metadata: Arc<ParquetMetaData>,
        fields: Arc<Vec<(String, Node)>>,
    ) -> Self {
        let n_bytes = file.len();
        let left = MOST_ROWS.max(n_bytes.saturating_mul(MOST_TIMES));
        let limits = Limits::of_file(n_bytes);
        let (columns, group, n_left, n_read, is_over) = (Vec::new(), 0, 0, 0, false);
        Self { path, file, metadata, fields, limits, columns, group, n_left, n_read, left, is_over }
    }

    fn row(&mut self) -> Step<Option<Map<String, Value>>> {
        while self.n_left == 0 {
            if self.group == self.metadata.num_row_groups() {
                return Ok(None);
            }
            self.open_group()?;
        }
        self.n_left -= 1;
        let mut left = MOST_ROW;
        let fields = self.fields.clone();
        let mut assembly = Assembly { columns: &mut self.columns, left: &mut left };
        let row = assembly.group(&fields)?;
        for column in &mut self.columns {
            if column.peek()?.is_some_and(|(_, repetition)| repetition != 0) {
                return Err(Fault::General("the columns of a row do not end together".into()));
            }
        }
        self.left = self.left.checked_sub((MOST_ROW - left) as u64).ok_or_else(|| {
            beyond(format!(
                "its rows need more than {} MiB of memory and more than {MOST_TIMES} times its size",
                MOST_ROWS >> 20
            ))
        })?;
        Ok(Some(row))
    }

    fn open_group(&mut self) -> Step<()> {
        let group = self.metadata.row_group(self.group);
        self.group += 1;
        self.limits.next_group();
        self.n_left = group.num_rows();
        let mut columns = Vec::with_capacity(group.num_columns());
        for chunk in group.columns() {
            let column = chunk.column_descr_ptr();
            // refused when the file was opened
            let codec = Codec::of(chunk.compression()).ok_or_else(|| Fault::General("unknown compression".into()))?;
            // pages are inflated here
            let plain =
                chunk.clone().into_builder().set_compression(parquet::basic::Compression::UNCOMPRESSED).build()?;
            let n_rows = usize::try_from(group.num_rows())?;
            let raw = guarded(|| SerializedPageReader::new(self.file.clone(), &plain, n_rows, None))
                .map_err(|panic| Fault::General(format!("a column cannot be opened: {panic}")))??;
            let pages =
                Pages { raw, codec, column: column.clone(), limits: self.limits.clone(), has_dictionary: false };
            let pages: Box<dyn PageReader> = Box::new(pages);
            columns.push(Column::new(column, pages));
        }
        self.columns = columns;
        Ok(())
    }

    /// The error with the file, and the row it was met in.
    fn fault(&self, fault: Fault) -> ParquetError {
        let row = self.n_read + 1;
        if let Fault::External(inner) = &fault {
            if let Some(Beyond(what)) = inner.downcast_ref() {
                return ParquetError::too_large(&self.path, format!("{what} (row {row})"));
            }
            if let Some(Unsupported { column, encoding }) = inner.downcast_ref() {
                let (column, encoding) = (column.clone(), encoding.clone());
                return ParquetError::Encoding { path: self.path.clone(), column, encoding };
            }
        }
        let text = fault.to_string();
        ParquetError::malformed(&self.path, format!("row {row}: {}", text.trim_start_matches("Parquet error: ")))
    }
}

impl<R: ChunkReader + 'static> Iterator for ParquetRows<R> {
    type Item = Result<Map<String, Value>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = self.row().map_err(|fault| self.fault(fault)).transpose();
        match &row {
            Some(Ok(_)) => self.n_read += 1,
            _ => {
                self.is_over = true;
                self.columns.clear();
            }
        }
        row
    }
}

/// Bytes of a text, or of bytes that are none.
fn n_text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Object(bytes) => OBJECT_BYTES + bytes.values().map(n_text_bytes).sum::<usize>(),
        _ => 0,
    }
}

/// A row in the making.
struct Assembly<'a> {
    columns: &'a mut [Column],
    /// Memory that it may still take.
    left: &'a mut usize,
}

impl Assembly<'_> {
    fn charge(&mut self, bytes: usize) -> Step<()> {
        *self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| beyond(format!("a row needs more than {} MiB of memory", MOST_ROW >> 20)))?;
        Ok(())
    }

    fn column(&mut self, index: usize) -> Step<&mut Column> {
        self.columns.get_mut(index).ok_or_else(|| Fault::General("a row group lacks a column".into()))
    }

    fn peek(&mut self, node: &Node) -> Step<Option<(i16, i16)>> {
        self.column(node.first_column())?.peek()
    }

    fn group(&mut self, fields: &[(String, Node)]) -> Step<Map<String, Value>> {
        self.charge(OBJECT_BYTES)?;
        let mut object = Map::new();
        for (name, node) in fields {
            self.charge(name.len() + VALUE_BYTES)?;
            object.insert(name.clone(), self.value(node)?);
        }
        Ok(object)
    }

    fn value(&mut self, node: &Node) -> Step<Value> {
        match node {
            Node::Leaf { column, meaning } => {
                let value = self.column(*column)?.take(*meaning)?;
                self.charge(VALUE_BYTES + n_text_bytes(&value))?;
                Ok(value)
            }
            Node::Optional { level, inner } => match self.peek(inner)? {
                Some((found, _)) if found >= *level => self.value(inner),
                _ => self.pass_over(inner).map(|()| Value::Null),
            },
            Node::Group(fields) => self.group(fields).map(Value::Object),
            Node::List { level, repetition, element } => {
                let mut list = Vec::new();
                self.each_element(node, *level, *repetition, |assembly| {
                    list.push(assembly.value(element)?);
                    Ok(())
                })?;
                Ok(Value::Array(list))
            }
            Node::Map { level, repetition, pair } => {
                self.charge(OBJECT_BYTES)?;
                let mut object = Map::new();
                self.each_element(node, *level, *repetition, |assembly| {
                    let (key, value) = (assembly.value(&pair.0)?, assembly.value(&pair.1)?);
                    let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                    object.insert(key, value);
                    Ok(())
                })?;
                Ok(Value::Object(object))
            }
        }
    }

    /// Calls `take` for each element; each takes a value of the first column at least.
    fn each_element(
        &mut self,
        node: &Node,
        level: i16,
        repetition: i16,
        mut take: impl FnMut(&mut Self) -> Step<()>,
    ) -> Step<()> {
        if self.peek(node)?.is_none_or(|(found, _)| found < level) {
            return self.pass_over(node);
        }
        loop {
            take(self)?;
            if self.peek(node)?.is_none_or(|(_, found)| found < repetition) {
                return Ok(());
            }
        }
    }

    /// Takes the one value that each column has for what is not there.
    fn pass_over(&mut self, node: &Node) -> Step<()> {
        let mut columns = Vec::new();
        node.each_column(&mut |column| columns.push(column));
        columns.into_iter().try_for_each(|column| self.column(column)?.take(Meaning::Plain).map(drop))
    }
}
