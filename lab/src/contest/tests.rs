use std::collections::BTreeMap;

use super::*;
use crate::judge::local::{ScoreFn, ScoreJudge};
use crate::judge::{
    Comparison, Dimension, JudgeObserver, JudgementLog, LoggedJudge, NoVerdict, Order, Orders, RecordedJudge, Verdict,
    Which,
};
use crate::win_rate::{ResampleOptions, WinRateError};

type Said = std::result::Result<Verdict, NoVerdict>;

/// A judge that answers from a closure.
struct Told<F> {
    orders: Orders,
    script: F,
    n_asked: usize,
}

impl<F: FnMut(&Comparison<'_>) -> Said> Judge for Told<F> {
    fn id(&self) -> &str {
        "told"
    }

    fn template(&self) -> &str {
        "t"
    }

    fn orders(&self) -> Orders {
        self.orders
    }

    fn judge(
        &mut self,
        comparisons: &[Comparison<'_>],
        observer: &mut dyn JudgeObserver,
    ) -> crate::judge::Result<Vec<Judged>> {
        self.n_asked += comparisons.len();
        let judged: Vec<Judged> = comparisons.iter().map(|asked| Judged::local((self.script)(asked), 0.5)).collect();
        judged.iter().enumerate().try_for_each(|(index, judged)| observer.judged(index, judged))?;
        Ok(judged)
    }
}

fn told<F: FnMut(&Comparison<'_>) -> Said>(orders: Orders, script: F) -> Told<F> {
    Told { orders, script, n_asked: 0 }
}

/// Longer is better.
fn longer() -> impl Judge {
    ScoreJudge::new(ScoreFn::new("longer", "1", |_, _, output: &str, _| Ok(Some(output.len() as f64)))).unwrap()
}

fn answer(system: &str, coefficient: Option<f64>, row: usize, output: &str) -> AnswerRecord {
    AnswerRecord {
        row,
        system: system.into(),
        coefficient,
        question: format!("question {row}"),
        answer: "an answer".into(),
        output: output.into(),
        n_tokens: Some(10 * (row + 1)),
        passes: 2,
        context: 40,
        seconds: 0.5,
        made_by: String::new(),
        is_unread: false,
    }
}

fn answers(system: &str, coefficient: Option<f64>, outputs: &[&str]) -> Vec<AnswerRecord> {
    outputs.iter().enumerate().map(|(row, output)| answer(system, coefficient, row, output)).collect()
}

fn run(answers: &[AnswerRecord], judge: &mut dyn Judge, options: &ContestOptions<'_>) -> Result<Contest> {
    Contest::run(answers, judge, options, &mut ())
}

fn of(answers: &[AnswerRecord], judge: &mut dyn Judge) -> Contest {
    run(answers, judge, &ContestOptions::default()).unwrap()
}

/// Keeps notes.
#[derive(Default)]
struct Notes(Vec<String>);

impl Observer for Notes {
    fn progress(&mut self, _: &str, _: usize, _: usize) -> redline_model::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &str) {}

    fn note(&mut self, text: &str) {
        self.0.push(text.into());
    }
}

#[test]
fn wins_ties_losses_and_means_are_those_of_the_rows() {
    let all = [
        answers("upstream", None, &["aaaa", "bbbb", "cccc", "dddd"]),
        answers("aligner", Some(0.5), &["aaaaaa", "bbbb", "c", "ddéd "]),
    ];
    let contest = of(&all.concat(), &mut longer());
    assert_eq!((contest.baseline.as_str(), contest.judge.as_str(), contest.rule), ("upstream", "longer", Rule::Both));
    assert_eq!((contest.systems.as_slice(), contest.n_rows), (&["aligner@0.5".to_string()][..], 4));
    let [standing] = &contest.standings[..] else { panic!("one system, one dimension") };
    let outcome = standing.outcome.found().unwrap();
    assert_eq!((outcome.n, outcome.n_wins, outcome.n_ties, outcome.n_losses), (4, 2, 1, 1));
    assert_eq!((outcome.n_identical, outcome.n_errors, outcome.net, outcome.win_rate), (1, 0, 0.25, 0.625));
    assert_eq!((standing.coefficient, standing.consistency, standing.dimension), (Some(0.5), None, Dimension::Overall));
    let expected = AnswerMeans { length: 4.0, n_tokens: Some(25.0), passes: 2.0, context: 40.0, seconds: 0.5 };
    assert_eq!((standing.means, standing.baseline_means), (expected, expected), "4 = (6 + 4 + 1 + 5) / 4");
    let Judging { n_asked, n_recorded, n_no_verdict, n_identical, cost, .. } = contest.judging;
    assert_eq!((n_asked, n_recorded, n_no_verdict, n_identical, cost), (3, 0, 0, 1, Some(0.0)));
}

