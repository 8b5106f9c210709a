//! Logistic regression with soft targets, row weights and an L1 penalty, without intercept.
//!
//! Proximal Newton (Lee, Sun and Saunders 2014; as GLMNET does): the loss is replaced by its second-order expansion, which with the
//! penalty is minimised by coordinate descent; the step towards that point is halved until the objective falls enough. Ends where
//! the subgradient is 0 within [`TOLERANCE`] a unit of weight: far beyond liblinear's default, at which published weights stand.

use super::super::WinRateError;
use super::super::linear::{cross_entropy, sigmoid};

const TOLERANCE: f64 = 1e-11;
const MOST_STEPS: usize = 200;
const MOST_SWEEPS: usize = 2000;
const MOST_HALVINGS: i32 = 60;

/// One row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<const K: usize> {
    pub(super) x: [f64; K],
    /// Target, 0 … 1.
    pub(super) y: f64,
    pub(super) weight: f64,
}

impl<const K: usize> Row<K> {
    fn logit(&self, w: &[f64; K]) -> f64 {
        self.x.iter().zip(w).map(|(x, w)| x * w).sum()
    }

    /// Weighted cross entropy of the row.
    pub(super) fn loss(&self, w: &[f64; K]) -> f64 {
        self.weight * cross_entropy(self.logit(w), self.y)
    }
}

/// The weights that minimise the loss of all rows plus `penalty` times the sum of magnitudes.
pub(super) fn fit<const K: usize>(rows: &[Row<K>], penalty: f64) -> Result<[f64; K], WinRateError> {
    let mut w = [0.0; K];
    let tolerance = TOLERANCE * (1.0 + rows.iter().map(|row| row.weight).sum::<f64>());
    let objective = |w: &[f64; K]| {
        rows.iter().map(|row| row.loss(w)).sum::<f64>() + penalty * w.iter().map(|w| w.abs()).sum::<f64>()
    };
    let mut value = objective(&w);
    for _ in 0..MOST_STEPS {
        let (gradient, curvature) = derivatives(rows, &w);
        if (0..K).all(|k| subgradient(w[k], gradient[k], penalty).abs() <= tolerance) {
            return Ok(w);
        }
        let aim = minimum_of_expansion(&w, &gradient, &curvature, penalty);
        let promised: f64 = (0..K).map(|k| gradient[k] * (aim[k] - w[k]) + penalty * (aim[k].abs() - w[k].abs())).sum();
        let at = |t: f64| std::array::from_fn(|k| w[k] + t * (aim[k] - w[k]));
        // The last term lets steps through whose gain is lost in rounding.
        let enough = |t: f64, tried: f64| tried <= value + 1e-4 * t * promised + 1e-13 * value.abs();
        let steps = (0..MOST_HALVINGS).map(|halvings| 0.5_f64.powi(halvings));
        let mut tried = steps.map(|t| (t, at(t))).map(|(t, w)| (t, objective(&w), w));
        let Some((_, next_value, next)) = tried.find(|(t, value, _)| enough(*t, *value)) else { break };
        (value, w) = (next_value, next);
    }
    Err(WinRateError::NotConverged { what: "logistic regression", n_steps: MOST_STEPS })
}

fn derivatives<const K: usize>(rows: &[Row<K>], w: &[f64; K]) -> ([f64; K], [[f64; K]; K]) {
    let (mut gradient, mut curvature) = ([0.0; K], [[0.0; K]; K]);
    for row in rows {
        let p = sigmoid(row.logit(w));
        for (a, x) in row.x.iter().enumerate() {
            gradient[a] += row.weight * (p - row.y) * x;
            for (b, y) in row.x.iter().enumerate() {
                curvature[a][b] += row.weight * p * (1.0 - p) * x * y;
            }
        }
    }
    (gradient, curvature)
}

