//! Runs on rewards: which prompts a step reads, what is drawn for them, and a look at held-out prompts.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::PolicyOptions;
use super::pass::{Completion, policy_gradients, token_log_probs};
use crate::generate::{Finish, GenerateOptions, Generated, Prompt, generate};
use crate::random::Random;
use crate::sampling::SamplingOptions;
use crate::train::batch::Batches;
use crate::train::checkpoint::Settings;
use crate::train::example::fingerprint;
use crate::train::loss::GradientOptions;
use crate::train::trainer::{Loop, Saving, StepLoss, Work, WorkStart};
use crate::train::{Evaluation, Example, Observer, Outcome, Parameters, Phase, TrainOptions};
use crate::{Decoder, Error, NoHook, Result};

/// A prompt as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPrompt {
    /// Index of the row in the caller's data.
    pub row: usize,
    /// Its tokens, at least one.
    pub tokens: Vec<u32>,
}

/// Scores completions: each the row of its prompt, its tokens without the end, and whether the length limit cut it. Higher is better; none
/// where nobody can tell. An error ends the run.
pub type Reward<'a> = &'a mut dyn FnMut(&[(usize, &[u32], bool)]) -> Result<Vec<Option<f64>>>;

/// A run on rewards.
pub struct PolicyRun<'a> {
    /// What is trained; it changes in place.
    pub parameters: &'a Parameters,
    /// Prompts to train on.
    pub prompts: &'a [PolicyPrompt],
    /// Prompts for evaluations; none, and nothing is evaluated.
    pub held_out: &'a [PolicyPrompt],
    /// How rewards are learnt from.
    pub policy: PolicyOptions,
    /// The model whose divergence is weighed, where it is.
    pub reference: Option<&'a Decoder>,
    /// Says how good completions are.
    pub reward: Reward<'a>,
    /// What the rewards depend on, and the reference: a run that goes on has the same.
    pub reward_name: String,
    /// Ids that end a completion; the first is what a drawn end is learnt as.
    pub stop_ids: &'a [u32],
    /// The settings. `batch_rows` counts prompts; `max_new_tokens` is the longest completion, `n_generated` the held-out prompts of an
    /// evaluation. Those of identity warm-up do nothing.
    pub options: &'a TrainOptions,
    /// What is kept of it, and whether it goes on from there.
    pub saving: Saving<'a>,
}

/// What a step, or a look at held-out prompts, came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PolicyFigures {
    /// Mean reward of the completions that have one.
    pub reward: f64,
    /// Mean over prompts of the standard deviation within a group; 0 of single completions.
    pub spread: f64,
    /// Mean tokens of a completion.
    pub n_tokens: f64,
    /// Share of completions that the length limit cut.
    pub cut_share: f64,
    /// Share of completions that nobody could score.
    pub no_reward_share: f64,
    /// Mean estimate of the divergence from the reference, in nats a token; none without a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<f64>,
}

/// Trains the parameters in place, to the end or until something stops it. What is drawn depends on seed, step and prompt alone, so that a run
/// that was stopped goes on exactly as it would have.
///
/// # Errors
/// Settings out of range; no prompts, or one without room; no reference where one is weighed; [`Error::TrainingDiverged`]; a checkpoint that
/// cannot be read or written, or is of another run; whatever the reward or the observer returns.
pub fn train_policy(run: PolicyRun<'_>, observer: &mut dyn Observer) -> Result<Outcome> {
    run.options.check()?;
    run.policy.check()?;
    let as_example = |prompt: &PolicyPrompt| Example {
        row: prompt.row,
        tokens: prompt.tokens.clone(),
        prompt_len: prompt.tokens.len(),
    };
    let sums = |prompts: &[PolicyPrompt]| {
        let examples: Vec<Example> = prompts.iter().map(as_example).collect();
        fingerprint(examples.iter())
    };
    let settings = Settings {
        model: run.parameters.origin().to_owned(),
        config: run.parameters.config().clone(),
        method: run.parameters.method().clone(),
        data: sums(run.prompts),
        held_out: sums(run.held_out),
        options: run.options.clone(),
        objective: None,
        policy: Some(run.policy),
        kto: None,
        reference: Some(run.reward_name.clone()),
    };
    let (parameters, options, saving) = (run.parameters, run.options, run.saving);
    Loop::new(parameters, options, saving, settings, PolicyWork::new(run)?)?.run(observer)
}

