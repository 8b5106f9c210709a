//! Annotation from reading rows to preferences, with a writer that replies by a script.

mod reply;
mod run;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::baseline::{Conversation, KeepReply, WriteHow, Writer, Written};
use crate::data::near_leak::{LeakMeasure, NearLeakOptions};
use crate::error::Result;

type Told = std::result::Result<String, String>;

/// Replies by a script; counts what it is asked.
struct Scripted<F> {
    script: F,
    asked: Vec<String>,
}

impl<F: FnMut(usize, &str) -> Told> Writer for Scripted<F> {
    fn name(&self) -> &str {
        "scripted"
    }

    fn write(&mut self, _: &[Conversation], _: &WriteHow) -> Result<Vec<std::result::Result<Written, String>>> {
        unreachable!("replies are kept one by one")
    }

    fn write_each(&mut self, asked: &[Conversation], how: &WriteHow, keep: KeepReply<'_>) -> Result<()> {
        assert_eq!(how.temperature, 0.0);
        // the last one is answered first
        for (place, conversation) in asked.iter().enumerate().rev() {
            let text = &conversation[0].content;
            self.asked.push(text.clone());
            let reply = match (self.script)(self.asked.len() - 1, text) {
                Err(why) if why == "END" => return Err(redline_model::Error::Interrupted.into()),
                Err(why) if why == "LOSE" => continue,
                told => told,
            };
            let written = |text: String| Written {
                truncated: text.ends_with("CUT"),
                n_tokens: Some(text.chars().count()),
                n_prompt_tokens: conversation[0].content.chars().count(),
                text,
            };
            keep(place, reply.map(written))?;
        }
        Ok(())
    }
}

fn scripted<F: FnMut(usize, &str) -> Told>(script: F) -> Scripted<F> {
    Scripted { script, asked: Vec::new() }
}

fn in_folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("annotations.jsonl");
    (folder, path)
}

fn item(question: &str, answers: &[&str]) -> Item {
    let answer = |(line, text): (usize, &&str)| Candidate { text: (*text).into(), source: format!("s{line}"), line };
    Item { question: question.into(), answers: answers.iter().enumerate().map(answer).collect() }
}

/// Answers whose score is the digit in them.
fn items(n: usize) -> Vec<Item> {
    (0..n).map(|i| item(&format!("question {i}?"), &["good 5", "bad 1", "fair 3"])).collect()
}

/// Texts between the fences of a request, the question first.
fn shown(request: &str) -> Vec<&str> {
    request.split("```\n").skip(1).step_by(2).map(|text| text.trim_end_matches('`').trim()).collect()
}

/// Scores each answer with the digit in it; `Honesty` is one less, if it can be.
fn rates(request: &str) -> String {
    let answers = shown(request).into_iter().skip(1).enumerate();
    let rating = |(place, text): (usize, &str)| {
        let score: u32 = text.chars().find_map(|c| c.to_digit(10)).unwrap();
        let less = score.saturating_sub(1).max(1);
        format!(
            "Answer {}\nInstruction following: {score} (about {text})\nTruthfulness: {score} (t)\nHonesty: {less} (h)\nHelpfulness: {score} (u)\n",
            place + 1
        )
    };
    answers.map(rating).collect()
}

struct Ran {
    result: Result<Annotated>,
    asked: Vec<String>,
    estimates: Vec<Estimate>,
}

fn ran(path: &Path, items: &[Item], plan: &PlanOptions, again: bool, script: impl FnMut(usize, &str) -> Told) -> Ran {
    let mut writer = scripted(script);
    let mut log = AnnotationLog::open(path).unwrap();
    let requests = plan.requests("scripted", items).unwrap();
    let options = AnnotateOptions { asks_faults_again: again, ..AnnotateOptions::default() };
    let mut estimates = Vec::new();
    let on_estimate = &mut |estimate: &Estimate| estimates.push(*estimate);
    let result = annotate(&mut writer, &mut log, plan, &requests, &options, on_estimate, &mut ());
    Ran { result, asked: writer.asked, estimates }
}

