//! The parts of a message's content: texts and refusals, each corrected for itself, and what stands beside them.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::answer::{Answer, End, Terms};
use super::error::ApiError;
use super::raw::{self, RawObject, is_void, raw};
use super::rules::{Fate, Sorter, TEXT_PART, Verdict};
use super::state::Service;

/// A part, with its text as a `T`.
pub(super) enum Part<T> {
    /// It stays.
    Beside(Box<RawValue>),
    /// It says something.
    Text(Shell, T),
}

/// What a text stands in: the other fields of a part, or nothing.
#[derive(Debug)]
pub(super) struct Shell {
    object: Option<RawObject<'static>>,
    pub(super) field: &'static str,
}

impl Shell {
    /// That of a part which is its text.
    pub(super) fn bare() -> Self {
        Self { object: None, field: "text" }
    }

    /// The part with this text.
    pub(super) fn with(&self, text: &str) -> Box<RawValue> {
        match &self.object {
            None => raw(&text),
            Some(object) => {
                let mut object = object.clone();
                object.set(self.field, &text);
                raw(&object)
            }
        }
    }
}

/// Parts as they were read.
#[derive(Default)]
pub(super) struct Parts(Vec<Part<String>>);

impl Parts {
    /// Adds a part that stays.
    pub(super) fn beside(&mut self, part: &RawValue) {
        self.0.push(Part::Beside(part.to_owned()));
    }

    /// Adds a text. All text stands at the place of the first one, and all of a refusal at that of its first part.
    pub(super) fn text(&mut self, shell: Shell, text: &str) {
        let before = self.0.iter_mut().find_map(|part| match part {
            Part::Text(other, before) if other.field == shell.field => Some(before),
            _ => None,
        });
        match before {
            Some(before) => before.push_str(text),
            None => self.0.push(Part::Text(shell, text.to_owned())),
        }
    }

    /// Adds a part that says something, called `at` in messages.
    pub(super) fn typed(&mut self, object: &RawObject<'_>, at: &str, sorter: &mut Sorter) -> Result<(), ApiError> {
        let (mut kept, mut said) = (RawObject::default(), None);
        for (name, value) in object.fields() {
            match sorter.field(TEXT_PART, at, name, value)? {
                Verdict::Pass => kept.set(name, &value),
                // clients expect them, with nothing in them
                Verdict::LeaveOut if ["annotations", "logprobs"].contains(&name) => kept.set(name, &[(); 0]),
                Verdict::Own(Fate::Corrected) if is_void(value) => kept.set(name, &value),
                Verdict::Own(Fate::Corrected) => {
                    let text =
                        raw::text(value).ok_or_else(|| ApiError::bad_reply(format!("a part's `{name}` is no text")))?;
                    if said.is_some() {
                        return Err(ApiError::bad_reply("a part holds both text and refusal"));
                    }
                    kept.set(name, &"");
                    said = Some((if name == "refusal" { "refusal" } else { "text" }, text));
                }
                Verdict::LeaveOut | Verdict::Own(_) => {}
            }
        }
        let of_kind = || if kept.get("refusal").is_some() { "refusal" } else { "text" };
        let (field, text) = said.unwrap_or_else(|| (of_kind(), String::new()));
        self.text(Shell { object: Some(kept), field }, &text);
        Ok(())
    }

    /// What is said in this field of its parts.
    pub(super) fn said(&self, field: &str) -> Option<&str> {
        self.0.iter().find_map(|part| match part {
            Part::Text(shell, text) if shell.field == field => Some(text.as_str()),
            _ => None,
        })
    }

    /// Hands what is said to the Aligner.
    pub(super) async fn begin(self, service: &Arc<Service>, terms: &Terms) -> Result<Vec<Part<Saying>>, ApiError> {
        let mut begun = Vec::with_capacity(self.0.len());
        for part in self.0 {
            begun.push(match part {
                Part::Beside(part) => Part::Beside(part),
                Part::Text(shell, text) if text.trim().is_empty() => Part::Text(shell, Saying::Nothing(text)),
                Part::Text(shell, text) => {
                    let answer = Box::new(service.answer(&text, terms).await?);
                    Part::Text(shell, Saying::Corrected(answer))
                }
            });
        }
        Ok(begun)
    }
}

/// A text on its way.
pub(super) enum Saying {
    /// It is empty or blank, and stays so.
    Nothing(String),
    /// It is at the Aligner's.
    Corrected(Box<Answer>),
}

