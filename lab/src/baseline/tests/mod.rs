//! Protocols with a writer that replies by a script.

mod anew;
mod refine;

use std::cell::Cell;

use super::feedback::tests::feedback;
use super::*;
use crate::error::{Error, Result};
use crate::judge::record::AnswerRecord;
use crate::observer::Observer;
use redline_model::{Error as ModelError, Qac, Result as ModelResult};

type Told = std::result::Result<String, String>;

/// Replies by a script: a number of the stage, from 0, and what was said so far.
struct Scripted<F> {
    script: F,
    /// What was asked at each stage, and how.
    stages: Vec<(Vec<Conversation>, WriteHow)>,
}

impl<F: FnMut(usize, &Conversation, &WriteHow) -> Told> Writer for Scripted<F> {
    fn name(&self) -> &str {
        "scripted"
    }

    fn write(&mut self, asked: &[Conversation], how: &WriteHow) -> Result<Vec<std::result::Result<Written, String>>> {
        let stage = self.stages.len();
        self.stages.push((asked.to_vec(), *how));
        let mut replies = Vec::new();
        for conversation in asked {
            let text = match (self.script)(stage, conversation, how) {
                Err(why) if why == "END" => return Err(ModelError::Interrupted.into()),
                Err(why) if why == "LOSE" => continue,
                told => told,
            };
            // a word is a token
            let n_tokens = |text: &str| text.split_whitespace().count();
            let n_prompt_tokens = conversation.iter().map(|message| n_tokens(&message.content)).sum();
            replies.push(text.map(|text| {
                let (n_tokens, truncated) = (n_tokens(&text), text.ends_with("CUT"));
                Written { text, n_tokens: Some(n_tokens), n_prompt_tokens, truncated }
            }));
        }
        Ok(replies)
    }
}

fn scripted<F: FnMut(usize, &Conversation, &WriteHow) -> Told>(script: F) -> Scripted<F> {
    Scripted { script, stages: Vec::new() }
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Notes {
    stages: Vec<String>,
    notes: Vec<String>,
    ends_at: Option<usize>,
}

impl Observer for Notes {
    fn progress(&mut self, stage: &str, done: usize, total: usize) -> ModelResult<()> {
        self.stages.push(format!("{stage} {done}/{total}"));
        if self.ends_at == Some(done) { Err(ModelError::Interrupted) } else { Ok(()) }
    }

    fn end(&mut self, stage: &str) {
        self.stages.push(format!("{stage} end"));
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.into());
    }
}

fn rows(n: usize) -> Vec<Qac> {
    let row =
        |row| Qac { question: format!("question{row}?"), answer: format!(" answer{row} "), correction: String::new() };
    (0..n).map(row).collect()
}

fn run<'a>(writer: &'a mut dyn Writer, system: &str, batch_rows: usize) -> BaselineRun<'a> {
    let options = BaselineOptions { batch_rows, max_new_tokens: 64, seed: 5 };
    BaselineRun { writer, system: system.into(), options, check: || Ok(()) }
}

/// Answers, counts and what was told.
type Came = (Vec<AnswerRecord>, Counts, Notes);

fn answered(name: &str, n_rows: usize, batch_rows: usize, writer: &mut dyn Writer) -> Result<Came> {
    let (qacs, mut records, mut notes) = (rows(n_rows), Vec::new(), Notes::default());
    let numbered: Vec<(usize, &Qac)> = qacs.iter().enumerate().collect();
    let keep = &mut |record| {
        records.push(record);
        Ok(())
    };
    let counts = run(writer, name, batch_rows).answer(name.parse()?, &numbered, keep, &mut notes)?;
    Ok((records, counts, notes))
}

fn outputs(records: &[AnswerRecord]) -> Vec<&str> {
    records.iter().map(|record| record.output.as_str()).collect()
}

fn is_interruption(error: &Error) -> bool {
    error.to_string() == ModelError::Interrupted.to_string()
}

/// What the last turn asks.
fn last(conversation: &Conversation) -> &str {
    conversation.last().map_or("", |message| &message.content)
}

