//! Rows of a file one by one: lines, the elements of an array, or objects that are spread over lines.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::de::IgnoredAny;
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::{Fields, JsonRow, LineFault};
use crate::error::{Error, Result};
use crate::files::open_input;
use crate::inflate::{Inflated, is_bomb};
use crate::json_array::{ArrayError, Element, Elements, Found, documents, elements};
use crate::json_value::Budget;

pub(super) const MAX_LINE_BYTES: u64 = 16 << 20;
/// Longest text of objects that are spread over lines, or of one object with all rows.
const MAX_SPREAD_BYTES: u64 = 128 << 20;
/// Most memory that all rows may take beside their texts.
const MOST_KEPT_BYTES: usize = 640 << 20;
/// Memory of a row beside its texts, and of a field that is kept.
const ROW_BYTES: usize = 160;
const FIELD_BYTES: usize = 104;
/// How far the reader looks for the bracket that begins an array.
const PEEKED_BYTES: u64 = 4096;
pub(super) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Where files that are one object keep their rows.
const LISTS_OF_ROWS: [&str; 5] = ["data", "rows", "examples", "instances", "train"];
/// What the object is not where it has one of these: it is a row then.
const KEYS_OF_ROWS: [&str; 7] = ["question", "answer", "chosen", "rejected", "prompt", "messages", "instruction"];

/// What is kept of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// A few texts.
    Texts,
    /// All fields.
    Fields,
}

/// What a file is called in messages.
pub(super) fn name(path: &Path) -> &Path {
    if path == Path::new("-") { Path::new("<stdin>") } else { path }
}

pub(super) fn read_rows<T>(path: &Path, kept: Kept, convert: impl FnMut(JsonRow) -> Result<T>) -> Result<Vec<T>> {
    read_from(name(path), BufReader::new(open_input(path)?), kept, convert)
}

/// Reads rows from an open stream; `path` is for messages.
pub(super) fn read_from<T>(
    path: &Path,
    mut input: impl BufRead,
    kept: Kept,
    mut convert: impl FnMut(JsonRow) -> Result<T>,
) -> Result<Vec<T>> {
    let (is_gzip, head) = starts_with_gzip(&mut input).map_err(|source| Error::io(path, source))?;
    let input = head.chain(input);
    let (budget, mut rows) = (Budget::new(MOST_KEPT_BYTES), Vec::new());
    let mut keep = |row: JsonRow| -> Result<()> {
        let n_fields = row.fields.as_ref().map_or(0, |fields| fields.names().count());
        let needed = ROW_BYTES + if kept == Kept::Fields { FIELD_BYTES * n_fields } else { 0 };
        if !budget.take(needed) {
            let (line, most) = (row.line, MOST_KEPT_BYTES >> 20);
            let rule = format!(
                "what is kept of the rows up to line {line} needs more than {most} MiB of memory beside their texts; give the file in parts"
            );
            return Err(Error::Malformed { path: path.into(), format: "JSON Lines", rule });
        }
        rows.push(convert(row)?);
        Ok(())
    };
    let stream = Rows { path, is_gzip, line: 0 };
    match is_gzip {
        true => stream.read(BufReader::new(Inflated::new(input, MultiGzDecoder::new)), &mut keep)?,
        false => stream.read(input, &mut keep)?,
    }
    if rows.is_empty() { Err(Error::EmptyFile { path: path.into() }) } else { Ok(rows) }
}

/// Takes the first two bytes and says whether gzip begins with them. A pipe may deliver them one at a time.
fn starts_with_gzip(input: &mut impl BufRead) -> std::io::Result<(bool, std::io::Cursor<Vec<u8>>)> {
    let mut head = Vec::new();
    input.take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok((head == GZIP_MAGIC, std::io::Cursor::new(head)))
}

/// The rows of a stream.
struct Rows<'a> {
    path: &'a Path,
    is_gzip: bool,
    /// Lines read so far.
    line: usize,
}

/// Takes a row.
type Keep<'a> = &'a mut dyn FnMut(JsonRow) -> Result<()>;

