//! Splitting data by question, so that no question lands in two parts: pairs, calibration and evaluation must not overlap.
//!
//! Two keys are the same question when they are equal after lowercasing and with each run of white space made one space. Shares
//! and counts are of *distinct* questions; all rows of a question go where it goes. The split depends on the order of first
//! appearance and on the seed.

use std::collections::{BTreeSet, HashMap};

use redline_model::random::Random;

use crate::{Error, Result};

/// How much of the data each part takes. What is left over is in no part.
#[derive(Debug, Clone, PartialEq)]
pub enum PartSizes {
    /// Shares of the distinct questions, each above 0, together at most 1.
    Shares(Vec<f64>),
    /// Numbers of distinct questions.
    Counts(Vec<usize>),
}

/// Rounding allowed in shares that add up to 1.
const SHARE_ROUNDING: f64 = 1e-9;

/// Splits rows by their key: one list of row indices a part, each in rising order.
///
/// # Errors
/// When a share is out of range, the parts ask for more than there is, or one would be empty.
pub fn split_by_question<S: AsRef<str>>(keys: &[S], sizes: &PartSizes, seed: u64) -> Result<Vec<Vec<usize>>> {
    let mut questions = rows_by_question(keys);
    let bounds = part_bounds(sizes, questions.len())?;
    Random::named(&[seed], "split").shuffle(&mut questions);
    let parts = bounds.iter().map(|&(from, to)| {
        let mut rows: Vec<usize> = questions[from..to].concat();
        rows.sort_unstable();
        rows
    });
    Ok(parts.collect())
}

/// The questions that occur on both sides, normalised, in alphabetical order; empty when nothing leaks.
pub fn overlap<A: AsRef<str>, B: AsRef<str>>(a: &[A], b: &[B]) -> Vec<String> {
    let left: BTreeSet<String> = a.iter().map(|key| normalise(key.as_ref())).collect();
    let right: BTreeSet<String> = b.iter().map(|key| normalise(key.as_ref())).collect();
    left.intersection(&right).cloned().collect()
}

/// The form in which two keys are compared: lower case, single spaces, none at the ends.
pub fn normalise(key: &str) -> String {
    // lower case first: it may itself give white space its final form
    key.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of each distinct question, in order of first appearance.
fn rows_by_question<S: AsRef<str>>(keys: &[S]) -> Vec<Vec<usize>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut questions: Vec<Vec<usize>> = Vec::new();
    for (row, key) in keys.iter().enumerate() {
        let place = *places.entry(normalise(key.as_ref())).or_insert(questions.len());
        match questions.get_mut(place) {
            Some(rows) => rows.push(row),
            None => questions.push(vec![row]),
        }
    }
    questions
}

/// Where each part begins and ends among `available` questions.
fn part_bounds(sizes: &PartSizes, available: usize) -> Result<Vec<(usize, usize)>> {
    let ends = match sizes {
        PartSizes::Shares(shares) => share_ends(shares, available)?,
        PartSizes::Counts(counts) => count_ends(counts),
    };
    let asked = ends.last().copied().unwrap_or(0);
    if asked > available {
        return Err(Error::SplitTooLarge { asked, available });
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let bounds: Vec<(usize, usize)> = starts.zip(ends.iter().copied()).collect();
    match bounds.iter().position(|(from, to)| from == to) {
        Some(part) => Err(Error::SplitEmptyPart { part, available }),
        None => Ok(bounds),
    }
}

fn share_ends(shares: &[f64], available: usize) -> Result<Vec<usize>> {
    let mut total = 0.0;
    let mut ends = Vec::with_capacity(shares.len());
    for (part, &share) in shares.iter().enumerate() {
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::SplitShare { part, share });
        }
        total += share;
        if total > 1.0 + SHARE_ROUNDING {
            return Err(Error::SplitShares { total });
        }
        // the running total is rounded, not each part: shares that add up to 1 leave no question out
        ends.push((total.min(1.0) * available as f64).round() as usize);
    }
    Ok(ends)
}