#[test]
fn rows_without_an_answer_are_left_out_and_counted() {
    let mut all = answers("upstream", None, &["a", "b", "c"]);
    all.extend(answers("x", None, &["aa", "b"]));
    all.push(answer("x", None, 7, "alone"));
    all.extend(answers("y", None, &["aa", "bb", "cc"]));
    let mut notes = Notes::default();
    let contest = Contest::run(&all, &mut longer(), &ContestOptions::default(), &mut notes).unwrap();
    assert_eq!(contest.n_rows, 4);
    let counts = |own: &Standing| (own.outcome.found().unwrap().n, own.n_without_answer, own.n_without_baseline);
    assert_eq!(contest.standings.iter().map(counts).collect::<Vec<_>>(), [(2, 1, 1), (3, 1, 0)]);
    let expected = ["x: of 4 rows, 1 have no answer of it and 1 none of upstream; they are left out"];
    assert_eq!(notes.0[..1], expected);
    assert_eq!(contest.standings[0].means.length, 1.5, "the mean is that of the rows compared");
}

#[test]
fn order_counts_where_it_was_asked() {
    let outputs: Vec<String> = (0..8).map(|row| format!("x{row}")).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let all = [answers("upstream", None, &["u"; 8]), answers("x", None, &outputs)].concat();
    // row 0: whatever is first; row 1: garbage in one order; else the system
    let script = |asked: &Comparison<'_>| match (asked.row, asked.order) {
        (0, _) => Ok(Verdict::First),
        (1, Order::Ba) => Err(NoVerdict::NoToken),
        _ => Ok(if asked.first.system == "x" { Verdict::StrongFirst } else { Verdict::Second }),
    };
    let contest = of(&all, &mut told(Orders::Both, script));
    let outcome = contest.standings[0].outcome.found().unwrap();
    assert_eq!((outcome.n, outcome.n_errors, outcome.n_wins, outcome.n_ties), (7, 1, 6, 1));
    let consistency = contest.standings[0].consistency.unwrap();
    assert_eq!((consistency.n, consistency.n_errors, consistency.consistent), (7, 1, 6.0 / 7.0));
    assert_eq!((contest.judging.n_asked, contest.judging.n_no_verdict, contest.judging.seconds), (16, 1, 8.0));
    let arena = ContestOptions { rule: Some(Rule::Arena), ..ContestOptions::default() };
    let contest = run(&all, &mut told(Orders::Both, script), &arena).unwrap();
    assert_eq!((contest.rule, contest.standings[0].outcome.found().unwrap().n_ties), (Rule::Arena, 1));
}

