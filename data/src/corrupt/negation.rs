//! Turning a sentence into its opposite, where that can be done without understanding it.

use crate::phrase::uncapitalised;

/// Verbs that take a `not` behind them, with the way to say so.
const VERBS: [(&str, &str); 14] = [
    (" is ", " is not "),
    (" are ", " are not "),
    (" was ", " was not "),
    (" were ", " were not "),
    (" can ", " cannot "),
    (" should ", " should not "),
    (" will ", " will not "),
    (" may ", " may not "),
    (" must ", " must not "),
    (" has ", " does not have "),
    (" have ", " do not have "),
    (" lives ", " does not live "),
    (" needs ", " does not need "),
    (" takes ", " does not take "),
];

/// Words a sentence may begin with that are written small inside a sentence.
const SMALL: [&str; 36] = [
    "The", "A", "An", "It", "Its", "They", "Their", "This", "That", "These", "Those", "There", "You", "Your", "He",
    "She", "His", "Her", "We", "In", "On", "At", "If", "When", "Most", "Many", "Some", "Each", "Every", "All", "Both",
    "One", "For", "With", "From", "People",
];

/// Sentences that begin so say something only under a condition, or are no statement.
const CONDITIONS: [&str; 14] = [
    "If", "When", "While", "Because", "Although", "Unless", "Once", "After", "Before", "Since", "As", "What", "Not",
    "No",
];

/// Whether the sentence can follow a comma with a small first letter.
pub(crate) fn begins_small(sentence: &str) -> bool {
    sentence.split([' ', ',']).next().is_some_and(|word| SMALL.contains(&word))
}

/// The sentence's opposite, or `None` when there is no plain verb to negate in its first part.
pub(super) fn negated(sentence: &str) -> Option<String> {
    let first = sentence.split(' ').next()?;
    let ends = sentence.ends_with('.') && sentence.len() < 160;
    if !ends
        || CONDITIONS.contains(&first)
        || [" not ", "cannot", "n't", " never ", " no "].iter().any(|no| sentence.contains(no))
    {
        return None;
    }
    // behind a comma, a colon or a relative word the verb may belong to something else
    let head = sentence.find([',', ':', ';', '(']).unwrap_or(sentence.len());
    let head = [" that ", " which ", " who ", " where ", " when ", " if ", " because ", " and "]
        .iter()
        .filter_map(|word| sentence.find(word))
        .fold(head, usize::min);
    let (at, verb, not) =
        VERBS.iter().filter_map(|&(verb, not)| Some((sentence.find(verb)?, verb, not))).min_by_key(|found| found.0)?;
    if at + verb.len() > head + 1 {
        return None;
    }
    let sentence = format!("{}{not}{}", &sentence[..at], &sentence[at + verb.len()..]);
    Some(if begins_small(&sentence) { uncapitalised(&sentence) } else { sentence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_statements_are_negated() {
        let not = |text| negated(text).unwrap();
        assert_eq!(not("The capital of France is Paris."), "the capital of France is not Paris.");
        assert_eq!(not("Rome has many hills, and it is old."), "Rome does not have many hills, and it is old.");
        assert_eq!(not("You can freeze it."), "you cannot freeze it.");
    }

    #[test]
    fn what_might_go_wrong_is_left_alone() {
        for text in [
            "If it is cold, wear a coat.",
            "Boil the egg.",
            "It is not cold.",
            "The man who is here sings.",
            "Near the sea, it is mild.",
            "Is it cold?",
            "",
        ] {
            assert_eq!(negated(text), None, "{text}");
        }
    }
}
