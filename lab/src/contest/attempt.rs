//! What was computed, or why not.

use serde::{Deserialize, Serialize};

use crate::win_rate::WinRateError;

/// What was found, or the reason why it is withheld, in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt<T> {
    /// What was found.
    Found(T),
    /// Why there is nothing.
    Withheld(String),
}

impl<T> Attempt<T> {
    /// What was found, where something was.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Withheld(_) => None,
        }
    }

    /// Why there is nothing, where there is nothing.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Found(_) => None,
            Self::Withheld(reason) => Some(reason),
        }
    }
}

impl<T> From<Result<T, WinRateError>> for Attempt<T> {
    fn from(result: Result<T, WinRateError>) -> Self {
        result.map_or_else(|error| Self::Withheld(error.to_string()), Self::Found)
    }
}
