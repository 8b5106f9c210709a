//! Questions that must not be annotated, as something is measured on them.

use serde::Serialize;

use super::error::AnnotateError;
use super::item::Item;
use crate::data::near_leak::{LeakMeasure, NearLeakOptions, near_leak};
use crate::error::Result;
use crate::observer::Observer;

/// A question that was refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refused {
    /// Its question.
    pub question: String,
    /// The lines of its answers.
    pub lines: Vec<usize>,
    /// The place of the question that it is, or nearly so, in the list of those that must not be annotated.
    pub held_out: usize,
    /// How the two are alike.
    pub measure: LeakMeasure,
    /// How much, up to 1.
    pub value: f64,
}

/// Takes out the questions that are among others, or nearly so: equal, similar, or half of the shorter one's runs of words.
///
/// # Errors
/// [`AnnotateError::AllRefused`], and whatever the observer says.
pub fn refuse<S: AsRef<str> + Sync>(
    items: Vec<Item>,
    held_out: &[S],
    options: &NearLeakOptions,
    observer: &mut dyn Observer,
) -> Result<(Vec<Item>, Vec<Refused>)> {
    let questions: Vec<&str> = items.iter().map(|item| item.question.as_str()).collect();
    let found = near_leak(held_out, &questions, options, observer)?;
    let n_questions = items.len();
    let (mut kept, mut refused): (Vec<Item>, Vec<Refused>) = (Vec::new(), Vec::new());
    for (place, item) in items.into_iter().enumerate() {
        match found.pairs.iter().find(|pair| pair.second == place) {
            None => kept.push(item),
            Some(pair) => refused.push(Refused {
                lines: item.answers.iter().map(|answer| answer.line).collect(),
                question: item.question,
                held_out: pair.first,
                measure: pair.measure,
                value: pair.value,
            }),
        }
    }
    match kept.is_empty() && n_questions > 0 {
        true => Err(AnnotateError::AllRefused { n_questions }.into()),
        false => Ok((kept, refused)),
    }
}
