//! Options that cannot be followed, outputs that cannot be written, runs that may not be continued.

use super::*;
use crate::program::succeed;

const COMMON: &str = "--model model --template template.txt --data triples.jsonl --max-new-tokens 8";

fn sweep(more: &str) -> String {
    format!("sweep {COMMON} --vector vector.safetensors --skip 24 --prompts 2 {more}")
}

fn reproduce(more: &str) -> String {
    format!("reproduce {COMMON} --pairs 8 --prompts 2 {more}")
}

#[test]
fn coefficients_that_are_not_finite() {
    let tiny = Tiny::new();
    tiny.extract();
    for value in ["nan", "inf", "-inf", "1e39"] {
        let name = |verb: &str| format!("option_coefficient_{verb}_{}", value.replace('-', "minus_"));
        let correct = format!("correct {COMMON} --vector vector.safetensors --coefficient {value}");
        refused_line(&tiny, &name("correct"), &correct);
        refused_line(&tiny, &name("sweep"), &sweep(&format!("--coefficients -1,0,{value}")));
        refused_line(&tiny, &name("reproduce"), &reproduce(&format!("--coefficients -1,0,{value}")));
    }
}

#[test]
fn coefficient_lists() {
    let tiny = Tiny::new();
    for (name, list) in
        [("twice", "0,1,1"), ("word", "0,one"), ("empty", ","), ("two", "0,1"), ("no_baseline", "1,2,3")]
    {
        refused_line(&tiny, &format!("option_coefficients_{name}"), &reproduce(&format!("--coefficients {list}")));
    }
}

#[test]
fn bad_options_are_refused_before_the_model_is_read() {
    let tiny = Tiny::new();
    std::fs::write(tiny.path("model/model.safetensors"), "damaged").unwrap();
    refused_line(&tiny, "option_coefficients_no_baseline", &reproduce("--coefficients 1,2,3"));
    refused_line(&tiny, "option_temperature", &format!("correct {COMMON} --temperature=-1"));
    refused_line(&tiny, "option_top_p", &format!("correct {COMMON} --temperature 1 --top-p 1.5"));
    refused_line(
        &tiny,
        "option_no_tokens",
        &format!("correct {COMMON} --max-new-tokens 0").replacen(" --max-new-tokens 8", "", 1),
    );
    refused_line(&tiny, "option_held_out", &reproduce("--held-out-share 1"));
    refused_line(&tiny, "option_bound", &reproduce("--coherence-bound 0"));
    refused_line(&tiny, "option_few_pairs", &reproduce("--pairs 3").replacen("--pairs 8", "", 1));
    refused_line(&tiny, "option_site", &reproduce("--site resid_past"));
    refused_line(&tiny, "option_range", &reproduce("--range 9..3"));
    refused_line(&tiny, "option_layers", &reproduce("--layers 3-x"));
    let out = "--out triples.jsonl/sub/out.safetensors";
    refused_line(&tiny, "output_extract", &format!("extract --model model --data triples.jsonl {out}"));
    refused_line(&tiny, "output_reproduce", &reproduce("--out triples.jsonl/report"));
}

#[test]
fn layers_the_model_does_not_have() {
    refused_line(&Tiny::new(), "option_layers_beyond", &reproduce("--layers 2-4 --out ."));
}

#[test]
fn outputs_that_cannot_be_written() {
    let tiny = Tiny::new();
    tiny.extract();
    let common = "--model model --template template.txt --data triples.jsonl";
    let extract = format!("extract {common} --pairs 12");
    refused_line(&tiny, "output_missing_folder", &format!("{extract} --out missing/vector.safetensors"));
    refused_line(&tiny, "output_gguf", &format!("{extract} --out other.safetensors --gguf triples.jsonl/vector.gguf"));
    refused_line(&tiny, "output_is_a_folder", &format!("{extract} --out model"));
    refused_line(&tiny, "output_dash", &format!("{extract} --out -"));
    refused_line(&tiny, "output_sweep", &sweep("--out triples.jsonl/sweep.jsonl"));
    refused_line(&tiny, "output_scan", &format!("scan {common} --vector vector.safetensors --out triples.jsonl/scan"));
    refused_line(
        &tiny,
        "scan_too_long",
        &format!("scan {common} --vector vector.safetensors --max-tokens 2 --out scans"),
    );
    assert!(!tiny.path("scans").exists(), "no folder without scans");
    succeed(tiny.folder(), &words(&sweep("--out sweep.jsonl")));
    refused_line(&tiny, "output_fit", "fit sweep.jsonl --plot triples.jsonl/figure");
}

