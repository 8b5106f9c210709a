//! Repetition: how much of a token sequence says again what it said before.
//!
//! A sequence of T tokens has T − n + 1 n-grams (runs of n tokens, overlapping). The rate is
//! 1 − distinct n-grams / all n-grams: 0 when none occurs twice, towards 1 for a loop. A loop inflates the edit ratio
//! and so fakes correction; this number exposes it. It says nothing about copying from the prompt.

use std::collections::HashSet;
use std::hash::Hash;
use std::num::NonZeroUsize;

/// The n of the repetition rate quoted in sweeps: 4-grams.
pub const REPETITION_N: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not zero");

/// Share of n-grams that repeat an earlier one; 0 for a sequence of fewer than `n` tokens.
///
/// # Example
/// ```
/// use redline_steer::{REPETITION_N, repetition_rate};
///
/// // Five 4-grams, of which the last repeats the first.
/// assert_eq!(repetition_rate(&[1, 2, 3, 4, 1, 2, 3, 4], REPETITION_N), 1.0 - 4.0 / 5.0);
/// ```
pub fn repetition_rate<T: Eq + Hash>(tokens: &[T], n: NonZeroUsize) -> f64 {
    let Some(total) = (tokens.len() + 1).checked_sub(n.get()).filter(|&total| total > 0) else {
        return 0.0;
    };
    let distinct: HashSet<&[T]> = tokens.windows(n.get()).collect();
    1.0 - distinct.len() as f64 / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn short_sequences_do_not_repeat() {
        assert_eq!(repetition_rate::<u32>(&[], REPETITION_N), 0.0);
        assert_eq!(repetition_rate(&[7, 7, 7], REPETITION_N), 0.0);
        assert_eq!(repetition_rate(&[7, 7, 7, 7], REPETITION_N), 0.0);
        assert_eq!(repetition_rate(&[7, 7], n(usize::MAX)), 0.0);
    }

    #[test]
    fn a_loop_is_counted() {
        // Seven 4-grams of one kind.
        assert_eq!(repetition_rate(&[7; 10], REPETITION_N), 1.0 - 1.0 / 7.0);
        // a b a b a: bigrams ab ba ab ba.
        assert_eq!(repetition_rate(&["a", "b", "a", "b", "a"], n(2)), 0.5);
        assert_eq!(repetition_rate(&[1, 2, 1, 3], n(1)), 0.25);
    }

    proptest! {
        #[test]
        fn lies_between_zero_and_one_and_grows_when_a_text_is_said_twice(
            tokens in prop::collection::vec(0u32..50, 4..60), size in 1usize..6,
        ) {
            let once = repetition_rate(&tokens, n(size));
            prop_assert!((0.0..1.0).contains(&once));
            let mut twice = tokens.clone();
            twice.extend(&tokens);
            prop_assert!(repetition_rate(&twice, n(size)) > 0.0 || size > tokens.len());
        }

        #[test]
        fn distinct_tokens_never_repeat(length in 0u32..60, size in 1usize..6) {
            let tokens: Vec<u32> = (0..length).collect();
            prop_assert_eq!(repetition_rate(&tokens, n(size)), 0.0);
        }
    }
}
