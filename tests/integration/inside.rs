//! Aligners inside a model: trained, kept, used as a dial, refused.

use std::fs;
use std::path::Path;

use redline::steer::InsideFile;
use serde_json::Value;

use crate::fixture::words;
use crate::program::{json, lines, run, succeed};

/// A training that takes seconds.
const SHORT: &str = "--method inside --rank 4 --layers 1-2 --goal graded --learning-rate 0.03 --training-rows 60 --steps 20 --step-rows 4 --evaluate-every 10 \
                     --development-rows 12 --out inside.safetensors";
const SWEEP: &str =
    "sweep --data other.jsonl --prompts 4 --coefficients=0,1,8 --max-new-tokens 40 --vector inside.safetensors";

fn trained(folder: &Path) -> Value {
    succeed(folder, &words("data synth --rows 80 --seed 3 --out rows.jsonl"));
    succeed(folder, &words("data synth --rows 80 --seed 4 --out other.jsonl"));
    json(folder, &words(&format!("extract --data rows.jsonl --pairs 60 {SHORT}")))
}

fn outputs(rows: &[Value], coefficient: f64) -> Vec<&str> {
    let at = rows.iter().filter(|row| row["coefficient"] == coefficient);
    at.map(|row| row["output"].as_str().unwrap()).collect()
}

#[test]
fn an_aligner_inside_a_model_is_a_dial() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let told = trained(at);
    let training = &told["provenance"]["training"];
    assert!(training["best_loss"].as_f64().unwrap() < training["start_loss"].as_f64().unwrap(), "{training}");
    assert_eq!((told["provenance"]["rank"].as_u64(), training["goal"].as_str()), (Some(4), Some("graded")));
    let width = told["provenance"]["hidden_size"].as_u64().unwrap();
    assert_eq!(told["parameters"]["inside"].as_u64(), Some(2 * 2 * 4 * width));
    assert_eq!(told["parameters"]["vector"].as_u64(), Some(2 * width));
    assert!(!at.join("inside.safetensors.checkpoint").exists(), "its training has ended");
    let file = InsideFile::load(&at.join("inside.safetensors")).unwrap();
    assert_eq!(file.control.steered_layers(), [1, 2]);
    let inspected = json(at, &words("inspect inside.safetensors"));
    assert_eq!(inspected["kind"], "Aligner inside a model");

    // at 0 it writes what the model writes
    succeed(at, &words(&format!("{SWEEP} --out sweep.jsonl")));
    let bare = SWEEP.replace("inside.safetensors", "none --copy-bias 1").replace("=0,1,8", "=0");
    succeed(at, &words(&format!("{bare} --out bare.jsonl")));
    let (rows, bare) = (lines(&at.join("sweep.jsonl")), lines(&at.join("bare.jsonl")));
    assert_eq!(outputs(&rows[1..], 0.0), outputs(&bare[1..], 0.0));
    assert_ne!(outputs(&rows[1..], 8.0), outputs(&rows[1..], 0.0), "it does something");
    assert_eq!(rows[0]["settings"]["unit"], "file");
    // and one answer corrected alone is that of the sweep
    let other = lines(&at.join("other.jsonl"));
    let text = |key: &str| other[0][key].as_str().unwrap();
    let mut correct = words("correct --vector inside.safetensors --coefficient 1 --max-new-tokens 40 --question");
    correct.extend([text("question"), "--answer", text("answer")]);
    let swept = rows[1..].iter().find(|row| row["row"] == 0 && row["coefficient"] == 1.0).unwrap();
    assert_eq!(succeed(at, &correct).stdout.trim(), swept["output"].as_str().unwrap().trim());
    // its own questions cannot be measured on
    let leak = run(at, &words(&SWEEP.replace("other", "rows").replace("--prompts 4", "--prompts 40 --out leak.jsonl")));
    assert!(leak.code == 1 && leak.stderr.contains("were used to extract the vector"), "{}", leak.stderr);
    let elsewhere = succeed(at, &words(&format!("{SWEEP} --range all --out elsewhere.jsonl")));
    assert!(elsewhere.stderr.contains("was trained over the positions `output`"), "{}", elsewhere.stderr);
}

#[test]
fn a_profile_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trained(at);
    let tune = "tune --data other.jsonl --vector inside.safetensors --prompts 24 --verify 4 --coefficients=-1,0,1,2 --max-new-tokens 60 --target-ratio";
    let tuned = run(at, &words(&format!("{tune} 0.2 --save careful")));
    // a short training need not reach the ratio, but what is wrong is never the file
    if tuned.code == 0 {
        let profile: Value = serde_json::from_slice(&fs::read(at.join("profiles/careful.json")).unwrap()).unwrap();
        assert_eq!(profile["unit"], "file");
        succeed(at, &words("correct --profile careful --question Why? --answer Because."));
    } else {
        assert!(
            ["within reach", "slope", "coherent"].iter().any(|word| tuned.stderr.contains(word)),
            "{}",
            tuned.stderr
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trained(at);
    let extract = format!("extract --data rows.jsonl --pairs 40 {SHORT}");
    let refused = [
        (format!("{SWEEP} --operator ablate --out s.jsonl"), "--operator ablate is for vectors"),
        (format!("{SWEEP} --layers 0 --out s.jsonl"), "layer 0"),
        ("scan --data other.jsonl --vector inside.safetensors".into(), "not a reading vector"),
        (extract.replace("inside.saf", "b.saf") + " --gguf b.gguf", "an Aligner inside a model has none"),
        (extract.replace("inside.saf", "b.saf") + " --site attn_out", "--site says how pairs are read"),
        (extract.replace("--rank 4", "--rank 100000"), "--rank"),
        (
            "extract --data rows.jsonl --rank 4 --out v.safetensors".into(),
            "--rank is that of an Aligner inside a model",
        ),
        ("reproduce --method inside".into(), "this command trains no Aligner inside a model"),
        ("layers --data rows.jsonl --out x --method inside".into(), "this command trains no Aligner inside a model"),
        ("sweep --adapter-scale 0.5 --data other.jsonl --vector inside.safetensors".into(), "--model"),
    ];
    for (line, said) in refused {
        let ran = run(at, &words(&line));
        assert!(ran.code != 0 && ran.stderr.contains(said), "{line}: {}", ran.stderr);
    }
    assert!(!at.join("b.safetensors").exists() && !at.join("s.jsonl").exists());
    // the file is one of its kind, and no reading vector is written over it
    let over = run(at, &words("extract --data rows.jsonl --pairs 24 --out inside.safetensors"));
    assert!(over.code == 1 && over.stderr.contains("inside.safetensors"), "{}", over.stderr);
    // other weights
    let path = at.join("inside.safetensors");
    let bytes = fs::read(&path).unwrap();
    let hash = InsideFile::load(&path).unwrap().origin.model_hash;
    let place = bytes.windows(hash.len()).position(|window| window == hash.as_bytes()).unwrap();
    let mut other = bytes.clone();
    other[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
    fs::write(&path, other).unwrap();
    let ran = run(at, &words(&format!("{SWEEP} --out s.jsonl")));
    assert!(ran.code == 1 && ran.stderr.contains("made for another model"), "{}", ran.stderr);
    succeed(at, &words(&format!("{SWEEP} --any-model --out s.jsonl")));
}
