//! How a contest is held.

use std::collections::BTreeMap;

use super::{ContestError, Result};
use crate::judge::{Dimension, Judge, Orders};
use crate::win_rate::{ResampleOptions, Rule};

/// How a contest is held.
#[derive(Debug, Clone, Copy)]
pub struct ContestOptions<'a> {
    /// By what outputs are compared, each for itself.
    pub dimensions: &'a [Dimension],
    /// The system that all others are compared with, with its coefficient where it has one: `upstream`, `aligner@0`.
    pub baseline: &'a str,
    /// How verdicts in both orders become one; none for what suits the judge ([`Rule::of_orders`]).
    pub rule: Option<Rule>,
    /// Right answers by row, which the judge is shown as such; rows without one are judged without.
    pub references: Option<&'a BTreeMap<usize, String>>,
    /// Resamples of rows for intervals, and the seed of their draws.
    pub resamples: ResampleOptions,
}

impl Default for ContestOptions<'_> {
    fn default() -> Self {
        Self {
            dimensions: &[Dimension::Overall],
            baseline: "upstream",
            rule: None,
            references: None,
            resamples: ResampleOptions::default(),
        }
    }
}

impl ContestOptions<'_> {
    /// Refuses what cannot come to a result with a judge, and gives the rule.
    pub(super) fn checked_rule(&self, judge: &dyn Judge) -> Result<Rule> {
        if self.dimensions.is_empty() {
            return Err(ContestError::NoDimensions);
        }
        let mut dimensions = self.dimensions.iter().enumerate();
        if let Some((_, &dimension)) = dimensions.find(|(place, own)| self.dimensions[..*place].contains(own)) {
            return Err(ContestError::DimensionTwice { dimension });
        }
        self.resamples.check()?;
        let orders = judge.orders();
        match self.rule.unwrap_or(Rule::of_orders(orders)) {
            rule if orders == Orders::Drawn && rule != Rule::LogProb => {
                Err(ContestError::OneOrder { judge: judge.id().into(), rule })
            }
            rule => Ok(rule),
        }
    }
}
