//! What is asked of a run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Instrument, IterateError};

/// File of the settings in a run's folder.
pub const SETTINGS: &str = "iterate.json";

/// What is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IterateKind {
    /// Answers and their corrections are preferences that the next policy learns.
    Preference,
    /// A strong model is tuned on answers that a weak Aligner corrected.
    WeakToStrong,
    /// A model is tuned on its own answers after several passes of the Aligner.
    Distil,
}

redline_model::named_enum! {
    "kind of iteration", IterateKind { Preference = "preference", WeakToStrong = "weak-to-strong", Distil = "distil" }
}

/// How a model is trained on texts that the run made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainedBy {
    /// All weights.
    Full,
    /// Low-rank deltas, which are merged into a GGUF file of 16 bits.
    Lora,
}

redline_model::named_enum! {
    "way of training", TrainedBy { Full = "full", Lora = "lora" }
}

/// The training of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyTraining {
    /// What is trained.
    pub method: TrainedBy,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Passes over the rows.
    pub epochs: usize,
    /// Steps instead of passes.
    pub steps: Option<usize>,
    /// Rows of a step.
    pub batch_rows: usize,
    /// Longest text, in tokens.
    pub max_tokens: usize,
    /// How strongly log-probabilities count in DPO.
    pub beta: f64,
    /// Weight of the mean negative log-likelihood of the chosen answer in DPO.
    pub sft_weight: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
}

/// Which pairs are kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeepOptions {
    /// Least edit ratio.
    pub least_edit: f64,
    /// Most edit ratio.
    pub most_edit: f64,
    /// Whether pairs that the instruments do not agree with are left out.
    pub judged: bool,
}

/// What is asked of a run; all of it but the folder is its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IterateOptions {
    /// What is repeated.
    pub kind: IterateKind,
    /// Rounds, or for weak-to-strong seeds.
    pub rounds: usize,
    /// The model that learns: the policy of the start, the strong model, or the upstream model.
    pub policy: PathBuf,
    /// The Aligner, as `redline correct --aligner` takes it; none where the run trains the weak one.
    pub aligner: Option<String>,
    /// The weak model that the run trains to be an Aligner, and to answer.
    pub weak: Option<PathBuf>,
    /// A weak model that answers already.
    pub weak_upstream: Option<PathBuf>,
    /// Questions to learn from; of weak-to-strong rows with corrections.
    pub data: PathBuf,
    /// Questions to measure on.
    pub held_out: PathBuf,
    /// Preference pairs of the control arm.
    pub control: Option<PathBuf>,
    /// Most questions of a round; all there are without.
    pub prompts: Option<usize>,
    /// Most questions to measure on.
    pub held_out_prompts: usize,
    /// Whether questions that are nearly held-out ones are left out.
    pub drop_near: bool,
    /// Passes of the Aligner that amplify.
    pub passes: usize,
    /// Who says how harmless a text is.
    pub harmless_by: Instrument,
    /// Who says how helpful a text is.
    pub helpful_by: Instrument,
    /// Which pairs are kept.
    pub keep: KeepOptions,
    /// Temperature of answers to learn from.
    pub temperature: f64,
    /// Temperature of answers to measure on, drawn with one seed in all rounds; the most likely ones without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_temperature: Option<f64>,
    /// Longest answer, in tokens.
    pub max_new_tokens: usize,
    /// Rows written together.
    pub batch_rows: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// How the learner is trained.
    pub training: PolicyTraining,
    /// How the weak models are trained.
    pub weak_training: PolicyTraining,
    /// Whether strong models learn from pairs (DPO) instead of corrected answers; weak-to-strong alone.
    pub by_pairs: bool,
    /// Whether pairs and taught answers are written as Parquet too.
    pub export: bool,
    /// Arguments that every verb gets, such as a precision of products; `--strict` counts for the run's own reading, too.
    pub global: Vec<String>,
    /// The folder.
    #[serde(skip)]
    pub out: PathBuf,
}

impl IterateOptions {
    /// Refuses options out of range, options that do nothing, and files that are not there.
    ///
    /// # Errors
    /// [`IterateError::Option`], [`IterateError::Missing`].
    pub fn check(&self) -> Result<(), IterateError> {
        let refuse = |message: String, hint: &'static str| Err(IterateError::Option { message, hint });
        if self.rounds == 0 || self.passes == 0 || self.held_out_prompts == 0 || self.prompts == Some(0) {
            return refuse("a number of rounds, passes or prompts is 0".into(), "give 1 or more");
        }
        let KeepOptions { least_edit, most_edit, .. } = self.keep;
        if !(0.0..most_edit).contains(&least_edit) {
            return refuse(
                format!("edit ratios from {least_edit} to {most_edit} leave nothing"),
                "give a range such as 0.02 to 2",
            );
        }
        let is_weak = self.kind == IterateKind::WeakToStrong;
        let useless = [
            (self.control.is_some() && self.kind != IterateKind::Preference, "--control", "preference"),
            (self.passes > 1 && self.kind != IterateKind::Distil, "--passes", "distil"),
            (self.weak.is_some() && !is_weak, "--weak", "weak-to-strong"),
            (self.weak_upstream.is_some() && !is_weak, "--weak-upstream", "weak-to-strong"),
            (self.by_pairs && !is_weak, "--by-pairs", "weak-to-strong"),
        ];
        if let Some((_, option, kind)) = useless.iter().find(|(is_given, ..)| *is_given) {
            return refuse(
                format!("{option} has no effect beside --kind {}", self.kind),
                if *kind == "weak-to-strong" { "give --kind weak-to-strong, or leave it out" } else { "leave it out" },
            );
        }
        if is_weak && self.weak.is_none() && (self.aligner.is_none() || self.weak_upstream.is_none()) {
            return refuse(
                "weak-to-strong takes a weak model to train, or a weak Aligner and a weak model that answers".into(),
                "give --weak MODEL, or --aligner MODEL and --weak-upstream MODEL",
            );
        }
        self.files().into_iter().try_for_each(|(what, path)| match path.exists() {
            true => Ok(()),
            false => Err(IterateError::Missing { what, path: path.into() }),
        })
    }

    /// What the run reads that people gave, with what each is called.
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        let mut files: Vec<(&'static str, &Path)> =
            vec![("policy", &self.policy), ("data", &self.data), ("held_out", &self.held_out)];
        let optional = [("control", &self.control), ("weak", &self.weak), ("weak_upstream", &self.weak_upstream)];
        files.extend(optional.into_iter().filter_map(|(what, path)| Some((what, path.as_deref()?))));
        for (what, instrument) in [("helpful_by", &self.helpful_by), ("harmless_by", &self.harmless_by)] {
            files.extend(instrument.path().map(|path| (what, path)));
        }
        // a name inside of the program is no file
        let parts = self.aligner.iter().flat_map(|spec| spec.split(','));
        let parts = parts.map(|part| part.split_once('=').map_or(part, |(_, value)| value));
        files.extend(parts.map(Path::new).filter(|path| path.exists()).map(|path| ("aligner", path)));
        files
    }

    /// The Aligner's name where one is given, else the built-in one.
    pub(super) fn aligner_or_embedded(&self) -> String {
        self.aligner.clone().unwrap_or_else(|| "embedded".into())
    }
}
