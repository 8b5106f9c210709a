//! `redline train` and `ablate-warmup`: what lies in the folder, and that a killed run ends as an unbroken one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redline::model::Model;
use serde_json::Value;

use crate::fixture::{Tiny, words};
use crate::program::{BINARY, json, lines, run, succeed};

const N_STEPS: usize = 16;

/// A run from scratch of a few seconds.
fn scratch(out: &str) -> String {
    format!(
        "train --data triples.jsonl --from-scratch --hidden-size 32 --heads 2 --n-layers 2 --vocab-size 280 \
         --context 256 --steps {N_STEPS} --batch-rows 4 --learning-rate 1e-2 --held-out-share 0.2 --generate 4 \
         --max-new-tokens 8 --evaluate-every 5 --checkpoint-every 3 --seed 4 --out {out}"
    )
}

/// A run of low-rank deltas beside the model of the fixture.
fn lora(out: &str) -> String {
    format!(
        "train --data triples.jsonl --model model --template template.txt --method lora --rank 2 --lora-dropout 0.1 \
         --steps {N_STEPS} --batch-rows 4 --learning-rate 1e-3 --held-out-share 0.2 --generate 0 \
         --evaluate-every 5 --checkpoint-every 1 --seed 4 --out {out}"
    )
}

/// Step, phase, loss and gradient norm of every step, and every evaluation: all of the log but the times.
fn log(folder: &Path) -> Vec<Value> {
    let without_times = |mut line: Value| {
        line.as_object_mut().unwrap().remove("tokens_per_second");
        line
    };
    lines(&folder.join("train.jsonl")).into_iter().map(without_times).collect()
}

#[test]
fn a_run_replaces_nothing_that_it_reads_or_that_no_run_wrote() {
    let tiny = Tiny::new();
    let refused = |line: &str, said: &str| {
        let ran = run(tiny.folder(), &words(line));
        assert!(ran.code == 1 && ran.stderr.contains(said), "{line}: {}", ran.stderr);
    };
    std::fs::rename(tiny.path("triples.jsonl"), tiny.path("train.jsonl")).unwrap();
    let data = std::fs::read(tiny.path("train.jsonl")).unwrap();
    refused(&scratch(".").replace("triples.jsonl", "train.jsonl"), "train.jsonl, which is read by this run");
    std::fs::copy(tiny.path("train.jsonl"), tiny.path("triples.jsonl")).unwrap();
    refused(&scratch("."), "train.jsonl is there and is no log of a training run");
    assert!(std::fs::read(tiny.path("train.jsonl")).unwrap() == data);
    std::fs::create_dir(tiny.path("other")).unwrap();
    std::fs::write(tiny.path("other/settings.json"), "{}").unwrap();
    refused(&scratch("other"), "settings.json is there already");
}

#[test]
fn a_run_leaves_a_model_that_the_other_verbs_load() {
    let tiny = Tiny::new();
    let summary = json(tiny.folder(), &words(&format!("{} --gguf aligner.gguf", scratch("run"))));
    assert_eq!((summary["n_steps"].as_u64(), summary["stopped_early"].as_bool()), (Some(N_STEPS as u64), Some(false)));
    let records = log(&tiny.path("run"));
    let steps: Vec<&Value> = records.iter().filter(|record| record["kind"] == "step").collect();
    let evaluated: Vec<u64> =
        records.iter().filter(|r| r["kind"] == "evaluation").map(|r| r["step"].as_u64().unwrap()).collect();
    assert_eq!((steps.len(), evaluated), (N_STEPS, vec![5, 10, 15, 16]));
    assert_eq!((&steps[0]["phase"], &steps[N_STEPS - 1]["phase"]), (&"identity".into(), &"correction".into()));
    let loss = |step: usize| steps[step]["loss"].as_f64().unwrap();
    assert!(loss(N_STEPS - 1) < loss(0) - 0.5, "{} {}", loss(0), loss(N_STEPS - 1));
    for name in ["curves.png", "curves.svg", "summary.json", "settings.json", "last.checkpoint", "best.checkpoint"] {
        assert!(tiny.path("run").join(name).metadata().unwrap().len() > 0, "{name}");
    }

    let (folder, gguf) =
        (Model::load(&tiny.path("run/model")).unwrap(), Model::load(&tiny.path("aligner.gguf")).unwrap());
    assert_eq!(folder.decoder.config().vocab_size, gguf.decoder.config().vocab_size);
    let evaluate = |model: &str| {
        json(tiny.folder(), &words(&format!("evaluate --model {model} --data triples.jsonl --max-new-tokens 8")))
    };
    let measured = evaluate("run/model");
    assert_eq!(measured["quality"]["n"], 48);
    assert!(measured["strictness"].is_null(), "these rows carry no flaws");
    assert_eq!(evaluate("aligner.gguf")["quality"]["n"], 48);

    // an earlier checkpoint can be exported, and is another model
    succeed(tiny.folder(), &words(&format!("{} --export run/best.checkpoint", scratch("best"))));
    assert!(tiny.path("best/model/model.safetensors").exists() && !tiny.path("best/train.jsonl").exists());
}

/// Longer than anything here takes, so that a hang fails instead of lasting.
const PATIENCE: Duration = Duration::from_secs(600);
/// On a busy machine a run can end before it is killed; then all of it begins anew.
const ATTEMPTS: usize = 20;