#[test]
fn sweep_over_questions_of_the_vector() {
    let tiny = Tiny::new();
    tiny.extract();
    let overlapping = format!("sweep {COMMON} --vector vector.safetensors --skip 22 --prompts 4 --out sweep.jsonl");
    refused_line(&tiny, "sweep_overlap", &overlapping);
    succeed(tiny.folder(), &words(&format!("{overlapping} --allow-overlap")));
}

#[test]
fn a_sampled_sweep_depends_on_its_rows_alone() {
    let tiny = Tiny::new();
    tiny.extract();
    let outputs = |name: &str, more: &str| -> Vec<String> {
        succeed(tiny.folder(), &words(&sweep(&format!("--temperature 1 --seed 3 --out {name} {more}"))));
        let rows = crate::program::lines(&tiny.path(name));
        rows.iter()
            .filter_map(|row| Some(format!("{} {} {}", row["row"], row["coefficient"], row["output"].as_str()?)))
            .collect()
    };
    let [mut one, mut two] = [outputs("one.jsonl", "--batch-rows 1"), outputs("two.jsonl", "--batch-rows 64")];
    one.sort();
    two.sort();
    assert_eq!(one, two);
}

#[test]
fn sweep_beyond_the_last_row() {
    let tiny = Tiny::new();
    tiny.extract();
    let line = format!("sweep {COMMON} --vector vector.safetensors --skip 48 --out sweep.jsonl");
    refused_line(&tiny, "sweep_no_rows", &line);
}

#[test]
fn sweep_of_other_settings() {
    let tiny = Tiny::new();
    tiny.extract();
    succeed(tiny.folder(), &words(&sweep("--out sweep.jsonl --seed 1")));
    refused_line(&tiny, "sweep_other_settings", &sweep("--out sweep.jsonl --seed 2"));
    refused_line(&tiny, "sweep_not_a_sweep", &sweep("--out triples.jsonl"));
}

#[test]
fn fit_of_something_else() {
    let tiny = Tiny::new();
    refused_line(&tiny, "fit_not_a_sweep", "fit triples.jsonl");
    std::fs::write(tiny.path("figure.png"), b"\x89PNG\r\n\x1a\n\xff\xfe\n").unwrap();
    refused_line(&tiny, "fit_bytes", "fit figure.png");
    refused_line(&tiny, "fit_missing", "fit no-such-sweep.jsonl");
    std::fs::write(tiny.path("empty.jsonl"), "").unwrap();
    refused_line(&tiny, "fit_empty", "fit empty.jsonl");
    tiny.extract();
    succeed(tiny.folder(), &words(&sweep("--out sweep.jsonl")));
    let header = std::fs::read_to_string(tiny.path("sweep.jsonl")).unwrap().lines().next().unwrap().to_string();
    std::fs::write(tiny.path("header.jsonl"), header + "\n").unwrap();
    refused_line(&tiny, "fit_no_rows", "fit header.jsonl");
    let text = std::fs::read_to_string(tiny.path("sweep.jsonl")).unwrap();
    let damaged: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(i, l)| if i == 4 { l[..40].to_string() } else { l.to_string() } + "\n")
        .collect();
    std::fs::write(tiny.path("damaged.jsonl"), damaged.concat()).unwrap();
    refused_line(&tiny, "fit_damaged", "fit damaged.jsonl");
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.jsonl");
    let ran = crate::program::run(std::path::Path::new("."), &[std::ffi::OsStr::new("fit"), name]);
    assert!(ran.code == 1 && ran.stderr.contains("no UTF-8") && ran.stderr.contains("hint: "), "{}", ran.stderr);
}

#[test]
fn nothing_to_do() {
    let tiny = Tiny::new();
    for (name, line) in [
        ("pairs", "extract --model model --data triples.jsonl --pairs 0".to_owned()),
        ("prompts", sweep("--prompts 0").replace("--prompts 2 ", "")),
        ("batch_rows", sweep("--batch-rows 0")),
        ("rows", "data synth --rows 0 --out rows.jsonl".to_owned()),
    ] {
        refused_line(&tiny, &format!("option_no_{name}"), &line);
    }
}
