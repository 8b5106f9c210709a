use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::*;

#[derive(Deserialize)]
struct GoldenRow {
    original: String,
    corrected: String,
    distance: usize,
    edit_ratio: Option<f64>,
    similarity: f64,
}

#[test]
fn equals_the_golden_rows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/levenshtein.json");
    let rows: Vec<GoldenRow> = serde_json::from_reader(File::open(path).unwrap()).unwrap();
    assert_eq!(rows.len(), 324);
    for row in rows {
        let got = EditRatios::new(&row.original, &row.corrected);
        let text = format!("{:?} -> {:?}", row.original, row.corrected);
        assert_eq!(got.distance, row.distance, "{text}");
        assert_eq!(got.char.is_some(), row.edit_ratio.is_some(), "{text}");
        // The file holds full double precision.
        assert!((got.char.unwrap_or(0.0) - row.edit_ratio.unwrap_or(0.0)).abs() < 1e-12, "{text}");
        assert!((got.similarity - row.similarity).abs() < 1e-12, "{text}");
    }
}

/// Reads a data file that is not part of the repository; `None`, loudly, where it is absent.
fn shared_rows(name: &str) -> Option<Vec<(String, String)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    let Ok(file) = File::open(&path) else {
        eprintln!("SKIPPED: {} is absent, its known figures were NOT checked", path.display());
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let rows = lines.map(|line| {
        let row: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        (text("answer"), text("correction"))
    });
    Some(rows.collect())
}

/// The figures are known for texts without white space at their ends; `n_raw_copies` counts copies in the texts as they stand.
fn check_known_figures(
    name: &str,
    n_raw_copies: usize,
    copies_percent: f64,
    mean: f64,
    (median, median_tolerance): (f64, f64),
) {
    let Some(rows) = shared_rows(name) else {
        return;
    };
    assert_eq!(rows.len(), 805);
    let raw = edit_ratios(&rows);
    assert_eq!(raw.iter().filter(|row| row.exact_copy).count(), n_raw_copies);
    let trimmed: Vec<(&str, &str)> = rows.iter().map(|(a, c)| (a.trim(), c.trim())).collect();
    for summary in [raw, edit_ratios(&trimmed)].map(|rows| summarize_edit_ratios(&rows).unwrap()) {
        assert_eq!(summary.char.n, 805);
        assert!((summary.char.mean.unwrap() - mean).abs() <= 0.0005, "{summary:?}");
        assert!((summary.char.median.unwrap() - median).abs() <= median_tolerance, "{summary:?}");
    }
    let summary = summarize_edit_ratios(&edit_ratios(&trimmed)).unwrap();
    assert!((summary.exact_copy_share * 100.0 - copies_percent).abs() <= 0.05, "{summary:?}");
}

#[test]
fn known_figures_on_gpt_4_turbo() {
    check_known_figures("aligner-2b-on-gpt-4-turbo.jsonl.gz", 39, 4.8, 0.825, (0.706, 0.0005));
}

#[test]
fn known_figures_on_qwen_72b() {
    // One correction differs from its answer by a leading space alone: 98 copies as they stand, 99 (12.3 %) trimmed.
    check_known_figures("aligner-2b-on-qwen1.5-72b.jsonl.gz", 98, 12.3, 1.230, (0.80, 0.005));
}

#[test]
fn real_answers_equal_the_slow_reference() {
    let Some(rows) = shared_rows("aligner-2b-on-gpt-4-turbo.jsonl.gz") else {
        return;
    };
    for (original, output) in rows.iter().step_by(20) {
        let row = EditRatios::new(original, output);
        assert_eq!(row.distance, strsim::levenshtein(original, output));
        let words = |text| split_words(text).collect::<Vec<&str>>();
        assert_eq!(row.token_distance, strsim::generic_levenshtein(&words(original), &words(output)));
    }
}

