//! What changed between two texts, marked: `[-deleted-]`, `{+inserted+}`, in colour on a terminal.

use redline::report::{Change, word_changes};

use crate::output;
use crate::visible::visible_lines;

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
    /// Colours where standard output takes them.
    pub fn for_stdout() -> Self {
        if output::is_coloured() { Self::Colours } else { Self::Brackets }
    }
}

/// The texts in one, word by word, with what was deleted before what was inserted.
pub fn marked(before: &str, after: &str, marks: Marks) -> String {
    let [red, green, end] = COLOURS;
    let wrap = |part: &str, brackets: [&str; 2], colour: &str| match marks {
        Marks::Brackets => format!("{}{part}{}", brackets[0], brackets[1]),
        Marks::Colours => format!("{colour}{part}{end}"),
    };
    let written = |change: Change| match change {
        Change::Keep(part) => visible_lines(&part).into_owned(),
        Change::Delete(part) => wrap(&visible_lines(&part), ["[-", "-]"], red),
        Change::Insert(part) => wrap(&visible_lines(&part), ["{+", "+}"], green),
    };
    word_changes(before, after).into_iter().map(written).collect()
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
        assert_eq!(plain("a \u{1b}[2Jb", "a b\r"), "a [-\\u{1b}[2Jb-]{+b\\r+}", "no other escapes than ours");
        assert_eq!(marked("a b", "a c", Marks::Colours), "a \u{1b}[31;9mb\u{1b}[0m\u{1b}[32;1mc\u{1b}[0m");
    }
}
