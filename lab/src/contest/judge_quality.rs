//! How good a judge is, on pairs of outputs of which people said which is better. It belongs before any win rate of that judge.
//!
//! Each pair is shown in both orders; a judge that looks at each output alone is asked once, and its verdict counts for both. Accuracy is
//! the share of pairs where judge and people say the same of output 1: better, worse, neither. By chance it is one half where people
//! leave no ties. Pairs without a verdict in one of the orders are left out and counted; outputs that are the same are a tie that nobody
//! is asked about.
//!
//! Files are those of LLMBar (`label` 1 or 2) and PandaLM (`annotators`, each 1, 2, or 0 for a tie; more than half of them decide).

use std::collections::BTreeMap;
use std::path::Path;

use redline_model::Error as ModelError;
use redline_model::qac::{Fields, JsonRow, read_objects};
use serde::Serialize;
use serde_json::Value;

use crate::data::LeftOutRows;
use crate::error::Result;
use crate::judge::record::RecordFault;
use crate::judge::{
    Dimension, Judge, JudgeError, JudgeObserver, Judged, NoVerdict, Order, Orders, Pair, Shown, Verdict,
};
use crate::win_rate::{Decision, JudgeAccuracy, JudgedPair, PositionConsistency, cohen_kappa, macro_f1};

/// What the outputs of a pair are called in records.
const SYSTEMS: [&str; 2] = ["output_1", "output_2"];

/// Two outputs of which people said which is better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledPair {
    /// The question.
    pub question: String,
    /// One output.
    pub output_1: String,
    /// The other.
    pub output_2: String,
    /// What people say of output 1.
    pub label: Decision,
    /// The part of the data that it belongs to, where there are several.
    pub subset: Option<String>,
}

/// The pairs of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelledPairs {
    /// Those that people decided.
    pub pairs: Vec<LabelledPair>,
    /// Rows left out, since no label has more than half of the people.
    pub n_undecided: usize,
}

/// How often a judge says what people say, and how much the order of the outputs matters to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct JudgeQuality {
    /// Pairs with a verdict in both orders.
    pub n: usize,
    /// Pairs left out, as an order has no verdict.
    pub n_errors: usize,
    /// Share that is right with output 1 shown first.
    pub accuracy_first: f64,
    /// Share that is right with output 2 shown first.
    pub accuracy_swapped: f64,
    /// Cohen's kappa of judge and people with output 1 shown first; none where both always say the same one thing.
    pub kappa_first: Option<f64>,
    /// The same with output 2 shown first.
    pub kappa_swapped: Option<f64>,
    /// Mean F1 over better, worse and, where somebody says so, neither, with output 1 shown first.
    pub macro_f1_first: f64,
    /// The same with output 2 shown first.
    pub macro_f1_swapped: f64,
    /// Share of pairs whose two verdicts prefer the same output, or are ties both.
    pub consistent: f64,
    /// Share of all verdicts that are for the output shown first.
    pub first_position_share: f64,
    /// Share that is right in both orders.
    pub both_right: f64,
    /// Share that is wrong in both orders.
    pub both_wrong: f64,
}

impl LabelledPairs {
    /// Reads a file of pairs: JSON Lines or one array, plain or gzip; `-` is the standard input.
    ///
    /// # Errors
    /// [`JudgeError::File`] for a file that cannot be read, or a row that is no object or lacks a text; [`JudgeError::Line`] for a label
    /// that is none.
    pub fn read(path: &Path) -> crate::judge::Result<Self> {
        let mut read = Self::default();
        read_objects(path)?.into_iter().try_for_each(|row| read.add(path, row))?;
        Ok(read)
    }

    /// The same, where rows that cannot be used are counted and left out.
    ///
    /// # Errors
    /// [`JudgeError::File`] for a file that cannot be read; that of the first row where no row can be used.
    pub fn read_usable(path: &Path) -> crate::judge::Result<(Self, Vec<LeftOutRows>)> {
        let (mut read, mut left_out, mut first) = (Self::default(), Vec::new(), None);
        for row in read_objects(path)? {
            let line = row.line;
            if let Err(error) = read.add(path, row) {
                LeftOutRows::count(&mut left_out, "label-or-text", line, &error);
                first = first.or(Some(error));
            }
        }
        match first.filter(|_| read.pairs.is_empty() && read.n_undecided == 0) {
            None => Ok((read, left_out)),
            Some(error) => Err(error),
        }
    }

