use std::cell::Cell;

use redline_model::train::Parameters;
use redline_model::{Error as ModelError, ModelConfig};

use super::*;

/// A small model with random weights, and rows whose outputs at −1 and 1 are different tokens.
fn decoder() -> Decoder {
    Parameters::from_scratch(ModelConfig::llama([320, 32, 64, 2, 4], 256), 7).unwrap().inference_decoder().unwrap()
}

fn rows(n: u32) -> Vec<TrainingRow> {
    let output = |coefficient, token: u32| SteeredOutput { coefficient, tokens: vec![token, token + 1, 2] };
    let row = |i: u32| TrainingRow { prompt: vec![1, 5 + i, 9], outputs: vec![output(-1.0, 20), output(1.0, 40)] };
    (0..n).map(row).collect()
}

/// The same rows with the outputs at the opposite coefficients.
fn opposite(rows: &[TrainingRow]) -> Vec<TrainingRow> {
    let output = |output: &SteeredOutput| SteeredOutput { coefficient: -output.coefficient, ..output.clone() };
    let row = |row: &TrainingRow| TrainingRow { outputs: row.outputs.iter().map(output).collect(), ..row.clone() };
    rows.iter().map(row).collect()
}

fn start() -> ControlVector {
    let values = |layer: usize| (0..32).map(|i| ((i * 7 + layer * 3) % 11) as f32 / 100.0 - 0.05).collect();
    ControlVector::new((0..2).map(|layer| (layer, values(layer))).collect()).unwrap()
}

fn options() -> VectorTraining {
    VectorTraining { n_steps: 30, batch_rows: 4, learning_rate: 1.0, evaluate_every: 10, ..VectorTraining::default() }
}

fn run<'a>(
    decoder: &'a Decoder,
    start: &'a ControlVector,
    rows: &'a [TrainingRow],
    options: &'a VectorTraining,
    checkpoint: Option<&'a Checkpoint>,
) -> VectorTrainingRun<'a> {
    let (range, objective) = (TokenRange::Output, Objective::Likelihood);
    VectorTrainingRun { decoder, start, range, objective, rows, development: rows, options, checkpoint }
}

#[test]
fn every_objective_leads_to_its_outputs() {
    let (decoder, start, rows) = (decoder(), start(), rows(8));
    for objective in Objective::ALL {
        let options = VectorTraining { n_steps: 60, ..options() };
        let training = VectorTrainingRun { objective, ..run(&decoder, &start, &rows, &options, None) };
        let trained = train_vector(&training, &mut |_| Ok(())).unwrap();
        assert!(trained.best_loss < trained.start_loss - 0.1, "{objective}: {trained:?}");
        assert_eq!(trained.vector.layers.len(), 2);
        // at the opposite coefficients the same vector leads away from them
        let opposite = opposite(&rows);
        let away = mean_loss(&decoder, &opposite, &trained.vector, TokenRange::Output).unwrap();
        assert!(away > trained.start_loss, "{objective}: {away}");
    }
}

