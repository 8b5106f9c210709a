use super::*;
use crate::files_for_tests::{data, data_json};
use crate::judge::record::{JudgementRecord, write_records};
use crate::judge::scripted::Scripted;
use crate::judge::{Comparison, RecordedJudge, Which};

type Said = std::result::Result<Verdict, NoVerdict>;

fn expected(of: &str) -> Option<Value> {
    Some(data_json("expected-agreement.json")?[of].take())
}

/// A field of each row.
fn column(path: &Path, name: &str) -> Vec<Value> {
    let value = |row: JsonRow| row.fields.unwrap().value(name).unwrap().unwrap();
    read_objects(path).unwrap().into_iter().map(value).collect()
}

fn labelled(output_1: &str, output_2: &str, label: Decision) -> LabelledPair {
    let [question, output_1, output_2] = ["q", output_1, output_2].map(str::to_owned);
    LabelledPair { question, output_1, output_2, label, subset: None }
}

fn quality(mut judge: Scripted, pairs: &[LabelledPair]) -> JudgeQuality {
    JudgeQuality::of(pairs, &judge_labelled(&mut judge, pairs, &mut ()).unwrap()).unwrap()
}

#[test]
fn by_hand() {
    let pairs = [
        labelled("good", "bad", Decision::Win),
        labelled("bad", "good", Decision::Loss),
        labelled("a", "b", Decision::Win),
        labelled("garbage", "b", Decision::Win),
        labelled("same", "same\n", Decision::Tie),
    ];
    let script = |asked: &Comparison<'_>| match (asked.first.output, asked.second.output) {
        ("good", _) => Ok(Verdict::StrongFirst),
        (_, "good") => Ok(Verdict::StrongSecond),
        (_, "garbage") => Err(NoVerdict::NoToken),
        _ => Ok(Verdict::Soft(0.75)),
    };
    let mut judge = Scripted::new(script);
    let judged = judge_labelled(&mut judge, &pairs, &mut ()).unwrap();
    assert_eq!((judged.len(), judge.n_asked()), (5, 8), "what is the same is not asked");
    let found = JudgeQuality::of(&pairs, &judged).unwrap();
    assert_eq!((found.n, found.n_errors), (4, 1));
    assert_eq!((found.accuracy_first, found.accuracy_swapped), (1.0, 0.75), "the first place alone is right once");
    assert_eq!((found.both_right, found.both_wrong, found.consistent), (0.75, 0.0, 0.75));
    // first: good twice, a, b, garbage; second: good twice; ties: two
    assert_eq!(found.first_position_share, 5.0 / 9.0);
    assert_eq!((found.kappa_first, found.macro_f1_first), (Some(1.0), 1.0));
    assert!(found.kappa_swapped < Some(1.0) && found.macro_f1_swapped < 1.0);
}

#[test]
fn a_judge_without_an_order_is_asked_once_and_one_with_a_drawn_order_twice() {
    let pairs = [labelled("good", "bad", Decision::Win), labelled("bad", "good", Decision::Win)];
    let script = |asked: &Comparison<'_>| match asked.first.output {
        "good" => Ok(Verdict::First),
        _ => Ok(Verdict::Second),
    };
    for (orders, n_asked) in [(Orders::AsGiven, 2), (Orders::Drawn, 4), (Orders::Both, 4)] {
        let mut judge = Scripted::new(script).with_orders(orders);
        let judged = judge_labelled(&mut judge, &pairs, &mut ()).unwrap();
        assert_eq!(judge.n_asked(), n_asked);
        let found = JudgeQuality::of(&pairs, &judged).unwrap();
        assert_eq!((found.accuracy_first, found.accuracy_swapped, found.consistent), (0.5, 0.5, 1.0));
        assert_eq!(found.first_position_share, 0.5);
    }
    let mut fewer = Scripted::new(script).that_returns(3);
    assert!(matches!(judge_labelled(&mut fewer, &pairs, &mut ()), Err(JudgeError::Count { asked: 4, got: 3, .. })));
}

