//! `redline.judgement.v1`: what a judge said about two outputs.
//!
//! Fields: `key`, `judge`, `template`, `dimension`, `row`, `first`, `second`, `order`, `raw`, `verdict`, `p`, `seconds`, `cost`.
//!
//! - `key` is that of [`key`](mod@crate::judge::key), and the only field by which a judgement is found again.
//! - `first` and `second` name the systems whose outputs were shown in these places; their texts stand in the file of answers.
//! - `order` is `ab` where the first is the pair's first system, else `ba`.
//! - `verdict` is `strong_first`, `first`, `tie`, `second`, `strong_second` or `soft`. A word that begins with `no_` says why there is no
//!   verdict.
//! - `p` stands with `soft` only: the probability that the first is better.

use serde::{Deserialize, Serialize};

use super::super::dimension::Dimension;
use super::super::error::JudgeError;
use super::super::judge::{Comparison, Judged, check_id};
use super::super::key::{is_key, key};
use super::super::order::Order;
use super::super::verdict::{self, NoVerdict, Verdict};
use super::{Appended, FirstLine, Record, RecordFault};

/// A judgement with what it is found by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgementRecord {
    /// What was asked: 64 hexadecimal digits.
    pub key: String,
    /// Who judged.
    pub judge: String,
    /// What its verdict depends on beside the texts.
    pub template: String,
    /// By what the outputs were compared.
    pub dimension: Dimension,
    /// The row of the file of rows, from 0.
    pub row: usize,
    /// The system whose output was shown first.
    pub first: String,
    /// The system whose output was shown second.
    pub second: String,
    /// Which of the pair's systems was the first.
    pub order: Order,
    /// What the judge wrote.
    pub raw: String,
    /// The fields `verdict` and `p`.
    #[serde(flatten, with = "verdict")]
    pub verdict: std::result::Result<Verdict, NoVerdict>,
    /// Seconds that it took.
    pub seconds: f64,
    /// What it cost, in the currency of the price list; none where no price is known.
    pub cost: Option<f64>,
}

impl JudgementRecord {
    /// What a judge with a template said about a comparison.
    pub fn new(judge: &str, template: &str, comparison: &Comparison<'_>, judged: &Judged) -> Self {
        Self {
            key: key(judge, template, comparison),
            judge: judge.into(),
            template: template.into(),
            dimension: comparison.dimension,
            row: comparison.row,
            first: comparison.first.system.into(),
            second: comparison.second.system.into(),
            order: comparison.order,
            raw: judged.raw.clone(),
            verdict: judged.verdict,
            seconds: judged.seconds,
            cost: judged.cost,
        }
    }

    /// What was said, marked as read from a file.
    pub fn judged(&self) -> Judged {
        let Self { verdict, raw, seconds, cost, .. } = self.clone();
        Judged { verdict, raw, seconds, cost, is_recorded: true }
    }
}

impl Record for JudgementRecord {
    const SCHEMA: &'static str = "redline.judgement.v1";
    const FIRST_LINE: FirstLine = FirstLine::Header;

    fn check(&self) -> std::result::Result<(), RecordFault> {
        if !is_key(&self.key) {
            return Err(RecordFault::Key { got: self.key.clone() });
        }
        match check_id(&self.judge) {
            Err(JudgeError::JudgeId { rule }) => return Err(RecordFault::JudgeId { rule }),
            _ => RecordFault::check_text("judge", &self.judge)?,
        }
        RecordFault::check_text("template", &self.template)?;
        RecordFault::check_text("first", &self.first)?;
        RecordFault::check_text("second", &self.second)?;
        if let Ok(Verdict::Soft(p)) = self.verdict {
            RecordFault::check_number("p", p, 0.0, 1.0)?;
        }
        RecordFault::check_number("seconds", self.seconds, 0.0, f64::INFINITY)?;
        RecordFault::check_number("cost", self.cost.unwrap_or_default(), 0.0, f64::INFINITY)
    }
}

impl Appended for JudgementRecord {}

