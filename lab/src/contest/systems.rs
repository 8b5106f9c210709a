//! What systems answer: the upstream answers as they are, and an Aligner's corrections of them at a coefficient.

use std::time::Instant;

use redline_model::Qac;

use crate::correct::{Asked, Check, Corrector};
use crate::error::Result;
use crate::judge::record::AnswerRecord;
use crate::observer::Observer;

/// Name of the system that changes nothing.
pub const UPSTREAM: &str = "upstream";
/// Name of the Aligner.
pub const ALIGNER: &str = "aligner";

/// The answers as they are: nothing is written, and nothing waited for.
pub fn upstream_answers(rows: &[Qac]) -> Vec<AnswerRecord> {
    let record =
        |(row, qac): (usize, &Qac)| AnswerRecord { output: qac.answer.trim().to_owned(), ..record(row, qac, UPSTREAM) };
    rows.iter().enumerate().map(record).collect()
}

pub(super) fn record(row: usize, qac: &Qac, system: &str) -> AnswerRecord {
    AnswerRecord {
        row,
        system: system.into(),
        coefficient: None,
        question: qac.question.clone(),
        answer: qac.answer.clone(),
        output: String::new(),
        n_tokens: Some(0),
        passes: 0,
        context: 0,
        seconds: 0.0,
        made_by: String::new(),
        is_unread: false,
    }
}

/// Takes an answer as it comes; an error ends the work.
pub type Keep<'a> = &'a mut dyn FnMut(AnswerRecord) -> Result<()>;

/// How an Aligner's corrections are written down.
pub struct AlignerRun<'a> {
    /// The Aligner, at its coefficient.
    pub corrector: &'a mut Corrector,
    /// The coefficient, where the system is named with it.
    pub coefficient: Option<f64>,
    /// What the system is called; `aligner` unless told otherwise.
    pub name: Option<String>,
    /// Rows corrected together.
    pub batch_rows: usize,
    /// Called at each token; an error ends the work.
    pub check: Check,
}

impl AlignerRun<'_> {
    /// A row as the Aligner is asked.
    pub(super) fn asked<'q>(&self, row: usize, qac: &'q Qac) -> Asked<'q> {
        Asked { row, question: &qac.question, answer: &qac.answer }
    }

    /// Corrects the rows and hands each answer to `keep` as it comes. A row that cannot be corrected is told to the observer and has no answer.
    ///
    /// # Errors
    /// A pass fails, or whatever `check`, `keep` or the observer returns.
    pub fn answer(&mut self, rows: &[(usize, &Qac)], keep: Keep<'_>, observer: &mut dyn Observer) -> Result<()> {
        let name = self.name.as_deref().unwrap_or(ALIGNER).to_owned();
        let stage = self.coefficient.map_or_else(|| name.clone(), |coefficient| format!("{name}@{coefficient}"));
        let (mut done, mut n_failed, mut reason, mut n_cut) = (0, 0, None, 0);
        for part in rows.chunks(self.batch_rows.max(1)) {
            let asked: Vec<Asked<'_>> = part.iter().map(|(row, qac)| self.asked(*row, qac)).collect();
            let started = Instant::now();
            let outcomes = self.corrector.correct(&asked, &stage, self.check)?;
            let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
            for ((row, qac), outcome) in part.iter().zip(outcomes) {
                match outcome {
                    Ok(corrected) => {
                        n_cut += usize::from(corrected.truncated);
                        keep(AnswerRecord {
                            coefficient: self.coefficient,
                            n_tokens: Some(corrected.n_tokens),
                            context: corrected.context,
                            output: corrected.text,
                            passes: 1,
                            seconds,
                            ..record(*row, qac, &name)
                        })?
                    }
                    Err(why) => {
                        n_failed += 1;
                        reason.get_or_insert(why);
                    }
                }
            }
            done += part.len();
            observer.progress(&stage, done, rows.len())?;
        }
        observer.end(&stage);
        if n_cut > 0 {
            observer.note(&format!("{stage}: {n_cut} outputs were cut at the limit of tokens"));
        }
        if let Some(reason) = reason {
            observer.note(&format!("{stage}: {n_failed} rows have no answer; the first: {reason}"));
        }
        Ok(())
    }
}
