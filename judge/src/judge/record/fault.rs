//! What can be wrong with one record.

/// The rule that a record breaks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// It is not JSON, or not a record of this kind.
    #[error("no record of this kind: {problem} at column {column}")]
    Json {
        /// What the parser says.
        problem: String,
        /// Where, from 1.
        column: usize,
    },
    /// A number is none, or out of its range.
    #[error("`{field}` must be a number from {least} to {most}, got {got}")]
    Number {
        /// The field.
        field: &'static str,
        /// The least it may be.
        least: f64,
        /// The most it may be.
        most: f64,
        /// What it is.
        got: f64,
    },
    /// A text that must be there is empty.
    #[error("`{field}` is empty")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// The key is no SHA-256.
    #[error("`key` must have 64 digits from 0 to f, got {got:?}")]
    Key {
        /// What it is.
        got: String,
    },
    /// The name of the judge may hold a secret.
    #[error("`judge` {rule}")]
    JudgeId {
        /// What it must not.
        rule: &'static str,
    },
    /// A message is by nobody who takes part in a conversation.
    #[error("`{field}` has a message by `{role}`; known: system, user, assistant, tool")]
    Role {
        /// The field.
        field: &'static str,
        /// The role.
        role: String,
    },
    /// A list of messages does not end as it must.
    #[error("`{field}` must end with a message by `{role}`")]
    LastRole {
        /// The field.
        field: &'static str,
        /// Whose it must be.
        role: &'static str,
    },
    /// A field says what others contradict.
    #[error("`{field}` {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// The rule.
        rule: &'static str,
    },
    /// Nothing is preferred to itself.
    #[error("`chosen` and `rejected` are the same")]
    Same,
}

impl RecordFault {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Json { .. } => {
                "each line must be one JSON object with the fields of its schema; numbers such as NaN are not JSON"
            }
            Self::Number { .. } => "mend the number, or remove the line",
            Self::Empty { .. } | Self::Key { .. } | Self::Field { .. } => {
                "the line was not written by this program; remove it"
            }
            Self::JudgeId { .. } => "name the model and the address without user, password or query",
            Self::Role { .. } | Self::LastRole { .. } => {
                "the prompt ends with the user, both answers with the assistant"
            }
            Self::Same => "leave out rows that were copied",
        })
    }

    /// Refuses a number that is not finite or out of its range.
    ///
    /// # Errors
    /// It is.
    pub fn check_number(field: &'static str, got: f64, least: f64, most: f64) -> Result<(), Self> {
        match got.is_finite() && (least..=most).contains(&got) {
            true => Ok(()),
            false => Err(Self::Number { field, least, most, got }),
        }
    }

    /// Refuses a text without anything to read.
    ///
    /// # Errors
    /// It is empty, or white space.
    pub fn check_text(field: &'static str, text: &str) -> Result<(), Self> {
        match text.trim().is_empty() {
            true => Err(Self::Empty { field }),
            false => Ok(()),
        }
    }
}

impl From<serde_json::Error> for RecordFault {
    fn from(error: serde_json::Error) -> Self {
        // the parser saw one line, so its own line number says nothing
        let text = error.to_string();
        let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
        Self::Json { problem: problem.into(), column: error.column() }
    }
}
