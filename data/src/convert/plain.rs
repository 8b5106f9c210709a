//! Rows in the fields that [`DataRow`](crate::DataRow) reads, made of what other formats say.

use redline_model::qac::Fields;
use serde_json::{Value, json};

use crate::turns::{self, Turn};

/// A preference pair: every text a message, so that none is taken for a transcript.
pub(super) fn pair(prompt: &[Turn], chosen: &str, rejected: &str, others: Fields) -> Fields {
    let mut fields = Fields::default();
    fields.put("prompt", turns::to_messages(prompt));
    fields.put("chosen", said("assistant", chosen));
    fields.put("rejected", said("assistant", rejected));
    with_others(fields, others)
}

/// An answer, and whether it is good where that is known.
pub(super) fn answer(prompt: &[Turn], completion: &str, label: Option<bool>, others: Fields) -> Fields {
    let mut fields = Fields::default();
    fields.put("prompt", turns::to_messages(prompt));
    fields.put("completion", said("assistant", completion));
    if let Some(label) = label {
        fields.put("label", label);
    }
    with_others(fields, others)
}

/// A list of one message.
pub(super) fn said(role: &str, content: &str) -> Value {
    json!([{ "role": role, "content": content }])
}

/// Fields with others behind them; one whose name is taken is kept as `source_` and its name.
pub(super) fn with_others(mut fields: Fields, mut others: Fields) -> Fields {
    let taken: Vec<String> = others.names().filter(|name| fields.raw(name).is_some()).map(str::to_owned).collect();
    taken.iter().for_each(|name| set_aside(&mut others, name, &fields));
    fields.append(others);
    fields
}

/// Gives a field a name that nobody has.
pub(super) fn set_aside(others: &mut Fields, name: &str, taken: &Fields) {
    let mut new = format!("source_{name}");
    while others.raw(&new).is_some() || taken.raw(&new).is_some() {
        new.insert_str(0, "source_");
    }
    others.rename(name, &new);
}

/// All but some of the fields.
pub(super) fn without(fields: &Fields, names: &[&str]) -> Fields {
    let mut others = fields.clone();
    others.retain(|name| !names.contains(&name));
    others
}
