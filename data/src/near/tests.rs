use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde::Deserialize;

use super::*;
use redline_model::random::Random;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    word5: GoldenPart,
    char5: GoldenPart,
}

#[derive(Deserialize)]
struct GoldenPart {
    jaccard_at_least_0_3: BTreeMap<String, f64>,
    thresholds: BTreeMap<String, GoldenClusters>,
}

#[derive(Deserialize)]
struct GoldenClusters {
    pairs_exact: usize,
    clusters: Vec<Vec<usize>>,
    kept: usize,
}

fn golden() -> Golden {
    serde_json::from_value(crate::tests::golden("minhash/near_duplicates.json")).unwrap()
}

fn words() -> Shingling {
    Shingling::words(NonZeroUsize::new(5).unwrap())
}

fn found(texts: &[String], options: &NearOptions) -> NearDuplicates {
    near_duplicates(texts, options, &mut ()).unwrap()
}

#[test]
fn similarities_are_those_of_the_reference() {
    let golden = golden();
    for (part, shingling) in [(&golden.char5, Shingling::default()), (&golden.word5, words())] {
        assert_eq!(part.jaccard_at_least_0_3.len(), 54);
        for (pair, expected) in &part.jaccard_at_least_0_3 {
            let (a, b) = pair.split_once(',').unwrap();
            let [a, b] = [a, b].map(|number| &golden.texts[number.parse::<usize>().unwrap()]);
            let got = jaccard(a, b, &shingling);
            assert!((got - expected).abs() < 1e-6, "{pair}: {got} {expected}");
        }
        let options = NearOptions { threshold: 0.3, shingling, method: NearMethod::Exact };
        let pairs = near_pairs(&golden.texts, &options).unwrap();
        let names: Vec<String> = pairs.iter().map(|pair| format!("{},{}", pair.first, pair.second)).collect();
        assert!(part.jaccard_at_least_0_3.keys().all(|pair| names.contains(pair)));
        assert_eq!(names.len(), 54);
    }
}

#[test]
fn clusters_are_those_of_the_reference_by_both_methods() {
    let golden = golden();
    for (threshold, expected) in &golden.char5.thresholds {
        let threshold: f64 = threshold.parse().unwrap();
        for method in [NearMethod::Exact, NearMethod::MinHash] {
            let options = NearOptions { threshold, method, ..NearOptions::default() };
            let near = found(&golden.texts, &options);
            assert_eq!(near.clusters.shared(), expected.clusters, "{threshold} {method:?}");
            assert_eq!(near.clusters.n_clusters(), expected.kept);
            assert_eq!(near.report.n_repeated, golden.texts.len() - expected.kept);
            let pairs = near_pairs(&golden.texts, &options).unwrap();
            assert_eq!(pairs.len(), expected.pairs_exact, "recall 1 at {threshold} by {method:?}");
        }
        let options = NearOptions { threshold, method: NearMethod::MinHash, ..NearOptions::default() };
        let report = found(&golden.texts, &options).report;
        assert!(report.n_candidates < 60, "of 6903 pairs: {report:?}");
    }
    for (threshold, expected) in &golden.word5.thresholds {
        let threshold = threshold.parse().unwrap();
        let near = found(&golden.texts, &NearOptions { threshold, shingling: words(), method: NearMethod::Exact });
        assert_eq!(near.clusters.shared(), expected.clusters, "{threshold}");
    }
}

/// Texts of words of which each keeps its place or is another one: similar in all degrees.
fn drifting(n: usize, seed: u64) -> Vec<String> {
    let mut random = Random::of_row(seed, 1, 0);
    let mut texts: Vec<Vec<usize>> = Vec::new();
    for text in 0..n {
        let mut words = match text % 3 {
            0 => (0..12 + random.below(8)).map(|_| random.below(500)).collect(),
            _ => texts[random.below(texts.len())].clone(),
        };
        for _ in 0..random.below(4) {
            let place = random.below(words.len());
            words[place] = random.below(500);
        }
        texts.push(words);
    }
    let say = |words: &Vec<usize>| words.iter().map(|word| format!("word{word} ")).collect::<String>();
    texts.iter().map(say).collect()
}

