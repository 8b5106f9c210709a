//! What changed between two texts, word by word.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// A piece of the way from one text to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// In both texts.
    Keep(String),
    /// In the first only.
    Delete(String),
    /// In the second only.
    Insert(String),
}

/// The changes from `before` to `after`; of neighbouring ones, what was deleted comes first.
///
/// # Example
/// ```
/// use redline_report::report::{Change, word_changes};
///
/// let changes = word_changes("Teh tea", "The tea");
/// assert_eq!(changes[..2], [Change::Delete("Teh".into()), Change::Insert("The".into())]);
/// ```
pub fn word_changes(before: &str, after: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    let [mut kept, mut deleted, mut inserted] = [String::new(), String::new(), String::new()];
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        if change.tag() == ChangeTag::Equal {
            flush(&mut changes, &mut deleted, &mut inserted);
            kept.push_str(change.value());
            continue;
        }
        if !kept.is_empty() {
            changes.push(Change::Keep(std::mem::take(&mut kept)));
        }
        let part = if change.tag() == ChangeTag::Delete { &mut deleted } else { &mut inserted };
        part.push_str(change.value());
    }
    flush(&mut changes, &mut deleted, &mut inserted);
    if !kept.is_empty() {
        changes.push(Change::Keep(kept));
    }
    changes
}

fn flush(changes: &mut Vec<Change>, deleted: &mut String, inserted: &mut String) {
    if !deleted.is_empty() {
        changes.push(Change::Delete(std::mem::take(deleted)));
    }
    if !inserted.is_empty() {
        changes.push(Change::Insert(std::mem::take(inserted)));
    }
}

/// A change as the page has it: JSON numbers for what the first text holds, counted in UTF-16 units as scripts count, and
/// text for what it does not. Many outputs of one prompt repeat most of its answer; this way they do not repeat it here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Edit {
    /// Keeps so many units, or deletes them if the number is negative.
    Units(i64),
    /// Inserts text.
    Insert(String),
}

/// The edits from `before` to `after`, word by word.
pub fn edits(before: &str, after: &str) -> Vec<Edit> {
    let units = |text: &str| text.encode_utf16().count() as i64;
    let edit = |change| match change {
        Change::Keep(text) => Edit::Units(units(&text)),
        Change::Delete(text) => Edit::Units(-units(&text)),
        Change::Insert(text) => Edit::Insert(text),
    };
    word_changes(before, after).into_iter().map(edit).collect()
}
