//! One row, whatever its shape: a question with, as far as there are, an answer and its correction.
//!
//! | what | fields, the first that is there |
//! |---|---|
//! | question | `question`; `messages`; `prompt`, text or messages; `instruction` with `input`, after the turns of `history`; the turns that `chosen` and `rejected` share |
//! | answer | `answer` with `correction`; `rejected`; `answer`, `completion`, `output`, `response`; the last message of `messages`, when it is the assistant's |
//! | correction | `correction` with `answer`; `chosen`; `correction` |
//!
//! Earlier turns stand before the question as a transcript, in the form of [`Conversation`](crate::conversation::Conversation).

use redline_model::qac::{Fields, Qac, Question, kind};
use serde_json::Value;

use super::left_out::RowFault;
use super::preference;
use super::turns::{self, Turn};

/// Fields that a row is written with.
const WRITTEN: [&str; 3] = ["question", "answer", "correction"];
/// Where answers stand.
const ANSWERS: [&str; 4] = ["answer", "completion", "output", "response"];

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowFormat {
    /// A question, an answer and its correction.
    Triple,
    /// A question with a preferred and a rejected answer, which are its correction and its answer.
    Preference,
    /// A question and an answer.
    QuestionAnswer,
    /// A question alone.
    Question,
}

/// A row of a data file.
#[derive(Debug, Clone)]
pub struct DataRow {
    /// The line it begins on.
    pub line: usize,
    /// What it holds.
    pub format: RowFormat,
    /// What an Aligner reads as the question: a single one as it is, several turns as a transcript that ends with the last question.
    pub question: String,
    /// The question and the turns before it as messages of OpenAI's chat API.
    pub messages: Value,
    /// The answer; of a preference pair the rejected one.
    pub answer: Option<String>,
    /// How it should be; of a preference pair the preferred answer.
    pub correction: Option<String>,
    /// All its fields, as read.
    pub fields: Fields,
    /// The fields that question, answer and correction were taken from.
    pub(super) used: Vec<&'static str>,
    /// Whether a `context` is no part of the question.
    pub(super) has_context_apart: bool,
    /// Whether some message is no part of the question.
    pub(super) has_messages_apart: bool,
}

impl DataRow {
    /// Finds out what the fields say.
    ///
    /// # Errors
    /// What of them is missing or of another type.
    pub fn read(line: usize, fields: Fields) -> Result<Self, RowFault> {
        let shape = match (fields.has("chosen"), fields.has("rejected")) {
            (true, true) => pair_or_triple(&fields)?,
            (has_chosen, has_rejected) => match answered(&fields)? {
                Some(shape) => shape,
                None if has_chosen => return Err(RowFault::MissingField { field: "rejected" }),
                None if has_rejected => return Err(RowFault::MissingField { field: "chosen" }),
                None => return Err(unknown(&fields)),
            },
        };
        let Shape { format, field, turns, messages, answer, correction, used, has_context_apart } = shape;
        let question = match turns.as_slice() {
            [Turn { role, text }] if role == "user" && !matches!(field, "messages" | "chosen") => text.clone(),
            turns => turns::question(field, turns)?,
        };
        let messages = messages.unwrap_or_else(|| turns::to_messages(&turns));
        let has_messages_apart = turns::has_apart(&turns);
        Ok(Self {
            line,
            format,
            question,
            messages,
            answer,
            correction,
            fields,
            used,
            has_context_apart,
            has_messages_apart,
        })
    }

    /// The row as it is written: question, answer and correction, with all fields that these were not taken from.
    pub fn written(&self) -> Fields {
        let texts = [Some(&self.question), self.answer.as_ref(), self.correction.as_ref()];
        let texts = WRITTEN.iter().zip(texts).filter_map(|(name, text)| Some((*name, text?)));
        let mut fields =
            if self.used.iter().all(|name| WRITTEN.contains(name)) { self.fields.clone() } else { Fields::default() };
        texts.for_each(|(name, text)| fields.put(name, text.as_str()));
        let mut others = self.fields.clone();
        others.retain(|name| !self.used.contains(&name) && !WRITTEN.contains(&name));
        fields.append(others);
        fields
    }

    /// The other fields of the row, but for those that are about its texts.
    pub fn others(&self) -> Fields {
        const ABOUT_TEXTS: [&str; 3] = ["flaws", "strictness", "clean"];
        let mut others = self.fields.clone();
        others.retain(|name| !self.used.contains(&name) && !WRITTEN.contains(&name) && !ABOUT_TEXTS.contains(&name));
        others
    }

