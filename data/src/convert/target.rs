//! Plain rows as rows of another kind. All other fields are kept under their names, with two exceptions: one whose name the new row needs,
//! and one that would make the row be read as something else, are kept as `source_` and their name.

use redline_model::qac::Fields;
use serde_json::Value;

use super::fault::ConvertFault;
use super::format::Target;
use super::loose::truth;
use super::plain::{said, set_aside};
use crate::left_out::RowFault;
use crate::row::{DataRow, RowFormat};
use crate::turns;

/// The rows that a plain row becomes: one, but two where a pair becomes unpaired.
pub(super) fn rows(row: &DataRow, target: Target) -> Result<Vec<Fields>, RowFault> {
    check_texts(row, target)?;
    if matches!(target, Target::Triples | Target::Preferences) {
        check_pair(&row.fields)?;
    }
    match target {
        Target::Questions => Ok(vec![finished(row, target, |made| made.put("question", row.question.as_str()))]),
        Target::Answers => {
            let answer = good_answer(row)?;
            Ok(vec![finished(row, target, |made| {
                made.put("question", row.question.as_str());
                made.put("answer", answer);
            })])
        }
        Target::Triples => {
            let (answer, correction) = both(row, target)?;
            Ok(vec![finished(row, target, |made| {
                made.put("question", row.question.as_str());
                made.put("answer", answer);
                made.put("correction", correction);
            })])
        }
        Target::Preferences => {
            let (rejected, chosen) = both(row, target)?;
            Ok(vec![finished(row, target, |made| {
                made.put("prompt", prompt(row));
                made.put("chosen", said("assistant", chosen));
                made.put("rejected", said("assistant", rejected));
            })])
        }
        Target::Unpaired => unpaired(row),
    }
}

/// One half of a preference pair without the other is named as what it is.
fn check_pair(fields: &Fields) -> Result<(), RowFault> {
    match (fields.has("chosen"), fields.has("rejected")) {
        (true, false) => Err(RowFault::MissingField { field: "rejected" }),
        (false, true) => Err(RowFault::MissingField { field: "chosen" }),
        _ => Ok(()),
    }
}

/// A text that the new row needs must be there.
fn check_texts(row: &DataRow, target: Target) -> Result<(), RowFault> {
    let n_needed = if target == Target::Questions { 1 } else { 3 };
    let only_good = target == Target::Answers && row.correction.is_some();
    let needed = row.texts().into_iter().take(n_needed).enumerate();
    let mut needed = needed.filter(|(at, _)| !only_good || *at != 1).map(|(_, text)| text);
    match needed.find(|(_, text)| text.trim().is_empty()) {
        Some((field, _)) => Err(RowFault::EmptyField { field }),
        None => Ok(()),
    }
}

/// The answer to learn from: the preferred one, the correction, or the only one where it is not called a bad one.
fn good_answer(row: &DataRow) -> Result<&str, RowFault> {
    match (row.format, &row.correction, &row.answer) {
        (RowFormat::Triple | RowFormat::Preference, Some(good), _) => Ok(good),
        (_, _, Some(answer)) => match label(row)? {
            Some(false) => Err(RowFault::BadAnswer),
            _ => Ok(answer),
        },
        _ => Err(RowFault::MissingField { field: "answer" }),
    }
}

/// The worse and the better answer. A triple may be a copy; a pair of equal answers says nothing.
fn both(row: &DataRow, target: Target) -> Result<(&str, &str), RowFault> {
    let (Some(worse), Some(better)) = (&row.answer, &row.correction) else {
        return Err(RowFault::MissingField { field: "correction" });
    };
    let is_copy_allowed = row.format == RowFormat::Triple && target == Target::Triples;
    match worse.trim() == better.trim() && !is_copy_allowed {
        true => Err(ConvertFault::EqualTexts.into()),
        false => Ok((worse, better)),
    }
}

/// What the row says of its completion.
fn label(row: &DataRow) -> Result<Option<bool>, RowFault> {
    let is_labelled = row.used.contains(&"completion") && row.fields.has("label");
    is_labelled.then(|| truth(&row.fields, "label")).transpose()
}

fn unpaired(row: &DataRow) -> Result<Vec<Fields>, RowFault> {
    let one = |completion: &str, label: bool| {
        finished(row, Target::Unpaired, |made| {
            made.put("prompt", prompt(row));
            made.put("completion", said("assistant", completion));
            made.put("label", label);
        })
    };
    match (&row.answer, &row.correction) {
        (Some(_), Some(_)) => {
            let (worse, better) = both(row, Target::Unpaired)?;
            Ok(vec![one(better, true), one(worse, false)])
        }
        (Some(answer), None) => Ok(vec![one(answer, label(row)?.ok_or(ConvertFault::NoLabel)?)]),
        _ => Err(RowFault::MissingField { field: "answer" }),
    }
}

/// The question as messages: those that stand beside it where they say the same, as the rows of this module keep them.
fn prompt(row: &DataRow) -> Value {
    kept_messages(row).unwrap_or_else(|| row.messages.clone())
}

fn kept_messages(row: &DataRow) -> Option<Value> {
    if row.used.contains(&"messages") {
        return None;
    }
    let messages = row.fields.value("messages")?.ok().filter(Value::is_array)?;
    let turns = turns::from_messages("messages", &messages).ok()?;
    let is_same = turns.last()?.role != "assistant" && turns::question("messages", &turns).ok()? == row.question;
    is_same.then_some(messages)
}

/// Whether the question says less than the messages it was made of.
fn has_turns(messages: &Value) -> bool {
    messages.as_array().is_some_and(|messages| messages.len() != 1 || messages[0]["role"] != "user")
}

/// The new fields, the messages where the question is a transcript, and all other fields.
fn finished(row: &DataRow, target: Target, fill: impl FnOnce(&mut Fields)) -> Fields {
    let mut made = Fields::default();
    fill(&mut made);
    let kept = kept_messages(row);
    let in_question = target.fields().contains(&"question");
    if in_question && kept.is_none() && has_turns(&row.messages) {
        made.put("messages", row.messages.clone());
    }
    let mut others = row.fields.clone();
    let is_used = |name: &str| match name {
        "answer" | "correction" if row.format == RowFormat::Triple => true,
        "label" => target == Target::Unpaired && row.used.contains(&"completion"),
        // they are the prompt now
        "messages" => row.used.contains(&"messages") || (kept.is_some() && !in_question),
        name => row.used.contains(&name),
    };
    others.retain(|name| !is_used(name));
    let names: Vec<String> = others.names().map(str::to_owned).collect();
    for name in names {
        if made.raw(&name).is_some() || target.misleading().contains(&name.as_str()) {
            set_aside(&mut others, &name, &made);
        }
    }
    made.append(others);
    made
}
