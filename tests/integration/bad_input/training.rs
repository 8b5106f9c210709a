//! Training data, options and checkpoints that cannot be used.

use super::*;
use crate::fixture::{triples, write_triples};
use crate::program::succeed;

const TRAIN: &str = "train --model model --template template.txt --steps 2 --batch-rows 2 --generate 0 --out run";

/// Training on a file of these lines is refused.
fn file_refused(name: &str, text: &str, more: &str) {
    let tiny = Tiny::new();
    std::fs::write(tiny.path("bad.jsonl"), text).unwrap();
    refused_line(&tiny, name, &format!("{TRAIN} --data bad.jsonl {more}"));
}

const TRIPLE: &str = "{\"question\": \"a\", \"answer\": \"b\", \"correction\": \"c\"}\n";

#[test]
fn a_row_without_correction() {
    file_refused("train_no_correction", "{\"question\": \"a\", \"answer\": \"b\"}\n", "");
    file_refused(
        "train_one_no_correction",
        &format!("{TRIPLE}{{\"question\": \"a\", \"answer\": \"b\"}}\n"),
        "--strict",
    );
}

#[test]
fn everything_filtered_out() {
    file_refused("train_all_empty", "{\"question\": \"a\", \"answer\": \" \", \"correction\": \"c\"}\n", "");
    file_refused("train_all_too_long", &TRIPLE.repeat(2), "--max-tokens 4 --held-out-share 0");
}

#[test]
fn validation_overlaps_training() {
    let tiny = Tiny::new();
    write_triples(&tiny.path("validation.jsonl"), &triples(50)[46..]);
    refused_line(&tiny, "train_overlap", &format!("{TRAIN} --data triples.jsonl --validation validation.jsonl"));
    let more = "--held-out-share 0.2 --warmup-data triples.jsonl";
    refused_line(&tiny, "train_warmup_overlap", &format!("{TRAIN} --data triples.jsonl {more}"));
}

#[test]
fn options_out_of_range() {
    let tiny = Tiny::new();
    std::fs::write(tiny.path("model/model.safetensors"), "damaged").unwrap();
    for (name, option) in [
        ("learning_rate_nan", "--learning-rate nan"),
        ("learning_rate_infinite", "--learning-rate inf"),
        ("learning_rate_negative", "--learning-rate -1e-3"),
        ("warmup_share", "--warmup-share 1.5"),
        ("held_out_share", "--held-out-share 1"),
        ("batch_rows", "--batch-rows 0"),
        ("clip", "--clip nan"),
    ] {
        let line = format!("{TRAIN} --data triples.jsonl {option}");
        let line = if name == "batch_rows" { line.replace("--batch-rows 2 ", "") } else { line };
        refused_line(&tiny, &format!("train_{name}"), &line);
    }
    let scratch = "train --from-scratch --data triples.jsonl --out run";
    refused_line(&tiny, "train_heads", &format!("{scratch} --hidden-size 30 --heads 4"));
    refused_line(&tiny, "train_kv_heads", &format!("{scratch} --kv-heads 3"));
    refused_line(&tiny, "train_no_layers", &format!("{scratch} --n-layers 0"));
    refused_line(&tiny, "train_no_width", &format!("{scratch} --intermediate-size 0"));
    refused_line(&tiny, "train_out", "train --from-scratch --data triples.jsonl --out triples.jsonl/run");
    refused_line(&tiny, "train_vocabulary", &format!("{scratch} --vocab-size 100"));
    refused_line(&tiny, "train_scratch_lora", &format!("{scratch} --method lora"));
    refused_line(&tiny, "train_no_model", "train --data triples.jsonl --out run");
    refused_line(
        &tiny,
        "train_targets",
        &format!("{TRAIN} --data triples.jsonl --method lora --targets q_prof")
            .replace("--model model", &format!("--model {}", crate::program::golden("llama").display())),
    );
}

#[test]
fn a_checkpoint_of_another_run() {
    let tiny = Tiny::new();
    succeed(tiny.folder(), &words(&format!("{TRAIN} --data triples.jsonl")));
    refused_line(&tiny, "train_other_rate", &format!("{TRAIN} --data triples.jsonl --learning-rate 1e-3"));
    refused_line(&tiny, "train_other_data", &{
        write_triples(&tiny.path("fewer.jsonl"), &triples(40));
        format!("{TRAIN} --data fewer.jsonl")
    });
    refused_line(&tiny, "train_other_method", &format!("{TRAIN} --data triples.jsonl --method lora"));
    let bytes = std::fs::read(tiny.path("run/last.checkpoint")).unwrap();
    std::fs::write(tiny.path("run/last.checkpoint"), &bytes[..bytes.len() / 2]).unwrap();
    refused_line(&tiny, "train_damaged_checkpoint", &format!("{TRAIN} --data triples.jsonl"));
}
