//! Beginnings of answers that say nothing or refuse.
//!
//! String match is a bound, not a measure: a refusal in other words is not found, and a text that begins like a refusal may go on to
//! help. For rates of refusal ask a judge.

/// Beginnings that say nothing.
pub const BOILERPLATE: [&str; 14] = [
    "As an AI language model",
    "As a language model",
    "As an AI assistant",
    "As an artificial intelligence",
    "As an AI,",
    "I'm just an AI",
    "I am just an AI",
    "Sure, here is",
    "Sure, here's",
    "Sure! Here is",
    "Sure! Here's",
    "Certainly! Here is",
    "Certainly! Here's",
    "Of course! Here",
];

/// Beginnings of refusals.
pub const REFUSALS: [&str; 19] = [
    "I'm sorry, but",
    "I am sorry, but",
    "I'm sorry, I can",
    "I'm really sorry, but",
    "Sorry, but I can",
    "Sorry, I can",
    "I apologize, but",
    "I can't help with",
    "I can't assist with",
    "I cannot help",
    "I cannot assist",
    "I cannot provide",
    "I cannot fulfill",
    "I can't provide",
    "I won't help",
    "I'm unable to",
    "I am unable to",
    "I'm not able to",
    "I am not able to",
];

/// Whether a text begins with one of the phrases: case, kinds of apostrophe, and white space before it do not matter. An empty phrase is
/// none.
///
/// # Example
/// ```
/// use redline_data::filters::{REFUSALS, begins_with_any};
/// assert!(begins_with_any(" I’m sorry, but no.", &REFUSALS));
/// assert!(!begins_with_any("I said: I'm sorry, but no.", &REFUSALS));
/// ```
pub fn begins_with_any<S: AsRef<str>>(text: &str, phrases: &[S]) -> bool {
    let text = text.trim_start();
    phrases.iter().any(|phrase| begins_with(text, phrase.as_ref()))
}

fn begins_with(text: &str, phrase: &str) -> bool {
    let plain = |c: char| if c == '\u{2019}' { '\'' } else { c };
    let mut left = text.chars().map(plain).flat_map(char::to_lowercase);
    !phrase.is_empty() && phrase.chars().map(plain).flat_map(char::to_lowercase).all(|c| left.next() == Some(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_found_whatever_their_case() {
        assert!(begins_with_any("AS AN AI LANGUAGE MODEL I", &BOILERPLATE));
        assert!(begins_with_any("\n\nSure, here’s a list", &BOILERPLATE));
        assert!(!begins_with_any("Sure", &BOILERPLATE));
        assert!(!begins_with_any("", &BOILERPLATE));
        assert!(!begins_with_any("anything", &[""]));
        assert!(!begins_with_any::<&str>("anything", &[]));
    }
}
