//! Losses of a pair, from the log-probabilities of its two completions: DPO and its relatives.
//!
//! With π the policy, π′ the reference, w the chosen and l the rejected completion, |·| their tokens, a bar for a mean over tokens:
//!
//! ```text
//! s = ln π − ln π′ (of a completion, summed over its tokens)      z = s(w) − s(l)
//! sigmoid      −ln σ(βz)                                          DPO, Rafailov et al. 2023
//! cdpo         −(1−ε) ln σ(βz) − ε ln σ(−βz)                      conservative DPO, Mitchell 2023
//! robust       [−(1−ε) ln σ(βz) + ε ln σ(−βz)] / (1 − 2ε)         Chowdhury et al. 2024
//! hinge        max(0, 1 − βz)                                     SLiC, Zhao et al. 2023
//! ipo          (s̄(w) − s̄(l) − 1/2β)²                              Azar et al. 2023, by mean log-probabilities as TRL
//! sigmoid_norm −ln σ(β(s̄(w) − s̄(l)))
//! bco_pair     −ln σ(βs(w) − δ) − ln σ(−(βs(l) − δ))              Jung et al. 2024, with δ = 0
//! nca_pair     −ln σ(βs(w)) − ½ ln σ(−βs(w)) − ½ ln σ(−βs(l))     Chen et al. 2024
//! apo_zero     1 − σ(βs(w)) + σ(βs(l))                            D'Oosterlinck et al. 2024
//! apo_down     σ(βs(w)) + 1 − σ(βz)
//! orpo         −ln σ(ln odds(w) − ln odds(l)), odds = p̄/(1 − p̄), p̄ = e^(mean ln π)   Hong et al. 2024; no reference
//! simpo        −ln σ(β(mean ln π(w) − mean ln π(l)) − γ)          Meng et al. 2024; no reference
//! ```
//!
//! Each loss is a function of two numbers of the policy, so its gradient is that of the two log-probabilities times two numbers, which
//! [`PairLoss`] holds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Which loss of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PreferenceLoss {
    /// Direct preference optimisation.
    Sigmoid,
    /// DPO with smoothed labels.
    Cdpo,
    /// DPO that is unbiased under flipped labels.
    Robust,
    /// A margin of 1.
    Hinge,
    /// Identity preference optimisation.
    Ipo,
    /// DPO by mean log-probabilities.
    SigmoidNorm,
    /// Binary classifier optimisation.
    BcoPair,
    /// Noise-contrastive alignment.
    NcaPair,
    /// Anchored: the chosen up, the rejected down.
    ApoZero,
    /// Anchored: both down, the rejected more.
    ApoDown,
    /// Odds ratio, without a reference.
    Orpo,
    /// Mean log-probabilities with a margin, without a reference.
    Simpo,
}

impl PreferenceLoss {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Sigmoid,
        Self::Cdpo,
        Self::Robust,
        Self::Hinge,
        Self::Ipo,
        Self::SigmoidNorm,
        Self::BcoPair,
        Self::NcaPair,
        Self::ApoZero,
        Self::ApoDown,
        Self::Orpo,
        Self::Simpo,
    ];

    /// Its name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "dpo",
            Self::Cdpo => "cdpo",
            Self::Robust => "robust",
            Self::Hinge => "hinge",
            Self::Ipo => "ipo",
            Self::SigmoidNorm => "sigmoid-norm",
            Self::BcoPair => "bco",
            Self::NcaPair => "nca",
            Self::ApoZero => "apo-zero",
            Self::ApoDown => "apo-down",
            Self::Orpo => "orpo",
            Self::Simpo => "simpo",
        }
    }

    /// Whether it compares the policy with a reference.
    pub fn needs_reference(self) -> bool {
        !matches!(self, Self::Orpo | Self::Simpo)
    }
}

impl fmt::Display for PreferenceLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PreferenceLoss {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|loss| loss.name() == text);
        found.ok_or_else(|| format!("`{text}` is not known; there are {}", names()))
    }
}

/// A loss with its constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PreferenceOptions {
    /// The loss.
    pub loss: PreferenceLoss,
    /// β: how strongly log-probabilities count.
    pub beta: f64,
    /// ε: share of labels taken to be flipped, of `cdpo` and `robust`.
    pub label_smoothing: f64,
    /// γ: the margin of `simpo`.
    pub gamma: f64,
    /// λ: −λ · mean ln π of the chosen completion is added, which keeps it likely.
    pub sft_weight: f64,
}

impl Default for PreferenceOptions {
    fn default() -> Self {
        Self { loss: PreferenceLoss::Sigmoid, beta: 0.1, label_smoothing: 0.1, gamma: 1.0, sft_weight: 0.0 }
    }
}