#[cfg(test)]
mod tests {
    use super::super::super::scripted::comparison;
    use super::super::{read_records, write_records};
    use super::*;

    fn record(verdict: std::result::Result<Verdict, NoVerdict>) -> JudgementRecord {
        let judged =
            Judged { verdict, raw: "… [[A]]\n".into(), seconds: 0.25, cost: Some(0.001), is_recorded: false };
        JudgementRecord::new("judge#1", "letter-1", &comparison(3, "q", "a", "b"), &judged)
    }

    #[test]
    fn every_verdict_and_every_fault_survives_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judgements.jsonl");
        use NoVerdict::{NoAnswer, NoInstrument, NoLetter, NoLogProbs, NoReply, NoScore, NoToken};
        use Verdict::{First, Second, Soft, StrongFirst, StrongSecond, Tie};
        let verdicts = [StrongFirst, First, Tie, Second, StrongSecond, Soft(0.1), Soft(0.0), Soft(1.0)].map(Ok);
        let faults = [NoReply, NoToken, NoScore, NoLogProbs, NoLetter, NoAnswer, NoInstrument].map(Err);
        let records: Vec<JudgementRecord> = verdicts.into_iter().chain(faults).map(record).collect();
        write_records(&path, &records).unwrap();
        assert_eq!(read_records::<JudgementRecord>(&path).unwrap().rows, records);
        let text = std::fs::read_to_string(&path).unwrap();
        let words: Vec<&str> = text.split("\"verdict\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(words[..6], ["strong_first", "first", "tie", "second", "strong_second", "soft"]);
        assert!(words[8..].iter().all(|word| word.starts_with("no_")), "{words:?}");
        assert_eq!(text.matches("\"p\":").count(), 3);
    }

    #[test]
    fn the_line_of_a_soft_verdict_has_the_documented_fields() {
        let value = serde_json::to_value(record(Ok(Verdict::Soft(0.5)))).unwrap();
        let mut names: Vec<&String> = value.as_object().unwrap().keys().collect();
        names.sort();
        let mut documented = [
            "key",
            "judge",
            "template",
            "dimension",
            "row",
            "first",
            "second",
            "order",
            "raw",
            "verdict",
            "p",
            "seconds",
            "cost",
        ];
        documented.sort();
        assert_eq!(names, documented);
    }

    #[test]
    fn rules_of_a_judgement() {
        let good = record(Ok(Verdict::First));
        assert_eq!(good.check(), Ok(()));
        let broken = [
            JudgementRecord { key: "abc".into(), ..good.clone() },
            JudgementRecord { judge: String::new(), ..good.clone() },
            JudgementRecord { judge: "https://u:p@h/v1#m".into(), ..good.clone() },
            JudgementRecord { template: String::new(), ..good.clone() },
            JudgementRecord { verdict: Ok(Verdict::Soft(f64::NAN)), ..good.clone() },
            JudgementRecord { verdict: Ok(Verdict::Soft(1.01)), ..good.clone() },
            JudgementRecord { seconds: f64::INFINITY, ..good.clone() },
            JudgementRecord { cost: Some(-0.1), ..good.clone() },
            JudgementRecord { cost: Some(f64::NAN), ..good.clone() },
        ];
        for record in broken {
            assert!(record.check().is_err(), "{record:?}");
        }
    }

    #[test]
    fn a_soft_verdict_without_a_number_and_an_unknown_word_are_refused() {
        let line = serde_json::to_string(&record(Ok(Verdict::Soft(0.5)))).unwrap();
        for (from, to) in [
            ("\"p\":0.5,", ""),
            ("0.5", "null"),
            ("0.5", "\"0.5\""),
            ("\"soft\"", "\"garbage\""),
            ("\"soft\"", "null"),
            ("\"ab\"", "\"aa\""),
        ] {
            let changed = line.replace(from, to);
            assert_ne!(changed, line);
            assert!(serde_json::from_str::<JudgementRecord>(&changed).is_err(), "{changed}");
        }
    }
}