#[test]
fn probabilities_in_a_drawn_order_go_by_their_rule() {
    let all = [answers("upstream", None, &["aa", "b", "c"]), answers("x", None, &["a", "bb", "cc"])].concat();
    let soft = |asked: &Comparison<'_>| Ok(Verdict::Soft(if asked.first.system == "x" { 0.75 } else { 0.25 }));
    let contest = of(&all, &mut told(Orders::Drawn, soft));
    let outcome = contest.standings[0].outcome.found().unwrap();
    assert_eq!((contest.rule, outcome.win_rate, outcome.n_wins), (Rule::LogProb, 0.75, 3));
    assert_eq!((contest.standings[0].consistency, contest.judging.n_asked), (None, 3));
    let mut judge = told(Orders::Drawn, soft);
    let both = ContestOptions { rule: Some(Rule::Both), ..ContestOptions::default() };
    assert!(matches!(run(&all, &mut judge, &both), Err(ContestError::OneOrder { rule: Rule::Both, .. })));
    assert_eq!(judge.n_asked, 0);
    let hard = ContestOptions { rule: Some(Rule::LogProb), ..both };
    let refused = run(&all, &mut longer(), &hard);
    assert!(matches!(refused, Err(ContestError::WinRate(WinRateError::HardVerdict { .. }))), "{refused:?}");
}

#[test]
fn a_system_without_verdicts_has_a_standing_that_says_so() {
    let all = [answers("upstream", None, &["a"]), answers("x", None, &["b"])].concat();
    let contest = of(&all, &mut told(Orders::Both, |_| Err(NoVerdict::NoReply)));
    let standing = &contest.standings[0];
    assert_eq!(standing.outcome.reason(), Some("no pair has all its verdicts; 1 have errors"));
    assert_eq!((standing.consistency, contest.judging.n_no_verdict), (None, 2));
    assert_eq!(contest.strengths[0].plain.reason(), Some("there are no battles"));
    assert!(standing.length_controlled.reason().is_some());
}

#[test]
fn dimensions_and_references_reach_the_judge() {
    let all = [
        answers("upstream", None, &["a", "b"]),
        answers("x", Some(1.0), &["c", "d"]),
        answers("x", Some(-1.0), &["e", "f"]),
    ]
    .concat();
    let references = BTreeMap::from([(1, "right".to_string())]);
    let mut seen = Vec::new();
    let script = |asked: &Comparison<'_>| {
        assert_eq!(asked.question, format!("question {}", asked.row));
        seen.push((asked.dimension, asked.first.system.to_owned(), asked.row, asked.reference.map(str::to_owned)));
        Ok(if asked.dimension == Dimension::Harmless { Verdict::First } else { Verdict::Second })
    };
    let dimensions = [Dimension::Harmless, Dimension::Helpful];
    let options =
        ContestOptions { dimensions: &dimensions, references: Some(&references), ..ContestOptions::default() };
    let contest = run(&all, &mut told(Orders::AsGiven, script), &options).unwrap();
    assert_eq!(seen.len(), 8);
    assert_eq!(seen[1], (Dimension::Harmless, "x@1".into(), 1, Some("right".into())));
    assert_eq!(seen[6], (Dimension::Helpful, "x@-1".into(), 0, None));
    let found = by_coefficient(&contest);
    let found: Vec<_> =
        found.iter().map(|(c, own)| (*c, own.dimension, own.outcome.found().unwrap().win_rate)).collect();
    let (harmless, helpful) = (Dimension::Harmless, Dimension::Helpful);
    assert_eq!(found, [(-1.0, harmless, 1.0), (-1.0, helpful, 0.0), (1.0, harmless, 1.0), (1.0, helpful, 0.0)]);
    assert_eq!(contest.strengths.iter().map(|own| own.dimension).collect::<Vec<_>>(), dimensions);
}

#[test]
fn another_baseline_mirrors_the_outcome() {
    let all = [answers("upstream", None, &["a", "bb", "c"]), answers("x", Some(0.0), &["aa", "b", "cc"])].concat();
    let contest = run(&all, &mut longer(), &ContestOptions { baseline: "x@0", ..ContestOptions::default() }).unwrap();
    let mirrored = of(&all, &mut longer());
    let net = |contest: &Contest| contest.standings[0].outcome.found().unwrap().net;
    assert_eq!((contest.systems[0].as_str(), net(&contest)), ("upstream", -net(&mirrored)));
    assert!(by_coefficient(&contest).is_empty());
}

