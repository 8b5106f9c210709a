//! Losses and gradients of pairs against reference numbers of another program, such as TRL.
//!
//! The reference is one safetensors file. `input_ids`, `attention_mask` and, for `dpo`, `completion_mask`, all (2 n, length) int64, hold
//! n chosen texts and behind them n rejected ones, padded on the right.
//!
//! | objective | names in the file |
//! |---|---|
//! | `dpo` with an adapter | `adapter.policy_logps`, `adapter.reference_logps` (2 n), `adapter.beta{β}.{loss}` (n), `adapter.rewards_chosen`, `adapter.rewards_rejected` (n), `adapter.sigmoid.grad_norm`, `adapter.sigmoid.grad.{name}` at β 0.1 |
//! | `dpo` without | `full.policy_logps`, `full.grad.{name}`, `full.trace.{loss, grad_norm, margin, logps_chosen, logps_rejected, accuracy}`, `full.after10.{name}` |
//! | `reward` | `score.weight` (1, hidden), `rewards` (2 n), `margin` (n), `loss`, `loss_margin`, `loss_centered_0.01`, `loss_saferlhf_reg_0.001`, `grad.{name}`, `trace.*`, `after10.{name}`; `cost.loss`, `cost.safer_sign`, `cost.unsafer_sign` (n), `cost.grad.{name}` |
//!
//! Losses have the names of TRL. A trace is that of as many AdamW steps as it has values: rate 2e-4, β 0.9 and 0.999, ε 1e-8, no decay, gradients
//! clipped to norm 1 (the norm before that is in the trace), β of the loss 0.1. All but `input_ids` and `attention_mask` may be missing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Tensor};
use redline_model::train::loss::GradientOptions;
use redline_model::train::preference::{
    Pair, PairBatch, PairLoss, PreferenceLoss, PreferenceOptions, ScoreLoss, pair_gradients, reward_gradients, rewards,
    sequence_log_probs,
};
use redline_model::train::{AdamW, AdamWOptions, Example, Gradients, Method, Parameters, Precision};
use redline_model::{Adapter, Error, Result};
use serde::Serialize;

use super::{int_rows, load_tensors, malformed, relative_difference};

/// Learning rate of a trace.
const LEARNING_RATE: f64 = 2e-4;
/// β of gradients and traces.
const BETA: f64 = 0.1;
/// Losses by their names in TRL, each with the β of the policy where it has its own.
const LOSSES: [(&str, PreferenceLoss, Option<f64>); 12] = [
    ("sigmoid", PreferenceLoss::Sigmoid, None),
    ("sigmoid_label_smoothing_cdpo", PreferenceLoss::Cdpo, None),
    ("robust", PreferenceLoss::Robust, None),
    ("hinge", PreferenceLoss::Hinge, None),
    ("ipo", PreferenceLoss::Ipo, None),
    ("sigmoid_norm", PreferenceLoss::SigmoidNorm, None),
    ("bco_pair", PreferenceLoss::BcoPair, None),
    ("nca_pair", PreferenceLoss::NcaPair, None),
    ("apo_zero", PreferenceLoss::ApoZero, None),
    ("apo_down", PreferenceLoss::ApoDown, None),
    ("orpo_odds_ratio", PreferenceLoss::Orpo, None),
    ("simpo_beta2_gamma1", PreferenceLoss::Simpo, Some(2.0)),
];

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Losses of log-probabilities.
    Dpo,
    /// Losses of a scalar head.
    Reward,
}

impl std::str::FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "dpo" => Ok(Self::Dpo),
            "reward" => Ok(Self::Reward),
            _ => Err(format!("`{text}` is not known; there are dpo and reward")),
        }
    }
}

/// Tensors that say what is computed.
const READ: [&str; 7] = [
    "input_ids",
    "attention_mask",
    "completion_mask",
    "margin",
    "cost.safer_sign",
    "cost.unsafer_sign",
    "score.weight",
];