/// The element of the subdifferential that is nearest to 0.
fn subgradient(w: f64, gradient: f64, penalty: f64) -> f64 {
    if w == 0.0 { shrink(gradient, penalty) } else { gradient + penalty * w.signum() }
}

/// Moves a number towards 0 by an amount, not beyond.
fn shrink(x: f64, by: f64) -> f64 {
    x.signum() * (x.abs() - by).max(0.0)
}

/// Where the second-order expansion at `w` plus the penalty is least, by coordinate descent.
fn minimum_of_expansion<const K: usize>(
    w: &[f64; K],
    gradient: &[f64; K],
    curvature: &[[f64; K]; K],
    penalty: f64,
) -> [f64; K] {
    let mut aim = *w;
    for _ in 0..MOST_SWEEPS {
        let mut largest: f64 = 0.0;
        for k in 0..K {
            // A column of zeros has no curvature and stays where it is.
            if curvature[k][k] <= 0.0 {
                continue;
            }
            let slope = gradient[k] + (0..K).map(|other| curvature[k][other] * (aim[other] - w[other])).sum::<f64>();
            let next = shrink(aim[k] - slope / curvature[k][k], penalty / curvature[k][k]);
            largest = largest.max((next - aim[k]).abs() / (1.0 + next.abs()));
            aim[k] = next;
        }
        if largest < 1e-15 {
            break;
        }
    }
    aim
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(x: f64, y: f64) -> Row<1> {
        Row { x: [x], y, weight: 1.0 }
    }

    #[test]
    fn one_column_by_hand() {
        // 4 rows of target ¾: gradient 4 (σ(w) − ¾) + penalty = 0, so σ(w) = ¾ − penalty / 4
        let rows = [row(1.0, 0.75); 4];
        let [w] = fit(&rows, 0.4).unwrap();
        assert!((sigmoid(w) - 0.65).abs() < 1e-12, "{w}");
        // at 0 the gradient is −1: a penalty of 1 holds the weight at exactly 0
        assert_eq!(fit(&rows, 1.0).unwrap(), [0.0]);
        assert_eq!(fit::<1>(&[], 1.0).unwrap(), [0.0]);
        assert_eq!(fit(&[row(0.0, 1.0)], 0.1).unwrap(), [0.0], "a column of zeros");
    }

    #[test]
    fn a_penalty_holds_what_nothing_else_does() {
        // separable: n (1 − σ(w)) = penalty
        let [w] = fit(&[row(1.0, 1.0), row(-1.0, 0.0)], 1e-4).unwrap();
        assert!((2.0 * (1.0 - sigmoid(w)) - 1e-4).abs() < 1e-10, "{w}");
    }

    #[test]
    fn weights_count_as_repetition() {
        let columns = [([0.3, 1.0], 0.2), ([-0.8, 1.0], 0.9), ([0.5, 0.0], 1.0), ([0.1, 1.0], 0.7)];
        let once: Vec<Row<2>> = columns.iter().map(|&(x, y)| Row { x, y, weight: 3.0 }).collect();
        let thrice: Vec<Row<2>> =
            (0..3).flat_map(|_| columns.iter().map(|&(x, y)| Row { x, y, weight: 1.0 })).collect();
        let (a, b) = (fit(&once, 0.05).unwrap(), fit(&thrice, 0.05).unwrap());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} {b:?}");
        assert!(a.iter().all(|w| w.abs() > 0.1));
    }

    #[test]
    fn equal_columns_still_reach_the_minimum() {
        let rows = [Row { x: [1.0, 1.0], y: 0.9, weight: 2.0 }, Row { x: [1.0, 1.0], y: 0.6, weight: 1.0 }];
        let [a, b] = fit(&rows, 0.01).unwrap();
        let [alone] = fit(&rows.map(|own| Row { x: [1.0], y: own.y, weight: own.weight }), 0.01).unwrap();
        assert!((a + b - alone).abs() < 1e-9, "{a} {b} {alone}");
    }
}
