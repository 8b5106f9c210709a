//! Which of several candidates suits a text: multinomial logistic regression (linfa's, with L2 regularisation) of the best candidate on an
//! activation.
//!
//! Dimensions are centred and divided by their deviation, so that regularisation weighs all alike. Its strength is that whose fits choose
//! best on left-out rows, by five folds of whole groups; of equals the strongest, which promises least. A row where all candidates are
//! equally good tells nothing and is left out of the fit; of equal best candidates that counts which is better over all rows.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use redline_model::random::Random;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Weights of the squared norm that are tried.
const STRENGTHS: [f64; 5] = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
const N_FOLDS: usize = 5;
const MAX_ITERATIONS: u64 = 100;

/// A fitted router.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// Mean of each dimension, (hidden).
    pub mean: Vec<f64>,
    /// Deviation of each dimension, (hidden).
    pub deviation: Vec<f64>,
    /// Candidates that it can choose: those that were best for some row.
    pub candidates: Vec<usize>,
    /// (candidates, hidden), on the scaled dimensions.
    pub weights: Vec<Vec<f64>>,
    /// (candidates).
    pub intercepts: Vec<f64>,
    /// Weight of the squared norm in the loss.
    pub strength: f64,
}

impl Router {
    /// Fits a router; rows of one group are left out together.
    ///
    /// # Shapes
    /// `activations` (rows, hidden), `worth` (rows, candidates), `groups` (rows).
    ///
    /// # Errors
    /// [`Error::TooFew`] for fewer than ten groups or two candidates, [`Error::LengthMismatch`], [`Error::NotFinite`], [`Error::PairRegression`] where the
    /// solver fails.
    pub fn fit(activations: ArrayView2<'_, f64>, worth: &[Vec<f64>], groups: &[usize], seed: u64) -> Result<Self> {
        let folds = folds(groups, seed)?;
        check(activations, worth, groups)?;
        let all: Vec<usize> = (0..worth.len()).collect();
        let mut best: Option<(f64, f64)> = None;
        for strength in STRENGTHS {
            let mut sum = 0.0;
            for left_out in 0..N_FOLDS {
                let rows = |is_left_out: bool| -> Vec<usize> {
                    all.iter().copied().filter(|&row| (folds[row] == left_out) == is_left_out).collect()
                };
                let router = fit_rows(activations, worth, &rows(false), strength)?;
                let chosen = |row: usize| worth[row][router.choose_from(activations.row(row).iter().copied())];
                sum += rows(true).into_iter().map(chosen).sum::<f64>();
            }
            if best.is_none_or(|(_, most)| sum >= most) {
                best = Some((strength, sum));
            }
        }
        fit_rows(activations, worth, &all, best.map_or(STRENGTHS[0], |(strength, _)| strength))
    }

    /// The candidate for an activation of as many dimensions as it was fitted to.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for another size, [`Error::NotFinite`] for one that is not finite.
    pub fn choose(&self, activation: &[f32]) -> Result<usize> {
        if activation.len() != self.mean.len() {
            return Err(Error::LengthMismatch {
                what: "dimensions of an activation to route by",
                got: activation.len(),
                expected: self.mean.len(),
            });
        }
        if let Some(index) = activation.iter().position(|x| !x.is_finite()) {
            return Err(Error::NotFinite { what: "activation to route by", index, value: activation[index].into() });
        }
        Ok(self.choose_from(activation.iter().map(|x| f64::from(*x))))
    }

    fn choose_from(&self, activation: impl Iterator<Item = f64>) -> usize {
        let scaled: Vec<f64> =
            activation.zip(self.mean.iter().zip(&self.deviation)).map(|(x, (mean, std))| (x - mean) / std).collect();
        let logit = |place: usize| {
            self.weights[place].iter().zip(&scaled).map(|(w, x)| w * x).sum::<f64>() + self.intercepts[place]
        };
        let mut best = (0, f64::NEG_INFINITY);
        for (place, candidate) in self.candidates.iter().enumerate() {
            let found = logit(place);
            if found > best.1 {
                best = (*candidate, found);
            }
        }
        best.0
    }

