//! Question–answer–correction triples and their reader: JSON Lines or one JSON array, plain or gzip.
//!
//! Each line (or element of the array) is an object with non-empty text in `question`, `answer` and, for triples, `correction`; other fields are ignored,
//! blank lines skipped. Gzip is recognised by its first bytes, not by the name, and may have several members. Rows are read one by one,
//! so that a small hostile file cannot take all memory: a row has at most 16 MiB, gzip inflates at most fifty-fold beyond the first 64 MiB,
//! and the values of all rows need at most 640 MiB beside their texts.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeSeed;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::files::{MOST_TEXT, open_input, read_input};
use crate::inflate::Inflated;
use crate::json_array::{ArrayError, Element, Elements};
use crate::json_value::{Budget, RowSeed, RowValue};

const MAX_LINE_BYTES: u64 = 16 << 20;
/// Most memory that the values of all rows may take beside their texts.
const MOST_VALUES_BYTES: usize = 640 << 20;
/// Memory of a row beside its texts.
const ROW_BYTES: usize = 160;
/// How far the reader looks for the bracket that begins an array.
const PEEKED_BYTES: u64 = 4096;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A question, an upstream model's answer and its correction: the training triple of an Aligner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Qac {
    /// What was asked.
    pub question: String,
    /// What the upstream model answered.
    pub answer: String,
    /// The answer as it should be; equal to the answer when nothing is to be corrected.
    pub correction: String,
}

/// A question and an upstream model's answer: what an Aligner is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// What was asked.
    pub question: String,
    /// What the upstream model answered.
    pub answer: String,
}

/// Reads triples from a file of JSON Lines, plain or gzip; `-` is the standard input.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Io`]; with the line, [`Error::MalformedLine`], [`Error::MissingField`], [`Error::FieldType`] and
/// [`Error::EmptyField`]; [`Error::Malformed`] for a line that is no object, no UTF-8 or too long, and for damaged gzip;
/// [`Error::EmptyFile`] when there is no row.
pub fn read_qac(path: &Path) -> Result<Vec<Qac>> {
    read_rows(path, Some(&["question", "answer", "correction"]), |row| {
        Ok(Qac { question: row.text("question")?, answer: row.text("answer")?, correction: row.text("correction")? })
    })
}

/// Reads questions with their answers, as [`read_qac`] reads triples; a `correction` is ignored like any other field.
///
/// # Errors
/// As [`read_qac`].
pub fn read_questions(path: &Path) -> Result<Vec<Question>> {
    let fields = Some(&["question", "answer"][..]);
    read_rows(path, fields, |row| Ok(Question { question: row.text("question")?, answer: row.text("answer")? }))
}

/// A JSON object and the line it begins on, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonRow {
    /// The line in the (decompressed) file.
    pub line: usize,
    /// Its fields.
    pub fields: Map<String, Value>,
}

/// Reads the objects of a file, whatever their fields: JSON Lines or one array, plain or gzip; `-` is the standard input.
///
/// # Errors
/// As [`read_qac`], but for those about fields.
pub fn read_objects(path: &Path) -> Result<Vec<JsonRow>> {
    read_rows(path, None, |row| Ok(JsonRow { line: row.line, fields: std::mem::take(&mut row.object) }))
}

/// What a JSON value is called in messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// One line, parsed.
struct Row<'a> {
    path: &'a Path,
    line: usize,
    object: Map<String, Value>,
}

impl Row<'_> {
    /// Takes a field that must hold text other than white space.
    fn text(&mut self, field: &str) -> Result<String> {
        let (path, line, field) = (self.path.to_path_buf(), self.line, field.to_owned());
        match self.object.remove(&field) {
            None => Err(Error::MissingField { path, line, field }),
            Some(Value::String(text)) if text.trim().is_empty() => Err(Error::EmptyField { path, line, field }),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(Error::FieldType { path, line, field, got: kind(&other) }),
        }
    }
}