#[test]
fn what_is_no_contest_is_refused_before_anything_is_judged() {
    let one = answers("upstream", None, &["a", "b"]);
    let with = |more: Vec<AnswerRecord>| [one.clone(), more].concat();
    let other = AnswerRecord { question: "another".into(), ..answer("x", None, 1, "b") };
    let cases = [
        (one.clone(), "only the baseline `upstream` has answers"),
        (answers("x", Some(1.0), &["a"]), "the baseline `upstream` has no answers; x@1 have"),
        (vec![], "the baseline `upstream` has no answers; no others have"),
        (with(vec![answer("x", None, 9, "a")]), "`x` and the baseline `upstream` answered no row both"),
        (with(vec![answer("x", None, 0, "a"), answer("x", None, 0, "b")]), "`x` has two answers for row 0"),
        (
            with(vec![answer("x", Some(1.0), 0, "a"), answer("x@1", None, 1, "b")]),
            "two systems are called `x@1`: one has the coefficient in its name",
        ),
        (with(vec![other]), "row 1 has one question for `upstream` and another for `x`"),
    ];
    let mut judge = told(Orders::Both, |_| Ok(Verdict::Tie));
    for (answers, message) in cases {
        let error = run(&answers, &mut judge, &ContestOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some(), "{error}");
    }
    let two = with(answers("x", None, &["c"]));
    let options = ContestOptions::default();
    let none = run(&two, &mut judge, &ContestOptions { dimensions: &[], ..options });
    assert!(matches!(none, Err(ContestError::NoDimensions)));
    let twice = [Dimension::Honest, Dimension::Helpful, Dimension::Honest];
    let twice = run(&two, &mut judge, &ContestOptions { dimensions: &twice, ..options });
    assert!(matches!(twice, Err(ContestError::DimensionTwice { dimension: Dimension::Honest })));
    let resamples = ResampleOptions { n_resamples: 0, seed: 0 };
    let none = run(&two, &mut judge, &ContestOptions { resamples, ..options });
    assert!(matches!(none, Err(ContestError::WinRate(WinRateError::NoResamples))));
    assert_eq!(judge.n_asked, 0);
}

/// Fills a text to a length in words of five characters.
fn text(n_words: usize) -> String {
    "word ".repeat(n_words) + "."
}

