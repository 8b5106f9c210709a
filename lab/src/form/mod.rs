//! The form of an answer: which parts of it are prose, which the Aligner corrects, and which keep their meaning only as
//! they are. Joined again, what is not prose is the same as before.

mod apart;
mod blocks;
mod elements;
mod json_string;
mod json_text;
mod lines;
mod prose;
mod reasoning;
mod schema;
mod sentence;
mod spans;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use regex::Regex;

use self::blocks::{Block, JSON, blocks};
use self::json_text::{JsonText, each_text, is_document};
use self::reasoning::Part;
use self::sentence::says_something;
use crate::raw::decoded;

pub use self::apart::{Apart, Joined, PartCorrection};
pub use self::prose::{Prose, PutBack};
pub use self::schema::Bound;
pub use self::sentence::is_sentence;

/// Most parts of one answer that are corrected one by one.
pub const MOST_PROSE: usize = 64;

/// Longest answer that is taken apart, in bytes: reading one can take sixty times its memory.
pub const MOST_ANSWER_BYTES: usize = 1 << 20;

/// What documents are called that stand, escaped, in texts of others.
const JSON_IN_JSON: &str = "JSON in a text of JSON";

/// The form that a request asks the answer to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Form {
    /// Any.
    #[default]
    Free,
    /// A JSON document, with what its schema binds.
    Json(Bound),
    /// Another one, which no correction could keep; what binds it.
    Other(String),
}

/// What happens to reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasoning {
    /// It does not reach the client.
    Drop,
    /// It reaches the client as it is; the Aligner does not see it.
    Keep,
}

/// A part of an answer, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// It stays as it is.
    Kept(String),
    /// It is corrected.
    Prose(Prose),
}

/// An answer taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Its parts, in order.
    pub pieces: Vec<Piece>,
    /// The answer without what is left out.
    pub answer: String,
    /// What stays as it is, by its kinds.
    pub kept: BTreeSet<&'static str>,
    /// Whether reasoning was left out.
    pub drops_reasoning: bool,
    /// Whether documents are in it, which are whole only as a whole.
    pub has_json: bool,
    /// Whether all of it is one document.
    pub is_json: bool,
    n_prose: usize,
}

/// Why an answer cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The request binds it to JSON.
    #[error("the request asks for JSON, and the upstream model's answer is none, or was cut off")]
    NoJson,
    /// It is too long to be taken apart.
    #[error("the answer has more than {MOST_ANSWER_BYTES} bytes, no longer one is taken apart")]
    TooLong,
    /// It has too many parts.
    #[error("the answer has more than {MOST_PROSE} parts of prose, no more are corrected")]
    TooMany,
}

impl Plan {
    /// Takes an answer apart.
    pub fn of(answer: &str, form: &Form, reasoning: Reasoning) -> Result<Self, PlanError> {
        if answer.len() > MOST_ANSWER_BYTES && !matches!(form, Form::Other(_)) {
            return Err(PlanError::TooLong);
        }
        let mut plan = Self::default();
        let (mut n_answers, mut n_whole) = (0, 0);
        for part in reasoning::parts(answer) {
            match part {
                Part::Reasoning(_) if reasoning == Reasoning::Drop => plan.drops_reasoning = true,
                Part::Reasoning(text) => {
                    n_answers += 1;
                    plan.keep(text, "reasoning");
                }
                Part::Answer(text) if text.trim().is_empty() => plan.push_kept(text),
                Part::Answer(text) => {
                    n_answers += 1;
                    n_whole += usize::from(plan.answer(text, form)?);
                }
            }
        }
        if matches!(form, Form::Json(_)) && n_answers > 0 && !plan.has_json {
            return Err(PlanError::NoJson);
        }
        plan.is_json = (n_answers, n_whole) == (1, 1);
        plan.answer = plan.text();
        Ok(plan)
    }

    /// An answer of which nothing is corrected.
    pub fn unchanged(answer: &str, reasoning: Reasoning) -> Self {
        // a bound form stays as it is, and holds no parts
        Self::of(answer, &Form::Other("unchanged".into()), reasoning).unwrap_or_default()
    }

    /// How many parts are corrected.
    pub fn n_prose(&self) -> usize {
        self.n_prose
    }

    /// Whether there is only one part, with nothing but white space around it.
    pub fn is_one(&self) -> bool {
        let is_blank = |piece: &Piece| matches!(piece, Piece::Kept(text) if text.trim().is_empty());
        self.n_prose == 1 && self.pieces.iter().filter(|piece| !is_blank(piece)).count() == 1
    }

