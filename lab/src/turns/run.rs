//! Writes the corrections of all turns, from the first turn to the last.

use std::collections::BTreeMap;
use std::time::Instant;

use super::dialogue::{Dialogue, Place};
use crate::contest::Keep;
use crate::correct::{Asked, Corrected};
use crate::data::RowFault;
use crate::error::{Error, Result};
use crate::judge::record::AnswerRecord;
use crate::observer::Observer;
use crate::stacking::CorrectFn;

/// Which history an Aligner reads before the answer that it corrects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// The answers as they were.
    Original,
    /// Its own corrections of them.
    Corrected,
}

redline_model::named_enum! {
    "history", History { Original = "original", Corrected = "corrected" }
}

impl History {
    /// The name of the system that corrects with this history.
    pub fn system(self) -> String {
        format!("turns-{self}")
    }
}

/// Conversations, corrected turn by turn.
pub struct TurnRun<'a> {
    /// The conversations.
    pub dialogues: &'a [Dialogue],
    /// Where each row comes from.
    pub places: &'a [Place],
    /// What is read before an answer.
    pub history: History,
    /// The coefficient that the system is named with.
    pub coefficient: Option<f64>,
    /// Rows corrected together.
    pub batch_rows: usize,
    /// Writes the corrections.
    pub correct: CorrectFn<'a>,
}

/// What helps where nobody asks.
const NO_QUESTION: &str = "leave the conversation out";

/// Answers by row.
type Known = BTreeMap<usize, AnswerRecord>;

