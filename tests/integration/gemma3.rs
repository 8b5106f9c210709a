//! A second real model: Gemma 3 270M, quantised to Q4_K_M (with Q5_0, Q6_K and Q8_0 in it), SentencePiece tokenizer.
//!
//! Looked for in the environment variable `REDLINE_GEMMA3`, then in `models/`; without it the tests say that they did not run.

use std::path::PathBuf;

use crate::fixture::triples;
use crate::program::{json, lines, not_tested, repository, succeed};

fn path(what: &str) -> Option<PathBuf> {
    let path = std::env::var_os("REDLINE_GEMMA3").map(PathBuf::from);
    let path = path.unwrap_or_else(|| repository().join("models/gemma-3-270m-Q4_K_M.gguf"));
    if !path.exists() {
        not_tested(&format!("{what}: no Gemma 3; scripts/fetch-gemma3.sh gets it, or set REDLINE_GEMMA3"));
        return None;
    }
    Some(path)
}

#[test]
fn it_is_scanned_steered_and_corrects() {
    let Some(model) = path("Gemma 3, from pairs to corrections") else { return };
    let folder = tempfile::tempdir().unwrap();
    crate::fixture::write_triples(&folder.path().join("triples.jsonl"), &triples(12));
    let run = |args: &str| {
        let args = args.replace("MODEL", &model.display().to_string());
        succeed(folder.path(), &args.split(' ').collect::<Vec<_>>())
    };
    run("extract --model MODEL --template aligner --data triples.jsonl --pairs 8 --out v.safetensors --gguf v.gguf");
    run("scan --model MODEL --template aligner --vector v.safetensors --data triples.jsonl --tokens 4 --out scan");
    let scans = lines(&folder.path().join("scan/scans.jsonl"));
    assert_eq!(scans[0]["layers"].as_array().unwrap().len(), 18);
    let sweep = "sweep --model MODEL --template aligner --vector v.gguf --data triples.jsonl --skip 8 --prompts 2 \
                 --coefficients=-1,0,1 --max-new-tokens 8 --out sweep.jsonl";
    run(sweep);
    let args = sweep.replace("sweep.jsonl", "again.jsonl").replace("v.gguf", "v.safetensors");
    run(&args);
    let outputs = |name: &str| -> Vec<String> {
        let rows = lines(&folder.path().join(name));
        rows.iter().filter_map(|row| Some(row["output"].as_str()?.to_owned())).collect()
    };
    assert_eq!(outputs("sweep.jsonl").len(), 6);
    assert_eq!(outputs("sweep.jsonl"), outputs("again.jsonl"), "both formats of a vector steer alike");
    let checked =
        json(folder.path(), &["check", &model.display().to_string(), "--template", "aligner", "--prompts", "2"]);
    assert_eq!(checked["passes"], true, "{checked}");
}
