//! What the verdicts on many prompts come to for a system: wins, ties, losses and the net rate.
//!
//! Every prompt is one unit, whatever the number of verdicts on it: what is resampled and tested are prompts. The net rate is
//! (wins − losses) / n, the figure of the Aligner paper (Ji et al. 2024); the win rate is the mean score, a tie counting one half.

use serde::{Deserialize, Serialize};

use super::pair::check_probability;
use super::{Decision, JudgedPair, Said, WinRateError};
use crate::judge::{Orders, Verdict};
use redline_probe::stats::{FEWEST_UNITS, Interval, SignTest, estimate, wilson_interval};

/// How the verdicts in both orders become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A win only where both orders agree on it, likewise a loss, else a tie (MT-bench; Zheng et al. 2023).
    Both,
    /// The mean of the scores in both orders; above one half is a win.
    Mean,
    /// As `Mean`, a verdict "much better" counting three times (Arena-Hard; Li et al. 2024).
    Arena,
    /// The mean of the judge's probabilities, in one order or in both (AlpacaEval 2; Dubois et al. 2024). For soft verdicts only.
    #[serde(rename = "logprob")]
    LogProb,
}

redline_model::named_enum! {
    "rule", Rule { Both = "both", Mean = "mean", Arena = "arena", LogProb = "logprob" }
}

impl Rule {
    /// The rule for a judge that wants to be asked in these orders: one drawn order is for probabilities, else both must agree.
    pub fn of_orders(orders: Orders) -> Self {
        match orders {
            Orders::Drawn => Self::LogProb,
            Orders::Both | Orders::AsGiven => Self::Both,
        }
    }
}

/// How often a verdict "much better" counts under [`Rule::Arena`].
const STRONG_WEIGHT: f64 = 3.0;

/// Resamples of prompts, for intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResampleOptions {
    /// Number of resamples.
    pub n_resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for ResampleOptions {
    fn default() -> Self {
        Self { n_resamples: 1000, seed: 0 }
    }
}

/// What the verdicts come to. Rates are shares, not percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The rule by which orders were joined.
    pub rule: Rule,
    /// Prompts with all verdicts asked for.
    pub n: usize,
    /// Prompts left out, as a verdict is missing in an order. They are no ties.
    pub n_errors: usize,
    /// Prompts the system wins.
    pub n_wins: usize,
    /// Prompts neither wins, those with identical answers among them.
    pub n_ties: usize,
    /// Prompts the other answer wins.
    pub n_losses: usize,
    /// Prompts with identical answers: ties by construction, about which nobody was asked.
    pub n_identical: usize,
    /// (wins − losses) / n, −1 … 1.
    pub net: f64,
    /// Bootstrap interval of the net rate over prompts; `None` with fewer prompts than an interval can be made of.
    pub net_interval: Option<Interval>,
    /// Mean score, 0 … 1; under `arena` weighted by verdicts.
    pub win_rate: f64,
    /// Standard error of the win rate; `None` with one prompt.
    pub standard_error: Option<f64>,
    /// Wilson's interval of wins / n.
    pub wins_interval: Interval,
    /// Sign test of wins against losses.
    pub sign_test: SignTest,
}

impl Outcome {
    /// What these pairs come to.
    ///
    /// # Errors
    /// [`WinRateError::MissingOrder`] (an order may be left out under [`Rule::LogProb`] only), [`WinRateError::SoftVerdict`] under
    /// [`Rule::Arena`], [`WinRateError::HardVerdict`] under [`Rule::LogProb`], [`WinRateError::Probability`],
    /// [`WinRateError::NoVerdicts`], [`WinRateError::NoResamples`].
    ///
    /// # Example
    /// ```
    /// use redline_judge::judge::Verdict;
    /// use redline_judge::win_rate::{JudgedPair, Outcome, Rule};
    /// let (system, other) = (Ok(Verdict::First), Ok(Verdict::Second));
    /// // the system's answer is preferred in both orders, then whatever is shown first
    /// let pairs = [JudgedPair::Both(system, system), JudgedPair::Both(system, other)];
    /// let outcome = Outcome::of(&pairs, Rule::Both, Default::default()).unwrap();
    /// assert_eq!((outcome.n_wins, outcome.n_ties, outcome.net), (1, 1, 0.5));
    /// ```
    pub fn of(pairs: &[JudgedPair], rule: Rule, options: ResampleOptions) -> Result<Self, WinRateError> {
        options.check()?;
        let scores: Vec<PairScore> = scores(pairs, rule)?.into_iter().flatten().collect();
        let n = scores.len();
        let n_errors = pairs.len() - n;
        if n == 0 {
            return Err(WinRateError::NoVerdicts { n_errors });
        }
        let signs: Vec<f64> = scores.iter().map(PairScore::sign).collect();
        let sign_test = SignTest::of(&signs).expect("signs are finite");
        let (n_wins, n_losses) = (sign_test.n_positive, sign_test.n_negative);
        let (win_rate, standard_error) = weighted_mean(&scores);
        Ok(Self {
            rule,
            n,
            n_errors,
            n_wins,
            n_ties: sign_test.n_ties,
            n_losses,
            n_identical: pairs.iter().filter(|pair| **pair == JudgedPair::Identical).count(),
            net: (n_wins as f64 - n_losses as f64) / n as f64,
            net_interval: mean_interval(&signs, options),
            win_rate,
            standard_error,
            wins_interval: wilson_interval(n_wins, n).expect("wins are among prompts"),
            sign_test,
        })
    }
}