/// Differences to a reference, by its names; each the largest difference divided by the reference's largest magnitude.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObjectiveComparison {
    /// What was compared.
    pub objective: Objective,
    /// Largest over losses, those of traces among them; `None` where the reference has none.
    pub loss_max_rel: Option<f64>,
    /// Largest over gradients and their norms.
    pub gradient_max_rel: Option<f64>,
    /// Largest over log-probabilities, rewards and scores.
    pub number_max_rel: Option<f64>,
    /// Largest over weights after the steps of a trace.
    pub weight_max_rel: Option<f64>,
    /// Each of them.
    pub all: BTreeMap<String, f64>,
    /// Tensors of the reference that nothing was compared with: of another objective, or of a name that is not known.
    pub not_compared: Vec<String>,
}

impl ObjectiveComparison {
    /// Whether everything there is lies within `tolerance`.
    pub fn within(&self, tolerance: f64) -> bool {
        self.all.values().all(|difference| *difference <= tolerance)
    }
}

/// Compares losses and gradients of a model, with or without an adapter, with a reference file.
///
/// # Errors
/// The model, adapter or file cannot be read, or has tensors of other shapes; a file without anything to compare.
pub fn compare_objective(
    model: &Path,
    adapter: Option<&Path>,
    reference: &Path,
    objective: Objective,
) -> Result<ObjectiveComparison> {
    let mut reference = ObjectiveReference::load(reference)?;
    match (objective, adapter) {
        (Objective::Dpo, Some(adapter)) => reference.adapter(model, &Adapter::open(adapter)?)?,
        (Objective::Dpo, None) => reference.full(model)?,
        (Objective::Reward, _) => reference.reward(model, adapter)?,
    }
    let most = |kind: Kind| {
        let of_kind = reference.found.iter().filter(|(_, (other, _))| *other == kind);
        of_kind.map(|(_, (_, difference))| *difference).reduce(f64::max)
    };
    let comparison = ObjectiveComparison {
        objective,
        loss_max_rel: most(Kind::Loss),
        gradient_max_rel: most(Kind::Gradient),
        number_max_rel: most(Kind::Number),
        weight_max_rel: most(Kind::Weight),
        all: reference.found.iter().map(|(name, (_, difference))| (name.clone(), *difference)).collect(),
        not_compared: reference.not_compared(),
    };
    match comparison.all.is_empty() {
        true => Err(malformed(&reference.path, "it holds no numbers of this objective".into())),
        false => Ok(comparison),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Loss,
    Gradient,
    Number,
    Weight,
}

/// A reference file, and how far what was computed is from it.
struct ObjectiveReference {
    path: std::path::PathBuf,
    tensors: HashMap<String, Tensor>,
    pairs: Vec<Pair>,
    found: BTreeMap<String, (Kind, f64)>,
}

impl ObjectiveReference {
    fn load(path: &Path) -> Result<Self> {
        let tensors = load_tensors(path)?;
        let pairs = pairs(path, &tensors)?;
        Ok(Self { path: path.into(), tensors, pairs, found: BTreeMap::new() })
    }

    /// Names that are neither read nor compared, in order.
    fn not_compared(&self) -> Vec<String> {
        let is_left = |name: &&String| !READ.contains(&name.as_str()) && !self.found.contains_key(*name);
        let mut names: Vec<String> = self.tensors.keys().filter(is_left).cloned().collect();
        names.sort();
        names
    }

    /// All chosen texts, then all rejected ones.
    fn examples(&self) -> Vec<Example> {
        let chosen = self.pairs.iter().map(|pair| &pair.chosen);
        chosen.chain(self.pairs.iter().map(|pair| &pair.rejected)).cloned().collect()
    }

    /// Notes how far numbers are from those of this name, where the file has them.
    fn compare(&mut self, kind: Kind, name: &str, got: &[f64]) -> Result<()> {
        let values: Vec<f32> = got.iter().map(|value| *value as f32).collect();
        let Some(expected) = self.tensors.get(name) else { return Ok(()) };
        let shape = expected.dims().to_vec();
        if expected.elem_count() != values.len() {
            let (path, tensor) = (self.path.clone(), name.to_owned());
            return Err(Error::TensorShape { path, tensor, got: shape, expected: vec![values.len()] });
        }
        let got = Tensor::from_vec(values, shape, expected.device())?;
        let difference = relative_difference(&got, &expected.to_dtype(DType::F32)?)?;
        self.found.insert(name.to_owned(), (kind, difference));
        Ok(())
    }

    /// Notes how far tensors are from those with this prefix.
    fn compare_tensors(&mut self, kind: Kind, prefix: &str, tensors: &[(String, Tensor)]) -> Result<()> {
        for (name, tensor) in tensors {
            let name = format!("{prefix}{name}");
            if self.tensors.contains_key(&name) {
                let values: Vec<f32> = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
                self.compare(kind, &name, &values.into_iter().map(f64::from).collect::<Vec<_>>())?;
            }
        }
        Ok(())
    }

    fn gradients(&mut self, prefix: &str, parameters: &Parameters, gradients: &Gradients) -> Result<()> {
        let named = parameters.trained().iter().zip(&gradients.tensors);
        let short = |name: &str| name.trim_start_matches("base_model.model.").to_owned();
        let tensors: Vec<_> = named.map(|(parameter, tensor)| (short(&parameter.name), tensor.clone())).collect();
        self.compare_tensors(Kind::Gradient, prefix, &tensors)
    }

    /// An adapter as policy, the model without it as reference.
    fn adapter(&mut self, model: &Path, adapter: &Adapter) -> Result<()> {
        let (parameters, _) = Parameters::open_adapter(model, adapter)?;
        let examples = self.examples();
        let examples: Vec<&Example> = examples.iter().collect();
        let base = Parameters::open(model, Method::Full, 0)?.0.inference_decoder()?;
        let reference = sequence_log_probs(&base, &examples)?;
        drop(base);
        let policy = sequence_log_probs(&parameters.inference_decoder()?, &examples)?;
        self.compare(Kind::Number, "adapter.reference_logps", &reference)?;
        self.compare(Kind::Number, "adapter.policy_logps", &policy)?;
        let reference = both(&reference);
        let step = |pairs: &[Pair], options: &PreferenceOptions| {
            let pairs: Vec<&Pair> = pairs.iter().collect();
            pair_gradients(&parameters, &pairs, &reference, options, GradientOptions::default(), None)
        };
        for (name, loss, own_beta) in LOSSES {
            let with = |beta: f64| PreferenceOptions { loss, beta, ..PreferenceOptions::default() };
            for (tensor, beta) in self.betas(name) {
                let found = step(&self.pairs, &with(own_beta.unwrap_or(beta)))?;
                self.compare(Kind::Loss, &tensor, &found.pairs.iter().map(|pair| pair.loss).collect::<Vec<_>>())?;
            }
        }
        let found = step(&self.pairs, &PreferenceOptions { beta: BETA, ..PreferenceOptions::default() })?;
        for (place, name) in ["adapter.rewards_chosen", "adapter.rewards_rejected"].into_iter().enumerate() {
            let rewards: Vec<f64> = found.pairs.iter().map(|pair| pair.rewards[place]).collect();
            self.compare(Kind::Number, name, &rewards)?;
        }
        self.compare(Kind::Gradient, "adapter.sigmoid.grad_norm", &[found.gradients.norm()?])?;
        self.gradients("adapter.sigmoid.grad.", &parameters, &found.gradients)
    }

    /// The names of a loss in the file, each with its β.
    fn betas(&self, loss: &str) -> Vec<(String, f64)> {
        let beta = |name: &String| {
            let beta = name.strip_prefix("adapter.beta")?.strip_suffix(loss)?.strip_suffix('.')?;
            Some((name.clone(), beta.parse().ok()?))
        };
        let mut found: Vec<_> = self.tensors.keys().filter_map(beta).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// All weights as policy, from the model as it is, which is the reference.
    fn full(&mut self, model: &Path) -> Result<()> {
        let (parameters, _) = Parameters::open(model, Method::Full, 0)?;
        let examples = self.examples();
        // by the kernels that the policy is trained with: rounding would prefer one of two equals
        let decoder = parameters.training_decoder(None, Precision::F32)?;
        let reference = sequence_log_probs(&decoder, &examples.iter().collect::<Vec<_>>())?;
        self.compare(Kind::Number, "full.policy_logps", &reference)?;
        let (reference, options) = (both(&reference), PreferenceOptions { beta: BETA, ..PreferenceOptions::default() });
        let n = self.steps("full.trace.loss");
        let mut trace = Trace::default();
        let mut optimizer = optimizer(&parameters);
        for step in 0..n {
            let pairs: Vec<&Pair> = self.pairs.iter().collect();
            let found = pair_gradients(&parameters, &pairs, &reference, &options, GradientOptions::default(), None)?;
            let norm = found.gradients.norm()?;
            trace.push(&found, norm);
            if step == 0 {
                self.gradients("full.grad.", &parameters, &found.gradients)?;
            }
            optimizer.update(parameters.trained(), &found.gradients, norm, LEARNING_RATE)?;
        }
        self.trace("full.trace.", &trace, n)?;
        self.after("full.after10.", &parameters, n)
    }

    fn reward(&mut self, model: &Path, adapter: Option<&Path>) -> Result<()> {
        let (mut parameters, _) = match adapter {
            Some(adapter) => Parameters::open_adapter(model, &Adapter::open(adapter)?)?,
            None => Parameters::open(model, Method::Full, 0)?,
        };
        let score = self.tensors.get("score.weight").cloned();
        let score = score.ok_or_else(|| malformed(&self.path, "tensor `score.weight` is missing".into()))?;
        parameters.add_score(Some(score.clone()), 0)?;
        let examples = self.examples();
        let found = rewards(&parameters.inference_decoder()?, &score, &examples.iter().collect::<Vec<_>>())?;
        self.compare(Kind::Number, "rewards", &found)?;

        let plain = ScoreLoss::Reward { centre: 0.0, shrink: 0.0 };
        let without_margin: Vec<Pair> = self.pairs.iter().map(|pair| Pair { margin: 0.0, ..pair.clone() }).collect();
        let step = |pairs: &[Pair], loss: &ScoreLoss| {
            reward_gradients(&parameters, &pairs.iter().collect::<Vec<_>>(), loss, GradientOptions::default(), None)
        };
        for (name, loss, has_margin, prefix) in [
            ("loss", plain, false, "grad."),
            ("loss_margin", plain, true, ""),
            ("loss_centered_0.01", ScoreLoss::Reward { centre: 0.01, shrink: 0.0 }, false, ""),
            ("loss_saferlhf_reg_0.001", ScoreLoss::Reward { centre: 0.0, shrink: 0.001 }, false, ""),
            ("cost.loss", ScoreLoss::Cost, false, "cost.grad."),
        ] {
            if self.tensors.contains_key(name) {
                let found = step(if has_margin { &self.pairs } else { &without_margin }, &loss)?;
                self.compare(Kind::Loss, name, &[found.loss])?;
                if !prefix.is_empty() {
                    self.gradients(prefix, &parameters, &found.gradients)?;
                }
            }
        }
        let n = self.steps("trace.loss");
        let (mut trace, mut optimizer) = (Trace::default(), optimizer(&parameters));
        for _ in 0..n {
            let found = step(&without_margin, &plain)?;
            let norm = found.gradients.norm()?;
            let gaps = found.numbers.iter().map(|[chosen, rejected]| chosen - rejected);
            trace.push_gaps(found.loss, norm, gaps);
            optimizer.update(parameters.trained(), &found.gradients, norm, LEARNING_RATE)?;
        }
        self.trace("trace.", &trace, n)?;
        self.after("after10.", &parameters, n)
    }

    fn steps(&self, name: &str) -> usize {
        self.tensors.get(name).map_or(0, Tensor::elem_count)
    }

    fn trace(&mut self, prefix: &str, trace: &Trace, n: usize) -> Result<()> {
        for (name, values) in &trace.0 {
            let kind = match *name {
                "loss" => Kind::Loss,
                "grad_norm" => Kind::Gradient,
                _ => Kind::Number,
            };
            if n > 0 {
                self.compare(kind, &format!("{prefix}{name}"), values)?;
            }
        }
        Ok(())
    }

    fn after(&mut self, prefix: &str, parameters: &Parameters, n: usize) -> Result<()> {
        let trained = parameters.trained().iter();
        let tensors: Vec<_> = trained.map(|p| (p.name.clone(), p.variable.as_detached_tensor())).collect();
        if n == 10 { self.compare_tensors(Kind::Weight, prefix, &tensors) } else { Ok(()) }
    }
}

/// Figures of steps, by their names.
#[derive(Default)]
struct Trace(BTreeMap<&'static str, Vec<f64>>);

impl Trace {
    fn push(&mut self, found: &PairBatch<PairLoss>, norm: f64) {
        let mean =
            |place: usize| found.numbers.iter().map(|both| both[place]).sum::<f64>() / found.numbers.len() as f64;
        self.put("logps_chosen", mean(0));
        self.put("logps_rejected", mean(1));
        self.push_gaps(found.loss, norm, found.pairs.iter().map(|pair| pair.rewards[0] - pair.rewards[1]));
    }

    fn push_gaps(&mut self, loss: f64, norm: f64, gaps: impl Iterator<Item = f64>) {
        let gaps: Vec<f64> = gaps.collect();
        let share = |of: f64| of / gaps.len() as f64;
        self.put("loss", loss);
        self.put("grad_norm", norm);
        self.put("margin", share(gaps.iter().sum()));
        self.put("accuracy", share(gaps.iter().filter(|gap| **gap > 0.0).count() as f64));
    }

    fn put(&mut self, name: &'static str, value: f64) {
        self.0.entry(name).or_default().push(value);
    }
}

fn optimizer(parameters: &Parameters) -> AdamW {
    AdamW::new(parameters.trained(), AdamWOptions { beta2: 0.999, ..AdamWOptions::default() })
}

/// Numbers of all chosen texts and then of all rejected ones, pair by pair.
fn both(values: &[f64]) -> Vec<[f64; 2]> {
    let (chosen, rejected) = values.split_at(values.len() / 2);
    chosen.iter().zip(rejected).map(|(chosen, rejected)| [*chosen, *rejected]).collect()
}

fn pairs(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<Vec<Pair>> {
    let ids = int_rows(path, tensors, "input_ids")?;
    let ids = ids.ok_or_else(|| malformed(path, "tensor `input_ids` is missing".into()))?;
    let masks = |name: &str| {
        Ok::<_, Error>(int_rows(path, tensors, name)?.unwrap_or_else(|| vec![vec![1; ids[0].len()]; ids.len()]))
    };
    let (mask, completion) = (masks("attention_mask")?, masks("completion_mask")?);
    if ids.len() % 2 != 0 || mask.len() != ids.len() || completion.len() != ids.len() {
        let rule = "`input_ids` and its masks hold as many chosen texts as rejected ones, in as many rows".into();
        return Err(malformed(path, rule));
    }
    let n = ids.len() / 2;
    let example = |text: usize| {
        let n_tokens = mask[text].iter().take_while(|m| **m == 1).count().min(ids[text].len());
        let begin = completion[text].iter().position(|m| *m == 1).unwrap_or(n_tokens).max(1);
        let tokens: Vec<u32> = ids[text][..n_tokens].iter().map(|&id| u32::try_from(id).unwrap_or(u32::MAX)).collect();
        match begin < n_tokens {
            true => Ok(Example { row: text, tokens, prompt_len: begin }),
            false => Err(malformed(path, format!("text {text} has no completion behind its prompt"))),
        }
    };
    let numbers = |name: &str| -> Result<Option<Vec<f32>>> {
        let Some(tensor) = tensors.get(name) else { return Ok(None) };
        match tensor.dims() {
            [length] if *length == n => Ok(Some(tensor.to_dtype(DType::F32)?.to_vec1()?)),
            got => {
                Err(Error::TensorShape { path: path.into(), tensor: name.into(), got: got.to_vec(), expected: vec![n] })
            }
        }
    };
    let (margins, safer, unsafer) = (numbers("margin")?, numbers("cost.safer_sign")?, numbers("cost.unsafer_sign")?);
    let pair = |row: usize| {
        let is_safe =
            safer.as_ref().zip(unsafer.as_ref()).map(|(safer, unsafer)| [safer[row] > 0.0, unsafer[row] > 0.0]);
        let margin = margins.as_ref().map_or(0.0, |margins| f64::from(margins[row]));
        Ok(Pair { chosen: example(row)?, rejected: example(n + row)?, margin, is_safe })
    };
    (0..n).map(pair).collect()
}
