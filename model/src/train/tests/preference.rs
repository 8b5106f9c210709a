//! Losses of pairs against TRL and PyTorch, in f32 on both sides: `golden/dpo` and `golden/reward`.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::golden_folder;
use crate::adapter::Adapter;
use crate::train::loss::GradientOptions;
use crate::train::preference::*;
use crate::train::*;

type Golden = HashMap<String, Tensor>;

fn golden(name: &str) -> Golden {
    candle_core::safetensors::load(golden_folder(name).join("expected.safetensors"), &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

fn both(values: &[f64]) -> Vec<[f64; 2]> {
    let (chosen, rejected) = values.split_at(values.len() / 2);
    chosen.iter().zip(rejected).map(|(chosen, rejected)| [*chosen, *rejected]).collect()
}

/// Pairs of a reference file: the chosen texts first, then the rejected ones, padded on the right.
fn pairs(golden: &Golden) -> Vec<Pair> {
    let ints = |name: &str| golden.get(name).map(|tensor| tensor.to_vec2::<i64>().unwrap());
    let (ids, mask) = (ints("input_ids").unwrap(), ints("attention_mask").unwrap());
    let completion = ints("completion_mask").unwrap_or_else(|| mask.clone());
    let n = ids.len() / 2;
    let example = |text: usize| {
        let n_tokens = mask[text].iter().filter(|m| **m == 1).count();
        let prompt_len = completion[text].iter().position(|m| *m == 1).unwrap();
        Example { row: text, tokens: ids[text][..n_tokens].iter().map(|id| *id as u32).collect(), prompt_len }
    };
    let margins = golden.get("margin").map_or_else(|| vec![0.0; n], numbers);
    let pair = |row: usize| Pair {
        chosen: example(row),
        rejected: example(n + row),
        margin: margins[row],
        is_safe: golden
            .get("cost.safer_sign")
            .map(|safer| [numbers(safer)[row] > 0.0, numbers(&golden["cost.unsafer_sign"])[row] > 0.0]),
    };
    (0..n).map(pair).collect()
}

/// The largest difference over the largest magnitude.
fn relative(got: &[f64], expected: &[f64]) -> f64 {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0f64, |most, value| most.max(value.abs()));
    let differences = &mut got.iter().zip(expected).map(|(a, b)| a - b);
    assert_eq!(got.len(), expected.len());
    largest(differences) / largest(&mut expected.iter().copied())
}

fn assert_near(what: &str, got: &[f64], expected: &Tensor) {
    let difference = relative(got, &numbers(expected));
    assert!(difference < 1e-5, "{what}: {difference}");
}

fn ways() -> [GradientOptions; 3] {
    [(1, false), (3, false), (2, true)].map(|(n_pieces, checkpointing)| GradientOptions {
        n_pieces,
        checkpointing,
        ..Default::default()
    })
}

const LOSSES: [(&str, PreferenceLoss); 12] = [
    ("sigmoid", PreferenceLoss::Sigmoid),
    ("sigmoid_label_smoothing_cdpo", PreferenceLoss::Cdpo),
    ("robust", PreferenceLoss::Robust),
    ("hinge", PreferenceLoss::Hinge),
    ("ipo", PreferenceLoss::Ipo),
    ("sigmoid_norm", PreferenceLoss::SigmoidNorm),
    ("bco_pair", PreferenceLoss::BcoPair),
    ("nca_pair", PreferenceLoss::NcaPair),
    ("apo_zero", PreferenceLoss::ApoZero),
    ("apo_down", PreferenceLoss::ApoDown),
    ("orpo_odds_ratio", PreferenceLoss::Orpo),
    ("simpo_beta2_gamma1", PreferenceLoss::Simpo),
];

#[test]
fn losses_of_an_adapter_equal_those_of_trl() {
    let golden = golden("dpo");
    let pairs = pairs(&golden);
    let batch: Vec<&Pair> = pairs.iter().collect();
    let adapter = Adapter::open(&golden_folder("lora")).unwrap();
    let (parameters, _) = Parameters::open_adapter(&golden_folder("llama"), &adapter).unwrap();
    let (base, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
    let examples: Vec<&Example> = pairs.iter().map(|p| &p.chosen).chain(pairs.iter().map(|p| &p.rejected)).collect();
    let reference = sequence_log_probs(&base.inference_decoder().unwrap(), &examples).unwrap();
    assert_near("reference", &reference, &golden["adapter.reference_logps"]);
    let policy = sequence_log_probs(&parameters.inference_decoder().unwrap(), &examples).unwrap();
    assert_near("policy", &policy, &golden["adapter.policy_logps"]);

    let reference = both(&reference);
    for (name, loss) in LOSSES {
        for beta in [0.1, 0.5] {
            let beta = if loss == PreferenceLoss::Simpo { 2.0 } else { beta };
            let options = PreferenceOptions { loss, beta, ..PreferenceOptions::default() };
            let found = pair_gradients(&parameters, &batch, &reference, &options, ways()[0], None).unwrap();
            let losses: Vec<f64> = found.pairs.iter().map(|pair| pair.loss).collect();
            let beta = if beta == 2.0 { 0.1 } else { beta };
            assert_near(name, &losses, &golden[&format!("adapter.beta{beta}.{name}")]);
        }
    }
    for how in ways() {
        let options = PreferenceOptions::default();
        let found = pair_gradients(&parameters, &batch, &reference, &options, how, None).unwrap();
        let rewards = |place: usize| found.pairs.iter().map(|pair| pair.rewards[place]).collect::<Vec<_>>();
        assert_near("rewards", &rewards(0), &golden["adapter.rewards_chosen"]);
        assert_near("rewards", &rewards(1), &golden["adapter.rewards_rejected"]);
        assert_near("norm", &[found.gradients.norm().unwrap()], &golden["adapter.sigmoid.grad_norm"]);
        let mut n_compared = 0;
        for (parameter, gradient) in parameters.trained().iter().zip(&found.gradients.tensors) {
            let name = parameter.name.trim_start_matches("base_model.model.");
            let Some(expected) = golden.get(&format!("adapter.sigmoid.grad.{name}")) else { continue };
            assert_near(name, &numbers(gradient), expected);
            n_compared += 1;
        }
        assert_eq!(n_compared, 2);
    }
}

fn optimizer(parameters: &Parameters) -> AdamW {
    let options = AdamWOptions { beta2: 0.999, ..AdamWOptions::default() };
    AdamW::new(parameters.trained(), options)
}

fn named<'a>(parameters: &'a Parameters, name: &str) -> &'a Parameter {
    parameters.trained().iter().find(|parameter| parameter.name == name).unwrap()
}

