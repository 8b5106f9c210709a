//! Question–answer–correction triples and their reader: JSON Lines or one JSON array, plain or gzip.
//!
//! Each line (or element of the array) is an object with non-empty text in `question`, `answer` and, for triples, `correction`; other fields are ignored,
//! blank lines skipped. One object with a list of rows in `data`, `rows`, `examples`, `instances` or `train` is read as that list, and objects may
//! be spread over several lines. Gzip is recognised by its first bytes, not by the name, and may have several members. A line may have at
//! most 16 MiB, so that a small hostile gzip file cannot take all memory with one line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::json_array::{ArrayError, Found, documents, elements};

mod fields;
mod line_fault;

pub use fields::Fields;
pub use line_fault::LineFault;

const MAX_LINE_BYTES: u64 = 16 << 20;
const MAX_ARRAY_BYTES: u64 = 1 << 30;
/// How far the reader looks for the bracket that begins an array.
const PEEKED_BYTES: u64 = 4096;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Where files that are one object keep their rows.
const LISTS_OF_ROWS: [&str; 5] = ["data", "rows", "examples", "instances", "train"];
/// What the object is not where it has one of these: it is a row then.
const KEYS_OF_ROWS: [&str; 7] = ["question", "answer", "chosen", "rejected", "prompt", "messages", "instruction"];

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
    read_faultless(path, |row| {
        Ok(Qac { question: row.text("question")?, answer: row.text("answer")?, correction: row.text("correction")? })
    })
}

/// Reads questions with their answers, as [`read_qac`] reads triples; a `correction` is ignored like any other field.
///
/// # Errors
/// As [`read_qac`].
pub fn read_questions(path: &Path) -> Result<Vec<Question>> {
    read_faultless(path, |row| Ok(Question { question: row.text("question")?, answer: row.text("answer")? }))
}

/// The fields of a row, or why there are none, and the line it begins on, counted from 1.
#[derive(Debug)]
pub struct JsonRow {
    /// The line in the (decompressed) file.
    pub line: usize,
    /// Its fields.
    pub fields: std::result::Result<Fields, LineFault>,
}

/// Reads the rows of a file, whatever their fields: JSON Lines or one array, plain or gzip; `-` is the standard input. What is wrong with a
/// single line stays with its row.
///
/// # Errors
/// What is wrong with the file: [`Error::NotFound`], [`Error::Io`], [`Error::Malformed`], [`Error::MalformedLine`] for an array that
/// breaks off, and [`Error::EmptyFile`].
pub fn read_objects(path: &Path) -> Result<Vec<JsonRow>> {
    read_rows(path, Ok)
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
    fields: Fields,
}

impl Row<'_> {
    /// Takes a field that must hold text other than white space.
    fn text(&self, field: &str) -> Result<String> {
        let (path, line) = (self.path.to_path_buf(), self.line);
        let value = self.fields.value(field).transpose();
        let value = value.map_err(|source| Error::MalformedLine { path: path.clone(), line, source })?;
        let field = field.to_owned();
        match value {
            None => Err(Error::MissingField { path, line, field }),
            Some(Value::String(text)) if text.trim().is_empty() => Err(Error::EmptyField { path, line, field }),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(Error::FieldType { path, line, field, got: kind(&other) }),
        }
    }
}

/// Reads rows of which none may be faulty.
fn read_faultless<T>(path: &Path, convert: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
    let name = if path == Path::new("-") { Path::new("<stdin>") } else { path };
    read_rows(path, |JsonRow { line, fields }| {
        let fields = fields.map_err(|fault| fault.at(name, line))?;
        convert(&Row { path: name, line, fields })
    })
}

fn read_rows<T>(path: &Path, convert: impl Fn(JsonRow) -> Result<T>) -> Result<Vec<T>> {
    if path == Path::new("-") {
        return read_from(Path::new("<stdin>"), standard_input()?, convert);
    }
    let file = std::fs::File::open(path).map_err(|source| Error::io(path, source))?;
    read_from(path, BufReader::new(file), convert)
}

/// All of standard input, which can be read only once, while readers may try several formats.
fn standard_input() -> Result<&'static [u8]> {
    static INPUT: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = INPUT.get() {
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(|source| Error::io(Path::new("<stdin>"), source))?;
    Ok(INPUT.get_or_init(|| bytes))
}

/// The bytes of a data file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn data_bytes(path: &Path) -> Result<Vec<u8>> {
    match path == Path::new("-") {
        true => standard_input().map(<[u8]>::to_vec),
        false => std::fs::read(path).map_err(|source| Error::io(path, source)),
    }
}

/// Reads rows from an open stream; `path` is for messages.
fn read_from<T>(path: &Path, mut input: impl BufRead, convert: impl Fn(JsonRow) -> Result<T>) -> Result<Vec<T>> {
    let (is_gzip, head) = starts_with_gzip(&mut input).map_err(|source| Error::io(path, source))?;
    let input = head.chain(input);
    let rows = match is_gzip {
        true => read_lines(Lines::new(path, is_gzip, BufReader::new(MultiGzDecoder::new(input)))),
        false => read_lines(Lines::new(path, is_gzip, input)),
    };
    match rows? {
        rows if rows.is_empty() => Err(Error::EmptyFile { path: path.to_path_buf() }),
        rows => rows.into_iter().map(convert).collect(),
    }
}

