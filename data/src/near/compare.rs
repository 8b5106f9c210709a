//! Comparing two sets: by size, by sketch, and exactly when these do not rule it out.

use super::shingles::{jaccard_of, overlap};
use super::sketch::{Bounds, Sketches, differ_in_more};

/// Bits of a sketch for each hash of a large set: at a threshold of 0.7 enough to rule out nearly all that are below 0.6.
const BITS_PER_HASH: usize = 2;

/// Different sets, smallest first, and what decides whether two of them are near.
pub(super) struct Comparison<'a> {
    pub sets: Vec<&'a [u64]>,
    sketches: Sketches,
    bounds: Bounds,
}

impl<'a> Comparison<'a> {
    /// Sets must be in order of their sizes.
    pub fn new(sets: Vec<&'a [u64]>, threshold: f64) -> Self {
        let sketches = Sketches::new(&sets, Sketches::n_words(&sets, BITS_PER_HASH));
        Self { sets, sketches, bounds: Bounds::new(threshold) }
    }

    /// The first set that is not too small to be near to this one.
    pub fn lowest(&self, place: usize) -> usize {
        let size = self.sets[place].len();
        self.sets.partition_point(|set| set.len() < size && !self.bounds.fits(set.len(), size))
    }

    /// The similarity of two sets that are near, and whether it had to be computed to know.
    pub fn compare(&self, a: usize, b: usize) -> (Option<f64>, bool) {
        let (size_a, size_b) = (self.sets[a].len(), self.sets[b].len());
        if differ_in_more(self.sketches.of(a), self.sketches.of(b), self.bounds.most_apart(size_a + size_b)) {
            return (None, false);
        }
        let similarity = jaccard_of(overlap(self.sets[a], self.sets[b]), size_a, size_b);
        ((similarity >= self.bounds.least).then_some(similarity), true)
    }
}
