//! Runs over completions that are called good or bad.

use super::kto::{KtoLoss, KtoOptions, LabelledExample, batch_divergence, kto_gradients};
use super::{PairFigures, sequence_log_probs};
use crate::train::batch::Batches;
use crate::train::checkpoint::Settings;
use crate::train::example::fingerprint;
use crate::train::loss::GradientOptions;
use crate::train::trainer::{Loop, Saving, StepLoss, Work, WorkStart};
use crate::train::{Evaluation, Example, Observer, Outcome, Parameters, Phase, TrainOptions};
use crate::{Decoder, Error, Result};

use super::Reference;

/// A run over labelled completions.
#[derive(Debug, Clone, Copy)]
pub struct KtoRun<'a> {
    /// What is trained; it changes in place.
    pub parameters: &'a Parameters,
    /// Rows to train on, good and bad.
    pub rows: &'a [LabelledExample],
    /// Rows for evaluations; none, and nothing is evaluated.
    pub held_out: &'a [LabelledExample],
    /// The constants of the loss.
    pub loss: KtoOptions,
    /// Log-probabilities of the reference, by [`kto_reference`]: of each completion, and of its mismatched one.
    pub reference: &'a Reference,
    /// The settings. Those of identity warm-up and of generating do nothing.
    pub options: &'a TrainOptions,
    /// What is kept of it, and whether it goes on from there.
    pub saving: Saving<'a>,
}

/// Log-probabilities of completions and of their mismatched ones under a reference; `on_done` hears how many are there and can end the work.
///
/// # Errors
/// As [`Decoder::forward`], or that of `on_done`.
pub fn kto_reference(
    decoder: &Decoder,
    rows: &[LabelledExample],
    batch_rows: usize,
    on_done: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Vec<[f64; 2]>> {
    let mut found = Vec::with_capacity(rows.len());
    for part in rows.chunks(batch_rows.max(1)) {
        let examples: Vec<&Example> = part.iter().flat_map(both).collect();
        found.extend(sequence_log_probs(decoder, &examples)?.chunks_exact(2).map(|both| [both[0], both[1]]));
        on_done(found.len())?;
    }
    Ok(found)
}

fn both(row: &LabelledExample) -> [&Example; 2] {
    [&row.example, &row.mismatched]
}

/// Trains the parameters in place, to the end or until something stops it.
///
/// # Errors
/// Settings out of range; no rows, or another number of references; [`Error::TrainingDiverged`]; a checkpoint that cannot be read or written, or is
/// of another run; whatever the observer returns.
pub fn train_kto(run: &KtoRun<'_>, observer: &mut dyn Observer) -> Result<Outcome> {
    run.options.check()?;
    run.loss.check()?;
    let sums = |rows: &[LabelledExample]| {
        let labels: Vec<u8> = rows.iter().map(|row| u8::from(row.is_good)).collect();
        format!("{}{}", fingerprint(rows.iter().flat_map(both)), crate::files::hash_of(&labels))
    };
    let settings = Settings {
        model: run.parameters.origin().to_owned(),
        config: run.parameters.config().clone(),
        method: run.parameters.method().clone(),
        data: sums(run.rows),
        held_out: sums(run.held_out),
        options: run.options.clone(),
        objective: None,
        policy: None,
        kto: Some(run.loss),
        reference: Some(run.reference.fingerprint.clone()),
    };
    let work = KtoWork::new(*run)?;
    Loop::new(run.parameters, run.options, run.saving, settings, work)?.run(observer)
}

struct KtoWork<'a> {
    run: KtoRun<'a>,
    n_steps: usize,
    batches: Batches,
}

impl<'a> KtoWork<'a> {
    fn new(run: KtoRun<'a>) -> Result<Self> {
        let refuse = |got: &str, expected: &str| {
            Err(Error::Request { what: "completions to train on", got: got.into(), expected: expected.into() })
        };
        let Reference { training, held_out, .. } = run.reference;
        match () {
            () if run.rows.is_empty() => return refuse("none", "at least one"),
            () if (training.len(), held_out.len()) != (run.rows.len(), run.held_out.len()) => {
                return refuse("another number of references", "one of each row");
            }
            () => {}
        }
        let lengths = run.rows.iter().map(|row| row.example.tokens.len() + row.mismatched.tokens.len()).collect();
        let batches = Batches::new(lengths, run.options);
        let n_steps = batches.n_steps(run.options);
        Ok(Self { run, n_steps, batches })
    }
}

