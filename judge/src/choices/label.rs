//! Rows of JSON files: which of their fields hold question, choices and labels.
//!
//! | kind | fields |
//! |---|---|
//! | TruthfulQA (`mc_task.json`, and its forms elsewhere) | `question`; `mc1_targets` and `mc2_targets`, or `mc1` and `mc2` |
//! | better and worse answers | `input` and `target_scores` (BIG-bench) or `targets`; `question`, `chosen` and `rejected` |
//! | labelled choices | `question` and `choices`, with `labels` (0, 1) or `answer` (an index from 0) |
//!
//! Labels are a map from text to 0 or 1, or an object with the lists `choices` and `labels`. The part of the data stands in `subset`,
//! `aspect` or `category`.

use serde_json::Value;

use super::fault::ChoiceFault;
use super::prompt::{Turn, turns};
use super::row::{ChoiceKind, ChoiceRow, LabelledText};
use redline_model::qac::{Fields, LineFault, kind};

/// Names of the labels of MC1 and MC2, each pair used together or alone.
const MC1: [&str; 2] = ["mc1_targets", "mc1"];
const MC2: [&str; 2] = ["mc2_targets", "mc2"];
/// Names of labels beside `input`.
const SCORES: [&str; 2] = ["target_scores", "targets"];
/// Names of the part of the data, the first that is there counts.
const SUBSET: [&str; 3] = ["subset", "aspect", "category"];
/// Most names of fields that a message lists, and most characters of each.
const MOST_NAMES: usize = 12;
const LONGEST_NAME: usize = 40;

/// The kind of a row, by the names of its fields.
pub(super) fn kind_of(fields: &Fields) -> Result<ChoiceKind, ChoiceFault> {
    let is_there = |name: &str| fields.raw(name).is_some();
    if MC1.iter().chain(&MC2).any(|name| is_there(name)) {
        return Ok(ChoiceKind::TruthfulQa);
    }
    if is_there("choices") {
        return Ok(ChoiceKind::Labelled);
    }
    if SCORES.iter().any(|name| is_there(name)) || (is_there("chosen") && is_there("rejected")) {
        return Ok(ChoiceKind::Comparison);
    }
    Err(ChoiceFault::UnknownKind { fields: names(fields) })
}

/// A row of this kind; its line is not in it yet.
pub(super) fn read_row(fields: &Fields, kind: ChoiceKind) -> Result<(ChoiceRow, Option<String>), ChoiceFault> {
    let question = match fields.has("question") || kind != ChoiceKind::Comparison {
        true => text(fields, "question")?,
        false => text(fields, "input")?,
    };
    let row = match kind {
        ChoiceKind::TruthfulQa => ChoiceRow::truthful(user(&question), targets(fields, MC1)?, targets(fields, MC2)?)?,
        ChoiceKind::Comparison => compared(fields, &question)?,
        ChoiceKind::Labelled => ChoiceRow::labelled(user(&question), chosen_from(fields)?)?,
    };
    Ok((row, subset(fields)))
}

/// A question as a user's message.
pub(super) fn user(question: &str) -> Vec<Turn> {
    vec![Turn::user(question.trim())]
}

fn subset(fields: &Fields) -> Option<String> {
    match SUBSET.iter().find(|name| fields.has(name)).and_then(|name| fields.value(name)) {
        Some(Ok(Value::String(name))) => Some(name),
        _ => None,
    }
}

/// Better and worse answers: one must be the best, as accuracy needs it.
fn compared(fields: &Fields, question: &str) -> Result<ChoiceRow, ChoiceFault> {
    let texts = match SCORES.iter().find(|name| fields.raw(name).is_some()) {
        Some(name) => labelled(fields, name)?,
        None => {
            let text = |name| Ok(LabelledText::new(text(fields, name)?, name == "chosen"));
            vec![text("chosen")?, text("rejected")?]
        }
    };
    ChoiceRow::truthful(turns(question), Some(texts.clone()), Some(texts))
}

