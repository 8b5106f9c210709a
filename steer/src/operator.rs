//! Operators: how a vector meets an activation.
//!
//! With h the activation, v the vector of the layer, v̂ = v / ‖v‖, p = h · v̂ and c the coefficient:
//!
//! | operator | h becomes | source |
//! |---|---|---|
//! | `add` | h + c v | Turner et al. 2023; RepE's `linear_comb` |
//! | `piecewise` | h + c sign(p) v | RepE's `piecewise_linear` |
//! | `ablate` | h − c p v̂ | Arditi et al. 2024; RepE's `projection` |
//! | `clamp` | h + (c ‖v‖ − p) v̂ | Templeton et al. 2024 |
//! | `cap` | h + (min(p, c ‖v‖) − p) v̂, max where c < 0 | one side of `clamp` |
//! | `norm-preserving` | (h + c v) ‖h‖ / ‖h + c v‖ | |
//!
//! Coefficient 0 leaves a row alone under every operator: it is the baseline. Only `add` and `norm-preserving` are dials: `ablate` is
//! quadratic in v (±v do the same) and tests whether a direction is needed, `clamp` and `cap` fix how far along it an activation is.

use serde::{Deserialize, Serialize};

/// How a vector meets an activation; formulas stand in the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Operator {
    /// Adds c v.
    #[default]
    Add,
    /// Adds c v where the activation leans towards v, −c v where it leans away: it strengthens what is there.
    Piecewise,
    /// Takes away c times the part along v; all of it at c = 1.
    Ablate,
    /// Sets the part along v to c ‖v‖.
    Clamp,
    /// Lets the part along v be at most c ‖v‖; where c < 0, at least.
    Cap,
    /// Adds c v, then scales back to the length before.
    NormPreserving,
}

redline_model::named_enum! {
    "operator", Operator {
        Add = "add", Piecewise = "piecewise", Ablate = "ablate", Clamp = "clamp", Cap = "cap",
        NormPreserving = "norm-preserving",
    }
}

impl Operator {
    /// Changes an activation in place. `norm` is the length of `v`, above 0.
    pub(crate) fn apply(self, activation: &mut [f32], v: &[f32], norm: f64, coefficient: f32) {
        let c = f64::from(coefficient);
        let along = |h: &[f32]| dot(h, v) / norm;
        match self {
            Self::Add => add(activation, v, coefficient),
            Self::Piecewise => {
                let p = along(activation);
                let sign = if p > 0.0 {
                    1.0
                } else if p < 0.0 {
                    -1.0
                } else {
                    0.0
                };
                add(activation, v, sign * coefficient);
            }
            Self::Ablate => {
                let p = along(activation);
                add(activation, v, (-c * p / norm) as f32);
            }
            Self::Clamp => {
                let p = along(activation);
                add(activation, v, ((c * norm - p) / norm) as f32);
            }
            Self::Cap => {
                let (p, bound) = (along(activation), c * norm);
                let capped = if c < 0.0 { p.max(bound) } else { p.min(bound) };
                if capped != p {
                    add(activation, v, ((capped - p) / norm) as f32);
                }
            }
            Self::NormPreserving => {
                let before = dot(activation, activation).sqrt();
                add(activation, v, coefficient);
                let after = dot(activation, activation).sqrt();
                if after > 0.0 {
                    let factor = (before / after) as f32;
                    activation.iter_mut().for_each(|value| *value *= factor);
                }
            }
        }
    }
}

/// h ← h + factor v
fn add(activation: &mut [f32], v: &[f32], factor: f32) {
    activation.iter_mut().zip(v).for_each(|(value, v)| *value += factor * v);
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table of the module's documentation, word for word, in double precision.
    fn reference(operator: Operator, h: &[f64], v: &[f64], c: f64) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let length = |a: &[f64]| dot(a, a).sqrt();
        let unit: Vec<f64> = v.iter().map(|x| x / length(v)).collect();
        let p = dot(h, &unit);
        let plus = |factor: f64, along: &[f64]| h.iter().zip(along).map(|(h, a)| h + factor * a).collect::<Vec<_>>();
        match operator {
            Operator::Add => plus(c, v),
            Operator::Piecewise => plus(c * if p == 0.0 { 0.0 } else { p.signum() }, v),
            Operator::Ablate => plus(-c * p, &unit),
            Operator::Clamp => plus(c * length(v) - p, &unit),
            Operator::Cap if c < 0.0 => plus(p.max(c * length(v)) - p, &unit),
            Operator::Cap => plus(p.min(c * length(v)) - p, &unit),
            Operator::NormPreserving => {
                let sum = plus(c, v);
                let factor = length(h) / length(&sum);
                sum.iter().map(|x| x * factor).collect()
            }
        }
    }

    proptest! {
        #[test]
        fn operators_are_their_formulas(
            h in prop::collection::vec(-5f32..5.0, 6),
            v in prop::collection::vec(0.1f32..3.0, 6),
            c in -3f32..3.0,
        ) {
            let wide = |values: &[f32]| values.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
            let norm = dot(&v, &v).sqrt();
            for operator in Operator::ALL {
                let mut got = h.clone();
                operator.apply(&mut got, &v, norm, c);
                for (got, expected) in got.iter().zip(reference(operator, &wide(&h), &wide(&v), f64::from(c))) {
                    prop_assert!((f64::from(*got) - expected).abs() < 1e-4, "{operator}: {got} for {expected}");
                }
            }
        }
    }

    #[test]
    fn projections_do_what_they_say() {
        let (v, norm) = ([3f32, 4.0], 5.0);
        let after = |operator: Operator, c: f32| {
            let mut h = [10f32, 0.0]; // 6 along v, 8 across
            operator.apply(&mut h, &v, norm, c);
            dot(&h, &v) / norm
        };
        let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
        near(after(Operator::Ablate, 1.0), 0.0);
        near(after(Operator::Clamp, -2.0), -10.0);
        near(after(Operator::Cap, 1.0), 5.0);
        near(after(Operator::Cap, 2.0), 6.0);
        near(after(Operator::Cap, -1.0), 6.0);
        near(after(Operator::Piecewise, 1.0), 11.0);
    }

    #[test]
    fn names_round_trip() {
        for operator in Operator::ALL {
            assert_eq!(operator.to_string().parse::<Operator>().unwrap(), operator);
            assert_eq!(serde_json::to_string(&operator).unwrap(), format!("\"{operator}\""));
        }
        assert!("project".parse::<Operator>().is_err());
    }
}
