//! Learning from rewards: gradients against differences, a reward that is learnt, a run that goes on.

use std::path::Path;

use super::tiny_config;
use crate::train::loss::GradientOptions;
use crate::train::policy::{
    Completion, PolicyLoss, PolicyOptions, PolicyPrompt, PolicyRun, advantages, policy_gradients, token_log_probs,
    train_policy,
};
use crate::train::*;
use crate::{Error, Result};

const GOOD: u32 = 7;

fn fresh() -> Parameters {
    Parameters::from_scratch(tiny_config(24), 1).unwrap()
}

fn example(row: usize, tokens: &[u32]) -> Example {
    Example { row, tokens: tokens.to_vec(), prompt_len: 2 }
}

fn completions(parameters: &Parameters) -> Vec<Completion> {
    let texts: [&[u32]; 4] = [&[1, 2, 7, 8, 0], &[1, 2, 9, 0], &[3, 4, 10, 11, 12, 0], &[3, 4, 13, 0]];
    let of = |(place, tokens): (usize, &&[u32])| Completion {
        example: example(place / 2, tokens),
        reward: Some([1.0, 0.25, -0.5, 2.0][place]),
        reference: Vec::new(),
    };
    let mut all: Vec<Completion> = texts.iter().enumerate().map(of).collect();
    let decoder = parameters.inference_decoder().unwrap();
    for own in &mut all {
        let found = token_log_probs(&decoder, &[&own.example]).unwrap().remove(0);
        // a reference that is another model
        own.reference = found.iter().enumerate().map(|(place, own)| own - 0.3 + 0.2 * place as f64).collect();
    }
    all
}

/// The loss by its formula, the advantages held fast.
fn loss(parameters: &Parameters, all: &[Completion], options: &PolicyOptions, advantages: &[f64]) -> f64 {
    let decoder = parameters.inference_decoder().unwrap();
    let examples: Vec<&Example> = all.iter().map(|own| &own.example).collect();
    let found = token_log_probs(&decoder, &examples).unwrap();
    let n_tokens: usize = found.iter().map(Vec::len).sum();
    let of = |place: usize| {
        let tokens = found[place].iter().zip(&all[place].reference);
        match options.loss {
            PolicyLoss::Rloo => found[place].iter().sum::<f64>() * advantages[place] / all.len() as f64,
            PolicyLoss::Grpo => {
                let k3 = |(own, of): (&f64, &f64)| (of - own).exp_m1() - (of - own);
                let of_token = |(own, of): (&f64, &f64)| advantages[place] * own - options.beta * k3((own, of));
                tokens.map(of_token).sum::<f64>() / n_tokens as f64
            }
        }
    };
    -(0..all.len()).map(of).sum::<f64>()
}

#[test]
fn gradients_are_those_of_the_loss() {
    for (policy_loss, beta) in
        [(PolicyLoss::Grpo, 0.0), (PolicyLoss::Grpo, 0.5), (PolicyLoss::Rloo, 0.0), (PolicyLoss::Rloo, 0.2)]
    {
        let parameters = fresh();
        let options = PolicyOptions { loss: policy_loss, group: 2, beta, temperature: 1.0 };
        let all = completions(&parameters);
        let found = policy_gradients(&parameters, &all, &options, GradientOptions::default(), None).unwrap();
        let decoder = parameters.inference_decoder().unwrap();
        let gap = |own: &Completion| -> f64 {
            let policy = token_log_probs(&decoder, &[&own.example]).unwrap().remove(0);
            policy.iter().zip(&own.reference).map(|(own, of)| own - of).sum()
        };
        let penalty = |own: &Completion| if policy_loss == PolicyLoss::Rloo { beta * gap(own) } else { 0.0 };
        let rewards: Vec<Option<f64>> = all.iter().map(|own| own.reward.map(|reward| reward - penalty(own))).collect();
        let fixed: Vec<f64> = rewards.chunks(2).flat_map(|group| advantages(policy_loss, group)).collect();
        assert!((found.loss - loss(&parameters, &all, &options, &fixed)).abs() < 1e-5, "{policy_loss:?} {beta}");
        assert_eq!(found.divergence.is_some(), beta > 0.0);
        // along the gradient itself: f(x + h g) − f(x − h g) = 2 h |g|²
        let square = found.gradients.norm().unwrap().powi(2);
        assert!(square > 1e-8);
        let step = 1e-3 / square.sqrt();
        let moved = |sign: f64| {
            for (parameter, gradient) in parameters.trained().iter().zip(&found.gradients.tensors) {
                let value = (parameter.variable.as_tensor() + (gradient * (sign * step)).unwrap()).unwrap();
                parameter.variable.set(&value).unwrap();
            }
        };
        moved(1.0);
        let above = loss(&parameters, &all, &options, &fixed);
        moved(-2.0);
        let below = loss(&parameters, &all, &options, &fixed);
        let slope = (above - below) / (2.0 * step);
        assert!((slope / square - 1.0).abs() < 2e-2, "{policy_loss:?} {beta}: {slope} {square}");

        let pieces = GradientOptions { n_pieces: 2, ..GradientOptions::default() };
        moved(1.0);
        let cut = policy_gradients(&parameters, &all, &options, pieces, None).unwrap();
        assert!((cut.gradients.norm().unwrap() / square.sqrt() - 1.0).abs() < 1e-3);
    }
}