impl Rows<'_> {
    fn read(mut self, mut input: impl BufRead, keep: Keep<'_>) -> Result<()> {
        let mut head = Vec::new();
        let peeked = (&mut input).take(PEEKED_BYTES).read_to_end(&mut head);
        peeked.map_err(|source| self.read_error(source))?;
        let mark = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        head.drain(..mark);
        let is_array = head.trim_ascii_start().first() == Some(&b'[');
        let input = std::io::Cursor::new(head).chain(input);
        match is_array {
            true => self.each_element(Elements::new(input, MAX_LINE_BYTES as usize), mark, keep),
            false => self.each_line(input, keep),
        }
    }

    fn each_line(&mut self, mut input: impl BufRead, keep: Keep<'_>) -> Result<()> {
        // the first row is held until another one comes: alone, it may be an object that holds all rows
        let (mut first, mut is_first) = (None, true);
        while let Some(text) = self.next_line(&mut input)? {
            let line = self.line;
            let fields = match text {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => {
                    let fields = Fields::read(&text);
                    if std::mem::take(&mut is_first) {
                        if matches!(&fields, Err(LineFault::Json(error)) if error.is_eof()) {
                            return self.spread(text, input, keep);
                        }
                        first = Some((text, JsonRow { line, fields }));
                        continue;
                    }
                    fields
                }
                Err(fault) => Err(fault),
            };
            is_first = false;
            first.take().map_or(Ok(()), |(_, row)| keep(row))?;
            keep(JsonRow { line, fields })?;
        }
        match first {
            None => Ok(()),
            Some((text, row)) => match rows_within(&text, row.line - 1) {
                Some(rows) => rows.into_iter().try_for_each(keep),
                None => keep(row),
            },
        }
    }

    /// Passes over lines without text, of which a small gzip file may hold very many.
    fn pass_over_blank_lines(&mut self, input: &mut impl BufRead) -> Result<()> {
        loop {
            let buffer = input.fill_buf().map_err(|source| self.read_error(source))?;
            let n_blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let Some(last) = buffer[..n_blank].iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
            let (n_taken, is_all) = (last + 1, last + 1 == buffer.len());
            self.line += buffer[..n_taken].iter().filter(|byte| **byte == b'\n').count();
            input.consume(n_taken);
            if !is_all {
                return Ok(());
            }
        }
    }

    /// The next line with its end, or why it is no text, or `None` at the end of the stream.
    fn next_line(&mut self, input: &mut impl BufRead) -> Result<Option<std::result::Result<String, LineFault>>> {
        self.pass_over_blank_lines(input)?;
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES + 1;
        let n_read = input.take(limit).read_until(b'\n', &mut bytes);
        let n_read = n_read.map_err(|source| self.read_error(source))?;
        if n_read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if n_read as u64 == limit {
            return Err(self.malformed(format!("line {} is longer than {} MiB", self.line, MAX_LINE_BYTES >> 20)));
        }
        let text = String::from_utf8(bytes);
        Ok(Some(text.map_err(|error| LineFault::NotUtf8 { byte: error.utf8_error().valid_up_to() + 1 })))
    }

    /// Objects that are spread over lines, of which `first` is the first one; where there are none, what there is line by line.
    fn spread(&mut self, first: String, input: impl BufRead, keep: Keep<'_>) -> Result<()> {
        let before = self.line - 1;
        let text = first + &self.whole_text(input)?;
        if let Some(found) = documents(&text) {
            let within = if found.len() == 1 { rows_within(&text, before) } else { None };
            return match within {
                Some(rows) => rows.into_iter().try_for_each(keep),
                None => found.into_iter().try_for_each(|found| keep(row_at(found, before))),
            };
        }
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            keep(JsonRow { line: before + index + 1, fields: Fields::read(line) })?;
        }
        Ok(())
    }

    /// The rest of the stream.
    fn whole_text(&self, input: impl BufRead) -> Result<String> {
        let mut bytes = Vec::new();
        let n_read = input.take(MAX_SPREAD_BYTES + 1).read_to_end(&mut bytes);
        if n_read.map_err(|source| self.read_error(source))? as u64 > MAX_SPREAD_BYTES {
            let most = MAX_SPREAD_BYTES >> 20;
            return Err(self.bad_json(format!(
                "its first row goes over several lines, and more than {most} MiB follow; put each row on a line of its own, or all into one array"
            )));
        }
        let text = String::from_utf8(bytes);
        text.map_err(|error| {
            self.bad_json(format!(
                "not UTF-8 from byte {} after line {} on",
                error.utf8_error().valid_up_to() + 1,
                self.line
            ))
        })
    }

    /// `mark`: bytes before the array.
    fn each_element(&mut self, mut elements: Elements<impl BufRead>, mark: usize, keep: Keep<'_>) -> Result<()> {
        while let Some(element) = elements.next_element().map_err(|error| self.array_error(error))? {
            self.line = element.line;
            keep(self.element(&element, mark)?)?;
        }
        Ok(())
    }

    /// An element; what is no JSON ends the array, since nobody can say where it goes on.
    fn element(&self, element: &Element, mark: usize) -> Result<JsonRow> {
        let line = element.line;
        let text = std::str::from_utf8(&element.bytes).map_err(|error| {
            self.bad_json(format!("not UTF-8 from byte {} on", mark + element.at + error.valid_up_to() + 1))
        })?;
        let is_value = Deserializer::from_str(text).into_iter::<IgnoredAny>().next().is_some_and(|value| value.is_ok());
        match Fields::read(text) {
            Err(LineFault::Json(source)) if !is_value => {
                Err(Error::MalformedLine { path: self.path.into(), line, source })
            }
            fields if element.is_cut || matches!(fields, Err(LineFault::Json(_))) => {
                let line = line + if element.is_cut { text.matches('\n').count() } else { 0 };
                Err(self.bad_json(format!("line {line}: an element must be followed by `,` or `]`")))
            }
            fields => Ok(JsonRow { line, fields }),
        }
    }

    fn array_error(&self, error: ArrayError) -> Error {
        match error {
            ArrayError::Syntax { line, rule } => self.bad_json(format!("line {line}: {rule}")),
            ArrayError::TooLong { line } => {
                self.bad_json(format!("the element on line {line} is longer than {} MiB", MAX_LINE_BYTES >> 20))
            }
            ArrayError::Io(source) => self.read_error(source),
        }
    }

    fn bad_json(&self, rule: String) -> Error {
        Error::Malformed { path: self.path.into(), format: "JSON", rule }
    }

    fn malformed(&self, rule: String) -> Error {
        Error::Malformed { path: self.path.into(), format: "JSON Lines", rule }
    }

    /// What the system said, or, when it is the decompressor that failed, that the gzip data is damaged.
    fn read_error(&self, source: std::io::Error) -> Error {
        use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let malformed = |rule| Error::Malformed { path: self.path.into(), format: "gzip", rule };
        match source.kind() {
            _ if is_bomb(&source) => malformed(source.to_string()),
            UnexpectedEof | InvalidData | InvalidInput if self.is_gzip => {
                malformed(format!("cut short or damaged after line {}: {source}", self.line))
            }
            _ => Error::io(self.path, source),
        }
    }
}

/// A row found in a text that begins after so many lines.
fn row_at((line, text): Found, before: usize) -> JsonRow {
    JsonRow { line: before + line, fields: Fields::read(&text) }
}

/// The rows within the one object that the text is, which begins after so many lines; none where it is a row itself.
fn rows_within(text: &str, before: usize) -> Option<Vec<JsonRow>> {
    let fields: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    if KEYS_OF_ROWS.iter().any(|key| fields.contains_key(*key)) {
        return None;
    }
    LISTS_OF_ROWS.iter().find_map(|name| {
        let list = fields.get(*name)?.get();
        let found = elements(list).filter(|found| found.iter().any(|(_, text)| text.trim_start().starts_with('{')))?;
        let at = list.as_ptr() as usize - text.as_ptr() as usize; // the list is a part of the text
        let before = before + text[..at].matches('\n').count();
        Some(found.into_iter().map(|found| row_at(found, before)).collect())
    })
}
