//! Why a line holds no row.

use std::path::Path;

use crate::error::{Error, without_line};

/// Why a line holds no row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// It is not JSON.
    #[error("not valid JSON: {}", without_line(.0))]
    Json(serde_json::Error),
    /// It is not text.
    #[error("not UTF-8 from byte {byte} of the line on")]
    NotUtf8 {
        /// The first byte that is none, from 1.
        byte: usize,
    },
    /// It is JSON of another kind.
    #[error("a row must be an object, but this is {got}")]
    NotAnObject {
        /// What it is.
        got: &'static str,
    },
    /// One key has two values.
    #[error("the key `{key}` is there twice")]
    RepeatedKey {
        /// The key.
        key: String,
    },
}

impl LineFault {
    /// A short name of the reason, for counts.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Json(_) => "not-json",
            Self::NotUtf8 { .. } => "not-utf-8",
            Self::NotAnObject { .. } => "not-an-object",
            Self::RepeatedKey { .. } => "repeated-key",
        }
    }

    /// The error of a reader that allows no faults.
    pub fn at(self, path: &Path, line: usize) -> Error {
        let path = path.to_path_buf();
        match self {
            Self::Json(source) => Error::MalformedLine { path, line, source },
            fault => Error::Line { path, line, fault },
        }
    }
}
