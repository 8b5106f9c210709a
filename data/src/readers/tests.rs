use serde_json::{Value, json};

use super::*;
use crate::filter_rows;

const FLAWED: &str = "The rejected one.";
const GOOD: &str = "The chosen one.";

fn read(text: &str, need: Need) -> Result<DataFile, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    std::fs::write(&path, text).unwrap();
    read_data(&path, &ReadOptions::new(need))
}

/// The error's text from the file's name on.
fn message(text: &str, need: Need) -> String {
    let text = read(text, need).unwrap_err().to_string();
    text[text.find("d:").unwrap()..].to_owned()
}

fn triple(row: &Value) -> [String; 3] {
    let row = read(&row.to_string(), Need::Triple).unwrap_or_else(|error| panic!("{row}: {error}")).triples().remove(0);
    [row.question, row.answer, row.correction]
}

fn said(row: &Value) -> String {
    message(&row.to_string(), Need::Answer)
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

fn assistant(text: &str) -> Value {
    json!({ "role": "assistant", "content": text })
}

#[test]
fn preference_pairs_of_every_shape_are_the_same_triple() {
    let (good, flawed) = (assistant(GOOD), assistant(FLAWED));
    let human = |answer: &str| format!("\n\nHuman: Why?\n\nAssistant: {answer}");
    let parts = |text: &str| json!({ "role": "assistant", "content": [{ "type": "text", "text": text }] });
    let rows = [
        json!({ "question": "Why?", "chosen": GOOD, "rejected": FLAWED }),
        json!({ "prompt": "Why?", "chosen": GOOD, "rejected": FLAWED }),
        json!({ "prompt": "Why?", "chosen": format!("Why? {GOOD}"), "rejected": format!("Why? {FLAWED}") }),
        json!({ "prompt": "\n\nHuman: Why?\n\nAssistant:", "chosen": GOOD, "rejected": FLAWED }),
        json!({ "instruction": "Why?", "input": "", "chosen": GOOD, "rejected": FLAWED }),
        json!({ "chosen": human(GOOD), "rejected": human(FLAWED) }),
        json!({ "chosen": [user("Why?"), good], "rejected": [user("Why?"), flawed] }),
        json!({ "chosen": [user(" Why?"), parts(GOOD)], "rejected": [user("Why?"), parts(FLAWED)] }),
        json!({ "prompt": [user("Why?")], "chosen": [good], "rejected": [flawed] }),
        json!({ "prompt": [user("Why?")], "chosen": good, "rejected": flawed }),
        json!({ "prompt": [user("Why?")], "chosen": GOOD, "rejected": FLAWED }),
        json!({ "prompt": "Why?", "chosen": [user("Why?"), good], "rejected": [user("Why?"), flawed], "messages": [] }),
        json!({ "prompt": [json!({ "role": "system", "content": "Be kind." })], "chosen": [user("Why?"), good], "rejected": [user("Why?"), flawed] }),
    ];
    for row in rows {
        assert_eq!(triple(&row), ["Why?", FLAWED, GOOD], "{row}");
        let clean = read(&row.to_string(), Need::CleanAnswer).unwrap().answers().remove(0);
        assert_eq!(clean.answer, GOOD, "{row}");
    }
}

#[test]
fn earlier_turns_become_a_transcript() {
    let expected = "USER: Hi\nASSISTANT: Hello.\nUSER: Why?";
    let human = |answer: &str| format!("\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Why?\n\nAssistant: {answer}");
    let turns = |answer: &str| json!([user("Hi"), assistant("Hello."), user("Why?"), assistant(answer)]);
    let context = "Human: Hi\n\nAssistant: Hello.";
    let rows = [
        json!({ "chosen": human(GOOD), "rejected": human(FLAWED) }),
        json!({ "chosen": turns(GOOD), "rejected": turns(FLAWED) }),
        json!({ "question": "Why?", "context": context, "chosen": GOOD, "rejected": FLAWED }),
        json!({ "question": "Why?", "context": format!("{context}\n\nHuman: Why?"), "chosen": GOOD, "rejected": FLAWED }),
        json!({ "question": "Why?", "context": [user("Hi"), assistant("Hello.")], "chosen": GOOD, "rejected": FLAWED }),
        json!({ "messages": [user("Hi"), assistant("Hello."), user("Why?"), assistant(FLAWED)], "correction": GOOD }),
        json!({ "messages": [user("Hi"), assistant("Hello."), user("Why?")], "answer": FLAWED, "correction": GOOD }),
        json!({ "prompt": [user("Hi"), assistant("Hello."), user("Why?")], "completion": [assistant(FLAWED)], "correction": GOOD }),
    ];
    for row in rows {
        assert_eq!(triple(&row), [expected, FLAWED, GOOD], "{row}");
    }
}

#[test]
fn answers_of_every_shape_are_read() {
    let rows = [
        json!({ "question": "Why?", "answer": FLAWED }),
        json!({ "prompt": "Why?", "completion": FLAWED }),
        json!({ "prompt": [user("Why?")], "completion": [assistant(FLAWED)] }),
        json!({ "messages": [user("Why?"), assistant(FLAWED)] }),
        json!({ "messages": [json!({ "role": "system", "content": "Be kind." }), user("Why?"), assistant(FLAWED)] }),
        json!({ "instruction": "Why?", "input": null, "output": FLAWED }),
        json!({ "prompt": "Why?", "response": FLAWED, "answer": null }),
    ];
    for mut row in rows {
        let found = read(&row.to_string(), Need::Answer).unwrap().answers().remove(0);
        assert_eq!((found.question.as_str(), found.answer.as_str()), ("Why?", FLAWED), "{row}");
        row["correction"] = GOOD.into();
        assert_eq!(triple(&row), ["Why?", FLAWED, GOOD], "{row}");
    }
    let alpaca = json!({ "instruction": "Add.", "input": "1 + 1", "output": "2", "correction": "2." });
    assert_eq!(triple(&alpaca)[0], "Add.\n\n1 + 1");
}

#[test]
fn each_row_of_a_mixed_file_is_read_by_its_own_shape() {
    let rows = [
        json!({ "question": "A?", "answer": "a", "correction": "c" }),
        json!({ "question": "B?", "answer": "a" }),
        json!({ "chosen": "Human: C?\n\nAssistant: c", "rejected": "Human: C?\n\nAssistant: r" }),
        json!({ "question": "D?" }),
    ];
    let text = rows.map(|row| row.to_string()).join("\n");
    let questions = |need: Need| {
        let file = read(&text, need).unwrap();
        let left: Vec<(&str, usize)> = file.report.left_out.iter().map(|left| (left.reason, left.first_line)).collect();
        (file.questions().join(" "), format!("{left:?}"))
    };
    assert_eq!(questions(Need::Question), ("A? B? C? D?".into(), "[]".into()));
    assert_eq!(questions(Need::Answer), ("A? B? C?".into(), r#"[("missing-field", 4)]"#.into()));
    assert_eq!(questions(Need::Triple), ("A? C?".into(), r#"[("missing-field", 2)]"#.into()));
    assert_eq!(
        questions(Need::CleanAnswer),
        ("B? C?".into(), r#"[("has-correction", 1), ("missing-field", 4)]"#.into())
    );
}

#[test]
fn every_reason_says_what_is_wrong() {
    let two = |chosen: Value, rejected: Value| said(&json!({ "chosen": chosen, "rejected": rejected }));
    let human = "Human: a\n\nAssistant: b";
    for (got, expected) in [
        (said(&json!({ "question": "q", "text": "t" })), "field `answer` is missing"),
        (said(&json!({ "text": "t", "b": 1 })), "not a known kind of row; its fields are `b`, `text`"),
        (said(&json!({})), "not a known kind of row; its fields are none"),
        (said(&json!({ "chosen": "c" })), "field `rejected` is missing"),
        (said(&json!({ "rejected": "c" })), "field `chosen` is missing"),
        (said(&json!({ "question": "q", "answer": 3 })), "field `answer` must be text, but is a number"),
        (said(&json!({ "question": [], "answer": "a" })), "field `question` must be text, but is a list"),
        (said(&json!({ "prompt": 3, "completion": "a" })), "field `prompt` must be text or messages, but is a number"),
        (said(&json!({ "prompt": [], "completion": "a" })), "field `prompt` is empty"),
        (said(&json!({ "question": "q", "answer": " " })), "field `answer` is empty"),
        (said(&json!({ "messages": "q", "answer": "a" })), "field `messages` must be a list of messages, but is text"),
        (said(&json!({ "messages": [assistant("a")] })), "field `messages` has no message of a user with text"),
        (
            said(&json!({ "question": "q", "context": 3, "chosen": "c", "rejected": "r" })),
            "field `context` must be text or messages, but is a number",
        ),
        (two("c".into(), "r".into()), "the dialogues cannot be read: no turn begins with `Human:` or `Assistant:`"),
        (two(human.into(), "Human: z\n\nAssistant: b".into()), "chosen and rejected differ before the last turn"),
        (
            two(human.into(), "Assistant: b\n\nHuman: a".into()),
            "message 1 of `rejected` is the last, but not the assistant's",
        ),
        (
            two(json!([user("a"), assistant("b")]), human.into()),
            "field `rejected` must be messages as `chosen` is, but is text",
        ),
        (
            two(json!([user("a"), assistant("b")]), json!([user("a"), assistant("x"), user("y"), assistant("b")])),
            "chosen and rejected differ before the last turn",
        ),
        (two(json!([]), json!([])), "field `chosen` is empty"),
        (
            two(json!([{ "role": "user", "content": [{ "type": "image" }] }, assistant("b")]), json!([assistant("b")])),
            "field `chosen` holds more than text: a part of type `image`",
        ),
    ] {
        assert_eq!(got, format!("d:1: {expected}"));
    }
    assert_eq!(
        message("[{\"question\": 1e999}]", Need::Question),
        "d:1: field `question` cannot be read: number out of range"
    );
    let strict = ReadOptions { is_strict: true, ..ReadOptions::new(Need::Answer) };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    std::fs::write(&path, "{\"question\": \"q\", \"answer\": \"a\"}\n\n{,}\n").unwrap();
    assert!(read_data(&path, &strict).unwrap_err().to_string().contains("d:3: not valid JSON"));
    assert_eq!(
        read_data(&path, &ReadOptions::new(Need::Answer)).unwrap().report.to_string(),
        "1 of 2 rows left out: not valid JSON: key must be a string at column 2 (line 3)"
    );
    assert!(matches!(read("{,}\n[]\n", Need::Answer), Err(DataError::NoUsableRow { n_rows: 2, line: 1, .. })));
}

#[test]
fn other_fields_are_kept_in_order_and_as_they_are_spelt() {
    let written = |row: &str| serde_json::to_string(&read(row, Need::Answer).unwrap().rows[0].written()).unwrap();
    let triple =
        r#"{"id":18446744073709551617,"answer":"\u0061","x":{"b":1.10,"a":[]},"question":"q","correction":"c"}"#;
    assert_eq!(written(triple), triple);
    let pair = r#"{"z":1e-400,"chosen":"c","a":0.30000000000000000001,"prompt":"q","rejected":"r"}"#;
    assert_eq!(
        written(pair),
        r#"{"question":"q","answer":"r","correction":"c","z":1e-400,"a":0.30000000000000000001}"#
    );
    let apart = r#"{"question":"q","context":"A passage.","chosen":"c","rejected":"r"}"#;
    assert_eq!(written(apart), r#"{"question":"q","answer":"r","correction":"c","context":"A passage."}"#);
    assert_eq!(read(apart, Need::Answer).unwrap().report.n_contexts_apart, 1);
    let half = read(r#"{"question":"q","answer":"a\ud83d","x":"\ud83d"}"#, Need::Answer).unwrap();
    assert_eq!((half.rows[0].answer.as_deref(), half.report.n_half_surrogates), (Some("a\u{fffd}"), 1));
}

#[test]
fn an_answer_with_its_correction_counts_before_a_pair_beside_it() {
    let (good, flawed) = (assistant(GOOD), assistant(FLAWED));
    let own = json!({ "answer": "An answer.", "correction": "Its correction." });
    for pair in [
        json!({ "question": "Why?", "chosen": GOOD, "rejected": FLAWED }),
        json!({ "prompt": "Why?", "chosen": GOOD, "rejected": FLAWED }),
        json!({ "chosen": [user("Why?"), good], "rejected": [user("Why?"), flawed] }),
        json!({ "chosen": format!("\n\nHuman: Why?\n\nAssistant: {GOOD}"), "rejected": format!("\n\nHuman: Why?\n\nAssistant: {FLAWED}") }),
    ] {
        let with = |names: &[&str]| {
            let mut row = pair.clone();
            names.iter().for_each(|name| row[*name] = own[*name].clone());
            row
        };
        assert_eq!(triple(&with(&["answer", "correction"])), ["Why?", "An answer.", "Its correction."], "{pair}");
        for name in ["answer", "correction"] {
            let said = message(&with(&[name]).to_string(), Need::Triple);
            assert!(said.contains(&format!("both `{name}` and a preference pair")), "{said}");
        }
    }
    let row = with_pair().to_string();
    let written = serde_json::to_value(read(&row, Need::Triple).unwrap().rows[0].written()).unwrap();
    assert_eq!(written, with_pair(), "nothing is lost");
}

fn with_pair() -> Value {
    json!({ "question": "Why?", "answer": "a", "correction": "c", "chosen": GOOD, "rejected": FLAWED })
}

#[test]
fn messages_that_are_no_part_of_the_question_are_counted() {
    let n_apart = |messages: Value| {
        let report = read(&json!({ "messages": messages }).to_string(), Need::Answer).unwrap().report;
        assert_eq!(report.is_plain(), report.n_messages_apart == 0);
        report.n_messages_apart
    };
    let said = |role: &str, text: &str| json!({ "role": role, "content": text });
    assert_eq!(n_apart(json!([user("Why?"), assistant("So."), user("And?"), assistant("Yes.")])), 0);
    assert_eq!(n_apart(json!([said("system", " "), user("Why?"), assistant("So.")])), 0);
    for role in ["system", "developer", "tool", "function"] {
        assert_eq!(n_apart(json!([said(role, "Be kind."), user("Why?"), assistant("So.")])), 1, "{role}");
    }
    assert_eq!(n_apart(json!([user("Why?"), assistant("Let me see."), said("tool", ""), assistant("So.")])), 1);
    // a system message alone is the question
    assert_eq!(n_apart(json!([said("system", "Write a poem."), assistant("Roses.")])), 0);
    let context = read(r#"{"question":"q","context":"A passage.","answer":"a"}"#, Need::Answer).unwrap();
    assert_eq!(context.report.n_contexts_apart, 1);
}

#[test]
fn turns_before_an_instruction_are_read() {
    let row = json!({ "instruction": "And?", "input": "", "output": "Yes.", "history": [["Why?", "So."]], "id": 3 });
    let file = read(&row.to_string(), Need::Answer).unwrap();
    assert_eq!(file.rows[0].question, "USER: Why?\nASSISTANT: So.\nUSER: And?");
    let written = json!({ "question": file.rows[0].question, "answer": "Yes.", "id": 3 });
    assert_eq!(serde_json::to_value(file.rows[0].written()).unwrap(), written);
    for wrong in [json!("Why?"), json!([["Why?"]]), json!([{ "user": "Why?" }])] {
        let said = said(&json!({ "instruction": "And?", "output": "Yes.", "history": wrong }));
        assert!(said.contains("field `history` must be a list of pairs of texts"), "{said}");
    }
}

#[test]
fn a_completion_with_a_bad_label_is_no_clean_answer() {
    let row = |label: bool| json!({ "prompt": "Why?", "completion": "So.", "label": label }).to_string();
    assert!(read(&row(true), Need::CleanAnswer).is_ok() && read(&row(false), Need::Answer).is_ok());
    assert!(message(&row(false), Need::CleanAnswer).contains("its `label` is false"));
}

#[test]
fn rows_whose_flaws_cannot_be_read_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    let good = r#"{"question":"q","answer":"a","correction":"a","flaws":[],"strictness":1,"clean":"a"}"#;
    let bad = [
        good.replace(r#""flaws":[]"#, r#""flaws":3"#),
        good.replace(r#""flaws":[]"#, r#""flaws":[{"kind":"new"}]"#),
        good.replace(r#""strictness":1"#, r#""strictness":"high""#),
        good.replace(r#""answer":"a""#, r#""answer":"b""#),
        good.replace(r#""flaws":[]"#, r#""flaws":[{"kind":"spelling","severity":1,"start":0,"end":900,"text":"x"}]"#),
    ];
    for bad in &bad {
        std::fs::write(&path, format!("{good}\n{bad}\n")).unwrap();
        let options = ReadOptions::new(Need::Triple);
        let (rows, file) = read_corrupted(&path, &options).unwrap().unwrap();
        assert_eq!((rows.len(), file.rows.len(), file.report.left_out.len()), (1, 1, 1), "{bad}");
        let left_out = &file.report.left_out[0];
        assert_eq!((left_out.reason, left_out.first_line), ("flaws", 2), "{bad}");
        let strict = read_corrupted(&path, &ReadOptions { is_strict: true, ..options }).unwrap_err();
        assert!(strict.to_string().contains(":2: the row's flaws cannot be read"), "{strict}");
        std::fs::write(&path, format!("{bad}\n{bad}\n")).unwrap();
        assert!(matches!(read_corrupted(&path, &options), Err(DataError::NoUsableRow { n_rows: 2, line: 1, .. })));
    }
}

#[test]
fn empty_texts_are_left_to_a_filter_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    std::fs::write(&path, "{\"question\": \"q\", \"answer\": \"\"}\n{\"question\": \"q\", \"answer\": \"a\"}\n")
        .unwrap();
    let options = ReadOptions { allows_empty: true, ..ReadOptions::new(Need::Answer) };
    let (kept, report) = filter_rows(read_data(&path, &options).unwrap().rows, &Default::default()).unwrap();
    assert_eq!((kept.len(), report.empty), (1, 1));
}

/// Reads every file in the folder that `REDLINE_DATA` names.
#[test]
#[ignore = "needs data files"]
fn files_from_elsewhere_are_recognised() {
    let folder = std::env::var("REDLINE_DATA").unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match read_data(&path, &ReadOptions::new(Need::Question)) {
            Ok(file) => println!("{}: {} rows\n{}", path.display(), file.rows.len(), file.report),
            Err(error) => println!("{error}"),
        }
    }
}
