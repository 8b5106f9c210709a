//! A bound on how much two sets share, from a few hundred bits each.
//!
//! A sketch of b bits has bit h mod b turned over for each hash h of the set. Where two sketches differ in d bits, the sets differ in at
//! least d hashes, since what both have turns both over. So |A ∩ B| ≤ (|A| + |B| − d) / 2: pairs above the bound are compared exactly,
//! the others cannot be near. No near pair is lost.

use rayon::prelude::*;

/// Words compared at a time, before it is seen whether the bound is passed.
const STEP: usize = 8;
/// Fewest and most words of a sketch: 256 to 8,192 bits.
const WORDS: (usize, usize) = (4, 128);

/// A sketch for each set, all of the same number of bits.
pub(crate) struct Sketches {
    n_words: usize,
    words: Vec<u64>,
}

impl Sketches {
    /// Sketches of sets, of `n_words` words of 64 bits each. Larger ones rule out more pairs.
    pub fn new(sets: &[&[u64]], n_words: usize) -> Self {
        let mut words = vec![0; n_words * sets.len()];
        words.par_chunks_mut(n_words).zip(sets).for_each(|(words, set)| {
            for hash in *set {
                let bit = *hash as usize % (64 * n_words);
                words[bit / 64] ^= 1 << (bit % 64);
            }
        });
        Self { n_words, words }
    }

    /// Words for a sketch, a power of 2, so that there are about so many bits for each hash of a large set (nine of ten are smaller).
    pub fn n_words(sets: &[&[u64]], bits_per_hash: usize) -> usize {
        let mut sizes: Vec<usize> = sets.iter().map(|set| set.len()).collect();
        sizes.sort_unstable();
        let large = sizes.get(sizes.len() * 9 / 10).copied().unwrap_or(0);
        (large.saturating_mul(bits_per_hash) / 64).clamp(WORDS.0, WORDS.1).next_power_of_two()
    }

    /// The sketch of a set.
    pub fn of(&self, place: usize) -> &[u64] {
        &self.words[place * self.n_words..(place + 1) * self.n_words]
    }
}

/// Whether two sketches differ in more than `most` bits.
pub(crate) fn differ_in_more(a: &[u64], b: &[u64], most: usize) -> bool {
    let mut n_differing = 0;
    a.chunks(STEP).zip(b.chunks(STEP)).any(|(a, b)| {
        n_differing += a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones() as usize).sum::<usize>();
        n_differing > most
    })
}

/// What a least similarity asks of two sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The least similarity.
    pub least: f64,
    /// Share of the hashes of both together that must be shared, t / (1 + t).
    share: f64,
}

impl Bounds {
    pub fn new(least: f64) -> Self {
        Self { least, share: least / (1.0 + least) }
    }

    /// Fewest hashes that sets with `n_both` hashes together must share; at times one fewer than that, by rounding.
    pub fn fewest_shared(&self, n_both: usize) -> usize {
        // the next whole number, without a call of `ceil`
        (n_both as f64 * self.share - 1e-6).max(-0.5).trunc() as usize + usize::from(self.share > 0.0)
    }

    /// Most hashes that may be in one of the sets alone.
    pub fn most_apart(&self, n_both: usize) -> usize {
        n_both.saturating_sub(2 * self.fewest_shared(n_both))
    }

    /// Whether sets of these sizes can be near at all.
    pub fn fits(&self, size_a: usize, size_b: usize) -> bool {
        size_a.min(size_b) as f64 + 1e-6 >= self.least * size_a.max(size_b) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::shingles::{hash, jaccard_of, overlap};
    use super::*;

    fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
        let mut hashes: Vec<u64> = range.map(|n| hash([n].into_iter())).collect();
        hashes.sort_unstable();
        hashes
    }

    #[test]
    fn a_sketch_never_rules_out_a_near_pair() {
        for (shift, n_words) in [(0, 4), (3, 4), (40, 8), (90, 16), (150, 32), (400, 4)] {
            let (a, b) = (numbers(0..500), numbers(shift..500 + shift));
            let sketches = Sketches::new(&[&a, &b], n_words);
            let n_apart = 2 * shift as usize;
            assert!(!differ_in_more(sketches.of(0), sketches.of(1), n_apart), "{shift}");
            assert_eq!(overlap(&a, &b), 500 - shift as usize);
        }
        let (a, b) = (numbers(0..500), numbers(1000..1500));
        let sketches = Sketches::new(&[&a, &b], 32);
        assert!(differ_in_more(sketches.of(0), sketches.of(1), 200), "and it rules out most others");
    }

    #[test]
    fn bounds_hold_at_the_threshold_itself() {
        for least in [0.1, 0.25, 0.5, 2.0 / 3.0, 0.7, 0.8, 0.9, 1.0] {
            let bounds = Bounds::new(least);
            for (size_a, size_b) in (1..60).flat_map(|a| (1..60).map(move |b| (a, b))) {
                for n_shared in 0..=size_a.min(size_b) {
                    if jaccard_of(n_shared, size_a, size_b) >= least {
                        assert!(bounds.fewest_shared(size_a + size_b) <= n_shared, "{least} {size_a} {size_b}");
                        assert!(bounds.most_apart(size_a + size_b) >= size_a + size_b - 2 * n_shared);
                        assert!(bounds.fits(size_a, size_b));
                    }
                }
            }
        }
        assert_eq!(Bounds::new(0.0).fewest_shared(10), 0);
    }

    #[test]
    fn sketches_grow_with_the_sets() {
        let small = numbers(0..10);
        let large = numbers(0..3000);
        assert_eq!(Sketches::n_words(&[&small, &small], 3), 4);
        assert_eq!(Sketches::n_words(&[&large, &large], 3), 128);
        assert_eq!(Sketches::n_words(&[], 3), 4);
    }
}
