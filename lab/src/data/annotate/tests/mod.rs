//! Annotation from reading rows to preferences, with a writer that replies by a script.

mod reply;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::baseline::{Conversation, KeepReply, WriteHow, Writer, Written};
use crate::data::near_leak::{LeakMeasure, NearLeakOptions};
use crate::error::{Error, Result};

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
                n_tokens: text.chars().count(),
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
fn scores_go_to_the_answers_whatever_the_order_they_were_shown_in() {
    let (_folder, path) = in_folder();
    let plan = PlanOptions::default();
    let all = items(12);
    let ran = ran(&path, &all, &plan, false, |_, request| Ok(rates(request)));
    let found = ran.result.unwrap();
    assert_eq!((found.n_requests, found.n_asked, found.n_faults, ran.asked.len()), (12, 12, 0, 12));
    let records = records(&path, &all, &plan);
    assert!(records.iter().any(|record| record.order != records[0].order), "orders are drawn by the question");
    for record in &records {
        let overall: Vec<f64> = record.answers.iter().filter_map(|answer| answer.overall).collect();
        assert_eq!(overall, [4.75, 1.0, 2.75], "the mean of the aspects: {record:?}");
        for answer in &record.answers {
            assert_eq!(answer.aspects[&Aspect::InstructionFollowing].rationale, format!("about {}", answer.text));
        }
        let said: Vec<&str> = record.raw.lines().filter_map(|line| Some(line.split_once("(about ")?.1)).collect();
        let by_place: Vec<String> =
            record.order.iter().map(|&place| format!("{})", record.answers[place].text)).collect();
        assert_eq!(said, by_place);
    }
    assert!(ran.asked.iter().all(|request| !request.to_lowercase().contains("overall")), "never asked for");
}

#[test]
fn a_run_that_was_stopped_asks_only_the_rest() {
    let (_folder, path) = in_folder();
    let (plan, all) = (PlanOptions::default(), items(9));
    let stopped =
        ran(&path, &all, &plan, false, |n, request| if n == 4 { Err("END".into()) } else { Ok(rates(request)) });
    assert!(stopped.result.is_err());
    assert_eq!(records(&path, &all, &plan).len(), 4, "what came before is kept");
    // killed within a line
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
    let mut reversed = all.clone();
    reversed.reverse();
    reversed[0].answers.reverse();
    let rest = ran(&path, &reversed, &plan, false, |_, request| Ok(rates(request)));
    let found = rest.result.unwrap();
    assert_eq!((found.n_known, found.n_asked), (3, 6), "rows in another order are the same requests");
    assert!(rest.asked.iter().all(|request| !stopped.asked[..3].contains(request)));
    let again = ran(&path, &all, &plan, false, |_, _| panic!("nothing is left to ask"));
    assert_eq!(again.result.unwrap().n_known, 9);
    // another seed shows the answers in another order, and another set of aspects is another question
    for plan in [
        PlanOptions { seed: 1, ..plan.clone() },
        PlanOptions { aspects: vec![Aspect::Honesty], ..plan.clone() },
        PlanOptions { kind: AnnotationKind::Correction, ..plan },
    ] {
        let requests = plan.requests("scripted", &all).unwrap();
        assert!(open_requests(&AnnotationLog::read(&path).unwrap(), &requests, false).len() > 4, "{plan:?}");
    }
}

