//! A domain as a file.

use std::path::Path;

use super::{Domain, SCHEMA};
use crate::error::Result;
use crate::json_file::JsonKind;

const FILE: JsonKind = JsonKind {
    refusal: "not a domain",
    cure: "give a file that `redline check --domain-out` wrote",
    most_bytes: 1 << 20,
};

impl Domain {
    /// Reads a file.
    ///
    /// # Errors
    /// No such file, or one that breaks a rule of the format.
    pub fn load(path: &Path) -> Result<Self> {
        FILE.load(path, Self::check)
    }

    /// Writes a file, which appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        FILE.save(self, path)
    }

    /// Reads a text; `origin` says in errors where it comes from.
    ///
    /// # Errors
    /// A text that breaks a rule of the format.
    pub fn parse(origin: &str, text: &str) -> Result<Self> {
        FILE.parse(origin, text, Self::check)
    }

    /// Refuses values that mean nothing.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self) -> std::result::Result<(), String> {
        match () {
            () if self.schema != SCHEMA => Err(format!("`schema` is `{}`, expected `{SCHEMA}`", self.schema)),
            () if !(self.most_cost.is_finite() && self.most_cost >= 0.0) => {
                Err(format!("`most_cost` is {}, expected a number of at least 0", self.most_cost))
            }
            () if !(self.least_letters_per_token.is_finite() && self.least_letters_per_token >= 0.0) => Err(format!(
                "`least_letters_per_token` is {}, expected a number of at least 0",
                self.least_letters_per_token
            )),
            () if self.most_tokens == 0 => Err("`most_tokens` is 0".into()),
            () if !(0.0..1.0).contains(&self.passes) => Err(format!("`passes` is {}, expected a share", self.passes)),
            () if self.n_rows == 0 => Err("`n_rows` is 0".into()),
            () => Ok(()),
        }
    }
}