#[test]
fn a_step_sees_what_injection_does() {
    let (decoder, start, rows) = (decoder(), start(), rows(3));
    let differentiable = decoder.clone().with_kernels(Kernels::FusedDifferentiable).unwrap();
    for range in [TokenRange::Output, TokenRange::All, TokenRange::Prompt] {
        let variables = Variables::scaled(&start, range, decoder.device()).unwrap();
        let batch: Vec<(&TrainingRow, usize)> = rows.iter().flat_map(|row| [(row, 0), (row, 1)]).collect();
        let loss = Loss::new(Objective::Likelihood, &differentiable).of(&batch, &variables).unwrap();
        let injected = mean_loss(&decoder, &rows, &start, range).unwrap();
        assert!((f64::from(loss.to_scalar::<f32>().unwrap()) - injected).abs() < 1e-4, "{range}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (decoder, start, rows) = (decoder(), start(), rows(2));
    let differentiable = decoder.clone().with_kernels(Kernels::FusedDifferentiable).unwrap();
    let batch: Vec<(&TrainingRow, usize)> = rows.iter().flat_map(|row| [(row, 0), (row, 1)]).collect();
    for objective in Objective::ALL {
        let loss_of = |vector: &ControlVector| {
            let variables = Variables::scaled(vector, TokenRange::Output, decoder.device()).unwrap();
            let loss = Loss::new(objective, &differentiable).of(&batch, &variables).unwrap();
            (loss, variables)
        };
        let (loss, variables) = loss_of(&start);
        let store = loss.backward().unwrap();
        let (layer, value) = variables.iter().next().unwrap();
        let gradient: Vec<f32> = store.get(value).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        // along the gradient itself, where the difference is largest beside the rounding of f32
        let square: f64 = gradient.iter().map(|g| f64::from(*g).powi(2)).sum();
        let scale = (start.layers[&layer].iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 32.0).sqrt();
        let step = 0.02 / square.sqrt();
        let moved = |sign: f64| {
            let mut vector = start.clone();
            let values = vector.layers.get_mut(&layer).unwrap();
            values.iter_mut().zip(&gradient).for_each(|(v, g)| *v += (sign * step * f64::from(*g) * scale) as f32);
            // the unit of the variables is that of the start, not of the moved vector
            f64::from(loss_of(&vector).0.to_scalar::<f32>().unwrap())
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        assert!((slope / square - 1.0).abs() < 0.05, "{objective}: {slope} {square}");
    }
}

#[test]
fn a_training_that_was_stopped_ends_as_one_that_was_not() {
    let (decoder, start, rows, options) = (decoder(), start(), rows(8), options());
    let unbroken = train_vector(&run(&decoder, &start, &rows, &options, None), &mut |_| Ok(())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint { path: folder.path().join("state"), model_hash: "m".into() };
    let training = run(&decoder, &start, &rows, &options, Some(&checkpoint));
    let steps = Cell::new(0);
    let stop_after = |n: usize| {
        let steps = &steps;
        move |_: &VectorStep| {
            steps.set(steps.get() + 1);
            if steps.get() == n { Err(ModelError::Interrupted.into()) } else { Ok(()) }
        }
    };
    for stop in [7, 10, 23] {
        train_vector(&training, &mut stop_after(stop)).unwrap_err();
    }
    let resumed = train_vector(&training, &mut stop_after(usize::MAX)).unwrap();
    assert_eq!(steps.get(), 30);
    assert_eq!(resumed, unbroken);
    // and no other training goes on from it
    let other = VectorTraining { seed: 1, ..options.clone() };
    let error = train_vector(&run(&decoder, &start, &rows, &other, Some(&checkpoint)), &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("seed"), "{error}");
}

#[test]
fn training_that_helps_nobody_returns_its_start() {
    let (decoder, start, rows) = (decoder(), start(), rows(4));
    let (development, options) = (opposite(&rows), VectorTraining { patience: Some(1), ..options() });
    let training = VectorTrainingRun { development: &development, ..run(&decoder, &start, &rows, &options, None) };
    let trained = train_vector(&training, &mut |_| Ok(())).unwrap();
    assert_eq!((trained.best_step, trained.n_steps), (0, 10));
    assert_eq!(trained.vector, start);
    assert_eq!(trained.best_loss, trained.start_loss);
}

#[test]
fn settings_and_rows_are_checked() {
    let (decoder, start, rows) = (decoder(), start(), rows(2));
    for wrong in [
        VectorTraining { n_steps: 0, ..options() },
        VectorTraining { batch_rows: 0, ..options() },
        VectorTraining { learning_rate: f64::NAN, ..options() },
    ] {
        let error = train_vector(&run(&decoder, &start, &rows, &wrong, None), &mut |_| Ok(())).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    }
    let error = train_vector(&run(&decoder, &start, &[], &options(), None), &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::TooFew { .. }), "{error}");
    let lone = [TrainingRow { outputs: rows[0].outputs[..1].to_vec(), ..rows[0].clone() }];
    let options = options();
    let bipo = VectorTrainingRun { objective: Objective::Bipo, ..run(&decoder, &start, &lone, &options, None) };
    let error = train_vector(&bipo, &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("outputs of a preference"), "{error}");
}