    fn add(&mut self, path: &Path, JsonRow { line, fields }: JsonRow) -> crate::judge::Result<()> {
        let fields = fields.map_err(|fault| fault.at(path, line))?;
        let place = Place { path, line };
        match place.label(&fields)? {
            None => self.n_undecided += 1,
            Some(label) => self.pairs.push(place.pair(&fields, label)?),
        }
        Ok(())
    }
}

/// Where a row stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    line: usize,
}

impl Place<'_> {
    fn pair(self, fields: &Fields, label: Decision) -> crate::judge::Result<LabelledPair> {
        let text = |name: &str| match (fields.text(name), fields.kind(name)) {
            (Some(text), _) => Ok(text),
            (None, Some(got)) => {
                Err(ModelError::FieldType { path: self.path.into(), line: self.line, field: name.into(), got })
            }
            (None, None) => Err(self.missing(name)),
        };
        Ok(LabelledPair {
            question: text("question")?,
            // a model that said nothing has an empty output
            output_1: text("output_1")?,
            output_2: text("output_2")?,
            label,
            subset: fields.text("subset"),
        })
    }

    /// What people say of output 1, if they agree.
    fn label(self, fields: &Fields) -> crate::judge::Result<Option<Decision>> {
        let value = |name: &str| {
            let value = fields.value(name).filter(|_| fields.has(name)).transpose();
            value.map_err(|source| ModelError::MalformedLine { path: self.path.into(), line: self.line, source })
        };
        if let Some(label) = value("label")? {
            return self.decision("label", &label).map(Some);
        }
        let Some(annotators) = value("annotators")? else { return Err(self.missing("label").into()) };
        let labels = annotators.as_array().map_or(std::slice::from_ref(&annotators), Vec::as_slice);
        let mut counts = BTreeMap::new();
        for label in labels {
            *counts.entry(self.decision("annotators", label)?).or_insert(0) += 1;
        }
        Ok(counts.into_iter().find(|(_, n)| n * 2 > labels.len()).map(|(decision, _)| decision))
    }

    fn decision(self, field: &'static str, label: &Value) -> crate::judge::Result<Decision> {
        let got = label.as_f64().unwrap_or(f64::NAN);
        match got {
            0.0 => Ok(Decision::Tie),
            1.0 => Ok(Decision::Win),
            2.0 => Ok(Decision::Loss),
            _ => {
                let fault = RecordFault::Number { field, least: 0.0, most: 2.0, got };
                Err(JudgeError::Line { path: self.path.into(), line: self.line, fault })
            }
        }
    }

    fn missing(self, name: &str) -> ModelError {
        ModelError::MissingField { path: self.path.into(), line: self.line, field: name.into() }
    }
}

impl LabelledPair {
    /// The outputs as a judge is asked about them: which is better on the whole.
    pub fn pair(&self, row: usize) -> Pair<'_> {
        let [a, b] = SYSTEMS;
        let (a, b) = (Shown { system: a, output: &self.output_1 }, Shown { system: b, output: &self.output_2 });
        Pair { row, question: &self.question, a, b, dimension: Dimension::Overall, reference: None }
    }
}

/// What a judge says of pairs, in both orders; output 1 is the system.
///
/// # Errors
/// Those of the judge; [`JudgeError::Count`] where it gives another number of judgements.
pub fn judge_labelled(
    judge: &mut (impl Judge + ?Sized),
    labelled: &[LabelledPair],
    observer: &mut dyn JudgeObserver,
) -> crate::judge::Result<Vec<JudgedPair>> {
    // who looks at each output alone has no order
    let orders: &[Order] = if judge.orders() == Orders::AsGiven { &[Order::Ab] } else { &[Order::Ab, Order::Ba] };
    let pairs: Vec<Pair<'_>> = labelled.iter().enumerate().map(|(row, pair)| pair.pair(row)).collect();
    let different = pairs.iter().filter(|pair| !pair.is_identical());
    let asked: Vec<_> = different.flat_map(|pair| orders.iter().map(|order| pair.in_order(*order))).collect();
    let judged = judge.judge(&asked, observer)?;
    if judged.len() != asked.len() {
        return Err(JudgeError::Count { judge: judge.id().into(), asked: asked.len(), got: judged.len() });
    }
    let mut verdicts = judged.chunks_exact(orders.len());
    let judged = pairs.iter().map(|pair| match pair.is_identical() {
        true => Some(JudgedPair::Both(Ok(Verdict::Tie), Ok(Verdict::Tie))),
        false => verdicts.next().map(in_both),
    });
    Ok(judged.flatten().collect())
}

