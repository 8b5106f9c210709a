//! A file of records that is only ever written at its end.

use std::fs::File;
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use redline_model::Error as ModelError;
use redline_model::files::{MOST_TEXT, open_to_append, read};

use super::super::Result;
use super::Record;
use super::lines::{Records, Torn, parse};
use super::write::{header, line, refuse_compressed};

/// A record whose file has its schema in a line of its own, so that it can grow.
pub trait Appended: Record {}

/// A file of records open for more, held until it is dropped: no other run writes to it.
#[derive(Debug)]
pub struct RecordLog<R> {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    n_lines: usize,
    kind: PhantomData<fn(R)>,
}

impl<R: Appended> RecordLog<R> {
    /// Starts a file, or continues one; gives what it holds. What a kill left of a last line is cut off, and [`Records::torn`] says so:
    /// nothing else of a file is ever changed.
    ///
    /// # Errors
    /// Those of [`read_records`](super::read_records); [`JudgeError::Compressed`](super::super::JudgeError::Compressed); another run
    /// writes to the file. A file that is refused is not changed.
    pub fn open(path: &Path) -> Result<(Self, Records<R>)> {
        refuse_compressed(path, &[])?;
        let file = open_to_append(path)?;
        let bytes = read(path, MOST_TEXT)?;
        refuse_compressed(path, &bytes)?;
        let mut log = Self { path: path.into(), file, length: 0, n_lines: 1, kind: PhantomData };
        let header = header::<R>();
        // a kill may also have cut the first line
        if bytes.len() + 1 < header.len() && header.as_bytes().starts_with(&bytes) {
            log.cut(0)?;
            log.write(&header)?;
            let torn = (!bytes.is_empty()).then_some(Torn { line: 1, n_bytes: bytes.len() });
            return Ok((log, Records { rows: Vec::new(), lines: Vec::new(), torn, n_whole: 0, is_ended: true }));
        }
        let records = parse::<R>(path, &bytes)?;
        log.length = records.n_whole;
        log.n_lines = bytes[..records.n_whole as usize].split_inclusive(|byte| *byte == b'\n').count();
        if records.torn.is_some() {
            log.cut(records.n_whole)?;
        }
        if !records.is_ended {
            log.write("\n")?;
        }
        Ok((log, records))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lines that it has, the first one with the schema included.
    pub fn n_lines(&self) -> usize {
        self.n_lines
    }

    /// Appends a record, which is on disk when this returns; gives its line, from 1.
    ///
    /// # Errors
    /// [`JudgeError::Line`](super::super::JudgeError::Line) for a record that breaks a rule, and nothing is written; the file cannot be written.
    pub fn append(&mut self, record: &R) -> Result<usize> {
        let text = line(&self.path, self.n_lines + 1, record)?;
        self.write(&text)?;
        self.n_lines += 1;
        Ok(self.n_lines)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // half a line, as on a full disk, must not be continued by the next one
            let _ = self.file.set_len(self.length);
            return Err(ModelError::io(&self.path, source).into());
        }
        self.length += text.len() as u64;
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<()> {
        self.file.set_len(length).map_err(|source| ModelError::io(&self.path, source))?;
        self.length = length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::tests::answer;
    use super::super::{AnswerRecord, read_records};
    use super::*;
    use crate::judge::JudgeError;

    const HEADER: &str = "{\"schema\":\"redline.answers.v1\"}";

    fn in_folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.jsonl");
        (folder, path)
    }

    #[test]
    fn a_torn_line_is_cut_and_said_and_the_next_one_stands_alone() {
        let (_folder, path) = in_folder();
        let (mut log, _) = RecordLog::open(&path).unwrap();
        assert_eq!(log.append(&answer(0, "a")).unwrap(), 2);
        drop(log);
        let whole = std::fs::read(&path).unwrap();
        // in the middle of a letter
        let torn = [whole.as_slice(), b"{\"row\": 1, \"system\": \"\xc3"].concat();
        std::fs::write(&path, &torn).unwrap();
        let read = read_records::<AnswerRecord>(&path).unwrap();
        assert_eq!((read.rows.len(), read.torn), (1, Some(Torn { line: 3, n_bytes: 23 })));
        assert!(
            read.note(&path)
                .unwrap()
                .ends_with("answers.jsonl:3: the last line was cut short (23 bytes are left of it) and is left out")
        );
        assert_eq!(std::fs::read(&path).unwrap(), torn, "reading changes nothing");

        let (mut log, records) = RecordLog::<AnswerRecord>::open(&path).unwrap();
        assert_eq!(records.torn, read.torn);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(log.append(&answer(1, "a")).unwrap(), 3);
        assert_eq!(read_records::<AnswerRecord>(&path).unwrap().rows, [answer(0, "a"), answer(1, "a")]);
    }

    #[test]
    fn a_whole_record_without_its_line_break_counts() {
        let (_folder, path) = in_folder();
        let text = format!("{HEADER}\n{}", serde_json::to_string(&answer(0, "a")).unwrap());
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read_records::<AnswerRecord>(&path).unwrap().torn, None);
        let (mut log, records) = RecordLog::open(&path).unwrap();
        assert_eq!(records.rows, [answer(0, "a")]);
        log.append(&answer(1, "a")).unwrap();
        assert_eq!(read_records::<AnswerRecord>(&path).unwrap().rows.len(), 2);
    }

    #[test]
    fn a_torn_header_is_begun_anew_and_a_foreign_file_is_not_touched() {
        let (_folder, path) = in_folder();
        for left in ["", "{", "{\"schema\":\"redline.ans"] {
            std::fs::write(&path, left).unwrap();
            let (mut log, records) = RecordLog::<AnswerRecord>::open(&path).unwrap();
            assert_eq!(records.torn.map(|torn| torn.n_bytes), (!left.is_empty()).then_some(left.len()));
            log.append(&answer(0, "a")).unwrap();
            drop(log);
            assert_eq!(read_records::<AnswerRecord>(&path).unwrap().rows.len(), 1);
        }
        std::fs::write(&path, HEADER).unwrap();
        RecordLog::<AnswerRecord>::open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{HEADER}\n"));
        for foreign in [
            "\n",
            "{\"question\": \"q\"}\n",
            "{\"schema\":\"redline.answers.v2\"}\n",
            "text",
            "{\"schema\":\"redline.sweep.v1\"}\n{",
        ] {
            std::fs::write(&path, foreign).unwrap();
            let error = RecordLog::<AnswerRecord>::open(&path).unwrap_err();
            assert!(matches!(error, JudgeError::NoSchema { .. } | JudgeError::Schema { .. }), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
        }
    }

    #[test]
    fn what_breaks_a_rule_is_not_written_and_one_run_writes_at_a_time() {
        let (folder, path) = in_folder();
        let (mut log, _) = RecordLog::open(&path).unwrap();
        let error = log.append(&AnswerRecord { seconds: f64::NAN, ..answer(0, "a") }).unwrap_err();
        assert!(
            error.to_string().ends_with("answers.jsonl:2: `seconds` must be a number from 0 to inf, got NaN"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{HEADER}\n"));
        #[cfg(unix)]
        assert!(RecordLog::<AnswerRecord>::open(&path).unwrap_err().to_string().contains("another run"));
        let compressed = RecordLog::<AnswerRecord>::open(&folder.path().join("a.jsonl.gz")).unwrap_err();
        assert!(matches!(compressed, JudgeError::Compressed { .. }));
        assert!(!folder.path().join("a.jsonl.gz").exists());
    }
}
