//! The range of coefficients in which texts stay whole, by their quality.
//!
//! A bound on the likelihood alone says little: between a mean of 0.02 nats per token and one of 0.36, texts of an Aligner turned into
//! nonsense, and both are within half a nat. So the range around 0 ends where the first of several figures leaves its bound.
//!
//! | figure | bound against coefficient 0 | why so |
//! |---|---|---|
//! | `damage`, of flawed or of clean answers | + 0.05 | one character in twenty of what was fine: about a word in every other sentence |
//! | `stray` | + 0.10 | one edit in ten characters that neither mends nor keeps a flaw; above what turning several flaws into something else costs |
//! | `shortfall` | ± 0.15 | a sixth of the text is missing, or there is a sixth too much: a sentence of six |
//! | `truncated` | + 0.05 | loops end at the limit; one output in twenty |
//! | `nll` | + 0.25 nats per token | half of the bound used before, since a text that copies more than the unsteered model would, pays for it at each decision: about 0.1 |
//!
//! The bounds were fixed before any sweep was judged by them.

use serde::{Deserialize, Serialize};

use super::error::QualityError;
use super::oracle_run::OracleLine;
use super::reference_run::ReferenceLine;
use super::table::QualityTable;

/// What may not be left: differences from coefficient 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QualityBounds {
    /// Most damage beyond that at 0.
    pub damage: f64,
    /// Most edits beside mended and kept flaws beyond those at 0, over the length.
    pub stray: f64,
    /// Most text missing, or added, beyond that at 0, over the length.
    pub shortfall: f64,
    /// Most outputs cut beyond those at 0.
    pub truncated: f64,
    /// Most nats per token beyond those at 0.
    pub nll: f64,
}

impl Default for QualityBounds {
    fn default() -> Self {
        Self { damage: 0.05, stray: 0.10, shortfall: 0.15, truncated: 0.05, nll: 0.25 }
    }
}

/// A figure that has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounded {
    /// Damage to flawed answers' clean text.
    Damage,
    /// Damage to clean answers.
    CleanDamage,
    /// Edits beside mended and kept flaws.
    Stray,
    /// Length against the clean text or the reference.
    Shortfall,
    /// Outputs cut by the length limit.
    Truncated,
    /// Negative log-likelihood under the unsteered model.
    Nll,
}

/// Why a range ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RangeEnd {
    /// The first coefficient outside.
    pub coefficient: f64,
    /// The figure that left its bound; of several the first in the order of [`Bounded`].
    pub figure: Bounded,
    /// How far it is from its value at 0.
    pub change: f64,
    /// How far it might be.
    pub bound: f64,
}

/// Coefficients around 0 at which all figures stay within their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QualityRange {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// What ends it below; none where the coefficients end first.
    pub ended_below: Option<RangeEnd>,
    /// What ends it above.
    pub ended_above: Option<RangeEnd>,
}

impl QualityRange {
    /// Whether a coefficient, measured or not, lies in the range.
    pub fn contains(&self, coefficient: f64) -> bool {
        (self.low..=self.high).contains(&coefficient)
    }
}

/// A bounded figure, where it was measured.
type Figure = (Bounded, Option<f64>);

/// A coefficient with its bounded figures.
struct Point {
    coefficient: f64,
    figures: [Figure; 6],
}

impl Point {
    fn of_oracle(line: &OracleLine) -> Option<Self> {
        let figures = [
            (Bounded::Damage, line.damage),
            (Bounded::CleanDamage, line.clean_damage),
            (Bounded::Stray, line.stray),
            (Bounded::Shortfall, line.shortfall),
            (Bounded::Truncated, line.truncated),
            (Bounded::Nll, line.nll),
        ];
        Some(Self { coefficient: line.coefficient?, figures })
    }

    fn of_reference(line: &ReferenceLine) -> Option<Self> {
        let figures = [
            (Bounded::Damage, None),
            (Bounded::CleanDamage, None),
            (Bounded::Stray, None),
            (Bounded::Shortfall, line.shortfall),
            (Bounded::Truncated, line.truncated),
            (Bounded::Nll, line.nll),
        ];
        Some(Self { coefficient: line.coefficient?, figures })
    }

    /// The first figure outside of its bound. One that is measured at 0 and not here is outside.
    fn outside(&self, zero: &Self, bounds: &QualityBounds) -> Option<RangeEnd> {
        let end = |((figure, here), (_, there)): (&Figure, &Figure)| {
            let there = (*there)?;
            let change = here.map_or(f64::INFINITY, |here| here - there);
            let (change, bound) = match figure {
                Bounded::Damage | Bounded::CleanDamage => (change, bounds.damage),
                Bounded::Stray => (change, bounds.stray),
                Bounded::Shortfall => (change.abs(), bounds.shortfall),
                Bounded::Truncated => (change, bounds.truncated),
                Bounded::Nll => (change, bounds.nll),
            };
            (change > bound).then_some(RangeEnd { coefficient: self.coefficient, figure: *figure, change, bound })
        };
        self.figures.iter().zip(&zero.figures).find_map(end)
    }
}

/// The range of a table: by its rows whose flaws are known, or, without such, by those with a reference.
///
/// A coefficient within the bounds beyond one outside does not count.
///
/// # Errors
/// [`QualityError::NoOutputs`] for a table without either, [`QualityError::NoBaseline`] without coefficient 0.
pub fn quality_range(table: &QualityTable, bounds: &QualityBounds) -> Result<QualityRange, QualityError> {
    let points: Vec<Point> = match table.oracle.is_empty() {
        false => table.oracle.iter().filter_map(Point::of_oracle).collect(),
        true => table.reference.iter().filter_map(Point::of_reference).collect(),
    };
    if points.is_empty() {
        return Err(QualityError::NoOutputs);
    }
    let zero = points.iter().position(|point| point.coefficient == 0.0).ok_or(QualityError::NoBaseline)?;
    let side = |outwards: &mut dyn Iterator<Item = &Point>| {
        let mut farthest = 0.0;
        for point in outwards {
            match point.outside(&points[zero], bounds) {
                Some(end) => return (farthest, Some(end)),
                None => farthest = point.coefficient,
            }
        }
        (farthest, None)
    };
    let (low, ended_below) = side(&mut points[..zero].iter().rev());
    let (high, ended_above) = side(&mut points[zero + 1..].iter());
    Ok(QualityRange { low, high, ended_below, ended_above })
}