    /// Refuses a router that was not fitted by this program: sizes that differ, numbers that are none.
    ///
    /// # Errors
    /// The broken rule.
    pub fn check(&self, hidden: usize, n_candidates: usize) -> std::result::Result<(), String> {
        let n = self.candidates.len();
        let has_size = |values: &Vec<f64>, size| values.len() == size && values.iter().all(|value| value.is_finite());
        match () {
            () if n == 0 || self.candidates.iter().any(|candidate| *candidate >= n_candidates) => {
                Err("`candidates` of the router are none of its file".into())
            }
            () if !has_size(&self.mean, hidden) || !has_size(&self.deviation, hidden) => {
                Err(format!("`mean` and `deviation` of the router need {hidden} finite numbers"))
            }
            () if self.deviation.iter().any(|value| *value <= 0.0) => {
                Err("`deviation` of the router holds a number that is not above 0".into())
            }
            () if self.weights.len() != n || !self.weights.iter().all(|row| has_size(row, hidden)) => {
                Err(format!("`weights` of the router need {n} lists of {hidden} finite numbers"))
            }
            () if !has_size(&self.intercepts, n) => Err(format!("`intercepts` of the router need {n} finite numbers")),
            () => Ok(()),
        }
    }
}

fn check(activations: ArrayView2<'_, f64>, worth: &[Vec<f64>], groups: &[usize]) -> Result<()> {
    let mismatch = |what, got, expected| Err(Error::LengthMismatch { what, got, expected });
    let n_candidates = worth.first().map_or(0, Vec::len);
    if n_candidates < 2 {
        return Err(Error::TooFew { what: "candidates to route between", got: n_candidates, needed: 2 });
    }
    if activations.nrows() != worth.len() {
        return mismatch("rows of activations", activations.nrows(), worth.len());
    }
    if groups.len() != worth.len() {
        return mismatch("groups of rows to route", groups.len(), worth.len());
    }
    for row in worth {
        if row.len() != n_candidates {
            return mismatch("candidates of a row", row.len(), n_candidates);
        }
        super::stats::check_finite("worth of candidates", row)?;
    }
    match activations.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(Error::NotFinite { what: "activations to route by", index, value: f64::NAN }),
        None => Ok(()),
    }
}

/// The fold of each row.
fn folds(groups: &[usize], seed: u64) -> Result<Vec<usize>> {
    let mut names = groups.to_vec();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 * N_FOLDS {
        return Err(Error::TooFew { what: "questions to fit a router to", got: names.len(), needed: 2 * N_FOLDS });
    }
    Random::named(&[seed], "folds of routed rows").shuffle(&mut names);
    let fold = |group: &usize| names.iter().position(|name| name == group).unwrap_or(0) % N_FOLDS;
    Ok(groups.iter().map(fold).collect())
}

/// The candidate of the highest mean worth over these rows; of equals the first.
pub fn best_candidate(worth: &[Vec<f64>], rows: &[usize]) -> usize {
    let n_candidates = worth.first().map_or(0, Vec::len);
    let sums: Vec<f64> = (0..n_candidates).map(|place| rows.iter().map(|&row| worth[row][place]).sum()).collect();
    first_best(&sums)
}

fn first_best(values: &[f64]) -> usize {
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().position(|value| *value == highest).unwrap_or(0)
}

