//! Levenshtein distance: the least number of insertions, deletions and substitutions, each at cost 1, that turn one
//! sequence into the other.
//!
//! Text is compared by Unicode scalar values as it stands: no normalisation (`é` as one scalar value and as `e` with a
//! combining accent differ by 2), no case folding, no trimming. The work is the bit-parallel algorithm of the
//! `rapidfuzz` crate, O(n·m / 64), without its score hint: in version 0.5.0 a hint gives wrong distances for long texts.

use rapidfuzz::distance::levenshtein::distance;

/// Most steps that one comparison should take: half a second, two unlike texts of 100,000 characters.
pub const MOST_STEPS: u64 = 200_000_000;

/// Steps that comparing two texts takes, 64 pairs of characters each; what they begin and end with alike takes none.
pub fn comparison_steps(a: &str, b: &str) -> u64 {
    let n_alike = |pairs: &mut dyn Iterator<Item = (char, char)>| pairs.take_while(|(a, b)| a == b).count();
    let (a_length, b_length) = (a.chars().count(), b.chars().count());
    let start = n_alike(&mut a.chars().zip(b.chars()));
    let end = n_alike(&mut a.chars().rev().zip(b.chars().rev())).min(a_length.min(b_length) - start);
    let left = |length: usize| (length - start - end) as u64;
    left(a_length).saturating_mul(left(b_length).div_ceil(64))
}

/// Levenshtein distance between two texts, counted in Unicode scalar values.
///
/// # Example
/// ```
/// assert_eq!(redline_steer::levenshtein_distance("kitten", "sitting"), 3);
/// ```
pub fn levenshtein_distance(a: &str, b: &str) -> usize {
    distance(a.chars(), b.chars())
}

/// Levenshtein distance between two sequences of token ids.
///
/// # Example
/// ```
/// assert_eq!(redline_steer::levenshtein_distance_tokens(&[5, 6, 7], &[5, 7]), 1);
/// ```
pub fn levenshtein_distance_tokens(a: &[u32], b: &[u32]) -> usize {
    distance(a.iter().copied(), b.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Edits of a text, so that pairs are related the way an answer and its correction are.
    fn edited(text: Vec<char>, edits: &[(usize, char, u8)]) -> String {
        let mut text = text;
        for &(at, scalar, kind) in edits {
            let at = at % (text.len() + 1);
            match kind % 3 {
                0 => text.insert(at, scalar),
                1 if at < text.len() => text[at] = scalar,
                _ if at < text.len() => drop(text.remove(at)),
                _ => text.push(scalar),
            }
        }
        text.into_iter().collect()
    }

    /// A few letters only, so that matches are frequent; some outside ASCII and outside the basic plane.
    fn scalars(longest: usize) -> impl Strategy<Value = Vec<char>> {
        let scalar = prop::sample::select(vec!['a', 'b', 'c', ' ', 'é', '\u{301}', '日', '👩', '\u{200d}']);
        prop::collection::vec(scalar, 0..longest)
    }

    #[test]
    fn steps_are_those_of_the_unlike_middles() {
        assert_eq!(comparison_steps("same", "same"), 0);
        assert_eq!(comparison_steps("aaa", "aa"), 0);
        assert_eq!(comparison_steps("xay", "xbby"), 1);
        assert_eq!(comparison_steps(&"a".repeat(1000), &"b".repeat(65)), 2000);
    }

    #[test]
    fn counts_scalar_values_not_bytes_or_graphemes() {
        assert_eq!(levenshtein_distance("", ""), 0);
        assert_eq!(levenshtein_distance("日本語のテキスト", "日本語テキスト"), 1);
        assert_eq!(levenshtein_distance("é", "e\u{301}"), 2);
        assert_eq!(levenshtein_distance("", "👩\u{200d}👧"), 3);
    }

    #[test]
    fn long_texts_cross_every_block_boundary() {
        // Lengths around 64 and 90 switch the algorithm; one shifted copy each.
        for length in (1..=260).chain([1023, 1024, 1025, 4097]) {
            let text: String = (0..length).map(|i| char::from(b'a' + (i * i % 23) as u8)).collect();
            let shifted = format!("{}X", &text[1..]);
            assert_eq!(levenshtein_distance(&text, &shifted), strsim::levenshtein(&text, &shifted), "{length}");
        }
    }

    proptest! {
        #[test]
        fn equals_the_slow_reference(a in scalars(300), b in scalars(300)) {
            let (a, b): (String, String) = (a.into_iter().collect(), b.into_iter().collect());
            prop_assert_eq!(levenshtein_distance(&a, &b), strsim::levenshtein(&a, &b));
        }

        #[test]
        fn equals_the_slow_reference_on_related_texts(
            a in scalars(400),
            edits in prop::collection::vec((any::<usize>(), prop::sample::select(vec!['a', 'x', 'ß']), any::<u8>()), 0..30),
        ) {
            let b = edited(a.clone(), &edits);
            let a: String = a.into_iter().collect();
            let distance = levenshtein_distance(&a, &b);
            prop_assert_eq!(distance, strsim::levenshtein(&a, &b));
            prop_assert!(distance <= edits.len());
        }

        #[test]
        fn equals_the_slow_reference_on_any_text(a in ".{0,80}", b in ".{0,80}") {
            prop_assert_eq!(levenshtein_distance(&a, &b), strsim::levenshtein(&a, &b));
        }

        #[test]
        fn token_distance_equals_the_slow_reference(
            a in prop::collection::vec(0u32..6, 0..200),
            b in prop::collection::vec(0u32..6, 0..200),
        ) {
            prop_assert_eq!(levenshtein_distance_tokens(&a, &b), strsim::generic_levenshtein(&a, &b));
        }

        #[test]
        fn token_ids_of_any_size_are_told_apart(a in prop::collection::vec(any::<u32>(), 0..150), b in prop::collection::vec(any::<u32>(), 0..150)) {
            prop_assert_eq!(levenshtein_distance_tokens(&a, &b), strsim::generic_levenshtein(&a, &b));
        }

        #[test]
        fn is_a_metric(a in scalars(80), b in scalars(80), c in scalars(80)) {
            let (a, b, c): (String, String, String) =
                (a.into_iter().collect(), b.into_iter().collect(), c.into_iter().collect());
            let (ab, ba) = (levenshtein_distance(&a, &b), levenshtein_distance(&b, &a));
            prop_assert_eq!(ab, ba);
            prop_assert_eq!(ab == 0, a == b);
            prop_assert_eq!(levenshtein_distance(&a, &a), 0);
            prop_assert!(levenshtein_distance(&a, &c) <= ab + levenshtein_distance(&b, &c));
            let (a_length, b_length) = (a.chars().count(), b.chars().count());
            prop_assert!(ab >= a_length.abs_diff(b_length) && ab <= a_length.max(b_length));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn equals_the_slow_reference_on_texts_as_long_as_answers(
            a in scalars(3000), b in scalars(3000), kept in 0usize..3000,
        ) {
            // The first part of `a` comes again after another beginning: a long shifted match.
            let b: String = b.iter().chain(a.iter().take(kept)).collect();
            let a: String = a.into_iter().collect();
            prop_assert_eq!(levenshtein_distance(&a, &b), strsim::levenshtein(&a, &b));
        }
    }
}
