//! One figure over many rows: its mean, chance, and an interval whose unit is the question.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::score::TaskScore;
use crate::win_rate::ResampleOptions;
use redline_probe::stats::{Estimate, FEWEST_UNITS, Interval, estimate, wilson_interval};

/// How far from a whole number a count may lie by rounding.
const ROUNDING: f64 = 1e-9;

/// MC1 or MC2 over the rows of a file or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChoiceFigure {
    /// Rows that are scored.
    pub n: usize,
    /// Different questions among them: the units of the intervals.
    pub n_questions: usize,
    /// Rows that are not, since a log-probability cannot be computed. They count neither as right nor as wrong.
    pub n_unscored: usize,
    /// Rows whose best answer shares the highest summed log-probability with others.
    pub n_tied: usize,
    /// What blind picks come to on the scored rows; none where there are none.
    pub chance: Option<f64>,
    /// The mean by summed log-probabilities.
    pub summed: Option<Estimate>,
    /// The mean by log-probabilities per character.
    pub per_character: Option<Estimate>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Mc1,
    Mc2,
}

impl ChoiceFigure {
    /// The figure of these rows, each with the number of its question; none where no row is for it.
    pub(super) fn of(task: Task, rows: &[(usize, TaskScore)], resamples: ResampleOptions) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let scored: Vec<&(usize, TaskScore)> = rows.iter().filter(|(_, own)| own.summed.is_some()).collect();
        let values = |of: fn(&TaskScore) -> Option<f64>| {
            let found: Vec<(usize, f64)> =
                scored.iter().filter_map(|(question, own)| Some((*question, of(own)?))).collect();
            mean(task, &found, resamples)
        };
        let [chance, summed, per_character] =
            [|own: &TaskScore| Some(own.chance), |own: &TaskScore| own.summed, |own: &TaskScore| own.per_character]
                .map(values);
        let questions: std::collections::BTreeSet<usize> = scored.iter().map(|(question, _)| *question).collect();
        Some(Self {
            n: scored.len(),
            n_questions: questions.len(),
            n_unscored: rows.len() - scored.len(),
            n_tied: scored.iter().filter(|(_, own)| own.is_tied).count(),
            chance: chance.map(|own| own.value),
            summed,
            per_character,
        })
    }
}

/// The mean over rows, and its interval over questions.
fn mean(task: Task, values: &[(usize, f64)], resamples: ResampleOptions) -> Option<Estimate> {
    let total: f64 = values.iter().map(|(_, value)| value).sum();
    let value = (!values.is_empty()).then(|| total / values.len() as f64)?;
    let mut questions: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (question, value) in values {
        let (sum, n) = questions.entry(*question).or_default();
        (*sum, *n) = (*sum + value, *n + 1.0);
    }
    let n_questions = questions.len();
    let interval = match task {
        Task::Mc1 if n_questions == values.len() => wilson(total, n_questions),
        // all alike: drawing anew would say that it is certain
        Task::Mc1 if value == 0.0 || value == 1.0 => wilson(value * n_questions as f64, n_questions),
        _ => bootstrap(&questions.into_values().collect::<Vec<_>>(), resamples),
    };
    Some(Estimate { value, interval })
}

/// Wilson's interval; ties make a broken count, which lies between two whole ones.
fn wilson(count: f64, n: usize) -> Option<Interval> {
    let below = ((count + ROUNDING).floor() as usize).min(n);
    let above = ((count - ROUNDING).ceil() as usize).min(n);
    Some(Interval { low: wilson_interval(below, n).ok()?.low, high: wilson_interval(above, n).ok()?.high })
}

/// Draws questions anew, each with all its rows: sums and numbers of rows.
fn bootstrap(questions: &[(f64, f64)], resamples: ResampleOptions) -> Option<Interval> {
    if questions.len() < FEWEST_UNITS {
        return None;
    }
    let [found] = estimate(questions.len(), resamples.n_resamples, resamples.seed, |counts| {
        let drawn =
            questions.iter().zip(counts).map(|((sum, n), count)| (sum * f64::from(*count), n * f64::from(*count)));
        let (sum, n) = drawn.fold((0.0, 0.0), |(sum, n), (own_sum, own_n)| (sum + own_sum, n + own_n));
        [(n > 0.0).then(|| sum / n)]
    });
    found?.interval
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(question: usize, summed: Option<f64>) -> (usize, TaskScore) {
        (question, TaskScore { chance: 0.25, summed, per_character: summed, is_tied: summed == Some(0.5) })
    }

    fn figure(task: Task, rows: &[(usize, TaskScore)]) -> ChoiceFigure {
        ChoiceFigure::of(task, rows, ResampleOptions::default()).unwrap()
    }

    #[test]
    fn shares_of_single_questions_have_wilsons_interval() {
        let rows: Vec<_> = (0..10).map(|i| row(i, Some(f64::from(i < 7)))).collect();
        let found = figure(Task::Mc1, &rows).summed.unwrap();
        assert!((found.value - 0.7).abs() < 1e-12);
        // Wilson 1927 for 7 of 10
        let Interval { low, high } = found.interval.unwrap();
        assert!((low - 0.396_775).abs() < 1e-5 && (high - 0.892_211).abs() < 1e-5);
    }

    #[test]
    fn broken_counts_have_an_interval_of_both_neighbours() {
        let rows = [row(0, Some(1.0)), row(1, Some(0.5)), row(2, Some(0.0)), row(3, Some(0.0))];
        let found = figure(Task::Mc1, &rows);
        assert_eq!((found.n_tied, found.summed.unwrap().value), (1, 0.375));
        let (one, two) = (wilson_interval(1, 4).unwrap(), wilson_interval(2, 4).unwrap());
        assert_eq!(found.summed.unwrap().interval, Some(Interval { low: one.low, high: two.high }));
        // three thirds are one, whatever the rounding
        let thirds: Vec<_> = (0..4).map(|i| row(i, Some(if i < 3 { 1.0 / 3.0 } else { 0.0 }))).collect();
        assert_eq!(figure(Task::Mc1, &thirds).summed.unwrap().interval, Some(one));
    }

    #[test]
    fn rows_of_one_question_are_one_unit() {
        // 8 questions of 25 rows that are all alike are no 200 trials
        let rows: Vec<_> = (0..200).map(|i| row(i / 25, Some(f64::from(i / 25 % 2 == 0)))).collect();
        let found = figure(Task::Mc1, &rows);
        assert_eq!((found.n, found.n_questions), (200, 8));
        let Interval { low, high } = found.summed.unwrap().interval.unwrap();
        let naive = wilson_interval(100, 200).unwrap();
        assert!(high - low > 3.0 * (naive.high - naive.low), "{low} {high}");
        let all_right: Vec<_> = (0..200).map(|i| row(i / 25, Some(1.0))).collect();
        assert_eq!(figure(Task::Mc1, &all_right).summed.unwrap().interval, wilson_interval(8, 8).ok());
    }

    #[test]
    fn what_is_not_scored_is_neither_right_nor_wrong() {
        let rows = [row(0, Some(1.0)), row(1, None), row(2, Some(0.0))];
        let found = figure(Task::Mc2, &rows);
        assert_eq!((found.n, found.n_unscored, found.n_questions), (2, 1, 2));
        assert_eq!(found.summed, Some(Estimate { value: 0.5, interval: None }), "too few for an interval");
        let none = figure(Task::Mc1, &[row(0, None)]);
        assert_eq!((none.n, none.n_unscored, none.chance, none.summed), (0, 1, None, None));
        assert_eq!(ChoiceFigure::of(Task::Mc1, &[], ResampleOptions::default()), None);
    }
}