fn read_rows<T>(
    path: &Path,
    fields: Option<&[&str]>,
    convert: impl FnMut(&mut Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let name = if path == Path::new("-") { Path::new("<stdin>") } else { path };
    read_from(name, BufReader::new(open_input(path)?), fields, convert)
}

/// The bytes of a data file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn data_bytes(path: &Path) -> Result<Vec<u8>> {
    read_input(path, MOST_TEXT)
}

/// Reads rows from an open stream; `path` is for messages.
fn read_from<T>(
    path: &Path,
    mut input: impl BufRead,
    fields: Option<&[&str]>,
    convert: impl FnMut(&mut Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let (is_gzip, head) = starts_with_gzip(&mut input).map_err(|source| Error::io(path, source))?;
    let input = head.chain(input);
    let budget = Budget::new(MOST_VALUES_BYTES);
    let rows = |is_gzip| Rows { path, is_gzip, line: 0, fields, budget: &budget };
    match is_gzip {
        true => rows(true).read(BufReader::new(Inflated::new(input, MultiGzDecoder::new)), convert),
        false => rows(false).read(input, convert),
    }
}

/// Takes the first two bytes and says whether gzip begins with them. A pipe may deliver them one at a time.
fn starts_with_gzip(input: &mut impl BufRead) -> std::io::Result<(bool, std::io::Cursor<Vec<u8>>)> {
    let mut head = Vec::new();
    input.take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok((head == GZIP_MAGIC, std::io::Cursor::new(head)))
}

/// Whether the first character, after a byte-order mark and white space, opens an array.
fn begins_array(head: &[u8]) -> bool {
    head.trim_ascii_start().first() == Some(&b'[')
}

/// The rows of a stream.
struct Rows<'a> {
    path: &'a Path,
    is_gzip: bool,
    /// Lines read so far.
    line: usize,
    fields: Option<&'a [&'a str]>,
    budget: &'a Budget,
}

