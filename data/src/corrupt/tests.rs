use std::collections::BTreeMap;

use super::*;
use crate::phrase::Values;

const QUESTION: &str = "How do bees make honey?";
const CLEAN: &str = "Bees collect nectar from flowers. They carry it home and pass it on to other bees. The water in it dries \
    off within 3 days. A single bee makes about 1 gram of honey in its life.";

fn rows(clean: &str, n_rows: u64, clean_share: f64) -> Vec<CorruptedRow> {
    let corruptor = Corruptor::new(CorruptOptions { seed: 5, clean_share }).unwrap();
    (0..n_rows).map(|row| corruptor.corrupt(row, QUESTION, clean).unwrap()).collect()
}

#[test]
fn every_flawed_answer_differs_and_strictness_one_mends_it_whole() {
    let gsm = "Natalia sold 48/2 = 24 clips.\nIn all 48+24 = 72.\n#### 72";
    for clean in [CLEAN, "Yes.", "no", "42", "Ü ö.", gsm, " Leading and trailing. \n", "What? Why!"] {
        for row in rows(clean, 400, 0.0) {
            assert!(!row.is_clean());
            assert_ne!(row.answer, clean);
            let possible = row.possible_corrections().unwrap();
            assert_eq!(possible.len(), 5);
            assert_eq!(possible[0], clean);
            assert_eq!(row.correction_at(row.strictness).unwrap(), row.correction);
            assert_eq!(possible[usize::from(row.strictness) - 1], row.correction);
            let all_below = row.flaws.iter().all(|flaw| flaw.severity < row.strictness);
            assert_eq!(all_below, row.correction == row.answer, "copied exactly when nothing is to be mended");
        }
    }
}

#[test]
fn all_kinds_occur_and_severities_vary_within_an_answer() {
    let mut counts: BTreeMap<FlawKind, usize> = BTreeMap::new();
    let mut n_distinct = [0_usize; 7];
    for row in rows(CLEAN, 2000, 0.0) {
        row.flaws.iter().for_each(|flaw| *counts.entry(flaw.kind).or_default() += 1);
        let mut possible = row.possible_corrections().unwrap();
        possible.push(row.answer);
        possible.dedup();
        n_distinct[possible.len()] += 1;
    }
    assert_eq!(counts.len(), FlawKind::ALL.len());
    assert!(counts.values().all(|&count| count > 300), "{counts:?}");
    assert!(n_distinct[4..].iter().sum::<usize>() > 1000, "most answers have three or more steps: {n_distinct:?}");
}

#[test]
fn strictness_is_even_and_a_third_stays_clean() {
    let mut counts = [0_usize; 5];
    let all = rows(CLEAN, 3000, 1.0 / 3.0);
    all.iter().for_each(|row| counts[usize::from(row.strictness) - 1] += 1);
    assert!(counts.iter().all(|count| (500..700).contains(count)), "{counts:?}");
    let n_clean = all.iter().filter(|row| row.is_clean()).count();
    assert!((900..1100).contains(&n_clean), "{n_clean}");
    assert!(all.iter().filter(|row| row.is_clean()).all(|row| row.answer == CLEAN && row.correction == CLEAN));
    assert!(rows(CLEAN, 100, 1.0).iter().all(CorruptedRow::is_clean));
}

#[test]
fn a_quoted_sentence_is_left_as_it_is() {
    for row in rows(CLEAN, 1000, 0.0) {
        for flaw in row.flaws.iter().filter(|flaw| flaw.kind == FlawKind::RepeatedSentence) {
            assert_eq!(row.answer.matches(flaw.text.trim()).count(), 2, "{}", row.answer);
        }
    }
}

#[test]
fn flawed_prose_stays_well_formed() {
    for row in rows(CLEAN, 1000, 0.0) {
        for text in row.possible_corrections().unwrap().iter().chain([&row.answer]) {
            assert!(!text.contains("  ") && text.trim() == text && text.ends_with(['.', '!', '?']), "{text:?}");
            for range in sentences::sentences(text) {
                assert!(text[range].starts_with(char::is_uppercase), "{text}");
            }
        }
    }
}

#[test]
fn every_phrase_is_a_sentence() {
    let phrases = read_lists("flaws.txt", PHRASES).unwrap();
    for (name, list) in phrases.iter().filter(|(name, _)| *name != "contradiction-lead") {
        assert!(list.len() >= 10, "{name}");
        let mut texts: Vec<String> = Vec::new();
        for row in 0..60 {
            let mut rng = Random::of_row(0, 0, row);
            texts.extend(list.iter().map(|phrase| phrase.expand(&Values::new(), &mut rng)));
        }
        for text in &texts {
            assert!(
                text.ends_with(['.', '!', '?']) && !text.contains("  ") && text.starts_with(char::is_uppercase),
                "{text}"
            );
        }
        texts.sort_unstable();
        texts.dedup();
        assert!(texts.len() >= 48, "{name}: {}", texts.len());
    }
}

#[test]
fn a_row_depends_on_seed_number_and_text_only() {
    let make = |seed, row| {
        let corruptor = Corruptor::new(CorruptOptions { seed, clean_share: 0.0 }).unwrap();
        corruptor.corrupt(row, QUESTION, CLEAN).unwrap()
    };
    assert_eq!(make(1, 7), make(1, 7));
    assert_ne!(make(1, 7).answer, make(2, 7).answer);
    assert_ne!(make(1, 7).answer, make(1, 8).answer);
}

#[test]
fn a_row_survives_its_file() {
    for row in rows(CLEAN, 20, 0.3) {
        let text = serde_json::to_string(&row).unwrap();
        let back: CorruptedRow = serde_json::from_str(&text).unwrap();
        assert_eq!(back, row);
        assert_eq!(back.to_qac().correction, row.correction);
    }
}

#[test]
fn bad_options_and_empty_answers_are_refused() {
    for clean_share in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(Corruptor::new(CorruptOptions { seed: 0, clean_share }), Err(DataError::Share { .. })));
    }
    let corruptor = Corruptor::new(CorruptOptions::default()).unwrap();
    assert!(matches!(corruptor.corrupt(3, "q", " \n"), Err(DataError::EmptyAnswer { row: 3 })));
    let row = corruptor.corrupt(0, "q", "An answer.").unwrap();
    assert!(matches!(row.correction_at(0), Err(DataError::Strictness { got: 0, .. })));
    assert!(row.correction_at(6).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_corrupted_without_harm(clean in "\\PC{0,80}", row in proptest::prelude::any::<u64>()) {
        let corruptor = Corruptor::new(CorruptOptions { seed: 1, clean_share: 0.0 }).unwrap();
        if let Ok(row) = corruptor.corrupt(row, "q", &clean) {
            proptest::prop_assert_ne!(&row.answer, &clean);
            proptest::prop_assert_eq!(&row.possible_corrections().unwrap()[0], &clean);
        }
    }
}