/// The net rate of one system less that of another, both compared with the same third one on the same prompts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NetDifference {
    /// Prompts on which both systems have all verdicts.
    pub n: usize,
    /// Prompts left out, as one of the two lacks a verdict.
    pub n_errors: usize,
    /// Net rate of the first system less that of the second, −2 … 2.
    pub difference: f64,
    /// Its bootstrap interval over prompts, both systems resampled together.
    pub interval: Option<Interval>,
    /// Sign test of the prompts on which one system does better than the other.
    pub sign_test: SignTest,
}

impl NetDifference {
    /// The difference of two systems whose pairs stand in the same order of prompts.
    ///
    /// # Errors
    /// [`WinRateError::Sizes`] and those of [`Outcome::of`].
    pub fn of(
        first: &[JudgedPair],
        second: &[JudgedPair],
        rule: Rule,
        options: ResampleOptions,
    ) -> Result<Self, WinRateError> {
        options.check()?;
        if first.len() != second.len() {
            return Err(WinRateError::Sizes {
                what: "pairs of the second system",
                got: second.len(),
                expected: first.len(),
            });
        }
        let both = scores(first, rule)?.into_iter().zip(scores(second, rule)?);
        let differences: Vec<f64> = both.filter_map(|(first, second)| Some(first?.sign() - second?.sign())).collect();
        let (n, n_errors) = (differences.len(), first.len() - differences.len());
        if n == 0 {
            return Err(WinRateError::NoVerdicts { n_errors });
        }
        Ok(Self {
            n,
            n_errors,
            difference: differences.iter().sum::<f64>() / n as f64,
            interval: mean_interval(&differences, options),
            sign_test: SignTest::of(&differences).expect("differences of signs are finite"),
        })
    }
}

impl ResampleOptions {
    /// Refuses options that make no interval.
    ///
    /// # Errors
    /// [`WinRateError::NoResamples`].
    pub fn check(self) -> Result<(), WinRateError> {
        if self.n_resamples == 0 { Err(WinRateError::NoResamples) } else { Ok(()) }
    }
}

/// What one prompt comes to for the system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairScore {
    /// 0 … 1.
    pub score: f64,
    /// How much it counts in the win rate: 1, but under [`Rule::Arena`] the weights of its verdicts.
    pub weight: f64,
}

impl PairScore {
    /// 1 for a win, 0 for a tie, −1 for a loss.
    fn sign(&self) -> f64 {
        match Decision::of_score(self.score) {
            Decision::Win => 1.0,
            Decision::Tie => 0.0,
            Decision::Loss => -1.0,
        }
    }
}

/// The score of each pair; `None` where an order has no verdict.
///
/// # Errors
/// [`WinRateError::MissingOrder`], [`WinRateError::SoftVerdict`], [`WinRateError::HardVerdict`], [`WinRateError::Probability`]: those
/// of verdicts that the rule cannot join.
pub fn scores(pairs: &[JudgedPair], rule: Rule) -> Result<Vec<Option<PairScore>>, WinRateError> {
    pairs.iter().enumerate().map(|(row, pair)| pair_score(row, pair, rule)).collect()
}

