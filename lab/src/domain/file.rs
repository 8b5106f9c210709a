//! A domain as a file.

use std::path::Path;

use redline_model::files::{as_text, read, write_atomically};

use super::{Domain, SCHEMA};
use crate::error::{Error, Result};

/// Largest file believed to be a domain.
const MAX_BYTES: u64 = 1 << 20;
const CURE: &str = "give a file that `redline check --domain-out` wrote";

impl Domain {
    /// Reads a file.
    ///
    /// # Errors
    /// No such file, or one that breaks a rule of the format.
    pub fn load(path: &Path) -> Result<Self> {
        let text = as_text(path, read(path, MAX_BYTES)?)?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Writes a file, which appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::option(error.to_string(), CURE))?;
        Ok(write_atomically(path, (text + "\n").as_bytes())?)
    }

    /// Reads a text; `origin` says in errors where it comes from.
    ///
    /// # Errors
    /// A text that breaks a rule of the format.
    pub fn parse(origin: &str, text: &str) -> Result<Self> {
        let domain: Self = serde_json::from_str(text)
            .map_err(|error| Error::option(format!("{origin}: not a domain: {error}"), CURE))?;
        domain.check().map_err(|rule| Error::option(format!("{origin}: not a domain: {rule}"), CURE))?;
        Ok(domain)
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
            () if self.most_tokens == 0 => Err("`most_tokens` is 0".into()),
            () if !(0.0..1.0).contains(&self.passes) => Err(format!("`passes` is {}, expected a share", self.passes)),
            () if self.n_rows == 0 => Err("`n_rows` is 0".into()),
            () => Ok(()),
        }
    }
}
