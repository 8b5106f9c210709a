//! The run: step after step, watched, saved, stopped when something is wrong.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::checkpoint::{self, Settings, State};
use super::evaluation::HeldOut;
use super::example::{ExampleReader, Output, fingerprint};
use super::loss::{GradientOptions, batch_loss};
use super::{AdamW, Evaluation, Parameters, Phase, Plan, TrainOptions};
use crate::random::Random;
use crate::{AlignerTemplate, Error, Qac, Result, Tokenizer};

/// The rows of a run.
#[derive(Debug, Clone, Copy)]
pub struct TrainData<'a> {
    /// Rows to train on.
    pub rows: &'a [Qac],
    /// Rows for identity warm-up, instead of a share of `rows`.
    pub identity_rows: Option<&'a [Qac]>,
    /// Rows for evaluations; none, and nothing is evaluated.
    pub held_out: &'a [Qac],
}

/// A run: what is trained, with what, on what.
#[derive(Debug, Clone, Copy)]
pub struct TrainRun<'a> {
    /// What is trained; it changes in place.
    pub parameters: &'a Parameters,
    /// Makes tokens.
    pub tokenizer: &'a Tokenizer,
    /// Makes prompts.
    pub template: &'a AlignerTemplate,
    /// The rows.
    pub data: TrainData<'a>,
    /// The settings.
    pub options: &'a TrainOptions,
    /// Where `last.checkpoint` and `best.checkpoint` go.
    pub checkpoints: Option<&'a Path>,
    /// Steps between checkpoints; the last step is always saved.
    pub checkpoint_every: Option<usize>,
    /// Go on from `last.checkpoint` where there is one.
    pub resume: bool,
}

/// One step, as it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The step, from 0.
    pub step: usize,
    /// Steps of the whole run.
    pub n_steps: usize,
    /// The part of the run.
    pub phase: Phase,
    /// Mean over the batch's counted tokens.
    pub loss: f64,
    /// Global norm of the gradient, before clipping.
    pub gradient_norm: f64,
    /// The rate of this step.
    pub learning_rate: f64,
    /// Tokens the step read, prompts included.
    pub n_tokens: usize,
    /// Tokens a second.
    pub tokens_per_second: f64,
}

/// Where a run begins, and what it will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainStart {
    /// Steps done before: 0, or those of the checkpoint it goes on from.
    pub step: usize,
    /// After how many steps the last evaluation was.
    pub evaluated_at: usize,
    /// Steps of the whole run.
    pub n_steps: usize,
    /// Those of the identity warm-up.
    pub n_identity_steps: usize,
    /// Rows of the identity warm-up that are short enough.
    pub n_identity_rows: usize,
    /// Rows to correct that are short enough.
    pub n_rows: usize,
}

/// Sees a run as it goes. An error it returns ends the run after a checkpoint; an interrupt is [`Error::Interrupted`].
pub trait Observer {
    /// Before the first step of this process.
    ///
    /// # Errors
    /// Ends the run.
    fn on_start(&mut self, _start: &TrainStart) -> Result<()> {
        Ok(())
    }

    /// After every step.
    ///
    /// # Errors
    /// Ends the run.
    fn on_step(&mut self, _report: &StepReport) -> Result<()> {
        Ok(())
    }

    /// After every evaluation.
    ///
    /// # Errors
    /// Ends the run.
    fn on_evaluation(&mut self, _evaluation: &Evaluation) -> Result<()> {
        Ok(())
    }

    /// After a checkpoint was written.
    ///
    /// # Errors
    /// Ends the run.
    fn on_checkpoint(&mut self, _path: &Path, _step: usize) -> Result<()> {
        Ok(())
    }
}

/// Watches nothing.
impl Observer for () {}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Steps done.
    pub n_steps: usize,
    /// Whether the held-out loss had stopped falling.
    pub stopped_early: bool,
    /// The lowest held-out loss, and after how many steps it was.
    pub best: Option<(f64, usize)>,
}

/// Trains the parameters in place, to the end or until something stops it.
///
/// # Errors
/// Settings out of range; no rows; [`Error::TrainingDiverged`]; a checkpoint that cannot be read or written, or is of another
/// run; whatever the observer returns.
pub fn train(run: &TrainRun<'_>, observer: &mut dyn Observer) -> Result<Outcome> {
    run.options.check()?;
    let mut trainer = Trainer::new(run)?;
    observer.on_start(&trainer.start())?;
    if trainer.is_due(run.options.evaluate_every) && trainer.state.evaluated_at != trainer.state.step {
        // stopped between the step and its evaluation
        trainer.finish_step(observer)?;
    }
    while trainer.state.step < trainer.plan.n_steps() && !trainer.state.stopped_early {
        let report = trainer.step()?;
        if let Err(error) = trainer.after_step(&report, observer) {
            trainer.save("last.checkpoint", &mut ())?;
            return Err(error);
        }
    }
    let State { step, stopped_early, best, .. } = trainer.state;
    Ok(Outcome { n_steps: step, stopped_early, best })
}

struct Trainer<'a> {
    run: &'a TrainRun<'a>,
    plan: Plan,
    held_out: Option<HeldOut<'a>>,
    settings: Settings,
    optimizer: AdamW,
    state: State,
    max_loss: f64,
}

