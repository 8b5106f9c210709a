//! The public sets that lie beside the project's working tree, where they do.

use std::path::Path;

use serde_json::Value;

use super::super::{Choice, ChoiceKind, ChoiceTable, Choices};
use super::{left_out, read};
use crate::files_for_tests::data;
use crate::win_rate::ResampleOptions;
use redline_model::qac::read_objects;

/// Ten characters are as likely as each other: a model that knows nothing but length.
fn by_length(choices: &Choices) -> ChoiceTable {
    let of = |own: &Choice<'_>| Some(-10f64.ln() * own.completion.chars().count() as f64);
    let mut log_probs = |asked: &[Choice<'_>]| Ok(asked.iter().map(of).collect());
    choices.measure(ResampleOptions::default(), &mut log_probs, &mut ()).unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn truthful_qa_is_read_whole() {
    let Some(path) = data("truthfulqa/questions.jsonl.gz") else { return };
    let found = Choices::read(&path).unwrap();
    // 636 rows, of which one has no labels
    assert_eq!((found.kind, found.report.n_read, found.rows.len()), (ChoiceKind::TruthfulQa, 636, 635));
    assert_eq!(left_out(&found)[0].0, "missing-field");
    assert_eq!(found.report.left_out.len(), 1);
    let table = by_length(&found);
    let (mc1, mc2) = (table.all.mc1.unwrap(), table.all.mc2.unwrap());
    assert_eq!((mc1.n, mc1.n_questions, mc1.n_unscored, mc2.n), (635, 635, 0, 635));
    // counted in Python
    assert!((mc1.chance.unwrap() - 0.220_933_952).abs() < 1e-8, "{mc1:?}");
    assert!((mc2.chance.unwrap() - 0.462_459_054).abs() < 1e-8, "{mc2:?}");
    // per character all choices are alike: chance exactly
    assert!((mc2.per_character.unwrap().value - mc2.chance.unwrap()).abs() < 1e-9, "{mc2:?}");
    eprintln!("TruthfulQA by length alone:\n{}", table.to_string().lines().take(2).collect::<Vec<_>>().join("\n"));
}

/// The rule for the CSV file rebuilds the labels of the JSON file.
#[test]
fn truthful_qa_as_a_table_gives_the_same_labels() {
    let Some(path) = data("truthfulqa/questions.jsonl.gz") else { return };
    let from_json = Choices::read(&path).unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["Type", "Category", "Question", "Best Answer", "Correct Answers", "Incorrect Answers"];
    writer.write_record(head).unwrap();
    for row in read_objects(&path).unwrap() {
        let fields = row.fields.unwrap();
        let value = |name: &str| fields.value(name).unwrap().unwrap();
        if value("mc1").is_null() {
            continue;
        }
        let [kind, category, question, best] = ["type", "category", "question", "best"].map(value);
        let [kind, category, question, best] = [&kind, &category, &question, &best].map(|own| own.as_str().unwrap());
        let (correct, incorrect) = (texts(&value("correct")).join("; "), texts(&value("incorrect")).join("; "));
        writer.write_record([kind, category, question, best, &correct, &incorrect]).unwrap();
    }
    let from_table = read("TruthfulQA.csv", writer.into_inner().unwrap()).unwrap();
    assert_eq!((from_table.rows.len(), from_table.report.n_left_out()), (635, 0));
    // five rows list an answer twice; see the module's words on them
    assert_eq!(from_table.report.n_with_repeated, 5);
    for (a, b) in from_json.rows.iter().zip(&from_table.rows) {
        assert_eq!((a.prompt(), a.subset(), a.mc1(), a.mc2()), (b.prompt(), b.subset(), b.mc1(), b.mc2()));
    }
}

#[test]
fn hhh_is_read_whole() {
    let Some(path) = data("hhh-alignment/pairs.jsonl.gz") else { return };
    let found = Choices::read(&path).unwrap();
    assert_eq!((found.kind, found.rows.len(), found.report.n_left_out()), (ChoiceKind::Comparison, 176, 0));
    let table = by_length(&found);
    let sizes: Vec<_> = table.subsets.iter().map(|own| (own.subset.as_deref().unwrap(), own.n_rows)).collect();
    assert_eq!(sizes, [("harmless", 45), ("helpful", 53), ("honest", 51), ("other", 27)]);
    let mc1 = table.all.mc1.unwrap();
    assert_eq!((mc1.n, mc1.n_questions, mc1.chance), (176, 73, Some(0.5)));
    // six of the 73 questions are conversations of several turns
    let mut several: Vec<_> = found.rows.iter().map(|row| row.prompt()).filter(|prompt| prompt.len() > 1).collect();
    assert_eq!(several.len(), 37);
    several.dedup();
    assert!(several.iter().all(|prompt| prompt.len() == 3), "{several:?}");
    eprintln!("HHH by length alone:\n{table}");
}

#[test]
fn what_has_no_choices_is_refused() {
    for name in ["llmbar/pairs.jsonl.gz", "pandalm/pairs.jsonl.gz", "harmfulqa/questions.jsonl.gz"] {
        let Some(path) = data(name) else { return };
        let error = Choices::read(Path::new(&path)).unwrap_err().to_string();
        assert!(error.contains(".jsonl.gz:1: not a known kind of row with choices"), "{error}");
    }
}
