//! What the log-probabilities of one row come to.

use serde::{Deserialize, Serialize};

use super::row::{Candidate, ChoiceRow};

/// How far above 0 a sum of log-probabilities may lie by rounding.
const ROUNDING: f64 = 1e-3;

/// One row of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TaskScore {
    /// What a blind pick comes to on the row: 1/k for MC1, the share of true answers for MC2.
    pub chance: f64,
    /// What the row comes to by summed log-probabilities, 0 … 1; none where they cannot be computed.
    pub summed: Option<f64>,
    /// The same by log-probabilities per character.
    pub per_character: Option<f64>,
    /// Whether the best answer shares the highest summed log-probability with others; MC1 only.
    pub is_tied: bool,
}

/// What one row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RowScore {
    /// The row's line in its file.
    pub line: usize,
    /// The row of MC1; none where its labels are for MC2 only.
    pub mc1: Option<TaskScore>,
    /// The row of MC2; none where its labels are for MC1 only.
    pub mc2: Option<TaskScore>,
}

/// ln Σ exp x without overflow or underflow; −∞ of nothing or of nothing but −∞, NaN where some x is.
///
/// # Example
/// ```
/// # use redline_judge::choices::log_sum_exp;
/// assert_eq!(log_sum_exp(&[-1e4, -1e4]), -1e4 + 2f64.ln());
/// assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
/// ```
pub fn log_sum_exp(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most.is_infinite() {
        return most;
    }
    most + values.iter().map(|value| (value - most).exp()).sum::<f64>().ln()
}

impl RowScore {
    /// What a row comes to by the log-probabilities of its choices, in their order. A figure for which one is missing, NaN, positive, or
    /// for which all are −∞, is not computed.
    pub fn of(row: &ChoiceRow, log_probs: &[Option<f64>]) -> Self {
        let summed: Vec<Option<f64>> = log_probs.iter().map(|own| own.filter(|value| *value <= ROUNDING)).collect();
        let per_character: Vec<Option<f64>> = summed
            .iter()
            .zip(row.texts())
            .map(|(own, text)| Some((*own)? / text.chars().count().max(1) as f64))
            .collect();
        let [mc1, mc2] = row.candidates();
        let mc1 = mc1.map(|candidates| {
            let [by_sum, by_character] =
                [&summed, &per_character].map(|all| Labelled::of(candidates, all).and_then(|own| own.best()));
            TaskScore {
                chance: 1.0 / candidates.len().max(1) as f64,
                summed: by_sum.map(|best| best.credit),
                per_character: by_character.map(|best| best.credit),
                is_tied: by_sum.is_some_and(|best| best.is_tied),
            }
        });
        let mc2 = mc2.map(|candidates| {
            let n_true = candidates.iter().filter(|own| own.is_true).count();
            let [by_sum, by_character] =
                [&summed, &per_character].map(|all| Labelled::of(candidates, all).and_then(|own| own.mass()));
            let chance = n_true as f64 / candidates.len().max(1) as f64;
            TaskScore { chance, summed: by_sum, per_character: by_character, is_tied: false }
        });
        Self { line: row.line(), mc1, mc2 }
    }
}

/// The log-probabilities of the candidates of a figure.
struct Labelled {
    true_ones: Vec<f64>,
    false_ones: Vec<f64>,
}

/// How the best answer does.
#[derive(Clone, Copy)]
struct Best {
    credit: f64,
    is_tied: bool,
}

impl Labelled {
    /// None where one is missing, or where the model finds all of them impossible.
    fn of(candidates: &[Candidate], all: &[Option<f64>]) -> Option<Self> {
        let mut found = Self { true_ones: Vec::new(), false_ones: Vec::new() };
        for Candidate { choice, is_true } in candidates {
            let value = (*all.get(*choice)?)?;
            if *is_true { found.true_ones.push(value) } else { found.false_ones.push(value) }
        }
        let is_possible = found.all().any(|value| value > f64::NEG_INFINITY);
        is_possible.then_some(found)
    }

    fn all(&self) -> impl Iterator<Item = f64> {
        self.true_ones.iter().chain(&self.false_ones).copied()
    }

    /// 1/k where the true one is among the k likeliest, else 0.
    fn best(&self) -> Option<Best> {
        let most = self.all().fold(f64::NEG_INFINITY, f64::max);
        let n_likeliest = self.all().filter(|value| *value == most).count();
        let is_likeliest = *self.true_ones.first()? == most;
        let credit = if is_likeliest { 1.0 / n_likeliest.max(1) as f64 } else { 0.0 };
        Some(Best { credit, is_tied: is_likeliest && n_likeliest > 1 })
    }

    /// Σ p of the true ones / Σ p of all.
    fn mass(&self) -> Option<f64> {
        let (true_ones, false_ones) = (log_sum_exp(&self.true_ones), log_sum_exp(&self.false_ones));
        // 1 / (1 + e^(false − true)); both being −∞ is ruled out
        let mass = 1.0 / (1.0 + (false_ones - true_ones).exp());
        mass.is_finite().then_some(mass)
    }
}
