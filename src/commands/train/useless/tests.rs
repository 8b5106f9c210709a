//! Options that cannot act are refused by name, others are not.

use std::ffi::OsString;

use super::*;
use crate::cli::{self, Command};

fn refused(options: &str) -> String {
    let line = format!("redline train --data d --out o {options}");
    let (cli, _) = cli::parse(line.split_whitespace().map(OsString::from)).unwrap_or_else(|e| panic!("{line}: {e}"));
    let Command::Train(args) = cli.command else { panic!("{line}") };
    refuse(&args).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn tables_name_options_that_there_are() {
    let command = cli::command();
    let train = command.find_subcommand("train").unwrap();
    let known: Vec<&str> = train.get_arguments().map(|argument| argument.get_id().as_str()).collect();
    let objectives = ["correction", "sft", "dpo", "cdpo", "orpo", "simpo", "kto", "reward", "cost", "grpo"];
    let idle = objectives.iter().flat_map(|name| idle(name.parse().unwrap())).flatten();
    let tables: [&[&str]; 3] = [&SHAPE, &LORA, &OF_STEPS];
    for id in tables.concat().into_iter().chain(idle) {
        assert!(known.contains(&id), "{id}");
    }
}

#[test]
fn what_cannot_act_is_refused_by_its_name_even_at_its_default() {
    for (options, said) in [
        ("--model m --n-layers 5", "--n-layers has no effect beside --model, which has its sizes"),
        ("--model m --rank 16", "--rank has no effect without --method lora"),
        ("--model m --gguf-store f16", "--gguf-store has no effect without --gguf"),
        ("--model m --steps 3 --epochs 1", "--epochs has no effect beside --steps"),
        ("--model m --validation v --held-out-share 0.1", "--held-out-share has no effect beside --validation"),
        ("--model m --beta 0.1", "--beta has no effect beside --objective correction"),
        ("--model m --objective sft --warmup-share 0.1", "--warmup-share has no effect beside --objective sft"),
        ("--model m --objective sft --template aligner", "--template has no effect beside --objective sft"),
        ("--model m --objective dpo --gamma 1", "--gamma has no effect beside --objective dpo"),
        ("--model m --objective dpo --generate 3", "--generate has no effect beside --objective dpo"),
        ("--model m --objective orpo --beta 1", "--beta has no effect beside --objective orpo"),
        ("--model m --objective cost --shrink-rewards 1", "--shrink-rewards has no effect beside --objective cost"),
        ("--model m --objective dpo --desirable-weight 1", "--desirable-weight has no effect beside --objective dpo"),
        ("--model m --objective kto --gamma 1", "--gamma has no effect beside --objective kto"),
        ("--model m --objective grpo --warmup-epochs 1", "--warmup-epochs has no effect beside --objective grpo"),
        (
            "--model m --objective reward --method head --learning-rate 1e-3",
            "--learning-rate has no effect beside --method head, which fits the head at once",
        ),
        (
            "--model m --objective reward --method head --centre-rewards 0",
            "--centre-rewards has no effect beside --method head, which fits the head at once",
        ),
    ] {
        assert_eq!(refused(options), said, "{options}");
    }
}

#[test]
fn what_acts_is_let_through() {
    for options in [
        "--from-scratch --n-layers 2 --warmup-share 0.1 --warmup-epochs 2 --generate 3 --gguf g --gguf-store f16",
        "--model m --method lora --rank 4 --template t --warmup-data w",
        "--model m --objective cdpo --label-smoothing 0.1 --reference r --beta 0.2 --sft-weight 1",
        "--model m --objective kto --desirable-weight 1 --undesirable-weight 2 --beta 0.2 --reference r",
        "--model m --objective simpo --gamma 1 --beta 2",
        "--model m --objective rloo --reward flaws --beta 0.1 --reference r --generate 3 --max-new-tokens 9 --group 4",
        "--model m --objective reward --centre-rewards 0.1 --shrink-rewards 0.1 --epochs 2",
        "--model m --objective reward --method head --batch-rows 3 --max-tokens 90 --seed 3 --held-out-rows 5 --store f16",
    ] {
        assert_eq!(refused(options), "", "{options}");
    }
}