#[test]
fn ten_steps_of_dpo_equal_pytorch() {
    let golden = golden("dpo");
    let pairs = pairs(&golden);
    let batch: Vec<&Pair> = pairs.iter().collect();
    let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
    let reference = both(&numbers(&golden["full.policy_logps"]));
    let mut optimizer = optimizer(&parameters);
    let mut trace: HashMap<&str, Vec<f64>> = HashMap::new();
    for step in 0..10 {
        let options = PreferenceOptions::default();
        let found = pair_gradients(&parameters, &batch, &reference, &options, ways()[0], None).unwrap();
        let norm = found.gradients.norm().unwrap();
        if step == 0 {
            for name in ["lm_head.weight", "model.layers.0.self_attn.q_proj.weight", "model.norm.weight"] {
                let place = parameters.trained().iter().position(|parameter| parameter.name == name).unwrap();
                assert_near(name, &numbers(&found.gradients.tensors[place]), &golden[&format!("full.grad.{name}")]);
            }
        }
        let mean = |of: &dyn Fn(usize) -> f64| (0..pairs.len()).map(of).sum::<f64>() / pairs.len() as f64;
        let gap = |row: usize| found.pairs[row].rewards[0] - found.pairs[row].rewards[1];
        for (name, value) in [
            ("loss", found.loss),
            ("grad_norm", norm),
            ("margin", mean(&gap)),
            ("logps_chosen", mean(&|row| found.numbers[row][0])),
            ("logps_rejected", mean(&|row| found.numbers[row][1])),
        ] {
            trace.entry(name).or_default().push(value);
        }
        optimizer.update(parameters.trained(), &found.gradients, norm, 2e-4).unwrap();
    }
    for (name, values) in trace {
        assert_near(name, &values, &golden[&format!("full.trace.{name}")]);
    }
    for name in ["lm_head.weight", "model.norm.weight"] {
        let after = numbers(&named(&parameters, name).variable);
        assert_near(name, &after, &golden[&format!("full.after10.{name}")]);
    }
}

