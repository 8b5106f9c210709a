//! What a coefficient of a vector file counts.

use std::fmt;
use std::str::FromStr;

use redline_model::UnknownName;
use redline_steer::Unit;
use serde::{Deserialize, Serialize};

use crate::profile::FILE_UNIT;

/// Unit of the coefficients of a vector that was read from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum VectorUnit {
    /// A reading vector, scaled to this unit.
    Scaled(Unit),
    /// A GGUF control vector, whose scales are part of its tensors.
    File,
}

impl fmt::Display for VectorUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scaled(unit) => unit.fmt(f),
            Self::File => f.write_str(FILE_UNIT),
        }
    }
}

impl FromStr for VectorUnit {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if text == FILE_UNIT { Ok(Self::File) } else { text.parse().map(Self::Scaled) }
    }
}

impl TryFrom<String> for VectorUnit {
    type Error = UnknownName;

    fn try_from(text: String) -> Result<Self, UnknownName> {
        text.parse()
    }
}

impl From<VectorUnit> for String {
    fn from(unit: VectorUnit) -> Self {
        unit.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_as_they_are_written() {
        for text in ["gap", "std", "unit", "file"] {
            let unit: VectorUnit = serde_json::from_value(text.into()).unwrap();
            assert_eq!(serde_json::to_value(unit).unwrap(), text);
        }
        assert!("files".parse::<VectorUnit>().is_err());
    }
}
