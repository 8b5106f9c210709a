//! `score`: each answer alone, from 1 to 10 (MT-bench, single answer). The answers do not see each other, so there is no order to prefer;
//! equal scores are a tie.

use std::sync::LazyLock;

use regex::Regex;

use super::super::verdict::{NoVerdict, Verdict};
use super::reply::{last, pattern};

/// How the reply must end.
pub(super) const ENDING: &str = "Explain in a few sentences what decides. Then end with a score from 1, the worst, to 10, the best, \
in double brackets on a line of its own, such as [[5]].";

static SCORE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\[\[\s*(-?\d+(?:\.\d+)?)\s*(?:/\s*10\s*)?\]\]"));

/// The last score that a reply names.
pub(super) fn score(reply: &str) -> Result<f64, NoVerdict> {
    let score: f64 = last(&SCORE, reply).and_then(|score| score.parse().ok()).ok_or(NoVerdict::NoScore)?;
    if (1.0..=10.0).contains(&score) { Ok(score) } else { Err(NoVerdict::NoScore) }
}

/// Whose score is higher.
pub(super) fn verdict(first: &str, second: &str) -> Result<Verdict, NoVerdict> {
    let (first, second) = (score(first)?, score(second)?);
    Ok(match first.total_cmp(&second) {
        std::cmp::Ordering::Greater => Verdict::First,
        std::cmp::Ordering::Equal => Verdict::Tie,
        std::cmp::Ordering::Less => Verdict::Second,
    })
}
