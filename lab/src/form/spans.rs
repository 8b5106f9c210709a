//! What stands inside sentences and only keeps its meaning as it is: links, code, formulas, tags. Where a correction
//! changed or lost it, it comes back.

use std::ops::Range;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::elements::ELEMENTS;
use super::pattern;

/// Longest search for the best alignment; the one found then is used.
const LONGEST_SEARCH: Duration = Duration::from_secs(2);

static SPAN: LazyLock<Regex> = LazyLock::new(|| {
    let element = |name: &str| format!(r"(?i:<{name}(?:\s[^<>\n]*)?>[^<\n]*</{name}\s*>)");
    let elements = ELEMENTS.map(element).join("|");
    let parts = [
        r"``[^\n]+?``|`[^`\n]+`",
        r"\]\([^()\s]+\)",
        r#"(?i:[a-z][a-z0-9+.\-]*://|www\.|mailto:)[^\s<>"`]+"#,
        r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+",
        &elements,
        r"</?[A-Za-z][A-Za-z0-9\-]*(?:\s[^<>\n]*)?/?>|<[!?][^<>\n]*>|&#?\w+;",
        r"\{\{[^{}\n]*\}\}|\$?\{[A-Za-z_][\w.]*\}|<\|[^|\n]*\|>",
        // up to the next mark of its kind, so that many that are never closed take no time
        r"\\\((?:[^\n\\]|\\[^()\n])*\\\)|\\\[(?:[^\n\\]|\\[^\[\]\n])*\\\]",
        r"\$\$[^$\n]+\$\$|\$[^\s$]+\$|\$\\[a-z]+[^$\n]*\$",
        r"\[\^?\d+\]|【[^【】\n]*】",
    ];
    pattern(&parts.join("|"))
});

/// Places of what must survive, in order.
pub(super) fn spans(text: &str) -> Vec<Range<usize>> {
    SPAN.find_iter(text).map(|found| found.start()..found.start() + without_end(found.as_str()).len()).collect()
}

/// A link without the punctuation of the sentence that it ends.
fn without_end(link: &str) -> &str {
    if !link.contains("://") && !link.starts_with("www.") && !link.starts_with("mailto:") {
        return link;
    }
    let (mut link, n_open) = (link, link.matches('(').count());
    let mut n_closed = link.matches(')').count();
    while let Some(last) = link.chars().next_back() {
        let is_open = last == ')' && n_open >= n_closed;
        if is_open || !".,;:!?'\")]}*_".contains(last) {
            break;
        }
        n_closed -= usize::from(last == ')');
        link = &link[..link.len() - last.len_utf8()];
    }
    link
}

/// The correction with everything of `original` that must survive, and how much of it had to be put back.
pub(super) fn restored(original: &str, correction: &str) -> (String, usize) {
    let texts = |text: &str| spans(text).into_iter().map(|span| text[span].to_owned()).collect::<Vec<_>>();
    let (wanted, there) = (texts(original), texts(correction));
    if wanted == there {
        return (correction.to_owned(), 0);
    }
    let (old, new) = (tokens(original), tokens(correction));
    let deadline = Some(Instant::now() + LONGEST_SEARCH);
    let mut out = String::with_capacity(correction.len());
    let mut n_restored = 0;
    for change in capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline) {
        let (before, after) = (&old[change.old_range()], &new[change.new_range()]);
        let lost = before.iter().filter(|token| token.is_kept).count();
        match change {
            _ if lost == 0 || matches!(change, DiffOp::Equal { .. }) => {
                after.iter().for_each(|token| out.push_str(token.text))
            }
            DiffOp::Replace { .. } => {
                n_restored += lost;
                before.iter().for_each(|token| out.push_str(token.text));
            }
            _ => {
                n_restored += lost;
                for token in before.iter().filter(|token| token.is_kept) {
                    if out.ends_with(|last: char| last.is_alphanumeric()) {
                        out.push(' ');
                    }
                    out.push_str(token.text);
                }
            }
        }
    }
    (out, n_restored)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Token<'a> {
    text: &'a str,
    is_kept: bool,
}

