//! Texts as sets of shingles: all runs of n characters or words, each as a hash of 64 bits.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use redline_probe::split::normalise;

/// Hashes of a text's shingles, ascending, each once. (That two unequal shingles get the same hash in any of a thousand million pairs of
/// texts with a thousand shingles each has a chance of 1 in 20,000.)
pub(crate) type ShingleSet = Box<[u64]>;

/// What a shingle is a run of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShingleUnit {
    /// Unicode scalar values.
    Characters,
    /// What stands between white space.
    Words,
}

/// What texts are cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shingling {
    /// What a shingle is a run of.
    pub unit: ShingleUnit,
    /// How many of them; the work grows in proportion.
    pub n: NonZeroUsize,
}

impl Default for Shingling {
    /// Five characters: fit for questions and answers of a sentence or more.
    fn default() -> Self {
        Self::characters(NonZeroUsize::MIN.saturating_add(4))
    }
}

impl Shingling {
    /// Runs of characters.
    pub fn characters(n: NonZeroUsize) -> Self {
        Self { unit: ShingleUnit::Characters, n }
    }

    /// Runs of words.
    pub fn words(n: NonZeroUsize) -> Self {
        Self { unit: ShingleUnit::Words, n }
    }

    /// The shingles of a text after normalising. A shorter text is one shingle; an empty one has none.
    pub(crate) fn set_of(&self, text: &str) -> ShingleSet {
        let text = normalise(text);
        let units: Vec<u64> = match self.unit {
            ShingleUnit::Characters => text.chars().map(u64::from).collect(),
            ShingleUnit::Words => text.split_whitespace().map(|word| hash(word.bytes().map(u64::from))).collect(),
        };
        set_of_runs(&units, self.n.get().min(units.len()))
    }
}

/// Hashes of all runs of `n`; none when there are fewer, or `n` is 0.
pub(crate) fn set_of_runs(units: &[u64], n: usize) -> ShingleSet {
    if n == 0 {
        return ShingleSet::default();
    }
    let mut hashes: Vec<u64> = units.windows(n).map(|run| hash(run.iter().copied())).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.into_boxed_slice()
}

/// A hash of a sequence, the same on every machine.
pub(crate) fn hash(parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(0, |state, part| {
        // a step of SplitMix64
        let z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// How many hashes two sets share.
pub(crate) fn overlap(a: &[u64], b: &[u64]) -> usize {
    let (mut i, mut j, mut n_shared) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        // without branches, which would be guessed wrong half of the time
        n_shared += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    n_shared
}

/// The Jaccard similarity of sets of these sizes.
pub(crate) fn jaccard_of(n_shared: usize, size_a: usize, size_b: usize) -> f64 {
    match size_a + size_b - n_shared {
        0 => 0.0,
        n_either => n_shared as f64 / n_either as f64,
    }
}

/// The Jaccard similarity of two texts, |A ∩ B| / |A ∪ B|; 0 when one of them is empty.
///
/// # Example
/// ```
/// use redline_data::near::{Shingling, jaccard};
/// // abcde, bcdef; abcde, bcdeg
/// assert_eq!(jaccard("abcdef", "ABCDEG", &Shingling::default()), 1.0 / 3.0);
/// ```
pub fn jaccard(a: &str, b: &str, shingling: &Shingling) -> f64 {
    let (a, b) = (shingling.set_of(a), shingling.set_of(b));
    jaccard_of(overlap(&a, &b), a.len(), b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn shingles_are_runs_of_the_normalised_text() {
        let five = Shingling::default();
        assert_eq!(five.set_of(" AbCdEf\n").len(), 2);
        assert_eq!(five.set_of("ab\t\n cd"), five.set_of("AB CD"));
        assert_eq!(five.set_of("aaaaaaaaa").len(), 1);
        let set = five.set_of("naïve café, naïve café, once more");
        assert!(set.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn short_texts_are_one_shingle_and_empty_ones_none() {
        let five = Shingling::default();
        assert_eq!((five.set_of("abc").len(), five.set_of("é").len(), five.set_of(" \u{a0}\n").len()), (1, 1, 0));
        assert_ne!(five.set_of("abc"), five.set_of("abd"));
        assert_eq!(Shingling::words(n(3)).set_of("one two").len(), 1);
        assert_eq!(Shingling::characters(n(usize::MAX)).set_of("one two").len(), 1);
        assert_eq!(jaccard("", "", &five), 0.0);
        assert_eq!(jaccard("no", "NO ", &five), 1.0);
    }

    #[test]
    fn words_are_not_run_together() {
        let two = Shingling::words(n(2));
        assert_eq!(jaccard("ab c d", "a bc d", &two), 0.0);
        assert_eq!(jaccard("a b c d", "x b c d", &two), 0.5);
    }

    #[test]
    fn overlap_counts_common_hashes() {
        assert_eq!(overlap(&[1, 3, 5, 9], &[0, 3, 4, 9, 11]), 2);
        assert_eq!(overlap(&[], &[1]), 0);
        assert_eq!(overlap(&[u64::MAX], &[u64::MAX]), 1);
    }
}
