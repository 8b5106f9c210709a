//! A run that is stopped and resumed is the unbroken run, to the last bit.

use std::path::Path;

use super::{Watcher, options, rows, short_template, tiny_config, tokenizer};
use crate::train::export::{StoredType, export_hugging_face};
use crate::train::*;
use crate::{Error, LoraOptions, Tokenizer, Weights};

struct Setting {
    tokenizer: Tokenizer,
    rows: Vec<crate::Qac>,
    held_out: Vec<crate::Qac>,
    options: TrainOptions,
}

impl Setting {
    fn new() -> Self {
        let all = rows(40);
        Self { tokenizer: tokenizer(), rows: all[..30].to_vec(), held_out: all[30..].to_vec(), options: options() }
    }

    fn run(&self, parameters: &Parameters, folder: &Path, watcher: &mut Watcher) -> crate::Result<Outcome> {
        let run = TrainRun {
            parameters,
            tokenizer: &self.tokenizer,
            template: &short_template(),
            data: TrainData { rows: &self.rows, identity_rows: None, held_out: &self.held_out, ..TrainData::default() },
            options: &self.options,
            saving: Saving { folder: Some(folder), every: Some(2), keep_every: Some(3), resume: true },
        };
        train(&run, watcher)
    }
}

/// Exact bytes of everything trained.
fn bytes(parameters: &Parameters) -> Vec<Vec<u32>> {
    let bits = |p: &parameters::Parameter| {
        let values = p.variable.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    parameters.trained().iter().map(bits).collect()
}

fn fresh(method: &Method) -> Parameters {
    let scratch = Parameters::from_scratch(tiny_config(300), 1).unwrap();
    match method {
        Method::Full => scratch,
        Method::Lora(_) => {
            let folder = tempfile::tempdir().unwrap();
            export_hugging_face(folder.path(), &scratch, &tokenizer(), StoredType::F32).unwrap();
            let weights = Weights::open_hugging_face(folder.path()).unwrap();
            Parameters::from_weights(tiny_config(300), &weights, method.clone(), 2).unwrap()
        }
    }
}

#[test]
fn stopped_and_resumed_equals_unbroken() {
    let setting = Setting::new();
    for method in [Method::Full, Method::Lora(LoraOptions { rank: 2, dropout: 0.2, ..LoraOptions::default() })] {
        let (whole_folder, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (whole, mut watcher) = (fresh(&method), Watcher::default());
        let outcome = setting.run(&whole, whole_folder.path(), &mut watcher).unwrap();
        assert_eq!((outcome.n_steps, watcher.losses.len(), watcher.evaluations.len()), (12, 12, 4));

        // after step 3 an evaluation was due, which the interrupt keeps from happening
        let (mut losses, mut evaluations) = (Vec::new(), Vec::new());
        for stop_after in [3, 2] {
            let mut watcher = Watcher { stop_after: Some(stop_after), ..Watcher::default() };
            let error = setting.run(&fresh(&method), folder.path(), &mut watcher).unwrap_err();
            assert!(matches!(error, Error::Interrupted));
            losses.extend(watcher.losses);
            evaluations.extend(watcher.evaluations);
        }
        // all of the stopped process is gone but its folder
        let (resumed, mut rest) = (fresh(&method), Watcher::default());
        assert_eq!(setting.run(&resumed, folder.path(), &mut rest).unwrap(), outcome);
        assert_eq!([losses, rest.losses].concat(), watcher.losses);
        assert_eq!([evaluations, rest.evaluations].concat(), watcher.evaluations);
        assert_eq!(bytes(&resumed), bytes(&whole));
        for name in ["last.checkpoint", "best.checkpoint"] {
            let read = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
            assert!(read(folder.path()) == read(whole_folder.path()), "{name}");
        }
        let best = fresh(&method);
        let state = checkpoint::load_parameters(&folder.path().join("best.checkpoint"), &best).unwrap();
        assert_eq!(Some((outcome.best.unwrap().0, state.step)), outcome.best);
        assert_eq!(bytes(&best) == bytes(&whole), state.step == 12);
    }
}

#[test]
fn killed_between_checkpoints_repeats_the_steps_since() {
    let setting = Setting::new();
    let (whole_folder, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (whole, mut watcher) = (fresh(&Method::Full), Watcher::default());
    setting.run(&whole, whole_folder.path(), &mut watcher).unwrap();
    // as after a kill at step 5: the checkpoint of step 4 is the last
    let mut first = Watcher { stop_after: Some(4), ..Watcher::default() };
    setting.run(&fresh(&Method::Full), folder.path(), &mut first).unwrap_err();
    let (resumed, mut rest) = (fresh(&Method::Full), Watcher::default());
    setting.run(&resumed, folder.path(), &mut rest).unwrap();
    assert_eq!(rest.losses, watcher.losses[4..]);
    assert_eq!(bytes(&resumed), bytes(&whole));
}

#[test]
fn checkpoints_of_other_runs_are_refused_by_name() {
    let mut setting = Setting::new();
    let folder = tempfile::tempdir().unwrap();
    let mut watcher = Watcher { stop_after: Some(2), ..Watcher::default() };
    setting.run(&fresh(&Method::Full), folder.path(), &mut watcher).unwrap_err();
    let mismatch = |setting: &Setting, parameters: &Parameters| {
        let before = bytes(parameters);
        let error = setting.run(parameters, folder.path(), &mut Watcher::default()).unwrap_err();
        assert_eq!(bytes(parameters), before, "nothing is taken from a refused checkpoint");
        match error {
            Error::CheckpointMismatch { field, .. } => field,
            other => panic!("{other}"),
        }
    };
    let other_model = Parameters::from_scratch(tiny_config(300), 99).unwrap();
    assert_eq!(mismatch(&setting, &other_model), "model");
    let error = checkpoint::load_parameters(&folder.path().join("last.checkpoint"), &other_model).unwrap_err();
    assert!(matches!(error, Error::CheckpointMismatch { ref field, .. } if field == "model"), "{error}");
    setting.options.schedule.learning_rate = 1e-3;
    assert_eq!(mismatch(&setting, &fresh(&Method::Full)), "options.schedule.learning_rate");
    setting.options = options();
    setting.rows.pop();
    assert_eq!(mismatch(&setting, &fresh(&Method::Full)), "data");
}

#[test]
fn damaged_checkpoints_are_refused() {
    let setting = Setting::new();
    let folder = tempfile::tempdir().unwrap();
    let mut watcher = Watcher { stop_after: Some(2), ..Watcher::default() };
    setting.run(&fresh(&Method::Full), folder.path(), &mut watcher).unwrap_err();
    let path = folder.path().join("last.checkpoint");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = setting.run(&fresh(&Method::Full), folder.path(), &mut Watcher::default()).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. } | Error::Malformed { .. }), "{length}: {error}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let setting = Setting::new();
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("not-there");
    let error = setting.run(&fresh(&Method::Full), &gone, &mut Watcher::default()).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. } | Error::Io { .. }), "{error}");
}

