//! `--json` of every verb: what stands on standard output, by which schema, and that docs/json.md describes it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::fixture::{Tiny, labelled, words, write_triples};
use crate::program::{golden, repository, run, succeed};

/// A verb, its arguments, the schema of what it prints, and keys that must be there.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// In an order in which later ones find the files of earlier ones.
const CASES: [Case; 41] = [
    (
        "data synth",
        "--rows 40 --seed 3 --out synth.jsonl",
        "redline.data.v1",
        &["file", "n_rows", "n_clean", "n_flaws"],
    ),
    ("data corrupt", "synth.jsonl --out corrupt.jsonl", "redline.data.v1", &["file", "n_rows", "n_clean", "n_flaws"]),
    ("data scramble", "synth.jsonl --rows 5 --out scrambled.jsonl", "redline.data.v1", &["file", "n_rows"]),
    ("data clean", "synth.jsonl --out clean.jsonl", "redline.clean.v1", &["file", "report"]),
    ("data split", "synth.jsonl --share 0.5 --out a.jsonl --held-out b.jsonl", "redline.split.v1", &["files"]),
    ("data leak", "a.jsonl b.jsonl", "redline.leak.v1", &["shared_questions"]),
    ("data near", "synth.jsonl", "redline.near.v1", &["threshold", "report", "lines", "file"]),
    (
        "data filter",
        "synth.jsonl --out filtered.jsonl",
        "redline.filter.v1",
        &["file", "n_unusable", "n_kept", "funnel", "near", "leak"],
    ),
    (
        "data convert",
        "synth.jsonl --to preferences --out pairs.jsonl",
        "redline.convert.v1",
        &["file", "to", "n_rows", "formats", "report"],
    ),
    (
        "data annotate",
        "synth.jsonl --kind aspects --model http://localhost:1/v1#m --estimate --out annotated.jsonl",
        "redline.annotate.v1",
        &[
            "file",
            "kind",
            "model",
            "template",
            "n_questions",
            "n_repeated",
            "refused",
            "estimate",
            "estimated_cost",
            "run",
        ],
    ),
    (
        "ratio",
        "triples.jsonl",
        "redline.ratio.v1",
        &["n", "exact_copy_share", "mean_similarity", "char", "token", "max", "micro"],
    ),
    (
        "check",
        "model --reference expected.safetensors --tolerance 1e-3",
        "redline.check.v1",
        &["tolerance", "passes", "logits_max_rel"],
    ),
    (
        "perplexity",
        "template.txt --model model",
        "redline.perplexity.v1",
        &["model", "perplexity", "nll", "n_scored", "tokens"],
    ),
    ("check", "--prompts 2", "redline.self-test.v1", &["model", "template", "n_triples", "findings", "passes"]),
    ("inspect", "model", "redline.inspect.v1", &["path", "kind", "content"]),
    (
        "extract",
        "--model model --template template.txt --data triples.jsonl --pairs 24 --out vector.safetensors",
        "redline.extract.v1",
        &["vector", "settings", "provenance", "n_skipped", "warnings", "layers"],
    ),
    (
        "extract",
        "--model model --template template.txt --data triples.jsonl --pairs 24 --method inside --rank 2 --steps 2 --out inside.safetensors",
        "redline.extract-inside.v1",
        &["inside", "trained", "provenance", "parameters"],
    ),
    (
        "scan",
        "--model model --template template.txt --data triples.jsonl --vector vector.safetensors --row 30",
        "redline.scan.v1",
        &["label", "row", "layers", "tokens", "scores", "z"],
    ),
    (
        "sweep",
        "--model model --template template.txt --data triples.jsonl --vector vector.safetensors --skip 24 --prompts 24 \
         --coefficients -1,0,1 --max-new-tokens 8",
        "redline.sweep-summary.v1",
        &["file", "report", "n_rows", "settings", "effect"],
    ),
    (
        "extract",
        "--model model --template template.txt --data triples.jsonl --pairs 24 --shard 1/1 --activations activations.safetensors",
        "redline.extract-part.v1",
        &["activations", "shard", "settings", "n_pairs", "n_skipped"],
    ),
    (
        "sweep",
        "--model model --template template.txt --data triples.jsonl --vector vector.safetensors --skip 24 --prompts 4 --coefficients -1,0,1 \
         --max-new-tokens 4 --shard 1/1 --out part.jsonl",
        "redline.sweep-summary.v1",
        &["file", "n_rows", "settings", "effect"],
    ),
    ("merge", "part.jsonl --out merged.jsonl", "redline.merge.v1", &["file", "kind", "n_parts", "n_rows"]),
    ("fit", "sweep.jsonl", "redline.fit.v1", &["settings", "analysis", "limits"]),
    (
        "gate",
        "lat=vector.safetensors --model model --template template.txt --data labelled.jsonl --timed 1 --max-new-tokens 4",
        "redline.gate-calibration.v1",
        &["file", "figure", "calibration", "layers", "n_too_long", "safety"],
    ),
    (
        "route",
        "sweep.jsonl --model model --out route.json",
        "redline.route-fit.v1",
        &["file", "layer", "candidates", "utility", "tested", "is_better"],
    ),
    (
        "tune",
        "--target-ratio 0.25 --pairs 60 --prompts 24 --verify 4 --coefficients -1,0,1 --max-new-tokens 160",
        "redline.tune.v1",
        &[
            "variant",
            "target",
            "target_rows",
            "coefficient",
            "coefficient_interval",
            "n_level_resamples",
            "reach",
            "coherent_range",
            "fit",
            "verified",
            "target_in_verified_interval",
            "profile",
            "vector",
        ],
    ),
    ("completions", "bash", "redline.completions.v1", &["shell", "script"]),
    ("man", "--out man", "redline.man.v1", &["folder", "pages"]),
    ("plot", "sweep.jsonl --out figure", "redline.plot.v1", &["kind", "files"]),
    (
        "correct",
        "--model model --template template.txt --data triples.jsonl --max-new-tokens 4",
        "redline.correct.v1",
        &["question", "answer", "correction", "edit_ratio", "exact_copy", "coefficient", "truncated"],
    ),
    (
        "iterate",
        "--kind distil --policy model --data a.jsonl --held-out b.jsonl --out rounds --dry-run",
        "redline.iterate-plan.v1",
        &["steps"],
    ),
    (
        "evaluate",
        "--model model --template template.txt --data triples.jsonl --max-new-tokens 4 --prompts 6",
        "redline.evaluate.v1",
        &["model_hash", "data", "quality", "strictness"],
    ),
    (
        "evaluate",
        "--model model --template template.txt --data triples.jsonl --max-new-tokens 4 --prompts 4 --depth 2",
        "redline.depth.v1",
        &["data", "answers", "table"],
    ),
    (
        "evaluate",
        "--model model --template template.txt --data turns.jsonl --max-new-tokens 4 --turns",
        "redline.turns.v1",
        &["data", "answers", "drift"],
    ),
    (
        "feedback",
        "--model model --template template.txt --data flawed.jsonl --vector vector.safetensors --asked none,harmless \
         --coefficients -1,0,1 --max-new-tokens 8 --out feedback",
        "redline.feedback.v1",
        &["model_hash", "data", "folder", "n_rows", "n_repeated", "table"],
    ),
    (
        "bench",
        "--model model --template template.txt --prefill 8 --decode 2 --repeats 1",
        "redline.bench.v1",
        &["load_seconds", "threads", "timings"],
    ),
    (
        "layers",
        "--model model --template template.txt --data triples.jsonl --pairs 48 --held-out-share 0.4 --tokens 1 --around 1 --out layers",
        "redline.layers.v1",
        &["model_hash", "template", "data", "settings", "n_train", "n_held_out", "n_skipped", "places"],
    ),
    (
        "compare",
        "--model model --template template.txt --data triples.jsonl --pairs 40 --measured 4 --score-tokens 4 --random 2 \
         --methods mean_diff --units gap --layers all",
        "redline.compare.v1",
        &["model_hash", "template", "data", "settings", "coefficients", "range", "score_tokens", "comparison"],
    ),
    (
        "reproduce",
        "--model model --template template.txt --data triples.jsonl --pairs 12 --prompts 4 --coefficients -1,0,1 \
         --max-new-tokens 8 --random-generated 1 --shuffled-generated 1 --random-propensity 1 --control-prompts 2 --out report",
        "redline.summary.v2",
        &[
            "n_pairs",
            "n_prompts",
            "coefficients",
            "mean_edit_ratio",
            "coherence",
            "slope",
            "controls",
            "layers",
            "settings",
            "hashes",
        ],
    ),
    (
        "train",
        "--data triples.jsonl --from-scratch --hidden-size 32 --heads 2 --n-layers 2 --vocab-size 280 --context 256 --steps 3 \
         --batch-rows 2 --generate 2 --max-new-tokens 4 --held-out-share 0.2 --out run",
        "redline.train.v1",
        &["version", "template", "data", "n_rows", "n_trained", "n_steps", "stopped_early", "best", "last_evaluation"],
    ),
    (
        "ablate-warmup",
        "--data triples.jsonl --from-scratch --hidden-size 32 --heads 2 --n-layers 2 --vocab-size 280 --context 256 --steps 3 \
         --batch-rows 2 --generate 2 --max-new-tokens 4 --held-out-share 0.2 --shares 0,0.5 --out ablation",
        "redline.ablate-warmup.v1",
        &["data", "n_steps", "seed", "results"],
    ),
];

