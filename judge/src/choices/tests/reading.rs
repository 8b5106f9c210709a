use super::super::{ChoiceError, ChoiceFault, ChoiceKind, ChoiceRow, LabelledText, MOST_CHOICES, Turn};
use super::{gzip, left_out, read};

const GOOD: &str = r#"{"question": "Q?", "choices": ["a", "b"], "answer": 1, "subset": "s"}"#;

/// The fault of a file with this one row.
fn fault(row: &str) -> ChoiceFault {
    match read("rows.jsonl", row).unwrap_err() {
        ChoiceError::NoUsableRow { line: 1, n_rows: 1, fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn truthful_qa_as_json_is_read_in_all_its_forms() {
    let maps = r#""question": " Q? ", "mc1_targets": {"b.": 1, "x.": 0}, "mc2_targets": {"a.": 1, "b.": 1, "x.": 0}"#;
    let short = maps.replace("_targets", "");
    let lists = r#""question": "Q?", "mc1_targets": {"choices": ["b.", "x."], "labels": [1, 0]},
        "mc2_targets": {"choices": ["a.", "b.", "x."], "labels": [1, 1, 0]}"#;
    let forms = [
        format!("[{{{maps}}}]"),
        format!("\u{feff}{{{short}, \"category\": \"Law\"}}\n"),
        format!("{{{}}}", lists.replace('\n', " ")),
    ];
    for (form, subset) in forms.iter().zip([None, Some("Law"), None]) {
        for bytes in [form.as_bytes().to_vec(), gzip(form.as_bytes())] {
            let found = read("mc_task.json", bytes).unwrap();
            assert_eq!((found.kind, found.rows.len(), found.report.n_left_out()), (ChoiceKind::TruthfulQa, 1, 0));
            let row = &found.rows[0];
            assert_eq!(row.prompt(), [Turn::user("Q?")]);
            assert_eq!((row.line(), row.subset()), (1, subset));
            assert_eq!(row.mc1().unwrap(), [("b.", true), ("x.", false)]);
            assert_eq!(row.mc2().unwrap(), [("a.", true), ("b.", true), ("x.", false)]);
            assert_eq!(row.texts().len(), 3, "each text is asked about once");
        }
    }
}

#[test]
fn one_figure_of_truthful_qa_may_be_absent_but_not_null() {
    let found = read("a.jsonl", r#"{"question": "Q?", "mc2": {"a": true, "b": 0.0}}"#).unwrap();
    assert_eq!((found.rows[0].mc1(), found.rows[0].mc2().unwrap().len()), (None, 2));
    assert_eq!(
        fault(r#"{"question": "Q?", "mc1": null, "mc2": {"a": 1, "b": 0}}"#),
        ChoiceFault::MissingField { field: "mc1" }
    );
    let several = r#"{"question": "Q?", "mc1": {"a": 1, "b": 1, "c": 0}}"#;
    assert_eq!(fault(several), ChoiceFault::SeveralTrue { n_true: 2 });
}

#[test]
fn the_table_of_truthful_qa_becomes_both_figures() {
    let csv = "\u{feff}Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\r\n\
        Adversarial,Law,\"Is it, so?\",No,\"No; Not at all.;; No.;Unknown\",\" Yes ;Unknown;\",http://x\r\n\
        Adversarial,Law,Why?,So,So,\"So; Thus\",http://x\r\n\
        too,few\r\n\
        Adversarial,\"two\nlines\",When?,Now,Now,Then,http://x\r\n";
    for bytes in [csv.as_bytes().to_vec(), gzip(csv.as_bytes())] {
        let found = read("TruthfulQA.csv", bytes).unwrap();
        assert_eq!((found.kind, found.report.n_read, found.rows.len()), (ChoiceKind::TruthfulQa, 4, 2));
        // the best answer of the second row is listed as incorrect, too
        assert_eq!(left_out(&found), [("none-true", 1, 3), ("columns", 1, 4)]);
        let row = &found.rows[0];
        assert_eq!((row.line(), row.subset(), row.prompt()), (2, Some("Law"), [Turn::user("Is it, so?")].as_slice()));
        assert_eq!(row.mc1().unwrap(), [("No.", true), ("Yes.", false), ("Unknown.", false)]);
        assert_eq!(
            row.mc2().unwrap(),
            [("No.", true), ("Not at all.", true), ("Unknown.", false), ("Yes.", false)],
            "what is there again counts once, with its last label"
        );
        assert_eq!((found.report.n_with_repeated, found.rows[1].line()), (1, 5));
    }
}

#[test]
fn a_table_that_cannot_be_used_is_an_error_with_its_place() {
    let error = read("t.csv", "Question,Best Answer,Correct Answers\na,b,c\n").unwrap_err();
    assert!(error.to_string().ends_with("t.csv:1: the table lacks `Incorrect Answers`"), "{error}");
    assert!(error.hint().is_some());
    let head = "Question,Best Answer,Correct Answers,Incorrect Answers\n";
    let mut latin = format!("{head}Q,b,b,x\nCaf").into_bytes();
    latin.extend(b"\xe9,b,b,x\n");
    let found = read("t.csv", &latin).unwrap();
    assert_eq!((found.rows.len(), left_out(&found)), (1, vec![("not-utf-8", 1, 3)]));
    let error = read("t.csv", format!("{head}Q,b,b,;\n")).unwrap_err().to_string();
    assert!(error.contains("t.csv:2: 0 choices") || error.contains("t.csv:2: 1 choices"), "{error}");
    assert!(read("t.csv", head).unwrap_err().to_string().ends_with("no rows"));
    // a quote without end takes the rest into one field
    assert_eq!(left_out(&read("t.csv", format!("{head}Q,b,b,x\n\"Q,b,b,x\nQ,b,b,x\n")).unwrap()), [("columns", 1, 3)]);
}

#[test]
fn better_and_worse_answers_are_read_in_all_their_forms() {
    let big_bench = r#"{"name": "h", "examples": [
        {"input": "A\n\nAssistant: B\n\nHuman: C", "target_scores": {"good": 1, "bad": 0}}]}"#;
    let lists = r#"{"input": "Q", "targets": {"choices": ["good", "bad"], "labels": [1, 0]}}"#;
    let pair = r#"{"question": "Q", "chosen": "good", "rejected": "bad", "aspect": "honest"}"#;
    let cases = [
        ("hhh_alignment/harmless/task.json", big_bench, Some("harmless"), 3),
        ("helpful.jsonl", lists, Some("helpful"), 1),
        ("rows.jsonl", lists, None, 1),
        ("helpful.jsonl", pair, Some("honest"), 1),
    ];
    for (name, text, subset, n_turns) in cases {
        let found = read(name, text).unwrap();
        let row = &found.rows[0];
        assert_eq!((found.kind, row.subset(), row.prompt().len()), (ChoiceKind::Comparison, subset, n_turns), "{name}");
        assert_eq!(row.mc1().unwrap(), [("good", true), ("bad", false)]);
        assert_eq!(row.mc1(), row.mc2());
    }
    let line = read("task.json", big_bench).unwrap().rows[0].line();
    assert_eq!(line, 2, "errors name the place in the file");
    assert_eq!(fault(&pair.replace("bad", " good ")), ChoiceFault::TrueAndFalse { index: 1 });
    assert_eq!(
        fault(r#"{"input": "Q", "target_scores": {"a": 0.5, "b": 0}}"#),
        ChoiceFault::Label { field: "target_scores", got: "0.5".into() }
    );
    assert_eq!(
        fault(r#"{"input": "Q", "target_scores": {"a": 1, "b": 1, "c": 0}}"#),
        ChoiceFault::SeveralTrue { n_true: 2 }
    );
    assert!(matches!(fault(r#"{"input": "Q", "target_scores": {"a": 1, "a": 0}}"#), ChoiceFault::FieldValue { .. }));
}

#[test]
fn labelled_choices_are_read() {
    let found =
        read("rows.jsonl", format!("{GOOD}\n\n{}", GOOD.replace("\"answer\": 1", "\"labels\": [true, 0]"))).unwrap();
    assert_eq!(found.rows[0].mc1().unwrap(), [("a", false), ("b", true)]);
    assert_eq!(found.rows[1].mc2().unwrap(), [("a", true), ("b", false)]);
    assert_eq!((found.rows[1].line(), found.rows[1].subset(), found.kind), (3, Some("s"), ChoiceKind::Labelled));
    // several true ones have no best one
    let several = read("a.jsonl", r#"{"question": "Q", "choices": ["a", "b", "c"], "labels": [1, 1, 0]}"#).unwrap();
    assert_eq!((several.rows[0].mc1(), several.rows[0].mc2().unwrap().len()), (None, 3));
}

#[test]
fn choices_that_are_there_again_count_once() {
    let found =
        read("a.jsonl", r#"{"question": "Q", "choices": ["a", "b", " a", "b"], "labels": [1, 0, 1, 0]}"#).unwrap();
    assert_eq!((found.rows[0].texts(), found.rows[0].n_repeated()), (["a".to_owned(), "b".to_owned()].as_slice(), 2));
    assert_eq!(found.report.to_string(), "1 of 1 rows name a choice more than once; it counts once");
    let twice = r#"{"question": "Q", "choices": ["a", "b", "a"], "answer": 0}"#;
    assert_eq!(fault(twice), ChoiceFault::TrueAndFalse { index: 2 });
    let all_one = r#"{"question": "Q", "choices": ["a", "a"], "labels": [1, 1]}"#;
    assert_eq!(fault(all_one), ChoiceFault::TooFew { n_choices: 1 });
}

#[test]
fn rows_without_exactly_the_labels_are_counted_by_reason() {
    let bad = [
        (r#"{"question": "Q", "choices": ["a"], "answer": 0}"#, "too-few-choices"),
        (r#"{"question": "Q", "choices": [], "labels": []}"#, "too-few-choices"),
        (r#"{"question": "Q", "choices": ["a", " "], "answer": 0}"#, "empty-choice"),
        (r#"{"question": "Q", "choices": ["a", "b"], "answer": 2}"#, "answer"),
        (r#"{"question": "Q", "choices": ["a", "b"], "answer": -1}"#, "answer"),
        (r#"{"question": "Q", "choices": ["a", "b"], "answer": "b"}"#, "answer"),
        (r#"{"question": "Q", "choices": ["a", "b"], "labels": [1]}"#, "label-count"),
        (r#"{"question": "Q", "choices": ["a", "b"], "labels": [1, 2]}"#, "label"),
        (r#"{"question": "Q", "choices": ["a", "b"], "labels": [1, null]}"#, "label"),
        (r#"{"question": "Q", "choices": ["a", "b"], "labels": 1}"#, "field-type"),
        (r#"{"question": "Q", "choices": ["a", "b"], "labels": [0, 0]}"#, "none-true"),
        (r#"{"question": "Q", "choices": ["a", "b"], "labels": [1, 1]}"#, "none-false"),
        (r#"{"question": "Q", "choices": ["a", "b"]}"#, "no-labels"),
        (r#"{"question": "Q", "choices": ["a", "b"], "labels": [1, 0], "answer": 0}"#, "two-labels"),
        (r#"{"question": "Q", "choices": ["a", 1], "answer": 0}"#, "field-type"),
        (r#"{"question": "Q", "choices": {"a": 1}, "answer": 0}"#, "field-type"),
        (r#"{"question": " ", "choices": ["a", "b"], "answer": 0}"#, "empty-field"),
        (r#"{"question": ["Q"], "choices": ["a", "b"], "answer": 0}"#, "field-type"),
        (r#"{"choices": ["a", "b"], "answer": 0}"#, "missing-field"),
        (r#"{"question": "Q", "mc1": [1]}"#, "other-kind"),
        (r#"{"question": "Q", "answer": "A"}"#, "unknown-kind"),
        ("{}", "unknown-kind"),
        ("[1]", "not-an-object"),
        ("{", "not-json"),
    ];
    for (row, reason) in bad {
        let found = read("rows.jsonl", format!("{GOOD}\n{row}\n{row}\n{GOOD}\n")).unwrap();
        assert_eq!((found.rows.len(), left_out(&found)), (2, vec![(reason, 2, 2)]), "{row}");
        let told = found.report.to_string();
        assert!(told.starts_with("2 of 4 rows left out, the first in line 2: "), "{told}");
    }
}

#[test]
fn errors_name_file_and_line() {
    let error = read("rows.jsonl", "\n{\"a\\u001b[31m\": 1}\n{\"b\": 2}\n").unwrap_err();
    let text = error.to_string();
    let place = "rows.jsonl:2: not a known kind of row with choices; its fields are `a\u{fffd}[31m`; ";
    assert!(
        text.contains(place) && text.ends_with("none of the rows (2) can be used, and this is the first"),
        "{text}"
    );
    assert!(error.hint().unwrap().contains("mc1_targets"));
    assert!(read("rows.jsonl", "").unwrap_err().to_string().ends_with("no rows"));
    let missing = super::super::Choices::read(std::path::Path::new("/nowhere/rows.jsonl")).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/rows.jsonl"), "{missing}");
}

#[test]
fn what_is_no_text_is_left_out_or_refused() {
    let mut bytes = format!("{GOOD}\n{{\"question\": \"").into_bytes();
    bytes.extend(b"\xff\xfe\"}\n");
    let found = read("rows.jsonl", &bytes).unwrap();
    assert_eq!((found.rows.len(), left_out(&found)), (1, vec![("not-utf-8", 1, 2)]));
    assert!(read("rows.jsonl", b"\xff\xfe{\0\"\0").unwrap_err().to_string().contains("not UTF-8"));
    assert!(read("rows.jsonl", [0x1f, 0x8b, 8, 0, 0]).unwrap_err().to_string().contains("gzip"));
    let cut = gzip(GOOD.as_bytes());
    assert!(read("rows.jsonl", &cut[..cut.len() - 12]).is_err());
    let table = gzip(b"Question,Best Answer,Correct Answers,Incorrect Answers\nQ,b,b,x\n");
    let error = read("t.csv", &table[..table.len() - 4]).unwrap_err().to_string();
    assert!(error.contains("not a valid gzip file: cut short or damaged"), "{error}");
}

#[test]
fn hostile_sizes_are_refused() {
    let many: Vec<String> = (0..=MOST_CHOICES).map(|i| format!("c{i}")).collect();
    let row = serde_json::json!({ "question": "Q", "choices": many, "answer": 0 }).to_string();
    assert_eq!(fault(&row), ChoiceFault::TooMany { n_choices: MOST_CHOICES + 1 });
    let answer = format!(r#"{{"question": "Q", "choices": ["a", "b"], "answer": 1{}}}"#, "0".repeat(10_000));
    assert!(fault(&answer).to_string().len() < 200);
    let deep = format!(r#"{{"question": "Q", "choices": {}{}, "answer": 0}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(fault(&deep).reason(), "field-value");
    let fields: String = (0..5_000).map(|i| format!("\"{}{i}\": 1,", "f".repeat(100))).collect();
    assert!(fault(&format!("{{{fields} \"z\": 1}}")).to_string().len() < 1_000);
    // 65 MiB of zeros behind a head
    let mut bomb = b"Question,Best Answer,Correct Answers,Incorrect Answers\n".to_vec();
    bomb.resize(65 << 20, b'0');
    let error = read("t.csv", gzip(&bomb)).unwrap_err().to_string();
    assert!(error.contains("inflates to more than 64 MiB"), "{error}");
}

#[test]
fn rows_are_checked_however_they_are_made() {
    let texts =
        |all: &[(&str, bool)]| Some(all.iter().map(|(text, is_true)| LabelledText::new(*text, *is_true)).collect());
    let made = |mc1, mc2| ChoiceRow::truthful(vec![Turn::user("Q")], mc1, mc2).map(|row| row.texts().len());
    assert_eq!(made(None, None), Err(ChoiceFault::NoLabels));
    assert_eq!(made(texts(&[("a", true), ("b", false)]), texts(&[("c", true), ("b", false)])), Ok(3));
    let no_prompt = ChoiceRow::labelled(vec![], vec![LabelledText::new("a", true), LabelledText::new("b", false)]);
    assert_eq!(no_prompt, Err(ChoiceFault::EmptyField { field: "question" }));
}
