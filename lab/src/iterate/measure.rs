//! What held-out answers are worth.

use std::collections::BTreeSet;
use std::path::Path;

use redline_probe::stats::{MeanEstimate, SignTest, mean};
use redline_steer::EditRatios;
use serde::{Deserialize, Serialize};

use super::corrected::{CorrectedRow, references};
use super::options::IterateOptions;
use crate::data::corrupt::{CorruptOptions, Corruptor, FlawKind};
use crate::data::filters::{REFUSALS, begins_with_any};
use crate::error::Result;
use crate::judge::Dimension;
use crate::judge::local::Score;
use crate::observer::Observer;

/// Resamples of an interval.
const N_RESAMPLES: usize = 1000;
/// Seed of resamples.
const SEED: u64 = 0;

/// Scores of texts, row by row; none where an instrument cannot tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Scores {
    pub harmless: Vec<Option<f64>>,
    pub helpful: Vec<Option<f64>>,
}

/// A paired difference to the answers of the start, over the same questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Mean difference with its interval.
    pub mean: MeanEstimate,
    /// Whether more rows rise than fall.
    pub sign_test: SignTest,
}

impl Change {
    /// Of two columns of scores; none where no row has both.
    pub(super) fn of(before: &[Option<f64>], after: &[Option<f64>]) -> Result<Option<Self>> {
        let differences: Vec<f64> =
            before.iter().zip(after).filter_map(|(before, after)| Some((*after)? - (*before)?)).collect();
        match differences.is_empty() {
            true => Ok(None),
            false => {
                let mean = MeanEstimate::of(&differences, N_RESAMPLES, SEED)?;
                Ok(Some(Self { mean, sign_test: SignTest::of(&differences)? }))
            }
        }
    }
}

/// What the Aligner does to the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignerUse {
    /// How harmless the corrections are.
    pub harmless: Option<MeanEstimate>,
    /// How helpful the corrections are.
    pub helpful: Option<MeanEstimate>,
    /// Share of answers that it leaves exactly as they are.
    pub exact_copy_share: Option<f64>,
    /// Mean edit ratio.
    pub edit_ratio: Option<f64>,
}

/// What answers to the held-out questions are worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Questions.
    pub n: usize,
    /// Of these, those without an answer, which are judged as empty texts.
    pub n_unanswered: usize,
    /// How harmless the answers are.
    pub harmless: Option<MeanEstimate>,
    /// How helpful they are.
    pub helpful: Option<MeanEstimate>,
    /// Against the start, question by question; none of the start itself.
    pub harmless_change: Option<Change>,
    /// The same for helpful.
    pub helpful_change: Option<Change>,
    /// The same answers after the Aligner.
    pub with_aligner: AlignerUse,
    /// Characters of an answer.
    pub length: Option<MeanEstimate>,
    /// Share of answers that refuse, by the usual words and by known rude refusals: a lower bound.
    pub refusal_share: Option<f64>,
    /// Share of different words among all words of all answers.
    pub distinct_1: Option<f64>,
    /// Share of different pairs of words.
    pub distinct_2: Option<f64>,
    /// Share of answers that the length limit cut.
    pub cut_share: Option<f64>,
    /// Scores of each answer.
    pub(super) answers: Scores,
    /// Scores of each correction.
    pub(super) corrections: Scores,
}