#[test]
fn each_variant_has_its_own_denominator() {
    // "ab cd" (5 scalar values, 3 words) to "ab": 3 deleted scalar values, 2 deleted words.
    let row = EditRatios::new("ab cd", "ab");
    assert_eq!((row.distance, row.token_distance), (3, 2));
    assert_eq!(row.ratio(EditRatioVariant::Char), Some(3.0 / 5.0));
    assert_eq!(row.ratio(EditRatioVariant::Token), Some(2.0 / 3.0));
    // The other way round the original is shorter, so the ratio exceeds 1 and `max` does not.
    let row = EditRatios::new("ab", "ab cd");
    assert_eq!(row.ratio(EditRatioVariant::Char), Some(1.5));
    assert_eq!(row.ratio(EditRatioVariant::Max), Some(0.6));
    assert_eq!(row.similarity, 0.4);
}

#[test]
fn token_ids_of_the_caller_are_used() {
    let row = EditRatios::with_tokens("abcd", "abce", &[1, 2, 3], &[1, 9]);
    assert_eq!((row.char, row.token), (Some(0.25), Some(2.0 / 3.0)));
    assert_eq!(EditRatios::with_tokens("a", "b", &[], &[1]).token, None);
}

#[test]
fn a_combining_accent_stays_with_its_word() {
    let words: Vec<&str> = split_words("cafe\u{301} is open").collect();
    assert_eq!(words, ["cafe\u{301}", " ", "is", " ", "open"]);
}

#[test]
fn empty_originals_are_left_out_of_the_mean_but_not_of_micro() {
    let rows = edit_ratios(&[("", "xx"), ("abcd", "abcd"), ("ab", "xy"), ("", "")]);
    let summary = summarize_edit_ratios(&rows).unwrap();
    assert_eq!((summary.n, summary.exact_copy_share), (4, 0.5));
    assert_eq!(summary.char, RatioSummary { n: 2, mean: Some(0.5), median: Some(0.5) });
    assert_eq!(summary.max, RatioSummary { n: 4, mean: Some(0.5), median: Some(0.5) });
    assert_eq!(summary.micro, RatioSummary { n: 4, mean: Some(4.0 / 6.0), median: None });

    let empty = summarize_edit_ratios(&edit_ratios(&[("", "x")])).unwrap();
    assert_eq!((empty.char.mean, empty.micro.mean), (None, None));
    assert!(matches!(summarize_edit_ratios(&[]), Err(Error::TooFew { got: 0, .. })));
}

#[test]
fn variant_names_round_trip() {
    for variant in EditRatioVariant::ALL {
        assert_eq!(variant.to_string().parse::<EditRatioVariant>().unwrap(), variant);
        assert_eq!(serde_json::to_string(&variant).unwrap(), format!("\"{variant}\""));
    }
    let error = "chars".parse::<EditRatioVariant>().unwrap_err();
    assert_eq!(error.to_string(), "unknown edit ratio variant `chars`; known: char, token, max, micro");
}

#[test]
fn a_summary_survives_json() {
    let summary = summarize_edit_ratios(&edit_ratios(&[("abc", "abd"), ("", "x")])).unwrap();
    let json = serde_json::to_string(&summary).unwrap();
    assert!(json.contains(r#""micro":{"n":2,"mean":0.6666666666666666,"median":null}"#), "{json}");
    assert_eq!(serde_json::from_str::<EditRatioSummary>(&json).unwrap(), summary);
}

proptest! {
    #[test]
    fn words_join_to_the_text(text in ".{0,60}") {
        prop_assert_eq!(split_words(&text).collect::<String>(), text);
    }

    #[test]
    fn ratios_keep_their_ranges(original in "[a-e é日,.]{0,40}", output in "[a-e é日,.]{0,40}") {
        let row = EditRatios::new(&original, &output);
        prop_assert!((0.0..=1.0).contains(&row.max));
        prop_assert_eq!(row.exact_copy, row.distance == 0);
        prop_assert_eq!(row.exact_copy, row.token_distance == 0);
        prop_assert_eq!(row.char.is_none(), original.is_empty());
        prop_assert!(row.char.is_none_or(|ratio| ratio >= row.max));
    }

    #[test]
    fn rows_keep_their_order(texts in prop::collection::vec(("[a-c]{0,9}", "[a-c]{0,9}"), 1..40)) {
        let rows = edit_ratios(&texts);
        for (row, (original, output)) in rows.iter().zip(&texts) {
            prop_assert_eq!(*row, EditRatios::new(original, output));
        }
    }
}
