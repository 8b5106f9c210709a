//! Numbers and tokens as they are written in a plot.

/// A token with its white space made visible: `·` space, `⏎` line feed, `⇥` tab, `␍` carriage return.
///
/// Other control characters become `\u{…}`, so the text is safe in XML and on a terminal.
///
/// # Example
/// ```
/// assert_eq!(redline_report::plot::visible_token(" is\n"), "·is⏎");
/// ```
pub fn visible_token(token: &str) -> String {
    let mut shown = String::with_capacity(token.len());
    for c in token.chars() {
        match c {
            ' ' | '\u{2581}' | '\u{a0}' => shown.push('·'),
            '\n' => shown.push('⏎'),
            '\t' => shown.push('⇥'),
            '\r' => shown.push('␍'),
            c if unprintable(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// One line of text for a title or a name: control characters become spaces.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if unprintable(c) { ' ' } else { c }).collect()
}

/// `text` with at most `length` characters, cut with an ellipsis.
pub(super) fn shorten(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Control characters and the two code points that XML forbids.
fn unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}')
}

/// A number with `digits` decimals and a true minus sign.
pub(super) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().any(|c| c.is_ascii_digit() && c != '0') => format!("−{rest}"),
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// A number with three significant digits, or two decimals when it is large.
pub(super) fn rounded(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return number(value, 2);
    }
    let magnitude = value.abs().log10().floor() as i32;
    number(value, (2 - magnitude).clamp(1, 6) as usize)
}

/// The shortest of at most three decimals that shows `value`: `0.25`, `−1`, `0.5`.
pub(crate) fn short(value: f64) -> String {
    let text = number(value, 3);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_controls_are_shown() {
        assert_eq!(visible_token("\n\n a\tb\r"), "⏎⏎·a⇥b␍");
        assert_eq!(visible_token("▁the"), "·the");
        assert_eq!(visible_token("\u{1b}[0m"), "\\u{1b}[0m");
    }

    #[test]
    fn numbers_have_a_true_minus_and_no_negative_zero() {
        assert_eq!(number(-0.25, 2), "−0.25");
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!((short(0.5), short(-1.0), short(10.0)), ("0.5".into(), "−1".into(), "10".into()));
        assert_eq!((rounded(0.012345), rounded(123.4)), ("0.0123".into(), "123.4".into()));
    }

    #[test]
    fn long_tokens_are_cut() {
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten("abcd", 4), "abcd");
    }
}