/// A completion by its log-probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Completion {
    /// Σ ln π over its tokens.
    pub policy: f64,
    /// The same by the reference; 0 where the loss needs none.
    pub reference: f64,
    /// Its tokens, at least one.
    pub n_tokens: usize,
}

/// The loss of a pair with its derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLoss {
    /// The loss, in nats where it is a likelihood.
    pub loss: f64,
    /// Its derivatives by Σ ln π of the chosen and of the rejected completion.
    pub by_policy: [f64; 2],
    /// β · s of the chosen and of the rejected completion: the implicit rewards.
    pub rewards: [f64; 2],
}

/// ln σ(x), without overflow.
pub(super) fn log_sigmoid(x: f64) -> f64 {
    if x >= 0.0 { -(-x).exp().ln_1p() } else { x - x.exp().ln_1p() }
}

fn sigmoid(x: f64) -> f64 {
    log_sigmoid(x).exp()
}

impl PreferenceOptions {
    /// Refuses constants out of range.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        let refuse = |option, got: f64, expected| Err(Error::TrainOption { option, got: got.to_string(), expected });
        match () {
            () if !(self.beta.is_finite() && self.beta > 0.0) => refuse("beta", self.beta, "a finite number above 0"),
            () if !(0.0..0.5).contains(&self.label_smoothing) => {
                refuse("label smoothing", self.label_smoothing, "a share from 0 to below 0.5")
            }
            () if !self.gamma.is_finite() => refuse("gamma", self.gamma, "a finite number"),
            () if !(self.sft_weight.is_finite() && self.sft_weight >= 0.0) => {
                refuse("sft weight", self.sft_weight, "a finite number of at least 0")
            }
            () => Ok(()),
        }
    }

    /// The loss of a pair.
    ///
    /// # Example
    /// ```
    /// use redline_model::train::preference::{Completion, PreferenceOptions};
    /// let at = |policy| Completion { policy, reference: -9.0, n_tokens: 4 };
    /// let same = PreferenceOptions::default().pair(at(-9.0), at(-9.0));
    /// assert!((same.loss - 2f64.ln()).abs() < 1e-12, "a policy like its reference knows nothing");
    /// assert!(same.by_policy[0] < 0.0 && same.by_policy[1] > 0.0, "the chosen shall become likelier");
    /// ```
    pub fn pair(&self, chosen: Completion, rejected: Completion) -> PairLoss {
        let (beta, smooth) = (self.beta, self.label_smoothing);
        let score = |of: Completion| of.policy - of.reference;
        let (w, l) = (score(chosen), score(rejected));
        let (n_w, n_l) = (chosen.n_tokens.max(1) as f64, rejected.n_tokens.max(1) as f64);
        let z = beta * (w - l);
        // (loss, derivative by w, derivative by l) of a function of βz, given its value and derivative there
        let of_z = |loss: f64, slope: f64| (loss, beta * slope, -beta * slope);
        let (loss, by_w, by_l) = match self.loss {
            PreferenceLoss::Sigmoid => of_z(-log_sigmoid(z), -sigmoid(-z)),
            PreferenceLoss::Cdpo => {
                let loss = -(1.0 - smooth) * log_sigmoid(z) - smooth * log_sigmoid(-z);
                of_z(loss, -(1.0 - smooth) * sigmoid(-z) + smooth * sigmoid(z))
            }
            PreferenceLoss::Robust => {
                let share = 1.0 - 2.0 * smooth;
                let loss = -(1.0 - smooth) * log_sigmoid(z) + smooth * log_sigmoid(-z);
                of_z(loss / share, (-(1.0 - smooth) * sigmoid(-z) - smooth * sigmoid(z)) / share)
            }
            PreferenceLoss::Hinge => of_z((1.0 - z).max(0.0), if z < 1.0 { -1.0 } else { 0.0 }),
            PreferenceLoss::Ipo => {
                let off = w / n_w - l / n_l - 0.5 / beta;
                (off * off, 2.0 * off / n_w, -2.0 * off / n_l)
            }
            PreferenceLoss::SigmoidNorm => {
                let z = beta * (w / n_w - l / n_l);
                let slope = -beta * sigmoid(-z);
                (-log_sigmoid(z), slope / n_w, -slope / n_l)
            }
            PreferenceLoss::BcoPair => {
                let (w, l) = (beta * w, beta * l);
                (-log_sigmoid(w) - log_sigmoid(-l), -beta * sigmoid(-w), beta * sigmoid(l))
            }
            PreferenceLoss::NcaPair => {
                let (w, l) = (beta * w, beta * l);
                let loss = -log_sigmoid(w) - 0.5 * log_sigmoid(-w) - 0.5 * log_sigmoid(-l);
                (loss, beta * (0.5 * sigmoid(w) - sigmoid(-w)), 0.5 * beta * sigmoid(l))
            }
            PreferenceLoss::ApoZero => {
                let (w, l) = (beta * w, beta * l);
                (1.0 - sigmoid(w) + sigmoid(l), -beta * bell(w), beta * bell(l))
            }
            PreferenceLoss::ApoDown => {
                let (slope_w, slope_z) = (bell(beta * w), bell(z));
                (sigmoid(beta * w) + 1.0 - sigmoid(z), beta * (slope_w - slope_z), beta * slope_z)
            }
            PreferenceLoss::Orpo => self.odds(chosen, rejected),
            PreferenceLoss::Simpo => {
                let z = beta * (chosen.policy / n_w - rejected.policy / n_l) - self.gamma;
                let slope = -beta * sigmoid(-z);
                (-log_sigmoid(z), slope / n_w, -slope / n_l)
            }
        };
        PairLoss {
            loss: loss - self.sft_weight * chosen.policy / n_w,
            by_policy: [by_w - self.sft_weight / n_w, by_l],
            rewards: [beta * w, beta * l],
        }
    }

    fn odds(&self, chosen: Completion, rejected: Completion) -> (f64, f64, f64) {
        let mean = |of: Completion| of.policy / of.n_tokens.max(1) as f64;
        // ln(p / (1 − p)) of a mean log-probability, and its derivative 1 / (1 − p)
        let log_odds = |mean: f64| (mean - (-mean.exp_m1()).ln(), -1.0 / mean.exp_m1());
        let ((w, by_w), (l, by_l)) = (log_odds(mean(chosen)), log_odds(mean(rejected)));
        let slope = -sigmoid(l - w);
        let of = |by: f64, completion: Completion| slope * by / completion.n_tokens.max(1) as f64;
        (-log_sigmoid(w - l), of(by_w, chosen), -of(by_l, rejected))
    }
}

