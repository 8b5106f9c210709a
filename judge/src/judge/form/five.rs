//! `five`: a comparison that ends in `[[A>>B]]` … `[[B>>A]]` (Arena-Hard).
//!
//! Double brackets are looked for first, then single ones. `[[A<B]]` is read as `[[B>A]]`, as Arena-Hard does: models turn the sign
//! instead of the letters.

use std::sync::LazyLock;

use regex::Regex;

use super::super::verdict::{NoVerdict, Verdict};
use super::reply::{last, pattern};

/// How the reply must end.
pub(super) const ENDING: &str = "Explain in a few sentences what decides. Then end with exactly one of these on a line of its own: \
[[A>>B]] if answer A is much better, \
[[A>B]] if answer A is better, [[A=B]] if neither is, [[B>A]] if answer B is better, [[B>>A]] if answer B is much better.";

/// In two and in one pair of brackets.
static RELATIONS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let relation = r"\s*(A\s*(?:>>|>|=|<<|<)\s*B|B\s*(?:>>|>|=|<<|<)\s*A)\s*";
    [pattern(&format!(r"\[\[{relation}\]\]")), pattern(&format!(r"\[{relation}\]"))]
});

/// The last relation that a reply names.
pub(super) fn verdict(reply: &str) -> Result<Verdict, NoVerdict> {
    let found = RELATIONS.iter().find_map(|pattern| last(pattern, reply)).ok_or(NoVerdict::NoToken)?;
    let relation: String = found.chars().filter(|symbol| !symbol.is_whitespace()).collect();
    match relation.as_str() {
        "A>>B" | "B<<A" => Ok(Verdict::StrongFirst),
        "A>B" | "B<A" => Ok(Verdict::First),
        "A=B" | "B=A" => Ok(Verdict::Tie),
        "B>A" | "A<B" => Ok(Verdict::Second),
        "B>>A" | "A<<B" => Ok(Verdict::StrongSecond),
        _ => Err(NoVerdict::NoToken),
    }
}
