//! Asking: orders undone, stops and kills, nonsense, estimates.

use super::super::*;
use super::{in_folder, items, ran, rates, records};
use crate::error::Error;

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