/// All parts at once, as the client gets them.
pub(super) async fn finish(parts: Vec<Part<Saying>>, ends: &mut Ends) -> Result<Vec<Box<RawValue>>, ApiError> {
    let mut finished = Vec::with_capacity(parts.len());
    for part in parts {
        finished.push(match part {
            Part::Beside(part) => part,
            Part::Text(shell, Saying::Nothing(text)) => shell.with(&text),
            Part::Text(shell, Saying::Corrected(answer)) => {
                let end = answer.finish().await?;
                let part = shell.with(&end.text);
                ends.add(shell.field, end);
                part
            }
        });
    }
    Ok(finished)
}

/// What became of a message's texts, with the fields that they stand in.
#[derive(Debug, Default)]
pub(super) struct Ends(Vec<(&'static str, End)>);

impl Ends {
    pub(super) fn add(&mut self, field: &'static str, end: End) {
        self.0.push((field, end));
    }

    /// That of the text; of the refusal where there is none.
    pub(super) fn main(&self) -> Option<&End> {
        let text = self.0.iter().find(|(field, _)| *field != "refusal");
        text.or(self.0.first()).map(|(_, end)| end)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &End> {
        self.0.iter().map(|(_, end)| end)
    }

    /// What is said beside the message: of its text, and of a refusal that it has too.
    pub(super) fn extension(&self) -> Map<String, Value> {
        let Some(main) = self.main() else { return nothing() };
        let mut extension = main.extension();
        let other = self.0.iter().find(|(field, end)| *field == "refusal" && !std::ptr::eq(end, main));
        if let Some((_, refusal)) = other {
            extension.insert("refusal".into(), refusal.extension().into());
        }
        extension
    }

    /// Tokens of the Aligner: read and written.
    pub(super) fn tokens(&self) -> [usize; 2] {
        let mut tokens = [0, 0];
        self.all().for_each(|end| add(&mut tokens, end.tokens()));
        tokens
    }

    pub(super) fn drops_reasoning(&self) -> bool {
        self.all().any(|end| end.drops_reasoning)
    }
}

/// Adds tokens, read and written.
pub(super) fn add(sum: &mut [usize; 2], more: [usize; 2]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// The extension of a message without text.
fn nothing() -> Map<String, Value> {
    let fields = [("status", json!("skipped")), ("reason", json!("there is no text to correct"))];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::options::FailMode;
    use super::*;
    use redline_lab::form::Reasoning;

    fn read(parts: &[&str]) -> Result<Parts, ApiError> {
        let (mut read, mut sorter) = (Parts::default(), Sorter::new(FailMode::Closed, Reasoning::Drop));
        for part in parts {
            read.typed(&RawObject::parse(part).unwrap(), "content", &mut sorter)?;
        }
        Ok(read)
    }

    fn shown(parts: &Parts) -> Vec<String> {
        let show = |part: &Part<String>| match part {
            Part::Beside(part) => part.to_string(),
            Part::Text(shell, text) => shell.with(text).to_string(),
        };
        parts.0.iter().map(show).collect()
    }

    #[test]
    fn texts_are_joined_and_refusals_stay_apart() {
        let parts = read(&[
            r#"{"type":"output_text","text":"a","annotations":[]}"#,
            r#"{"type":"refusal","refusal":"n"}"#,
            r#"{"type":"output_text","text":"b"}"#,
            r#"{"type":"refusal","refusal":"o"}"#,
        ]);
        let parts = parts.unwrap();
        let expected =
            [r#"{"type":"output_text","text":"ab","annotations":[]}"#, r#"{"type":"refusal","refusal":"no"}"#];
        assert_eq!(shown(&parts), expected);
        assert_eq!((parts.said("text"), parts.said("refusal")), (Some("ab"), Some("no")));
    }

    #[test]
    fn a_part_says_one_thing() {
        let parts = read(&[r#"{"type":"text","text":"a","refusal":null}"#]).unwrap();
        assert_eq!(shown(&parts), [r#"{"type":"text","text":"a","refusal":null}"#]);
        assert_eq!(shown(&read(&[r#"{"type":"text"}"#]).unwrap()), [r#"{"type":"text","text":""}"#]);
        assert!(read(&[r#"{"type":"text","text":"a","refusal":"b"}"#]).is_err());
        assert!(read(&[r#"{"type":"text","text":["a"]}"#]).is_err());
    }
}
