//! Edit ratios by turn.

use std::collections::BTreeMap;

use redline_probe::stats::MeanEstimate;
use redline_steer::{EditRatios, fit_line};
use serde::{Deserialize, Serialize};

use super::dialogue::Place;
use super::run::History;
use crate::error::{Error, Result};
use crate::judge::record::AnswerRecord;

const N_RESAMPLES: usize = 1000;
const SEED: u64 = 0;

/// One turn of all conversations that have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnLine {
    /// What was read before the answer.
    pub history: History,
    /// The coefficient; none for an Aligner without a vector.
    pub coefficient: Option<f64>,
    /// The turn, from 1.
    pub turn: usize,
    /// Edit ratio from the original answer of the turn: mean over conversations, with its interval over them.
    pub edit_ratio: MeanEstimate,
    /// Share of the answers that were left as they are.
    pub copied: f64,
}

/// The same turns of the same conversations under both histories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryDifference {
    /// The coefficient.
    pub coefficient: Option<f64>,
    /// The turn, from 1.
    pub turn: usize,
    /// Edit ratio with the corrected history less that with the original one.
    pub difference: MeanEstimate,
}

/// How the edit ratio changes from turn to turn within a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnSlope {
    /// What was read before the answers.
    pub history: History,
    /// The coefficient.
    pub coefficient: Option<f64>,
    /// Least-squares slope of the edit ratio by turn: mean over conversations of two turns or more, with its interval over them.
    pub slope: MeanEstimate,
}

/// Drift over turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// Conversations.
    pub n_dialogues: usize,
    /// Answers in them.
    pub n_answers: usize,
    /// Answers of the longest.
    pub longest: usize,
    /// By coefficient, history and turn. Later turns are those of longer conversations only: see `slopes` for what changes within one.
    pub lines: Vec<TurnLine>,
    /// By coefficient and turn.
    pub differences: Vec<HistoryDifference>,
    /// By coefficient and history; none where no conversation has two turns.
    pub slopes: Vec<TurnSlope>,
}

/// Edit ratio and copy of each place, of one history at one coefficient.
type Ratios = BTreeMap<(usize, usize), (f64, bool)>;

impl DriftReport {
    /// Measures the answers at these coefficients; `places` says where each row comes from.
    ///
    /// # Errors
    /// No conversation, or none with a second answer.
    pub fn measure(answers: &[AnswerRecord], places: &[Place], coefficients: &[Option<f64>]) -> Result<Self> {
        let longest = places.iter().map(|place| place.turn + 1).max().unwrap_or_default();
        if longest < 2 {
            return Err(Error::option(
                "no conversation has a second answer, so nothing can drift",
                "give rows with messages, or with chosen and rejected transcripts as in HH-RLHF",
            ));
        }
        let n_dialogues = places.iter().filter(|place| place.turn == 0).count();
        let mut report = Self {
            n_dialogues,
            n_answers: places.len(),
            longest,
            lines: Vec::new(),
            differences: Vec::new(),
            slopes: Vec::new(),
        };
        for &coefficient in coefficients {
            let both = History::ALL.map(|history| ratios(answers, places, history, coefficient));
            for (history, ratios) in History::ALL.into_iter().zip(&both) {
                report.add(history, coefficient, ratios)?;
            }
            let [original, corrected] = &both;
            for turn in 0..longest {
                let pairs = corrected.iter().filter(|((_, own), _)| *own == turn);
                let less = |(place, (ratio, _)): (&(usize, usize), &(f64, bool))| Some(ratio - original.get(place)?.0);
                if let Some(difference) = mean(&pairs.filter_map(less).collect::<Vec<_>>())? {
                    report.differences.push(HistoryDifference { coefficient, turn: turn + 1, difference });
                }
            }
        }
        Ok(report)
    }

    fn add(&mut self, history: History, coefficient: Option<f64>, ratios: &Ratios) -> Result<()> {
        for turn in 0..self.longest {
            let of_turn: Vec<(f64, bool)> =
                ratios.iter().filter(|((_, own), _)| *own == turn).map(|(_, found)| *found).collect();
            let n_copied = of_turn.iter().filter(|(_, is_copied)| *is_copied).count();
            if let Some(edit_ratio) = mean(&of_turn.iter().map(|(ratio, _)| *ratio).collect::<Vec<_>>())? {
                let copied = n_copied as f64 / of_turn.len() as f64;
                self.lines.push(TurnLine { history, coefficient, turn: turn + 1, edit_ratio, copied });
            }
        }
        let mut dialogues: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for ((dialogue, turn), (ratio, _)) in ratios {
            dialogues.entry(*dialogue).or_default().push((*turn as f64, *ratio));
        }
        let slopes: Vec<f64> = dialogues.values().filter_map(|points| slope(points)).collect();
        if let Some(slope) = mean(&slopes)? {
            self.slopes.push(TurnSlope { history, coefficient, slope });
        }
        Ok(())
    }
}

fn ratios(answers: &[AnswerRecord], places: &[Place], history: History, coefficient: Option<f64>) -> Ratios {
    let system = history.system();
    let is_own = |record: &&AnswerRecord| record.system == system && record.coefficient == coefficient;
    let of = |record: &AnswerRecord| {
        let place = places.get(record.row)?;
        let found = EditRatios::new(record.answer.trim(), record.output.trim());
        Some(((place.dialogue, place.turn), (found.char?, found.exact_copy)))
    };
    answers.iter().filter(is_own).filter_map(of).collect()
}

fn mean(values: &[f64]) -> Result<Option<MeanEstimate>> {
    Ok(MeanEstimate::of_any(values, N_RESAMPLES, SEED)?)
}

/// The slope of the line through points; none of fewer than two places.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    fit_line(&x, &y).ok().map(|line| line.slope)
}