impl<'a> Trainer<'a> {
    fn new(run: &'a TrainRun<'a>) -> Result<Self> {
        let TrainRun { parameters, tokenizer, template, options, .. } = *run;
        let max_tokens = options.max_tokens.min(parameters.config().context);
        let reader = ExampleReader::new(tokenizer, template, max_tokens)?;
        let plan = Plan::new(&run.data, &reader, options)?;
        let rows = run.data.held_out;
        let held_out = match rows.is_empty() {
            true => None,
            false => {
                let examples = reader.read("held-out", rows, Output::Correction)?;
                Some(HeldOut { rows, examples, tokenizer, end_id: reader.end_id })
            }
        };
        let settings = Settings {
            model: parameters.origin().to_owned(),
            config: parameters.config().clone(),
            method: parameters.method().clone(),
            data: plan.data_fingerprint(),
            held_out: fingerprint(held_out.iter().flat_map(|held_out| &held_out.examples)),
            options: options.clone(),
        };
        let last = run.checkpoints.map(|folder| folder.join("last.checkpoint"));
        let (optimizer, state) = match last.filter(|path| run.resume && path.exists()) {
            Some(path) => checkpoint::load(&path, parameters, &settings)?,
            None => (AdamW::new(parameters.trained(), options.optimizer), State::default()),
        };
        let max_loss = options.explosion_factor * (parameters.config().vocab_size as f64).ln();
        Ok(Self { run, plan, held_out, settings, optimizer, state, max_loss })
    }

    fn start(&self) -> TrainStart {
        let (n_identity_rows, n_rows) = self.plan.n_examples();
        TrainStart {
            step: self.state.step,
            evaluated_at: self.state.evaluated_at,
            n_steps: self.plan.n_steps(),
            n_identity_steps: self.plan.n_identity_steps(),
            n_identity_rows,
            n_rows,
        }
    }

    /// One update of the parameters.
    fn step(&mut self) -> Result<StepReport> {
        let started = Instant::now();
        let TrainRun { parameters, options, .. } = *self.run;
        let (step, n_steps) = (self.state.step, self.plan.n_steps());
        let phase = self.plan.phase(step);
        let batch = self.plan.batch(step);
        let n_tokens: usize = batch.iter().map(|example| example.tokens.len() - 1).sum();
        let dropout_seed = Random::named(&[options.seed, step as u64], "dropout").next_u64();
        let gradients = GradientOptions {
            n_pieces: options.n_pieces,
            checkpointing: options.gradient_checkpointing,
            precision: options.precision,
        };
        let result = batch_loss(parameters, &batch, gradients, Some(dropout_seed))?;
        let gradient_norm = result.gradients.norm()?;
        if !(result.loss.is_finite() && gradient_norm.is_finite() && result.loss <= self.max_loss) {
            let rows = batch.iter().map(|example| example.row).collect();
            return Err(Error::TrainingDiverged { step, loss: result.loss, gradient_norm, rows });
        }
        let learning_rate = options.schedule.rate(step, n_steps);
        self.optimizer.update(parameters.trained(), &result.gradients, gradient_norm, learning_rate)?;
        self.state.step += 1;
        self.state.n_tokens += n_tokens as u64;
        let tokens_per_second = n_tokens as f64 / started.elapsed().as_secs_f64().max(1e-9);
        let loss = result.loss;
        Ok(StepReport { step, n_steps, phase, loss, gradient_norm, learning_rate, n_tokens, tokens_per_second })
    }

    fn after_step(&mut self, report: &StepReport, observer: &mut dyn Observer) -> Result<()> {
        observer.on_step(report)?;
        self.finish_step(observer)
    }

    /// Evaluates and saves where it is time to.
    fn finish_step(&mut self, observer: &mut dyn Observer) -> Result<()> {
        if self.is_due(self.run.options.evaluate_every) {
            self.evaluate(observer)?;
        }
        if self.state.stopped_early || self.is_due(self.run.checkpoint_every) {
            self.save("last.checkpoint", observer)?;
        }
        Ok(())
    }

    /// Whether something that is done every so many steps, and after the last, is to be done now.
    fn is_due(&self, every: Option<usize>) -> bool {
        let done = self.state.step;
        done > 0 && (done == self.plan.n_steps() || every.is_some_and(|every| done.is_multiple_of(every)))
    }

    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(held_out) = &self.held_out else { return Ok(()) };
        let mut evaluation = held_out.evaluate(self.run.parameters, self.run.options, self.state.step)?;
        self.state.evaluated_at = self.state.step;
        evaluation.is_best = self.state.best.is_none_or(|(best, _)| evaluation.loss < best);
        if evaluation.is_best {
            self.state.best = Some((evaluation.loss, self.state.step));
            self.state.n_evaluations_since_best = 0;
            self.save("best.checkpoint", observer)?;
        } else {
            self.state.n_evaluations_since_best += 1;
        }
        let patience = self.run.options.patience;
        self.state.stopped_early = patience.is_some_and(|n| self.state.n_evaluations_since_best >= n);
        observer.on_evaluation(&evaluation)
    }

    fn save(&self, name: &str, observer: &mut dyn Observer) -> Result<()> {
        let Some(folder) = self.run.checkpoints else { return Ok(()) };
        let path: PathBuf = folder.join(name);
        checkpoint::save(&path, self.run.parameters, &self.optimizer, &self.settings, &self.state)?;
        observer.on_checkpoint(&path, self.state.step)
    }
}
