//! Asks for the log-probabilities of all choices, row by row.

use std::collections::{BTreeMap, HashMap};

use super::error::ChoiceError;
use super::figure::{ChoiceFigure, Task};
use super::prompt::{Choice, Turn};
use super::read::Choices;
use super::score::{RowScore, TaskScore};
use super::table::{ChoiceScores, ChoiceTable};
use crate::win_rate::ResampleOptions;
use redline_data::observer::Observer;
use redline_model::Result as ModelResult;

/// What an observer is told of this work.
const STAGE: &str = "choices";

/// Gives Σ ln p of the tokens of each completion, in the order of the choices; none where it cannot be computed.
pub type LogProbs<'a> = dyn FnMut(&[Choice<'_>]) -> ModelResult<Vec<Option<f64>>> + 'a;

impl Choices {
    /// Scores all rows by the log-probabilities that `log_probs` gives for the choices of one row at a time, in their order: sums of
    /// ln p over the tokens of each completion, none where it cannot be computed (logits that are not finite, a text too long for the
    /// model). These rows are counted, and are neither right nor wrong.
    ///
    /// # Errors
    /// [`ChoiceError::NoRows`], [`ChoiceError::NoResamples`], [`ChoiceError::Count`]; what `log_probs` and the observer say.
    ///
    /// # Example
    /// ```
    /// # use redline_judge::choices::{Choice, Choices};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("rows.jsonl");
    /// std::fs::write(&path, r#"{"question": "2 + 2?", "choices": ["4", "22"], "answer": 0}"#).unwrap();
    /// let choices = Choices::read(&path).unwrap();
    /// // a model that finds each character as likely as any other of ten
    /// let mut log_probs = |asked: &[Choice<'_>]| Ok(asked.iter().map(|own| Some(-10f64.ln() * own.completion.len() as f64)).collect());
    /// let table = choices.measure(Default::default(), &mut log_probs, &mut ()).unwrap();
    /// let mc2 = table.all.mc2.unwrap().summed.unwrap().value;
    /// assert!((mc2 - 0.1 / 0.11).abs() < 1e-12); // 1/10 against 1/100
    /// ```
    pub fn measure(
        &self,
        resamples: ResampleOptions,
        log_probs: &mut LogProbs<'_>,
        observer: &mut dyn Observer,
    ) -> super::Result<ChoiceTable> {
        if self.rows.is_empty() {
            return Err(ChoiceError::NoRows);
        }
        if resamples.n_resamples == 0 {
            return Err(ChoiceError::NoResamples);
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for (done, row) in self.rows.iter().enumerate() {
            observer.progress(STAGE, done, self.rows.len())?;
            let choices = row.choices();
            let found = log_probs(&choices)?;
            if found.len() != choices.len() {
                return Err(ChoiceError::Count { line: row.line(), got: found.len(), expected: choices.len() });
            }
            rows.push(RowScore::of(row, &found));
        }
        observer.progress(STAGE, self.rows.len(), self.rows.len())?;
        observer.end(STAGE);
        let table = self.table(rows, resamples);
        if let Some(text) = table.unscored() {
            observer.note(&text);
        }
        Ok(table)
    }

    fn table(&self, rows: Vec<RowScore>, resamples: ResampleOptions) -> ChoiceTable {
        let questions = self.questions();
        let scores = |subset: Option<&str>, indices: &[usize]| {
            let of = |task, score: fn(&RowScore) -> Option<TaskScore>| {
                let found = |index: &usize| Some((*questions.get(*index)?, score(rows.get(*index)?)?));
                ChoiceFigure::of(task, &indices.iter().filter_map(found).collect::<Vec<_>>(), resamples)
            };
            ChoiceScores {
                subset: subset.map(str::to_owned),
                n_rows: indices.len(),
                mc1: of(Task::Mc1, |row| row.mc1),
                mc2: of(Task::Mc2, |row| row.mc2),
            }
        };
        let all = scores(None, &(0..rows.len()).collect::<Vec<_>>());
        let mut parts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            if let Some(subset) = row.subset() {
                parts.entry(subset).or_default().push(index);
            }
        }
        let subsets = parts.iter().map(|(subset, indices)| scores(Some(subset), indices)).collect();
        ChoiceTable { kind: self.kind, all, subsets, rows }
    }

    /// The number of each row's question; rows with the same conversation have the same.
    fn questions(&self) -> Vec<usize> {
        let mut known: HashMap<&[Turn], usize> = HashMap::new();
        let mut number = |prompt| {
            let next = known.len();
            *known.entry(prompt).or_insert(next)
        };
        self.rows.iter().map(|row| number(row.prompt())).collect()
    }
}