/// The labels of a figure of TruthfulQA; none where the row has no field for them.
fn targets(fields: &Fields, names: [&'static str; 2]) -> Result<Option<Vec<LabelledText>>, ChoiceFault> {
    let there = names.into_iter().find(|name| fields.raw(name).is_some());
    there.map(|name| labelled(fields, name)).transpose()
}

/// A map from text to label, or the two lists that Hugging Face's form has in its place.
fn labelled(fields: &Fields, field: &'static str) -> Result<Vec<LabelledText>, ChoiceFault> {
    let raw = fields.raw(field).filter(|raw| *raw != "null").ok_or(ChoiceFault::MissingField { field })?;
    let map = Fields::read(raw).map_err(|fault| match fault {
        LineFault::NotAnObject { got } => ChoiceFault::FieldType { field, expected: "an object", got },
        fault => ChoiceFault::FieldValue { field, rule: fault.to_string() },
    })?;
    let has_lists = ["choices", "labels"].iter().all(|name| map.raw(name).is_some_and(|raw| raw.starts_with('[')));
    if has_lists {
        return listed(&map, field);
    }
    let label = |name: &str| Ok(LabelledText::new(name, is_true(field, &value(&map, name, field)?)?));
    map.names().map(label).collect()
}

/// The lists `choices` and `labels` of an object.
fn listed(map: &Fields, field: &'static str) -> Result<Vec<LabelledText>, ChoiceFault> {
    let texts = strings(&value(map, "choices", field)?, field)?;
    let labels = value(map, "labels", field)?;
    let labels: &[Value] = labels.as_array().map_or(&[], Vec::as_slice);
    if labels.len() != texts.len() {
        return Err(ChoiceFault::LabelCount { n_labels: labels.len(), n_choices: texts.len() });
    }
    texts.into_iter().zip(labels).map(|(text, label)| Ok(LabelledText::new(text, is_true(field, label)?))).collect()
}

/// `choices` with `labels` or `answer`.
fn chosen_from(fields: &Fields) -> Result<Vec<LabelledText>, ChoiceFault> {
    match (fields.has("labels"), fields.has("answer")) {
        (true, true) => return Err(ChoiceFault::TwoLabels),
        (false, false) => return Err(ChoiceFault::NoLabels),
        (true, false) => {
            let labels = value(fields, "labels", "labels")?;
            if !labels.is_array() {
                return Err(ChoiceFault::FieldType { field: "labels", expected: "a list", got: kind(&labels) });
            }
            return listed(fields, "labels");
        }
        (false, true) => {}
    }
    let texts = strings(&value(fields, "choices", "choices")?, "choices")?;
    let (answer, n_choices) = (value(fields, "answer", "answer")?, texts.len());
    let Some(best) = answer.as_u64().and_then(|at| usize::try_from(at).ok()).filter(|at| *at < n_choices) else {
        return Err(ChoiceFault::Answer { got: shortened(&answer.to_string()), n_choices });
    };
    Ok(texts.into_iter().enumerate().map(|(index, text)| LabelledText::new(text, index == best)).collect())
}

fn strings(list: &Value, field: &'static str) -> Result<Vec<String>, ChoiceFault> {
    let fault = |got: &Value| ChoiceFault::FieldType { field, expected: "a list of texts", got: kind(got) };
    let list = list.as_array().ok_or_else(|| fault(list))?;
    list.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(|| fault(text))).collect()
}

/// 0 or 1, or a truth value.
fn is_true(field: &'static str, label: &Value) -> Result<bool, ChoiceFault> {
    match (label.as_bool(), label.as_f64()) {
        (Some(label), _) => Ok(label),
        (_, Some(1.0)) => Ok(true),
        (_, Some(0.0)) => Ok(false),
        _ => Err(ChoiceFault::Label { field, got: shortened(&label.to_string()) }),
    }
}

/// The value of a field; `field` is for messages.
fn value(fields: &Fields, name: &str, field: &'static str) -> Result<Value, ChoiceFault> {
    match fields.value(name) {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(ChoiceFault::FieldValue { field, rule: error.to_string() }),
        None => Err(ChoiceFault::MissingField { field }),
    }
}

/// A text other than white space.
fn text(fields: &Fields, field: &'static str) -> Result<String, ChoiceFault> {
    if !fields.has(field) {
        return Err(ChoiceFault::MissingField { field });
    }
    match value(fields, field, field)? {
        Value::String(text) if text.trim().is_empty() => Err(ChoiceFault::EmptyField { field }),
        Value::String(text) => Ok(text),
        other => Err(ChoiceFault::FieldType { field, expected: "text", got: kind(&other) }),
    }
}

fn names(fields: &Fields) -> String {
    let mut names: Vec<String> = fields.names().take(MOST_NAMES).map(|name| format!("`{}`", shortened(name))).collect();
    if fields.names().nth(MOST_NAMES).is_some() {
        names.push("…".into());
    }
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// A text from a file as messages show it: short, and without characters that steer terminals.
pub(super) fn shortened(text: &str) -> String {
    let mut shown: String =
        text.chars().take(LONGEST_NAME).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST_NAME).is_some() {
        shown.push('…');
    }
    shown
}