#[test]
fn no_better_loss_stops_early_and_a_second_start_does_nothing() {
    let mut setting = Setting::new();
    setting.options.patience = Some(2);
    setting.options.evaluate_every = Some(1);
    setting.options.n_steps = Some(200);
    setting.options.schedule.learning_rate = 0.05;
    let folder = tempfile::tempdir().unwrap();
    let outcome = setting.run(&fresh(&Method::Full), folder.path(), &mut Watcher::default()).unwrap();
    assert!(outcome.stopped_early && outcome.n_steps < 200, "{outcome:?}");
    let mut again = Watcher::default();
    let second = setting.run(&fresh(&Method::Full), folder.path(), &mut again).unwrap();
    assert_eq!((second, again.losses.len()), (outcome, 0));
}

#[test]
fn a_run_learns() {
    let mut setting = Setting::new();
    setting.options.n_steps = Some(120);
    setting.options.evaluate_every = None;
    setting.options.max_new_tokens = 40;
    setting.options.n_generated = 10;
    let folder = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::default();
    let outcome = setting.run(&fresh(&Method::Full), folder.path(), &mut watcher).unwrap();
    assert!(watcher.losses[119] < 0.5 * watcher.losses[0], "{} {}", watcher.losses[0], watcher.losses[119]);
    assert_eq!(watcher.evaluations[0].outputs.len(), 10);
    assert!(watcher.evaluations[0].exact_copy_rate().is_some());
    assert_eq!(outcome.best.unwrap().1, 120);
}
