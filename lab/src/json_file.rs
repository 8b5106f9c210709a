//! Documents of one kind as JSON files: read with their rules, written whole or not at all.

use std::path::Path;

use redline_model::files::{as_text, read, write_atomically};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A kind of document.
pub(crate) struct JsonKind {
    /// How an error begins of a file that is none: `not a domain`, `no route`.
    pub refusal: &'static str,
    /// What a reader can do about it.
    pub cure: &'static str,
    /// Largest file believed to be one.
    pub most_bytes: u64,
}

impl JsonKind {
    /// Reads a file and checks it by the rules of its kind.
    ///
    /// # Errors
    /// No such file, or one that breaks a rule of the format.
    pub fn load<T: DeserializeOwned>(
        &self,
        path: &Path,
        check: fn(&T) -> std::result::Result<(), String>,
    ) -> Result<T> {
        let text = as_text(path, read(path, self.most_bytes)?)?;
        self.parse(&path.display().to_string(), &text, check)
    }

    /// Reads a text likewise; `origin` says in errors where it comes from.
    ///
    /// # Errors
    /// A text that breaks a rule of the format.
    pub fn parse<T: DeserializeOwned>(
        &self,
        origin: &str,
        text: &str,
        check: fn(&T) -> std::result::Result<(), String>,
    ) -> Result<T> {
        let document: T = serde_json::from_str(text).map_err(|error| self.broken(origin, &error.to_string()))?;
        check(&document).map_err(|rule| self.broken(origin, &rule))?;
        Ok(document)
    }

    /// What is said of a document that breaks a rule.
    pub fn broken(&self, origin: &str, rule: &str) -> Error {
        Error::option(format!("{origin}: {}: {rule}", self.refusal), self.cure)
    }

    /// Writes a file, which appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, document: &impl Serialize, path: &Path) -> Result<()> {
        let text =
            serde_json::to_string_pretty(document).map_err(|error| Error::option(error.to_string(), self.cure))?;
        Ok(write_atomically(path, (text + "\n").as_bytes())?)
    }
}