#[test]
fn nonsense_is_a_fault_and_never_a_score() {
    let (_folder, path) = in_folder();
    let (plan, all) = (PlanOptions::default(), items(6));
    let script = |n: usize, request: &str| match n {
        0 => Err("it declined: no".into()),
        1 => Ok("They are all very good!".into()),
        2 => Ok(rates(request).replace(": 3", ": 7")),
        3 => Ok(rates(request) + "CUT"),
        _ => Ok(rates(request)),
    };
    let found = ran(&path, &all, &plan, false, script).result.unwrap();
    assert_eq!((found.n_asked, found.n_faults), (6, 4));
    let faults: Vec<(&str, usize)> = found.faults.iter().map(|(reason, n)| (reason.name(), *n)).collect();
    assert_eq!(faults, [("no_reply", 1), ("cut", 1), ("no_score", 2)]);
    let faulty: Vec<AnnotationRecord> =
        records(&path, &all, &plan).into_iter().filter(|record| record.fault.is_some()).collect();
    assert_eq!(faulty.len(), 4);
    assert!(faulty.iter().flat_map(|record| &record.answers).all(|answer| answer.overall.is_none()));
    assert_eq!(binarise(&faulty, 0).n_single, 4);
    // they are asked again only where that is asked for, and then count
    assert_eq!(ran(&path, &all, &plan, false, |_, _| panic!("asked")).result.unwrap().n_known, 6);
    let again = ran(&path, &all, &plan, true, |_, request| Ok(rates(request)));
    assert_eq!((again.result.unwrap().n_asked, again.asked.len()), (4, 4));
    assert!(records(&path, &all, &plan).iter().all(|record| record.fault.is_none()));
}

#[test]
fn too_many_faults_in_a_row_end_the_run() {
    let (_folder, path) = in_folder();
    let (plan, all) = (PlanOptions::default(), items(30));
    let nonsense = ran(&path, &all, &plan, false, |_, _| Ok("Well.".into()));
    let error = nonsense.result.unwrap_err();
    assert!(
        matches!(&error, Error::Annotate(inner) if matches!(**inner, AnnotateError::InARow { n: 10, .. })),
        "{error}"
    );
    assert_eq!(records(&path, &all, &plan).len(), 10, "they are kept with what was written");
    // where nothing is answered the settings are at fault: nothing is kept, so that nothing is taken for done
    let (_folder, path) = in_folder();
    let refused = ran(&path, &all, &plan, false, |_, _| Err("no such model".into()));
    assert!(refused.result.unwrap_err().to_string().contains("no such model"));
    assert_eq!((refused.asked.len(), records(&path, &all, &plan).len()), (3, 0));
    let lost =
        ran(&path, &all, &plan, false, |n, request| if n == 2 { Err("LOSE".into()) } else { Ok(rates(request)) });
    assert!(lost.result.unwrap_err().to_string().contains("asked 8 times and replied 7 times"));
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
fn an_estimate_goes_by_characters_and_then_by_replies() {
    let (_folder, path) = in_folder();
    let (plan, all) = (PlanOptions::default(), items(40));
    let requests = plan.requests("scripted", &all).unwrap();
    let log = AnnotationLog::default();
    let open = open_requests(&log, &requests, false);
    let blind = estimate(&log, "scripted", &plan, &open);
    assert_eq!((blind.n_requests, blind.by), (40, EstimateBy::Characters));
    let chars: usize = requests.iter().map(|request| request.conversation(&plan)[0].content.chars().count()).sum();
    assert_eq!(blind.n_prompt_tokens, (chars as f64 / 4.0).round() as u64);
    let ran = ran(&path, &all, &plan, false, |n, request| if n == 16 { Err("END".into()) } else { Ok(rates(request)) });
    assert_eq!(ran.estimates.len(), 1);
    assert_eq!((ran.estimates[0].n_requests, ran.estimates[0].by), (32, EstimateBy::Replies));
    let log = AnnotationLog::read(&path).unwrap();
    let open = open_requests(&log, &requests, false);
    let measured = estimate(&log, "scripted", &plan, &open);
    let chars: usize = open.iter().map(|request| request.conversation(&plan)[0].content.chars().count()).sum();
    assert_eq!((measured.n_requests, measured.n_prompt_tokens, measured.by), (24, chars as u64, EstimateBy::Replies));
    assert_eq!(estimate(&log, "another", &plan, &open).by, EstimateBy::Characters);
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
