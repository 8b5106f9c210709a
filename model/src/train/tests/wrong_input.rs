//! What a run refuses, and says.

use super::{Watcher, options, rows, short_template, tiny_config, tokenizer};
use crate::Error;
use crate::train::*;

fn run_with(options: &TrainOptions, parameters: &Parameters, rows: &[crate::Qac]) -> crate::Result<Outcome> {
    let run = TrainRun {
        parameters,
        tokenizer: &tokenizer(),
        template: &short_template(),
        data: TrainData { rows, identity_rows: None, held_out: &[], ..TrainData::default() },
        options,
        saving: Saving::default(),
    };
    train(&run, &mut Watcher::default())
}

fn scratch() -> Parameters {
    Parameters::from_scratch(tiny_config(300), 1).unwrap()
}

#[test]
fn options_out_of_range_are_named() {
    let rows = rows(8);
    let mut wrong = vec![TrainOptions { batch_rows: 0, ..options() }, TrainOptions { n_pieces: 0, ..options() }];
    wrong.push(TrainOptions { identity_share: f64::NAN, ..options() });
    wrong.push(TrainOptions { epochs: 0, n_steps: None, identity_share: 0.0, ..options() });
    wrong.push(TrainOptions { explosion_factor: 0.5, ..options() });
    for learning_rate in [f64::NAN, f64::INFINITY, -1.0] {
        wrong.push(TrainOptions { schedule: Schedule { learning_rate, ..Schedule::default() }, ..options() });
    }
    wrong.push(TrainOptions { optimizer: AdamWOptions { beta1: 1.0, ..AdamWOptions::default() }, ..options() });
    for options in wrong {
        let error = run_with(&options, &scratch(), &rows).unwrap_err();
        assert!(matches!(error, Error::TrainOption { .. }), "{options:?}: {error}");
    }
}

#[test]
fn rows_that_are_all_too_long_or_missing_are_counted() {
    let error = run_with(&TrainOptions { max_tokens: 10, ..options() }, &scratch(), &rows(8)).unwrap_err();
    assert!(matches!(error, Error::NoRows { over_long, .. } if over_long > 0), "{error}");
    let error = run_with(&TrainOptions { identity_share: 0.0, ..options() }, &scratch(), &[]).unwrap_err();
    assert!(matches!(error, Error::NoRows { given: 0, .. }), "{error}");
}

#[test]
fn a_diverging_run_names_its_step_and_rows() {
    let options = TrainOptions { evaluate_every: None, identity_share: 0.0, ..options() };
    // not a number, and far worse than guessing
    for factor in [f64::NAN, 1e4] {
        let parameters = scratch();
        for parameter in parameters.trained() {
            let value = (parameter.variable.as_detached_tensor() * factor).unwrap();
            parameter.variable.set(&value).unwrap();
        }
        match run_with(&options, &parameters, &rows(8)).unwrap_err() {
            Error::TrainingDiverged { step, rows, .. } => {
                assert_eq!((step, rows.len()), (0, 4));
                assert!(rows.iter().all(|row| *row < 8));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn lora_options_out_of_range_are_named() {
    let lora = crate::LoraOptions::default();
    for wrong in [
        crate::LoraOptions { rank: 0, ..lora.clone() },
        crate::LoraOptions { dropout: 1.0, ..lora.clone() },
        crate::LoraOptions { alpha: f64::NAN, ..lora.clone() },
        crate::LoraOptions { targets: vec!["q_prj".into()], ..lora.clone() },
        crate::LoraOptions { targets: vec![], ..lora.clone() },
    ] {
        let error = Parameters::open(&super::golden_folder("llama"), Method::Lora(wrong), 0).unwrap_err();
        assert!(matches!(error, Error::TrainOption { .. }), "{error}");
    }
}
