//! What is told of a reply's fields: which were left out, and which went to the client unseen.

use std::ops::Deref;

use serde::Serialize;
use serde_json::{Map, Value, json};

use redline_lab::form::is_sentence;

/// Most fields of a reply that are named, and the longest name.
const MOST_PATHS: usize = 64;
const LONGEST_PATH: usize = 96;
/// What stands for names that are none.
const OTHER_PATH: &str = "(another field)";

/// What was left out of a reply, and what went to the client unseen by the Aligner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Notes {
    pub(super) dropped: Paths,
    pub(super) unseen: Paths,
}

/// Names of fields, each once, up to [`MOST_PATHS`]. A name that may be a sentence is not repeated: nobody has read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Paths(Vec<String>);

impl Paths {
    /// A field of a reply.
    pub(super) fn add(&mut self, path: &str) {
        self.push(plain(path));
    }

    /// A place that has a name here.
    pub(super) fn say(&mut self, place: &'static str) {
        self.push(place);
    }

    fn push(&mut self, path: &str) {
        if self.0.len() < MOST_PATHS && !self.0.iter().any(|other| other == path) {
            self.0.push(path.to_owned());
        }
    }
}

/// A name that can be repeated: one that is none may be a sentence.
pub(super) fn plain(path: &str) -> &str {
    let has_gaps = path.contains(|c: char| c.is_control() || c.is_whitespace());
    if path.len() > LONGEST_PATH || has_gaps || is_sentence(path) { OTHER_PATH } else { path }
}

impl Deref for Paths {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Notes {
    /// Adds what was left out, and what went through unseen, to an extension.
    pub(super) fn tell(&self, extension: &mut Map<String, Value>) {
        for (name, paths) in [("dropped", &self.dropped), ("unseen", &self.unseen)] {
            if !paths.is_empty() {
                extension.insert(name.into(), json!(paths));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_bounded_and_says_nothing_by_itself() {
        let mut paths = Paths::default();
        for path in [
            "message.audio",
            "message.audio",
            "message.You are a fool",
            "message.你是个彻头彻尾的傻瓜",
            &"x".repeat(1000),
            "a\u{1b}[2J",
        ] {
            paths.add(path);
        }
        assert_eq!(paths.0, ["message.audio", OTHER_PATH]);
        (0..1000).for_each(|index| paths.add(&format!("field_{index}")));
        assert_eq!(paths.0.len(), MOST_PATHS);
    }
}
