//! Preference pairs: `chosen` and `rejected` as texts, transcripts or messages, with the prompt beside them or within.

use redline_model::qac::{Fields, kind};
use serde_json::Value;

use super::left_out::RowFault;
use super::row::{self, Prompt, RowFormat, Shape};
use super::turns::{self, Turn, begins_with};

/// A preferred or rejected answer as it stands in a row.
enum Side {
    Text(String),
    Turns(Vec<Turn>),
}

/// What a row with `chosen` and `rejected` says.
pub(super) fn shape(fields: &Fields) -> Result<Shape, RowFault> {
    let prompt = row::prompt(fields)?;
    let (chosen, rejected) = match (side(fields, "chosen")?, side(fields, "rejected")?) {
        (Side::Text(chosen), Side::Text(rejected)) => match prompt {
            Some(prompt) => return texts(fields, prompt, chosen, rejected),
            None => (transcript(&chosen)?, transcript(&rejected)?),
        },
        (Side::Turns(chosen), Side::Turns(rejected)) => (chosen, rejected),
        (Side::Text(_), Side::Turns(_)) => return Err(other_than_chosen("text", "messages")),
        (Side::Turns(_), Side::Text(_)) => return Err(other_than_chosen("messages", "text")),
    };
    let (shared, chosen) = last_answer("chosen", chosen)?;
    let (other, rejected) = last_answer("rejected", rejected)?;
    if shared.len() != other.len() || !begins_with(&shared, &other) {
        return Err(RowFault::DifferEarly);
    }
    let (field, turns, mut used) = match prompt {
        // messages of the answers often begin with the prompt
        Some(Prompt { turns, used, .. }) if holds(&shared, &turns) => ("chosen", shared, used),
        Some(Prompt { field, turns, used, .. }) => (field, [turns, shared].concat(), used),
        None => ("chosen", shared, Vec::new()),
    };
    used.extend(["chosen", "rejected"]);
    let (turns, has_context_apart) = with_context(fields, turns, &mut used)?;
    Ok(preference(field, turns, chosen, rejected, used, has_context_apart))
}

/// Two texts that answer a prompt.
fn texts(fields: &Fields, prompt: Prompt, chosen: String, rejected: String) -> Result<Shape, RowFault> {
    let Prompt { field, turns, mut used, .. } = prompt;
    used.extend(["chosen", "rejected"]);
    // some files repeat the prompt in each answer
    let repeated = fields.text(field).filter(|prompt| {
        !prompt.trim().is_empty() && chosen.starts_with(prompt.as_str()) && rejected.starts_with(prompt.as_str())
    });
    let without = |text: String| match &repeated {
        Some(prompt) => text[prompt.len()..].trim_start().to_owned(),
        None => text,
    };
    let (turns, has_context_apart) = with_context(fields, turns, &mut used)?;
    Ok(preference(field, turns, without(chosen), without(rejected), used, has_context_apart))
}

fn preference(
    field: &'static str,
    turns: Vec<Turn>,
    chosen: String,
    rejected: String,
    used: Vec<&'static str>,
    has_context_apart: bool,
) -> Shape {
    let (answer, correction) = (Some(rejected), Some(chosen));
    Shape { format: RowFormat::Preference, field, turns, messages: None, answer, correction, used, has_context_apart }
}

fn other_than_chosen(expected: &'static str, got: &'static str) -> RowFault {
    let expected = if expected == "text" { "text as `chosen` is" } else { "messages as `chosen` is" };
    RowFault::FieldType { field: "rejected", expected, got }
}

fn side(fields: &Fields, field: &'static str) -> Result<Side, RowFault> {
    match row::value(fields, field)? {
        Value::String(text) => Ok(Side::Text(text)),
        messages @ (Value::Array(_) | Value::Object(_)) => match turns::from_messages(field, &messages)? {
            turns if turns.is_empty() => Err(RowFault::EmptyField { field }),
            turns => Ok(Side::Turns(turns)),
        },
        other => Err(RowFault::FieldType { field, expected: "text or messages", got: kind(&other) }),
    }
}

fn transcript(text: &str) -> Result<Vec<Turn>, RowFault> {
    let turns = turns::from_transcript(text).map_err(|rule| RowFault::Dialogue { rule })?;
    match turns.iter().any(|turn| turn.role == "user") {
        true => Ok(turns),
        false => Err(RowFault::Dialogue { rule: "no turn begins with `Human:`" }),
    }
}

/// The turns before the last answer, and that answer.
fn last_answer(field: &'static str, mut turns: Vec<Turn>) -> Result<(Vec<Turn>, String), RowFault> {
    match turns.pop() {
        Some(last) if last.role == "assistant" => Ok((turns, last.text)),
        _ => {
            let rule = "is the last, but not the assistant's".to_owned();
            Err(RowFault::Message { field, index: turns.len(), rule })
        }
    }
}

/// Whether all of some turns are among others.
fn holds(turns: &[Turn], others: &[Turn]) -> bool {
    others
        .iter()
        .all(|other| turns.iter().any(|turn| begins_with(std::slice::from_ref(turn), std::slice::from_ref(other))))
}

/// Puts the turns of a `context` before the question; says whether there is one that is no turns.
fn with_context(
    fields: &Fields,
    turns: Vec<Turn>,
    used: &mut Vec<&'static str>,
) -> Result<(Vec<Turn>, bool), RowFault> {
    if !fields.has("context") {
        return Ok((turns, false));
    }
    let mut before = match row::value(fields, "context")? {
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        Value::String(text) => match turns::from_transcript(&text) {
            Ok(before) => before,
            Err(_) => return Ok((turns, true)),
        },
        messages @ Value::Array(_) => turns::from_messages("context", &messages)?,
        other => return Err(RowFault::FieldType { field: "context", expected: "text or messages", got: kind(&other) }),
    };
    used.push("context");
    // a context may go up to and with the question
    before.pop_if(|last| {
        turns.first().is_some_and(|first| begins_with(std::slice::from_ref(last), std::slice::from_ref(first)))
    });
    before.extend(turns);
    Ok((before, false))
}
