//! One more pass over what the pass before wrote.

use std::collections::BTreeMap;
use std::time::Instant;

use redline_model::Qac;

use crate::contest::{ALIGNER, Keep};
use crate::correct::{Asked, Outcome};
use crate::error::Result;
use crate::judge::record::AnswerRecord;
use crate::observer::Observer;

/// Corrects rows together: a loaded [`Corrector`](crate::correct::Corrector), or whatever else corrects.
pub type CorrectFn<'a> = &'a mut dyn FnMut(&[Asked<'_>]) -> Result<Vec<Outcome>>;

/// The name of the system that makes so many passes.
pub fn stack_system(depth: usize) -> String {
    if depth <= 1 { ALIGNER.to_owned() } else { format!("stack-{depth}") }
}

/// What a pass wrote of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct PassBefore {
    /// Its answer, with the costs of all passes so far.
    pub record: AnswerRecord,
    /// Whether that pass changed nothing, so that another one would change nothing either.
    pub is_fixed: bool,
}

/// What pass `depth` − 1 at a coefficient wrote, by row. Rows that it has no answer to are missing.
pub fn passes_before(answers: &[AnswerRecord], depth: usize, coefficient: Option<f64>) -> BTreeMap<usize, PassBefore> {
    let of = |depth: usize| -> BTreeMap<usize, &AnswerRecord> {
        let system = stack_system(depth);
        let is_own = |record: &&AnswerRecord| record.system == system && record.coefficient == coefficient;
        answers.iter().filter(is_own).map(|record| (record.row, record)).collect()
    };
    let read = if depth > 2 { of(depth - 2) } else { BTreeMap::new() };
    let before = of(depth.saturating_sub(1));
    let pass = |(row, record): (usize, &AnswerRecord)| {
        let input = read.get(&row).map_or(&record.answer, |read| &read.output);
        (row, PassBefore { is_fixed: record.output.trim() == input.trim(), record: record.clone() })
    };
    before.into_iter().map(pass).collect()
}

/// A pass over the texts of the pass before.
pub struct StackRun<'a> {
    /// Which pass it is, from 2.
    pub depth: usize,
    /// The coefficient that the system is named with.
    pub coefficient: Option<f64>,
    /// Rows corrected together.
    pub batch_rows: usize,
    /// Writes the corrections.
    pub correct: CorrectFn<'a>,
}

impl StackRun<'_> {
    /// Corrects the rows and hands each answer to `keep` as it comes, with the tokens, passes and seconds of all passes so far. Rows without a pass
    /// before, and rows that cannot be corrected, are told to the observer and have no answer.
    ///
    /// # Errors
    /// Whatever `correct`, `keep` or the observer returns.
    pub fn answer(
        &mut self,
        rows: &[(usize, &Qac)],
        before: &BTreeMap<usize, PassBefore>,
        keep: Keep<'_>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let (system, stage) = (stack_system(self.depth), self.stage());
        let known: Vec<&PassBefore> = rows.iter().filter_map(|(row, _)| before.get(row)).collect();
        let (fixed, open): (Vec<&PassBefore>, Vec<&PassBefore>) = known.iter().partition(|pass| pass.is_fixed);
        fixed.iter().try_for_each(|pass| keep(AnswerRecord { system: system.clone(), ..pass.record.clone() }))?;
        let (mut done, mut n_cut, mut failed) = (0, 0, Vec::new());
        for part in open.chunks(self.batch_rows.max(1)) {
            for written in self.pass(part)? {
                match written {
                    Ok((record, is_cut)) => {
                        n_cut += usize::from(is_cut);
                        keep(record)?;
                    }
                    Err(why) => failed.push(why),
                }
            }
            done += part.len();
            observer.progress(&stage, done, open.len())?;
        }
        observer.end(&stage);
        for (n, what) in [
            (fixed.len(), "outputs were left unchanged by the pass before, and are not written again"),
            (rows.len() - known.len(), "rows have no pass before, and no answer"),
            (n_cut, "outputs were cut at the limit of tokens"),
        ] {
            if n > 0 {
                observer.note(&format!("{stage}: {n} {what}"));
            }
        }
        if let Some(reason) = failed.first() {
            observer.note(&format!("{stage}: {} rows have no answer; the first: {reason}", failed.len()));
        }
        Ok(())
    }

    /// The system with its coefficient, as answers name it.
    fn stage(&self) -> String {
        let system = stack_system(self.depth);
        self.coefficient.map_or_else(|| system.clone(), |coefficient| format!("{system}@{coefficient}"))
    }

    /// One pass over some rows: each answer and whether it was cut, or why there is none.
    fn pass(&mut self, part: &[&PassBefore]) -> Result<Vec<std::result::Result<(AnswerRecord, bool), String>>> {
        let asked = part.iter().map(|PassBefore { record, .. }| Asked {
            row: record.row,
            question: &record.question,
            answer: &record.output,
        });
        let started = Instant::now();
        let outcomes = (self.correct)(&asked.collect::<Vec<_>>())?;
        let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
        let written = |(before, outcome): (&&PassBefore, Outcome)| {
            let record = &before.record;
            let corrected = outcome?;
            let answer = AnswerRecord {
                system: stack_system(self.depth),
                n_tokens: record.n_tokens.map(|n| n + corrected.n_tokens),
                passes: record.passes + 1,
                context: record.context.max(corrected.context),
                seconds: record.seconds + seconds,
                output: corrected.text,
                ..record.clone()
            };
            Ok((answer, corrected.truncated))
        };
        Ok(part.iter().zip(outcomes).map(written).collect())
    }
}