    /// The row as a triple.
    pub fn triple(&self) -> Option<Qac> {
        let (answer, correction) = (self.answer.clone()?, self.correction.clone()?);
        Some(Qac { question: self.question.clone(), answer, correction })
    }

    /// What the row asks an Aligner for beside correcting: its `instruction`, where that is no part of the question.
    pub fn instruction(&self) -> Option<String> {
        let text = if self.used.contains(&"instruction") { None } else { self.fields.text("instruction") };
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty() && text != self.question.trim())
    }

    /// The question with an answer, flawed or not; of a preference pair it is the preferred one.
    pub fn answered(&self) -> Option<Question> {
        let answer = if self.format == RowFormat::Preference { &self.correction } else { &self.answer };
        Some(Question { question: self.question.clone(), answer: answer.clone()? })
    }

    /// Whether the row marks its only answer as a bad one: `label` or `is_safe` is false.
    pub fn is_bad(&self) -> bool {
        let is_false = |name: &str| matches!(self.fields.raw(name), Some("false" | "\"false\"" | "\"False\""));
        self.answer.is_some() && self.correction.is_none() && (is_false("label") || is_false("is_safe"))
    }

    /// Texts with the names of the fields they were or would be read from.
    pub(super) fn texts(&self) -> Vec<(&'static str, &str)> {
        let names = match self.format {
            RowFormat::Preference => ["question", "rejected", "chosen"],
            _ => WRITTEN,
        };
        let texts = [Some(&self.question), self.answer.as_ref(), self.correction.as_ref()];
        names.into_iter().zip(texts).filter_map(|(name, text)| Some((name, text?.as_str()))).collect()
    }
}

/// What the fields were found to say.
pub(super) struct Shape {
    pub format: RowFormat,
    /// Where the turns come from.
    pub field: &'static str,
    /// The turns up to and with the question.
    pub turns: Vec<Turn>,
    /// The messages as they are in the row.
    pub messages: Option<Value>,
    pub answer: Option<String>,
    pub correction: Option<String>,
    pub used: Vec<&'static str>,
    pub has_context_apart: bool,
}

/// A row with `chosen` and `rejected`. An answer and its correction beside them are what is meant, as in what `redline correct` makes of a pair;
/// one of the two alone contradicts the pair.
fn pair_or_triple(fields: &Fields) -> Result<Shape, RowFault> {
    match (fields.has("answer"), fields.has("correction")) {
        (false, false) => preference::shape(fields),
        (true, false) => Err(RowFault::TwoAnswers { field: "answer" }),
        (false, true) => Err(RowFault::TwoAnswers { field: "correction" }),
        (true, true) => match answered(fields)? {
            Some(shape) => Ok(shape),
            // the question is in the pair
            None => {
                let (answer, correction) = (Some(text(fields, "answer")?), Some(text(fields, "correction")?));
                Ok(Shape { format: RowFormat::Triple, answer, correction, ..preference::shape(fields)? })
            }
        },
    }
}

/// A row of a question and, as far as there are, an answer and a correction; none where nothing is asked.
fn answered(fields: &Fields) -> Result<Option<Shape>, RowFault> {
    let Some(Prompt { field, mut turns, mut used, messages }) = prompt(fields)? else { return Ok(None) };
    let mut answer = None;
    if let Some(field) = ANSWERS.into_iter().find(|field| fields.has(field)) {
        let mut answers = match field {
            "answer" => vec![Turn::user(text(fields, field)?)],
            _ => text_or_turns(fields, field)?,
        };
        answer = answers.pop().map(|turn| turn.text);
        turns.append(&mut answers);
        used.push(field);
    } else if field == "messages" && turns.last().is_some_and(|turn| turn.role == "assistant") {
        answer = turns.pop().map(|turn| turn.text);
    }
    let correction = fields.has("correction").then(|| text(fields, "correction")).transpose()?;
    if correction.is_some() {
        used.push("correction");
    }
    let format = match (&answer, &correction) {
        (Some(_), Some(_)) => RowFormat::Triple,
        (Some(_), None) => RowFormat::QuestionAnswer,
        (None, _) => RowFormat::Question,
    };
    let has_context_apart = fields.text("context").is_some_and(|text| !text.trim().is_empty());
    Ok(Some(Shape { format, field, turns, messages, answer, correction, used, has_context_apart }))
}

/// What is asked.
pub(super) struct Prompt {
    pub field: &'static str,
    pub turns: Vec<Turn>,
    pub used: Vec<&'static str>,
    /// The messages as they are in the row, where the last one asks.
    pub messages: Option<Value>,
}

