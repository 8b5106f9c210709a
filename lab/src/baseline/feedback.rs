//! What feedback says: a score for each trait, and whether the answer is right.

use std::sync::LazyLock;

use regex::Regex;

use super::clean::pattern;
use super::words::TRAITS;

/// Highest score of a trait.
pub(crate) const TOP_SCORE: u32 = 5;

/// What may stand around a name or a number: white space, and marks of lists, tables and emphasis.
pub(crate) const MARKS: &str = r"[\s*_`#>|+\-–—]*";
/// What may stand before a score: the same without dashes, behind which a number is below 0.
pub(crate) const BEFORE_SCORE: &str = r"[\s*_`#>|+]*";

/// A line with a trait and what follows its name; the trait is the place of the group.
static SCORES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let line = |(name, _): &(&str, &str)| {
        let bullet = r"(?:\(?\d+[.)])?";
        pattern(&format!(r"(?im)^{MARKS}{bullet}{MARKS}{name}{MARKS}[:=|]{BEFORE_SCORE}[\[(]?(\d+[^\r\n]*)$"))
    };
    TRAITS.iter().map(line).collect()
});
/// The verdict, with nothing behind it: who writes both verdicts has not chosen.
static VERDICT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"(?im)^{MARKS}verdict{MARKS}[:=]{MARKS}[\[(]?(not right|right)[^\pL\r\n]*\r?$"))
});
/// What follows a score that is out of another number.
static OUT_OF: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:/|out of)\s*(\d+)"));
/// What makes a number part of another one, or of a range.
static MORE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:[.,]\d|\s*(?:[-–—~]|to\b|or\b|and\b)\s*\d)"));

/// What feedback says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Feedback {
    /// The scores of all traits together; none where one of them cannot be read.
    pub(super) score: Option<u32>,
    /// Whether it says that the answer is right.
    pub(super) is_right: bool,
}

impl Feedback {
    /// Reads it. The last of several scores of a trait counts, as does the last verdict.
    pub(super) fn read(text: &str) -> Self {
        let score = SCORES.iter().map(|line| last(line, text).and_then(score)).sum();
        Self { score, is_right: last(&VERDICT, text).is_some_and(|verdict| verdict.eq_ignore_ascii_case("right")) }
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_done(self) -> bool {
        self.is_right || self.score == Some(TOP_SCORE * TRAITS.len() as u32)
    }
}

/// The group of the last match of a pattern.
fn last<'a>(pattern: &Regex, text: &'a str) -> Option<&'a str> {
    Some(pattern.captures_iter(text).last()?.get(1)?.as_str())
}

/// The score at the start of a text: `4`, `4/5`, `4 out of 5`, and not `4.5`, `1-5`, `4 or 5`, `4/10`, `7`.
pub(crate) fn score(text: &str) -> Option<u32> {
    let end = text.find(|symbol: char| !symbol.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if let Some(whole) = OUT_OF.captures(rest) {
        (whole[1].parse() == Ok(TOP_SCORE)).then_some(())?;
    }
    if MORE.is_match(rest) {
        return None;
    }
    number.parse().ok().filter(|number| (1..=TOP_SCORE).contains(number))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Feedback in the form that is asked for.
    pub(in super::super) fn feedback(scores: [u32; 5], verdict: &str) -> String {
        let lines = TRAITS.iter().zip(scores).map(|((name, _), score)| format!("{name}: {score} (because)\n"));
        lines.collect::<String>() + "Verdict: " + verdict
    }

    fn with_first(score: &str) -> Option<u32> {
        let text = feedback([1, 2, 3, 4, 5], "not right").replacen("1 (because)", score, 1);
        Feedback::read(&text).score
    }

    #[test]
    fn the_form_that_is_asked_for_is_read() {
        let read = Feedback::read(&feedback([1, 2, 3, 4, 5], "not right"));
        assert_eq!(read, Feedback { score: Some(15), is_right: false });
        assert!(!read.is_done());
        assert!(Feedback::read(&feedback([5; 5], "not right")).is_done());
        let right = Feedback::read(&feedback([4; 5], "right"));
        assert!(right.is_done() && right.score == Some(20));
    }

    #[test]
    fn scores_are_read_however_they_are_dressed() {
        for score in ["4", "4/5", "4 / 5 good", "4 out of 5", "**4** good", "[4]", "(4) fine", "4, 3 of 4 hold", "4."] {
            assert_eq!(with_first(score), Some(18), "{score}");
        }
        let dressed = feedback([2; 5], "right").replace("Correct:", "1. **Correct**:").replace("Clear:", "| Clear |");
        let dressed = dressed.replace("Honest:", "- *honest:*").replace("Verdict: right", "**Verdict:** Right.\r\n");
        assert_eq!(Feedback::read(&dressed), Feedback { score: Some(10), is_right: true });
    }

    #[test]
    fn what_is_no_score_is_none() {
        for score in
            ["", "good", "0", "6", "45", "4.5", "4,5", "1-5", "1 – 5", "4 to 5", "4 or 5", "4/10", "8 out of 10", "-"]
        {
            assert_eq!(with_first(score), None, "{score}");
        }
        for text in ["", "It is perfect! 5/5", "Correct: 5\nComplete: 5", "99999999999999999999", "Correctness: 5"] {
            assert_eq!(Feedback::read(text), Feedback::default(), "{text}");
        }
    }

    #[test]
    fn the_last_word_counts_and_both_verdicts_are_none() {
        let text = feedback([5; 5], "right") + "\nNo, I was wrong.\n" + &feedback([1; 5], "not right");
        assert_eq!(Feedback::read(&text), Feedback { score: Some(5), is_right: false });
        for verdict in ["right or not right", "\"right\" / \"not right\"", "rightly so", "not sure"] {
            assert!(!Feedback::read(&feedback([3; 5], verdict)).is_right, "{verdict}");
        }
    }
}
