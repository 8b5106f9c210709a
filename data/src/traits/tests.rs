use std::collections::BTreeSet;

use super::*;
use crate::corrupt::{CorruptOptions, Corruptor};
use crate::error::DataError;
use crate::readers::{Need, ReadOptions, read_corrupted, read_data};
use crate::synth::Corpus;
use crate::write_json_lines;
use redline_probe::split::normalise;

fn corpus() -> TraitCorpus {
    TraitCorpus::built_in(Trait::Empathy).unwrap()
}

fn oracle() -> TraitOracle {
    TraitOracle::of(&corpus())
}

#[test]
fn there_are_dozens_of_situations_and_phrases() {
    let corpus = corpus();
    assert!(corpus.situations().len() >= 36 && corpus.phrases().len() >= 36);
    let lists: BTreeSet<String> =
        corpus.phrases().iter().map(|name| name.split('/').next().unwrap().to_owned()).collect();
    assert_eq!(lists.into_iter().collect::<Vec<_>>(), ["after-glad", "after-hard", "before-glad", "before-hard"]);
    let names: BTreeSet<&str> = corpus.situations().into_iter().collect();
    assert_eq!(names.len(), corpus.situations().len());
}

#[test]
fn rows_are_of_three_kinds_and_the_oracle_knows_each() {
    let (corpus, oracle) = (corpus(), oracle());
    let options = TraitOptions { seed: 3, n_rows: 900, clean_share: 0.4 };
    let rows = corpus.rows(&options).unwrap();
    assert_eq!(rows, corpus.rows(&options).unwrap(), "the same seed");
    assert_ne!(rows, corpus.rows(&TraitOptions { seed: 4, ..options }).unwrap());
    assert_eq!(rows.len(), 900);
    let of = |kind: TraitKind| rows.iter().filter(move |row| row.kind == kind);
    for kind in [TraitKind::Added, TraitKind::Present, TraitKind::NothingTold] {
        let n = of(kind).count();
        assert!((130..650).contains(&n), "{kind:?}: {n}");
    }
    for row in &rows {
        assert_eq!(row.is_copy(), row.kind != TraitKind::Added, "{row:?}");
        let (before, after) = (oracle.find(&row.answer), oracle.find(&row.correction));
        match row.kind {
            TraitKind::Added => {
                assert_eq!(before, Acknowledgement::default(), "{row:?}");
                assert!(after.phrase.is_some() && row.correction.contains(&row.answer), "{row:?}");
            }
            TraitKind::Present => assert!(before.phrase.is_some(), "{row:?}"),
            TraitKind::NothingTold => {
                assert!(!oracle.has(&row.answer) && !told_of_situation(Some(&row.fact)), "{row:?}")
            }
        }
        let is_told = row.kind != TraitKind::NothingTold;
        assert_eq!((told_of_situation(Some(&row.fact)), row.phrase.is_some()), (is_told, is_told));
        let texts = [&row.question, &row.answer, &row.correction];
        assert!(texts.iter().all(|text| !text.contains(['[', ']', '{', '}', '|']) && !text.contains("  ")), "{row:?}");
    }
    let questions: BTreeSet<&str> =
        rows.iter().filter(|row| told_of_situation(Some(&row.fact))).map(|row| row.question.as_str()).collect();
    assert_eq!(questions.len(), rows.iter().filter(|row| told_of_situation(Some(&row.fact))).count());
}

#[test]
fn the_words_of_acknowledgements_tell_them_from_all_other_texts() {
    let (corpus, oracle) = (corpus(), oracle());
    let corruptor = Corruptor::new(CorruptOptions { seed: 1, clean_share: 0.0 }).unwrap();
    let facts = Corpus::built_in().unwrap().texts(5, 1500).unwrap();
    for (number, text) in (0..).zip(&facts) {
        let flawed = corruptor.corrupt(number, &text.question, &text.answer).unwrap();
        assert!(!oracle.has(&flawed.answer), "{:?}", (oracle.find(&flawed.answer), &flawed.answer));
    }
    // nearly all of the generator's own sentences are found by their words alone, as those of other writers would be
    let rows = corpus.rows(&TraitOptions { seed: 9, n_rows: 800, clean_share: 0.0 }).unwrap();
    let n_by_words = rows.iter().filter(|row| oracle.find(&row.correction).cue.is_some()).count();
    assert!(n_by_words > 500, "{n_by_words}");
    let share = oracle.share(rows.iter().map(|row| row.correction.as_str()));
    assert_eq!((share.n, share.any, share.exact), (800, Some(1.0), Some(1.0)));
    assert_eq!(oracle.share([]), TraitShare::default());
    assert!(oracle.has("That must be hard for you. Call a vet.") && !oracle.has("A must be hardened steel."));
}

