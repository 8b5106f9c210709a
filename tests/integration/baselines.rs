//! Systems that are no Aligner: beams, models that are asked, models that were trained to answer, and learning from rewards.

use serde_json::Value;

use crate::fixture::{Tiny, words};
use crate::program::{json, lines, repository, run, succeed};

fn answers<'a>(all: &'a [Value], system: &str) -> Vec<&'a Value> {
    all.iter().filter(|row| row["system"] == system).collect()
}

#[test]
fn baselines_answer_the_same_rows_into_one_file_that_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let model = repository().join("assets/aligner/redline-tiny.gguf");
    succeed(here, &words("data synth --rows 12 --seed 8 --out rows.jsonl"));
    let own = format!("sft={}", model.display());
    let writer = model.to_str().unwrap();
    let systems = format!("upstream,aligner,beam-2,prompt,critique,answer-best-of-2,{own}");
    let line = "evaluate --data rows.jsonl --prompts 3 --max-new-tokens 24 --choose-by flaws --judge flaws --out answers.jsonl";
    let all = [&words(line)[..], &["--systems", &systems, "--writer", writer]].concat();
    let first = json(here, &all);
    assert_eq!(first["contests"][0]["systems"].as_array().unwrap().len(), 6);
    let written = lines(&here.join("answers.jsonl"));
    for (system, passes) in [("aligner", 1), ("beam-2", 1), ("prompt", 1), ("answer-best-of-2", 2), ("sft", 1)] {
        let rows = answers(&written, system);
        assert!(rows.len() == 3 && rows.iter().all(|row| row["passes"] == passes), "{system}: {rows:?}");
        assert!(rows.iter().all(|row| row["context"].as_u64().unwrap() > 10), "{system}: {rows:?}");
    }
    assert!(answers(&written, "critique").iter().all(|row| row["passes"].as_u64().unwrap() >= 1));
    let bytes = std::fs::read(here.join("answers.jsonl")).unwrap();
    assert_eq!(json(here, &all)["contests"][0]["standings"], first["contests"][0]["standings"]);
    assert!(bytes == std::fs::read(here.join("answers.jsonl")).unwrap(), "nothing is written twice");

    // another upstream model: its own answers are what everything corrects
    let anew = "evaluate --data rows.jsonl --prompts 3 --max-new-tokens 24 --judge flaws --out anew.jsonl --systems upstream,aligner";
    json(here, &[&words(anew)[..], &["--upstream", writer]].concat());
    let anew = lines(&here.join("anew.jsonl"));
    for (upstream, aligner) in answers(&anew, "upstream").iter().zip(answers(&anew, "aligner")) {
        assert_eq!((&upstream["answer"], &aligner["answer"]), (&upstream["output"], &upstream["output"]));
    }
    let judged = json(here, &words("evaluate --data rows.jsonl --prompts 3 --answers anew.jsonl --judge flaws"));
    assert_eq!(judged["contests"][0]["n_rows"], 3);
    let other = line.replace("24", "20");
    let other = run(here, &[&words(&other)[..], &["--systems", &systems, "--writer", writer]].concat());
    assert!(
        other.code == 1 && other.stderr.contains("24 tokens") && other.stderr.contains("20 tokens"),
        "{}",
        other.stderr
    );
    let mixed = run(
        here,
        &words("evaluate --data rows.jsonl --prompts 3 --judge flaws --out anew.jsonl --systems upstream,aligner"),
    );
    assert!(mixed.code == 1 && mixed.stderr.contains("was made by"), "{}", mixed.stderr);
}

#[test]
fn options_of_baselines_without_effect_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &words("data synth --rows 4 --seed 8 --out rows.jsonl"));
    for (more, message) in [
        ("--systems upstream,prompt --judge flaws", "give --writer"),
        ("--systems upstream,aligner --judge flaws --writer x", "--writer has no effect"),
        ("--systems upstream,aligner --judge flaws --choose-by flaws", "--choose-by has no effect"),
        ("--systems upstream,aligner --judge flaws --judge-form score", "--judge-form has no effect"),
        ("--systems upstream,aligner --judge flaws --judge-per-minute 5", "--judge-per-minute has no effect"),
        ("--systems upstream,aligner --judge flaws --show-references", "--show-references has no effect"),
        ("--systems upstream,beam-1 --judge flaws", "give N from 2"),
        ("--systems upstream,aligner=x --judge flaws", "another system's name"),
        ("--systems upstream,sft=nowhere --judge flaws", "nowhere"),
        ("--systems upstream,sft=rows.jsonl,sft=other --judge flaws", "sft twice"),
        ("--choices --judge flaws", "cannot be used with"),
        ("--choices --systems upstream", "--systems has no effect"),
    ] {
        let ran = run(folder.path(), &words(&format!("evaluate --data rows.jsonl {more}")));
        assert!(ran.code != 0 && ran.stderr.contains(message), "{more}: {}", ran.stderr);
    }
}

