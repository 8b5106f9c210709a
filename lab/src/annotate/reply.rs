//! What a reply says: for each answer that was shown the score of each aspect with its reason.
//!
//! The form that is asked for is a line `Answer N` and below it lines such as `Honesty: 4 (because …)`. Marks of lists, tables and emphasis may
//! stand around names and numbers, and an aspect may be a title with `Rating: 4` and `Rationale: …` below it. A score is a whole number from 1 to
//! 5, also `4/5`; `4.5`, `1-5`, `4/10` and `7` are none. A reply without the score of some aspect of some answer, or with two scores that
//! differ, is no rating at all.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::aspect::Aspect;
use super::fault::{FaultReason, ReplyFault};
use super::record::Rating;
use crate::baseline::{BEFORE_SCORE, MARKS, pattern, said, score};

/// The number of an answer, alone in its line.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"(?i)^{MARKS}\[?(?:answer|text|response|output){MARKS}(\d+)[\])]?{MARKS}[:.]?{MARKS}$"))
});
/// A line that begins with an aspect: what stands behind its name.
static NAMED: LazyLock<Vec<(Aspect, Regex)>> = LazyLock::new(|| {
    let line = |aspect: Aspect| {
        let name = aspect.title().replace(' ', r"[\s_-]*");
        let bullet = r"(?:\(?\d+[.)])?";
        let text = format!(
            r"(?i)^{MARKS}{bullet}{MARKS}{name}(?:\s+(?:score|rating))?{MARKS}(?:$|[:=|]{BEFORE_SCORE}[\[(]?(.*)$|[\[(]?(\d.*)$)"
        );
        (aspect, pattern(&text))
    };
    Aspect::ALL.map(line).into()
});
/// A score below the title of its aspect.
static RATED: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"(?i)^{MARKS}(?:rating|score){MARKS}[:=|]{BEFORE_SCORE}[\[(]?(\d.*)$")));
/// What a reason begins with.
static REASON: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"(?i)^{MARKS}(?:rationale|reason|reasoning){MARKS}[:=|]{MARKS}")));
/// Behind a score, a word that makes it a count of something: `2 errors`.
static COUNTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^\d+[\s*_]*(?:(?:/|out of)\s*5)?[\s*_]*(\pL+)"));
/// Words that begin a reason.
const BEGINS: [&str; 8] = ["because", "since", "as", "the", "it", "this", "out", "for"];

/// The ratings of answers in the order in which they were shown.
///
/// # Errors
/// What the reply does not say, or says twice.
pub(super) fn read(
    reply: &str,
    n_shown: usize,
    aspects: &[Aspect],
) -> Result<Vec<BTreeMap<Aspect, Rating>>, ReplyFault> {
    let mut reader = Reader {
        ratings: vec![BTreeMap::new(); n_shown],
        answer: (n_shown == 1).then_some(0),
        aspect: None,
        bad: None,
    };
    for line in said(reply).lines() {
        reader.take(line.trim())?;
    }
    for (answer, ratings) in reader.ratings.iter_mut().enumerate() {
        ratings.retain(|aspect, _| aspects.contains(aspect));
        let missing = aspects.iter().find(|aspect| !ratings.contains_key(aspect));
        match (missing, reader.bad.take()) {
            (None, _) => {}
            (Some(_), Some(bad)) => return Err(bad),
            (Some(aspect), None) => {
                let message = format!("answer {} has no score of {aspect}", answer + 1);
                return Err(ReplyFault { reason: FaultReason::NoScore, message });
            }
        }
    }
    Ok(reader.ratings)
}

/// What was read so far.
struct Reader {
    ratings: Vec<BTreeMap<Aspect, Rating>>,
    /// The answer whose lines are read.
    answer: Option<usize>,
    /// The aspect whose lines are read.
    aspect: Option<Aspect>,
    /// The first number that is no score.
    bad: Option<ReplyFault>,
}

impl Reader {
    fn take(&mut self, line: &str) -> Result<(), ReplyFault> {
        if let Some(number) = HEADER.captures(line).map(|found| found[1].to_owned()) {
            let answer = number.parse::<usize>().ok().filter(|number| (1..=self.ratings.len()).contains(number));
            let message = || format!("there is no answer {number}");
            let answer = answer.ok_or_else(|| ReplyFault { reason: FaultReason::UnknownAnswer, message: message() })?;
            (self.answer, self.aspect) = (Some(answer - 1), None);
            return Ok(());
        }
        for (aspect, named) in NAMED.iter() {
            if let Some(found) = named.captures(line) {
                self.aspect = Some(*aspect);
                let rest = found.get(1).or(found.get(2)).map_or("", |rest| rest.as_str());
                return if rest.starts_with(|c: char| c.is_ascii_digit()) { self.rate(*aspect, rest) } else { Ok(()) };
            }
        }
        match (RATED.captures(line), self.aspect) {
            (Some(found), Some(aspect)) => self.rate(aspect, &found[1]),
            _ => {
                self.explain(line);
                Ok(())
            }
        }
    }

    /// Takes a score with what stands behind it.
    fn rate(&mut self, aspect: Aspect, text: &str) -> Result<(), ReplyFault> {
        let Some(answer) = self.answer else { return Ok(()) };
        let is_count = COUNTED.captures(text).is_some_and(|found| !BEGINS.contains(&found[1].to_lowercase().as_str()));
        let Some(score) = score(text).filter(|_| !is_count) else {
            let said: String = text.chars().take(20).collect();
            let message = format!("answer {}: {said:?} is no score of {aspect}", answer + 1);
            self.bad.get_or_insert(ReplyFault { reason: FaultReason::NoScore, message });
            return Ok(());
        };
        if let Some(known) = self.ratings[answer].get(&aspect) {
            let message = || format!("answer {} has two scores of {aspect}: {} and {score}", answer + 1, known.score);
            return match known.score == score {
                true => Ok(()),
                false => Err(ReplyFault { reason: FaultReason::TwoScores, message: message() }),
            };
        }
        self.ratings[answer].insert(aspect, Rating { score, rationale: reason(text) });
        Ok(())
    }

    /// Adds a line to the reason of the score above it.
    fn explain(&mut self, line: &str) {
        let text = REASON.replace(line, "");
        let text = text.trim_matches(['`', '*', ' ']);
        let rating = self.answer.zip(self.aspect).and_then(|(answer, aspect)| self.ratings[answer].get_mut(&aspect));
        if let Some(rating) = rating.filter(|_| !text.is_empty()) {
            let space = if rating.rationale.is_empty() { "" } else { " " };
            rating.rationale = format!("{}{space}{text}", rating.rationale);
        }
    }
}

/// What stands behind a score, without the marks and brackets around it.
fn reason(text: &str) -> String {
    static SCORE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)^\d+[\s*_]*(?:(?:/|out of)\s*5)?[\])*_\s|.,:;–—-]*"));
    let rest = SCORE.replace(text, "");
    let rest = REASON.replace(&rest, "").into_owned();
    let rest = rest.trim().trim_end_matches('|').trim_end();
    let inner = rest.strip_prefix(['(', '[']).and_then(|rest| rest.strip_suffix([')', ']', '.']));
    inner.map_or(rest, |inner| inner.trim_end_matches([')', ']'])).trim().to_owned()
}
