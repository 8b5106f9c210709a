//! A conversation as the answers in it, each with what came before.

use std::collections::BTreeMap;

use redline_model::Qac;

use crate::data::turns::{self, Turn};
use crate::data::{DataRow, RowFault};

/// A conversation whose answers are corrected one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    /// Turns of everybody, the last answer included.
    turns: Vec<Turn>,
    /// Where the answers stand among the turns.
    answers: Vec<usize>,
}

/// An answer of a conversation, of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The conversation, from 0.
    pub dialogue: usize,
    /// The answer in it, from 0.
    pub turn: usize,
}

impl Dialogue {
    /// The conversation of a row: its earlier turns and its answer, of a preference pair the rejected one. Answers without text are turns, but
    /// none that is corrected, and neither is one that nobody asked for.
    ///
    /// # Errors
    /// Messages that are none.
    pub fn of(row: &DataRow) -> Result<Self, RowFault> {
        let mut turns = turns::from_messages("messages", &row.messages)?;
        turns.extend(row.answer.iter().map(|answer| Turn { role: "assistant".into(), text: answer.clone() }));
        let is_answer = |at: &usize| {
            let turn = &turns[*at];
            let is_asked = turns[..*at].iter().any(|turn| turn.role == "user" && !turn.text.trim().is_empty());
            turn.role == "assistant" && !turn.text.trim().is_empty() && is_asked
        };
        let answers = (0..turns.len()).filter(is_answer).collect();
        Ok(Self { turns, answers })
    }

    /// How many answers it has.
    pub fn n_answers(&self) -> usize {
        self.answers.len()
    }

    /// An answer, as it was.
    pub fn answer(&self, turn: usize) -> &str {
        self.answers.get(turn).map_or("", |at| &self.turns[*at].text)
    }

    /// What an Aligner reads as the question of an answer, earlier answers in the words of `corrected` where that has them.
    ///
    /// # Errors
    /// Nobody asked anything.
    pub fn question(&self, turn: usize, corrected: &BTreeMap<usize, String>) -> Result<String, RowFault> {
        let end = self.answers.get(turn).copied().unwrap_or_default();
        let mut before = self.turns[..end].to_vec();
        for (answer, at) in self.answers.iter().enumerate().take(turn) {
            if let Some(text) = corrected.get(&answer) {
                before[*at].text.clone_from(text);
            }
        }
        turns::question("messages", &before)
    }
}

/// All answers of all conversations as rows, with the question that stands before them, and where each comes from.
///
/// # Errors
/// As [`Dialogue::question`].
pub fn as_rows(dialogues: &[Dialogue]) -> Result<(Vec<Qac>, Vec<Place>), RowFault> {
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for (number, dialogue) in dialogues.iter().enumerate() {
        for turn in 0..dialogue.n_answers() {
            let question = dialogue.question(turn, &BTreeMap::new())?;
            rows.push(Qac { question, answer: dialogue.answer(turn).to_owned(), correction: String::new() });
            places.push(Place { dialogue: number, turn });
        }
    }
    Ok((rows, places))
}