/// Starts a command and kills it, as `kill -9` does, once its log has so many lines; whether it was killed before its end.
fn killed_after(tiny: &Tiny, command: &str, out: &str, n_lines: usize) -> bool {
    let mut child: Child = Command::new(BINARY)
        .args(words(command))
        .current_dir(tiny.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let path = tiny.path(out).join("train.jsonl");
    while std::fs::read_to_string(&path).map_or(0, |text| text.lines().count()) < n_lines {
        assert!(start.elapsed() < PATIENCE, "the training does not go on");
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the run fails");
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// Kills a run four times, each time further on, before its weights are there.
fn killed_again_and_again(tiny: &Tiny, command: &str, weights: &str) {
    for _ in 0..ATTEMPTS {
        let is_killed = |n_lines| killed_after(tiny, command, "killed", n_lines);
        if [1, 5, 9, 13].into_iter().all(is_killed) && !tiny.path("killed").join(weights).exists() {
            return;
        }
        std::fs::remove_dir_all(tiny.path("killed")).unwrap();
    }
    panic!("{ATTEMPTS} runs ended before they could be killed");
}

fn same_as_unbroken(tiny: &Tiny, command: &dyn Fn(&str) -> String, weights: &str) {
    killed_again_and_again(tiny, &command("killed"), weights);
    // a line that was being written
    let path = tiny.path("killed/train.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "{\"kind\":\"step\",\"st").unwrap();
    succeed(tiny.folder(), &words(&command("killed")));
    succeed(tiny.folder(), &words(&command("unbroken")));
    assert_eq!(log(&tiny.path("killed")), log(&tiny.path("unbroken")));
    let bytes = |out: &str, name: &str| std::fs::read(tiny.path(out).join(name)).unwrap();
    for name in [weights, "last.checkpoint"] {
        assert!(bytes("killed", name) == bytes("unbroken", name), "{name} differs");
    }
}

#[test]
fn training_killed_at_any_time_ends_with_the_same_bytes() {
    same_as_unbroken(&Tiny::new(), &scratch, "model/model.safetensors");
}

#[test]
fn an_adapter_killed_at_any_time_ends_with_the_same_bytes() {
    same_as_unbroken(&Tiny::new(), &lora, "adapter/adapter_model.safetensors");
}

#[test]
fn a_run_over_pairs_killed_at_any_time_ends_with_the_same_bytes() {
    let pairs = |out: &str| {
        lora(out)
            .replace("--template template.txt", "--objective dpo")
            .replace("--lora-dropout 0.1", "--lora-dropout 0.2")
            .replace("--generate 0 ", "")
    };
    same_as_unbroken(&Tiny::new(), &pairs, "adapter/adapter_model.safetensors");
}

#[test]
fn an_adapter_steers_like_any_model() {
    let tiny = Tiny::new();
    succeed(tiny.folder(), &words(&lora("run")));
    let correct = |more: &str| {
        let line =
            format!("correct --model model {more} --template template.txt --data triples.jsonl --max-new-tokens 8");
        succeed(tiny.folder(), &words(&line)).stdout
    };
    assert_ne!(correct("--adapter run/adapter"), correct(""), "sixteen steps change an output");
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_last_checkpoint_whole() {
    let tiny = Tiny::new();
    killed_after(&tiny, &scratch("run"), "run", 8);
    let checkpoint = tiny.path("run/last.checkpoint");
    let before = std::fs::read(&checkpoint).unwrap();
    // files may grow to 64 blocks of 512 bytes or 1 KiB, less than a checkpoint; the signal that comes with it is ignored
    let line = format!("trap '' XFSZ; ulimit -f 64; exec {BINARY} {}", scratch("run"));
    let output = Command::new("sh").args(["-c", &line]).current_dir(tiny.folder()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("error: ") && stderr.contains(".checkpoint"), "{stderr}");
    assert!(std::fs::read(&checkpoint).unwrap() == before, "the checkpoint changed");
    let left: Vec<String> = std::fs::read_dir(tiny.path("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // and with room again the run goes on to the same end
    succeed(tiny.folder(), &words(&scratch("run")));
    succeed(tiny.folder(), &words(&scratch("unbroken")));
    let bytes = |out: &str| std::fs::read(tiny.path(out).join("model/model.safetensors")).unwrap();
    assert!(bytes("run") == bytes("unbroken"));
}

#[test]
fn warm_up_shares_are_compared_on_the_same_steps() {
    let tiny = Tiny::new();
    let line = scratch("ablation").replace("train ", "ablate-warmup --shares 0,0.5 ");
    let summary = json(tiny.folder(), &words(&line));
    let results = summary["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|result| result["n_steps"] == N_STEPS && result["similarity"].is_number()));
    assert_ne!(results[0]["held_out_loss"], results[1]["held_out_loss"]);
    assert_eq!(log(&tiny.path("ablation/warmup-0"))[0]["phase"], "correction");
    assert_eq!(log(&tiny.path("ablation/warmup-0.5"))[0]["phase"], "identity");
    assert!(tiny.path("ablation/ablation.png").exists());
    let ran = run(tiny.folder(), &words(&line.replace(&format!("--steps {N_STEPS}"), "")));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}