impl Measured {
    /// Measures the rows of a file, against the scores of the start where there are some.
    pub(super) fn of(
        path: &Path,
        start: Option<&Scores>,
        options: &IterateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let rows = CorrectedRow::read(path)?;
        let references = references(&rows);
        let mut scorers = [
            (options.harmless_by.open(&references)?, Dimension::Harmless),
            (options.helpful_by.open(&references)?, Dimension::Helpful),
        ];
        let (mut answers, mut corrections) = (Scores::default(), Scores::default());
        for (number, row) in rows.iter().enumerate() {
            let corrected = row.correction.as_deref().unwrap_or(&row.answer);
            for (scores, text) in [(&mut answers, row.answer.as_str()), (&mut corrections, corrected)] {
                let [harmless, helpful] = both(&mut scorers, number, &row.question, text)?;
                scores.harmless.push(harmless);
                scores.helpful.push(helpful);
            }
            observer.progress("scoring", number + 1, rows.len())?;
        }
        observer.end("scoring");
        let change = |column: fn(&Scores) -> &[Option<f64>]| match start {
            None => Ok(None),
            Some(start) => Change::of(column(start), column(&answers)),
        };
        let (harmless_change, helpful_change) = (change(|all| &all.harmless)?, change(|all| &all.helpful)?);
        let texts: Vec<&str> = rows.iter().map(|row| row.answer.trim()).collect();
        let lengths: Vec<f64> = texts.iter().map(|text| text.chars().count() as f64).collect();
        Ok(Self {
            n: rows.len(),
            n_unanswered: texts.iter().filter(|text| text.is_empty()).count(),
            harmless: estimate(&answers.harmless)?,
            helpful: estimate(&answers.helpful)?,
            harmless_change,
            helpful_change,
            with_aligner: aligner_use(&rows, &corrections)?,
            length: estimate(&lengths.into_iter().map(Some).collect::<Vec<_>>())?,
            refusal_share: refusal_share(&texts)?,
            distinct_1: distinct(&texts, 1),
            distinct_2: distinct(&texts, 2),
            cut_share: mean(rows.iter().map(|row| f64::from(u8::from(row.is_answer_cut())))),
            answers,
            corrections,
        })
    }
}

fn both(
    scorers: &mut [(Box<dyn Score>, Dimension); 2],
    row: usize,
    question: &str,
    text: &str,
) -> Result<[Option<f64>; 2]> {
    let mut found = [None; 2];
    for ((scorer, dimension), found) in scorers.iter_mut().zip(&mut found) {
        *found = scorer.score(row, question, text.trim(), *dimension)?.filter(|score| score.is_finite());
    }
    Ok(found)
}

/// The mean of what is known; none where nothing is.
pub(super) fn estimate(values: &[Option<f64>]) -> Result<Option<MeanEstimate>> {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    Ok(MeanEstimate::of_any(&known, N_RESAMPLES, SEED)?)
}

fn aligner_use(rows: &[CorrectedRow], corrections: &Scores) -> Result<AlignerUse> {
    let ratio = |row: &CorrectedRow| {
        Some(EditRatios::new(row.answer.trim(), row.correction.as_deref().filter(|_| row.error.is_none())?.trim()))
    };
    let ratios: Vec<EditRatios> = rows.iter().filter_map(ratio).collect();
    Ok(AlignerUse {
        harmless: estimate(&corrections.harmless)?,
        helpful: estimate(&corrections.helpful)?,
        exact_copy_share: mean(ratios.iter().map(|ratios| f64::from(u8::from(ratios.exact_copy)))),
        edit_ratio: mean(ratios.iter().filter_map(|ratios| ratios.char)),
    })
}

fn refusal_share(texts: &[&str]) -> Result<Option<f64>> {
    let corruptor = Corruptor::new(CorruptOptions::default())?;
    let refuses = |text: &&str| {
        begins_with_any(text, &REFUSALS) || corruptor.flaws_in(text).kinds.contains(&FlawKind::RudeRefusal)
    };
    Ok(mean(texts.iter().map(|text| f64::from(u8::from(refuses(text))))))
}

/// Share of different runs of `n` words among all.
fn distinct(texts: &[&str], n: usize) -> Option<f64> {
    let (mut all, mut different) = (0_usize, BTreeSet::new());
    for text in texts {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        for run in words.windows(n) {
            all += 1;
            different.insert(run.to_vec());
        }
    }
    (all > 0).then(|| different.len() as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_runs_are_counted_over_all_texts() {
        assert_eq!(distinct(&["a b a", "A b"], 1), Some(0.4));
        assert_eq!(distinct(&["a b a", "a b"], 2), Some(2.0 / 3.0));
        assert_eq!(distinct(&["a"], 2), None);
    }

    #[test]
    fn changes_are_paired_and_rows_without_a_score_are_left_out() {
        let before = [Some(0.0), Some(1.0), None, Some(2.0)];
        let after = [Some(1.0), Some(1.0), Some(9.0), None];
        let change = Change::of(&before, &after).unwrap().unwrap();
        assert_eq!((change.mean.value, change.mean.n, change.sign_test.n_positive), (0.5, 2, 1));
        assert_eq!(Change::of(&[None], &[Some(1.0)]).unwrap(), None);
    }
}
