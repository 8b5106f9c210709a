//! Which texts are sentences.

/// Words that make a text a sentence, and those that do with a mark at its end.
const WORDS: [usize; 2] = [4, 2];
/// Marks at the ends of sentences.
const ENDS: [char; 12] = ['.', '!', '?', '…', '。', '！', '？', '．', '؟', '।', '။', '።'];
/// Scripts that set no spaces between words.
const UNSPACED: [(char, char); 12] = [
    ('\u{0e00}', '\u{0eff}'),
    ('\u{0f00}', '\u{0fff}'),
    ('\u{1000}', '\u{109f}'),
    ('\u{1780}', '\u{17ff}'),
    ('\u{1950}', '\u{19df}'),
    ('\u{3040}', '\u{30ff}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{a9e0}', '\u{a9ff}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff66}', '\u{ff9f}'),
    ('\u{20000}', '\u{3ffff}'),
];
/// Letters of these that count as a word.
const LETTERS: usize = 2;

/// Whether a text of a document is a sentence, and no name, date or other value.
pub fn is_sentence(text: &str) -> bool {
    let is_gap = |c: char| c.is_whitespace() || c == '\u{200b}';
    let n_words: usize = text.split(is_gap).map(n_words).sum();
    n_words >= WORDS[0] || (n_words >= WORDS[1] && text.trim_end().ends_with(ENDS))
}

/// Words in what stands between two gaps.
fn n_words(part: &str) -> usize {
    let is_unspaced = |c: &char| UNSPACED.iter().any(|(from, to)| (from..=to).contains(&c));
    match part.chars().filter(is_unspaced).count() {
        0 => usize::from(part.contains(char::is_alphabetic)),
        n => n.div_ceil(LETTERS),
    }
}

/// Whether a text says anything: it has letters, digits or signs, and is no mere rule or mark.
pub(super) fn says_something(text: &str) -> bool {
    text.contains(|c: char| c.is_alphanumeric() || !(c.is_ascii() || c.is_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_told_from_names_in_every_script() {
        for text in [
            "You are a fool",
            "Go away.",
            "你是个彻头彻尾的傻瓜",
            "你真是傻瓜。",
            "คุณเป็นคนโง่มาก",
            "You\u{200b}are\u{200b}a\u{200b}fool",
            "あなたは馬鹿です！",
            "ｱﾅﾀﾊﾊﾞｶﾃﾞｽ",
            "तुम मूर्ख हो।",
        ] {
            assert!(is_sentence(text), "{text}");
        }
        for text in ["Paris", "New York", "2024-05-01", "a/b/c/d/e", "北京大学", "東京", "x.", "1 2 3 4 5", ""] {
            assert!(!is_sentence(text), "{text}");
        }
    }

    #[test]
    fn numbers_and_signs_say_something_and_rules_do_not() {
        for text in ["41.", "👍", "⠓⠊", "x"] {
            assert!(says_something(text), "{text}");
        }
        for text in ["---\n", " * * *", "", "\u{2003}\n"] {
            assert!(!says_something(text), "{text:?}");
        }
    }
}