/// The definition, without any bound or index.
fn plain(texts: &[String], threshold: f64) -> Clusters {
    let sets: Vec<_> = texts.iter().map(|text| Shingling::default().set_of(text)).collect();
    let near = |a: usize, b: usize| {
        let n_shared = sets[a].iter().filter(|hash| sets[b].contains(hash)).count();
        let n_either = sets[a].len() + sets[b].len() - n_shared;
        n_either > 0 && n_shared as f64 / n_either as f64 >= threshold
    };
    let pairs = (0..texts.len()).flat_map(|b| (0..b).map(move |a| (a, b))).filter(|(a, b)| near(*a, *b));
    Clusters::of_pairs(texts.len(), pairs)
}

#[test]
fn bounds_and_blocks_change_nothing() {
    let texts = drifting(700, 3);
    for threshold in [0.3, 0.5, 0.7, 0.9, 1.0] {
        let expected = plain(&texts, threshold);
        let options = NearOptions { threshold, method: NearMethod::Exact, ..NearOptions::default() };
        let near = found(&texts, &options);
        assert_eq!(near.clusters, expected, "{threshold}");
        assert!(near.report.n_compared <= near.report.n_candidates);
        let pairs = near_pairs(&texts, &options).unwrap();
        assert_eq!(Clusters::of_pairs(texts.len(), pairs.iter().map(|pair| (pair.first, pair.second))), expected);
    }
}

#[test]
fn both_methods_agree_on_many_texts() {
    for seed in 0..3 {
        let texts = drifting(3000, seed);
        let by = |method| found(&texts, &NearOptions { threshold: 0.8, method, ..NearOptions::default() });
        let (exact, hashed) = (by(NearMethod::Exact), by(NearMethod::MinHash));
        assert_eq!(exact.clusters, hashed.clusters);
        assert!(exact.report.n_clusters > 300, "{:?}", exact.report);
        assert!(hashed.report.n_candidates * 20 < exact.report.n_candidates, "{:?}", hashed.report);
        assert_eq!((exact.report.method, hashed.report.method), (NearMethod::Exact, NearMethod::MinHash));
    }
}

#[test]
fn texts_that_are_all_alike_need_few_comparisons() {
    let equal = vec!["The same text again and again.".to_owned(); 30_000];
    let alike: Vec<String> =
        (0..4000).map(|i| format!("{} It is case {i}.", "A long text before. ".repeat(9))).collect();
    for method in [NearMethod::Exact, NearMethod::MinHash] {
        let options = NearOptions { threshold: 0.5, method, ..NearOptions::default() };
        let near = found(&equal, &options);
        assert_eq!((near.report.n_different, near.report.n_candidates, near.report.n_repeated), (1, 0, 29_999));
        let near = found(&alike, &options);
        assert_eq!(near.clusters.n_clusters(), 1);
        assert!(near.report.n_compared < 300_000, "of 8 million pairs: {:?}", near.report);
    }
}

#[test]
fn short_and_empty_texts_are_near_to_equal_ones_and_to_nothing() {
    let texts = ["", "a", " ", "A ", "ab", "\u{3000}", "yes", "yes."].map(String::from);
    for method in [NearMethod::Exact, NearMethod::MinHash] {
        let near = found(&texts, &NearOptions { threshold: 0.1, method, ..NearOptions::default() });
        assert_eq!(near.clusters.shared(), [vec![1, 3]]);
        assert_eq!((near.report.n_empty, near.report.n_different), (3, 4));
        let near = found(&[], &NearOptions { method, ..NearOptions::default() });
        assert_eq!(near.clusters.n_rows(), 0);
    }
}

#[test]
fn a_threshold_out_of_range_is_refused_and_an_observer_can_end_the_work() {
    for threshold in [0.0, -0.5, 1.5, f64::NAN] {
        let options = NearOptions { threshold, ..NearOptions::default() };
        assert!(matches!(near_duplicates(&["a"], &options, &mut ()), Err(DataError::Share { .. })));
        assert!(near_pairs(&["a"], &options).is_err());
    }
    struct Ends;
    impl Observer for Ends {
        fn progress(&mut self, _: &str, _: usize, _: usize) -> Result<(), redline_model::Error> {
            Err(redline_model::Error::Interrupted)
        }
        fn end(&mut self, _: &str) {}
        fn note(&mut self, _: &str) {}
    }
    let error = near_duplicates(&["a text", "a text"], &NearOptions::default(), &mut Ends).unwrap_err();
    assert_eq!(error.to_string(), "interrupted");
}
