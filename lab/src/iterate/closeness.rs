//! How likely a policy finds the pairs that it learns from: pairs of its own answers should be nearer to it than pairs from elsewhere.

use std::path::{Path, PathBuf};

use redline_model::Model;
use redline_model::train::preference::reference_log_probs;
use redline_probe::stats::mean;
use serde::{Deserialize, Serialize};

use super::files::write_json;
use super::options::IterateOptions;
use crate::data::pairs::{PreferenceRow, preference_pairs};
use crate::data::{Need, ReadOptions, read_data};
use crate::error::Result;
use crate::observer::Observer;

/// Mean log-probabilities of pairs under a policy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LikelyPairs {
    /// Pairs; those longer than the limit are left out.
    pub n: usize,
    /// Mean Σ ln π of the chosen answer.
    pub chosen: Option<f64>,
    /// Mean Σ ln π of the rejected one.
    pub rejected: Option<f64>,
    /// Mean ln π of a token of the chosen answers.
    pub chosen_per_token: Option<f64>,
    /// Mean ln π of a token of the rejected answers.
    pub rejected_per_token: Option<f64>,
}

/// Pairs of one arm under the policy that they train, before and after.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Closeness {
    /// Under the policy before the training.
    pub before: LikelyPairs,
    /// Under the policy after it.
    pub after: LikelyPairs,
}

/// The pairs of an arm with the two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmPairs {
    /// Name of the arm.
    pub arm: &'static str,
    /// The pairs.
    pub pairs: PathBuf,
    /// The policies before and after.
    pub policies: [PathBuf; 2],
}

/// Measures all arms of a round.
pub(super) fn write(
    arms: &[ArmPairs],
    out: &Path,
    options: &IterateOptions,
    observer: &mut dyn Observer,
) -> Result<()> {
    let mut found = std::collections::BTreeMap::new();
    for arm in arms {
        let [before, after] = &arm.policies;
        let before = likely(&arm.pairs, before, options, observer)?;
        let after = likely(&arm.pairs, after, options, observer)?;
        found.insert(arm.arm, Closeness { before, after });
    }
    write_json(out, &found)
}

fn likely(pairs: &Path, policy: &Path, options: &IterateOptions, observer: &mut dyn Observer) -> Result<LikelyPairs> {
    let model = Model::load(policy)?;
    let rows = read_data(pairs, &ReadOptions::new(Need::Triple))?.triples();
    let rows: Vec<PreferenceRow> = rows.into_iter().map(PreferenceRow::from).collect();
    let max_tokens = options.training.max_tokens.min(model.decoder.config().context);
    let failed =
        |error| crate::error::Error::option(format!("{}: {error}", pairs.display()), "check the model's chat template");
    let pairs = preference_pairs(model.tokenizer()?, &rows, max_tokens).map_err(failed)?.pairs;
    let total = pairs.len();
    let mut on_done = |done| observer.progress("log-probabilities", done, total);
    let found = reference_log_probs(&model.decoder, &pairs, options.training.batch_rows, &mut on_done)?;
    observer.end("log-probabilities");
    let completion = |place: usize| {
        let lengths = pairs.iter().map(move |pair| {
            let example = if place == 0 { &pair.chosen } else { &pair.rejected };
            example.tokens.len() - example.prompt_len
        });
        lengths.sum::<usize>() as f64
    };
    let of = |place: usize| mean(found.iter().map(|both| both[place]));
    let per_token = |place: usize| {
        let sum: f64 = found.iter().map(|both| both[place]).sum();
        (total > 0).then(|| sum / completion(place))
    };
    Ok(LikelyPairs {
        n: total,
        chosen: of(0),
        rejected: of(1),
        chosen_per_token: per_token(0),
        rejected_per_token: per_token(1),
    })
}
