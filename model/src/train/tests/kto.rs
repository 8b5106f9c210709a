//! Completions that are called good or bad: the loss by hand, gradients against differences, a run that goes on.

use std::path::Path;

use super::tiny_config;
use crate::train::loss::GradientOptions;
use crate::train::preference::*;
use crate::train::*;
use crate::{Error, Result};

const GOOD: u32 = 7;
const BAD: u32 = 9;

fn fresh() -> Parameters {
    Parameters::from_scratch(tiny_config(24), 1).unwrap()
}

/// Prompts of two tokens; good answers say one token, bad ones another.
fn rows(n: usize) -> Vec<LabelledExample> {
    let row = |row: usize| {
        let is_good = !row.is_multiple_of(3);
        let said = if is_good { GOOD } else { BAD };
        let tokens = [vec![1, 2 + row as u32 % 4], vec![said; 1 + row % 3], vec![0]].concat();
        (Example { row, tokens, prompt_len: 2 }, is_good)
    };
    mismatched((0..n).map(row).collect(), 4)
}

fn log_probs(parameters: &Parameters, rows: &[LabelledExample]) -> Vec<[f64; 2]> {
    kto_reference(&parameters.inference_decoder().unwrap(), rows, 3, &mut |_| Ok(())).unwrap()
}

/// A reference that is another model.
fn reference(parameters: &Parameters, rows: &[LabelledExample]) -> Vec<[f64; 2]> {
    let moved = |(row, [own, other]): (usize, [f64; 2])| [own - 0.4 + 0.3 * row as f64, other - 0.9 + 0.2 * row as f64];
    log_probs(parameters, rows).into_iter().enumerate().map(moved).collect()
}

/// TRL's formula, with z₀ as it is given or as the mismatched completions say.
fn by_hand(parameters: &Parameters, rows: &[LabelledExample], reference: &[[f64; 2]], z: Option<f64>) -> (f64, f64) {
    let policy = log_probs(parameters, rows);
    let ratio = |place: usize| policy.iter().zip(reference).map(move |(a, b)| a[place] - b[place]);
    let z = z.unwrap_or((ratio(1).sum::<f64>() / rows.len() as f64).max(0.0));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let loss = |(row, s): (&LabelledExample, f64)| match row.is_good {
        true => 1.5 * (1.0 - sigmoid(0.5 * (s - z))),
        false => 0.75 * (1.0 - sigmoid(0.5 * (z - s))),
    };
    (rows.iter().zip(ratio(0)).map(loss).sum::<f64>() / rows.len() as f64, z)
}

#[test]
fn loss_and_gradients_are_those_of_the_formula() {
    let options = KtoOptions { beta: 0.5, good_weight: 1.5, bad_weight: 0.75 };
    let (parameters, rows) = (fresh(), rows(5));
    let (batch, reference) = (rows.iter().collect::<Vec<_>>(), reference(&parameters, &rows));
    let ways = [(1, false), (2, false), (3, true)];
    let found = ways.map(|(n_pieces, checkpointing)| {
        let how = GradientOptions { n_pieces, checkpointing, ..GradientOptions::default() };
        kto_gradients(&parameters, &batch, &reference, &options, how, None).unwrap()
    });
    let (loss, z) = by_hand(&parameters, &rows, &reference, None);
    assert!(z > 0.1, "{z}");
    for found in &found {
        assert!((found.loss - loss).abs() < 1e-5 && (found.divergence - z).abs() < 1e-4, "{} {loss}", found.loss);
    }
    // along the gradient itself, z₀ held fast as the derivative holds it
    let norm = found[0].gradients.norm().unwrap();
    let step = 1e-2 / norm;
    let moved = |sign: f64| {
        for (parameter, gradient) in parameters.trained().iter().zip(&found[0].gradients.tensors) {
            let gradient = gradient.affine(sign * step, 0.0).unwrap();
            parameter.variable.set(&parameter.variable.add(&gradient).unwrap()).unwrap();
        }
        by_hand(&parameters, &rows, &reference, Some(z)).0
    };
    let (above, _, below) = (moved(1.0), moved(-1.0), moved(-1.0));
    let by = (above - below) / (2.0 * step);
    assert!((by / (norm * norm) - 1.0).abs() < 1e-2, "{by} {}", norm * norm);
    for cut in &found[1..] {
        assert!((cut.gradients.norm().unwrap() / norm - 1.0).abs() < 1e-4);
    }
}

