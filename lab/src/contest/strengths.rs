//! All systems of a dimension on one scale, as they are and at equal style.

use serde::{Deserialize, Serialize};

use super::field::Field;
use super::standing::Verdicts;
use super::{Attempt, TextStyle};
use crate::judge::Dimension;
use crate::win_rate::{Battle, BradleyTerry, Style};

/// Strengths of all systems against the baseline, whose strength is 0. Each row is one battle, with the score that the rule gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strengths {
    /// By what outputs were compared.
    pub dimension: Dimension,
    /// Without regard to style. Withheld where a system has no finite strength, as one that always wins.
    pub plain: Attempt<BradleyTerry>,
    /// At equal style: length, headers, list items, bold ([`TextStyle`]), each less its mean and in standard deviations over battles.
    pub style_controlled: Attempt<BradleyTerry>,
    /// Features of style that are the same in all battles, so that nothing is known of what they are worth.
    pub constant_features: Vec<String>,
}

impl Strengths {
    pub(super) fn of(dimension: Dimension, field: &Field<'_>, verdicts: &[Verdicts]) -> Self {
        let systems = field.systems.iter();
        let models: Vec<String> = [&field.baseline].into_iter().chain(systems).map(|own| own.name.clone()).collect();
        let (mut battles, mut features) = (Vec::new(), Vec::new());
        for (place, (system, verdicts)) in field.systems.iter().zip(verdicts).enumerate() {
            for ((_, own, baseline), score) in field.common(system).zip(&verdicts.scores) {
                if let Some(score) = score {
                    battles.push(Battle { first: place + 1, second: 0, score: score.score });
                    features.push(own.style.less(&baseline.style));
                }
            }
        }
        let is_constant = |feature: usize| features.iter().all(|row| row[feature] == features[0][feature]);
        let (constant, varied): (Vec<usize>, Vec<usize>) =
            (0..TextStyle::FEATURES.len()).partition(|own| is_constant(*own));
        let named = |features: &[usize]| features.iter().map(|own| TextStyle::FEATURES[*own].to_owned()).collect();
        let names: Vec<String> = named(&varied);
        let rows: Vec<Vec<f64>> = features.iter().map(|row| varied.iter().map(|own| row[*own]).collect()).collect();
        let style = Style { names: &names, rows: &rows };
        Self {
            dimension,
            plain: BradleyTerry::fit(&models, 0, &battles, None).into(),
            style_controlled: BradleyTerry::fit(&models, 0, &battles, Some(style)).into(),
            constant_features: named(&constant),
        }
    }
}
