//! Text from files and from other programs, on its way to a terminal: what would move the cursor, hide or turn around text is shown as its
//! code, so that nothing can forge a line of output.
//!
//! [`visible`] is for a value inside a line, [`visible_lines`] for a text that may have lines of its own, [`visible_json`] for JSON.

use std::borrow::Cow;

/// A value on one line: no control characters, line breaks among them.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden, |character| character.escape_default().to_string())
}

/// A text that keeps its lines and tabs.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    let is_hidden = |character| is_hidden(character) && !matches!(character, '\n' | '\t');
    escaped(text, is_hidden, |character| character.escape_default().to_string())
}

/// JSON text of the same value: what stands in its texts is written as `\\u`.
pub fn visible_json(text: &str) -> Cow<'_, str> {
    let is_hidden = |character| is_hidden(character) && !matches!(character, '\n' | '\t');
    let code = |character: char| {
        let mut units = [0; 2];
        character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    escaped(text, is_hidden, code)
}

fn escaped(text: &str, is_hidden: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    match text.contains(&is_hidden) {
        false => Cow::Borrowed(text),
        true => {
            let shown = |character| match is_hidden(character) {
                true => Cow::Owned(escape(character)),
                false => Cow::Owned(character.to_string()),
            };
            text.chars().map(shown).collect::<Vec<Cow<'_, str>>>().concat().into()
        }
    }
}

/// Control characters of both sets, separators of lines, and characters that turn text around or are not seen.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: &str = "a\u{1b}[2K\r\u{7}b\n\tc\u{9b}31m\u{202e}d\u{2028}";

    #[test]
    fn what_moves_the_cursor_is_shown() {
        assert_eq!(visible(BAD), r"a\u{1b}[2K\r\u{7}b\n\tc\u{9b}31m\u{202e}d\u{2028}");
        assert_eq!(visible_lines(BAD), "a\\u{1b}[2K\\r\\u{7}b\n\tc\\u{9b}31m\\u{202e}d\\u{2028}");
        assert!(matches!(visible("né 日本 👩\u{200d}👧"), Cow::Borrowed(_)), "other text stays as it is");
    }

    #[test]
    fn json_keeps_its_value() {
        let text = serde_json::to_string_pretty(&serde_json::json!({ "a": BAD })).expect("a text");
        let shown = visible_json(&text);
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{2028}']));
        let value: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
        assert_eq!(value["a"], BAD);
    }
}