/// A number from 0 to 1 without pattern.
fn noise(system: usize, row: usize) -> f64 {
    let mixed = (system as u64 * 1000 + row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Systems that differ in nothing but length, and a judge that likes length and draws lots.
fn of_lengths(n_systems: usize) -> (Vec<AnswerRecord>, impl FnMut(&Comparison<'_>) -> Said) {
    const N_ROWS: usize = 300;
    let n_words = |system: usize, row: usize| 20 + (row * 7 + system * 5) % 23 + 4 * system;
    let mut all = Vec::new();
    for row in 0..N_ROWS {
        all.push(answer("upstream", None, row, &text(30 + (row * 11) % 17)));
        all.extend((0..n_systems).map(|own| answer("aligner", Some(own as f64), row, &text(n_words(own, row)))));
    }
    let script = move |asked: &Comparison<'_>| {
        let system: usize = asked.first.system.trim_start_matches("aligner@").parse().unwrap();
        let (own, other) = (asked.first.output.len() as f64, asked.second.output.len() as f64);
        let p = 1.0 / (1.0 + (-6.0 * (own - other) / (own + other)).exp());
        Ok(if noise(system, asked.row) < p { Verdict::First } else { Verdict::Second })
    };
    (all, script)
}

#[test]
fn length_alone_is_controlled_away() {
    let (all, script) = of_lengths(5);
    let contest = of(&all, &mut told(Orders::AsGiven, script));
    let strengths = &contest.strengths[0];
    assert_eq!(strengths.constant_features, ["headers", "list items", "bold"]);
    let (plain, styled) = (strengths.plain.found().unwrap(), strengths.style_controlled.found().unwrap());
    assert_eq!((plain.anchor.as_str(), styled.style.len(), styled.n_battles), ("upstream", 1, 1500));
    assert!(styled.style[0].coefficient > 5.0 * styled.style[0].standard_error, "longer wins: {:?}", styled.style[0]);
    let off = |rate: f64| (rate - 0.5).abs();
    let (mut n_nearer, mut largest) = (0, 0.0_f64);
    for (place, standing) in contest.standings.iter().enumerate() {
        let (outcome, plain) = (standing.outcome.found().unwrap(), &plain.strengths[place + 1]);
        assert!((plain.win_rate - outcome.win_rate).abs() < 1e-9, "all meet the baseline only");
        let styled = &styled.strengths[place + 1];
        assert!(styled.coefficient.abs() < 3.5 * styled.standard_error, "{styled:?}");
        let controlled = standing.length_controlled.found().unwrap();
        assert!(controlled.weights.length < -0.1, "longer wins: {controlled:?}");
        let controlled = controlled.prediction.win_rate / 100.0;
        n_nearer += usize::from(off(controlled) < off(outcome.win_rate));
        largest = largest.max(off(controlled));
    }
    assert!(n_nearer >= 4 && largest < 0.1, "{n_nearer} {largest}");
    let longest = contest.standings[4].outcome.found().unwrap();
    assert!(longest.win_rate > 0.6, "{longest:?}");
}

#[test]
fn four_systems_have_no_length_controlled_rate_and_the_reason() {
    let (all, script) = of_lengths(4);
    let contest = of(&all, &mut told(Orders::AsGiven, script));
    for standing in &contest.standings {
        let reason = standing.length_controlled.reason();
        assert_eq!(reason, Some("difficulties are estimated from 5 systems or more, not from 4"));
    }
    assert!(contest.strengths[0].style_controlled.found().is_some());
}

#[test]
fn a_system_that_always_wins_has_no_finite_strength() {
    let all = [answers("upstream", None, &["a", "b"]), answers("x", None, &["aa", "bb"])].concat();
    let strengths = &of(&all, &mut longer()).strengths[0];
    let reason = strengths.plain.reason().unwrap();
    assert!(reason.starts_with("x scored every point against upstream"), "{reason}");
    assert!(strengths.style_controlled.reason().is_some());
}

#[test]
fn a_recorded_contest_comes_out_the_same_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("judgements.jsonl");
    let (all, script) = of_lengths(2);
    let log = JudgementLog::open(&path).unwrap();
    let live = of(&all[..60], &mut LoggedJudge::new(told(Orders::Both, script_of_either(script)), log).unwrap());
    let again = of(&all[..60], &mut RecordedJudge::open(&path, Which::default()).unwrap());
    assert_eq!((&again.standings, &again.strengths), (&live.standings, &live.strengths));
    assert!(live.judging.n_asked > 60 && live.judging.seconds > 30.0);
    let expected = Judging { n_recorded: live.judging.n_asked, seconds: 0.0, cost: Some(0.0), ..live.judging };
    assert_eq!((again.judging, again.judging.seconds.is_sign_positive()), (expected, true));
}

/// The same script for comparisons whose first is the baseline.
fn script_of_either(mut script: impl FnMut(&Comparison<'_>) -> Said) -> impl FnMut(&Comparison<'_>) -> Said {
    move |asked| match asked.order {
        Order::Ab => script(asked),
        Order::Ba => script(&Comparison { first: asked.second, second: asked.first, ..*asked }).map(Verdict::swapped),
    }
}

#[test]
fn a_contest_survives_json_and_its_seed_fixes_it() {
    let (all, script) = of_lengths(5);
    let options = ContestOptions { resamples: ResampleOptions { n_resamples: 200, seed: 3 }, ..Default::default() };
    let contest = run(&all, &mut told(Orders::AsGiven, script), &options).unwrap();
    let text = serde_json::to_string(&contest).unwrap();
    assert_eq!(serde_json::from_str::<Contest>(&text).unwrap(), contest);
    assert!(text.contains(r#""outcome":{"found":{"rule":"both","n":300,"#), "{text}");
    let (all, script) = of_lengths(5);
    let again = run(&all, &mut told(Orders::AsGiven, script), &options).unwrap();
    assert_eq!(again.standings, contest.standings);
}
