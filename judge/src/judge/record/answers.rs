//! `redline.answers.v1`: what each system answered to each row.
//!
//! Fields: `row`, `system`, `coefficient`, `question`, `answer`, `output`, `n_tokens`, `passes`, `context`, `seconds`, `made_by`, `is_unread`. What else a row of data has,
//! such as its clean text and its flaws, is not copied: instruments that need it read it from the rows.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::Result;
use super::super::error::JudgeError;
use super::{Appended, FirstLine, Record, RecordFault};

/// The output of a system for a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The row of the file of rows, from 0.
    pub row: usize,
    /// Who wrote it: `upstream`, `aligner`, `best-of-5`.
    pub system: String,
    /// The signed strength of steering; none for a system without a dial.
    pub coefficient: Option<f64>,
    /// What was asked.
    pub question: String,
    /// The upstream model's answer.
    pub answer: String,
    /// The system's.
    pub output: String,
    /// Tokens written, all attempts together; null where a server did not say.
    pub n_tokens: Option<usize>,
    /// How often a model was run from a prompt: 1 for a correction, 5 for the best of five.
    pub passes: usize,
    /// Tokens of the longest prompt together with what was written after it, of any request; 0 where nothing was asked, or it was not counted.
    #[serde(default)]
    pub context: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// What it depends on, in words: models, vectors, limits; empty where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made_by: String,
    /// Whether it is the upstream's answer as it was, since no feedback of self-refine on it could be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unread: bool,
}

impl AnswerRecord {
    /// The system with its coefficient, as comparisons name it: `aligner@0.5`, or `upstream`.
    pub fn name(&self) -> String {
        match self.coefficient {
            // -0 is 0
            Some(coefficient) => format!("{}@{}", self.system, coefficient + 0.0),
            None => self.system.clone(),
        }
    }
}

impl Record for AnswerRecord {
    const SCHEMA: &'static str = "redline.answers.v1";
    const FIRST_LINE: FirstLine = FirstLine::Header;

    fn check(&self) -> std::result::Result<(), RecordFault> {
        RecordFault::check_text("system", &self.system)?;
        RecordFault::check_text("question", &self.question)?;
        let coefficient = self.coefficient.unwrap_or_default();
        RecordFault::check_number("coefficient", coefficient, f64::NEG_INFINITY, f64::INFINITY)?;
        RecordFault::check_number("seconds", self.seconds, 0.0, f64::INFINITY)
    }

    /// A system has one output for a row at a coefficient, and a row one question.
    fn check_all(path: &Path, records: &[(usize, &Self)]) -> Result<()> {
        let mut outputs = HashMap::new();
        let mut questions = HashMap::new();
        for &(second, record) in records {
            let row = record.row;
            let system = record.name();
            if let Some(first) = outputs.insert((row, system.clone()), second) {
                return Err(JudgeError::Twice { path: path.into(), first, second, row, system });
            }
            let (first, question) = *questions.entry(row).or_insert((second, &record.question));
            if *question != record.question {
                return Err(JudgeError::OtherQuestion { path: path.into(), first, second, row });
            }
        }
        Ok(())
    }
}

