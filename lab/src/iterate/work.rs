//! The steps that are functions of this crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::closeness::{self, ArmPairs};
use super::files::{read_json, write_json};
use super::levels::{self, LevelFiles};
use super::measure::Measured;
use super::options::IterateOptions;
use super::places::Places;
use super::{inputs, summary, taught};
use crate::error::Result;
use crate::observer::Observer;

/// A function of this crate, as a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabWork {
    /// Reads and checks the files that people gave, and deals rows out.
    Deal,
    /// Parts rows for a seed of weak-to-strong.
    Halves(usize),
    /// The preference pairs of a round.
    Pairs(usize),
    /// Corrected answers as what a model shall learn.
    Teach {
        /// The round or seed.
        round: usize,
        /// Answers with corrections.
        read: PathBuf,
        /// What is learnt.
        out: PathBuf,
    },
    /// Log-probabilities of pairs.
    Closeness {
        /// The arms.
        arms: Vec<ArmPairs>,
        /// What is written.
        out: PathBuf,
    },
    /// Scores of held-out answers, by arm.
    Measure {
        /// Name of each arm, and its answers.
        arms: Vec<(&'static str, PathBuf)>,
        /// Scores of the start.
        start: Option<PathBuf>,
        /// What is written.
        out: PathBuf,
    },
    /// The five levels of a seed.
    Levels {
        /// The seed.
        seed: usize,
        /// The answers.
        files: LevelFiles,
        /// What is written.
        out: PathBuf,
    },
    /// Results of all rounds together.
    Summary,
}

impl LabWork {
    /// Its name in stamps.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deal => "deal",
            Self::Halves(_) => "halves",
            Self::Pairs(_) => "pairs",
            Self::Teach { .. } => "teach",
            Self::Closeness { .. } => "closeness",
            Self::Measure { .. } => "measure",
            Self::Levels { .. } => "levels",
            Self::Summary => "summary",
        }
    }

    pub(super) fn run(
        &self,
        step: &str,
        options: &IterateOptions,
        places: &Places,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        match self {
            Self::Deal => inputs::deal(options, places, observer),
            Self::Halves(seed) => inputs::halves(*seed, options, places),
            Self::Pairs(round) => taught::round_pairs(*round, step, options, places, observer),
            Self::Teach { round, read, out } => taught::teach(read, out, *round, step, options, observer),
            Self::Closeness { arms, out } => closeness::write(arms, out, options, observer),
            Self::Measure { arms, start, out } => {
                let start: Option<BTreeMap<String, Measured>> = start.as_deref().map(read_json).transpose()?;
                // all arms start as the same policy
                let start = start.as_ref().and_then(|all| all.values().next()).map(|found| &found.answers);
                let mut found = BTreeMap::new();
                for (arm, path) in arms {
                    found.insert(*arm, Measured::of(path, start, options, observer)?);
                }
                write_json(out, &found)
            }
            Self::Levels { seed, files, out } => levels::write(files, *seed, out, options, observer),
            Self::Summary => summary::write(options, places, options.rounds, None),
        }
    }
}
