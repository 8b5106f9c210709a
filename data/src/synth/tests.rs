use std::collections::BTreeMap;

use super::*;
use crate::corrupt::CorruptOptions;
use crate::{FilterOptions, filter_rows, split_rows, to_json_lines};
use redline_probe::split::PartSizes;

const N_TEXTS: usize = 40_000;
const SEED: u64 = 20;

fn message(text: &str) -> String {
    Corpus::parse(&[("f", text)]).unwrap_err().to_string()
}

#[test]
fn the_corpus_is_large_varied_and_well_formed() {
    let corpus = Corpus::built_in().unwrap();
    let texts = corpus.texts(SEED, N_TEXTS).unwrap();
    assert!(corpus.facts.len() >= 300, "{}", corpus.facts.len());
    let (kept, report) = filter_rows(texts.clone(), &FilterOptions::default()).unwrap();
    assert_eq!((kept.len(), report.duplicates), (N_TEXTS, 0));
    let answers: HashSet<&str> = texts.iter().map(|text| text.answer.as_str()).collect();
    assert_eq!(answers.len(), N_TEXTS);
    let facts: BTreeSet<&str> = texts.iter().map(|text| text.fact.as_str()).collect();
    assert_eq!(facts.len(), corpus.facts.len(), "every fact is used");
    let n_words: usize = texts.iter().map(|text| text.answer.split(' ').count()).sum();
    let mean = n_words as f64 / N_TEXTS as f64;
    assert!((40.0..60.0).contains(&mean), "{mean}");
    for text in &texts {
        for part in [&text.question, &text.answer] {
            assert!(part.ends_with(['.', '!', '?']), "{}: {part}", text.fact);
            assert!(
                !part.contains("  ") && part.trim() == part && !part.contains(" ,") && !part.contains(" ."),
                "{part}"
            );
            assert!(!part.contains(['[', ']', '{', '}', '|', '\n']), "{part}");
            assert!(!part.contains("..") && !part.contains("?."), "{part}");
            assert!(part.starts_with(char::is_uppercase) || part.starts_with(|c: char| c.is_ascii_digit()), "{part}");
        }
        let n_sentences = text.answer.matches(['.', '!', '?']).count();
        assert!((1..=8).contains(&n_sentences), "{}", text.answer);
    }
}

#[test]
fn the_corpus_regenerates_byte_for_byte() {
    let corpus = Corpus::built_in().unwrap();
    let corruptor = Corruptor::new(CorruptOptions { seed: SEED, ..CorruptOptions::default() }).unwrap();
    let texts = corpus.texts(SEED, 2000).unwrap();
    let rows: Vec<CorruptedRow> =
        texts.iter().zip(0..).map(|(text, row)| text.corrupted(row, &corruptor).unwrap()).collect();
    let mut bytes = Vec::new();
    to_json_lines(&rows, &mut bytes).unwrap();
    let hash = redline_model::files::hash_of(&bytes);
    // changes with every change to the facts, the phrases or the grammar: the model card then names another corpus
    assert_eq!(hash, "4a81cdc1a2ce92ed35de02e59d7420f6c2aef0e82ef4f4151d5f3f0ba5146a38");
    assert_eq!(corpus.texts(SEED, 500).unwrap(), texts[..500], "a longer corpus begins with the shorter one");
    assert_ne!(corpus.texts(SEED + 1, 5).unwrap(), texts[..5]);
}

#[test]
fn corrupted_texts_keep_the_rules() {
    let corpus = Corpus::built_in().unwrap();
    let corruptor = Corruptor::new(CorruptOptions::default()).unwrap();
    let mut n_clean = 0;
    for (text, row) in corpus.texts(1, 3000).unwrap().iter().zip(0..) {
        let row = text.corrupted(row, &corruptor).unwrap();
        assert_eq!((row.fact.as_deref(), &row.clean), (Some(text.fact.as_str()), &text.answer));
        assert_eq!(row.is_clean(), row.answer == row.clean);
        assert_eq!(row.possible_corrections().unwrap()[0], row.clean);
        n_clean += usize::from(row.is_clean());
        for part in [&row.answer, &row.correction] {
            assert!(!part.contains("  ") && part.ends_with(['.', '!', '?']), "{part}");
        }
    }
    assert!((900..1100).contains(&n_clean), "{n_clean}");
}