/// The derivative of σ.
pub(super) fn bell(x: f64) -> f64 {
    sigmoid(x) * sigmoid(-x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Completion, Completion) {
        let at = |policy, reference, n_tokens| Completion { policy, reference, n_tokens };
        (at(-21.0, -19.5, 7), at(-30.0, -31.2, 11))
    }

    #[test]
    fn derivatives_are_those_of_the_losses() {
        let (chosen, rejected) = pair();
        for loss in PreferenceLoss::ALL {
            let options = PreferenceOptions { loss, beta: 0.4, sft_weight: 0.3, ..PreferenceOptions::default() };
            let found = options.pair(chosen, rejected);
            let by = |which: usize| {
                let moved = |step: f64| {
                    let mut both = [chosen, rejected];
                    both[which].policy += step;
                    options.pair(both[0], both[1]).loss
                };
                (moved(1e-4) - moved(-1e-4)) / 2e-4
            };
            for which in [0, 1] {
                assert!((found.by_policy[which] - by(which)).abs() < 1e-7, "{loss} {which}: {found:?} {}", by(which));
            }
        }
    }

    #[test]
    fn extreme_completions_overflow_nothing() {
        let at = |policy| Completion { policy, reference: 0.0, n_tokens: 3 };
        for loss in PreferenceLoss::ALL {
            let options = PreferenceOptions { loss, beta: 50.0, ..PreferenceOptions::default() };
            for (w, l) in [(-1e4, -1.0), (-1.0, -1e4), (-1e4, -1e4)] {
                let found = options.pair(at(w), at(l));
                assert!(found.loss.is_finite() && found.by_policy.iter().all(|by| by.is_finite()), "{loss} {found:?}");
            }
        }
    }

    #[test]
    fn names_are_read_and_constants_out_of_range_refused() {
        for loss in PreferenceLoss::ALL {
            assert_eq!(loss.name().parse(), Ok(loss));
        }
        assert!("ppo".parse::<PreferenceLoss>().unwrap_err().contains("dpo, cdpo"));
        let with = |change: fn(&mut PreferenceOptions)| {
            let mut options = PreferenceOptions::default();
            change(&mut options);
            options.check()
        };
        assert!(PreferenceOptions::default().check().is_ok());
        assert!(with(|options| options.beta = 0.0).is_err());
        assert!(with(|options| options.beta = f64::NAN).is_err());
        assert!(with(|options| options.label_smoothing = 0.5).is_err());
        assert!(with(|options| options.gamma = f64::INFINITY).is_err());
        assert!(with(|options| options.sft_weight = -1.0).is_err());
    }
}