/// Sums of good and of bad completions.
#[derive(Default)]
struct Sums {
    n: [f64; 2],
    n_right: f64,
    rewards: [f64; 2],
    log_probs: [f64; 2],
    divergence: f64,
}

impl Sums {
    /// Adds rows of one batch with its z₀.
    fn add<'r>(
        &mut self,
        rows: impl Iterator<Item = (&'r LabelledExample, (&'r KtoLoss, &'r f64))>,
        z: f64,
        options: &KtoOptions,
    ) {
        for (row, (loss, log_prob)) in rows {
            let place = usize::from(!row.is_good);
            self.n[place] += 1.0;
            self.rewards[place] += loss.reward;
            self.log_probs[place] += log_prob;
            self.n_right += f64::from(u8::from((loss.reward > options.beta * z) == row.is_good));
            self.divergence += z;
        }
    }

    /// Means: good completions first; 0 of a kind that is not there.
    fn figures(&self) -> PairFigures {
        let of = |sums: [f64; 2]| [0, 1].map(|place| sums[place] / self.n[place].max(1.0));
        let (n, rewards) = ((self.n[0] + self.n[1]).max(1.0), of(self.rewards));
        PairFigures {
            accuracy: self.n_right / n,
            margin: rewards[0] - rewards[1],
            rewards,
            log_probs: Some(of(self.log_probs)),
            divergence: Some(self.divergence / n),
        }
    }
}

impl Work for KtoWork<'_> {
    fn n_steps(&self) -> usize {
        self.n_steps
    }

    fn start(&self) -> WorkStart {
        WorkStart { n_rows: self.run.rows.len(), ..WorkStart::default() }
    }

    fn most_loss(&self) -> f64 {
        f64::INFINITY
    }

    fn step(&mut self, step: usize, how: GradientOptions, dropout_seed: Option<u64>) -> Result<StepLoss> {
        let rows = self.batches.of_step(step);
        let KtoRun { parameters, reference, loss, .. } = self.run;
        let batch: Vec<&LabelledExample> = rows.iter().map(|&row| &self.run.rows[row]).collect();
        let reference: Vec<[f64; 2]> = rows.iter().map(|&row| reference.training[row]).collect();
        let found = kto_gradients(parameters, &batch, &reference, &loss, how, dropout_seed)?;
        let mut sums = Sums::default();
        sums.add(batch.iter().copied().zip(found.rows.iter().zip(&found.log_probs)), found.divergence, &loss);
        Ok(StepLoss {
            phase: Phase::Pairs,
            loss: found.loss,
            gradients: found.gradients,
            n_tokens: batch.iter().flat_map(|row| both(row)).map(|example| example.tokens.len()).sum(),
            rows: batch.iter().map(|row| row.example.row).collect(),
            pairs: Some(sums.figures()),
            policy: None,
        })
    }

    fn evaluate(&mut self, step: usize) -> Result<Option<Evaluation>> {
        let KtoRun { parameters, held_out, reference, loss, options, .. } = self.run;
        if held_out.is_empty() {
            return Ok(None);
        }
        let decoder = parameters.inference_decoder()?;
        let (mut total, mut sums) = (0.0, Sums::default());
        for (part, reference) in held_out.chunks(options.batch_rows).zip(reference.held_out.chunks(options.batch_rows))
        {
            let rows: Vec<&LabelledExample> = part.iter().collect();
            let z = batch_divergence(&decoder, &rows, reference, options.batch_rows)?;
            let policy = sequence_log_probs(&decoder, &part.iter().map(|row| &row.example).collect::<Vec<_>>())?;
            let of = |((row, policy), reference): ((&LabelledExample, &f64), &[f64; 2])| {
                loss.loss(policy - reference[0], row.is_good, z)
            };
            let losses: Vec<KtoLoss> = part.iter().zip(&policy).zip(reference).map(of).collect();
            total += losses.iter().map(|row| row.loss).sum::<f64>();
            sums.add(part.iter().zip(losses.iter().zip(&policy)), z, &loss);
        }
        Ok(Some(Evaluation {
            step,
            loss: total / held_out.len() as f64,
            is_best: false,
            outputs: Vec::new(),
            pairs: Some(sums.figures()),
            policy: None,
        }))
    }
}