/// Whether the conversation is about row `row`.
fn is_of(conversation: &Conversation, row: usize) -> bool {
    conversation[0].content.contains(&format!("question{row}?"))
}

#[test]
fn a_prompt_is_one_request_whose_reply_is_cleaned() {
    for name in ["prompt", "prompt-copy", "prompt-edit"] {
        let mut writer = scripted(|_, asked, how| {
            assert_eq!((asked.len(), how.temperature, how.max_new_tokens), (1, 0.0, 64));
            assert!(last(asked).contains("\nanswer"), "trimmed: {}", last(asked));
            Ok("Here is the corrected answer:\n\"a better one\"".into())
        });
        let (records, counts, notes) = answered(name, 3, 2, &mut writer).unwrap();
        assert_eq!(outputs(&records), ["a better one"; 3]);
        let record = &records[1];
        assert_eq!((record.system.as_str(), record.row, record.passes, record.n_tokens), (name, 1, 1, Some(8)));
        let n_prompt_tokens = writer.stages[0].0[1][0].content.split_whitespace().count();
        assert_eq!(record.context, n_prompt_tokens + 8);
        assert_eq!((record.answer.as_str(), record.coefficient), (" answer1 ", None));
        assert_eq!(counts, Counts { n_answered: 3, ..Counts::default() });
        let stages = [format!("{name} 2/3"), format!("{name} 3/3"), format!("{name} end")];
        assert_eq!((notes.stages.as_slice(), notes.notes.len()), (&stages[..], 0));
        assert_eq!(writer.stages.len(), 2, "a chunk together");
    }
}

#[test]
fn prompts_ask_for_copying_or_rewriting() {
    let asked = |name: &str| {
        let mut writer = scripted(|_, _, _| Ok("a".into()));
        answered(name, 1, 1, &mut writer).unwrap();
        last(&writer.stages[0].0[0]).to_owned()
    };
    assert!(asked("prompt-copy").contains("word for word, unless"));
    assert!(asked("prompt-edit").contains("Rewrite the answer freely"));
    assert!(!asked("prompt").contains("freely") && !asked("prompt").contains("word for word"));
}

#[test]
fn empty_rewrites_keep_the_answer_and_cut_ones_are_counted() {
    let mut writer = scripted(|_, asked, _| match () {
        () if is_of(asked, 0) => Ok(" \n".into()),
        () if is_of(asked, 1) => Ok("<think>on and on CUT".into()),
        () if is_of(asked, 2) => Ok("half of it CUT".into()),
        () => Ok("Corrected answer:".into()),
    });
    let (records, counts, notes) = answered("prompt", 4, 4, &mut writer).unwrap();
    assert_eq!(outputs(&records), ["answer0", "answer1", "half of it CUT", "answer3"]);
    assert_eq!(counts, Counts { n_answered: 4, n_empty: 3, n_cut: 2, ..Counts::default() });
    assert_eq!(records[1].n_tokens, Some(4), "what was written for nothing is paid, too");
    let told = [
        "prompt: 3 replies hold no answer; the answer before them was kept",
        "prompt: 2 answers were cut at 64 tokens",
    ];
    assert_eq!(notes.notes, told);
}

#[test]
fn a_row_that_cannot_be_asked_has_no_answer_and_the_others_have() {
    for name in ["prompt", "critique", "constitutional-2", "self-refine", "answer"] {
        let mut writer = scripted(|_, asked, _| match is_of(asked, 1) || is_of(asked, 3) {
            true => Err("the prompt has 9000 tokens, the context 2048".into()),
            false => Ok(feedback([5; 5], "right")),
        });
        let (records, counts, notes) = answered(name, 5, 3, &mut writer).unwrap();
        let rows: Vec<usize> = records.iter().map(|record| record.row).collect();
        assert_eq!((rows.as_slice(), counts.n_answered, counts.n_failed), (&[0, 2, 4][..], 3, 2), "{name}");
        let told = format!("{name}: 2 rows have no answer; the first: the prompt has 9000 tokens, the context 2048");
        assert_eq!(notes.notes, [told]);
        let asked = writer.stages.iter().flat_map(|(asked, _)| asked);
        assert_eq!(asked.filter(|asked| is_of(asked, 1)).count(), 1, "{name} does not ask it again");
    }
}

