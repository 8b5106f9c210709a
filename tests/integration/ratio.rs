//! `redline ratio`: a file whose ratios are computed by hand, and the known figures of the released Aligner-2B.

use std::path::Path;

use redline::model::Qac;
use serde_json::Value;

use crate::fixture::write_triples;
use crate::program::{json, not_tested, repository, run, succeed};

fn qac(answer: &str, correction: &str) -> Qac {
    Qac { question: "q".into(), answer: answer.into(), correction: correction.into() }
}

#[test]
fn a_small_file_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("triples.jsonl");
    // distances 0, 1 and 4 over lengths 4, 4 and 2
    write_triples(&path, &[qac("abcd", " abcd\n"), qac("abcd", "abcx"), qac("ab", "abcdef")]);
    let value = json(folder.path(), &["ratio", "triples.jsonl"]);
    let number = |variant: &str, measure: &str| value[variant][measure].as_f64().unwrap();
    let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-12, "{got}, expected {expected}");
    assert_eq!(value["schema"], "redline.ratio.v1");
    assert_eq!(value["n"], 3);
    near(value["exact_copy_share"].as_f64().unwrap(), 1.0 / 3.0);
    near(number("char", "mean"), (0.0 + 0.25 + 2.0) / 3.0);
    near(number("char", "median"), 0.25);
    near(number("token", "mean"), 2.0 / 3.0);
    near(number("max", "mean"), (0.0 + 0.25 + 4.0 / 6.0) / 3.0);
    near(number("micro", "mean"), 0.5);
}

#[test]
fn standard_input_and_gzip_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("triples.jsonl");
    write_triples(&path, &crate::fixture::triples(20));
    let plain = succeed(folder.path(), &["ratio", "triples.jsonl"]).stdout;
    let bytes = std::fs::read(&path).unwrap();
    let mut piped = assert_cmd::Command::new(crate::program::BINARY);
    let output = piped.args(["ratio", "-"]).write_stdin(bytes.clone()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), plain);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &bytes).unwrap();
    std::fs::write(folder.path().join("triples.jsonl.gz"), gzip.finish().unwrap()).unwrap();
    assert_eq!(succeed(folder.path(), &["ratio", "triples.jsonl.gz"]).stdout, plain);
    assert!(plain.contains("n 20") && plain.contains("micro"), "{plain}");
}

/// Compares a data file with its known figures: share of exact copies, mean and median character ratio.
fn known(name: &str, figures: [(f64, f64); 3]) {
    let path = repository().join("../shared/data").join(name);
    if !path.is_file() {
        not_tested(&format!("known figures of {name}: the file is not at {}", path.display()));
        return;
    }
    let value: Value = json(Path::new("."), &["ratio", &path.display().to_string()]);
    assert_eq!(value["n"], 805);
    let got = [&value["exact_copy_share"], &value["char"]["mean"], &value["char"]["median"]];
    for (got, (expected, rounding)) in got.into_iter().zip(figures) {
        let got = got.as_f64().unwrap();
        assert!((got - expected).abs() <= rounding, "{name}: {got}, expected {expected}");
    }
}

// the figures are published rounded; the tolerance is half a unit of their last digit

#[test]
fn aligner_2b_on_gpt_4_turbo() {
    known("aligner-2b-on-gpt-4-turbo.jsonl.gz", [(0.048, 5e-4), (0.825, 5e-4), (0.706, 5e-4)]);
}

#[test]
fn aligner_2b_on_qwen() {
    known("aligner-2b-on-qwen1.5-72b.jsonl.gz", [(0.123, 5e-4), (1.230, 5e-4), (0.80, 5e-3)]);
}

#[test]
fn a_missing_file_is_named() {
    let ran = run(Path::new("."), &["ratio", "no-such-file.jsonl"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("no-such-file.jsonl") && ran.stdout.is_empty(), "{ran:?}");
}