impl TurnRun<'_> {
    /// Corrects the answers that are not in `answers` yet, and hands each to `keep` as it comes; its question is the one with the original history. Where the
    /// corrected history is the original one, the answer of the other history is taken if it is there. A turn after one that has no
    /// correction has none either, which the observer is told.
    ///
    /// # Errors
    /// Whatever `correct`, `keep` or the observer returns, or a conversation without a question.
    pub fn answer(&mut self, answers: &[AnswerRecord], keep: Keep<'_>, observer: &mut dyn Observer) -> Result<()> {
        let stage = self.history.system();
        let mut own = self.of(answers, self.history);
        let others = self.of(answers, History::Original);
        let longest = self.dialogues.iter().map(Dialogue::n_answers).max().unwrap_or_default();
        let mut lost = Lost::default();
        for turn in 0..longest {
            let open = self.open(turn, &mut own, &others, &mut lost, keep)?;
            let mut done = 0;
            for part in open.chunks(self.batch_rows.max(1)) {
                self.correct_part(part, &mut own, &mut lost, keep)?;
                done += part.len();
                observer.progress(&format!("{stage}, turn {}", turn + 1), done, open.len())?;
            }
            observer.end(&stage);
        }
        lost.tell(&stage, observer);
        Ok(())
    }

    /// The answers of a turn that are to be corrected. Those whose history no correction has changed are taken from the other history.
    fn open(&self, turn: usize, own: &mut Known, others: &Known, lost: &mut Lost, keep: Keep<'_>) -> Result<Vec<Open>> {
        let is_open = |(row, place): &(usize, &Place)| place.turn == turn && !own.contains_key(row);
        let rows: Vec<(usize, Place)> =
            self.places.iter().enumerate().filter(is_open).map(|(row, place)| (row, *place)).collect();
        let mut open = Vec::new();
        for (row, place) in rows {
            let Some(asked) = self.asked(row, place, own)? else {
                lost.n_missing += 1;
                continue;
            };
            match others.get(&row).filter(|_| asked.is_original) {
                Some(twin) => {
                    let record = AnswerRecord { system: self.history.system(), ..twin.clone() };
                    own.insert(row, record.clone());
                    keep(record)?;
                }
                None => open.push(asked),
            }
        }
        Ok(open)
    }

    fn correct_part(&mut self, part: &[Open], own: &mut Known, lost: &mut Lost, keep: Keep<'_>) -> Result<()> {
        let dialogues = self.dialogues;
        let texts: Vec<Asked<'_>> = part.iter().map(|one| one.asked(dialogues)).collect();
        let started = Instant::now();
        let outcomes = (self.correct)(&texts)?;
        let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
        for (one, outcome) in part.iter().zip(outcomes) {
            match outcome {
                Ok(corrected) => {
                    lost.n_cut += usize::from(corrected.truncated);
                    let record = self.record(one, corrected, seconds)?;
                    own.insert(one.row, record.clone());
                    keep(record)?;
                }
                Err(why) => {
                    lost.n_missing += 1;
                    lost.reason.get_or_insert(why);
                }
            }
        }
        Ok(())
    }

    fn of(&self, answers: &[AnswerRecord], history: History) -> Known {
        let system = history.system();
        let is_own = |record: &&AnswerRecord| record.system == system && record.coefficient == self.coefficient;
        answers.iter().filter(is_own).map(|record| (record.row, record.clone())).collect()
    }

    /// What is asked about a row; none where an earlier turn has no correction.
    fn asked(&self, row: usize, place: Place, own: &Known) -> Result<Option<Open>> {
        let fault = |fault: RowFault| Error::option(format!("row {row}: {fault}"), NO_QUESTION);
        let Some(dialogue) = self.dialogues.get(place.dialogue) else { return Ok(None) };
        let original = dialogue.question(place.turn, &BTreeMap::new()).map_err(fault)?;
        if self.history == History::Original {
            return Ok(Some(Open { row, place, question: original, is_original: true }));
        }
        let mut corrected = BTreeMap::new();
        for turn in 0..place.turn {
            // rows of one conversation stand beside each other
            let Some(record) = own.get(&(row + turn - place.turn)) else { return Ok(None) };
            corrected.insert(turn, record.output.clone());
        }
        let question = dialogue.question(place.turn, &corrected).map_err(fault)?;
        Ok(Some(Open { row, place, is_original: question == original, question }))
    }

    fn record(&self, open: &Open, corrected: Corrected, seconds: f64) -> Result<AnswerRecord> {
        let dialogue = &self.dialogues[open.place.dialogue];
        let fault = |fault: RowFault| Error::option(format!("row {}: {fault}", open.row), NO_QUESTION);
        Ok(AnswerRecord {
            row: open.row,
            system: self.history.system(),
            coefficient: self.coefficient,
            question: dialogue.question(open.place.turn, &BTreeMap::new()).map_err(fault)?,
            answer: dialogue.answer(open.place.turn).to_owned(),
            output: corrected.text,
            n_tokens: Some(corrected.n_tokens),
            passes: 1,
            context: corrected.context,
            seconds,
            made_by: String::new(),
            is_unread: false,
        })
    }
}

/// What has no correction, or no whole one.
#[derive(Default)]
struct Lost {
    n_missing: usize,
    reason: Option<String>,
    n_cut: usize,
}

impl Lost {
    fn tell(&self, stage: &str, observer: &mut dyn Observer) {
        if self.n_cut > 0 {
            observer.note(&format!("{stage}: {} outputs were cut at the limit of tokens", self.n_cut));
        }
        if self.n_missing > 0 {
            let first = self.reason.as_ref().map_or_else(String::new, |reason| format!("; the first: {reason}"));
            let n = self.n_missing;
            observer.note(&format!("{stage}: {n} answers have no correction, or come after one that has none{first}"));
        }
    }
}

/// An answer that is to be corrected.
struct Open {
    row: usize,
    place: Place,
    question: String,
    /// Whether the question is the one with the original history.
    is_original: bool,
}

impl Open {
    fn asked<'q>(&'q self, dialogues: &'q [Dialogue]) -> Asked<'q> {
        let answer = dialogues.get(self.place.dialogue).map_or("", |dialogue| dialogue.answer(self.place.turn));
        Asked { row: self.row, question: &self.question, answer }
    }
}
