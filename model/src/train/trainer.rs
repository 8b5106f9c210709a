//! The run: step after step, watched, saved, stopped when something is wrong.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::checkpoint::{self, Settings, State};
use super::evaluation::HeldOut;
use super::example::{ExampleReader, Output, fingerprint};
use super::loss::{BatchLoss, GradientOptions, batch_loss};
use super::policy::PolicyFigures;
use super::preference::PairFigures;
use super::{AdamW, Evaluation, Gradients, Parameters, Phase, Plan, TrainOptions};
use crate::random::Random;
use crate::{AlignerTemplate, Error, Qac, Result, Tokenizer};

/// The rows of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrainData<'a> {
    /// Rows to train on.
    pub rows: &'a [Qac],
    /// Rows for identity warm-up, instead of a share of `rows`.
    pub identity_rows: Option<&'a [Qac]>,
    /// Rows for evaluations; none, and nothing is evaluated.
    pub held_out: &'a [Qac],
    /// What the prompt of each of `rows` asks for beside correcting; rows beyond them have nothing there. Identity warm-up is without.
    pub instructions: &'a [String],
    /// The same of `held_out`.
    pub held_out_instructions: &'a [String],
}

/// The checkpoint that a run goes on from.
const LAST: &str = "last.checkpoint";

/// Which checkpoints a run leaves; none by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Saving<'a> {
    /// Where `last.checkpoint` and `best.checkpoint` go.
    pub folder: Option<&'a Path>,
    /// Steps between checkpoints; the last step is always saved.
    pub every: Option<usize>,
    /// Steps between checkpoints that are kept beside these two, under [`kept_name`].
    pub keep_every: Option<usize>,
    /// Go on from `last.checkpoint` where there is one.
    pub resume: bool,
}

/// Name of the checkpoint that is kept of a step: `step-000200.checkpoint`.
pub fn kept_name(step: usize) -> String {
    format!("step-{step:06}.checkpoint")
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
    /// What is kept of it, and whether it goes on from there.
    pub saving: Saving<'a>,
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
    /// What the batch's pairs came to, of a run over pairs.
    pub pairs: Option<PairFigures>,
    /// What the step's completions came to, of a run on rewards.
    pub policy: Option<PolicyFigures>,
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
    let TrainRun { parameters, options, saving, .. } = *run;
    let work = CorrectionWork::new(run)?;
    let settings = Settings {
        model: parameters.origin().to_owned(),
        config: parameters.config().clone(),
        method: parameters.method().clone(),
        data: work.plan.data_fingerprint(),
        held_out: fingerprint(work.held_out.iter().flat_map(|held_out| &held_out.examples)),
        options: options.clone(),
        objective: None,
        policy: None,
        kto: None,
        reference: None,
    };
    Loop::new(parameters, options, saving, settings, work)?.run(observer)
}

/// What the steps of a run learn from, and a look at held-out rows.
pub(super) trait Work {
    /// Steps of the whole run.
    fn n_steps(&self) -> usize;
    /// What there is to read.
    fn start(&self) -> WorkStart;
    /// A loss above this ends the run.
    fn most_loss(&self) -> f64;
    /// Loss and gradients of a step.
    fn step(&mut self, step: usize, how: GradientOptions, dropout_seed: Option<u64>) -> Result<StepLoss>;
    /// A look at held-out rows after so many steps, where there are some.
    fn evaluate(&mut self, step: usize) -> Result<Option<Evaluation>>;
    /// Whether it is looked at before the first step, too.
    fn is_evaluated_first(&self) -> bool {
        false
    }
}

/// What there is to read.
#[derive(Default)]
pub(super) struct WorkStart {
    pub(super) n_identity_steps: usize,
    pub(super) n_identity_rows: usize,
    pub(super) n_rows: usize,
}

/// What a step found.
pub(super) struct StepLoss {
    pub(super) phase: Phase,
    pub(super) loss: f64,
    pub(super) gradients: Gradients,
    /// Tokens that were read.
    pub(super) n_tokens: usize,
    /// The rows, for errors.
    pub(super) rows: Vec<usize>,
    pub(super) pairs: Option<PairFigures>,
    pub(super) policy: Option<PolicyFigures>,
}