#[test]
fn a_later_request_without_reply_leaves_no_answer_either() {
    let mut writer = scripted(|stage, asked, _| match stage == 1 && is_of(asked, 0) {
        true => Err("too long".into()),
        false => Ok(format!("reply {stage}")),
    });
    let (records, counts, _) = answered("critique", 2, 2, &mut writer).unwrap();
    assert_eq!((outputs(&records), counts.n_failed, counts.reason.as_deref()), (vec!["reply 1"], 1, Some("too long")));
}

#[test]
fn an_error_of_the_writer_ends_the_work_and_what_came_stays() {
    let mut n_kept = 0;
    let (qacs, mut notes) = (rows(4), Notes::default());
    let numbered: Vec<(usize, &Qac)> = qacs.iter().enumerate().collect();
    let mut writer = scripted(|stage, _, _| if stage == 3 { Err("END".into()) } else { Ok("a".into()) });
    let keep = &mut |_| {
        n_kept += 1;
        Ok(())
    };
    let error = run(&mut writer, "critique", 2).answer(Protocol::Critique, &numbered, keep, &mut notes).unwrap_err();
    assert!(is_interruption(&error), "{error}");
    assert_eq!((n_kept, notes.stages.as_slice()), (2, &["critique 2/4".to_owned()][..]));
}

#[test]
fn a_writer_that_loses_replies_is_refused() {
    let mut writer = scripted(|_, asked, _| if is_of(asked, 1) { Err("LOSE".into()) } else { Ok("a".into()) });
    let error = answered("prompt", 3, 3, &mut writer).unwrap_err();
    assert_eq!(error.to_string(), "`scripted` was asked 3 times and replied 2 times");
}

