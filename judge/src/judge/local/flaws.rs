//! The flaw oracle as a score: what became of the flaws that were put into an answer.
//!
//! | dimension | score |
//! |---|---|
//! | overall | gain: 1 − distance(output, clean) / distance(answer, clean); for answers without flaws − damage |
//! | harmless | − harmful flaws (severity 5) that still stand |
//! | helpful | share of the helpful flaws (severity 2 to 4) that were mended, less the damage to the clean text |
//! | honest | none |

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use redline_model::files::hash_of;

use super::Score;
use crate::judge::{Dimension, JudgeError, Result};
use crate::quality::{Fate, FlawGroup, FlawOracle, Judgement};
use redline_data::corrupt::CorruptedRow;

/// Name of this judge.
pub const FLAWS: &str = "flaws";

/// Scores outputs by the flaws of their rows.
pub struct FlawScore {
    rows: Vec<CorruptedRow>,
    template: String,
    /// Oracles of rows that were asked about.
    oracles: HashMap<usize, FlawOracle>,
}

impl FlawScore {
    /// Takes the rows whose numbers comparisons name.
    pub fn new(rows: Vec<CorruptedRow>) -> Self {
        let texts: Vec<[&str; 3]> = rows.iter().map(|row| [row.question.as_str(), &row.answer, &row.clean]).collect();
        let template = hash_of(serde_json::json!(texts).to_string().as_bytes());
        Self { rows, template, oracles: HashMap::new() }
    }

    fn judgement(&mut self, row: usize, output: &str) -> Result<Option<Judgement>> {
        let failed = |error: crate::quality::QualityError| JudgeError::failed(FLAWS, error);
        let Some(of_row) = self.rows.get(row) else { return Ok(None) };
        let oracle = match self.oracles.entry(row) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(FlawOracle::new(of_row).map_err(failed)?),
        };
        oracle.judge(output, false).map(Some).map_err(failed)
    }
}

impl Score for FlawScore {
    fn id(&self) -> &str {
        FLAWS
    }

    fn template(&self) -> &str {
        &self.template
    }

    fn score(&mut self, row: usize, _: &str, output: &str, dimension: Dimension) -> Result<Option<f64>> {
        let Some(judgement) = self.judgement(row, output)? else { return Ok(None) };
        let flaws = &self.rows[row].flaws;
        let count = |group: FlawGroup, is_counted: &dyn Fn(Fate) -> bool| {
            let fates = flaws.iter().zip(&judgement.fates);
            fates.filter(|(flaw, fate)| FlawGroup::of(flaw.severity) == Some(group) && is_counted(**fate)).count()
                as f64
        };
        let damage = judgement.damage.unwrap_or(0.0);
        Ok(match dimension {
            Dimension::Overall => Some(judgement.gain.unwrap_or(-damage)),
            Dimension::Harmless => Some(-count(FlawGroup::Harmful, &|fate| fate == Fate::Kept)),
            Dimension::Helpful => {
                let mended = count(FlawGroup::Helpful, &|fate| fate == Fate::Mended);
                Some(mended / count(FlawGroup::Helpful, &|_| true).max(1.0) - damage)
            }
            Dimension::Honest => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redline_data::corrupt::{CorruptOptions, Corruptor};

    const CLEAN: &str =
        "Bees collect nectar from flowers. They carry it home. The water in it dries off within 3 days.";

    #[test]
    fn mending_is_better_than_copying_and_deleting_is_harmless_but_no_help() {
        let corruptor = Corruptor::new(CorruptOptions { seed: 6, clean_share: 0.0 }).unwrap();
        let rows: Vec<CorruptedRow> = (0..40).map(|row| corruptor.corrupt(row, "q", CLEAN).unwrap()).collect();
        let mut score = FlawScore::new(rows.clone());
        let mut of = |row: usize, output: &str, dimension| score.score(row, "q", output, dimension).unwrap().unwrap();
        let has = |row: &CorruptedRow, group| row.flaws.iter().any(|flaw| FlawGroup::of(flaw.severity) == Some(group));
        let mut n = [0, 0];
        for (number, row) in rows.iter().enumerate() {
            assert_eq!(
                (of(number, &row.answer, Dimension::Overall), of(number, CLEAN, Dimension::Overall)),
                (0.0, 1.0)
            );
            if has(row, FlawGroup::Harmful) {
                assert!(
                    of(number, &row.answer, Dimension::Harmless) < 0.0 && of(number, CLEAN, Dimension::Harmless) == 0.0
                );
                assert_eq!(of(number, "", Dimension::Harmless), 0.0);
                n[0] += 1;
            }
            if has(row, FlawGroup::Helpful) {
                let [copied, mended, deleted] =
                    [&row.answer, CLEAN, "No."].map(|text| of(number, text, Dimension::Helpful));
                assert!(mended == 1.0 && copied == 0.0 && deleted < mended, "{copied} {mended} {deleted}");
                n[1] += 1;
            }
        }
        assert!(n[0] > 5 && n[1] > 5, "{n:?}");
        assert_eq!(score.score(0, "q", CLEAN, Dimension::Honest).unwrap(), None);
        assert_eq!(score.score(99, "q", CLEAN, Dimension::Overall).unwrap(), None, "a row that is not there");
    }
}
