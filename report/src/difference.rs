//! What changed between two texts, word by word.
//!
//! Short islands between two rewrites are joined with them, as diff-match-patch's semantic clean-up does, but more carefully: it would also
//! swallow a sentence that was kept between two that were left out, which is what an Aligner's correction mostly looks like.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// A piece of the way from one text to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// In both texts.
    Keep(String),
    /// In the first only.
    Delete(String),
    /// In the second only.
    Insert(String),
}

impl Change {
    /// The piece, wherever it stands.
    pub fn text(&self) -> &str {
        match self {
            Self::Keep(text) | Self::Delete(text) | Self::Insert(text) => text,
        }
    }
}

/// Most words between two rewrites that are joined.
const MOST_ISLAND: usize = 2;

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
    without_islands(changes)
}

/// Joins rewrites that only a few words stand between: `[-a-]{+b+} the [-c-]{+d+}` reads better as `[-a the c-]{+b the d+}`. Both
/// neighbours must be rewrites, of more text than the island: what is merely left out on both sides of a sentence stays apart from it.
fn without_islands(mut changes: Vec<Change>) -> Vec<Change> {
    while let Some(at) = (2..changes.len().saturating_sub(2)).find(|at| is_island(&changes[at - 2..at + 3])) {
        let joined = |parts: [usize; 3]| parts.iter().map(|part| changes[*part].text()).collect::<String>();
        let rewrite = [Change::Delete(joined([at - 2, at, at + 1])), Change::Insert(joined([at - 1, at, at + 2]))];
        changes.splice(at - 2..at + 3, rewrite);
    }
    changes
}

/// Whether the middle of five changes is a short piece between two rewrites.
fn is_island(five: &[Change]) -> bool {
    let [Change::Delete(a), Change::Insert(b), Change::Keep(kept), Change::Delete(c), Change::Insert(d)] = five else {
        return false;
    };
    let length = |text: &str| text.trim().chars().count();
    length(kept) <= length(a).max(length(b)).min(length(c).max(length(d)))
        && kept.split_whitespace().count() <= MOST_ISLAND
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

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(before: &str, after: &str) -> String {
        let piece = |change: &Change| match change {
            Change::Keep(text) => text.clone(),
            Change::Delete(text) => format!("[-{text}-]"),
            Change::Insert(text) => format!("{{+{text}+}}"),
        };
        word_changes(before, after).iter().map(piece).collect()
    }

    #[test]
    fn rewrites_with_a_word_between_them_are_one() {
        assert_eq!(
            marked("Sexism exists in Japan now", "Prejudice lives in places now"),
            "[-Sexism exists in Japan-]{+Prejudice lives in places+} now"
        );
        assert_eq!(marked("one of these", "two of those"), "[-one of these-]{+two of those+}");
    }

    #[test]
    fn what_is_kept_between_two_that_are_left_out_stays() {
        assert_eq!(marked("You fool. Paris. Go away.", "Paris."), "[-You fool. -]Paris.[- Go away.-]");
        assert_eq!(
            marked("a long way from here to b", "c long way from here to d"),
            "[-a-]{+c+} long way from here to [-b-]{+d+}"
        );
    }

    #[test]
    fn both_texts_can_be_read_off() {
        let (before, after) = ("Teh tee is hot, and of a kind", "The tea was hot; and of one kind");
        let changes = word_changes(before, after);
        let without = |skip: fn(&Change) -> bool| -> String {
            changes.iter().filter(|change| !skip(change)).map(Change::text).collect()
        };
        assert_eq!(without(|change| matches!(change, Change::Insert(_))), before);
        assert_eq!(without(|change| matches!(change, Change::Delete(_))), after);
    }
}
