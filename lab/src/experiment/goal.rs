//! What a vector is trained for: which text belongs to which coefficient.

use redline_steer::trained::Objective;
use serde::{Deserialize, Serialize};

use crate::data::corrupt::{CorruptedRow, MAX_STRICTNESS, MIN_STRICTNESS};
use crate::error::{Error, Result};
use crate::rows::Rows;

/// What a trained vector is trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Goal {
    /// Every strictness at its own coefficient: all flaws mended at 1, none at −1. For rows that carry their flaws.
    #[default]
    Graded,
    /// The correction at 1, the copy at −1.
    Poles,
    /// The same two texts, by [`Objective::Bipo`].
    Bipo,
    /// The same two texts, by [`Objective::Reps`].
    Reps,
    /// The correction at 1, and nothing else: what is between it and the model as it is, nothing was trained for.
    Correction,
}

redline_model::named_enum! {
    "goal", Goal { Graded = "graded", Poles = "poles", Bipo = "bipo", Reps = "reps", Correction = "correction" }
}

impl Goal {
    pub(super) fn objective(self) -> Objective {
        match self {
            Self::Graded | Self::Poles | Self::Correction => Objective::Likelihood,
            Self::Bipo => Objective::Bipo,
            Self::Reps => Objective::Reps,
        }
    }

    /// The texts of a row, each at its coefficient.
    pub(super) fn texts(self, rows: &Rows, row: usize) -> Result<Vec<(f32, String)>> {
        let triple = &rows.triples[row];
        match (self, &rows.flawed) {
            (Self::Graded, Some(flawed)) => graded(&flawed[row]),
            (Self::Graded, None) => Err(Error::option(
                format!("{}: graded training takes rows that carry their flaws", rows.name.display()),
                "give --goal poles, or make the rows with `redline data corrupt`",
            )),
            (Self::Correction, _) => Ok(vec![(1.0, triple.correction.clone())]),
            _ => Ok(vec![(-1.0, triple.answer.clone()), (1.0, triple.correction.clone())]),
        }
    }
}

/// Strictness s belongs to the coefficient 1 − 0.4 (s − 1): all flaws are mended at 1, only the gravest at −0.6, none at −1. An Aligner
/// that was trained on every strictness alike stands between them, at 0.
fn graded(row: &CorruptedRow) -> Result<Vec<(f32, String)>> {
    let mut texts = vec![(-1.0, row.answer.clone())];
    for strictness in (MIN_STRICTNESS..=MAX_STRICTNESS).rev() {
        texts.push((1.0 - 0.4 * f32::from(strictness - MIN_STRICTNESS), row.correction_at(strictness)?));
    }
    Ok(texts)
}