/// Verbs that print no results, and why.
const WITHOUT_RESULTS: [(&str, &str); 2] =
    [("help", "prints help"), ("serve", "runs until it is stopped; its own tests read the line that it prints")];

/// Verbs whose results are a JSON value a line.
const LINES: [&str; 2] = ["scan", "correct"];

/// The verbs that a help text lists.
fn listed(args: &[&str]) -> Vec<String> {
    let help = succeed(Path::new("."), args).stdout;
    let commands = help.split_once("Commands:\n").unwrap().1;
    let is_verb = |line: &&str| line.starts_with("  ") && !line[2..].starts_with(' ');
    let lines = commands.lines().take_while(|line| !line.is_empty());
    lines.filter(is_verb).filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[test]
fn no_verb_is_left_out() {
    let known: BTreeSet<&str> =
        CASES.iter().map(|case| case.0).chain(WITHOUT_RESULTS.iter().map(|verb| verb.0)).collect();
    for verb in listed(&["--help"]) {
        match verb.as_str() {
            "data" => {
                for verb in listed(&["data", "--help"]) {
                    assert!(
                        verb == "help" || known.contains(format!("data {verb}").as_str()),
                        "data {verb} has no case"
                    );
                }
            }
            verb => assert!(known.contains(verb), "{verb} has no case"),
        }
    }
}

#[test]
fn every_verb_prints_its_schema_and_nothing_else() {
    let tiny = Tiny::new();
    std::fs::copy(golden("llama/expected.safetensors"), tiny.path("expected.safetensors")).unwrap();
    let transcript = "\n\nHuman: Why?\n\nAssistant: So.\n\nHuman: And?\n\nAssistant:";
    let row = serde_json::json!({ "chosen": format!("{transcript} Good."), "rejected": format!("{transcript} Bad.") });
    std::fs::write(tiny.path("turns.jsonl"), format!("{row}\n")).unwrap();
    std::fs::write(tiny.path("flawed.jsonl"), short_flawed_rows(4)).unwrap();
    write_triples(&tiny.path("labelled.jsonl"), &labelled());
    for (verb, args, schema, keys) in CASES {
        let ran = succeed(tiny.folder(), &words(&format!("{verb} {args} --json")));
        let values: Vec<Value> = match LINES.contains(&verb) {
            true => ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            false => vec![
                serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{verb}: {error}: {}", ran.stdout)),
            ],
        };
        assert!(!values.is_empty(), "{verb} prints nothing");
        for value in values {
            assert_eq!(value["schema"], schema, "{verb}");
            for key in keys {
                assert!(value.get(key).is_some(), "{verb} has no {key}: {value}");
            }
        }
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{verb} writes colours to a pipe");
    }
}

/// Rows with a flaw each that fit into the smallest context.
fn short_flawed_rows(n: usize) -> String {
    let row = |i: usize| {
        let flaw = serde_json::json!({ "kind": "insult", "severity": 5, "start": 0, "end": 0, "text": "You fool. " });
        let (answer, clean) = (format!("You fool. Mice {i}."), format!("Mice {i}."));
        let row = serde_json::json!({
            "question": format!("What {i}?"), "answer": answer, "correction": clean, "flaws": [flaw], "strictness": 1, "clean": clean,
        });
        format!("{row}\n")
    };
    (0..n).map(row).collect()
}

#[test]
fn every_schema_is_described() {
    let text = std::fs::read_to_string(repository().join("docs/json.md")).unwrap();
    for (verb, _, schema, keys) in CASES {
        let place =
            text.find(&format!("`{schema}`")).unwrap_or_else(|| panic!("{schema} of {verb} is not in docs/json.md"));
        let part = text[place..].split("\n## ").next().unwrap();
        for key in keys {
            assert!(part.contains(&format!("`{key}`")), "docs/json.md does not describe `{key}` of {schema}");
        }
    }
}

#[test]
fn a_failure_leaves_standard_output_empty() {
    let tiny = Tiny::new();
    for line in ["ratio missing.jsonl --json", "fit triples.jsonl --json", "plot triples.jsonl --json", "ratio --json"]
    {
        let ran = run(tiny.folder(), &words(line));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert!(
            lines[0].starts_with("error: ") && lines[lines.len() - 1].starts_with("hint: "),
            "{line}: {}",
            ran.stderr
        );
    }
}