/// Takes the first two bytes and says whether gzip begins with them. A pipe may deliver them one at a time.
fn starts_with_gzip(input: &mut impl BufRead) -> std::io::Result<(bool, std::io::Cursor<Vec<u8>>)> {
    let mut head = Vec::new();
    input.take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok((head == GZIP_MAGIC, std::io::Cursor::new(head)))
}

fn read_lines(mut lines: Lines<impl BufRead>) -> Result<Vec<JsonRow>> {
    let mut head = Vec::new();
    let peeked = (&mut lines.input).take(PEEKED_BYTES).read_to_end(&mut head);
    peeked.map_err(|source| lines.read_error(source))?;
    let is_array = begins_array(&head);
    let Lines { path, is_gzip, input, .. } = lines;
    let mut lines = Lines::new(&path, is_gzip, std::io::Cursor::new(head).chain(input));
    if is_array {
        return read_array(lines);
    }
    let (mut rows, mut first) = (Vec::new(), None);
    while let Some(text) = lines.next_line()? {
        let line = lines.line;
        let fields = match text {
            Ok(text) if text.trim().is_empty() => continue,
            Ok(text) => {
                let fields = Fields::read(&text);
                if rows.is_empty() && matches!(&fields, Err(LineFault::Json(error)) if error.is_eof()) {
                    return read_spread(lines, text);
                }
                first = first.or(Some((line, text)));
                fields
            }
            Err(fault) => Err(fault),
        };
        rows.push(JsonRow { line, fields });
    }
    let only = first.filter(|_| rows.len() == 1);
    Ok(only.and_then(|(line, text)| rows_within(&text, line - 1)).unwrap_or(rows))
}

/// Reads objects that are spread over lines, of which `first` is the first one; where there are none, what there is line by line.
fn read_spread(mut lines: Lines<impl BufRead>, first: String) -> Result<Vec<JsonRow>> {
    let before = lines.line - 1;
    let text = first + &lines.whole_text()?;
    if let Ok(found) = documents(&text) {
        let rows: Vec<JsonRow> = found.into_iter().map(|found| row_at(found, before)).collect();
        let within = if rows.len() == 1 { rows_within(&text, before) } else { None };
        return Ok(within.unwrap_or(rows));
    }
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    Ok(numbered.map(|(index, line)| JsonRow { line: before + index + 1, fields: Fields::read(line) }).collect())
}

/// A row found in a text that begins after so many lines.
fn row_at((line, value): Found, before: usize) -> JsonRow {
    JsonRow { line: before + line, fields: Fields::read(value.get()) }
}

/// The rows within the one object that the text is, which begins after so many lines; none where it is a row itself.
fn rows_within(text: &str, before: usize) -> Option<Vec<JsonRow>> {
    let fields: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    if KEYS_OF_ROWS.iter().any(|key| fields.contains_key(*key)) {
        return None;
    }
    LISTS_OF_ROWS.iter().find_map(|name| {
        let list = fields.get(*name)?.get();
        let found = elements(list).ok().filter(|found| found.iter().any(|(_, value)| value.get().starts_with('{')))?;
        let at = list.as_ptr() as usize - text.as_ptr() as usize; // the list is a part of the text
        let before = before + text[..at].matches('\n').count();
        Some(found.into_iter().map(|found| row_at(found, before)).collect())
    })
}

/// Whether the first character, after a byte-order mark and white space, opens an array.
fn begins_array(head: &[u8]) -> bool {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    text.trim_ascii_start().first() == Some(&b'[')
}

fn read_array(mut lines: Lines<impl BufRead>) -> Result<Vec<JsonRow>> {
    let text = lines.whole_text()?;
    let malformed = |rule| Error::Malformed { path: lines.path.clone(), format: "JSON", rule };
    let found = elements(&text).map_err(|error| match error {
        ArrayError::Json { line, source } => Error::MalformedLine { path: lines.path.clone(), line, source },
        ArrayError::Syntax { line, rule } => malformed(format!("line {line}: {rule}")),
    })?;
    Ok(found.into_iter().map(|found| row_at(found, 0)).collect())
}

/// The lines of a stream, numbered from 1.
struct Lines<R> {
    path: PathBuf,
    is_gzip: bool,
    input: R,
    line: usize,
}

impl<R: BufRead> Lines<R> {
    fn new(path: &Path, is_gzip: bool, input: R) -> Self {
        Self { path: path.to_path_buf(), is_gzip, input, line: 0 }
    }

