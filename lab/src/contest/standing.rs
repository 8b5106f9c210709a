//! What a system comes to against the baseline, in one dimension.

use serde::{Deserialize, Serialize};

use super::field::{Entry, Field, System};
use super::{Attempt, Result, control};
use crate::judge::{Dimension, Judge, Orders, PairJudgement};
use crate::win_rate::{
    ControlledRate, JudgedPair, Outcome, PairScore, PositionConsistency, ResampleOptions, Rule, WinRateError, scores,
};

/// A system against the baseline in one dimension, in the eyes of one judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The system, with its coefficient where it has one: `aligner@0.5`.
    pub system: String,
    /// The signed strength of steering; none for a system without a dial.
    pub coefficient: Option<f64>,
    /// By what outputs were compared.
    pub dimension: Dimension,
    /// Who judged.
    pub judge: String,
    /// Rows left out, as the system has no answer.
    pub n_without_answer: usize,
    /// Rows left out, as the system has an answer and the baseline has none.
    pub n_without_baseline: usize,
    /// Answers that are the upstream's as they were, since no feedback of self-refine on them could be read.
    #[serde(default)]
    pub n_unread: usize,
    /// Rows, wins, ties, losses, identical answers, errors; net and win rate with their intervals. Rates are shares. Withheld where no
    /// pair has its verdicts.
    pub outcome: Attempt<Outcome>,
    /// How far verdicts depend on the order of the answers; none where the judge was not asked in both orders, or no pair has both
    /// verdicts.
    pub consistency: Option<PositionConsistency>,
    /// What its answers are in the mean, over the rows compared.
    pub means: AnswerMeans,
    /// What the baseline's answers to the same rows are.
    pub baseline_means: AnswerMeans,
    /// The win rate at the baseline's lengths, in percent.
    pub length_controlled: Attempt<ControlledRate>,
}

/// Means over answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AnswerMeans {
    /// Length in Unicode characters.
    pub length: f64,
    /// Tokens written for an answer, all attempts together; none where some answer does not say.
    pub n_tokens: Option<f64>,
    /// How often a model was run from a prompt for an answer.
    pub passes: f64,
    /// Tokens of the longest prompt with its reply.
    #[serde(default)]
    pub context: f64,
    /// Seconds an answer took.
    pub seconds: f64,
}

impl AnswerMeans {
    /// Means over some entries, of which there is one at least.
    fn of<'a>(entries: impl Iterator<Item = &'a Entry<'a>>) -> Self {
        let (mut n, mut sums, mut n_tokens) = (0.0, [0.0; 4], Some(0.0));
        for Entry { record, style } in entries {
            n += 1.0;
            let counts = [style.n_characters, record.passes, record.context].map(|count| count as f64);
            let own = counts.into_iter().chain([record.seconds]);
            sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
            n_tokens = n_tokens.zip(record.n_tokens).map(|(sum, own)| sum + own as f64);
        }
        let [length, passes, context, seconds] = sums.map(|sum| sum / n);
        let n_tokens = n_tokens.map(|sum: f64| sum / n);
        Self { length, n_tokens, passes, context, seconds }
    }
}

/// The verdicts on one system in one dimension, row by row.
pub(super) struct Verdicts {
    pairs: Vec<JudgedPair>,
    /// The system's score; none where a verdict is missing.
    pub(super) scores: Vec<Option<PairScore>>,
}

/// Puts judgements together that belong to one system and dimension; `sizes` says how many each of these has.
pub(super) fn verdicts(
    judgements: &[PairJudgement<'_>],
    sizes: &[usize],
    orders: Orders,
    rule: Rule,
) -> Result<Vec<Verdicts>> {
    let mut rest = judgements;
    let mut found = Vec::with_capacity(sizes.len());
    for &size in sizes {
        let (own, others) = rest.split_at(size);
        let pairs = own.iter().map(|judgement| JudgedPair::new(judgement, orders));
        let pairs = pairs.collect::<std::result::Result<Vec<_>, _>>()?;
        found.push(Verdicts { scores: scores(&pairs, rule)?, pairs });
        rest = others;
    }
    Ok(found)
}

/// What all standings of a contest share.
pub(super) struct Seen<'a> {
    pub(super) judge: &'a dyn Judge,
    pub(super) rule: Rule,
    pub(super) resamples: ResampleOptions,
    pub(super) field: &'a Field<'a>,
}

impl Seen<'_> {
    /// The standings of all systems in one dimension, with the verdicts on each.
    pub(super) fn standings(&self, dimension: Dimension, verdicts: &[Verdicts]) -> Result<Vec<Standing>> {
        let controlled = control::length_controlled(self.field, verdicts);
        let systems = self.field.systems.iter().zip(verdicts).zip(controlled);
        systems.map(|((system, own), controlled)| self.standing(dimension, system, own, controlled)).collect()
    }

    fn standing(
        &self,
        dimension: Dimension,
        system: &System<'_>,
        verdicts: &Verdicts,
        length_controlled: Attempt<ControlledRate>,
    ) -> Result<Standing> {
        let pairs = &verdicts.pairs;
        let outcome = match Outcome::of(pairs, self.rule, self.resamples) {
            Err(error) if !matches!(error, WinRateError::NoVerdicts { .. }) => return Err(error.into()),
            outcome => Attempt::from(outcome),
        };
        let [n_without_answer, n_without_baseline] = self.field.n_missing(system);
        Ok(Standing {
            system: system.name.clone(),
            coefficient: system.coefficient,
            dimension,
            judge: self.judge.id().into(),
            n_without_answer,
            n_without_baseline,
            n_unread: self.field.common(system).filter(|(_, own, _)| own.record.is_unread).count(),
            outcome,
            // in one order it is an error, as it is without a complete pair
            consistency: PositionConsistency::of(pairs).ok(),
            means: AnswerMeans::of(self.field.common(system).map(|(_, own, _)| own)),
            baseline_means: AnswerMeans::of(self.field.common(system).map(|(_, _, baseline)| baseline)),
            length_controlled,
        })
    }
}
