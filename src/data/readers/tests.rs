use super::*;

const QA: &str = r#"{"question": "q", "answer": "a"}"#;
const QAC: &str = r#"{"question": "q", "answer": "a", "correction": "c", "id": 3}"#;
const PAIR: &str = r#"{"question": "q", "context": "x", "chosen": "c", "rejected": "r"}"#;
const DIALOGUE: &str = r#"{"chosen": "\n\nHuman: q\n\nAssistant: c", "rejected": "\n\nHuman: q\n\nAssistant: r"}"#;

fn read(text: &str) -> Result<DataFile, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d");
    std::fs::write(&path, text).unwrap();
    read_data(&path)
}

/// The error's text from the file's name on.
fn message(text: &str) -> String {
    let text = read(text).unwrap_err().to_string();
    text[text.find("d:").unwrap()..].to_owned()
}

#[test]
fn every_kind_is_recognised_in_lines_and_arrays() {
    let kinds = [
        (QA, RowFormat::QuestionAnswer),
        (QAC, RowFormat::QuestionAnswerCorrection),
        (PAIR, RowFormat::Preference),
        (DIALOGUE, RowFormat::DialoguePreference),
    ];
    for (row, format) in kinds {
        let lines = read(&format!("{row}\n\n{row}\n")).unwrap();
        let array = read(&format!("[\n{row},\n{row}\n]")).unwrap();
        assert_eq!((lines.format, array.format), (format, format));
        assert_eq!(lines.rows, array.rows);
        assert_eq!(lines.rows.questions(), ["q", "q"]);
    }
}

#[test]
fn preference_pairs_become_triples() {
    let triple = Qac { question: "q".into(), answer: "r".into(), correction: "c".into() };
    for row in [PAIR, DIALOGUE] {
        assert_eq!(read(row).unwrap().into_triples().unwrap(), std::slice::from_ref(&triple));
        let clean = Question { question: "q".into(), answer: "c".into() };
        assert_eq!(read(row).unwrap().into_clean_answers().unwrap(), [clean]);
    }
    assert!(matches!(read(QA).unwrap().into_triples(), Err(DataError::WrongFormat { .. })));
    assert!(matches!(read(QAC).unwrap().into_clean_answers(), Err(DataError::WrongFormat { .. })));
}

#[test]
fn mixed_kinds_are_refused_with_the_line() {
    assert_eq!(
        message(&format!("{QAC}\n\n{QA}\n")),
        "d:3: this row is plain question–answer (no correction), but the rows before it are question–answer–correction"
    );
    assert_eq!(
        message(&format!("[{QA},\n{DIALOGUE}]")),
        "d:2: this row is preference dialogues (chosen, rejected), but the rows before it are plain question–answer (no correction)"
    );
}

#[test]
fn unknown_rows_are_refused_with_their_fields() {
    assert_eq!(
        message(&format!("{QA}\n{{\"question\": \"q\", \"text\": \"t\"}}")),
        "d:2: not a known kind of row; its fields are `question`, `text`"
    );
    assert_eq!(message("{}"), "d:1: not a known kind of row; its fields are none");
    let only_chosen = r#"{"question": "q", "chosen": "c"}"#;
    assert_eq!(message(only_chosen), "d:1: not a known kind of row; its fields are `chosen`, `question`");
}

#[test]
fn fields_of_another_type_and_broken_dialogues_are_refused() {
    assert_eq!(message(r#"{"question": "q", "answer": 3}"#), "d:1: field `answer` must be text, but is a number");
    assert_eq!(
        message(r#"{"question": "q", "chosen": "c", "rejected": "r", "context": []}"#),
        "d:1: field `context` must be text, but is a list"
    );
    assert_eq!(
        message(r#"{"chosen": "c", "rejected": "r"}"#),
        "d:1: the dialogues cannot be read: no turn begins with `Assistant:`"
    );
    assert!(matches!(read("{"), Err(DataError::Read(_))));
    assert!(matches!(read("\n"), Err(DataError::Read(_))));
}

#[test]
fn empty_texts_are_left_to_the_filter() {
    assert_eq!(read(r#"{"question": "q", "answer": ""}"#).unwrap().rows.len(), 1);
}

/// Reads every file in the folder that `REDLINE_DATA` names.
#[test]
#[ignore = "needs data files"]
fn files_from_elsewhere_are_recognised() {
    let folder = std::env::var("REDLINE_DATA").unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = read_data(&entry.unwrap().path()).unwrap();
        let (_, report) = crate::data::filter(file.rows, &crate::data::FilterOptions::default()).unwrap();
        println!("{}: {}; {report}", file.path.display(), file.format);
    }
}
