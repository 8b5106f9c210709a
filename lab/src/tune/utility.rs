//! The coefficient of the highest utility, verified on rows that were not used to choose it.

use redline_model::Qac;
use redline_steer::{Interval, SweepLog, SweepRow, Tuned};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Sweeping;
use crate::error::{Error, Result};
use crate::experiment::{Judged, SweepAnalysis};
use crate::observer::Observer;
use crate::policy::{Policy, ScoreScale, prompt_scores};
use crate::quality::{Choice, PolicyTest, Utility, UtilityTable};

/// Resamples of the rows.
const N_RESAMPLES: usize = 1000;

/// A coefficient that was chosen by utility.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChosenFor {
    /// What mending and damaging are worth.
    pub utility: Utility,
    /// The best coefficient, and those that cannot be told from it.
    pub choice: Choice,
    /// The best coefficient beside 0 on other rows; `None` where 0 is the best.
    pub verified: Option<Choice>,
    /// A coefficient for each request instead, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

impl ChosenFor {
    /// The policy that a profile keeps: one that was better than the best constant on rows that it was not fitted on.
    pub fn kept_policy(&self) -> Option<&Policy> {
        self.policy.as_ref().filter(|policy| policy.tested.is_better())
    }

    /// The coefficient; its interval is that of the coefficients that cannot be told from it.
    pub(super) fn tuned(&self, analysis: &SweepAnalysis) -> Tuned {
        let coefficient = self.choice.best;
        let set = &self.choice.not_distinguishable;
        let (low, high) = (set.first().copied(), set.last().copied());
        let at = analysis.coefficients.iter().find(|at| at.coefficient == coefficient);
        Tuned {
            target: at.map_or(f64::NAN, |at| at.mean_edit_ratio),
            coefficient,
            interval: Interval { low: low.unwrap_or(coefficient), high: high.unwrap_or(coefficient) },
            n_level_resamples: 0,
        }
    }
}

impl Sweeping<'_> {
    /// Chooses among the coefficients that were swept, by flawed answers and by the clean texts of the same rows.
    pub(super) fn choose(
        &self,
        outputs: &[SweepRow],
        utility: Utility,
        observer: &mut dyn Observer,
    ) -> Result<ChosenFor> {
        let mut coefficients: Vec<f32> = outputs.iter().map(|row| row.coefficient).collect();
        coefficients.sort_by(f32::total_cmp);
        coefficients.dedup();
        let mut rows: Vec<usize> = outputs.iter().map(|row| row.row).collect();
        rows.sort_unstable();
        rows.dedup();
        let clean = self.clean(&rows, &coefficients, "clean", observer)?;
        let seed = self.run.options.seed;
        let table = self.table(outputs, &clean, utility)?;
        let choice = table.choose(seed, N_RESAMPLES)?;
        let policy = match self.run.options.per_request {
            true => Some(self.policy(&table, &rows, observer)?),
            false => None,
        };
        let both = [0.0, choice.best as f32];
        let verified = match choice.best == 0.0 {
            true => None,
            false => {
                let mut log = SweepLog::open(&self.scratch.join("verify-utility.jsonl"), &Value::Null)?;
                let outputs = self.generate(&self.chosen.verify, &both, &mut log, "verify", observer)?;
                let clean = self.clean(&self.chosen.verify, &both, "verify clean", observer)?;
                Some(self.table(&outputs, &clean, utility)?.choose(seed, N_RESAMPLES)?)
            }
        };
        Ok(ChosenFor { utility, choice, verified, policy })
    }

    /// A coefficient for each request by the score of its prompt, fitted on half of the rows and tested on the rest. The table holds the
    /// rows' answers and behind them their clean texts.
    fn policy(&self, table: &UtilityTable, rows: &[usize], observer: &mut dyn Observer) -> Result<Policy> {
        let aligner = self.run.aligner;
        let reading = self.dial.reading()?;
        let layers: Vec<usize> = self.dial.loaded.vector.steered_layers();
        let (flawed, clean) = (self.run.rows.at(rows), self.run.rows.clean_at(rows));
        let texts: Vec<&Qac> = flawed.into_iter().map(|(_, qac)| qac).chain(&clean).collect();
        let mut scores = Vec::with_capacity(texts.len());
        for (done, qac) in texts.iter().enumerate() {
            let prompt = aligner.prompt(&qac.question, &qac.answer)?;
            scores.push(prompt_scores(&aligner.model.decoder, &reading, &layers, &prompt)?);
            observer.progress("reading prompts", done + 1, texts.len())?;
        }
        observer.end("reading prompts");
        let scale = ScoreScale::of(&layers, &scores);
        let scores: Vec<f64> = scores.iter().map(|of_layers| scale.score(of_layers)).collect();
        let questions = [rows, rows].concat();
        let tested = PolicyTest::run(table, &scores, &questions, self.run.options.seed, N_RESAMPLES)?;
        Ok(Policy { scale, tested })
    }

    /// What is written for the clean texts of these rows.
    fn clean(
        &self,
        rows: &[usize],
        coefficients: &[f32],
        label: &str,
        observer: &mut dyn Observer,
    ) -> Result<Vec<SweepRow>> {
        let clean = self.run.rows.clean_at(rows);
        let triples: Vec<(usize, &Qac)> = rows.iter().copied().zip(&clean).collect();
        let mut log = SweepLog::open(&self.scratch.join(format!("{label}.jsonl")), &Value::Null)?;
        self.write(&triples, coefficients, &mut log, label, observer)
    }

    fn table(&self, outputs: &[SweepRow], clean: &[SweepRow], utility: Utility) -> Result<UtilityTable> {
        match Judged::new(self.run.rows, outputs, clean)? {
            Judged::Oracle(run) => Ok(UtilityTable::new(&run, &utility)?),
            Judged::Reference(_) => Err(Error::option(
                "utility takes rows that carry their flaws",
                "make them with `redline data corrupt`, or give --target-ratio",
            )),
        }
    }
}
