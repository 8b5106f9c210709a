//! `redline.preference.v1`: a question, a better and a worse answer, as TRL trains on them.
//!
//! A line is a [conversational preference](https://huggingface.co/docs/trl/dataset_formats#preference) of TRL: `prompt`, `chosen` and
//! `rejected` are lists of messages `{"role": …, "content": …}`. Beside them stand `source`, `round`, `edit_ratio` and, in all lines of a
//! file or in none, `margin`. `schema` stands in the first line only, as one column more that trainers do not look at. TRL's reward trainer
//! reads the `margin` of every row where the first of a batch has one, so a file with some of them would end it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::Result;
use super::super::error::JudgeError;
use super::super::message::Message;
use super::{FirstLine, Record, RecordFault};

/// Who takes part in a conversation.
const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];

/// A preference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreferenceRecord {
    /// The conversation up to the question.
    pub prompt: Vec<Message>,
    /// The better answer.
    pub chosen: Vec<Message>,
    /// The worse answer.
    pub rejected: Vec<Message>,
    /// Where the pair comes from: a file, or the Aligner that corrected the rejected answer.
    pub source: String,
    /// The round that made it, from 1; 0 where there are no rounds.
    pub round: usize,
    /// Levenshtein distance of the two answers over the length of the rejected one, in characters.
    pub edit_ratio: f64,
    /// How much better the chosen answer is, in the units of whoever judged: a difference of rewards, for instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

impl Record for PreferenceRecord {
    const SCHEMA: &'static str = "redline.preference.v1";
    const FIRST_LINE: FirstLine = FirstLine::Row;

    fn check(&self) -> std::result::Result<(), RecordFault> {
        check_messages("prompt", &self.prompt, "user")?;
        check_messages("chosen", &self.chosen, "assistant")?;
        check_messages("rejected", &self.rejected, "assistant")?;
        if self.chosen == self.rejected {
            return Err(RecordFault::Same);
        }
        RecordFault::check_text("source", &self.source)?;
        RecordFault::check_number("edit_ratio", self.edit_ratio, 0.0, f64::INFINITY)?;
        let margin = self.margin.unwrap_or_default();
        RecordFault::check_number("margin", margin, f64::NEG_INFINITY, f64::INFINITY)
    }

    /// All have a margin, or none has.
    fn check_all(path: &Path, records: &[(usize, &Self)]) -> Result<()> {
        let line = |has_margin: bool| records.iter().find(|(_, record)| record.margin.is_some() == has_margin);
        match (line(true), line(false)) {
            (Some(&(with, _)), Some(&(without, _))) => {
                Err(JudgeError::SomeMargins { path: path.into(), with, without })
            }
            _ => Ok(()),
        }
    }
}

/// Messages by those who take part, each with a text, the last one by `last`.
fn check_messages(
    field: &'static str,
    messages: &[Message],
    last: &'static str,
) -> std::result::Result<(), RecordFault> {
    for message in messages {
        if !ROLES.contains(&message.role.as_str()) {
            return Err(RecordFault::Role { field, role: message.role.clone() });
        }
        RecordFault::check_text(field, &message.content)?;
    }
    match messages.last().is_some_and(|message| message.role == last) {
        true => Ok(()),
        false => Err(RecordFault::LastRole { field, role: last }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read_records, write_records};
    use super::*;

    fn preference(margin: Option<f64>) -> PreferenceRecord {
        PreferenceRecord {
            prompt: vec![Message::user("How long do I boil an egg?")],
            chosen: vec![Message::assistant("Eight minutes.")],
            rejected: vec![Message::assistant("Just boil it.")],
            source: "aligner".into(),
            round: 1,
            edit_ratio: 1.0,
            margin,
        }
    }

    #[test]
    fn every_line_is_a_preference_of_trl() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.jsonl");
        let records = [preference(None), preference(None), preference(None)];
        write_records(&path, &records).unwrap();
        assert_eq!(read_records::<PreferenceRecord>(&path).unwrap().rows, records);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        for (index, line) in text.lines().enumerate() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                value["prompt"][0],
                serde_json::json!({"role": "user", "content": "How long do I boil an egg?"})
            );
            for answer in ["chosen", "rejected"] {
                assert_eq!(value[answer][0]["role"], "assistant");
                assert!(value[answer][0]["content"].is_string());
            }
            assert_eq!(value.get("schema").is_some(), index == 0);
            assert!(value.get("margin").is_none(), "a column of nothing ends TRL's reward trainer");
        }
        write_records::<PreferenceRecord>(&path, &[]).unwrap();
        assert_eq!(read_records::<PreferenceRecord>(&path).unwrap().rows, []);
    }

    #[test]
    fn margins_stand_in_all_lines_or_in_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.jsonl");
        write_records(&path, &[preference(Some(0.5)), preference(Some(-1.0))]).unwrap();
        let some = write_records(&path, &[preference(None), preference(None), preference(Some(0.5))]);
        assert!(matches!(some, Err(JudgeError::SomeMargins { with: 3, without: 1, .. })));
        assert_eq!(read_records::<PreferenceRecord>(&path).unwrap().rows.len(), 2, "the old file stays");
        let error = write_records(&path, &[preference(Some(f64::NAN))]).unwrap_err();
        assert!(error.to_string().contains("preferences.jsonl:1: `margin`"), "{error}");
    }

    #[test]
    fn what_is_no_preference_is_refused() {
        let good = preference(None);
        let broken = [
            (PreferenceRecord { prompt: Vec::new(), ..good.clone() }, "`prompt` must end with a message by `user`"),
            (
                PreferenceRecord { prompt: good.chosen.clone(), ..good.clone() },
                "`prompt` must end with a message by `user`",
            ),
            (
                PreferenceRecord { chosen: good.prompt.clone(), ..good.clone() },
                "`chosen` must end with a message by `assistant`",
            ),
            (PreferenceRecord { rejected: vec![Message::assistant(" ")], ..good.clone() }, "`rejected` is empty"),
            (
                PreferenceRecord { rejected: good.chosen.clone(), ..good.clone() },
                "`chosen` and `rejected` are the same",
            ),
            (
                PreferenceRecord { edit_ratio: f64::NAN, ..good.clone() },
                "`edit_ratio` must be a number from 0 to inf, got NaN",
            ),
            (
                PreferenceRecord {
                    prompt: vec![Message { role: "human".into(), content: "q".into() }],
                    ..good.clone()
                },
                "`prompt` has a message by `human`; known: system, user, assistant, tool",
            ),
        ];
        for (record, message) in broken {
            assert_eq!(record.check().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_broken_first_row_is_an_error_of_line_1() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.jsonl");
        std::fs::write(&path, "{\"schema\":\"redline.preference.v1\",\"prompt\":[]}\n").unwrap();
        let error = read_records::<PreferenceRecord>(&path).unwrap_err();
        assert!(
            error.to_string().contains("preferences.jsonl:1: no record of this kind: missing field `chosen`"),
            "{error}"
        );
    }
}