/// Words, gaps and marks; what must survive is one token.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    for span in spans(text) {
        tokens.extend(words(&text[at..span.start]));
        tokens.push(Token { text: &text[span.clone()], is_kept: true });
        at = span.end;
    }
    tokens.extend(words(&text[at..]));
    tokens
}

fn words(text: &str) -> Vec<Token<'_>> {
    let kind = |c: char| {
        if c.is_alphanumeric() {
            0
        } else if c.is_whitespace() {
            1
        } else {
            2
        }
    };
    let (mut words, mut from) = (Vec::new(), 0);
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|last| last != kind(c) || last == 2) {
            words.push(Token { text: &text[from..at], is_kept: false });
            from = at;
        }
        last = Some(kind(c));
    }
    if from < text.len() {
        words.push(Token { text: &text[from..], is_kept: false });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        spans(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn links_code_formulas_and_tags_are_found() {
        let text = "See https://a.example/x_(y)?q=1#z, or (http://b.example). Run `ls -l` or ``a`b``.";
        assert_eq!(found(text), ["https://a.example/x_(y)?q=1#z", "http://b.example", "`ls -l`", "``a`b``"]);
        assert_eq!(
            found("Write to me@x.example, <b>now</b> &amp; [here](docs/a.md)."),
            ["me@x.example", "<b>", "</b>", "&amp;", "](docs/a.md)"]
        );
        assert_eq!(
            found(r"So \(x^2\) and $x$, {{name}} or {user.id} [1]."),
            [r"\(x^2\)", "$x$", "{{name}}", "{user.id}", "[1]"]
        );
        assert_eq!(
            found(r"$$x$$ and \[ \frac{a}{b} \] from <code a='b'>ls -l</code>, <!-- no -->."),
            ["$$x$$", r"\[ \frac{a}{b} \]", "<code a='b'>ls -l</code>", "<!-- no -->"]
        );
        assert_eq!(found("It costs $5 and $6; 3 < 4 > 2. And/or."), Vec::<&str>::new());
    }

    #[test]
    fn what_a_correction_lost_comes_back() {
        let original = "You fool. See https://a.example/b for more.";
        assert_eq!(
            restored(original, "See https://a.example/b for more."),
            ("See https://a.example/b for more.".into(), 0)
        );
        let (garbled, n) = restored(original, "See htheum for more.");
        assert!(garbled.contains("https://a.example/b") && garbled.ends_with("for more.") && n == 1, "{garbled}");
        let (gone, n) = restored(original, "See for more.");
        assert!(gone.contains("https://a.example/b") && n == 1, "{gone}");
        let (all, n) = restored("`a` and `b`", "");
        assert!(all.contains("`a`") && all.contains("`b`") && n == 2, "{all}");
        assert_eq!(restored("Plain words.", "Plainer words."), ("Plainer words.".into(), 0));
    }

    #[test]
    fn whatever_the_correction_everything_survives_in_order() {
        let original = "A https://x.example/1 b `c` d <i>e</i> f me@y.example g.";
        let wanted = found(original);
        let words = ["A", " b ", "`c`", "<i>", "https://x.example/1", "zz", ".", " ", "me@y", "g"];
        let mut state = 7_u64;
        for _ in 0..500 {
            let mut correction = String::new();
            for _ in 0..(state % 9) {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                correction.push_str(words[(state >> 33) as usize % words.len()]);
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(3);
            let (text, _) = restored(original, &correction);
            let mut rest = text.as_str();
            for span in &wanted {
                let at = rest.find(span).unwrap_or_else(|| panic!("{span} is lost of {text:?} after {correction:?}"));
                rest = &rest[at + span.len()..];
            }
        }
    }
}
