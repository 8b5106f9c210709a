//! Question–answer–correction triples and their reader: JSON Lines or one JSON array, plain or gzip.
//!
//! Each line (or element of the array) is an object with non-empty text in `question`, `answer` and, for triples, `correction`; other fields are ignored,
//! blank lines skipped. One object with a list of rows in `data`, `rows`, `examples`, `instances` or `train` is read as that list, and objects may
//! be spread over several lines. Gzip is recognised by its first bytes, not by the name, and may have several members. Rows are read one by one,
//! so that a small hostile file cannot take all memory: a row has at most 16 MiB, gzip inflates at most fifty-fold beyond the first 64 MiB,
//! and what is kept of all rows needs at most 640 MiB beside their texts.

mod fields;
mod line_fault;
mod rows;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::{MOST_TEXT, read_input};

pub use fields::{Fields, whole_surrogates};
pub use line_fault::LineFault;
use rows::{Kept, read_rows};

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
    read_rows(path, Kept::Fields, Ok)
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
    /// A field that must hold text other than white space.
    fn text(&self, field: &str) -> Result<String> {
        let (path, line) = (self.path.to_path_buf(), self.line);
        let Some(got) = self.fields.kind(field) else {
            return Err(Error::MissingField { path, line, field: field.into() });
        };
        let text = self.fields.value(field).filter(|_| got == "text").transpose();
        let text = text.map_err(|source| Error::MalformedLine { path: path.clone(), line, source })?;
        let field = field.to_owned();
        match text {
            Some(Value::String(text)) if text.trim().is_empty() => Err(Error::EmptyField { path, line, field }),
            Some(Value::String(text)) => Ok(text),
            _ => Err(Error::FieldType { path, line, field, got }),
        }
    }
}

/// Reads rows of which none may be faulty.
fn read_faultless<T>(path: &Path, convert: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
    let name = rows::name(path);
    read_rows(path, Kept::Texts, |JsonRow { line, fields }| {
        let fields = fields.map_err(|fault| fault.at(name, line))?;
        convert(&Row { path: name, line, fields })
    })
}

/// The bytes of a data file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn data_bytes(path: &Path) -> Result<Vec<u8>> {
    read_input(path, MOST_TEXT)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

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
            let rows = rows::read_from(Path::new("<stdin>"), input, Kept::Fields, Ok).unwrap();
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
    fn small_files_that_inflate_to_much_are_refused_early() {
        let numbers = format!("[{}0]", "0,".repeat(4 << 20));
        let expected = "d.jsonl:1: a row must be an object, but this is a number";
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
    fn rows_of_many_fields_are_refused_by_their_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let fields: Vec<String> = (0..200_000).map(|i| format!("\"{i}\":0")).collect();
        std::fs::write(&path, format!("{{{}}}\n", fields.join(",")).repeat(40)).unwrap();
        let error = read_objects(&path).unwrap_err().to_string();
        assert!(error.contains("what is kept of the rows up to line 33 needs more than 640 MiB"), "{error}");
        assert!(read_qac(&path).unwrap_err().to_string().ends_with("field `question` is missing"));
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
            message(&rows::GZIP_MAGIC)
                .starts_with("d.jsonl: not a valid gzip file: cut short or damaged after line 0: ")
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
        line.push_str(&" ".repeat(rows::MAX_LINE_BYTES as usize - ROW.len()));
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