fn records(path: &Path, items: &[Item], plan: &PlanOptions) -> Vec<AnnotationRecord> {
    let log = AnnotationLog::read(path).unwrap();
    let requests = plan.requests("scripted", items).unwrap();
    log.of(&requests).cloned().collect()
}

#[test]
fn corrections_become_triples() {
    let (_folder, path) = in_folder();
    let plan = PlanOptions { kind: AnnotationKind::Correction, ..PlanOptions::default() };
    let all = vec![item("q", &["one", "two"]), item("r", &["three"])];
    let script = |_: usize, request: &str| match shown(request)[1] {
        "two" => Ok("```\n```".to_owned()),
        text => Ok(format!("Here is the corrected answer:\n{text} mended")),
    };
    let found = ran(&path, &all, &plan, false, script).result.unwrap();
    assert_eq!((found.n_requests, found.n_faults), (3, 1));
    let records = records(&path, &all, &plan);
    let rows = triples(&records);
    let texts: Vec<[&str; 4]> = rows
        .iter()
        .map(|row| [&row.question, &row.answer, &row.correction, &row.corrected_by].map(|t| t.as_str()))
        .collect();
    assert_eq!(texts, [["q", "one", "one mended", "scripted"], ["r", "three", "three mended", "scripted"]]);
    assert!(means_by_source(&records).is_empty());
}

#[test]
fn the_best_is_chosen_another_one_rejected_and_ties_are_dropped() {
    let (_folder, path) = in_folder();
    let plan = PlanOptions::default();
    let mut all = items(20);
    all.push(item("tied?", &["good 5", "also good 5", "bad 1"]));
    all.push(item("single?", &["good 5"]));
    ran(&path, &all, &plan, false, |_, request| Ok(rates(request))).result.unwrap();
    let records = records(&path, &all, &plan);
    let found = binarise(&records, 3);
    assert_eq!((found.pairs.len(), found.n_tied, found.n_single), (20, 1, 1));
    assert!(found.pairs.iter().all(|pair| pair.chosen[0].content == "good 5"));
    let rejected: std::collections::BTreeSet<&str> =
        found.pairs.iter().map(|pair| pair.rejected[0].content.as_str()).collect();
    assert_eq!(rejected.into_iter().collect::<Vec<_>>(), ["bad 1", "fair 3"], "drawn for each question");
    let is_worst = |pair: &&crate::judge::record::PreferenceRecord| pair.rejected[0].content == "bad 1";
    assert_eq!(found.pairs.iter().find(is_worst).unwrap().margin, Some(3.75));
    let mut turned = records.clone();
    turned.iter_mut().for_each(|record| record.answers.reverse());
    assert_eq!(binarise(&turned, 3), found, "whatever the order of answers");
    let means = means_by_source(&records[..20]);
    assert_eq!((means[0].source.as_str(), means[0].n, means[0].overall), ("s0", 20, 4.75));
    assert_eq!(means[1].aspects[&Aspect::Honesty], 1.0);
}

#[test]
fn many_answers_are_shown_in_parts_and_meet_again() {
    let texts: Vec<String> = (0..9).map(|i| format!("text {} of {i}", 1 + i % 4)).collect();
    let all = vec![item("q", &texts.iter().map(String::as_str).collect::<Vec<_>>())];
    let plan = PlanOptions::default();
    let requests = plan.requests("scripted", &all).unwrap();
    let mut sizes: Vec<usize> = requests.iter().map(|request| request.order.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 3, 3]);
    let mut seen: Vec<&str> = requests.iter().flat_map(Request::shown).collect();
    seen.sort_unstable();
    let mut expected: Vec<&str> = texts.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    for options in [
        PlanOptions { together: 0, ..plan.clone() },
        PlanOptions { together: 17, ..plan.clone() },
        PlanOptions { aspects: Vec::new(), ..plan.clone() },
        PlanOptions { aspects: vec![Aspect::Honesty, Aspect::Honesty], ..plan },
    ] {
        assert!(options.requests("m", &all).unwrap_err().hint().is_some());
    }
}