    fn text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Kept(text) => text.clone(),
            Piece::Prose(prose) => prose.source.clone(),
        };
        self.pieces.iter().map(text).collect()
    }

    /// An answer without reasoning; whether it is one JSON document.
    fn answer(&mut self, text: &str, form: &Form) -> Result<bool, PlanError> {
        let free = Bound::default();
        let (bound, is_bound) = match form {
            Form::Other(_) => {
                self.keep(text, "bound");
                return Ok(false);
            }
            Form::Json(bound) => (bound, true),
            Form::Free => (&free, false),
        };
        if is_document(text, is_bound) {
            self.json(text, bound)?;
            return Ok(true);
        }
        for block in blocks(text) {
            match block {
                Block::Json(text) => self.json(text, bound)?,
                Block::Kept(code, "code") if is_bound => self.fenced(code, bound)?,
                Block::Kept(text, kind) => self.keep(text, kind),
                Block::Prose(text) => self.prose(text, text, false)?,
            }
        }
        Ok(false)
    }

    /// Code that is JSON between fences, as some models write what they were asked to write without them.
    fn fenced(&mut self, code: &str, bound: &Bound) -> Result<(), PlanError> {
        let start = code.find('\n').map_or(code.len(), |end| end + 1);
        let end = code.trim_end().rfind('\n').filter(|end| *end >= start).unwrap_or(start);
        if !is_document(&code[start..end], true) {
            self.keep(code, "code");
            return Ok(());
        }
        self.push_kept(&code[..start]);
        self.json(&code[start..end], bound)?;
        self.push_kept(&code[end..]);
        Ok(())
    }

    /// A JSON document, whose sentences are corrected.
    fn json(&mut self, document: &str, bound: &Bound) -> Result<(), PlanError> {
        self.kept.insert(JSON);
        self.has_json = true;
        let mut at = 0;
        let broken = each_text(document, |found| {
            self.push_kept(&document[at..found.place.start]);
            at = found.place.end;
            match self.json_string(document, &found, bound) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        });
        if let ControlFlow::Break(error) = broken {
            return Err(error);
        }
        self.push_kept(&document[at..]);
        Ok(())
    }

    /// A string of a document: a sentence, or a text with sentences in it, is corrected.
    fn json_string(&mut self, document: &str, found: &JsonText, bound: &Bound) -> Result<(), PlanError> {
        let source = &document[found.place.clone()];
        let said = decoded(source).filter(|text| is_sentence(text));
        let Some(said) =
            said.filter(|text| !bound.holds(found.field(document, bound.longest_field()).as_deref(), text))
        else {
            self.push_kept(source);
            return Ok(());
        };
        if is_document(&said, false) {
            self.keep(source, JSON_IN_JSON);
            return Ok(());
        }
        let blocks = blocks(&said);
        let end = |end: &mut usize, block: &Block<'_>| {
            *end += block.text().len();
            Some(*end)
        };
        let ends: Vec<usize> = blocks.iter().scan(0, end).collect();
        let inner = &source[1..source.len() - 1];
        self.push_kept("\"");
        let mut from = 0;
        for (block, end) in blocks.iter().zip(json_string::places(inner, &ends)) {
            let part = &inner[from..end];
            from = end;
            match block {
                Block::Prose(text) => self.prose(text, part, true)?,
                Block::Kept(_, kind) => self.keep(part, kind),
                Block::Json(_) => self.keep(part, JSON_IN_JSON),
            }
        }
        self.push_kept("\"");
        Ok(())
    }

    fn keep(&mut self, text: &str, kind: &'static str) {
        self.kept.insert(kind);
        self.push_kept(text);
    }

    fn push_kept(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Kept(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Kept(text.into())),
        }
    }

    /// Sentences, and how they stand in the answer; white space around them stays.
    fn prose(&mut self, text: &str, source: &str, is_json: bool) -> Result<(), PlanError> {
        if !says_something(text) {
            self.push_kept(source);
            return Ok(());
        }
        self.n_prose += 1;
        if self.n_prose > MOST_PROSE {
            return Err(PlanError::TooMany);
        }
        let ends = [text.len() - text.trim_start().len(), text.trim_end().len()];
        let places = if is_json { json_string::places(source, &ends) } else { ends.to_vec() };
        let (start, end) = (places[0], places[1]);
        self.push_kept(&source[..start]);
        let (text, inner) = (text.trim().to_owned(), source[start..end].to_owned());
        self.pieces.push(Piece::Prose(Prose { text, source: inner, is_json }));
        self.push_kept(&source[end..]);
        Ok(())
    }
}

/// A pattern of this program's own, which a test uses.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

#[cfg(test)]
mod tests;
