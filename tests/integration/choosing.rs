//! What helps to choose and to understand a dial: `layers`, `compare`, `fit --rows`, on the built-in Aligner.

use std::path::Path;

use serde_json::Value;

use crate::fixture::{Tiny, words};
use crate::program::{json, repository, run, succeed};

fn rows() -> String {
    repository().join("assets/aligner/held-out.jsonl.gz").display().to_string()
}

fn place<'a>(result: &'a Value, name: &str) -> &'a Value {
    let places = result["places"].as_array().unwrap();
    places.iter().find(|place| place["place"] == name).unwrap_or_else(|| panic!("no {name}"))
}

fn layers(folder: &Path, design: &str) -> Value {
    let line =
        format!("layers --strictness 1 --pairs 90 --held-out-share 0.4 --tokens 3 --around 2 --design {design} --out");
    json(folder, &[&words(&line)[..], &[design, "--data", &rows()]].concat())
}

#[test]
fn layers_reads_the_decision_before_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let found = layers(folder.path(), "decision");
    assert_eq!(found["places"].as_array().unwrap().len(), 1 + 3 + 5);
    let prompt = place(&found, "last-prompt-token");
    let best = prompt["layers"].as_array().unwrap().iter().map(|layer| layer["auroc"]["value"].as_f64().unwrap());
    assert!(best.fold(0.0, f64::max) > 0.65, "{prompt}");
    let depth = &prompt["depth"];
    let [early, middle] = [0, 1].map(|third| depth["auroc_by_third"][third]["value"].as_f64().unwrap());
    assert!((early - middle - depth["early_minus_middle"]["value"].as_f64().unwrap()).abs() < 1e-9, "{depth}");
    // along the directions of the decision itself, two sets of directions are one
    let decided = place(&found, "at-difference:-1");
    assert_eq!(decided["fixed"], decided["layers"]);
    assert_eq!(prompt["fixed"].as_array().unwrap().len(), 0);
    for name in ["layers.json", "auroc-output.png", "auroc-difference.svg", "onset.png"] {
        assert!(folder.path().join("decision").join(name).exists(), "{name}");
    }
}

#[test]
fn layers_leaves_out_pairs_without_contrast() {
    let folder = tempfile::tempdir().unwrap();
    let found = layers(folder.path(), "forced");
    let n = |name: &str| place(&found, name)["n_train"].as_u64().unwrap();
    assert_eq!((n("last-prompt-token"), n("at-difference:-1")), (0, 0), "both texts are the same up to there");
    assert!(0 < n("output-token:0") && n("output-token:0") <= n("output-token:2"));
    assert_eq!(n("at-difference:0"), found["n_train"].as_u64().unwrap());
    assert_eq!(place(&found, "last-prompt-token")["layers"].as_array().unwrap().len(), 0);
}

#[test]
fn compare_ranks_candidates_of_equal_strength() {
    let folder = tempfile::tempdir().unwrap();
    let line = "compare --strictness 1 --pairs 60 --measured 6 --score-tokens 12 --methods mean_diff,random --layers all \
                --layers 1-2 --units gap,unit --random 4 --out compare.json --data";
    let found = json(folder.path(), &[&words(line)[..], &[&rows()]].concat());
    let written: Value = serde_json::from_slice(&std::fs::read(folder.path().join("compare.json")).unwrap()).unwrap();
    assert_eq!(found, written);
    let comparison = &found["comparison"];
    let candidates = comparison["candidates"].as_array().unwrap();
    assert_eq!((candidates.len(), comparison["random_slopes"].as_array().unwrap().len()), (8, 4));
    let slope = |candidate: &Value| candidate["slope"].as_f64().unwrap();
    assert!(candidates.windows(2).all(|pair| slope(&pair[0]) >= slope(&pair[1])));
    assert_eq!(candidates[0]["method"], "mean_diff");
    let best_random = candidates.iter().filter(|c| c["method"] == "random").map(slope).fold(f64::MIN, f64::max);
    assert!(slope(&candidates[0]) > 2.0 * best_random.abs(), "{} against {best_random}", slope(&candidates[0]));
    // the first candidate asked for sets the strength
    let first = candidates.iter().find(|c| c["method"] == "mean_diff" && c["layers"] == "all" && c["unit"] == "gap");
    assert!((first.unwrap()["factor"].as_f64().unwrap() - 1.0).abs() < 1e-9);

    // directions of other pairs are measured on corrections and answers too
    let line = "compare --strictness 1 --pairs 40 --measured 4 --score-tokens 12 --methods mean_diff --layers all --units gap \
                --random 0 --design decision --data";
    let decided = json(folder.path(), &[&words(line)[..], &[&rows()]].concat());
    assert!(slope(&decided["comparison"]["candidates"][0]).abs() > 0.01, "{decided}");

    let file = rows();
    let none = [&words("compare --coefficients 1,2 --data")[..], &[&file]].concat();
    let ran = run(folder.path(), &none);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("add 0 to the coefficients"), "{}", ran.stderr);
}

#[test]
fn fit_tells_what_slopes_depend_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = rows();
    let extract = "extract --strictness 1 --pairs 40 --layers all --out vector.safetensors --data";
    succeed(folder.path(), &[&words(extract)[..], &[&file]].concat());
    // what is fitted here does not matter
    let sweep = "sweep --allow-overlap --vector vector.safetensors --layers all --skip 60 --prompts 12 --coefficients -1,0,1 \
                 --max-new-tokens 48 --out sweep.jsonl --data";
    succeed(folder.path(), &[&words(sweep)[..], &[&file]].concat());
    let fit = words("fit sweep.jsonl --examples 2 --rows");
    let found = json(folder.path(), &[&fit[..], &[&file]].concat());
    let limits = &found["limits"];
    assert_eq!(limits["dependences"].as_array().unwrap().len(), 5);
    let weakest = limits["weakest"].as_array().unwrap();
    let slopes: Vec<f64> = found["analysis"]["fit"]["prompt_slopes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slope| slope.as_f64().unwrap())
        .collect();
    let lowest = slopes.iter().copied().fold(f64::MAX, f64::min);
    assert_eq!((weakest.len(), weakest[0]["slope"].as_f64()), (2, Some(lowest)));
    let shown = succeed(folder.path(), &[&fit[..], &[&file]].concat());
    assert!(shown.stdout.contains("number of flaws") && shown.stdout.contains("from -1 to 1:"), "{}", shown.stdout);

    // rows of another file, and rows without flaws
    std::fs::write(folder.path().join("one.jsonl"), first_line(&file)).unwrap();
    let ran = run(folder.path(), &words("fit sweep.jsonl --rows one.jsonl"));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("not the rows that were swept") && ran.stderr.contains("hint: "), "{}", ran.stderr);
    let tiny = Tiny::new();
    let plain = tiny.path("triples.jsonl");
    let ran = run(folder.path(), &[&words("fit sweep.jsonl --rows")[..], &[plain.to_str().unwrap()]].concat());
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("the rows carry no flaws"), "{}", ran.stderr);
}

fn first_line(gzip: &str) -> String {
    let file = std::fs::File::open(gzip).unwrap();
    let text = std::io::read_to_string(flate2::read::GzDecoder::new(file)).unwrap();
    text.lines().next().unwrap().to_owned() + "\n"
}
