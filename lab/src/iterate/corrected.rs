//! Rows of `redline correct` as a run reads them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::read_lines;
use crate::error::Result;

/// A question of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QuestionRow {
    pub question: String,
    /// How it should be answered, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A question with an answer and its correction.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct CorrectedRow {
    pub question: String,
    #[serde(default)]
    pub answer: String,
    #[serde(default)]
    answer_truncated: bool,
    #[serde(default)]
    pub correction: Option<String>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    pub reference: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
}

impl CorrectedRow {
    /// All rows of a file.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        read_lines(path)
    }

    /// Whether the length limit cut the answer or its correction.
    pub fn is_cut(&self) -> bool {
        self.answer_truncated || self.truncated
    }

    /// Whether the answer is cut.
    pub fn is_answer_cut(&self) -> bool {
        self.answer_truncated
    }
}

/// The right answers of rows.
pub(super) fn references(rows: &[CorrectedRow]) -> Vec<Option<String>> {
    rows.iter().map(|row| row.reference.clone()).collect()
}