fn count_ends(counts: &[usize]) -> Vec<usize> {
    let running = counts.iter().scan(0_usize, |total, &count| {
        *total = total.saturating_add(count);
        Some(*total)
    });
    running.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spelling_of_white_space_and_case_does_not_matter() {
        assert_eq!(normalise("  What\tis\n Rust? "), "what is rust?");
        assert_eq!(overlap(&["A  b", "c"], &["d", " a B\n"]), ["a b"]);
        assert!(overlap(&["a"], &["b"]).is_empty());
    }

    #[test]
    fn rows_of_one_question_stay_together() {
        let keys = ["one", "two", "ONE ", "three", " two"];
        let parts = split_by_question(&keys, &PartSizes::Counts(vec![1, 1, 1]), 5).unwrap();
        let mut sorted = parts.clone();
        sorted.sort();
        assert_eq!(sorted, [vec![0, 2], vec![1, 4], vec![3]]);
    }

    #[test]
    fn a_seed_fixes_the_split() {
        let keys: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        let run = |seed| split_by_question(&keys, &PartSizes::Shares(vec![0.5, 0.5]), seed).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn the_first_split_stays_what_it_is() {
        // published tables rest on who is held out
        let keys: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        let parts = split_by_question(&keys, &PartSizes::Counts(vec![3, 3]), 0).unwrap();
        assert_eq!(parts, [[1, 4, 5], [0, 8, 9]]);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let keys = ["a", "b", "c"];
        let split = |sizes| split_by_question(&keys, &sizes, 0).unwrap_err();
        assert!(matches!(split(PartSizes::Counts(vec![2, 2])), Error::SplitTooLarge { asked: 4, available: 3 }));
        assert!(matches!(split(PartSizes::Counts(vec![usize::MAX, 2])), Error::SplitTooLarge { .. }));
        assert!(matches!(split(PartSizes::Counts(vec![2, 0])), Error::SplitEmptyPart { part: 1, .. }));
        assert!(matches!(split(PartSizes::Shares(vec![0.9, 0.1])), Error::SplitEmptyPart { part: 1, .. }));
        assert!(matches!(split(PartSizes::Shares(vec![0.9, 0.9])), Error::SplitShares { .. }));
        for share in [0.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            assert!(matches!(split(PartSizes::Shares(vec![share])), Error::SplitShare { part: 0, .. }));
        }
    }

    proptest! {
        #[test]
        fn no_question_lands_in_two_parts(
            keys in prop::collection::vec("[aAbB \t]{1,4}", 1..60),
            first in 0.05..0.9_f64,
            seed in any::<u64>(),
        ) {
            let sizes = PartSizes::Shares(vec![first, 1.0 - first]);
            if let Ok(parts) = split_by_question(&keys, &sizes, seed) {
                let texts = |part: &[usize]| part.iter().map(|&row| keys[row].as_str()).collect::<Vec<_>>();
                prop_assert_eq!(overlap(&texts(&parts[0]), &texts(&parts[1])), Vec::<String>::new());
                let mut all = parts.concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..keys.len()).collect::<Vec<_>>());
            }
        }

        #[test]
        fn counts_are_met_in_distinct_questions(
            keys in prop::collection::vec("[abcd ]{1,3}", 1..60),
            sizes in prop::collection::vec(1..5_usize, 1..4),
            seed in any::<u64>(),
        ) {
            let distinct = keys.iter().map(|key| normalise(key)).collect::<BTreeSet<_>>().len();
            match split_by_question(&keys, &PartSizes::Counts(sizes.clone()), seed) {
                Err(_) => prop_assert!(sizes.iter().sum::<usize>() > distinct),
                Ok(parts) => for (part, size) in parts.iter().zip(&sizes) {
                    let questions: BTreeSet<String> = part.iter().map(|&row| normalise(&keys[row])).collect();
                    prop_assert_eq!(questions.len(), *size);
                },
            }
        }

        #[test]
        fn normalising_twice_changes_nothing(key in any::<String>()) {
            let once = normalise(&key);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