#[test]
fn reward_and_cost_models_equal_pytorch() {
    let golden = golden("reward");
    let pairs = pairs(&golden);
    let batch: Vec<&Pair> = pairs.iter().collect();
    let open = || {
        let (mut parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
        parameters.add_score(Some(golden["score.weight"].clone()), 0).unwrap();
        parameters
    };
    let parameters = open();
    let examples: Vec<&Example> = pairs.iter().map(|p| &p.chosen).chain(pairs.iter().map(|p| &p.rejected)).collect();
    let score = &parameters.score().unwrap().variable;
    let found = rewards(&parameters.inference_decoder().unwrap(), score, &examples).unwrap();
    assert_near("rewards", &found, &golden["rewards"]);
    let plain = ScoreLoss::Reward { centre: 0.0, shrink: 0.0 };
    let without_margin: Vec<Pair> = pairs.iter().map(|pair| Pair { margin: 0.0, ..pair.clone() }).collect();
    let without_margin: Vec<&Pair> = without_margin.iter().collect();
    for (name, loss, batch) in [
        ("loss", plain, &without_margin),
        ("loss_margin", plain, &batch),
        ("loss_centered_0.01", ScoreLoss::Reward { centre: 0.01, shrink: 0.0 }, &without_margin),
        ("loss_saferlhf_reg_0.001", ScoreLoss::Reward { centre: 0.0, shrink: 0.001 }, &without_margin),
        ("cost.loss", ScoreLoss::Cost, &batch),
    ] {
        for how in ways() {
            let found = reward_gradients(&parameters, batch, &loss, how, None).unwrap();
            assert_near(name, &[found.loss], &golden[name]);
            let prefix = match name {
                "loss" => "grad",
                "cost.loss" => "cost.grad",
                _ => continue,
            };
            let mut n_compared = 0;
            for (parameter, gradient) in parameters.trained().iter().zip(&found.gradients.tensors) {
                let Some(expected) = golden.get(&format!("{prefix}.{}", parameter.name)) else { continue };
                assert_near(&parameter.name, &numbers(gradient), expected);
                n_compared += 1;
            }
            assert_eq!(n_compared, if name == "loss" { 5 } else { 1 });
        }
    }

    let parameters = open();
    let mut optimizer = optimizer(&parameters);
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let found = reward_gradients(&parameters, &without_margin, &plain, ways()[0], None).unwrap();
        let norm = found.gradients.norm().unwrap();
        losses.push(found.loss);
        norms.push(norm);
        optimizer.update(parameters.trained(), &found.gradients, norm, 2e-4).unwrap();
    }
    assert_near("losses", &losses, &golden["trace.loss"]);
    assert_near("norms", &norms, &golden["trace.grad_norm"]);
    for name in ["score.weight", "model.norm.weight"] {
        assert_near(name, &numbers(&named(&parameters, name).variable), &golden[&format!("after10.{name}")]);
    }
}

#[test]
fn what_is_no_batch_is_refused() {
    let golden = golden("dpo");
    let pairs = pairs(&golden);
    let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
    let options = PreferenceOptions::default();
    let refused = |batch: &[&Pair], reference: &[[f64; 2]]| {
        pair_gradients(&parameters, batch, reference, &options, ways()[0], None).is_err()
    };
    assert!(refused(&[], &[]) && refused(&[&pairs[0]], &[]));
    let scoreless = reward_gradients(&parameters, &[&pairs[0]], &ScoreLoss::Cost, ways()[0], None);
    assert!(scoreless.unwrap_err().to_string().contains("scalar head"));
    let (mut narrow, _) = Parameters::open(&golden_folder("llama"), Method::Full, 0).unwrap();
    assert!(narrow.add_score(Some(Tensor::zeros((1, 8), candle_core::DType::F32, &Device::Cpu).unwrap()), 0).is_err());
}