impl Appended for AnswerRecord {}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use super::super::{read_records, write_records};
    use super::*;

    pub(in super::super) fn answer(row: usize, system: &str) -> AnswerRecord {
        AnswerRecord {
            row,
            system: system.into(),
            coefficient: Some(0.1),
            question: format!("question {row}"),
            answer: "an answer\nof two lines".into(),
            output: "é \u{2028} 🦀 \"quoted\"".into(),
            n_tokens: Some(3),
            passes: 1,
            context: 12,
            seconds: 0.1 + 0.2,
            made_by: "a model".into(),
            is_unread: false,
        }
    }

    fn in_folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.jsonl");
        (folder, path)
    }

    fn read_text(text: &str) -> Result<Vec<AnswerRecord>> {
        let (_folder, path) = in_folder();
        std::fs::write(&path, text).unwrap();
        Ok(read_records::<AnswerRecord>(&path)?.rows)
    }

    #[test]
    fn records_survive_a_file_to_the_last_bit_also_compressed() {
        let (folder, path) = in_folder();
        let mut records = vec![answer(0, "a"), answer(0, "b"), answer(1, "a")];
        records[1].coefficient = None;
        records[2].output = String::new();
        write_records(&path, &records).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("{\"schema\":\"redline.answers.v1\"}\n{\"row\":0,\"system\":\"a\",\"coefficient\":0.1,"),
            "{text}"
        );
        assert_eq!(read_records::<AnswerRecord>(&path).unwrap().rows, records);

        let compressed = folder.path().join("answers.jsonl.gz");
        // two members, as of two files that were joined
        let mut bytes = Vec::new();
        for part in [&text.as_bytes()[..40], &text.as_bytes()[40..]] {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(part).unwrap();
            bytes.extend(gzip.finish().unwrap());
        }
        std::fs::write(&compressed, &bytes).unwrap();
        assert_eq!(read_records::<AnswerRecord>(&compressed).unwrap().rows, records);
        std::fs::write(&compressed, &bytes[..bytes.len() - 9]).unwrap();
        let error = read_records::<AnswerRecord>(&compressed).unwrap_err();
        assert!(error.to_string().contains("answers.jsonl.gz"), "{error}");
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let good = serde_json::to_string(&answer(0, "a")).unwrap();
        let header = "{\"schema\":\"redline.answers.v1\",\"more\":1}";
        let with = |from: &str, to: &str| format!("{header}\n\n{}\n", good.replace(from, to));
        let cases = [
            (with("\"n_tokens\":3", "\"n_tokens\":NaN"), "answers.jsonl:3: no record of this kind: "),
            (
                with("\"seconds\":0.30000000000000004", "\"seconds\":1e999"),
                "answers.jsonl:3: no record of this kind: number out of range",
            ),
            (
                with("\"seconds\":0.30000000000000004", "\"seconds\":-1"),
                "answers.jsonl:3: `seconds` must be a number from 0 to inf, got -1",
            ),
            (with("\"row\":0", "\"row\":-1"), "answers.jsonl:3: no record of this kind: invalid value"),
            (with("\"row\":0,", ""), "answers.jsonl:3: no record of this kind: missing field `row`"),
            (with("question 0", " "), "answers.jsonl:3: `question` is empty"),
            (format!("{header}\n{good}\n{{\"row\":\n{good}\n"), "answers.jsonl:3: no record of this kind: EOF"),
            (format!("{header}\n{good}\n\n{good}\n"), "answers.jsonl: lines 2 and 4 are both row 0 of `a@0.1`"),
            (
                format!("{header}\n{good}\n{}\n", good.replace("\"a\"", "\"b\"").replace("question 0", "another")),
                "answers.jsonl: lines 2 and 3 are both row 0, with different questions",
            ),
            (String::new(), "answers.jsonl:1: the first line has no `schema`; expected redline.answers.v1"),
            (format!("{good}\n"), "answers.jsonl:1: the first line has no `schema`; expected redline.answers.v1"),
            ("[1]\n".into(), "answers.jsonl:1: the first line has no `schema`"),
            (
                "{\"schema\":\"redline.judgement.v1\"}\n".into(),
                "answers.jsonl:1: holds `redline.judgement.v1`; expected redline.answers.v1",
            ),
        ];
        for (text, message) in cases {
            let error = read_text(&text).unwrap_err();
            assert!(error.to_string().contains(message), "{error} is not {message}");
            assert!(error.hint().is_some(), "{error}");
        }
        assert_eq!(read_text(&format!("{header}\n\n{good}\n")).unwrap(), [answer(0, "a")]);
    }

    #[test]
    fn numbers_that_are_none_and_names_in_gz_are_not_written() {
        let (folder, path) = in_folder();
        for coefficient in [f64::NAN, f64::INFINITY] {
            let record = AnswerRecord { coefficient: Some(coefficient), ..answer(0, "b") };
            let error = write_records(&path, &[answer(0, "a"), record]).unwrap_err();
            assert!(error.to_string().contains("answers.jsonl:3: `coefficient`"), "{error}");
        }
        let twice = write_records(
            &path,
            &[
                AnswerRecord { coefficient: Some(-0.0), ..answer(0, "a") },
                AnswerRecord { coefficient: Some(0.0), ..answer(0, "a") },
            ],
        );
        assert!(matches!(twice, Err(JudgeError::Twice { first: 2, second: 3, row: 0, .. })));
        assert!(matches!(
            write_records(&folder.path().join("a.gz"), &[answer(0, "a")]),
            Err(JudgeError::Compressed { .. })
        ));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