#[test]
fn facts_and_questions_can_be_held_out() {
    let texts = Corpus::built_in().unwrap().texts(2, 3000).unwrap();
    let facts: Vec<&str> = texts.iter().map(|text| text.fact.as_str()).collect();
    let parts = split_rows(&texts, &facts, &PartSizes::Shares(vec![0.9, 0.1]), 1).unwrap();
    let of = |part: &[SynthText]| part.iter().map(|text| text.fact.clone()).collect::<BTreeSet<_>>();
    assert!(of(&parts[0]).is_disjoint(&of(&parts[1])));
    assert!(parts[1].len() > 100);
}

#[test]
fn values_are_drawn_and_computed() {
    let text = "list names\n- Ann | Bob\nfact f\npick x = @names\npick y = @names\nlet a = 2..3\nlet b = a*a\n\
        q Who?\na [x] and [y]: [a], [b].";
    let corpus = Corpus::parse(&[("f", text)]).unwrap();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in 0..200 {
        let text = corpus.text(&corpus.facts[0], &mut Random::of_row(0, 0, row)).unwrap();
        *counts.entry(text.answer).or_default() += 1;
    }
    let found: Vec<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(found, ["Ann and Bob: 2, 4.", "Ann and Bob: 3, 9.", "Bob and Ann: 2, 4.", "Bob and Ann: 3, 9."]);
    assert!(matches!(corpus.texts(0, 9), Err(DataError::TooFewTexts { got: 4, asked: 9 })));
}

#[test]
fn a_question_gets_an_answer_of_its_group() {
    let corpus = Corpus::parse(&[("f", "fact f\nq1 One?\nq2 Two?\na1 1.\na2 2.\na Any.")]).unwrap();
    let mut seen = BTreeSet::new();
    for row in 0..100 {
        let text = corpus.text(&corpus.facts[0], &mut Random::of_row(0, 0, row)).unwrap();
        seen.insert(format!("{} {}", text.question, text.answer));
    }
    let found: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(found, ["One? 1.", "One? Any.", "Two? 2.", "Two? Any."]);
}

#[test]
fn broken_facts_name_file_and_line() {
    assert_eq!(message("fact f\nq Who?"), "f:1: a fact needs a question (q), an answer (a) and, in a table, a row");
    assert_eq!(message("fact f\nq [x]?\na No."), "f:1: `[x]` is used but not set");
    assert_eq!(message("fact f\nq Who?\na No.\nz x"), "f:4: `z` is not a key of a fact");
    assert_eq!(message("table f\nq Who?"), "f:1: write `fact NAME` or `table NAME | COLUMN | …`");
    assert_eq!(message("table f | a | b\nrow 1\n"), "f:2: 2 filled cells are needed, this row has 1");
    assert_eq!(message("fact f\npick x = @no"), "f:2: there is no list `no`");
    assert_eq!(message("fact f\nlet x = 5..2"), "f:2: a range is two numbers, the lower first");
    assert_eq!(message("fact f\nlet x\n"), "f:2: write `NAME = …`");
    assert_eq!(message("fact f\nlet x = 7/2\nq Who?\na No."), "f:1: 7 / 2 does not come out even");
    assert_eq!(message("fact f\nq2 Who?\na1 No."), "f:1: a question has no answer of its group");
    assert_eq!(message("fact f\nq0 Who?\na No."), "f:2: `q0` is not a key of a fact");
    let twice = "fact f\nq Who?\na No.\n";
    assert_eq!(message(&format!("{twice}{twice}")), "f:4: the fact `f` is there twice");
}

/// Prints rows to read: `cargo test --release --workspace --lib read_rows -- --ignored --nocapture`.
#[test]
#[ignore = "for people"]
fn read_rows() {
    let corpus = Corpus::built_in().unwrap();
    let corruptor = Corruptor::new(CorruptOptions { seed: SEED, ..CorruptOptions::default() }).unwrap();
    let texts = corpus.texts(SEED, N_TEXTS).unwrap();
    for (text, row) in texts.iter().zip(0..).step_by(N_TEXTS / 53) {
        let row = text.corrupted(row, &corruptor).unwrap();
        let kinds: Vec<&str> = row.flaws.iter().map(|flaw| flaw.kind.name()).collect();
        println!("\n[{}] {}\nCLEAN  {}", text.fact, row.question, row.clean);
        println!("FLAWED {}\nMENDED at {} {}\n{kinds:?}", row.answer, row.strictness, row.correction);
    }
}