struct PolicyWork<'a> {
    run: PolicyRun<'a>,
    n_steps: usize,
    batches: Batches,
    end_id: u32,
}

/// What was drawn, and how good it is.
struct Drawn {
    completions: Vec<Completion>,
    n_cut: usize,
}

impl<'a> PolicyWork<'a> {
    fn new(run: PolicyRun<'a>) -> Result<Self> {
        let refuse = |got: &str, expected: &str| {
            Err(Error::Request { what: "prompts to train on", got: got.into(), expected: expected.into() })
        };
        if run.prompts.is_empty() {
            return refuse("none", "at least one");
        }
        if run.policy.beta > 0.0 && run.reference.is_none() {
            return refuse("no reference", "one, as its divergence is weighed");
        }
        let Some(&end_id) = run.stop_ids.first() else { return refuse("no end token", "one") };
        let batches = Batches::new(run.prompts.iter().map(|prompt| prompt.tokens.len()).collect(), run.options);
        let n_steps = batches.n_steps(run.options);
        Ok(Self { run, n_steps, batches, end_id })
    }

    /// The prompts of a step.
    fn batch(&mut self, step: usize) -> Vec<PolicyPrompt> {
        self.batches.of_step(step).into_iter().map(|row| self.run.prompts[row].clone()).collect()
    }

    /// Draws `group` completions of each prompt and has them scored. Prompts that are the same draw apart.
    fn draw(&mut self, prompts: &[PolicyPrompt], group: usize, sampling: SamplingOptions) -> Result<Drawn> {
        let decoder = self.run.parameters.inference_decoder()?;
        let asked = |(place, prompt): (usize, &PolicyPrompt)| {
            Prompt::new(prompt.tokens.clone(), (place * group..(place + 1) * group).collect())
        };
        let asked: Vec<Prompt> = prompts.iter().enumerate().map(asked).collect();
        let options = GenerateOptions {
            max_new_tokens: self.run.options.max_new_tokens,
            sampling,
            stop_ids: self.run.stop_ids.to_vec(),
            share_prompt: true,
        };
        let on_token = &mut |_, _| Ok(ControlFlow::Continue(()));
        let mut drawn: Vec<Generated> = Vec::with_capacity(prompts.len() * group);
        for part in asked.chunks((self.run.options.batch_rows / group).max(1)) {
            drawn.extend(generate(&decoder, part, &options, &mut NoHook, on_token)?);
        }
        let is_cut = |own: &Generated| own.finish == Finish::Length;
        let told: Vec<(usize, &[u32], bool)> =
            drawn.iter().map(|own| (prompts[own.row / group].row, own.tokens.as_slice(), is_cut(own))).collect();
        let rewards = (self.run.reward)(&told)?;
        if rewards.len() != drawn.len() || rewards.iter().flatten().any(|reward| !reward.is_finite()) {
            let got = format!("{} for {} completions", rewards.len(), drawn.len());
            return Err(Error::Request { what: "rewards", got, expected: "a finite number, or none, of each".into() });
        }
        let n_cut = drawn.iter().filter(|own| is_cut(own)).count();
        let completion = |(own, reward): (Generated, Option<f64>)| {
            let PolicyPrompt { row, tokens } = &prompts[own.row / group];
            let end = (own.finish == Finish::Stopped).then_some(self.end_id);
            let tokens: Vec<u32> = tokens.iter().copied().chain(own.tokens).chain(end).collect();
            Completion {
                example: Example { row: *row, tokens, prompt_len: prompts[own.row / group].tokens.len() },
                reward,
                reference: Vec::new(),
            }
        };
        Ok(Drawn { completions: drawn.into_iter().zip(rewards).map(completion).collect(), n_cut })
    }

