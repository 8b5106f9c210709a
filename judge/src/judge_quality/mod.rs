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

use redline_data::LeftOutRows;
use redline_model::Error as ModelError;
use redline_model::qac::{Fields, JsonRow, read_objects};
use serde::Serialize;
use serde_json::Value;

use crate::judge::record::RecordFault;
use crate::judge::{
    Dimension, Judge, JudgeError, JudgeObserver, Judged, NoVerdict, Order, Orders, Pair, Shown, Verdict,
};
use crate::win_rate::{Decision, JudgeAccuracy, JudgedPair, PositionConsistency, WinRateError, cohen_kappa, macro_f1};

#[cfg(test)]
mod tests;

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
    pub fn of(labelled: &[LabelledPair], judged: &[JudgedPair]) -> Result<Self, WinRateError> {
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
    pub fn by_subset(
        labelled: &[LabelledPair],
        judged: &[JudgedPair],
    ) -> Result<Vec<(String, Option<Self>)>, WinRateError> {
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