    /// The next line with its end, or why it is no text, or `None` at the end of the stream.
    fn next_line(&mut self) -> Result<Option<std::result::Result<String, LineFault>>> {
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES + 1;
        let n_read = (&mut self.input).take(limit).read_until(b'\n', &mut bytes);
        let n_read = n_read.map_err(|source| self.read_error(source))?;
        if n_read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if n_read as u64 == limit {
            return Err(self.malformed(format!("line {} is longer than {} MiB", self.line, MAX_LINE_BYTES >> 20)));
        }
        if self.line == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        let text = String::from_utf8(bytes);
        Ok(Some(text.map_err(|error| LineFault::NotUtf8 { byte: error.utf8_error().valid_up_to() + 1 })))
    }

    /// Everything, for a document that is one JSON value.
    fn whole_text(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        let n_read = (&mut self.input).take(MAX_ARRAY_BYTES + 1).read_to_end(&mut bytes);
        let malformed = |rule| Error::Malformed { path: self.path.clone(), format: "JSON", rule };
        if n_read.map_err(|source| self.read_error(source))? as u64 > MAX_ARRAY_BYTES {
            return Err(malformed(format!("an array longer than {} MiB; use JSON Lines", MAX_ARRAY_BYTES >> 20)));
        }
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        let text = String::from_utf8(bytes);
        text.map_err(|error| malformed(format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to() + 1)))
    }

    fn malformed(&self, rule: String) -> Error {
        Error::Malformed { path: self.path.clone(), format: "JSON Lines", rule }
    }

    /// What the system said, or, when it is the decompressor that failed, that the gzip data is damaged.
    fn read_error(&self, source: std::io::Error) -> Error {
        use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match source.kind() {
            UnexpectedEof | InvalidData | InvalidInput if self.is_gzip => {
                let rule = format!("cut short or damaged after line {}: {source}", self.line);
                Error::Malformed { path: self.path.clone(), format: "gzip", rule }
            }
            _ => Error::io(&self.path, source),
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
            let rows = read_from(Path::new("<stdin>"), input, Ok).unwrap();
            assert_eq!((rows.len(), rows[0].fields.as_ref().unwrap().text("question")), (1, Some("q".into())));
        }
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
        assert_eq!(message(b"[\n3]"), "d.jsonl:2: a row must be an object, but this is a number");
        assert_eq!(
            message(b"[{}\n"),
            "d.jsonl: not a valid JSON file: line 2: an element must be followed by `,` or `]`"
        );
        assert_eq!(message(b"[\"\xe9\"]"), "d.jsonl: not a valid JSON file: not UTF-8 from byte 3 on");
    }

    #[test]
    fn one_object_may_hold_the_rows_and_objects_may_be_spread_over_lines() {
        let held = format!("{{\"version\": 2, \"data\": [{ROW}, {ROW}]}}");
        assert_eq!(read(held.as_bytes()).unwrap().len(), 2);
        let spread = "{\n \"version\": 2,\n \"data\": [\n  {\n   \"question\": \"q\"\n  }\n ]\n}\n";
        assert_eq!(message(spread.as_bytes()), "d.jsonl:4: field `answer` is missing");
        let spread = ROW.replace(", ", ",\n  ");
        assert_eq!(read(format!("{spread}\n{ROW}\n\n{spread}").as_bytes()).unwrap().len(), 3);
        let itself = ROW.replace('{', "{\"data\": [{\"a\": 1}], ");
        assert_eq!(read(itself.as_bytes()).unwrap(), [triple("q")], "a row with a list of its own");
        assert_eq!(
            message(format!("{{\"question\": \"q\",\n{ROW}\n").as_bytes()),
            "d.jsonl:1: not valid JSON: EOF while parsing a value at column 17"
        );
    }

    #[test]
    fn a_faulty_line_leaves_the_others_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let bytes = [ROW.as_bytes(), b"\r\n{,}\n\n\xff\n[]\n", ROW.as_bytes()].concat();
        std::fs::write(&path, bytes).unwrap();
        let rows = read_objects(&path).unwrap();
        let lines: Vec<(usize, bool)> = rows.iter().map(|row| (row.line, row.fields.is_ok())).collect();
        assert_eq!(lines, [(1, true), (2, false), (4, false), (5, false), (6, true)]);
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
        assert_eq!(second("[1]"), "d.jsonl:2: a row must be an object, but this is a list");
        assert_eq!(second("\"x\""), "d.jsonl:2: a row must be an object, but this is text");
    }

    #[test]
    fn line_numbers_count_blank_lines() {
        assert_eq!(message(format!("{ROW}\n\n\n{{}}").as_bytes()), "d.jsonl:4: field `question` is missing");
    }

    #[test]
    fn refuses_other_encodings() {
        let bytes = [ROW.as_bytes(), b"\n{\"question\": \"\xe9\"}"].concat();
        assert_eq!(message(&bytes), "d.jsonl:2: not UTF-8 from byte 15 of the line on");
    }

    #[test]
    fn refuses_a_file_without_rows() {
        for bytes in [&b""[..], b"\n \n", b"\xef\xbb\xbf", &gzip(b"")] {
            assert_eq!(message(bytes), "d.jsonl: no rows");
        }
        assert!(matches!(read_qac(Path::new("no/such.jsonl")), Err(Error::NotFound { .. })));
        assert!(matches!(read_qac(Path::new(".")), Err(Error::Io { .. })), "a folder");
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
