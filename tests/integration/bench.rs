//! Speed: what `redline bench` reports, and that drafting changes no text.

use crate::program::{json, repository, run, succeed};

const ROWS: &str = "assets/demo/triples.jsonl";

#[test]
fn reading_writing_and_correcting_are_timed() {
    let args = [
        "bench",
        "--prefill",
        "40",
        "--decode",
        "6",
        "--rows",
        "1,3",
        "--repeats",
        "2",
        "--data",
        ROWS,
        "--prompts",
        "3",
    ];
    let report = json(&repository(), &args);
    assert!(report["load_seconds"].as_f64().unwrap() > 0.0);
    let timings = report["timings"].as_array().unwrap();
    let works: Vec<&str> = timings.iter().map(|timing| timing["work"].as_str().unwrap()).collect();
    assert_eq!(works, ["prefill", "decode", "decode", "correct", "correct-drafted"]);
    for timing in timings {
        assert_eq!(timing["tokens_per_second"].as_array().unwrap().len(), 2);
        assert!(timing["median"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(timings[0]["n_tokens"], 40);
    assert_eq!((&timings[1]["rows"], &timings[1]["n_tokens"]), (&1.into(), &6.into()));
    assert_eq!((&timings[2]["rows"], &timings[2]["n_tokens"]), (&3.into(), &18.into()));
    assert_eq!(timings[3]["n_tokens"], timings[4]["n_tokens"], "drafting changes no text");
    assert!(timings[3].get("drafting").is_none());
    let drafting = &timings[4]["drafting"];
    assert!(drafting["tokens_per_pass"].as_f64().unwrap() > 1.5, "{drafting}");
    assert!((0.2..=1.0).contains(&drafting["accepted_share"].as_f64().unwrap()), "{drafting}");
}

#[test]
fn more_tokens_than_the_context_are_refused() {
    let ran = run(&repository(), &["bench", "--prefill", "5000"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("5000 tokens exceed the model's context of 1024"), "{}", ran.stderr);
}

#[test]
fn a_drafted_correction_reads_as_one_that_is_not() {
    let answer = "You are a complete fool. Honey keeps for years because it holds hardly any water.";
    let correct = |more: &[&str]| {
        let args = ["correct", "--question", "Why does honey keep for years?", "--answer", answer];
        succeed(&repository(), &[&args, more].concat()).stdout
    };
    assert_eq!(correct(&[]), correct(&["--no-draft"]));
}

#[test]
fn inputs_of_sixteen_bits_change_likelihoods_little() {
    let folder = tempfile::tempdir().unwrap();
    let text = "An egg boils in eight minutes. Put it into boiling water, not into cold water, and mind the steam.";
    std::fs::write(folder.path().join("text.txt"), text).unwrap();
    let scored = |precision: &str| -> Vec<f64> {
        let report = json(folder.path(), &["perplexity", "text.txt", "--matmul-precision", precision]);
        let tokens = report["tokens"].as_array().unwrap().iter();
        tokens.filter_map(|token| token["log_prob"].as_f64()).collect()
    };
    let (high, highest) = (scored("high"), scored("highest"));
    assert!(high.len() > 15 && high.len() == highest.len());
    let differences = || high.iter().zip(&highest).map(|(a, b)| (a - b).abs());
    let largest = differences().fold(0.0, f64::max);
    // inputs of bf16 change them by tenths, of eight bits by hundredths
    assert!(largest < 1e-2, "{largest}");
    assert!(differences().sum::<f64>() / (high.len() as f64) < 1e-3);

    let products = |precision: &str| {
        let args = ["bench", "--prefill", "8", "--decode", "2", "--repeats", "1", "--matmul-precision", precision];
        json(folder.path(), &args)["products"].as_str().unwrap().to_owned()
    };
    assert!(products("highest").starts_with("f32"));
    match products("high").starts_with("16-bit") {
        true => assert!(largest > 0.0, "the two are computed in different ways"),
        false => assert_eq!(largest, 0.0),
    }
}
