//! Every option is named in a table, and those that cannot act are refused by name.

use std::ffi::OsString;

use super::*;
use crate::cli::{self, Command};

fn parsed(line: &str) -> EvaluateArgs {
    let words = std::iter::once("redline").chain(line.split_whitespace()).map(OsString::from);
    let (cli, _) = cli::parse(words).unwrap_or_else(|error| panic!("{line}: {error}"));
    match cli.command {
        Command::Evaluate(args) => *args,
        _ => panic!("{line}"),
    }
}

fn refused(check: fn(&EvaluateArgs) -> anyhow::Result<()>, line: &str) -> String {
    match check(&parsed(line)) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn tables_name_options_that_there_are() {
    let command = cli::command();
    let evaluate = command.find_subcommand("evaluate").unwrap();
    let known: Vec<&str> = evaluate.get_arguments().map(|argument| argument.get_id().as_str()).collect();
    let tables: [&[&str]; 8] = [&MODEL, &PROMPTED, &STEERING, &WRITING, &SYSTEMS, &SERVER, &RATES, &PREFERENCES];
    for id in tables.concat() {
        assert!(known.contains(&id), "{id}");
    }
}

#[test]
fn what_cannot_act_is_refused_by_its_name_even_at_its_default() {
    let data = "evaluate --data d.jsonl";
    for (options, name) in [
        ("--layers all", "--layers"),
        ("--operator add", "--operator"),
        ("--draw-temperature 1", "--draw-temperature"),
        ("--force", "--force"),
    ] {
        let said = refused(refuse_without_judges, &format!("{data} {options}"));
        assert!(said.starts_with(&format!("{name} has no effect ")), "{options}: {said}");
    }
    for (options, name) in [
        ("--max-new-tokens 256", "--max-new-tokens"),
        ("--batch-rows 48", "--batch-rows"),
        ("--template aligner", "--template"),
        ("--instruction brief", "--instruction"),
        ("--unit gap", "--unit"),
        ("--draw-temperature 0.5", "--draw-temperature"),
    ] {
        let said = refused(refuse_for_choices, &format!("{data} --choices {options}"));
        assert_eq!(said, format!("{name} has no effect beside --choices"));
    }
    for (options, name) in [("--prompts 500", "--prompts"), ("--model m", "--model"), ("--layers 3", "--layers")] {
        let said = refused(refuse_for_preferences, &format!("evaluate --preferences p --instructions i {options}"));
        assert_eq!(said, format!("{name} has no effect beside --preferences"));
    }
    for (options, name) in [("--rule both", "--rule"), ("--against upstream", "--against"), ("--model m", "--model")] {
        let said = refused(refuse_for_pairs, &format!("{data} --judge reward=m {options}"));
        assert_eq!(said, format!("{name} has no effect beside pairs that people have labelled"));
    }
}

#[test]
fn passes_refuse_what_they_do_not_use() {
    for (options, said) in [
        ("--depth 2 --domain d", "--domain has no effect beside --depth or --turns"),
        ("--turns --draw-temperature 1", "--draw-temperature has no effect beside --depth or --turns"),
        ("--turns --layers all", "--layers has no effect without --coefficients"),
        ("--depth 2 --vector v --range all", "a vector is given, and no coefficient"),
        ("--depth 2 --force", "--force has no effect where no file is written"),
        ("--depth 2 --coefficients 0,1 --vector v --range all --layers 3 --out o --force", ""),
        ("--turns --model m --adapter a --adapter-scale 0.5 --instruction brief --max-new-tokens 9 --batch-rows 2", ""),
    ] {
        assert_eq!(refused(refuse_for_passes, &format!("evaluate --data d {options}")), said, "{options}");
    }
    let said = refused(refuse_coefficients, "evaluate --data d --coefficients 1");
    assert_eq!(said, "--coefficients has no effect without --depth or --turns");
    assert_eq!(refused(refuse_coefficients, "evaluate --data d --turns --coefficients 1"), "");
}

#[test]
fn contests_refuse_what_their_systems_do_not_use() {
    for (options, said) in [
        ("--answers a --model m", "--model has no effect beside --answers"),
        ("--answers a --instruction brief", "--instruction has no effect beside --answers"),
        ("--data d --systems upstream,stack-2 --unit gap", "--unit has no effect beside these --systems"),
        ("--answers a --prompts 3", "--prompts has no effect beside --answers without --data"),
        ("--answers a --rule both --score-shift s", "--rule has no effect beside --score-shift"),
        ("--answers a --judge-workers 3", "--judge-workers has no effect without a judge behind a server (URL#MODEL)"),
        ("--data d --systems upstream --batch-rows 3", "--batch-rows has no effect beside these --systems"),
        ("--data d --systems upstream,sft=m --model m", "--model has no effect beside these --systems"),
        ("--data d --systems upstream,aligner --layers 3", "--layers has no effect beside these --systems"),
        (
            "--data d --systems upstream,aligner --draw-temperature 1",
            "--draw-temperature has no effect beside these --systems",
        ),
        (
            "--data d --systems upstream,prompt --writer m --writer-key-env K",
            "--writer-key-env has no effect where neither --writer nor --upstream is a server",
        ),
        ("--data d --systems upstream,aligner --force", "--force has no effect where no file is written"),
    ] {
        assert_eq!(refused(refuse_for_systems, &format!("evaluate --judge reward=m {options}")), said, "{options}");
    }
    let said = refused(refuse_for_systems, "evaluate --answers a --judge recorded=r --judgements j");
    assert_eq!(said, "--judgements has no effect beside judges whose judgements are there already");
    for options in [
        "--answers a --data d --prompts 3 --judgements j --force",
        "--data d --systems upstream,aligner --model m --max-new-tokens 9 --batch-rows 2",
        "--data d --systems upstream,best-of-3 --choose-by flaws --draw-temperature 2 --out a --force",
        "--data d --systems upstream,sft=m --max-new-tokens 9",
        "--data d --systems upstream,stack-2@1 --vector v --range all --layers 3 --model m --adapter-scale 0.5 --instruction brief",
        "--data d --systems upstream,aligner --model m --judge phrases --judge trait --out a",
        "--answers a --score-shift s --against x --judge cost=c",
    ] {
        assert_eq!(refused(refuse_for_systems, &format!("evaluate --judge reward=m {options}")), "", "{options}");
    }
}
