//! Every key of configuration files that changes the numbers of some model, and what is done with it: read, or refused where it has
//! another value than the one that changes nothing. Keys that change no number are listed too, so that what remains is unknown and
//! can be named in a warning.
//!
//! The lists follow the source of transformers 5.24, llama.cpp and PEFT 0.21.

use std::path::Path;

use serde_json::Value;

use super::family::Family;
use crate::{Error, Result};

/// What is done with a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// The reader takes it into account, and refuses what it cannot.
    Read,
    /// It is not read, so it may only have one of these values, or none.
    Only {
        /// What another value asks for.
        meaning: &'static str,
        neutral: &'static [Neutral],
    },
    /// No output depends on it.
    Harmless,
}

/// A value that changes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Neutral {
    Flag(bool),
    Number(f64),
    Text(&'static str),
}

/// A key, and the families it is meant for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Whether it is meant for a family; `None`: for all.
    pub(crate) applies: Option<fn(&Family) -> bool>,
    pub(crate) rule: Rule,
}

/// A key that every family's reader takes into account.
pub(crate) const fn read(name: &'static str) -> Key {
    Key { name, applies: None, rule: Rule::Read }
}

/// A key that the reader of some families takes into account.
pub(crate) const fn read_if(name: &'static str, applies: fn(&Family) -> bool) -> Key {
    Key { name, applies: Some(applies), rule: Rule::Read }
}

/// A key that may only have one of these values, or none.
pub(crate) const fn only(name: &'static str, meaning: &'static str, neutral: &'static [Neutral]) -> Key {
    Key { name, applies: None, rule: Rule::Only { meaning, neutral } }
}

/// A key that in some families may only have one of these values, or none.
pub(crate) const fn only_if(
    name: &'static str,
    applies: fn(&Family) -> bool,
    meaning: &'static str,
    neutral: &'static [Neutral],
) -> Key {
    Key { name, applies: Some(applies), rule: Rule::Only { meaning, neutral } }
}

/// A key on which no output of some families depends.
pub(crate) const fn harmless_if(name: &'static str, applies: fn(&Family) -> bool) -> Key {
    Key { name, applies: Some(applies), rule: Rule::Harmless }
}

impl Neutral {
    pub(crate) fn is(self, value: &Value) -> bool {
        match self {
            Self::Flag(flag) => value.as_bool() == Some(flag),
            Self::Number(number) => value.as_f64() == Some(number),
            Self::Text(text) => value.as_str() == Some(text),
        }
    }
}

impl std::fmt::Display for Neutral {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// The lists of one kind of file.
pub(crate) struct KeyList {
    pub(crate) keys: &'static [Key],
    /// Names on which no output of any family depends.
    pub(crate) harmless: &'static [&'static str],
}

impl KeyList {
    /// What is done with a key of a family's file, or of one that belongs to no family; `None` where it is unknown.
    pub(crate) fn rule(&self, name: &str, family: Option<&Family>) -> Option<Rule> {
        let is_meant = |key: &Key| key.applies.is_none_or(|applies| family.is_some_and(applies));
        let is_for = |key: &&Key| key.name == name && is_meant(key);
        let listed = self.keys.iter().find(is_for).map(|key| key.rule);
        listed.or_else(|| self.harmless.contains(&name).then_some(Rule::Harmless))
    }

    /// Refuses what would change numbers and is not read; returns the keys that are not known.
    ///
    /// `prefix` is put before names in messages.
    pub(crate) fn check<'a>(
        &self,
        path: &Path,
        family: Option<&Family>,
        prefix: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Result<Vec<String>> {
        let mut unknown = Vec::new();
        for (name, value) in entries {
            match self.rule(name, family) {
                _ if is_unset(value) => {}
                Some(Rule::Read | Rule::Harmless) => {}
                Some(Rule::Only { neutral, .. }) if neutral.iter().any(|neutral| neutral.is(value)) => {}
                Some(Rule::Only { meaning, neutral }) => {
                    return Err(Error::UnsupportedSetting {
                        path: path.into(),
                        field: format!("{prefix}{name}"),
                        got: shortened(value),
                        meaning,
                        supported: supported(neutral),
                    });
                }
                None => unknown.push(format!("{prefix}{name}")),
            }
        }
        Ok(unknown)
    }
}

impl KeyList {
    /// The entries whose value is another than what changes nothing.
    pub(crate) fn others<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Vec<(&'a str, &'a Value)> {
        let is_other = |(name, value): &(&str, &Value)| match self.rule(name, None) {
            Some(Rule::Only { neutral, .. }) => !is_unset(value) && !neutral.iter().any(|neutral| neutral.is(value)),
            _ => false,
        };
        entries.into_iter().filter(is_other).collect()
    }
}

/// Whether a key says nothing: null, or nothing in a list.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => false,
    }
}

/// A value as a message shows it.
pub(crate) fn shortened(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn supported(neutral: &[Neutral]) -> String {
    match neutral {
        [] => "none".into(),
        values => values.iter().map(Neutral::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// The warning about keys that are not known, where there are any.
pub(crate) fn unknown_keys(path: &Path, unknown: &[String]) -> Option<String> {
    (!unknown.is_empty()).then(|| {
        let (path, names) = (path.display(), listed(unknown));
        format!("{path}: keys that are not known here are ignored, and may change numbers elsewhere: {names}")
    })
}

/// Names with their values, with nothing in them that a terminal would obey.
pub(crate) fn listed_with_values(entries: &[(&str, &Value)]) -> String {
    let shown = |(name, value): &(&str, &Value)| format!("`{}` ({})", name.escape_debug(), shortened(value));
    entries.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Names from a file, some of many, with nothing in them that a terminal would obey.
pub(crate) fn listed(names: &[String]) -> String {
    const MOST: usize = 12;
    const LONGEST: usize = 80;
    let shown = |name: &String| format!("`{}`", name.chars().take(LONGEST).collect::<String>().escape_debug());
    let mut text = names.iter().take(MOST).map(shown).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}