fn pair_score(row: usize, pair: &JudgedPair, rule: Rule) -> Result<Option<PairScore>, WinRateError> {
    let said = joined(row, pair, rule)?;
    let Ok(verdicts) = said.into_iter().collect::<Result<Vec<Verdict>, _>>() else { return Ok(None) };
    if rule == Rule::Both {
        let first = Decision::of(verdicts[0]);
        let score = match first {
            Decision::Win if verdicts.iter().all(|own| Decision::of(*own) == first) => 1.0,
            Decision::Loss if verdicts.iter().all(|own| Decision::of(*own) == first) => 0.0,
            _ => 0.5,
        };
        return Ok(Some(PairScore { score, weight: 1.0 }));
    }
    let weight = |verdict: &Verdict| match verdict {
        Verdict::StrongFirst | Verdict::StrongSecond if rule == Rule::Arena => STRONG_WEIGHT,
        _ => 1.0,
    };
    let total: f64 = verdicts.iter().map(weight).sum();
    let sum: f64 = verdicts.iter().map(|verdict| weight(verdict) * verdict.p_first()).sum();
    Ok(Some(PairScore { score: sum / total, weight: if rule == Rule::Arena { total } else { 1.0 } }))
}

/// The verdicts that the rule joins: in both orders, or in the one that was drawn. What holds in either order stands for both.
fn joined(row: usize, pair: &JudgedPair, rule: Rule) -> Result<Vec<Said>, WinRateError> {
    let said = match *pair {
        // by construction, whatever kind of verdict the rule needs
        JudgedPair::Identical => return Ok(vec![Ok(Verdict::Tie); 2]),
        JudgedPair::Alone(said) => vec![said; 2],
        JudgedPair::Drawn(_, said) if rule == Rule::LogProb => vec![said],
        JudgedPair::Drawn(..) => return Err(WinRateError::MissingOrder { row }),
        JudgedPair::Both(first, second) => vec![first, second],
    };
    for own in &said {
        check_probability(row, *own)?;
        match (rule, own) {
            (Rule::Arena, Ok(Verdict::Soft(_))) => return Err(WinRateError::SoftVerdict { row }),
            (Rule::LogProb, Ok(verdict)) if !matches!(verdict, Verdict::Soft(_)) => {
                return Err(WinRateError::HardVerdict { row });
            }
            _ => {}
        }
    }
    Ok(said)
}

/// Σ w s / Σ w and its standard error as that of a ratio; with equal weights, sample standard deviation / √n.
fn weighted_mean(scores: &[PairScore]) -> (f64, Option<f64>) {
    let n = scores.len() as f64;
    let total: f64 = scores.iter().map(|pair| pair.weight).sum();
    let mean = scores.iter().map(|pair| pair.weight * pair.score).sum::<f64>() / total;
    let squares: f64 = scores.iter().map(|pair| (pair.weight * (pair.score - mean)).powi(2)).sum();
    (mean, (scores.len() > 1).then(|| (squares * n / (n - 1.0)).sqrt() / total))
}