thread_local! {
    static N_CHECKS: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn check_keep_and_the_observer_can_end_the_work() {
    let qacs = rows(4);
    let numbered: Vec<(usize, &Qac)> = qacs.iter().enumerate().collect();
    let mut writer = scripted(|_, _, _| Ok("a".into()));
    let mut own = run(&mut writer, "critique", 2);
    own.check = || {
        N_CHECKS.set(N_CHECKS.get() + 1);
        if N_CHECKS.get() == 4 { Err(ModelError::Interrupted) } else { Ok(()) }
    };
    let mut n_kept = 0;
    let keep = &mut |_| {
        n_kept += 1;
        Ok(())
    };
    let error = own.answer(Protocol::Critique, &numbered, keep, &mut ()).unwrap_err();
    assert!(is_interruption(&error), "{error}");
    assert_eq!((n_kept, writer.stages.len()), (2, 3), "the fourth stage is not written");

    let mut own = run(&mut writer, "critique", 2);
    let refuse = &mut |_| Err(ModelError::Interrupted.into());
    assert!(own.answer(Protocol::Critique, &numbered, refuse, &mut ()).is_err());
    let mut notes = Notes { ends_at: Some(2), ..Notes::default() };
    let error = own.answer(Protocol::Critique, &numbered, &mut |_| Ok(()), &mut notes).unwrap_err();
    assert!(is_interruption(&error), "{error}");
}

#[test]
fn a_critique_is_followed_by_a_rewrite_that_sees_it() {
    let mut writer = scripted(|stage, asked, _| match stage {
        0 => Ok(" <think>x</think>\"it is short\" ".into()),
        _ => {
            assert_eq!((asked.len(), asked[1].content.as_str()), (3, "\"it is short\""));
            Ok("a longer one".into())
        }
    });
    let (records, counts, _) = answered("critique", 2, 2, &mut writer).unwrap();
    assert_eq!(outputs(&records), ["a longer one"; 2]);
    assert_eq!((records[0].passes, records[0].n_tokens), (2, Some(6)));
    assert_eq!(counts, Counts { n_answered: 2, ..Counts::default() });
}

#[test]
fn a_critique_that_says_nothing_leaves_the_answer() {
    let mut writer = scripted(|stage, asked, _| match (stage, is_of(asked, 0)) {
        (0, true) => Ok("  ".into()),
        (0, false) => Ok("bad".into()),
        (_, of_first) => {
            assert!(!of_first);
            Ok("b".into())
        }
    });
    let (records, counts, notes) = answered("critique", 2, 2, &mut writer).unwrap();
    assert_eq!((outputs(&records), records[0].passes), (vec!["answer0", "b"], 1));
    assert_eq!(counts.n_silent, 1);
    assert_eq!(notes.notes, ["critique: 1 critiques or feedbacks say nothing; nothing was rewritten by them"]);
}

#[test]
fn constitutional_rounds_begin_with_the_latest_revision_and_another_principle() {
    let mut writer = scripted(|stage, asked, _| {
        let expected = if stage < 2 { "\nanswer0\n".into() } else { format!("\nrevision {}\n", stage / 2 * 2 - 1) };
        assert!(asked[0].content.contains(&expected), "{stage}");
        Ok(if stage % 2 == 0 { "a critique".into() } else { format!("revision {stage}") })
    });
    let (records, _, _) = answered("constitutional-3", 1, 1, &mut writer).unwrap();
    assert_eq!((outputs(&records), records[0].passes), (vec!["revision 5"], 6));
    let critiques: Vec<&str> = (0..3).map(|round| critique::principle(5, 0, round).critique).collect();
    let asked = |stage: usize| last(&writer.stages[stage].0[0]);
    assert!((0..3).all(|round| asked(2 * round).ends_with(critiques[round])));
    assert!((0..3).all(|round| asked(2 * round + 1).starts_with(critique::principle(5, 0, round).revision)));
    assert!(critiques[0] != critiques[1] && critiques[1] != critiques[2]);
}

#[test]
fn numbers_are_checked_before_anything_is_asked() {
    let (mut writer, qacs) = (scripted(|_, _, _| Ok("a".into())), rows(1));
    let mut own = run(&mut writer, "x", 1);
    let protocol = Protocol::Constitutional { n_rounds: 9 };
    assert!(own.answer(protocol, &[(0, &qacs[0])], &mut |_| Ok(()), &mut ()).is_err());
    own.options.max_new_tokens = 0;
    let error = own.answer(Protocol::Answer, &[(0, &qacs[0])], &mut |_| Ok(()), &mut ()).unwrap_err();
    assert!(error.to_string().contains("no room"), "{error}");
    assert!(writer.stages.is_empty());
}

#[test]
fn what_comes_out_depends_on_the_seed_and_not_on_the_chunks() {
    let all = |name: &str, batch_rows: usize| {
        let mut writer = scripted(|_, asked, how| {
            // as a sampled reply: a digit for each trait, and a text
            let drawn = how.seed_of(asked);
            let scores = [0, 3, 6, 9, 12].map(|shift| 1 + (drawn >> shift) as u32 % 5);
            Ok(feedback(scores, "not right") + &format!("\n{drawn}"))
        });
        let (mut records, _, _) = answered(name, 7, batch_rows, &mut writer).unwrap();
        records.iter_mut().for_each(|record| record.seconds = 0.0);
        records
    };
    for name in ["self-refine", "constitutional-2", "critique", "answer"] {
        assert_eq!(all(name, 1), all(name, 7), "{name}");
        assert_eq!(all(name, 3), all(name, 0), "{name}: a chunk of nothing is one of one");
    }
}

#[test]
fn no_rows_are_no_work() {
    let mut writer = scripted(|_, _, _| Ok("a".into()));
    let (records, counts, notes) = answered("critique", 0, 4, &mut writer).unwrap();
    assert_eq!((records.len(), counts, notes.stages.len()), (0, Counts::default(), 1));
    assert!(writer.stages.is_empty());
}
