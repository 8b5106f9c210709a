//! What a table of quality says about a dial, in sentences.
//!
//! Every verdict has a stable name, the figure it rests on, a sentence and the place in the book that says what to do. The thresholds are
//! constants, each with its reason, and were fixed before any sweep was judged by them.
//!
//! *Corrects* compares the two ends of the [range in which texts stay whole](super::quality_range). The other verdicts compare coefficient 0 with
//! the upper edge: the first coefficient above 0 at which texts break, or the highest measured.

use serde::{Deserialize, Serialize};

use super::error::QualityError;
use super::range::{Bounded, QualityBounds, QualityRange, quality_range};
use super::table::QualityTable;

/// The least rise of gain (or fall of it) that counts: a twentieth of the way from the answer to the clean text. Take a paired interval beside it: over 60 rows the standard error
/// of a difference of gains was 0.02 to 0.035 on the built-in Aligner, so a change of this size is one or two of them.
pub const LEAST_RISE: f64 = 0.05;
/// The least fall of likeness to the reference that counts: a fiftieth of the text. Likeness is a smaller number than gain, since most of an answer is copied
/// either way.
pub const LEAST_LIKENESS: f64 = 0.02;
/// Deletion: beyond what mending flaws takes away, outputs are this much shorter than at coefficient 0. A tenth of the text is about every other answer's
/// last sentence.
pub const DELETED: f64 = 0.10;
/// Damage to the clean text of flawed answers beyond that at coefficient 0: one character in fifty. Above it a reader meets a wrong word in
/// most answers of 300 characters.
pub const DAMAGED: f64 = 0.02;
/// Clean answers no longer copied: one in ten.
pub const CLEAN_LOST: f64 = 0.10;
/// *Most* prompts: more than half.
pub const UNMOVED: f64 = 0.5;
/// The usual level of a test.
pub const LEVEL: f64 = 0.05;

/// Which verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerdictKind {
    /// Turning the dial up brings the text nearer to the clean one.
    Corrects,
    /// Turning it up takes text away that was no flaw.
    DeletesRatherThanCorrects,
    /// Turning it up leads away from the clean text or the reference.
    MovesAwayFromReference,
    /// It changes what was fine.
    DamagesCleanText,
    /// Most prompts with something to correct have the same output at all coefficients.
    MostPromptsDoNotMove,
    /// Shuffled directions do as much.
    NotDistinguishableFromShuffled,
    /// Within the coefficients measured, texts break.
    TextsBreak,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which.
    pub id: VerdictKind,
    /// The figure it rests on.
    pub figure: f64,
    /// What it is compared with.
    pub threshold: f64,
    /// The verdict in a sentence, with the figure.
    pub sentence: String,
    /// The section of `docs/when-steering-fails.md`.
    pub anchor: String,
}

/// What is known beside the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// p value of the dial's slope among directions from shuffled labels, two-sided.
    pub shuffled_p: Option<f64>,
    /// The bounds of whole texts.
    #[serde(skip)]
    pub bounds: QualityBounds,
}

impl VerdictKind {
    /// The section of `docs/when-steering-fails.md` about it.
    pub fn anchor(self) -> &'static str {
        match self {
            Self::Corrects => "it-corrects",
            Self::DeletesRatherThanCorrects => "it-deletes-rather-than-corrects",
            Self::MovesAwayFromReference => "it-moves-away-from-the-reference",
            Self::DamagesCleanText => "clean-answers-change-too",
            Self::MostPromptsDoNotMove => "most-prompts-do-not-move",
            Self::NotDistinguishableFromShuffled => "shuffled-directions-do-as-much",
            Self::TextsBreak => "everything-breaks-at-once",
        }
    }
}

/// The verdicts on a table, the good one first.
///
/// # Errors
/// As [`quality_range`].
pub fn verdicts(table: &QualityTable, evidence: &Evidence) -> Result<Vec<Verdict>, QualityError> {
    let range = quality_range(table, &evidence.bounds)?;
    let ends = Ends::of(table, &range);
    let found = [
        ends.as_ref().and_then(Ends::corrects),
        ends.as_ref().and_then(Ends::deletes),
        ends.as_ref().and_then(Ends::moves_away),
        ends.as_ref().and_then(Ends::damages),
        does_not_move(table),
        is_like_shuffled(evidence),
        breaks(&range),
    ];
    Ok(found.into_iter().flatten().collect())
}

/// The figures that verdicts compare, at one coefficient.
#[derive(Debug, Clone, Copy)]
struct At {
    coefficient: f64,
    /// Gain, or likeness to the reference.
    nearness: f64,
    shortfall: Option<f64>,
    damage: Option<f64>,
    clean_kept: Option<f64>,
}

/// The ends of the range, and its middle.
struct Ends {
    low: At,
    zero: At,
    high: At,
    /// The first above the range, or its high end.
    edge: At,
    /// What counts as a change of `nearness`.
    least: f64,
    /// What `nearness` is called.
    name: &'static str,
    /// The nearness of the unchanged answers.
    unchanged: f64,
}

