//! Runs over pairs: which step reads which, what a step learns, and a look at held-out pairs.

use serde::{Deserialize, Serialize};

use super::{
    Completion, Pair, PairLoss, PreferenceOptions, ScoreLoss, pair_gradients, reward_gradients, rewards,
    sequence_log_probs,
};
use crate::train::batch::Batches;
use crate::train::checkpoint::Settings;
use crate::train::example::fingerprint;
use crate::train::loss::GradientOptions;
use crate::train::trainer::{Loop, Saving, StepLoss, Work, WorkStart};
use crate::train::{Evaluation, Example, Observer, Outcome, Parameters, Phase, TrainOptions};
use crate::{Decoder, Error, Result};

/// What is learnt from pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairObjective {
    /// A policy by its log-probabilities.
    Preference(PreferenceOptions),
    /// A scalar head.
    Score(ScoreLoss),
}

impl PairObjective {
    /// Refuses constants out of range.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Preference(options) => options.check(),
            Self::Score(loss) => loss.check(),
        }
    }

    /// Whether it compares the policy with a reference.
    pub fn needs_reference(&self) -> bool {
        matches!(self, Self::Preference(options) if options.loss.needs_reference())
    }
}

/// Log-probabilities of the reference, which does not learn.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Of the training pairs: chosen, rejected.
    pub training: Vec<[f64; 2]>,
    /// Of the held-out pairs.
    pub held_out: Vec<[f64; 2]>,
    /// SHA-256 of the reference's weights, as hexadecimal digits.
    pub fingerprint: String,
}

/// A run over pairs.
#[derive(Debug, Clone, Copy)]
pub struct PairRun<'a> {
    /// What is trained; it changes in place.
    pub parameters: &'a Parameters,
    /// Pairs to train on.
    pub pairs: &'a [Pair],
    /// Pairs for evaluations; none, and nothing is evaluated.
    pub held_out: &'a [Pair],
    /// What is learnt.
    pub objective: PairObjective,
    /// The reference, where the objective needs one.
    pub reference: Option<&'a Reference>,
    /// The settings. Those of identity warm-up and of generating do nothing.
    pub options: &'a TrainOptions,
    /// What is kept of it, and whether it goes on from there.
    pub saving: Saving<'a>,
}

/// Means over pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairFigures {
    /// Share of pairs whose chosen completion has the higher reward or score, or for a cost the lower one.
    pub accuracy: f64,
    /// Reward or score of the chosen completion less that of the rejected one; of implicit rewards β · (s(w) − s(l)).
    pub margin: f64,
    /// Implicit rewards of the chosen and of the rejected completion, or their scores.
    pub rewards: [f64; 2],
    /// Σ ln π of the chosen and of the rejected completion; none of scores.
    pub log_probs: Option<[f64; 2]>,
    /// How far the policy is from the reference on mismatched completions, in nats; none but of KTO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<f64>,
}

/// Log-probabilities of pairs under a reference; `on_done` hears how many are there and can end the work.
///
/// # Errors
/// As [`Decoder::forward`], or that of `on_done`.
pub fn reference_log_probs(
    decoder: &Decoder,
    pairs: &[Pair],
    batch_rows: usize,
    on_done: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Vec<[f64; 2]>> {
    let mut found = Vec::with_capacity(pairs.len());
    for part in pairs.chunks(batch_rows.max(1)) {
        let examples: Vec<&Example> = part.iter().flat_map(Pair::both).collect();
        found.extend(sequence_log_probs(decoder, &examples)?.chunks_exact(2).map(|both| [both[0], both[1]]));
        on_done(found.len())?;
    }
    Ok(found)
}

/// Trains the parameters in place, to the end or until something stops it.
///
/// # Errors
/// Settings out of range; no pairs, or no reference where one is needed; [`Error::TrainingDiverged`]; a checkpoint that cannot be read or
/// written, or is of another run; whatever the observer returns.
pub fn train_pairs(run: &PairRun<'_>, observer: &mut dyn Observer) -> Result<Outcome> {
    run.options.check()?;
    run.objective.check()?;
    let sums = |pairs: &[Pair]| fingerprint(pairs.iter().flat_map(Pair::both));
    let settings = Settings {
        model: run.parameters.origin().to_owned(),
        config: run.parameters.config().clone(),
        method: run.parameters.method().clone(),
        data: sums(run.pairs),
        held_out: sums(run.held_out),
        options: run.options.clone(),
        objective: Some(run.objective),
        policy: None,
        kto: None,
        reference: run.reference.map(|reference| reference.fingerprint.clone()),
    };
    let work = PairWork::new(*run)?;
    let PairRun { parameters, options, saving, .. } = *run;
    Loop::new(parameters, options, saving, settings, work)?.run(observer)
}

struct PairWork<'a> {
    run: PairRun<'a>,
    n_steps: usize,
    batches: Batches,
}

impl<'a> PairWork<'a> {
    fn new(run: PairRun<'a>) -> Result<Self> {
        let refuse = |got: String, expected: &str| {
            Err(Error::Request { what: "pairs to train on", got, expected: expected.into() })
        };
        if run.pairs.is_empty() {
            return refuse("none".into(), "at least one");
        }
        match run.reference {
            None if run.objective.needs_reference() => {
                return refuse("no reference".into(), "log-probabilities of one");
            }
            Some(reference)
                if (reference.training.len(), reference.held_out.len()) != (run.pairs.len(), run.held_out.len()) =>
            {
                return refuse("another number of references".into(), "one of each pair");
            }
            _ => {}
        }
        let batches = Batches::new(run.pairs.iter().map(Pair::n_tokens).collect(), run.options);
        let n_steps = batches.n_steps(run.options);
        Ok(Self { run, n_steps, batches })
    }