#[derive(Default)]
struct Seen {
    losses: Vec<f64>,
    evaluations: Vec<PairFigures>,
    stop_after: Option<usize>,
}

impl Observer for Seen {
    fn on_step(&mut self, report: &StepReport) -> Result<()> {
        self.losses.push(report.loss);
        if self.stop_after == Some(report.step) { Err(Error::Interrupted) } else { Ok(()) }
    }

    fn on_evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.evaluations.extend(evaluation.pairs);
        Ok(())
    }
}

fn run(parameters: &Parameters, folder: Option<&Path>, beta: f64, seen: &mut Seen) -> Result<Outcome> {
    let (all, base) = (rows(15), fresh());
    let (training, held_out) = all.split_at(11);
    let reference = Reference {
        training: log_probs(&base, training),
        held_out: log_probs(&base, held_out),
        fingerprint: base.origin().into(),
    };
    let options = TrainOptions {
        n_steps: Some(20),
        batch_rows: 4,
        evaluate_every: Some(10),
        schedule: Schedule { learning_rate: 5e-3, ..Schedule::default() },
        ..TrainOptions::default()
    };
    let saving = Saving { folder, every: Some(3), keep_every: None, resume: true };
    let loss = KtoOptions { beta, ..KtoOptions::default() };
    let run = KtoRun { parameters, rows: training, held_out, loss, reference: &reference, options: &options, saving };
    train_kto(&run, seen)
}

#[test]
fn good_answers_become_likelier_than_bad_ones_on_held_out_rows() {
    let mut seen = Seen::default();
    run(&fresh(), None, 0.5, &mut seen).unwrap();
    assert!((seen.losses[0] - 0.5).abs() < 1e-4, "a policy like its reference: 1 − σ(0)");
    let last = seen.evaluations.last().unwrap();
    assert!(last.margin > 0.1 && last.rewards[0] > last.rewards[1] && last.accuracy > 0.7, "{last:?}");
    assert!(last.divergence.is_some());
}

#[test]
fn a_stopped_run_goes_on_as_it_would_have() {
    let (whole_folder, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (whole, mut all) = (fresh(), Seen::default());
    let outcome = run(&whole, Some(whole_folder.path()), 0.5, &mut all).unwrap();
    let mut first = Seen { stop_after: Some(7), ..Seen::default() };
    assert!(matches!(run(&fresh(), Some(folder.path()), 0.5, &mut first).unwrap_err(), Error::Interrupted));
    let (resumed, mut rest) = (fresh(), Seen::default());
    assert_eq!(run(&resumed, Some(folder.path()), 0.5, &mut rest).unwrap(), outcome);
    assert_eq!([first.losses, rest.losses].concat(), all.losses);
    let bits = |parameters: &Parameters| -> Vec<Vec<f32>> {
        let values = |parameter: &Parameter| parameter.variable.flatten_all().unwrap().to_vec1().unwrap();
        parameters.trained().iter().map(values).collect()
    };
    assert_eq!(bits(&whole), bits(&resumed));
    assert!(run(&fresh(), Some(folder.path()), 0.25, &mut Seen::default()).is_err(), "another β is another run");
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    let (parameters, rows) = (fresh(), rows(4));
    let batch: Vec<&LabelledExample> = rows.iter().collect();
    let references = reference(&parameters, &rows);
    let refused = |batch: &[&LabelledExample], references: &[[f64; 2]]| {
        let how = GradientOptions::default();
        kto_gradients(&parameters, batch, references, &KtoOptions::default(), how, None).is_err()
    };
    assert!(!refused(&batch, &references) && refused(&[], &[]) && refused(&batch, &references[..3]));
}
