//! Why a row cannot be used.

use super::row::{ChoiceKind, MOST_CHOICES};
use redline_model::qac::LineFault;

/// Why a row cannot be used. It is then counted and left out, and never stands for a wrong answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceFault {
    /// The line holds no object, or no text.
    #[error("{message}")]
    Line {
        /// What kind of fault it is.
        reason: &'static str,
        /// What is wrong.
        message: String,
    },
    /// It has none of the known sets of fields.
    #[error("not a known kind of row with choices; its fields are {fields}")]
    UnknownKind {
        /// The fields it has.
        fields: String,
    },
    /// It is of another kind than the rows before it.
    #[error("a row of {got} among rows of {expected}")]
    OtherKind {
        /// Its kind.
        got: ChoiceKind,
        /// The kind of the file.
        expected: ChoiceKind,
    },
    /// A field is missing or null.
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
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// A map of choices has one of them twice, or cannot be held.
    #[error("field `{field}` cannot be read: {rule}")]
    FieldValue {
        /// The field.
        field: &'static str,
        /// What is wrong.
        rule: String,
    },
    /// A record of a CSV file has another number of fields than its head.
    #[error("{got} fields, where the head has {expected}")]
    Columns {
        /// Fields of the record.
        got: usize,
        /// Fields of the head.
        expected: usize,
    },
    /// A label is neither true nor false.
    #[error("a label in `{field}` must be 0 or 1, but is {got}")]
    Label {
        /// The field.
        field: &'static str,
        /// What it is.
        got: String,
    },
    /// Labels and choices are not equally many.
    #[error("{n_labels} labels for {n_choices} choices")]
    LabelCount {
        /// Labels.
        n_labels: usize,
        /// Choices.
        n_choices: usize,
    },
    /// The answer is no index of a choice.
    #[error("`answer` must be the index of one of {n_choices} choices, from 0, but is {got}")]
    Answer {
        /// What it is.
        got: String,
        /// Choices.
        n_choices: usize,
    },
    /// Nothing says which choice is true.
    #[error("neither `labels` nor `answer` says which choice is true")]
    NoLabels,
    /// Two fields say it.
    #[error("both `labels` and `answer` are there: it is not clear which is meant")]
    TwoLabels,
    /// A choice holds white space only.
    #[error("choice {index} is empty")]
    EmptyChoice {
        /// Its place, from 0.
        index: usize,
    },
    /// The same text is labelled true and false.
    #[error("choice {index} is there twice, once as true and once as false")]
    TrueAndFalse {
        /// Its place when it comes again, from 0.
        index: usize,
    },
    /// There is nothing to choose between.
    #[error("{n_choices} choices, where at least two are needed")]
    TooFew {
        /// Choices.
        n_choices: usize,
    },
    /// More choices than anybody would list.
    #[error("{n_choices} choices, more than {MOST_CHOICES}")]
    TooMany {
        /// Choices.
        n_choices: usize,
    },
    /// No choice is true.
    #[error("no choice is true")]
    NoneTrue,
    /// No choice is false.
    #[error("no choice is false")]
    NoneFalse,
    /// Several choices are true where one is to be the best.
    #[error("{n_true} choices are true, where one has to be the best")]
    SeveralTrue {
        /// True ones.
        n_true: usize,
    },
}

impl ChoiceFault {
    /// A short name of the reason, for counts.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Line { reason, .. } => reason,
            Self::UnknownKind { .. } => "unknown-kind",
            Self::OtherKind { .. } => "other-kind",
            Self::MissingField { .. } => "missing-field",
            Self::EmptyField { .. } => "empty-field",
            Self::FieldType { .. } => "field-type",
            Self::FieldValue { .. } => "field-value",
            Self::Columns { .. } => "columns",
            Self::Label { .. } => "label",
            Self::LabelCount { .. } => "label-count",
            Self::Answer { .. } => "answer",
            Self::NoLabels => "no-labels",
            Self::TwoLabels => "two-labels",
            Self::EmptyChoice { .. } => "empty-choice",
            Self::TrueAndFalse { .. } => "true-and-false",
            Self::TooFew { .. } => "too-few-choices",
            Self::TooMany { .. } => "too-many-choices",
            Self::NoneTrue => "none-true",
            Self::NoneFalse => "none-false",
            Self::SeveralTrue { .. } => "several-true",
        }
    }

    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Line { .. } => "each line must be one JSON object; is this JSON Lines?",
            Self::UnknownKind { .. } => {
                "known are question, choices and labels or answer; mc1_targets and mc2_targets; input and target_scores; question, chosen and rejected; TruthfulQA.csv"
            }
            Self::OtherKind { .. } => "keep rows of different kinds in different files",
            Self::TwoLabels | Self::NoLabels => "give `labels`, a list of 0 and 1, or `answer`, an index",
            Self::TrueAndFalse { .. } => "name each choice once",
            _ => {
                "each row needs a question and at least two different choices, at least one of them true and one false"
            }
        }
    }

    /// What is wrong with a line.
    pub(super) fn of_line(fault: &LineFault) -> Self {
        Self::Line { reason: fault.reason(), message: fault.to_string() }
    }
}