/// Corrections, and before them answers to copy.
struct CorrectionWork<'a> {
    parameters: &'a Parameters,
    options: &'a TrainOptions,
    plan: Plan,
    held_out: Option<HeldOut<'a>>,
}

impl<'a> CorrectionWork<'a> {
    fn new(run: &TrainRun<'a>) -> Result<Self> {
        let TrainRun { parameters, tokenizer, template, options, .. } = *run;
        let max_tokens = options.max_tokens.min(parameters.config().context);
        let reader = ExampleReader::new(tokenizer, template, max_tokens)?;
        let plan = Plan::new(&run.data, &reader, options)?;
        let rows = run.data.held_out;
        let held_out = match rows.is_empty() {
            true => None,
            false => {
                let instructions = run.data.held_out_instructions;
                let examples = reader.read_instructed("held-out", rows, instructions, Output::Correction)?;
                Some(HeldOut { rows, examples, tokenizer, end_id: reader.end_id })
            }
        };
        Ok(Self { parameters, options, plan, held_out })
    }
}

impl Work for CorrectionWork<'_> {
    fn n_steps(&self) -> usize {
        self.plan.n_steps()
    }

    fn start(&self) -> WorkStart {
        let (n_identity_rows, n_rows) = self.plan.n_examples();
        WorkStart { n_identity_steps: self.plan.n_identity_steps(), n_identity_rows, n_rows }
    }

    fn most_loss(&self) -> f64 {
        self.options.explosion_factor * (self.parameters.config().vocab_size as f64).ln()
    }

    fn step(&mut self, step: usize, how: GradientOptions, dropout_seed: Option<u64>) -> Result<StepLoss> {
        let phase = self.plan.phase(step);
        let batch = self.plan.batch(step);
        let n_tokens = batch.iter().map(|example| example.tokens.len() - 1).sum();
        let BatchLoss { loss, gradients, .. } = batch_loss(self.parameters, &batch, how, dropout_seed)?;
        let rows = batch.iter().map(|example| example.row).collect();
        Ok(StepLoss { phase, loss, gradients, n_tokens, rows, pairs: None, policy: None })
    }

    fn evaluate(&mut self, step: usize) -> Result<Option<Evaluation>> {
        let evaluate = |held_out: &HeldOut<'_>| held_out.evaluate(self.parameters, self.options, step);
        self.held_out.as_ref().map(evaluate).transpose()
    }
}

/// A run that goes on: step after step, with checkpoints and evaluations.
pub(super) struct Loop<'a, W> {
    parameters: &'a Parameters,
    options: &'a TrainOptions,
    saving: Saving<'a>,
    work: W,
    settings: Settings,
    optimizer: AdamW,
    state: State,
}

impl<'a, W: Work> Loop<'a, W> {
    /// Begins, or goes on from the last checkpoint where that is asked for and there is one.
    pub(super) fn new(
        parameters: &'a Parameters,
        options: &'a TrainOptions,
        saving: Saving<'a>,
        settings: Settings,
        work: W,
    ) -> Result<Self> {
        let last = saving.folder.map(|folder| folder.join(LAST));
        let (optimizer, state) = match last.filter(|path| saving.resume && path.exists()) {
            Some(path) => checkpoint::load(&path, parameters, &settings)?,
            None => (AdamW::new(parameters.trained(), options.optimizer), State::default()),
        };
        Ok(Self { parameters, options, saving, work, settings, optimizer, state })
    }

