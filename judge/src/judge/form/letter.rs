//! `letter`: a comparison that ends in `[[A]]`, `[[B]]` or `[[C]]` (MT-bench).

use std::sync::LazyLock;

use regex::Regex;

use super::super::verdict::{NoVerdict, Verdict};
use super::reply::{last, pattern};

/// How the reply must end.
pub(super) const ENDING: &str = "Explain in a few sentences what decides. Then end with exactly one of these on a line of its own: \
[[A]] if answer A is better, \
[[B]] if answer B is better, [[C]] if neither is.";

static LETTER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\[\[\s*([ABC])\s*\]\]"));

/// The last letter that a reply names.
pub(super) fn verdict(reply: &str) -> Result<Verdict, NoVerdict> {
    match last(&LETTER, reply) {
        Some("A") => Ok(Verdict::First),
        Some("B") => Ok(Verdict::Second),
        Some("C") => Ok(Verdict::Tie),
        _ => Err(NoVerdict::NoToken),
    }
}
