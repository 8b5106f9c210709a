//! What a model replied.

use regex::Regex;

use super::super::verdict::NoVerdict;

/// Reasoning that some models write before their answer.
const REASONING: [&str; 2] = ["<think>", "</think>"];

/// A token that was likely, and how likely it was.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogProb {
    /// Its text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub log_prob: f64,
}

/// A reply to one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// The likeliest tokens at its first place; empty where they were not asked for or are not given.
    pub first_token: Vec<TokenLogProb>,
}

impl Reply {
    /// A reply without log-probabilities.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), first_token: Vec::new() }
    }

    /// The text behind the reasoning; an error where there is none, as when the reasoning was cut.
    pub(super) fn said(&self) -> Result<&str, NoVerdict> {
        let [open, close] = REASONING;
        let said = match self.text.rsplit_once(close) {
            Some((_, said)) => said,
            None if self.text.trim_start().starts_with(open) => "",
            None => &self.text,
        };
        if said.trim().is_empty() { Err(NoVerdict::NoReply) } else { Ok(said) }
    }
}

/// The group of the last match of a pattern: replies weigh other verdicts before they name theirs.
pub(super) fn last<'a>(pattern: &Regex, text: &'a str) -> Option<&'a str> {
    Some(pattern.captures_iter(text).last()?.get(1)?.as_str())
}

/// A pattern of this program.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns of the forms are valid")
}