    /// To the end, or until something stops it.
    pub(super) fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        observer.on_start(&self.start())?;
        if self.is_due(self.options.evaluate_every) && self.state.evaluated_at != self.state.step {
            // stopped between the step and its evaluation
            self.finish_step(observer)?;
        }
        if self.state.step == 0 && self.work.n_steps() > 0 && self.work.is_evaluated_first() {
            // what the model is worth before it learns anything
            self.evaluate(observer)?;
        }
        while self.state.step < self.work.n_steps() && !self.state.stopped_early {
            let report = self.step()?;
            if let Err(error) = self.after_step(&report, observer) {
                self.save(LAST, &mut ())?;
                return Err(error);
            }
        }
        let State { step, stopped_early, best, .. } = self.state;
        Ok(Outcome { n_steps: step, stopped_early, best })
    }

    fn start(&self) -> TrainStart {
        let WorkStart { n_identity_steps, n_identity_rows, n_rows } = self.work.start();
        TrainStart {
            step: self.state.step,
            evaluated_at: self.state.evaluated_at,
            n_steps: self.work.n_steps(),
            n_identity_steps,
            n_identity_rows,
            n_rows,
        }
    }

    /// One update of the parameters.
    fn step(&mut self) -> Result<StepReport> {
        let started = Instant::now();
        let (parameters, options) = (self.parameters, self.options);
        let (step, n_steps) = (self.state.step, self.work.n_steps());
        let dropout_seed = Random::named(&[options.seed, step as u64], "dropout").next_u64();
        let how = GradientOptions {
            n_pieces: options.n_pieces,
            checkpointing: options.gradient_checkpointing,
            precision: options.precision,
        };
        let StepLoss { phase, loss, gradients, n_tokens, rows, pairs, policy } =
            self.work.step(step, how, Some(dropout_seed))?;
        let gradient_norm = gradients.norm()?;
        if !(loss.is_finite() && gradient_norm.is_finite() && loss <= self.work.most_loss()) {
            return Err(Error::TrainingDiverged { step, loss, gradient_norm, rows });
        }
        let learning_rate = options.schedule.rate(step, n_steps);
        self.optimizer.update(parameters.trained(), &gradients, gradient_norm, learning_rate)?;
        self.state.step += 1;
        self.state.n_tokens += n_tokens as u64;
        let tokens_per_second = n_tokens as f64 / started.elapsed().as_secs_f64().max(1e-9);
        Ok(StepReport {
            step,
            n_steps,
            phase,
            loss,
            gradient_norm,
            learning_rate,
            n_tokens,
            tokens_per_second,
            pairs,
            policy,
        })
    }

    fn after_step(&mut self, report: &StepReport, observer: &mut dyn Observer) -> Result<()> {
        observer.on_step(report)?;
        self.finish_step(observer)
    }

    /// Evaluates and saves where it is time to.
    fn finish_step(&mut self, observer: &mut dyn Observer) -> Result<()> {
        if self.is_due(self.options.evaluate_every) {
            self.evaluate(observer)?;
        }
        if self.saving.keep_every.is_some_and(|every| self.state.step.is_multiple_of(every)) {
            self.save(&kept_name(self.state.step), observer)?;
        }
        if self.state.stopped_early || self.is_due(self.saving.every) {
            self.save(LAST, observer)?;
        }
        Ok(())
    }

    /// Whether something that is done every so many steps, and after the last, is to be done now.
    fn is_due(&self, every: Option<usize>) -> bool {
        let done = self.state.step;
        done > 0 && (done == self.work.n_steps() || every.is_some_and(|every| done.is_multiple_of(every)))
    }

    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(mut evaluation) = self.work.evaluate(self.state.step)? else { return Ok(()) };
        self.state.evaluated_at = self.state.step;
        evaluation.is_best = self.state.best.is_none_or(|(best, _)| evaluation.loss < best);
        if evaluation.is_best {
            self.state.best = Some((evaluation.loss, self.state.step));
            self.state.n_evaluations_since_best = 0;
            self.save("best.checkpoint", observer)?;
        } else {
            self.state.n_evaluations_since_best += 1;
        }
        let patience = self.options.patience;
        self.state.stopped_early = patience.is_some_and(|n| self.state.n_evaluations_since_best >= n);
        observer.on_evaluation(&evaluation)
    }

    fn save(&self, name: &str, observer: &mut dyn Observer) -> Result<()> {
        let Some(folder) = self.saving.folder else { return Ok(()) };
        let path: PathBuf = folder.join(name);
        checkpoint::save(&path, self.parameters, &self.optimizer, &self.settings, &self.state)?;
        observer.on_checkpoint(&path, self.state.step)
    }
}
