//! From rewards to advantages, group by group.

use super::PolicyLoss;

/// Added to a group's standard deviation, as TRL does.
const LEAST_SPREAD: f64 = 1e-4;

/// By how much each completion of a group is better than its group; a reward that nobody could give counts nothing, for its own
/// completion and for the others.
///
/// # Shapes
/// As many as rewards.
///
/// # Example
/// ```
/// use redline_model::train::policy::{PolicyLoss, advantages};
/// let found = advantages(PolicyLoss::Rloo, &[Some(1.0), Some(0.0), None, Some(2.0)]);
/// assert_eq!(found, [0.0, -1.5, 0.0, 1.5]);
/// ```
pub fn advantages(loss: PolicyLoss, rewards: &[Option<f64>]) -> Vec<f64> {
    let known: Vec<f64> = rewards.iter().copied().flatten().collect();
    let n = known.len() as f64;
    if known.len() < 2 {
        return vec![0.0; rewards.len()];
    }
    let mean = known.iter().sum::<f64>() / n;
    let spread = (known.iter().map(|own| (own - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let of = |own: f64| match loss {
        PolicyLoss::Grpo => (own - mean) / (spread + LEAST_SPREAD),
        // r − (Σ r − r) / (n − 1)
        PolicyLoss::Rloo => (own - mean) * n / (n - 1.0),
    };
    rewards.iter().map(|own| own.map_or(0.0, of)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_no_advantage_over_themselves() {
        for loss in [PolicyLoss::Grpo, PolicyLoss::Rloo] {
            let found = advantages(loss, &[Some(3.0), Some(-1.0), Some(0.5), None]);
            assert!(found.iter().sum::<f64>().abs() < 1e-12 && found[0] > 0.0 && found[1] < 0.0 && found[3] == 0.0);
            assert_eq!(advantages(loss, &[Some(2.0), Some(2.0)]), [0.0, 0.0], "all alike");
            assert_eq!(advantages(loss, &[Some(2.0), None]), [0.0, 0.0], "nobody to compare with");
        }
        let [a, b] = advantages(PolicyLoss::Grpo, &[Some(1.0), Some(0.0)])[..] else { panic!() };
        // sd of 1 and 0 is 1 / √2
        assert!((a - 0.5 / (0.5f64.sqrt() + 1e-4)).abs() < 1e-12 && a == -b);
    }
}