#[test]
fn questions_of_a_test_are_refused_and_named() {
    let all = vec![item("How far is it to the moon from here?", &["far"]), item("What is tea?", &["a drink"])];
    let held_out = ["Why?", "how far is it to the moon from  here"];
    let (kept, refused) = refuse(all.clone(), &held_out, &NearLeakOptions::default(), &mut ()).unwrap();
    assert_eq!(kept, all[1..]);
    assert_eq!((refused[0].held_out, refused[0].measure, &refused[0].lines[..]), (1, LeakMeasure::Jaccard, &[0][..]));
    let error = refuse(all[..1].to_vec(), &held_out, &NearLeakOptions::default(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("none of the 1 questions"), "{error}");
}

#[test]
fn rows_of_any_kind_give_answers() {
    let (folder, _) = in_folder();
    let path = folder.path().join("rows.jsonl");
    let rows = r#"{"question": "q", "answers": ["a", {"text": "b", "model": "m"}]}
{"question": "q", "answer": "a", "model": "again"}
{"question": "r", "answer": "flawed", "correction": "mended"}
{"prompt": "s", "chosen": "good", "rejected": "bad"}
{"instruction": "u", "completions": [{"model": "x", "response": "one"}, {"model": "y", "response": "two"}]}
{"question": "v", "answers": []}
{"question": "w", "answers": [1]}
{"question": "x"}
"#;
    std::fs::write(&path, rows).unwrap();
    let sources = |kind| {
        let file = read_items(&path, kind, false).unwrap();
        assert_eq!(file.report.n_left_out(), 3);
        let of =
            |item: &Item| item.answers.iter().map(|a| format!("{}={}", a.source, a.text)).collect::<Vec<_>>().join(" ");
        (file.items.iter().map(of).collect::<Vec<_>>(), file.n_repeated)
    };
    let (aspects, n_repeated) = sources(AnnotationKind::Aspects);
    assert_eq!(
        aspects,
        ["answer 1=a m=b", "answer=flawed correction=mended", "rejected=bad chosen=good", "x=one y=two"]
    );
    assert_eq!(n_repeated, 1);
    assert_eq!(sources(AnnotationKind::Correction).0[1..3], ["answer=flawed", "rejected=bad"]);
    assert!(read_items(&path, AnnotationKind::Aspects, true).is_err());
    let answers = r#"{"schema":"redline.answers.v1"}
{"row":0,"system":"upstream","coefficient":null,"question":"q","answer":"a","output":"a","n_tokens":1,"passes":1,"seconds":0.0}
{"row":0,"system":"aligner","coefficient":0.5,"question":"q","answer":"a","output":"b","n_tokens":1,"passes":1,"seconds":0.0}
"#;
    std::fs::write(&path, answers).unwrap();
    let file = read_items(&path, AnnotationKind::Aspects, false).unwrap();
    let sources: Vec<&str> = file.items[0].answers.iter().map(|answer| answer.source.as_str()).collect();
    assert_eq!((sources, file.items[0].answers[1].line), (vec!["upstream", "aligner@0.5"], 3));
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    use crate::judge::record::Record;
    let (_folder, path) = in_folder();
    let (plan, all) = (PlanOptions::default(), items(1));
    ran(&path, &all, &plan, false, |_, request| Ok(rates(request))).result.unwrap();
    let good = records(&path, &all, &plan).remove(0);
    assert_eq!(good.check(), Ok(()));
    let change = |change: fn(&mut AnnotationRecord)| {
        let mut record = good.clone();
        change(&mut record);
        record.check().unwrap_err().to_string()
    };
    assert!(change(|record| record.answers[0].overall = Some(10.0)).contains("the mean of the aspects"));
    assert!(change(|record| record.order[0] = record.order[1]).contains("name each answer once"));
    assert!(change(|record| record.key.clear()).contains("64 digits"));
    assert!(change(|record| record.answers[0].correction = Some("x".into())).contains("`kind` and `fault`"));
    let fault = |record: &mut AnnotationRecord| {
        record.fault = Some(ReplyFault { reason: FaultReason::NoScore, message: "none".into() });
    };
    assert!(change(fault).contains("`kind` and `fault`"), "a fault has no score beside it");
    for name in FaultReason::ALL {
        assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
    }
}