/// The verdicts on a pair, output 1 as the first; one alone counts for both orders.
fn in_both(judged: &[Judged]) -> JudgedPair {
    match judged {
        [first, second] => JudgedPair::Both(first.verdict, second.verdict.map(Verdict::swapped)),
        alone => {
            let verdict = alone.first().map_or(Err(NoVerdict::NoReply), |judged| judged.verdict);
            JudgedPair::Both(verdict, verdict)
        }
    }
}

impl JudgeQuality {
    /// The quality of a judge that [said](judge_labelled) this of these pairs.
    ///
    /// # Errors
    /// Those of [`PositionConsistency::of`] and [`JudgeAccuracy::of`]: pairs and verdicts that differ in number, no pair with both verdicts.
    pub fn of(labelled: &[LabelledPair], judged: &[JudgedPair]) -> Result<Self> {
        let labels: Vec<Decision> = labelled.iter().map(|pair| pair.label).collect();
        let right = JudgeAccuracy::of(judged, &labels)?;
        let position = PositionConsistency::of(judged)?;
        let (mut people, mut said) = (Vec::with_capacity(right.n), [Vec::new(), Vec::new()]);
        for (label, pair) in labels.iter().zip(judged) {
            if let Some(decisions) = decisions(pair) {
                people.push(*label);
                said.iter_mut().zip(decisions).for_each(|(said, decision)| said.push(decision));
            }
        }
        let [first, swapped] = &said;
        Ok(Self {
            n: right.n,
            n_errors: right.n_errors,
            accuracy_first: right.system_first,
            accuracy_swapped: right.system_second,
            kappa_first: cohen_kappa(&people, first)?,
            kappa_swapped: cohen_kappa(&people, swapped)?,
            macro_f1_first: macro_f1(&people, first)?,
            macro_f1_swapped: macro_f1(&people, swapped)?,
            consistent: position.consistent,
            first_position_share: position.first_position_share,
            both_right: right.both_right,
            both_wrong: right.both_wrong,
        })
    }

    /// The same for each subset, by name; none for one without a pair that has both verdicts.
    ///
    /// # Errors
    /// Those of [`JudgeQuality::of`].
    pub fn by_subset(labelled: &[LabelledPair], judged: &[JudgedPair]) -> Result<Vec<(String, Option<Self>)>> {
        let mut subsets: BTreeMap<&str, (Vec<LabelledPair>, Vec<JudgedPair>)> = BTreeMap::new();
        for (pair, judged) in labelled.iter().zip(judged) {
            let Some(name) = &pair.subset else { continue };
            let (pairs, all) = subsets.entry(name).or_default();
            pairs.push(pair.clone());
            all.push(*judged);
        }
        let quality = |(name, (pairs, judged)): (&str, (Vec<LabelledPair>, Vec<JudgedPair>))| {
            let is_judged = judged.iter().any(|pair| decisions(pair).is_some());
            let quality = is_judged.then(|| Self::of(&pairs, &judged)).transpose()?;
            Ok((name.to_owned(), quality))
        };
        subsets.into_iter().map(quality).collect()
    }
}

/// What each order says of output 1, where both say something.
fn decisions(pair: &JudgedPair) -> Option<[Decision; 2]> {
    match *pair {
        JudgedPair::Both(Ok(first), Ok(second)) => Some([first, second].map(Decision::of)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::judge::record::{JudgementRecord, write_records};
    use crate::judge::scripted::Scripted;
    use crate::judge::{Comparison, RecordedJudge, Which};

    type Said = std::result::Result<Verdict, NoVerdict>;

    /// A file of the shared data; `None`, and a loud line, where it is absent.
    fn data(path: &str) -> Option<PathBuf> {
        let found: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared", "data", path].iter().collect();
        let is_there = found.exists();
        if !is_there {
            eprintln!("\n!!!! NOT TESTED: data/{path} is absent, so nothing of it was checked !!!!\n");
        }
        is_there.then_some(found)
    }

    fn expected(of: &str) -> Option<Value> {
        let text = std::fs::read_to_string(data("expected-agreement.json")?).unwrap();
        Some(serde_json::from_str::<Value>(&text).unwrap()[of].take())
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
        std::fs::write(&path, [row(",\"label\":1"), row(""), row(",\"label\":2"), row(",\"label\":7")].concat())
            .unwrap();
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
}
