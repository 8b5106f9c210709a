//! Rows that cannot be used: why, how many, and where the first of them is.

use std::fmt::{self, Display};

use redline_model::qac::LineFault;
use serde::Serialize;

#[cfg(feature = "tables")]
use super::convert::ConvertFault;
use super::row::DataRow;

/// Why a row cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowFault {
    /// The line holds no object.
    #[error("{message}")]
    Line {
        /// What kind of fault it is.
        reason: &'static str,
        /// What is wrong.
        message: String,
    },
    /// It has none of the known sets of fields.
    #[error("not a known kind of row; its fields are {fields}")]
    UnknownKind {
        /// The fields it has.
        fields: String,
    },
    /// A field that is needed is not there.
    #[error("field `{field}` is missing")]
    MissingField {
        /// The field.
        field: &'static str,
    },
    /// A field holds white space only.
    #[error("field `{field}` is empty")]
    EmptyField {
        /// The field.
        field: &'static str,
    },
    /// A field holds something of another type.
    #[error("field `{field}` must be {expected}, but is {got}")]
    FieldType {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// A field cannot be held in memory as a value.
    #[error("field `{field}` cannot be read: {rule}")]
    FieldValue {
        /// The field.
        field: &'static str,
        /// What the parser says.
        rule: String,
    },
    /// A message is none.
    #[error("message {index} of `{field}` {rule}")]
    Message {
        /// The list.
        field: &'static str,
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        rule: String,
    },
    /// A message holds an image, a sound or a file.
    #[error("field `{field}` holds more than text: a part of type `{part}`")]
    NotText {
        /// The field.
        field: &'static str,
        /// The type of the part.
        part: String,
    },
    /// Nobody asks anything.
    #[error("field `{field}` has no message of a user with text")]
    NoQuestion {
        /// The field.
        field: &'static str,
    },
    /// A dialogue does not follow `Human: … Assistant: …`.
    #[error("the dialogues cannot be read: {rule}")]
    Dialogue {
        /// The broken rule.
        rule: &'static str,
    },
    /// Two dialogues share less than all but the last turn.
    #[error("chosen and rejected differ before the last turn")]
    DifferEarly,
    /// An answer or correction stands beside a preference pair, which says another.
    #[error("both `{field}` and a preference pair are there: it is not clear which answer is meant")]
    TwoAnswers {
        /// The field.
        field: &'static str,
    },
    /// The flaws that a row says it carries cannot be read.
    #[error("the row's flaws cannot be read: {rule}")]
    Flaws {
        /// What is wrong.
        rule: String,
    },
    /// An answer that its row calls a bad one, where clean answers are needed.
    #[error("its `label` is false: the answer is not a clean one")]
    BadAnswer,
    /// A triple where clean answers are needed.
    #[error("its answer is there to be corrected, not a clean one")]
    HasCorrection,
    /// It makes no row of the kind that was asked for.
    #[cfg(feature = "tables")]
    #[error(transparent)]
    Convert(Box<ConvertFault>),
    /// There is no text to split by.
    #[error("no text in `{field}` to split by")]
    NoKey {
        /// The field.
        field: String,
    },
}

#[cfg(feature = "tables")]
impl From<ConvertFault> for RowFault {
    fn from(fault: ConvertFault) -> Self {
        Self::Convert(Box::new(fault))
    }
}

impl RowFault {
    /// A short name of the reason, for counts.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Line { reason, .. } => reason,
            Self::UnknownKind { .. } => "unknown-kind",
            Self::MissingField { .. } => "missing-field",
            Self::EmptyField { .. } => "empty-field",
            Self::FieldType { .. } => "field-type",
            Self::FieldValue { .. } => "field-value",
            Self::Message { .. } => "message",
            Self::NotText { .. } => "not-text",
            Self::NoQuestion { .. } => "no-question",
            Self::Dialogue { .. } => "dialogue",
            Self::DifferEarly => "differ-before-last-turn",
            Self::TwoAnswers { .. } => "two-answers",
            Self::Flaws { .. } => "flaws",
            Self::BadAnswer => "bad-answer",
            Self::HasCorrection => "has-correction",
            #[cfg(feature = "tables")]
            Self::Convert(fault) => fault.reason(),
            Self::NoKey { .. } => "no-key",
        }
    }

    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Line { .. } => "each line must be one JSON object; is this JSON Lines?",
            Self::UnknownKind { .. } => {
                "known are question, answer and correction; prompt and completion; instruction, input and output; messages; chosen and rejected"
            }
            Self::MissingField { field: "correction" } => {
                "give rows with a correction or a preferred answer, or make them with `redline data corrupt`"
            }
            Self::MissingField { field: "label" } => {
                "give rows of question, answer and label: true of a good answer, false of a bad one"
            }
            Self::MissingField { .. } | Self::EmptyField { .. } => {
                "each row needs non-empty text in `question`, `answer` and `correction`, or fields that stand for them"
            }
            Self::FieldType { expected: "true or false", .. } => {
                "write true or false without quotes, or leave the field out"
            }
            Self::FieldType { expected: "a finite number", .. } => {
                "write a number without quotes, or leave the field out"
            }
            Self::FieldType { .. } | Self::FieldValue { .. } => "write the field as a JSON string",
            Self::Message { .. } | Self::NoQuestion { .. } => {
                "messages are those of OpenAI's chat API: a role and a content of text or parts"
            }
            Self::NotText { .. } => "an Aligner reads text only; leave out rows with images, sounds or files",
            Self::Dialogue { .. } | Self::DifferEarly => {
                "begin each turn with `Human:` or `Assistant:` on a new line; both dialogues differ in the last answer only"
            }
            Self::TwoAnswers { .. } => {
                "give `question`, `answer` and `correction`, or `chosen` and `rejected`; rename the field that is neither"
            }
            Self::Flaws { .. } => "make the file anew with `redline data corrupt`, or remove the field `flaws`",
            Self::BadAnswer | Self::HasCorrection => "give rows of question and answer whose answers are clean",
            #[cfg(feature = "tables")]
            Self::Convert(fault) => fault.hint(),
            Self::NoKey { .. } => "give a field that all rows have with --by; without it rows are split by question",
        }
    }
}