fn run(parameters: &Parameters, folder: Option<&Path>, beta: f64, observer: &mut dyn Observer) -> Result<Outcome> {
    let prompts: Vec<PolicyPrompt> =
        (0..6).map(|row| PolicyPrompt { row, tokens: vec![1, 2, 3 + row as u32] }).collect();
    let reference = fresh().inference_decoder()?;
    let options = TrainOptions {
        n_steps: Some(24),
        batch_rows: 3,
        max_new_tokens: 5,
        n_generated: 2,
        evaluate_every: Some(8),
        schedule: Schedule { learning_rate: 1e-2, ..Schedule::default() },
        ..TrainOptions::default()
    };
    let mut reward = |drawn: &[(usize, &[u32], bool)]| {
        let share = |tokens: &[u32]| tokens.iter().filter(|token| **token == GOOD).count() as f64 / 5.0;
        Ok(drawn.iter().map(|(_, tokens, _)| Some(share(tokens))).collect())
    };
    let run = PolicyRun {
        parameters,
        prompts: &prompts[..4],
        held_out: &prompts[4..],
        policy: PolicyOptions { beta, ..PolicyOptions::default() },
        reference: (beta > 0.0).then_some(&reference),
        reward: &mut reward,
        reward_name: "share of good".into(),
        stop_ids: &[0],
        options: &options,
        saving: Saving { folder, every: Some(5), keep_every: None, resume: true },
    };
    train_policy(run, observer)
}

/// Keeps rewards; stops after a step.
#[derive(Default)]
struct Rewards {
    steps: Vec<f64>,
    held_out: Vec<f64>,
    stop_after: Option<usize>,
}

impl Observer for Rewards {
    fn on_step(&mut self, report: &StepReport) -> Result<()> {
        self.steps.extend(report.policy.map(|policy| policy.reward));
        match self.stop_after == Some(report.step) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    fn on_evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.held_out.extend(evaluation.policy.map(|policy| policy.reward));
        Ok(())
    }
}

#[test]
fn what_is_rewarded_becomes_likelier_on_other_prompts_too() {
    let mut seen = Rewards::default();
    run(&fresh(), None, 0.01, &mut seen).unwrap();
    assert_eq!((seen.steps.len(), seen.held_out.len()), (24, 4), "one look before the first step");
    assert!(seen.steps[0] < 0.2 && seen.steps[23] > 0.6, "{:?}", seen.steps);
    let (before, after) = (seen.held_out[0], seen.held_out[3]);
    assert!(after > before && after > 0.6, "{:?}", seen.held_out);
}

#[test]
fn a_stopped_run_goes_on_as_it_would_have() {
    let (whole_folder, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (whole, mut seen) = (fresh(), Rewards::default());
    let outcome = run(&whole, Some(whole_folder.path()), 0.01, &mut seen).unwrap();
    let mut first = Rewards { stop_after: Some(9), ..Rewards::default() };
    assert!(matches!(run(&fresh(), Some(folder.path()), 0.01, &mut first).unwrap_err(), Error::Interrupted));
    let (resumed, mut rest) = (fresh(), Rewards::default());
    assert_eq!(run(&resumed, Some(folder.path()), 0.01, &mut rest).unwrap(), outcome);
    assert_eq!([first.steps, rest.steps].concat(), seen.steps);
    let bits = |parameters: &Parameters| -> Vec<Vec<f32>> {
        let values = |parameter: &Parameter| parameter.variable.flatten_all().unwrap().to_vec1().unwrap();
        parameters.trained().iter().map(values).collect()
    };
    assert_eq!(bits(&whole), bits(&resumed));
    // another weight of the divergence is another run
    assert!(run(&fresh(), Some(folder.path()), 0.02, &mut ()).is_err());
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    let parameters = fresh();
    let all = completions(&parameters);
    let refused = |all: &[Completion], options: PolicyOptions| {
        policy_gradients(&parameters, all, &options, GradientOptions::default(), None).is_err()
    };
    let options = PolicyOptions { group: 2, beta: 0.1, ..PolicyOptions::default() };
    assert!(!refused(&all, options) && refused(&[], options) && refused(&all[..3], options));
    let mut lacking = all.clone();
    lacking[1].reference.pop();
    assert!(refused(&lacking, options) && !refused(&lacking, PolicyOptions { beta: 0.0, ..options }));
    for wrong in [
        PolicyOptions { group: 1, ..options },
        PolicyOptions { beta: f64::NAN, ..options },
        PolicyOptions { beta: -1.0, ..options },
        PolicyOptions { temperature: 0.0, ..options },
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
}