#[test]
fn a_model_is_taught_to_answer_and_then_rewarded() {
    let tiny = Tiny::new();
    let taught = "train --objective sft --data triples.jsonl --model model --steps 6 --batch-rows 4 --held-out-share 0.2 --generate 2 \
                  --max-new-tokens 8 --keep-every 3 --out sft";
    let summary = json(tiny.folder(), &words(taught));
    assert_eq!((summary["template"].as_str(), summary["n_steps"].as_u64()), (Some("chat"), Some(6)));
    assert!(tiny.path("sft/step-000003.checkpoint").exists() && tiny.path("sft/step-000006.checkpoint").exists());
    let export = taught.replace("--out sft", "--export sft/step-000003.checkpoint --out early");
    assert_eq!(json(tiny.folder(), &words(&export))["n_steps"], 3);
    assert!(tiny.path("early/model/model.safetensors").exists());

    let reward = "train --objective reward --data triples.jsonl --model model --steps 6 --batch-rows 4 --held-out-share 0.2 --out reward";
    json(tiny.folder(), &words(reward));
    for objective in ["grpo", "rloo"] {
        let line = format!(
            "train --objective {objective} --reward reward=reward/model --data triples.jsonl --model sft/model --steps 3 --batch-rows 2 \
             --group 3 --max-new-tokens 6 --held-out-share 0.2 --generate 2 --learning-rate 1e-4 --evaluate-every 2 --out {objective}"
        );
        let summary = json(tiny.folder(), &words(&line));
        assert_eq!(summary["n_steps"], 3, "{summary}");
        let log = lines(&tiny.path(objective).join("train.jsonl"));
        let steps: Vec<&Value> = log.iter().filter(|record| record["kind"] == "step").collect();
        assert!(steps.len() == 3 && steps.iter().all(|step| step["policy"]["reward"].is_number()), "{log:?}");
        // at the first step the policy is its reference
        assert!(steps[0]["policy"]["divergence"].as_f64().unwrap().abs() < 1e-6, "{}", steps[0]);
        assert!(tiny.path(objective).join("model/model.safetensors").exists());
    }
    for (line, message) in [
        (taught.replace("--out sft", "--reward flaws --out x"), "--reward has no effect"),
        (taught.replace("sft", "grpo"), "nobody scores"),
        (reward.replace("--out reward", "--reward flaws --out x"), "--reward has no effect"),
    ] {
        let ran = run(tiny.folder(), &words(&line));
        assert!(ran.code == 1 && ran.stderr.contains(message), "{line}: {}", ran.stderr);
    }
}

#[test]
fn a_cost_model_says_what_it_can_learn_of_rows_without_flags() {
    let tiny = Tiny::new();
    let line = "train --objective cost --data triples.jsonl --model model --steps 4 --batch-rows 4 --held-out-share 0.2 --out cost";
    let ran = succeed(tiny.folder(), &words(line));
    assert!(ran.stderr.contains("do not say is_chosen_safe"), "{}", ran.stderr);
    assert!(tiny.path("cost/model").exists());
    let flagged: String = lines(&tiny.path("triples.jsonl"))
        .into_iter()
        .map(|mut row| {
            row["is_chosen_safe"] = true.into();
            row["is_rejected_safe"] = false.into();
            row.to_string() + "\n"
        })
        .collect();
    std::fs::write(tiny.path("flagged.jsonl"), &flagged).unwrap();
    let line = line.replace("triples", "flagged").replace("--out cost", "--out flagged");
    assert!(!succeed(tiny.folder(), &words(&line)).stderr.contains("is_chosen_safe"));
    std::fs::write(tiny.path("wrong.jsonl"), flagged.replace("\"is_chosen_safe\":true", "\"is_chosen_safe\":1"))
        .unwrap();
    let ran = run(
        tiny.folder(),
        &words(&line.replace("flagged.jsonl", "wrong.jsonl").replace("--out flagged", "--out wrong")),
    );
    assert!(ran.code == 1 && ran.stderr.contains("`is_chosen_safe` must be true or false"), "{}", ran.stderr);
}

#[test]
fn choices_are_measured_beside_chance() {
    let tiny = Tiny::new();
    let rows = r#"{"question": "What is two and two?", "choices": ["four", "seven hundred"], "answer": 0}
{"question": "What is dry?", "choices": ["the sea", "the desert", "the rain"], "answer": 1}
{"question": "Broken", "choices": ["one"], "answer": 0}
"#;
    std::fs::write(tiny.path("rows.jsonl"), rows).unwrap();
    let line = words("evaluate --choices --data rows.jsonl --model model");
    let found = json(tiny.folder(), &line);
    let mc1 = &found["table"]["all"]["mc1"];
    assert_eq!(mc1["n"], 2, "{found}");
    assert!((mc1["chance"].as_f64().unwrap() - (0.5 + 1.0 / 3.0) / 2.0).abs() < 1e-12, "{mc1}");
    assert_eq!(found["report"]["left_out"][0]["first_line"], 3, "{found}");
    let told = succeed(tiny.folder(), &line);
    assert!(told.stderr.contains("line 3") && told.stdout.contains("chance"), "{told:?}");
}
