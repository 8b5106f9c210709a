//! Conversations under a corrector that adds a sign for every sign that it reads.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::correct::{Asked, Corrected, Outcome};
use crate::data::DataRow;
use crate::judge::record::AnswerRecord;

/// An answer of ten letters.
const ANSWER: &str = "ten letter";
const SIGN: char = '§';

fn dialogue(row: serde_json::Value) -> Dialogue {
    let fields = serde_json::from_str(&row.to_string()).unwrap();
    Dialogue::of(&DataRow::read(1, fields).unwrap()).unwrap()
}

/// So many questions with an answer each.
fn of_length(n: usize) -> Dialogue {
    let turn = |turn: usize| {
        [
            json!({ "role": "user", "content": format!("Question {turn}?") }),
            json!({ "role": "assistant", "content": ANSWER }),
        ]
    };
    dialogue(json!({ "messages": (0..n).flat_map(turn).collect::<Vec<_>>() }))
}

/// The answer with one sign more than the question has.
fn outcome(asked: &Asked<'_>) -> Outcome {
    let n = asked.question.matches(SIGN).count() + 1;
    Ok(Corrected {
        text: format!("{}{}", asked.answer, SIGN.to_string().repeat(n)),
        truncated: false,
        scan: None,
        kept: Vec::new(),
        standing: None,
        n_tokens: 3,
        context: 9,
        coefficient: None,
    })
}

fn run(
    dialogues: &[Dialogue],
    history: History,
    answers: &mut Vec<AnswerRecord>,
    outcome: &dyn Fn(&Asked<'_>) -> Outcome,
) -> usize {
    let (_, places) = as_rows(dialogues).unwrap();
    let (known, mut n_asked) = (answers.clone(), 0);
    let mut correct = |asked: &[Asked<'_>]| {
        n_asked += asked.len();
        Ok(asked.iter().map(outcome).collect())
    };
    let mut keep = |record| {
        answers.push(record);
        Ok(())
    };
    let mut run =
        TurnRun { dialogues, places: &places, history, coefficient: None, batch_rows: 2, correct: &mut correct };
    run.answer(&known, &mut keep, &mut ()).unwrap();
    n_asked
}

#[test]
fn drift_is_exact() {
    let dialogues: Vec<Dialogue> = [3, 1, 3, 2, 3, 3, 3, 3].map(of_length).into();
    let (_, places) = as_rows(&dialogues).unwrap();
    let mut answers = Vec::new();
    assert_eq!(run(&dialogues, History::Original, &mut answers, &outcome), 21);
    // the first turns have one history, and are not written twice
    assert_eq!(run(&dialogues, History::Corrected, &mut answers, &outcome), 21 - 8);
    assert_eq!(answers.len(), 42);
    let report = DriftReport::measure(&answers, &places, &[None]).unwrap();
    assert_eq!((report.n_dialogues, report.n_answers, report.longest), (8, 21, 3));
    let line = |history, turn| report.lines.iter().find(|own| own.history == history && own.turn == turn).unwrap();
    for turn in 1..=3 {
        let original = line(History::Original, turn);
        assert!((original.edit_ratio.value - 0.1).abs() < 1e-12);
        assert_eq!(original.edit_ratio.n, [8, 7, 6][turn - 1]);
        assert_eq!(original.copied, 0.0);
        // each correction has one sign more than all before it together: 1, 2, 4
        let expected = f64::from(1 << (turn - 1)) / 10.0;
        assert!((line(History::Corrected, turn).edit_ratio.value - expected).abs() < 1e-12, "turn {turn}");
        assert!((report.differences[turn - 1].difference.value - (expected - 0.1)).abs() < 1e-12);
    }
    let [original, corrected] = &report.slopes[..] else { panic!("two histories") };
    assert!(original.slope.value.abs() < 1e-12 && original.slope.n == 7);
    // 0.1, 0.2, 0.4 rises by 0.15 a turn; 0.1, 0.2 by 0.1
    assert!((corrected.slope.value - (6.0 * 0.15 + 0.1) / 7.0).abs() < 1e-12, "{corrected:?}");
    assert_eq!(run(&dialogues, History::Corrected, &mut answers, &outcome), 0, "what is there is not written again");
}

#[test]
fn after_a_turn_without_correction_the_corrected_history_ends() {
    let dialogues = [of_length(3), of_length(3)];
    let fails = |asked: &Asked<'_>| match asked.row {
        1 => Err("too long".to_owned()),
        _ => outcome(asked),
    };
    let mut answers = Vec::new();
    run(&dialogues, History::Original, &mut answers, &fails);
    assert_eq!(answers.len(), 5, "the original history goes on");
    let n_before = answers.len();
    run(&dialogues, History::Corrected, &mut answers, &fails);
    assert_eq!(answers.len() - n_before, 4);
}

#[test]
fn conversations_are_read_from_messages_and_transcripts() {
    let system = json!({ "role": "system", "content": "Be brief." });
    let said = |role: &str, text: &str| json!({ "role": role, "content": text });
    let own = dialogue(json!({ "messages": [
        system, said("assistant", "Hello!"), said("user", "Why?"), said("assistant", "So."), said("user", "And?"),
        said("assistant", " "), said("user", "Well?"), said("assistant", "Well."),
    ] }));
    assert_eq!((own.n_answers(), own.answer(0), own.answer(1)), (2, "So.", "Well."), "nobody asked for the greeting");
    let none = BTreeMap::new();
    assert_eq!(
        own.question(1, &none).unwrap(),
        "ASSISTANT: Hello!\nUSER: Why?\nASSISTANT: So.\nUSER: And?\nUSER: Well?"
    );
    let corrected = BTreeMap::from([(0, "Because.".to_owned())]);
    assert!(own.question(1, &corrected).unwrap().contains("ASSISTANT: Because.\n"));
    assert_eq!(own.question(0, &corrected).unwrap(), own.question(0, &none).unwrap(), "what comes later is not read");

    let before = "\n\nHuman: Why?\n\nAssistant: So.\n\nHuman: And?\n\nAssistant:";
    let pair = dialogue(json!({ "chosen": format!("{before} Good."), "rejected": format!("{before} Bad.") }));
    assert_eq!((pair.n_answers(), pair.answer(0), pair.answer(1)), (2, "So.", "Bad."));
}

#[test]
fn without_second_answers_nothing_drifts() {
    let (_, places) = as_rows(&[of_length(1)]).unwrap();
    let error = DriftReport::measure(&[], &places, &[None]).unwrap_err();
    assert!(error.hint().unwrap().contains("HH-RLHF"), "{error}");
    assert!(DriftReport::measure(&[], &[], &[None]).is_err());
}
