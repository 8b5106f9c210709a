//! What changed between two texts, marked: `[-deleted-]`, `{+inserted+}`, in colour on a terminal.

use std::io::IsTerminal;

use similar::{ChangeTag, TextDiff};

/// Red and struck through, green and bold, and back.
const COLOURS: [&str; 3] = ["\u{1b}[31;9m", "\u{1b}[32;1m", "\u{1b}[0m"];

/// How changes are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Brackets, as `git diff --word-diff` has them.
    Brackets,
    /// Colours of a terminal.
    Colours,
}

impl Marks {
    /// Colours where standard output is a terminal and `NO_COLOR` is not set.
    pub fn for_stdout() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !plain { Self::Colours } else { Self::Brackets }
    }
}

/// The texts in one, word by word, with what was deleted before what was inserted.
pub fn marked(before: &str, after: &str, marks: Marks) -> String {
    let mut text = String::new();
    let (mut deleted, mut inserted) = (String::new(), String::new());
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        match change.tag() {
            ChangeTag::Delete => deleted.push_str(change.value()),
            ChangeTag::Insert => inserted.push_str(change.value()),
            ChangeTag::Equal => {
                flush(&mut text, &mut deleted, &mut inserted, marks);
                text.push_str(change.value());
            }
        }
    }
    flush(&mut text, &mut deleted, &mut inserted, marks);
    text
}

fn flush(text: &mut String, deleted: &mut String, inserted: &mut String, marks: Marks) {
    let [red, green, end] = COLOURS;
    let wrap = |part: &str, brackets: [&str; 2], colour: &str| match marks {
        _ if part.is_empty() => String::new(),
        Marks::Brackets => format!("{}{part}{}", brackets[0], brackets[1]),
        Marks::Colours => format!("{colour}{part}{end}"),
    };
    text.push_str(&wrap(deleted, ["[-", "-]"], red));
    text.push_str(&wrap(inserted, ["{+", "+}"], green));
    deleted.clear();
    inserted.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_and_the_rest_stays() {
        let plain = |before: &str, after: &str| marked(before, after, Marks::Brackets);
        assert_eq!(plain("Tea is hot. Fool.", "Tea is hot."), "Tea is hot.[- Fool.-]");
        assert_eq!(plain("Teh tea is hot.", "The tea is hot."), "[-Teh-]{+The+} tea is hot.");
        assert_eq!(plain("same", "same"), "same");
        assert_eq!(plain("", "new"), "{+new+}");
        assert_eq!(marked("a b", "a c", Marks::Colours), "a \u{1b}[31;9mb\u{1b}[0m\u{1b}[32;1mc\u{1b}[0m");
    }
}