/// The bootstrap interval of a mean over prompts.
fn mean_interval(values: &[f64], options: ResampleOptions) -> Option<Interval> {
    let n = values.len();
    if n < FEWEST_UNITS {
        return None;
    }
    let [found] = estimate(n, options.n_resamples, options.seed, |counts| {
        let sum: f64 = values.iter().zip(counts).map(|(value, count)| value * f64::from(*count)).sum();
        [Some(sum / n as f64)]
    });
    found?.interval
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files_for_tests::{golden, golden_pairs};
    use crate::judge::{NoVerdict, Order};
    use Verdict::{First, Second, Soft, StrongFirst, Tie};

    const NONE: Said = Err(NoVerdict::NoToken);

    fn both(first: Verdict, second: Verdict) -> JudgedPair {
        JudgedPair::Both(Ok(first), Ok(second))
    }

    fn outcome(pairs: &[JudgedPair], rule: Rule) -> Outcome {
        Outcome::of(pairs, rule, ResampleOptions::default()).unwrap()
    }

    #[test]
    fn the_golden_cases_come_out() {
        let judged = &golden("winrate/expected.json")["judged"];
        let pairs = golden_pairs(judged);
        for (name, rule) in [("mt_bench_rule", Rule::Both), ("mean_of_orders", Rule::Mean)] {
            let (found, expected) = (outcome(&pairs, rule), &judged[name]);
            let counts = [
                ("n", found.n),
                ("errors", found.n_errors),
                ("wins", found.n_wins),
                ("losses", found.n_losses),
                ("ties", found.n_ties),
            ];
            counts.iter().for_each(|(key, n)| assert_eq!(*n as u64, expected[*key].as_u64().unwrap(), "{name} {key}"));
            let rates =
                [("win_rate", found.win_rate), ("net", found.net), ("standard_error", found.standard_error.unwrap())];
            for (key, rate) in rates {
                assert!((rate - expected[key].as_f64().unwrap()).abs() < 1e-12, "{name} {key}: {rate}");
            }
            let interval = found.net_interval.unwrap();
            assert!(interval.contains(found.net) && interval.low < found.net && found.net < interval.high);
        }
        let p = outcome(&pairs, Rule::Both).sign_test.p;
        assert!((p - judged["sign_test_p"].as_f64().unwrap()).abs() < 1e-12, "{p}");
    }

    #[test]
    fn each_rule_joins_the_orders_its_own_way() {
        // much better in one order, worse in the other: (3 · 1 + 0) / 4 in the arena
        let pair = [both(StrongFirst, Second)];
        let (agreed, mean, arena) =
            (outcome(&pair, Rule::Both), outcome(&pair, Rule::Mean), outcome(&pair, Rule::Arena));
        assert_eq!((agreed.n_ties, mean.n_ties, arena.n_wins), (1, 1, 1));
        assert_eq!((agreed.win_rate, mean.win_rate, arena.win_rate), (0.5, 0.5, 0.75));
        // the arena's rate is over verdicts: 3 + 0 of 4, and 0 + ½ of 2, together 3.5 of 6
        let two = [pair[0], both(Second, Tie)];
        assert!((outcome(&two, Rule::Arena).win_rate - 3.5 / 6.0).abs() < 1e-15);
        assert_eq!((outcome(&two, Rule::Arena).n_wins, outcome(&two, Rule::Arena).n_losses), (1, 1));
        // a tie in one order and a win in the other
        let half = [both(First, Tie)];
        assert_eq!((outcome(&half, Rule::Both).n_ties, outcome(&half, Rule::Mean).n_wins), (1, 1));
    }

    #[test]
    fn soft_verdicts_keep_their_probability() {
        let soft = |p| JudgedPair::Drawn(Order::Ab, Ok(Soft(p)));
        let pairs = [soft(0.9), soft(0.2), JudgedPair::Drawn(Order::Ba, Ok(Soft(0.8)))];
        let found = outcome(&pairs, Rule::LogProb);
        assert_eq!((found.n_wins, found.n_losses, found.n_ties), (2, 1, 0));
        assert!((found.win_rate - 1.9 / 3.0).abs() < 1e-15 && (found.net - 1.0 / 3.0).abs() < 1e-15);
        let balanced = [both(Soft(0.1), Soft(0.9))];
        assert_eq!(outcome(&balanced, Rule::LogProb).n_ties, 1, "0.1 and 0.9");
        assert_eq!((outcome(&balanced, Rule::Both).n_ties, outcome(&balanced, Rule::Mean).n_ties), (1, 1));
    }

    #[test]
    fn identical_answers_are_ties_under_every_rule_and_counted() {
        let lost = [(Rule::Both, Second), (Rule::Mean, Second), (Rule::Arena, Second), (Rule::LogProb, Soft(0.0))];
        for (rule, verdict) in lost {
            let found = outcome(&[JudgedPair::Identical, both(verdict, verdict), JudgedPair::Identical], rule);
            assert_eq!((found.n, found.n_ties, found.n_identical, found.n_losses), (3, 2, 2, 1), "{rule}");
            assert!((found.win_rate - 1.0 / 3.0).abs() < 1e-15 && (found.net + 1.0 / 3.0).abs() < 1e-15);
        }
        let all = outcome(&[JudgedPair::Identical; 7], Rule::LogProb);
        assert_eq!((all.n, all.n_identical, all.net, all.sign_test.p), (7, 7, 0.0, 1.0));
    }

    #[test]
    fn what_holds_in_either_order_counts_as_said_in_both() {
        for verdict in [First, Tie, Second, StrongFirst, Verdict::StrongSecond] {
            for rule in [Rule::Both, Rule::Mean, Rule::Arena] {
                let pairs = |pair| outcome(&[pair, both(First, Second)], rule);
                assert_eq!(pairs(JudgedPair::Alone(Ok(verdict))), pairs(both(verdict, verdict)), "{rule}");
            }
        }
        let soft = outcome(&[JudgedPair::Alone(Ok(Soft(0.75)))], Rule::LogProb);
        assert_eq!((soft.win_rate, soft.n_wins), (0.75, 1));
        assert_eq!(Rule::of_orders(Orders::Drawn), Rule::LogProb);
        assert_eq!(Rule::of_orders(Orders::AsGiven), Rule::Both);
    }

    #[test]
    fn errors_drop_the_pair_and_are_no_ties() {
        let pairs = [both(First, First), JudgedPair::Both(Ok(First), NONE), JudgedPair::Both(NONE, NONE)];
        let found = outcome(&pairs, Rule::Mean);
        assert_eq!((found.n, found.n_errors, found.n_wins, found.n_ties), (1, 2, 1, 0));
        assert_eq!((found.standard_error, found.net_interval), (None, None));
    }

    #[test]
    fn what_a_rule_cannot_join_is_refused() {
        let of = |pair: JudgedPair, rule| Outcome::of(&[pair], rule, ResampleOptions::default());
        let one = JudgedPair::Drawn(Order::Ab, Ok(Tie));
        assert!(matches!(of(one, Rule::Mean), Err(WinRateError::MissingOrder { row: 0 })));
        assert!(matches!(of(one, Rule::LogProb), Err(WinRateError::HardVerdict { row: 0 })));
        let soft = |p| both(Soft(p), Soft(0.5));
        assert!(matches!(of(soft(0.5), Rule::Arena), Err(WinRateError::SoftVerdict { row: 0 })));
        for p in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            assert!(matches!(of(soft(p), Rule::Mean), Err(WinRateError::Probability { row: 0, .. })));
        }
        let error = JudgedPair::Both(NONE, Ok(Tie));
        assert!(matches!(of(error, Rule::Both), Err(WinRateError::NoVerdicts { n_errors: 1 })));
        let none = ResampleOptions { n_resamples: 0, seed: 0 };
        assert!(matches!(Outcome::of(&[error], Rule::Both, none), Err(WinRateError::NoResamples)));
    }

    #[test]
    fn all_wins_and_all_ties_have_intervals_without_width() {
        let wins = outcome(&[both(First, First); 20], Rule::Both);
        assert_eq!((wins.net, wins.net_interval), (1.0, Some(Interval { low: 1.0, high: 1.0 })));
        assert!(wins.wins_interval.low < 0.9 && wins.sign_test.p < 1e-5);
        let interval = |n| outcome(&[both(First, First); 10][..n], Rule::Both).net_interval;
        assert!(interval(5).is_none() && interval(6).is_some(), "five prompts make no 95 % interval");
        let ties = outcome(&[both(Tie, Tie); 20], Rule::Arena);
        assert_eq!((ties.net, ties.win_rate, ties.standard_error, ties.sign_test.p), (0.0, 0.5, Some(0.0), 1.0));
    }

    #[test]
    fn a_difference_is_paired() {
        // the second system is worse on exactly one prompt in ten: paired, the interval is that of these alone
        let win = both(First, First);
        let loss = both(Second, Second);
        let first: Vec<_> = (0..100).map(|row| if row % 2 == 0 { win } else { loss }).collect();
        let second: Vec<_> = (0..100).map(|row| if row % 20 == 0 { loss } else { first[row] }).collect();
        let options = ResampleOptions { n_resamples: 2000, seed: 1 };
        let found = NetDifference::of(&first, &second, Rule::Both, options).unwrap();
        assert_eq!((found.n, found.difference), (100, 0.1));
        let interval = found.interval.unwrap();
        assert!(interval.low > 0.0 && interval.high < 0.22, "{interval:?}");
        assert_eq!((found.sign_test.n_positive, found.sign_test.n_negative), (5, 0));
        let mirrored = NetDifference::of(&second, &first, Rule::Both, options).unwrap();
        assert_eq!((mirrored.difference, mirrored.interval.unwrap().low), (-0.1, -interval.high));
        assert!(NetDifference::of(&first, &second[1..], Rule::Both, options).is_err());
        let error = [JudgedPair::Both(NONE, Ok(Tie)); 100];
        let refused = NetDifference::of(&first, &error, Rule::Both, options);
        assert!(matches!(refused, Err(WinRateError::NoVerdicts { n_errors: 100 })));
    }

    #[test]
    fn a_seed_fixes_the_interval() {
        let pairs = golden_pairs(&golden("winrate/expected.json")["judged"]);
        let run = |seed| Outcome::of(&pairs, Rule::Mean, ResampleOptions { n_resamples: 500, seed }).unwrap();
        assert_eq!(run(3), run(3));
        assert_ne!(run(3).net_interval, run(4).net_interval);
        // normal theory: the standard deviation of win 1, tie 0, loss −1 over √n, ± 1.96
        let found = run(3);
        let n = found.n as f64;
        let variance = (found.n_wins + found.n_losses) as f64 / n - found.net.powi(2);
        let interval = found.net_interval.unwrap();
        let expected = 2.0 * 1.96 * (variance / n).sqrt();
        assert!(((interval.high - interval.low) / expected - 1.0).abs() < 0.1, "{interval:?} {expected}");
    }
}