    fn read_reference(&self, completions: &mut [Completion]) -> Result<()> {
        let PolicyRun { reference: Some(reference), policy, options, .. } = &self.run else { return Ok(()) };
        if policy.beta == 0.0 {
            return Ok(());
        }
        for part in completions.chunks_mut(options.batch_rows.max(1)) {
            let examples: Vec<&Example> = part.iter().map(|own| &own.example).collect();
            let found = token_log_probs(reference, &examples)?;
            part.iter_mut().zip(found).for_each(|(own, found)| own.reference = found);
        }
        Ok(())
    }
}

fn figures(drawn: &Drawn, group: usize, divergence: Option<f64>) -> PolicyFigures {
    let completions = &drawn.completions;
    let n = completions.len().max(1) as f64;
    let rewards: Vec<f64> = completions.iter().filter_map(|own| own.reward).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let spread = |part: &[Completion]| {
        let known: Vec<f64> = part.iter().filter_map(|own| own.reward).collect();
        let centre = mean(&known);
        let squares: f64 = known.iter().map(|own| (own - centre).powi(2)).sum();
        if known.len() < 2 { 0.0 } else { (squares / (known.len() - 1) as f64).sqrt() }
    };
    let spreads: Vec<f64> = completions.chunks(group.max(1)).map(spread).collect();
    PolicyFigures {
        reward: mean(&rewards),
        spread: mean(&spreads),
        n_tokens: completions.iter().map(|own| own.example.n_counted() as f64).sum::<f64>() / n,
        cut_share: drawn.n_cut as f64 / n,
        no_reward_share: (completions.len() - rewards.len()) as f64 / n,
        divergence,
    }
}

impl Work for PolicyWork<'_> {
    fn n_steps(&self) -> usize {
        self.n_steps
    }

    fn start(&self) -> WorkStart {
        WorkStart { n_rows: self.run.prompts.len(), ..WorkStart::default() }
    }

    fn most_loss(&self) -> f64 {
        f64::INFINITY
    }

    fn step(&mut self, step: usize, how: GradientOptions, dropout_seed: Option<u64>) -> Result<StepLoss> {
        let policy = self.run.policy;
        let seed = Random::named(&[self.run.options.seed, step as u64], "completions").next_u64();
        let sampling = SamplingOptions { temperature: policy.temperature, seed, ..SamplingOptions::default() };
        let prompts = self.batch(step);
        let mut drawn = self.draw(&prompts, policy.group, sampling)?;
        self.read_reference(&mut drawn.completions)?;
        // a completion that ends before its first token has nothing to learn from, but its end
        let found = policy_gradients(self.run.parameters, &drawn.completions, &policy, how, dropout_seed)?;
        let of_rows = drawn.completions.iter();
        Ok(StepLoss {
            phase: Phase::Policy,
            loss: found.loss,
            gradients: found.gradients,
            n_tokens: of_rows.clone().map(|own| own.example.tokens.len()).sum(),
            rows: of_rows.map(|own| own.example.row).collect(),
            pairs: None,
            policy: Some(figures(&drawn, policy.group, found.divergence)),
        })
    }

    fn is_evaluated_first(&self) -> bool {
        true
    }

    fn evaluate(&mut self, step: usize) -> Result<Option<Evaluation>> {
        let n = self.run.options.n_generated.min(self.run.held_out.len());
        if n == 0 {
            return Ok(None);
        }
        let held_out = self.run.held_out[..n].to_vec();
        let drawn = self.draw(&held_out, 1, SamplingOptions::default())?;
        let policy = figures(&drawn, 1, None);
        // what falls as the policy gets better
        Ok(Some(Evaluation {
            step,
            loss: -policy.reward,
            is_best: false,
            outputs: Vec::new(),
            pairs: None,
            policy: Some(policy),
        }))
    }
}