#[test]
fn two_parts_share_no_situation_phrase_fact_or_question() {
    let options = TraitOptions { seed: 1, n_rows: 700, ..TraitOptions::default() };
    let TraitsApart { train, held_out } = traits_apart(&corpus(), &options, 250).unwrap();
    assert_eq!((train.len(), held_out.len()), (700, 250));
    let all = |rows: &[TraitRow], of: &dyn Fn(&TraitRow) -> Option<String>| -> BTreeSet<String> {
        rows.iter().filter_map(of).collect()
    };
    type Key<'a> = &'a dyn Fn(&TraitRow) -> Option<String>;
    let keys: [Key; 3] =
        [&|row| Some(row.fact.clone()), &|row| row.phrase.clone(), &|row| Some(normalise(&row.question))];
    for key in keys {
        let (near, far) = (all(&train, key), all(&held_out, key));
        assert!(near.len() > 20 && far.len() > 5 && near.is_disjoint(&far), "{:?}", near.intersection(&far).next());
    }
    for share in [0.0, 1.0, f64::NAN] {
        assert!(matches!(corpus().split(share, 0), Err(DataError::Share { .. })), "{share}");
    }
    let refused = corpus().rows(&TraitOptions { clean_share: 1.5, ..options });
    assert!(matches!(refused, Err(DataError::Share { .. })));
}

#[test]
fn what_a_correction_mends_depends_on_the_instruction() {
    let oracle = oracle();
    let options = InstructOptions { seed: 6, n_rows: 700, clean_share: 0.2 };
    let rows = corpus().instructed_rows(&options).unwrap();
    assert_eq!(rows, corpus().instructed_rows(&options).unwrap());
    assert_eq!(rows.len(), 700);
    let mut differs = 0;
    for InstructedRow { row, instruction, asked } in &rows {
        assert!(row.is_consistent());
        assert_eq!(instruction.is_empty(), *asked == Instruction::None);
        let mended = row.correction_where(|severity| asked.mends(severity)).unwrap();
        match asked {
            Instruction::Empathy => {
                assert!(oracle.has(&row.correction) && row.correction.contains(&row.clean), "{row:?}");
                assert!(told_of_situation(row.fact.as_deref()));
            }
            _ => assert!(row.correction == mended && !oracle.has(&row.correction), "{row:?}"),
        }
        differs += usize::from(*asked == Instruction::Harmless && row.correction != row.clean);
    }
    assert!(differs > 50, "{differs}");
    let harmless = rows.iter().find(|row| row.asked == Instruction::Harmless && !row.row.is_clean()).unwrap();
    let same_text = rows.iter().filter(|row| row.row.question == harmless.row.question);
    assert!((3..=4).contains(&same_text.count()), "each text under all instructions");
}

#[test]
fn instructed_rows_apart_share_no_phrase_of_a_flaw() {
    let options = InstructOptions { seed: 2, n_rows: 500, clean_share: 0.2 };
    let InstructedApart { train, held_out } = instructed_apart(&corpus(), &options, 200).unwrap();
    let plain = |rows: &[InstructedRow]| rows.iter().map(|row| row.row.clone()).collect::<Vec<_>>();
    let shared = crate::shared::shared_material(&plain(&train), &plain(&held_out)).unwrap();
    assert_eq!((shared.facts.shared, shared.phrases.shared, shared.questions.shared), (0, 0, 0), "{shared:?}");
    assert!(shared.phrases.second > 10, "{shared:?}");
}

#[test]
fn rows_come_back_from_their_files_with_their_instruction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let rows = corpus().instructed_rows(&InstructOptions { n_rows: 30, ..InstructOptions::default() }).unwrap();
    write_json_lines(&rows, &path).unwrap();
    let (corrupted, file) = read_corrupted(&path, &ReadOptions::new(Need::Triple)).unwrap().unwrap();
    assert_eq!(corrupted, rows.iter().map(|row| row.row.clone()).collect::<Vec<_>>());
    let asked: Vec<String> = file.rows.iter().map(|row| row.instruction().unwrap_or_default()).collect();
    assert_eq!(asked, rows.iter().map(|row| row.instruction.clone()).collect::<Vec<_>>());

    let rows = corpus().rows(&TraitOptions { n_rows: 30, ..TraitOptions::default() }).unwrap();
    write_json_lines(&rows, &path).unwrap();
    let file = read_data(&path, &ReadOptions::new(Need::Triple)).unwrap();
    assert_eq!(file.triples(), rows.iter().map(TraitRow::to_qac).collect::<Vec<_>>());
    assert!(file.rows.iter().all(|row| row.instruction().is_none()));
    // a copy is a copy to whoever filters rows
    assert!(file.triples().iter().all(|row| !row.answer.is_empty()));
}

#[test]
fn an_instruction_that_is_the_question_is_no_instruction() {
    let read = |text: &str| crate::DataRow::read(1, serde_json::from_str(text).unwrap()).unwrap().instruction();
    assert_eq!(read(r#"{"instruction":"Add.","input":"1 + 1","output":"2"}"#), None);
    assert_eq!(
        read(r#"{"question":"q","instruction":" Be brief ","answer":"a","correction":"c"}"#),
        Some("Be brief".into())
    );
    assert_eq!(read(r#"{"question":"q","instruction":" ","answer":"a","correction":"c"}"#), None);
}