impl From<&LineFault> for RowFault {
    fn from(fault: &LineFault) -> Self {
        Self::Line { reason: fault.reason(), message: fault.to_string() }
    }
}

/// Rows that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutRows {
    /// The reason's name.
    pub reason: &'static str,
    /// How many they are.
    pub n_rows: usize,
    /// The line of the first.
    pub first_line: usize,
    /// What is wrong with it.
    pub first: String,
}

/// What became of the rows of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadReport {
    /// Rows there are.
    pub n_read: usize,
    /// Those left out, by reason.
    pub left_out: Vec<LeftOutRows>,
    /// Rows with half a surrogate pair in a text, read as U+FFFD.
    pub n_half_surrogates: usize,
    /// Rows with a `context` that is no turns, which is no part of the question.
    pub n_contexts_apart: usize,
    /// Rows with messages that are no part of the question: those of the system and of tools, and what the assistant says between the last
    /// question and the answer.
    pub n_messages_apart: usize,
}

impl LeftOutRows {
    /// Counts a row under its reason; the first of each reason keeps its line and what is wrong with it.
    pub fn count(all: &mut Vec<Self>, reason: &'static str, line: usize, fault: &dyn Display) {
        match all.iter_mut().find(|rows| rows.reason == reason) {
            Some(rows) => rows.n_rows += 1,
            None => all.push(Self { reason, n_rows: 1, first_line: line, first: fault.to_string() }),
        }
    }
}

impl ReadReport {
    /// Counts a row that is left out.
    pub fn leave_out(&mut self, line: usize, fault: &RowFault) {
        LeftOutRows::count(&mut self.left_out, fault.reason(), line, fault);
    }

    /// How many rows were left out.
    pub fn n_left_out(&self) -> usize {
        self.left_out.iter().map(|rows| rows.n_rows).sum()
    }

    /// Whether all there is to say is how many rows there are.
    pub fn is_plain(&self) -> bool {
        let n_said = self.n_half_surrogates + self.n_contexts_apart + self.n_messages_apart;
        self.left_out.is_empty() && n_said == 0
    }
}

impl ReadReport {
    /// Counts what there is to say of a row that is used.
    pub fn use_row(&mut self, row: &DataRow) {
        self.n_half_surrogates += usize::from(row.used.iter().any(|name| row.fields.has_half_surrogates(name)));
        self.n_contexts_apart += usize::from(row.has_context_apart);
        self.n_messages_apart += usize::from(row.has_messages_apart);
    }

    /// A line for each thing to say; `fate` is what becomes of rows that cannot be used.
    pub fn told(&self, fate: &str) -> String {
        let rows = |n: usize| if n == 1 { "1 row".to_owned() } else { format!("{n} rows") };
        let mut lines = Vec::new();
        for LeftOutRows { n_rows, first_line, first, .. } in &self.left_out {
            let of = rows(self.n_read);
            lines.push(match n_rows {
                1 => format!("1 of {of} {fate}: {first} (line {first_line})"),
                // the others may differ from the first in more than their place
                n => format!("{n} of {of} {fate}, the first in line {first_line}: {first}"),
            });
        }
        if self.n_half_surrogates > 0 {
            let n = rows(self.n_half_surrogates);
            lines.push(format!("{n} with half a surrogate pair in a text, read as the replacement character"));
        }
        if self.n_contexts_apart > 0 {
            let n = rows(self.n_contexts_apart);
            lines.push(format!(
                "{n} with a `context` that is no turns: kept as a field, not read as part of the question"
            ));
        }
        if self.n_messages_apart > 0 {
            let n = rows(self.n_messages_apart);
            lines.push(format!(
                "{n} with messages of the system or of tools, or of the assistant behind the last question: not read as part of it"
            ));
        }
        lines.join("\n")
    }
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told("left out"))
    }
}