/// The prompt that a row states by itself.
pub(super) fn prompt(fields: &Fields) -> Result<Option<Prompt>, RowFault> {
    let is_filled = |name: &str| fields.has(name) && fields.text(name).is_none_or(|text| !text.trim().is_empty());
    let by_itself = |field: &'static str, turns| Some(Prompt { field, turns, used: vec![field], messages: None });
    let is_preference = fields.has("chosen") && fields.has("rejected");
    if is_filled("question") {
        return Ok(by_itself("question", vec![Turn::user(text(fields, "question")?)]));
    }
    if fields.has("messages") && !is_preference {
        let value = value(fields, "messages")?;
        if !value.is_array() {
            return Err(RowFault::FieldType { field: "messages", expected: "a list of messages", got: kind(&value) });
        }
        let turns = turns::from_messages("messages", &value)?;
        let asks = turns.last().is_some_and(|turn| turn.role != "assistant");
        return Ok(Some(Prompt { field: "messages", turns, used: vec!["messages"], messages: asks.then_some(value) }));
    }
    if fields.has("prompt") {
        return Ok(by_itself("prompt", text_or_turns(fields, "prompt")?));
    }
    if is_filled("instruction") {
        let instruction = text(fields, "instruction")?;
        let input = if fields.has("input") { text(fields, "input")? } else { String::new() };
        let asked = if input.trim().is_empty() { instruction } else { format!("{instruction}\n\n{input}") };
        let mut turns = if fields.has("history") { history(fields)? } else { Vec::new() };
        turns.push(Turn::user(asked));
        let used = vec!["instruction", "input", "history"];
        return Ok(Some(Prompt { used, messages: None, field: "instruction", turns }));
    }
    // an empty question is one all the same, which a filter counts
    Ok(if fields.has("question") { by_itself("question", vec![Turn::user(text(fields, "question")?)]) } else { None })
}

/// The turns before an instruction: pairs of what the user and the assistant said.
fn history(fields: &Fields) -> Result<Vec<Turn>, RowFault> {
    const FIELD: &str = "history";
    let value = value(fields, FIELD)?;
    let wrong = || RowFault::FieldType { field: FIELD, expected: "a list of pairs of texts", got: kind(&value) };
    let mut turns = Vec::new();
    for pair in value.as_array().ok_or_else(wrong)? {
        match pair.as_array().map(Vec::as_slice) {
            Some([Value::String(asked), Value::String(answered)]) => {
                turns.push(Turn::user(asked.as_str()));
                turns.push(Turn { role: "assistant".into(), text: answered.clone() });
            }
            _ => return Err(wrong()),
        }
    }
    Ok(turns)
}

/// A text, a transcript that ends where the assistant is to answer, or messages. A text is a turn of the user.
pub(super) fn text_or_turns(fields: &Fields, field: &'static str) -> Result<Vec<Turn>, RowFault> {
    let turns = match value(fields, field)? {
        Value::String(text) => match turns::from_transcript(&text).as_deref() {
            Ok([asked @ .., last]) if !asked.is_empty() && last.role == "assistant" && last.text.is_empty() => {
                asked.to_vec()
            }
            _ => vec![Turn::user(text)],
        },
        messages @ (Value::Array(_) | Value::Object(_)) => turns::from_messages(field, &messages)?,
        other => return Err(RowFault::FieldType { field, expected: "text or messages", got: kind(&other) }),
    };
    match turns.is_empty() {
        true => Err(RowFault::EmptyField { field }),
        false => Ok(turns),
    }
}

/// The text of a field that must hold one.
pub(super) fn text(fields: &Fields, field: &'static str) -> Result<String, RowFault> {
    match value(fields, field)? {
        Value::String(text) => Ok(text),
        other => Err(RowFault::FieldType { field, expected: "text", got: kind(&other) }),
    }
}

/// The value of a field that must be there.
///
/// # Errors
/// [`RowFault::MissingField`], or [`RowFault::FieldValue`] where it is no JSON.
pub fn value(fields: &Fields, field: &'static str) -> Result<Value, RowFault> {
    let value = fields.value(field).ok_or(RowFault::MissingField { field })?;
    value.map_err(|error| {
        let text = error.to_string();
        let rule = text.split(" at line ").next().unwrap_or_default().to_owned();
        RowFault::FieldValue { field, rule }
    })
}

fn unknown(fields: &Fields) -> RowFault {
    let names: Vec<String> = fields.names().map(|name| format!("`{name}`")).collect();
    RowFault::UnknownKind { fields: if names.is_empty() { "none".to_owned() } else { names.join(", ") } }
}
