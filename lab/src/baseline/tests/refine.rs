//! Self-refine.

use super::*;

/// Self-refine of one row, whose feedbacks are given; rewrites are `attempt 2` and so on.
fn refined(feedbacks: &[String]) -> (AnswerRecord, Counts, Vec<(Vec<Conversation>, WriteHow)>) {
    let mut writer = scripted(|stage, _, _| {
        Ok(if stage % 2 == 0 { feedbacks[stage / 2].clone() } else { format!("attempt {}", stage / 2 + 2) })
    });
    let (mut records, counts, _) = answered("self-refine", 1, 1, &mut writer).unwrap();
    (records.remove(0), counts, writer.stages)
}

#[test]
fn self_refine_stops_at_right_or_at_the_top() {
    let low = || feedback([2; 5], "not right");
    for end in [feedback([5; 5], "not right"), feedback([3; 5], "right")] {
        let (record, counts, _) = refined(std::slice::from_ref(&end));
        assert_eq!((record.output.as_str(), record.passes), ("answer0", 1));
        assert_eq!(counts, Counts { n_answered: 1, ..Counts::default() });
        let (record, _, stages) = refined(&[low(), end]);
        assert_eq!((record.output.as_str(), record.passes, stages.len()), ("attempt 2", 3, 3));
    }
}

#[test]
fn self_refine_keeps_the_best_scored_attempt_and_of_equals_the_earlier() {
    let scores = |all: [u32; 4]| all.map(|score| feedback([score; 5], "not right"));
    for (all, best) in [
        ([1, 2, 3, 4], "attempt 4"),
        ([1, 3, 3, 2], "attempt 2"),
        ([2, 1, 1, 2], "answer0"),
        ([3, 3, 3, 3], "answer0"),
        ([1, 2, 4, 3], "attempt 3"),
    ] {
        let (record, _, stages) = refined(&scores(all));
        assert_eq!((record.output.as_str(), record.passes), (best, 7), "{all:?}");
        let temperatures: Vec<f64> = stages.iter().map(|(_, how)| how.temperature).collect();
        assert_eq!(temperatures, [0.7, 0.0, 0.7, 0.0, 0.7, 0.0, 0.7]);
    }
}

#[test]
fn self_refine_sends_the_whole_history() {
    let feedbacks: Vec<String> = (1..=4).map(|score| feedback([score; 5], "not right")).collect();
    let (record, _, stages) = refined(&feedbacks);
    let whole = &stages[6].0[0];
    let said: Vec<&str> = whole.iter().skip(1).step_by(2).map(|message| message.content.as_str()).collect();
    let expected = [&feedbacks[0], "attempt 2", &feedbacks[1], "attempt 3", &feedbacks[2], "attempt 4"];
    assert_eq!((whole.len(), said), (13, expected.to_vec()));
    assert!(stages.windows(2).all(|pair| pair[1].0[0].starts_with(&pair[0].0[0])));
    let n_prompt_tokens: usize = whole.iter().map(|message| message.content.split_whitespace().count()).sum();
    assert_eq!(record.context, n_prompt_tokens + feedbacks[3].split_whitespace().count());
}

#[test]
fn garbage_feedback_is_counted_and_is_no_score() {
    let garbage = || "Perfect! 5/5, top marks, nothing to do.".to_owned();
    let low = || feedback([1; 5], "not right");
    // goes on, and any score is more than none
    let (record, counts, stages) = refined(&[garbage(), low(), garbage(), garbage()]);
    assert_eq!((record.output.as_str(), counts.n_unscored, stages.len()), ("attempt 2", 3, 7));
    let (record, counts, _) = refined(&[garbage(), garbage(), garbage(), garbage()]);
    assert_eq!((record.output.as_str(), counts.n_unscored), ("answer0", 4), "the earlier of equals");
    // a verdict without scores stops, and comes before an attempt without either
    let (record, counts, _) = refined(&[garbage(), "Verdict: right".into()]);
    assert_eq!((record.output.as_str(), counts.n_unscored), ("attempt 2", 2));
    let (record, ..) = refined(&[low(), "Verdict: right".into()]);
    assert_eq!(record.output, "answer0", "no score is less than any");
}

#[test]
fn silent_feedback_and_empty_rewrites_end_a_row() {
    let (record, counts, stages) = refined(&[String::new()]);
    assert_eq!((record.output.as_str(), counts.n_silent, counts.n_unscored, stages.len()), ("answer0", 1, 1, 1));
    let mut writer =
        scripted(|stage, _, _| Ok(if stage == 0 { feedback([1; 5], "not right") } else { "```\n```".into() }));
    let (records, counts, notes) = answered("self-refine", 1, 1, &mut writer).unwrap();
    assert_eq!((outputs(&records), counts.n_empty, writer.stages.len()), (vec!["answer0"], 1, 2));
    assert_eq!(notes.notes, ["self-refine: 1 replies hold no answer; the answer before them was kept"]);
}

#[test]
fn rows_that_stopped_drop_out_and_the_others_go_on_together() {
    let mut writer = scripted(|stage, asked, _| {
        let row = (0..4).find(|row| is_of(asked, *row)).unwrap_or_default();
        // row r is right at its feedback number r
        let verdict = if stage / 2 == row { "right" } else { "not right" };
        Ok(if stage % 2 == 0 { feedback([1 + stage as u32 / 2; 5], verdict) } else { format!("new {stage} of {row}") })
    });
    let (records, _, _) = answered("self-refine", 4, 4, &mut writer).unwrap();
    let sizes: Vec<usize> = writer.stages.iter().map(|(asked, _)| asked.len()).collect();
    assert_eq!(sizes, [4, 3, 3, 2, 2, 1, 1]);
    assert_eq!(outputs(&records), ["answer0", "new 1 of 1", "new 3 of 2", "new 5 of 3"]);
    assert_eq!(records.iter().map(|record| record.passes).collect::<Vec<_>>(), [1, 3, 5, 7]);
}
