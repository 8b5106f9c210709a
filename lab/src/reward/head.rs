//! From preference rows to a reward model with its own head.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use ndarray::{ArrayView1, ArrayView2, Axis};
use redline_model::train::export::{StoredType, export_hugging_face};
use redline_model::train::preference::Pair;
use redline_model::train::{Method, Parameters};
use redline_model::{Model, RewardModel};
use redline_probe::pair_head::PairHead;
use redline_probe::split::normalise;
use redline_probe::stats::{Interval, wilson_interval};
use serde::Serialize;

use super::states::StatesFile;
use crate::data::pairs::{Pairs, PreferenceRow, preference_pairs};
use crate::error::{Error, Result};
use crate::observer::Observer;

/// Name of the file with the head alone, which scores by the model that it names, with that model's own kernels.
const HEAD: &str = "head.safetensors";
/// Name of the file of last states in the folder of a run.
const STATES: &str = "states.bin";

/// What a head is fitted to, and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct HeadOptions<'a> {
    /// The model whose body reads: a Hugging Face folder or a GGUF file.
    pub model: &'a Path,
    /// Rows whose correction is preferred to their answer.
    pub training: &'a [PreferenceRow],
    /// Rows of other questions.
    pub held_out: &'a [PreferenceRow],
    /// Pairs with a longer text are left out.
    pub max_tokens: usize,
    /// Pairs read together.
    pub batch_rows: usize,
    /// Seed of the folds.
    pub seed: u64,
    /// Folder of the run: `states.bin`, and when done `head.safetensors` and `model/`.
    pub out: &'a Path,
    /// How weights are stored.
    pub stored: StoredType,
}

/// A head, and how well it orders pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadOutcome {
    /// Pairs it was fitted to.
    pub n_training: usize,
    /// Weights.
    pub n_trained: usize,
    /// Weight of the squared norm, chosen by left-out pairs.
    pub strength: f64,
    /// Share of these that were ordered rightly.
    pub left_out_accuracy: f64,
    /// The same of the held-out pairs.
    pub held_out: Option<HeldOutOrder>,
}

/// How well held-out pairs are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeldOutOrder {
    /// Pairs.
    pub n: usize,
    /// Share ordered rightly.
    pub accuracy: f64,
    /// Its 95 % interval (Wilson).
    pub interval: Interval,
}

/// Reads the texts, fits the head and writes the model as a `*ForSequenceClassification`.
///
/// # Errors
/// Fewer pairs than a fit takes, files that cannot be read or written, or whatever the observer returns.
pub fn train_head(options: &HeadOptions<'_>, observer: &mut dyn Observer) -> Result<HeadOutcome> {
    let model = Model::load(options.model)?;
    let max_tokens = options.max_tokens.min(model.decoder.config().context);
    let mut read = |rows: &[PreferenceRow], part: &str| {
        let found = preference_pairs(model.tokenizer()?, rows, max_tokens);
        let Pairs { pairs, n_equal, n_too_long } =
            found.map_err(|error| Error::option(error.to_string(), "check the rows"))?;
        if n_equal + n_too_long > 0 {
            observer.note(&format!(
                "{part}: {n_equal} rows left out whose answers are the same, {n_too_long} with more than {max_tokens} tokens"
            ));
        }
        Ok::<_, Error>(pairs)
    };
    let (training, held_out) = (read(options.training, "to train on")?, read(options.held_out, "held out")?);
    std::fs::create_dir_all(options.out).map_err(|error| redline_model::Error::io(options.out, error))?;
    let all: Vec<Pair> = training.iter().chain(&held_out).cloned().collect();
    let mut states = StatesFile::open(&options.out.join(STATES), &model.fingerprint, &model.decoder, &all)?;
    states.complete(&model.decoder, &all, options.batch_rows, observer)?;
    let differences = states.differences()?;
    let (of_training, of_held_out) = differences.view().split_at(Axis(0), training.len());
    let head = PairHead::fit(of_training, &groups(options.training, &training), options.seed)?;
    write(options, &model, &head)?;
    Ok(HeadOutcome {
        n_training: training.len(),
        n_trained: head.weights.len(),
        strength: head.strength,
        left_out_accuracy: head.left_out_accuracy,
        held_out: if held_out.is_empty() { None } else { Some(order(&head, of_held_out)?) },
    })
}

/// The question of each pair, by a number.
fn groups(rows: &[PreferenceRow], pairs: &[Pair]) -> Vec<usize> {
    let mut numbers = HashMap::new();
    let number = |pair: &Pair| {
        let n = numbers.len();
        *numbers.entry(normalise(&rows[pair.chosen.row].texts.question)).or_insert(n)
    };
    pairs.iter().map(number).collect()
}

fn order(head: &PairHead, differences: ArrayView2<'_, f64>) -> Result<HeldOutOrder> {
    let weights = ArrayView1::from(&head.weights);
    let n = differences.nrows();
    let n_right = differences.outer_iter().filter(|row| row.dot(&weights) > 0.0).count();
    Ok(HeldOutOrder { n, accuracy: n_right as f64 / n as f64, interval: wilson_interval(n_right, n)? })
}

fn write(options: &HeadOptions<'_>, model: &Model, head: &PairHead) -> Result<()> {
    let (mut parameters, _) = Parameters::open(options.model, Method::Full, options.seed)?;
    let values: Vec<f32> = head.weights.iter().map(|weight| *weight as f32).collect();
    let weights =
        Tensor::from_vec(values.clone(), (1, values.len()), &Device::Cpu).map_err(redline_model::Error::from)?;
    parameters.add_score(Some(weights), 0)?;
    RewardModel::write_head(&options.out.join(HEAD), &values, model)?;
    let folder = options.out.join("model");
    Ok(export_hugging_face(&folder, &parameters, model.tokenizer()?, options.stored)?)
}
