//! Who says how good a text is.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::error::Result;
use crate::judge::local::{PHRASES, PhraseScore, RewardScore, Score};

/// An instrument that scores one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instrument {
    /// Known flaws, and words in common with the right answer.
    Phrases,
    /// A reward model.
    Reward(PathBuf),
    /// A cost model, whose negative counts.
    Cost(PathBuf),
}

impl Instrument {
    /// Its model, where it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Phrases => None,
            Self::Reward(path) | Self::Cost(path) => Some(path),
        }
    }

    /// Opens it for rows with these right answers.
    ///
    /// # Errors
    /// As [`RewardScore::load`].
    pub fn open(&self, references: &[Option<String>]) -> Result<Box<dyn Score>> {
        Ok(match self {
            Self::Phrases => Box::new(PhraseScore::new(references.to_vec())?),
            Self::Reward(path) => Box::new(RewardScore::load(path, false)?),
            Self::Cost(path) => Box::new(RewardScore::load(path, true)?),
        })
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phrases => f.write_str(PHRASES),
            Self::Reward(path) => write!(f, "reward={}", path.display()),
            Self::Cost(path) => write!(f, "cost={}", path.display()),
        }
    }
}

impl Serialize for Instrument {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