impl Ends {
    /// None where no row has a flaw.
    fn of(table: &QualityTable, range: &QualityRange) -> Option<Self> {
        let oracle = table.oracle.iter().filter_map(|line| {
            let (coefficient, nearness) = (line.coefficient?, line.gain?);
            Some(At {
                coefficient,
                nearness,
                shortfall: line.shortfall,
                damage: line.damage,
                clean_kept: line.clean_kept,
            })
        });
        let reference = table.reference.iter().filter_map(|line| {
            let (coefficient, nearness) = (line.coefficient?, line.similarity?);
            Some(At { coefficient, nearness, shortfall: line.shortfall, damage: None, clean_kept: line.clean_kept })
        });
        let by_oracle = !table.oracle.is_empty();
        let all: Vec<At> = if by_oracle { oracle.collect() } else { reference.collect() };
        let at = |coefficient: f64| all.iter().find(|at| at.coefficient == coefficient).copied();
        let unchanged = match by_oracle {
            true => 0.0,
            false => table.unchanged.reference.as_ref().and_then(|line| line.similarity)?,
        };
        Some(Self {
            low: at(range.low)?,
            zero: at(0.0)?,
            high: at(range.high)?,
            edge: at(range.ended_above.map_or(range.high, |end| end.coefficient))?,
            least: if by_oracle { LEAST_RISE } else { LEAST_LIKENESS },
            name: if by_oracle { "gain" } else { "likeness to the reference" },
            unchanged,
        })
    }

    /// From the low to the high end the text comes nearer to the clean one, is nearer than the answer was, and turning up from 0 does not take that back.
    fn corrects(&self) -> Option<Verdict> {
        let rise = self.high.nearness - self.low.nearness;
        let is_better = self.high.nearness > self.unchanged && self.zero.nearness - self.high.nearness < self.least;
        (rise >= self.least && is_better).then(|| {
            let Self { low, high, name, .. } = self;
            let sentence = format!(
                "The dial corrects: from {} to {} the {name} goes from {:.3} to {:.3}.",
                low.coefficient, high.coefficient, low.nearness, high.nearness
            );
            verdict(VerdictKind::Corrects, rise, self.least, sentence)
        })
    }

    fn deletes(&self) -> Option<Verdict> {
        let missing = self.edge.shortfall? - self.zero.shortfall?;
        let is_nearer = self.edge.nearness - self.zero.nearness >= self.least;
        (missing >= DELETED && !is_nearer).then(|| {
            let sentence = format!(
                "Turned up to {}, the dial takes away {:.0} % more of the text than at 0 and does not bring it nearer to a correct one.",
                self.edge.coefficient,
                100.0 * missing
            );
            verdict(VerdictKind::DeletesRatherThanCorrects, missing, DELETED, sentence)
        })
    }

    fn moves_away(&self) -> Option<Verdict> {
        let fall = self.zero.nearness - self.edge.nearness;
        (fall >= self.least).then(|| {
            let Self { zero, edge, name, .. } = self;
            let sentence = format!(
                "Turned up to {}, the dial leads away from the reference: the {name} falls from {:.3} to {:.3}; the unchanged answer has {:.3}.",
                edge.coefficient, zero.nearness, edge.nearness, self.unchanged
            );
            verdict(VerdictKind::MovesAwayFromReference, fall, self.least, sentence)
        })
    }

    fn damages(&self) -> Option<Verdict> {
        let change = |of: fn(&At) -> Option<f64>| Some(of(&self.edge)? - of(&self.zero)?);
        let damage = change(|at| at.damage).filter(|damage| *damage >= DAMAGED);
        let lost = change(|at| at.clean_kept).map(|kept| -kept).filter(|lost| *lost >= CLEAN_LOST);
        let at = self.edge.coefficient;
        let (figure, threshold, sentence) = match (damage, lost) {
            (Some(damage), _) => {
                let percent = 100.0 * damage;
                (damage, DAMAGED, format!("At {at}, {percent:.1} % more of the clean text is changed than at 0."))
            }
            (None, Some(lost)) => {
                let percent = 100.0 * lost;
                (lost, CLEAN_LOST, format!("At {at}, {percent:.0} % fewer clean answers stay as they are than at 0."))
            }
            (None, None) => return None,
        };
        Some(verdict(VerdictKind::DamagesCleanText, figure, threshold, sentence))
    }
}

fn does_not_move(table: &QualityTable) -> Option<Verdict> {
    let unmoved = table.unmoved.filter(|unmoved| *unmoved > UNMOVED)?;
    let sentence = format!(
        "{:.0} % of the prompts with something to correct have the same output at all coefficients.",
        100.0 * unmoved
    );
    Some(verdict(VerdictKind::MostPromptsDoNotMove, unmoved, UNMOVED, sentence))
}

fn is_like_shuffled(evidence: &Evidence) -> Option<Verdict> {
    let p = evidence.shuffled_p.filter(|p| *p > LEVEL)?;
    let sentence = format!("Directions from shuffled labels do as much (p = {p:.3}).");
    Some(verdict(VerdictKind::NotDistinguishableFromShuffled, p, LEVEL, sentence))
}

fn breaks(range: &QualityRange) -> Option<Verdict> {
    let end = [range.ended_above, range.ended_below].into_iter().flatten().next()?;
    let what = match end.figure {
        Bounded::Damage => "damage to clean text",
        Bounded::CleanDamage => "damage to clean answers",
        Bounded::Stray => "edits that mend nothing",
        Bounded::Shortfall => "the length",
        Bounded::Truncated => "the share of outputs that the limit cut",
        Bounded::Nll => "the likelihood",
    };
    let sentence = format!(
        "Texts break at {}: {what} is {:.2} away from its value at 0 (bound {}); they are whole from {} to {}.",
        end.coefficient, end.change, end.bound, range.low, range.high
    );
    Some(verdict(VerdictKind::TextsBreak, end.change, end.bound, sentence))
}

fn verdict(id: VerdictKind, figure: f64, threshold: f64, sentence: String) -> Verdict {
    Verdict { id, figure, threshold, sentence, anchor: id.anchor().to_owned() }
}

#[cfg(test)]
mod tests;
