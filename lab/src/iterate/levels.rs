//! The five levels of weak-to-strong, and what of the gap was recovered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redline_probe::stats::{MeanEstimate, mean};
use serde::{Deserialize, Serialize};

use super::files::write_json;
use super::measure::{Change, Measured, Scores, estimate};
use super::options::IterateOptions;
use crate::error::Result;
use crate::observer::Observer;

/// A level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LevelName {
    /// The strong model as it was.
    Before,
    /// The weak model's answers, corrected by the weak Aligner.
    Weak,
    /// The strong model's answers, corrected by the weak Aligner.
    Corrected,
    /// The strong model tuned on its corrected answers.
    After,
    /// The strong model tuned on right answers.
    Ceiling,
}

redline_model::named_enum! {
    "level", LevelName { Before = "before", Weak = "weak", Corrected = "corrected", After = "after", Ceiling = "ceiling" }
}

/// What of the gap between weak and ceiling the tuned strong model recovers, in one dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// (after − weak) / (ceiling − weak); none where the ceiling is not above the weak level for certain, or a level is not known.
    pub recovered: Option<f64>,
    /// Why there is none.
    pub refused: Option<String>,
    /// after − weak.
    pub after_above_weak: Option<f64>,
    /// ceiling − weak.
    pub ceiling_above_weak: Option<f64>,
    /// The same question by question, with its interval.
    #[serde(default)]
    pub ceiling_change: Option<Change>,
}

impl Gap {
    /// Of three levels, and of how the ceiling stands to the weak one, question by question.
    pub fn of(weak: Option<f64>, after: Option<f64>, ceiling: Option<f64>, ceiling_change: Option<Change>) -> Self {
        let above_weak = |level: Option<f64>| level.zip(weak).map(|(level, weak)| level - weak);
        let (after, ceiling) = (above_weak(after), above_weak(ceiling));
        let interval = ceiling_change.as_ref().and_then(|change| change.mean.spread.interval());
        let refused = match (after, ceiling, interval) {
            (None, _, _) | (_, None, _) => Some("a level is not known".into()),
            (_, Some(ceiling), _) if ceiling <= 0.0 => {
                Some(format!("the ceiling is not above the weak level ({ceiling:+.3})"))
            }
            (_, Some(ceiling), Some(at)) if at.low <= 0.0 => Some(format!(
                "the ceiling is not above the weak level for certain ({ceiling:+.3} [{:+.3}, {:+.3}])",
                at.low, at.high
            )),
            _ => None,
        };
        let recovered = after.zip(ceiling).filter(|_| refused.is_none()).map(|(after, ceiling)| after / ceiling);
        Self { recovered, refused, after_above_weak: after, ceiling_above_weak: ceiling, ceiling_change }
    }
}

/// One level of one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// How harmless.
    pub harmless: Option<MeanEstimate>,
    /// How helpful.
    pub helpful: Option<MeanEstimate>,
}

impl Level {
    /// One of its dimensions, by name.
    pub fn dimension(&self, name: &str) -> Option<MeanEstimate> {
        match name {
            "harmless" => self.harmless,
            "helpful" => self.helpful,
            _ => None,
        }
    }
}

/// All levels of a seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// The seed, from 1.
    pub seed: usize,
    /// By name.
    pub levels: BTreeMap<LevelName, Level>,
    /// By dimension.
    pub gaps: BTreeMap<String, Gap>,
}

impl Levels {
    /// Of levels by name, and of how the ceiling stands to the weak level in harmless and helpful.
    pub fn of(seed: usize, levels: BTreeMap<LevelName, Level>, changes: [Option<Change>; 2]) -> Self {
        let of = |name: LevelName, dimension: fn(&Level) -> Option<MeanEstimate>| {
            levels.get(&name).and_then(dimension).map(|found| found.value)
        };
        let gap = |dimension, change| {
            let [weak, after, ceiling] =
                [LevelName::Weak, LevelName::After, LevelName::Ceiling].map(|name| of(name, dimension));
            Gap::of(weak, after, ceiling, change)
        };
        let [harmless, helpful] = changes;
        let gaps = BTreeMap::from([
            ("harmless".to_owned(), gap(|level| level.harmless, harmless)),
            ("helpful".to_owned(), gap(|level| level.helpful, helpful)),
        ]);
        Self { seed, levels, gaps }
    }

    /// The mean of the recovered shares of seeds that have one, by dimension, with their number.
    pub fn mean_recovered(all: &[Self], dimension: &str) -> (Option<f64>, usize) {
        let found: Vec<f64> = all.iter().filter_map(|levels| levels.gaps.get(dimension)?.recovered).collect();
        (mean(found.iter().copied()), found.len())
    }
}

/// Files of corrected held-out answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelFiles {
    /// Of the strong model as it was: before, and corrected.
    pub before: PathBuf,
    /// Of the weak model: its corrections count.
    pub weak: PathBuf,
    /// Of the tuned strong model.
    pub after: PathBuf,
    /// Of the strong model tuned on right answers.
    pub ceiling: PathBuf,
}

/// Measures all levels of a seed.
pub(super) fn write(
    files: &LevelFiles,
    seed: usize,
    out: &Path,
    options: &IterateOptions,
    observer: &mut dyn Observer,
) -> Result<()> {
    let mut measure = |path: &Path| Measured::of(path, None, options, observer);
    let before = measure(&files.before)?;
    let level = |scores: &Scores| -> Result<Level> {
        Ok(Level { harmless: estimate(&scores.harmless)?, helpful: estimate(&scores.helpful)? })
    };
    let [weak, after, ceiling] =
        [measure(&files.weak)?.corrections, measure(&files.after)?.answers, measure(&files.ceiling)?.answers];
    let changes = [Change::of(&weak.harmless, &ceiling.harmless)?, Change::of(&weak.helpful, &ceiling.helpful)?];
    let levels = BTreeMap::from([
        (LevelName::Before, level(&before.answers)?),
        (LevelName::Corrected, level(&before.corrections)?),
        (LevelName::Weak, level(&weak)?),
        (LevelName::After, level(&after)?),
        (LevelName::Ceiling, level(&ceiling)?),
    ]);
    write_json(out, &Levels::of(seed, levels, changes))
}