    /// The figures of pairs by their numbers: chosen, rejected.
    fn figures(&self, numbers: &[[f64; 2]], rewards: &[[f64; 2]]) -> PairFigures {
        let is_cost = matches!(self.run.objective, PairObjective::Score(ScoreLoss::Cost));
        let n = numbers.len().max(1) as f64;
        let mean = |values: &[[f64; 2]], place: usize| values.iter().map(|both| both[place]).sum::<f64>() / n;
        let gap = |both: &[f64; 2]| if is_cost { both[1] - both[0] } else { both[0] - both[1] };
        PairFigures {
            accuracy: rewards.iter().filter(|both| gap(both) > 0.0).count() as f64 / n,
            margin: rewards.iter().map(gap).sum::<f64>() / n,
            rewards: [mean(rewards, 0), mean(rewards, 1)],
            log_probs: matches!(self.run.objective, PairObjective::Preference(_))
                .then(|| [mean(numbers, 0), mean(numbers, 1)]),
            divergence: None,
        }
    }

    /// The loss of held-out pairs, and their figures.
    fn measure(&self, decoder: &Decoder, score: Option<&candle_core::Tensor>) -> Result<(f64, PairFigures)> {
        let PairRun { held_out, objective, reference, options, .. } = self.run;
        let (mut loss, mut numbers, mut all_rewards) = (0.0, Vec::new(), Vec::new());
        for part in held_out.chunks(options.batch_rows) {
            let examples: Vec<&Example> = part.iter().flat_map(Pair::both).collect();
            let found = match (objective, score) {
                (PairObjective::Score(_), Some(score)) => rewards(decoder, score, &examples)?,
                _ => sequence_log_probs(decoder, &examples)?,
            };
            for (pair, found) in part.iter().zip(found.chunks_exact(2)) {
                let both = [found[0], found[1]];
                let at = numbers.len();
                let reference = reference.map_or([0.0; 2], |reference| reference.held_out[at]);
                let (of_pair, rewards) = match objective {
                    PairObjective::Preference(options) => {
                        let PairLoss { loss, rewards, .. } = of_completions(pair, both, reference, &options);
                        (loss, rewards)
                    }
                    PairObjective::Score(loss) => (loss.pair(both, pair.margin, pair.is_safe).loss, both),
                };
                loss += of_pair;
                numbers.push(both);
                all_rewards.push(rewards);
            }
        }
        Ok((loss / held_out.len().max(1) as f64, self.figures(&numbers, &all_rewards)))
    }
}

fn of_completions(pair: &Pair, policy: [f64; 2], reference: [f64; 2], options: &PreferenceOptions) -> PairLoss {
    let of = |place: usize| Completion {
        policy: policy[place],
        reference: reference[place],
        n_tokens: pair.both()[place].n_counted(),
    };
    options.pair(of(0), of(1))
}

impl Work for PairWork<'_> {
    fn n_steps(&self) -> usize {
        self.n_steps
    }

    fn start(&self) -> WorkStart {
        WorkStart { n_rows: self.run.pairs.len(), ..WorkStart::default() }
    }

    fn most_loss(&self) -> f64 {
        f64::INFINITY
    }

    fn step(&mut self, step: usize, how: GradientOptions, dropout_seed: Option<u64>) -> Result<StepLoss> {
        let rows = self.batches.of_step(step);
        let PairRun { parameters, pairs, objective, reference, .. } = self.run;
        let batch: Vec<&Pair> = rows.iter().map(|&row| &pairs[row]).collect();
        let n_tokens = batch.iter().map(|pair| pair.n_tokens()).sum();
        let rows_of = batch.iter().map(|pair| pair.chosen.row).collect();
        let (loss, gradients, figures) = match objective {
            PairObjective::Preference(options) => {
                let of = |&row: &usize| reference.map_or([0.0; 2], |reference| reference.training[row]);
                let reference: Vec<[f64; 2]> = rows.iter().map(of).collect();
                let found = pair_gradients(parameters, &batch, &reference, &options, how, dropout_seed)?;
                let rewards: Vec<[f64; 2]> = found.pairs.iter().map(|pair| pair.rewards).collect();
                (found.loss, found.gradients, self.figures(&found.numbers, &rewards))
            }
            PairObjective::Score(loss) => {
                let found = reward_gradients(parameters, &batch, &loss, how, dropout_seed)?;
                (found.loss, found.gradients, self.figures(&found.numbers, &found.numbers))
            }
        };
        Ok(StepLoss {
            phase: Phase::Pairs,
            loss,
            gradients,
            n_tokens,
            rows: rows_of,
            pairs: Some(figures),
            policy: None,
        })
    }

    fn evaluate(&mut self, step: usize) -> Result<Option<Evaluation>> {
        if self.run.held_out.is_empty() {
            return Ok(None);
        }
        let decoder = self.run.parameters.inference_decoder()?;
        let score = self.run.parameters.score().map(|score| score.variable.as_detached_tensor());
        let (loss, pairs) = self.measure(&decoder, score.as_ref())?;
        Ok(Some(Evaluation { step, loss, is_best: false, outputs: Vec::new(), pairs: Some(pairs), policy: None }))
    }
}