#[test]
fn a_judge_that_says_nothing_has_no_quality() {
    let pairs = [LabelledPair { subset: Some("s".into()), ..labelled("a", "b", Decision::Win) }];
    let mut judge = Scripted::new(|_| Err(NoVerdict::NoReply));
    let judged = judge_labelled(&mut judge, &pairs, &mut ()).unwrap();
    assert!(JudgeQuality::of(&pairs, &judged).is_err());
    assert_eq!(JudgeQuality::by_subset(&pairs, &judged).unwrap(), [("s".to_owned(), None)]);
    assert!(JudgeQuality::of(&pairs, &[]).is_err());
}

#[test]
fn more_than_half_of_the_people_decide() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    let read = |labels: &str| {
        let row = r#""question":"q","output_1":"","output_2":"b","subset":"s""#;
        std::fs::write(&path, format!("{{{row},{labels}}}\n")).unwrap();
        LabelledPairs::read(&path)
    };
    for (labels, expected) in [
        (r#""label":1"#, Some(Decision::Win)),
        (r#""label":1.0"#, Some(Decision::Win)),
        (r#""label":2,"annotators":[1]"#, Some(Decision::Loss)),
        (r#""label":null,"annotators":[0,0,2]"#, Some(Decision::Tie)),
        (r#""annotators":[0,1,2]"#, None),
        (r#""annotators":[1,1,2,2]"#, None),
        (r#""annotators":[]"#, None),
    ] {
        let found = read(labels).unwrap();
        assert_eq!(found.pairs.first().map(|pair| pair.label), expected, "{labels}");
        assert_eq!(found.n_undecided, usize::from(expected.is_none()), "{labels}");
    }
    for (labels, message) in [
        (r#""label":3"#, ":1: `label` must be a number from 0 to 2, got 3"),
        (r#""label":true"#, ":1: `label` must be a number from 0 to 2, got NaN"),
        (r#""annotators":[1,-1]"#, ":1: `annotators` must be a number from 0 to 2, got -1"),
        (r#""annotators":"1""#, ":1: `annotators` must be a number from 0 to 2, got NaN"),
        (r#""other":1"#, ":1: field `label` is missing"),
    ] {
        let error = read(labels).unwrap_err().to_string();
        assert!(error.ends_with(message), "{labels}: {error}");
    }
    std::fs::write(&path, r#"{"question":"q","output_1":true,"output_2":"b","label":1}"#).unwrap();
    let error = LabelledPairs::read(&path).unwrap_err().to_string();
    assert!(error.ends_with(":1: field `output_1` must be text, but is a truth value"), "{error}");
}

/// The published verdicts of a judge as a file of judgements: winners there are outputs, whatever the order.
fn published(path: &Path, judge: &str, pairs: &[LabelledPair], judges: &[Value]) {
    let record = |(row, (pair, judges)): (usize, (&LabelledPair, &Value))| {
        let of = |order: Order, name: &str| {
            let is_1 = match judges[judge][name]["winner"].as_str() {
                Some("1") => true,
                Some("2") => false,
                other => panic!("{other:?}"),
            };
            let is_first = is_1 == (order == Order::Ab);
            let verdict = Ok(if is_first { Verdict::First } else { Verdict::Second });
            let judged = Judged::local(verdict, 0.0);
            JudgementRecord::new(judge, "published", &pair.pair(row).in_order(order), &judged)
        };
        [of(Order::Ab, "first"), of(Order::Ba, "swapped")]
    };
    let records: Vec<_> = pairs.iter().zip(judges).enumerate().flat_map(record).collect();
    write_records(path, &records).unwrap();
}

#[test]
fn a_row_without_a_label_is_counted_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    let row = |label: &str| format!("{{\"question\":\"q\",\"output_1\":\"a\",\"output_2\":\"b\"{label}}}\n");
    std::fs::write(&path, [row(",\"label\":1"), row(""), row(",\"label\":2"), row(",\"label\":7")].concat()).unwrap();
    assert!(LabelledPairs::read(&path).is_err());
    let (read, left_out) = LabelledPairs::read_usable(&path).unwrap();
    assert_eq!((read.pairs.len(), left_out.len(), left_out[0].n_rows, left_out[0].first_line), (2, 1, 2, 2));
    assert!(left_out[0].first.ends_with("pairs.jsonl:2: field `label` is missing"), "{left_out:?}");
    std::fs::write(&path, row("")).unwrap();
    assert!(LabelledPairs::read_usable(&path).is_err(), "nothing is left");
}

#[test]
fn llmbar_comes_out() {
    let (Some(expected), Some(path)) = (expected("llmbar"), data("llmbar/pairs.jsonl.gz")) else { return };
    let LabelledPairs { pairs, n_undecided } = LabelledPairs::read(&path).unwrap();
    assert_eq!((pairs.len(), n_undecided), (320, 0));
    let judges = column(&path, "judges");
    let folder = tempfile::tempdir().unwrap();
    let mut n_checked = 0;
    for name in ["GPT-4", "ChatGPT"] {
        let file = folder.path().join(format!("{name}.jsonl"));
        published(&file, name, &pairs, &judges);
        let mut judge = RecordedJudge::open(&file, Which::default()).unwrap();
        let judged = judge_labelled(&mut judge, &pairs, &mut ()).unwrap();
        let all = ("all".to_owned(), JudgeQuality::of(&pairs, &judged).ok());
        for (subset, found) in JudgeQuality::by_subset(&pairs, &judged).unwrap().into_iter().chain([all]) {
            let found = serde_json::to_value(found.unwrap()).unwrap();
            let figures = expected[format!("{name}/{subset}")].as_object().unwrap();
            assert_eq!(figures.len(), 7);
            for (figure, value) in figures {
                let (found, value) = (found[figure].as_f64().unwrap(), value.as_f64().unwrap());
                assert!((found - value).abs() < 1e-12, "{name}/{subset} {figure}: {found}, expected {value}");
            }
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, expected.as_object().unwrap().len());
}

#[test]
fn pandalm_comes_out() {
    let (Some(expected), Some(path)) = (expected("pandalm"), data("pandalm/pairs.jsonl.gz")) else { return };
    let LabelledPairs { pairs, n_undecided } = LabelledPairs::read(&path).unwrap();
    assert_eq!((pairs.len(), n_undecided), (742, 0));
    let count = |label| pairs.iter().filter(|pair| pair.label == label).count();
    let counts = [("0", Decision::Tie), ("1", Decision::Win), ("2", Decision::Loss)];
    for (key, label) in counts {
        assert_eq!(expected["label_counts"][key], count(label), "{key}");
    }
    // these figures read "garbage" as a tie
    let said = |word: &str, garbage: Said| match word {
        "1" => Ok(Verdict::First),
        "2" => Ok(Verdict::Second),
        "0" | "Tie" => Ok(Verdict::Tie),
        "garbage" => garbage,
        other => panic!("{other}"),
    };
    let judge = |name: &str, garbage: Said| {
        let words = column(&path, name);
        let said: Vec<Said> = words.iter().map(|word| said(word.as_str().unwrap(), garbage)).collect();
        Scripted::new(move |asked| said[asked.row]).with_orders(Orders::AsGiven)
    };
    for name in ["gpt35", "pandalm7b"] {
        let found = quality(judge(name, Ok(Verdict::Tie)), &pairs);
        let figures = [
            ("accuracy", found.accuracy_first),
            ("macro_f1", found.macro_f1_first),
            ("kappa", found.kappa_first.unwrap()),
        ];
        for (figure, found) in figures {
            let value = expected[name][figure].as_f64().unwrap();
            assert!((found - value).abs() < 1e-12, "{name} {figure}: {found}, expected {value}");
        }
        assert_eq!((found.n, found.n_errors, found.accuracy_swapped), (742, 0, found.accuracy_first));
    }
    let found = quality(judge("gpt35", Err(NoVerdict::NoToken)), &pairs);
    assert_eq!((found.n, found.n_errors), (722, 20), "garbage is no tie");
}