impl Rows<'_> {
    fn read<T>(
        mut self,
        mut input: impl BufRead,
        mut convert: impl FnMut(&mut Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut head = Vec::new();
        let peeked = (&mut input).take(PEEKED_BYTES).read_to_end(&mut head);
        peeked.map_err(|source| self.read_error(source))?;
        let mark = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        head.drain(..mark);
        let is_array = begins_array(&head);
        let input = std::io::Cursor::new(head).chain(input);
        let mut rows = Vec::new();
        let mut keep = |line, object| -> Result<()> {
            rows.push(convert(&mut Row { path: self.path, line, object })?);
            Ok(())
        };
        match is_array {
            true => self.each_element(Elements::new(input, MAX_LINE_BYTES as usize), mark, &mut keep)?,
            false => self.each_line(input, &mut keep)?,
        }
        match rows.is_empty() {
            true => Err(Error::EmptyFile { path: self.path.into() }),
            false => Ok(rows),
        }
    }

    fn each_line(
        &mut self,
        mut input: impl BufRead,
        keep: &mut impl FnMut(usize, Map<String, Value>) -> Result<()>,
    ) -> Result<()> {
        while let Some(text) = self.next_line(&mut input)? {
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let mut parser = serde_json::Deserializer::from_str(text);
            match self.value(self.line, &mut parser)? {
                RowValue::Object(object) => keep(self.line, object)?,
                RowValue::Other(other) => {
                    return Err(self.malformed(format!("line {} is {}, not an object", self.line, kind(&other))));
                }
            }
        }
        Ok(())
    }

    /// The next line without its end, or `None` at the end of the stream.
    fn next_line(&mut self, input: &mut impl BufRead) -> Result<Option<String>> {
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
        text.map(Some).map_err(|error| {
            let at = error.utf8_error().valid_up_to() + 1;
            self.malformed(format!("line {} is not UTF-8 from its byte {at} on", self.line))
        })
    }

    /// `mark`: bytes before the array.
    fn each_element(
        &mut self,
        mut elements: Elements<impl BufRead>,
        mark: usize,
        keep: &mut impl FnMut(usize, Map<String, Value>) -> Result<()>,
    ) -> Result<()> {
        while let Some(element) = elements.next_element().map_err(|error| self.array_error(error))? {
            self.line = element.line;
            match self.element(&element, mark)? {
                RowValue::Object(object) => keep(element.line, object)?,
                RowValue::Other(other) => {
                    let (line, got) = (element.line, kind(&other));
                    return Err(self.bad_array(format!("the element on line {line} is {got}, not an object")));
                }
            }
        }
        Ok(())
    }

    fn element(&self, element: &Element, mark: usize) -> Result<RowValue> {
        let text = std::str::from_utf8(&element.bytes).map_err(|error| {
            self.bad_array(format!("not UTF-8 from byte {} on", mark + element.at + error.valid_up_to() + 1))
        })?;
        let mut parser = serde_json::Deserializer::from_str(text);
        let value = self.value(element.line, &mut parser)?;
        match element.is_cut || parser.end().is_err() {
            true => {
                let n_lines = if element.is_cut { text.matches('\n').count() } else { 0 };
                let line = element.line + n_lines;
                Err(self.bad_array(format!("line {line}: an element must be followed by `,` or `]`")))
            }
            false => Ok(value),
        }
    }

    fn value<'de>(
        &self,
        line: usize,
        parser: &mut serde_json::Deserializer<impl serde_json::de::Read<'de>>,
    ) -> Result<RowValue> {
        let seed = RowSeed { fields: self.fields, budget: self.budget };
        let value = match self.fields {
            None => seed.deserialize(parser),
            // what is kept of a row is known
            Some(_) => RowSeed { budget: &Budget::new(usize::MAX), ..seed }.deserialize(parser),
        };
        let has_room = self.budget.take(ROW_BYTES) && !self.budget.is_spent();
        match value {
            _ if !has_room => Err(self.malformed(format!(
                "the values up to line {line} need more than {} MiB of memory beside their texts; give the file in parts",
                MOST_VALUES_BYTES >> 20
            ))),
            Ok(value) => Ok(value),
            Err(source) => Err(Error::MalformedLine { path: self.path.into(), line, source }),
        }
    }

    fn array_error(&self, error: ArrayError) -> Error {
        match error {
            ArrayError::Syntax { line, rule } => self.bad_array(format!("line {line}: {rule}")),
            ArrayError::TooLong { line } => {
                self.bad_array(format!("the element on line {line} is longer than {} MiB", MAX_LINE_BYTES >> 20))
            }
            ArrayError::Io(source) => self.read_error(source),
        }
    }

    fn bad_array(&self, rule: String) -> Error {
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
            _ if crate::inflate::is_bomb(&source) => malformed(source.to_string()),
            UnexpectedEof | InvalidData | InvalidInput if self.is_gzip => {
                malformed(format!("cut short or damaged after line {}: {source}", self.line))
            }
            _ => Error::io(self.path, source),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    const ROW: &str = r#"{"question": "q", "answer": "a", "correction": "c"}"#;

    fn read(bytes: &[u8]) -> Result<Vec<Qac>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        std::fs::write(&path, bytes).unwrap();
        read_qac(&path)
    }

    /// The error's text with the file's folder left out.
    fn message(bytes: &[u8]) -> String {
        let text = read(bytes).unwrap_err().to_string();
        let at = text.find("d.jsonl").unwrap();
        text[at..].to_owned()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn triple(question: &str) -> Qac {
        Qac { question: question.into(), answer: "a".into(), correction: "c".into() }
    }

    #[test]
    fn reads_plain_lines_and_ignores_what_does_not_matter() {
        let text = format!(
            "\u{feff}{ROW}\r\n\n   \n{{\"id\": [1], \"correction\": \"c\", \"answer\": \"a\", \"question\": \"é\\n\"}}"
        );
        assert_eq!(read(text.as_bytes()).unwrap(), [triple("q"), triple("é\n")]);
    }

    #[test]
    fn reads_gzip_of_several_members_whatever_the_name() {
        let bytes = [gzip(format!("{ROW}\n").as_bytes()), gzip(ROW.as_bytes())].concat();
        assert_eq!(read(&bytes).unwrap(), [triple("q"), triple("q")]);
    }

    #[test]
    fn reads_a_stream_that_comes_byte_by_byte() {
        for bytes in [ROW.as_bytes().to_vec(), gzip(ROW.as_bytes())] {
            let input = BufReader::with_capacity(1, &bytes[..]);
            let rows = read_from(Path::new("<stdin>"), input, None, |row| row.text("question")).unwrap();
            assert_eq!(rows, ["q"]);
        }
        let error = read_from(Path::new("<stdin>"), &b"{}"[..], None, |row| row.text("question")).unwrap_err();
        assert_eq!(error.to_string(), "<stdin>:1: field `question` is missing");
    }

    #[test]
    fn an_array_is_read_like_lines() {
        let text = format!("\u{feff}\n [\n{ROW},\n {ROW}]\n");
        assert_eq!(read(text.as_bytes()).unwrap(), [triple("q"), triple("q")]);
        assert_eq!(read(&gzip(text.as_bytes())).unwrap().len(), 2);
        assert_eq!(
            message(format!("[\n{ROW},\n{{\"question\": \"q\"}}]").as_bytes()),
            "d.jsonl:3: field `answer` is missing"
        );
        assert_eq!(message(b"[]"), "d.jsonl: no rows");
        assert_eq!(
            message(b"[\n3]"),
            "d.jsonl: not a valid JSON file: the element on line 2 is a number, not an object"
        );
        assert_eq!(
            message(b"[{}\n"),
            "d.jsonl: not a valid JSON file: line 2: an element must be followed by `,` or `]`"
        );
        assert_eq!(message(b"[\"\xe9\"]"), "d.jsonl: not a valid JSON file: not UTF-8 from byte 3 on");
    }

    #[test]
    fn small_files_that_inflate_to_much_are_refused_early() {
        let numbers = format!("[{}0]", "0,".repeat(4 << 20));
        let expected = "d.jsonl: not a valid JSON file: the element on line 1 is a number, not an object";
        assert_eq!(message(&gzip(numbers.as_bytes())), expected);
        let row = format!("{{\"question\": [{}0]}}", "{},".repeat(1 << 20));
        assert_eq!(message(row.as_bytes()), "d.jsonl:1: field `question` must be text, but is a list");
        let long = vec![b' '; (65 << 20) + 1];
        assert_eq!(
            message(&gzip(&long)),
            "d.jsonl: not a valid JSON Lines file: line 1 is longer than 16 MiB",
            "white space is a line too"
        );
        let blank = vec![b'\n'; 65 << 20];
        let bomb = message(&gzip(&blank));
        assert!(
            bomb.contains("not a valid gzip file: it inflates to more than 64 MiB and more than 50 times"),
            "{bomb}"
        );
        let element = format!("[\n\"{}\"]", "x".repeat(17 << 20));
        assert!(message(element.as_bytes()).ends_with("the element on line 2 is longer than 16 MiB"));
    }

    #[test]
    fn rows_of_many_values_are_refused_by_their_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let row = format!("{{\"a\": [{}0]}}\n", "{\"\":0},".repeat(200_000));
        std::fs::write(&path, row.repeat(6)).unwrap();
        let error = read_objects(&path).unwrap_err().to_string();
        assert!(error.contains("the values up to line 5 need more than 640 MiB of memory"), "{error}");
        assert!(read_qac(&path).unwrap_err().to_string().ends_with("field `question` is missing"));
    }

    #[test]
    fn questions_need_no_correction() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        std::fs::write(&path, r#"{"question": "q", "answer": "a", "correction": 3}"#).unwrap();
        assert_eq!(read_questions(&path).unwrap(), [Question { question: "q".into(), answer: "a".into() }]);
    }

    #[test]
    fn each_broken_row_has_its_message() {
        let second = |row: &str| message(format!("{ROW}\n{row}\n").as_bytes());
        assert_eq!(second("{"), "d.jsonl:2: not valid JSON: EOF while parsing an object at column 1");
        assert_eq!(second(r#"{"question": "q", "answer": "a"}"#), "d.jsonl:2: field `correction` is missing");
        assert_eq!(second(r#"{"question": " \n"}"#), "d.jsonl:2: field `question` is empty");
        assert_eq!(second(r#"{"question": "q", "answer": ""}"#), "d.jsonl:2: field `answer` is empty");
        let wrong = |value: &str| second(&format!(r#"{{"question": "q", "answer": "a", "correction": {value}}}"#));
        assert_eq!(wrong("\" \""), "d.jsonl:2: field `correction` is empty");
        assert_eq!(wrong("null"), "d.jsonl:2: field `correction` must be text, but is null");
        assert_eq!(wrong("1.5"), "d.jsonl:2: field `correction` must be text, but is a number");
        assert_eq!(wrong("true"), "d.jsonl:2: field `correction` must be text, but is a truth value");
        assert_eq!(wrong("[]"), "d.jsonl:2: field `correction` must be text, but is a list");
        assert_eq!(wrong("{}"), "d.jsonl:2: field `correction` must be text, but is an object");
        assert_eq!(second("[1]"), "d.jsonl: not a valid JSON Lines file: line 2 is a list, not an object");
        assert_eq!(second("\"x\""), "d.jsonl: not a valid JSON Lines file: line 2 is text, not an object");
    }

    #[test]
    fn line_numbers_count_blank_lines() {
        assert_eq!(message(format!("{ROW}\n\n\n{{}}").as_bytes()), "d.jsonl:4: field `question` is missing");
    }

    #[test]
    fn refuses_other_encodings() {
        let bytes = [ROW.as_bytes(), b"\n{\"question\": \"\xe9\"}"].concat();
        assert_eq!(message(&bytes), "d.jsonl: not a valid JSON Lines file: line 2 is not UTF-8 from its byte 15 on");
    }

    #[test]
    fn refuses_a_file_without_rows() {
        for bytes in [&b""[..], b"\n \n", b"\xef\xbb\xbf", &gzip(b"")] {
            assert_eq!(message(bytes), "d.jsonl: no rows");
        }
        assert!(matches!(read_qac(Path::new("no/such.jsonl")), Err(Error::NotFound { .. })));
        assert!(matches!(read_qac(Path::new(".")), Err(Error::NotAFile { kind: "a folder", .. })));
    }

    #[test]
    fn refuses_damaged_gzip() {
        let mut text = String::new();
        (0..2000)
            .for_each(|i| text += &format!("{{\"question\": \"{i}\", \"answer\": \"a\", \"correction\": \"c\"}}\n"));
        let whole = gzip(text.as_bytes());
        let cut = message(&whole[..whole.len() - 4]);
        assert!(cut.starts_with("d.jsonl: not a valid gzip file: cut short or damaged after line 2000: "), "{cut}");
        assert!(
            message(&whole[..whole.len() / 2])
                .starts_with("d.jsonl: not a valid gzip file: cut short or damaged after line ")
        );
        assert!(
            message(&GZIP_MAGIC).starts_with("d.jsonl: not a valid gzip file: cut short or damaged after line 0: ")
        );
        let mut flipped = whole.clone();
        let checksum = flipped.len() - 8;
        flipped[checksum] ^= 1;
        assert!(message(&flipped).contains("damaged after line 2000"));
        let trailing = [&whole[..], b"garbage"].concat();
        assert!(message(&trailing).contains("not a valid gzip file"));
    }

    #[test]
    fn a_gzip_bomb_of_one_line_is_refused() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(message(&bomb), "d.jsonl: not a valid JSON Lines file: line 1 is longer than 16 MiB");
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_read() {
        let mut line = ROW.to_owned();
        line.push_str(&" ".repeat(MAX_LINE_BYTES as usize - ROW.len()));
        assert_eq!(read(line.as_bytes()).unwrap(), [triple("q")]);
    }

    proptest! {
        #[test]
        fn written_triples_are_read_back(texts in prop::collection::vec("\\S.*", 3..12), compress in any::<bool>()) {
            let rows: Vec<Qac> = texts
                .chunks_exact(3)
                .map(|part| Qac { question: part[0].clone(), answer: part[1].clone(), correction: part[2].clone() })
                .collect();
            let text: String = rows.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
            let bytes = if compress { gzip(text.as_bytes()) } else { text.into_bytes() };
            prop_assert_eq!(read(&bytes).unwrap(), rows);
        }
    }
}
