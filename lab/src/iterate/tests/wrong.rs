use super::fake::{Fake, Folder, INSULT, message};
use crate::iterate::corrected::CorrectedRow;
use crate::iterate::measure::Change;
use crate::iterate::{Gap, IterateKind, IterateOptions, Run, funnel};

fn run(options: &IterateOptions) -> crate::Result<()> {
    Run::open(options, &mut ())?.all(&mut Fake::default(), &mut ())
}

#[test]
fn a_round_without_pairs_shows_its_funnel() {
    let folder = Folder::new();
    let options = folder.options(IterateKind::Preference, "out");
    let mut copying = Fake { copies: true, ..Fake::default() };
    let said = message(Run::open(&options, &mut ()).unwrap().all(&mut copying, &mut ()));
    assert_eq!(said, "round-1/pairs: no rows left to train on; edits: of 12 rows 12 unchanged; judge: of 0 rows none");
}

#[test]
fn a_later_round_with_nothing_to_learn_ends_the_run_with_what_is_known() {
    let folder = Folder::new();
    let options = folder.options(IterateKind::Distil, "out");
    let silent = || Fake { silent_in: Some("round-2/amplified"), ..Fake::default() };
    for _ in 0..2 {
        Run::open(&options, &mut ()).unwrap().all(&mut silent(), &mut ()).unwrap();
        let text = std::fs::read_to_string(options.out.join("summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((summary["n_rounds"].as_u64(), summary["rounds"].as_array().unwrap().len()), (Some(1), 2));
        assert!(summary["ended"].as_str().unwrap().contains("no rows left to train on"), "{summary}");
    }
    let first = folder.options(IterateKind::Distil, "first");
    let mut silent = Fake { silent_in: Some("round-1/amplified"), ..Fake::default() };
    let said = message(Run::open(&first, &mut ()).unwrap().all(&mut silent, &mut ()));
    assert!(said.contains("no rows left to train on"), "{said}");
}

#[test]
fn the_control_arm_needs_as_many_pairs() {
    let folder = Folder::new();
    let mut options = folder.options(IterateKind::Preference, "out");
    let pairs =
        (0..5).map(|n| format!("{{\"prompt\":\"Where is {n}?\",\"chosen\":\"Here.\",\"rejected\":\"No {n}.\"}}\n"));
    std::fs::write(folder.path("control.jsonl"), pairs.collect::<String>()).unwrap();
    options.control = Some(folder.path("control.jsonl"));
    let said = message(run(&options));
    assert!(said.contains("control.jsonl: 5 pairs, and 12 are needed up to round 1"), "{said}");
}

#[test]
fn held_out_questions_are_never_learnt_from() {
    let folder = Folder::new();
    let options = folder.options(IterateKind::Distil, "out");
    let data = std::fs::read_to_string(folder.path("data.jsonl")).unwrap();
    let shared = data.lines().next().unwrap().to_owned() + "\n";
    let held_out = std::fs::read_to_string(folder.path("held-out.jsonl")).unwrap();
    std::fs::write(
        folder.path("held-out.jsonl"),
        held_out
            + &shared
                .to_uppercase()
                .replace("QUESTION", "question")
                .replace("\"ANSWER\"", "\"answer\"")
                .replace("\"CORRECTION\"", "\"correction\""),
    )
    .unwrap();
    assert!(message(run(&options)).contains("1 questions of"), "case is no difference");
}

#[test]
fn other_settings_and_missing_files_are_refused() {
    let folder = Folder::new();
    let mut options = folder.options(IterateKind::Distil, "out");
    run(&options).unwrap();
    options.seed = 9;
    assert!(message(run(&options)).contains("iterate.json"), "another seed");
    options.seed = 3;
    std::fs::write(folder.path("policy"), "other weights").unwrap();
    assert!(message(run(&options)).contains("iterate.json"), "other weights under the same name");
    options.policy = folder.path("nowhere");
    let said = message(run(&options));
    assert!(said.contains("nowhere: no such file or folder (policy)"), "{said}");
}

#[test]
fn options_without_effect_are_refused() {
    let folder = Folder::new();
    let refused = |kind, change: fn(&mut IterateOptions)| {
        let mut options = folder.options(kind, "out");
        change(&mut options);
        message(options.check().map_err(crate::Error::from))
    };
    assert!(refused(IterateKind::Distil, |o| o.control = Some(o.data.clone())).contains("--control"));
    assert!(refused(IterateKind::Preference, |o| o.passes = 2).contains("--passes"));
    assert!(refused(IterateKind::Preference, |o| o.weak = Some(o.data.clone())).contains("--weak"));
    assert!(refused(IterateKind::WeakToStrong, |o| o.weak = None).contains("a weak model"));
    assert!(refused(IterateKind::Preference, |o| o.keep.least_edit = 3.0).contains("leave nothing"));
    assert!(refused(IterateKind::Preference, |o| o.rounds = 0).contains("0"));
    let mut many = folder.options(IterateKind::Distil, "out");
    many.rounds = 50;
    assert!(message(run(&many)).contains("24 different questions, and 50 are needed"));
}

#[test]
fn the_funnel_says_why() {
    let folder = Folder::new();
    let mut options = folder.options(IterateKind::Preference, "out");
    options.keep.most_edit = 2.5;
    let row = |answer: &str, correction: &str, more: &str| -> CorrectedRow {
        let text =
            serde_json::json!({ "question": "q", "answer": answer, "correction": correction, "reference": "It is 1." });
        let text = text.to_string().replace('}', &format!("{more}}}"));
        serde_json::from_str(&text).unwrap()
    };
    let rude = format!("{INSULT} It is 1.");
    let rows = [
        row(&rude, "It is 1.", ""),
        row("It is 1.", &rude, ""),
        row("It is 1.", "It is 1.", ""),
        row(&rude, "It is 1.", ",\"answer_truncated\":true"),
        row("", "It is 1.", ""),
        row("It", "It is 1.", ""),
        row(&"It is 1. ".repeat(30), &format!("{}It is 2.", "It is 1. ".repeat(29)), ""),
        row("It is 2.", "It is 3.", ""),
    ];
    let (kept, report) = funnel::pairs(&rows, &options, &mut ()).unwrap();
    assert_eq!((kept.len(), report.n_kept()), (1, 1));
    let removed: Vec<usize> = report.funnel.steps().iter().map(|step| step.removed).collect();
    assert_eq!(removed, [1, 1, 1, 1, 1, 1, 0, 1, 0], "{}", report.funnel.table());
    assert_eq!((report.label_noise.n_agree, report.label_noise.share), (1, Some(0.5)));
    options.keep.judged = false;
    assert_eq!(funnel::pairs(&rows, &options, &mut ()).unwrap().0.len(), 3);
}

#[test]
fn a_ceiling_below_the_weak_level_has_no_gap() {
    assert_eq!(Gap::of(Some(0.25), Some(0.5), Some(0.75), None).recovered, Some(0.5));
    for ceiling in [0.25, 0.0] {
        let gap = Gap::of(Some(0.25), Some(0.5), Some(ceiling), None);
        assert!(gap.recovered.is_none() && gap.refused.is_some() && gap.after_above_weak == Some(0.25));
    }
    assert_eq!(Gap::of(Some(0.0), Some(-0.5), Some(1.0), None).recovered, Some(-0.5), "less than nothing is a result");
    assert!(Gap::of(None, Some(0.5), Some(1.0), None).refused.is_some());
    // above it on the whole, but not for certain
    let change = |differences: [f64; 8]| {
        let [before, after] = [[Some(0.0); 8], differences.map(Some)];
        Change::of(&before, &after).unwrap()
    };
    let gap = Gap::of(Some(0.25), Some(0.5), Some(0.35), change([1.0, -0.9, 0.8, -0.7, 0.6, -0.5, 0.4, 0.1]));
    assert!(gap.recovered.is_none() && gap.refused.as_ref().unwrap().contains("for certain (+0.100 ["), "{gap:?}");
    assert_eq!(Gap::of(Some(0.25), Some(0.5), Some(0.75), change([0.5; 8])).recovered, Some(0.5));
}
