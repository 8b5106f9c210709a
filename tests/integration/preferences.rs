//! Learning from pairs: `train --objective`, and `check --objective` against TRL and PyTorch.

use serde_json::Value;

use crate::fixture::{Tiny, words};
use crate::program::{golden, json, lines, repository, run};

/// A run of a few seconds over pairs.
fn pairs(objective: &str, more: &str, out: &str) -> String {
    format!(
        "train --objective {objective} --data triples.jsonl --model model --steps 8 --batch-rows 6 --learning-rate 3e-3 --held-out-share 0.2 \
         --evaluate-every 4 --checkpoint-every 1 --seed 4 {more} --out {out}"
    )
}

fn records(tiny: &Tiny, out: &str, kind: &str) -> Vec<Value> {
    let all = lines(&tiny.path(out).join("train.jsonl"));
    all.into_iter().filter(|record| record["kind"] == kind).collect()
}

#[test]
fn losses_and_gradients_are_those_of_trl() {
    let here = repository();
    for (objective, adapter) in [("dpo", true), ("dpo", false), ("reward", false)] {
        let (model, file) = (golden("llama"), golden(&format!("{objective}/expected.safetensors")));
        let lora = golden("lora");
        let mut line = vec!["check", model.to_str().unwrap(), "--objective", objective, "--tolerance", "1e-5"];
        line.extend(["--reference", file.to_str().unwrap()]);
        line.extend(if adapter { vec!["--adapter", lora.to_str().unwrap()] } else { Vec::new() });
        let found = json(&here, &line);
        assert_eq!(found["passes"], true, "{found}");
        for key in ["loss_max_rel", "gradient_max_rel", "number_max_rel"] {
            let difference = found[key].as_f64().unwrap_or_else(|| panic!("{key}: {found}"));
            assert!((0.0..1e-5).contains(&difference), "{objective} {key}: {difference}");
        }
        let n = found["all"].as_object().unwrap().len();
        assert!(n >= 11, "{objective}: {n} numbers were compared");
    }
}

#[test]
fn references_that_are_not_met_or_hold_nothing_fail() {
    let here = repository();
    let (model, dpo, reward) =
        (golden("llama"), golden("dpo/expected.safetensors"), golden("reward/expected.safetensors"));
    let check = |file: &std::path::Path, objective: &str, model: &std::path::Path| {
        let line = ["check", model.to_str().unwrap(), "--objective", objective, "--reference", file.to_str().unwrap()];
        run(&here, &line)
    };
    let other = check(&dpo, "dpo", &golden("llama3_rope"));
    assert!(other.code == 1 && other.stdout.contains("FAILS"), "{other:?}");
    let scoreless = check(&dpo, "reward", &model);
    assert!(scoreless.code == 1 && scoreless.stderr.contains("score.weight"), "{scoreless:?}");
    let foreign = check(&reward, "dpo", &model);
    assert!(foreign.code == 1 && foreign.stderr.contains("no numbers of this objective"), "{foreign:?}");
    let unknown = check(&dpo, "ppo", &model);
    assert!(unknown.code != 0 && unknown.stderr.contains("there are dpo and reward"), "{unknown:?}");
}

#[test]
fn dpo_begins_at_its_reference_and_learns_the_order() {
    let tiny = Tiny::new();
    let line = pairs("dpo", "--method lora --rank 2 --beta 0.5", "dpo");
    let summary = json(tiny.folder(), &words(&line));
    assert_eq!(summary["objective"]["preference"]["loss"], "sigmoid");
    let steps = records(&tiny, "dpo", "step");
    let loss = |step: &Value| step["loss"].as_f64().unwrap();
    assert!((loss(&steps[0]) - 2f64.ln()).abs() < 1e-3, "{}", steps[0]);
    let evaluated = records(&tiny, "dpo", "evaluation");
    let [early, late] = &evaluated[..] else { panic!("{evaluated:?}") };
    assert!(loss(late) < loss(early) && loss(late) < 0.6, "{early} {late}");
    assert!(late["pairs"]["accuracy"].as_f64().unwrap() > 0.9, "{late}");
    assert!(tiny.path("dpo/adapter/adapter_model.safetensors").exists());

    let other = run(tiny.folder(), &words(&line.replace("--beta 0.5", "--beta 0.1")));
    assert!(other.code == 1 && other.stderr.contains("last.checkpoint"), "another run's is refused: {}", other.stderr);
}

#[test]
fn losses_without_a_reference_and_with_their_own_constants_run() {
    let tiny = Tiny::new();
    for (objective, more) in [("orpo", ""), ("simpo", "--beta 2 --gamma 0.5"), ("ipo", "--sft-weight 0.1")] {
        let summary =
            json(tiny.folder(), &words(&pairs(objective, &format!("--method lora --rank 2 {more}"), objective)));
        assert!(summary["last_evaluation"]["pairs"]["margin"].is_number(), "{summary}");
    }
    let refused = run(tiny.folder(), &words(&pairs("orpo", "--reference model", "no")));
    assert!(
        refused.code == 1 && refused.stderr.contains("--reference has no effect beside --objective orpo"),
        "{}",
        refused.stderr
    );
    let refused = run(tiny.folder(), &words(&pairs("ppo", "", "no")));
    assert!(refused.code != 0 && refused.stderr.contains("there are correction, sft, dpo"), "{}", refused.stderr);
}

#[test]
fn a_reward_model_is_written_with_its_head() {
    let tiny = Tiny::new();
    let summary = json(tiny.folder(), &words(&pairs("reward", "--method lora --rank 2", "reward")));
    assert!(summary["last_evaluation"]["pairs"]["accuracy"].as_f64().unwrap() > 0.9, "{summary}");
    let model = tiny.path("reward/model");
    let config: Value = serde_json::from_slice(&std::fs::read(model.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["architectures"][0], "LlamaForSequenceClassification");
    let read = redline::model::RewardModel::load(&model).unwrap();
    let tensors = candle_core::safetensors::load(model.join("model.safetensors"), &candle_core::Device::Cpu).unwrap();
    assert!(tensors.contains_key("score.weight") && !tensors.contains_key("lm_head.weight"));
    let tokenizer = read.model.tokenizer().unwrap();
    let rows = crate::fixture::triples(8);
    let score = |answer: &str, question: &str| {
        let text = redline::data::pairs::scored_text(tokenizer, question, answer).unwrap();
        read.scores(&[text]).unwrap()[0]
    };
    let n_right = rows.iter().filter(|row| score(&row.correction, &row.question) > score(&row.answer, &row.question));
    assert!(n_right.count() >= 7);
    // a model that writes has no head
    let Err(error) = redline::model::RewardModel::load(&tiny.path("model")) else { panic!("no head") };
    assert!(error.to_string().contains("score.weight"), "{error}");
}

#[test]
fn equal_texts_prefer_nothing() {
    let tiny = Tiny::new();
    let row = |i: usize| format!("{{\"prompt\":\"question {i}\",\"chosen\":\"the same\",\"rejected\":\"the same\"}}\n");
    std::fs::write(tiny.path("triples.jsonl"), (0..20).map(row).collect::<String>()).unwrap();
    let refused = run(tiny.folder(), &words(&pairs("dpo", "--method lora --rank 2", "no")));
    assert!(refused.code == 1 && refused.stderr.contains("both answers are the same"), "{}", refused.stderr);
    assert!(refused.stderr.contains("no pairs to train on") && !tiny.path("no").exists(), "{}", refused.stderr);
}