fn fit_rows(activations: ArrayView2<'_, f64>, worth: &[Vec<f64>], rows: &[usize], strength: f64) -> Result<Router> {
    let overall = best_candidate(worth, rows);
    let chosen = activations.select(Axis(0), rows);
    let n = rows.len().max(1) as f64;
    let mean = chosen.sum_axis(Axis(0)) / n;
    let centred = &chosen - &mean;
    let squares = centred.mapv(|x| x * x).sum_axis(Axis(0)) / n;
    let deviation: Array1<f64> = squares.mapv(|square| square.sqrt().max(1e-12));
    let mut labels = Vec::new();
    let mut telling = Vec::new();
    for (place, &row) in rows.iter().enumerate() {
        let best = worth[row].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if worth[row].iter().any(|value| *value < best) {
            labels.push(if worth[row][overall] == best { overall } else { first_best(&worth[row]) });
            telling.push(place);
        }
    }
    let router = |candidates, weights, intercepts| Router {
        mean: mean.to_vec(),
        deviation: deviation.to_vec(),
        candidates,
        weights,
        intercepts,
        strength,
    };
    let first = labels.first().copied().unwrap_or(overall);
    if labels.iter().all(|label| *label == first) {
        return Ok(router(vec![first], vec![vec![0.0; mean.len()]], vec![0.0]));
    }
    let scaled: Array2<f64> = (&centred / &deviation).select(Axis(0), &telling);
    let regression = MultiLogisticRegression::default().alpha(strength).max_iterations(MAX_ITERATIONS);
    let fitted = regression.fit(&DatasetBase::new(scaled, Array1::from(labels)));
    let fitted = fitted.map_err(|error| Error::PairRegression { problem: error.to_string() })?;
    let weights = fitted.params().columns().into_iter().map(|column| column.to_vec()).collect();
    Ok(router(fitted.classes().to_vec(), weights, fitted.intercept().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three candidates; which is best is told by the signs of two of five dimensions, one a thousand times smaller.
    fn rows(n: usize, noise: f64) -> (Array2<f64>, Vec<Vec<f64>>, Vec<usize>) {
        let mut random = Random::new(&[3]);
        let mut worth = Vec::new();
        let activations = Array2::from_shape_fn((n, 5), |(row, column)| {
            let best = row % 3;
            let own = match (column, best) {
                (1, 0) | (3, 1) => 4.0,
                (1 | 3, _) => -2.0,
                _ => 0.0,
            };
            (own + noise * random.normal()) * if column == 3 { 1e-3 } else { 1.0 }
        });
        for row in 0..n {
            worth.push((0..3).map(|place| if place == row % 3 { 1.0 } else { 0.1 * place as f64 }).collect());
        }
        (activations, worth, (0..n).map(|row| row / 3).collect())
    }

    fn choices(router: &Router, activations: &Array2<f64>) -> Vec<usize> {
        let row = |row: ndarray::ArrayView1<'_, f64>| row.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        activations.outer_iter().map(|x| router.choose(&row(x)).unwrap()).collect()
    }

    #[test]
    fn a_separable_case_is_recovered() {
        let (activations, worth, groups) = rows(120, 0.5);
        let router = Router::fit(activations.view(), &worth, &groups, 1).unwrap();
        router.check(5, 3).unwrap();
        let right =
            choices(&router, &activations).iter().enumerate().filter(|(row, choice)| row % 3 == **choice).count();
        assert!(right >= 118, "{right}");
        assert_eq!(Router::fit(activations.view(), &worth, &groups, 1).unwrap(), router, "a seed fixes it");
        let mut broken = router.clone();
        broken.candidates[0] = 3;
        assert!(broken.check(5, 3).is_err() && router.check(4, 3).is_err());
        broken = router.clone();
        broken.weights[1][0] = f64::NAN;
        assert!(broken.check(5, 3).unwrap_err().contains("weights"));
        assert!(router.choose(&[0.0; 4]).is_err() && router.choose(&[f32::NAN, 0.0, 0.0, 0.0, 0.0]).is_err());
    }

    #[test]
    fn one_best_candidate_is_chosen_always_and_rows_that_tell_nothing_do_not_count() {
        let (activations, mut worth, groups) = rows(60, 0.5);
        worth.iter_mut().enumerate().for_each(|(row, worth)| {
            *worth = if row % 2 == 0 { vec![0.0, 0.0, 2.0] } else { vec![5.0, 5.0, 5.0] };
        });
        let router = Router::fit(activations.view(), &worth, &groups, 1).unwrap();
        assert!(choices(&router, &activations).iter().all(|choice| *choice == 2), "{:?}", router.candidates);
        assert_eq!(best_candidate(&worth, &[0, 1]), 2);
        assert_eq!(best_candidate(&worth, &[1]), 0, "of equals the first");
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let (activations, worth, groups) = rows(30, 0.5);
        let fit = |worth: &[Vec<f64>], groups: &[usize]| Router::fit(activations.view(), worth, groups, 0);
        assert!(fit(&worth, &groups).is_ok());
        assert!(matches!(fit(&worth, &[0; 30]), Err(Error::TooFew { got: 1, .. })));
        assert!(matches!(fit(&worth[..29], &groups), Err(Error::LengthMismatch { .. })));
        assert!(matches!(fit(&vec![vec![1.0]; 30], &groups), Err(Error::TooFew { got: 1, needed: 2, .. })));
        assert!(matches!(fit(&vec![vec![1.0, f64::NAN]; 30], &groups), Err(Error::NotFinite { .. })));
    }
}
