//! Finding texts of another set: the most similar one, and all that are near.

use rayon::prelude::*;

use super::same_sets;
use super::shingles::{ShingleSet, jaccard_of, overlap};
use super::sketch::{Bounds, Sketches, differ_in_more};

/// Bits of a sketch for each hash of a large set: enough to rule out most sets that share a tenth.
const BITS_PER_HASH: usize = 10;
/// Texts that one thread takes at a time.
const CHUNK: usize = 8;
/// Sets whose sketches are compared with those of a chunk before the next ones are fetched from memory.
const TILE: usize = 256;

/// The sets in which to look, each once.
pub(crate) struct NearestSearch<'a> {
    sets: Vec<&'a [u64]>,
    /// For each set the texts that have it.
    members: Vec<Vec<usize>>,
    sketches: Sketches,
    n_words: usize,
    least: f64,
}

/// What is near to one text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nearest {
    /// Largest similarity of all; none of an empty text.
    pub most: Option<f64>,
    /// Texts that are at least as similar as asked for, with their similarities.
    pub near: Vec<(usize, f64)>,
}

impl<'a> NearestSearch<'a> {
    /// Looks among these sets for those of similarity `least` or more.
    pub fn new(sets: &'a [ShingleSet], least: f64) -> Self {
        let members = same_sets(sets);
        let sets: Vec<&[u64]> = members.iter().map(|texts| &*sets[texts[0]]).collect();
        let n_words = Sketches::n_words(&sets, BITS_PER_HASH);
        Self { sketches: Sketches::new(&sets, n_words), sets, members, n_words, least }
    }

    /// What is near to each of the texts.
    pub fn nearest(&self, texts: &[ShingleSet]) -> Vec<Nearest> {
        texts.par_chunks(CHUNK).flat_map_iter(|chunk| self.chunk(chunk)).collect()
    }

    fn chunk(&self, texts: &[ShingleSet]) -> Vec<Nearest> {
        let sets: Vec<&[u64]> = texts.iter().map(|set| &**set).collect();
        let sketches = Sketches::new(&sets, self.n_words);
        let most = |set: &&[u64]| (!set.is_empty()).then_some(0.0);
        let mut nearest: Vec<Nearest> = sets.iter().map(|set| Nearest { most: most(set), near: Vec::new() }).collect();
        for tile in (0..self.sets.len()).step_by(TILE) {
            for (place, nearest) in nearest.iter_mut().enumerate() {
                for other in tile..(tile + TILE).min(self.sets.len()) {
                    self.compare(sets[place], sketches.of(place), other, nearest);
                }
            }
        }
        nearest
    }

    fn compare(&self, set: &[u64], sketch: &[u64], other: usize, nearest: &mut Nearest) {
        let Some(most) = nearest.most else { return };
        let bounds = Bounds::new(most.min(self.least));
        let (size, other_size) = (set.len(), self.sets[other].len());
        let may_matter = bounds.fits(size, other_size)
            && !differ_in_more(sketch, self.sketches.of(other), bounds.most_apart(size + other_size));
        if !may_matter {
            return;
        }
        let similarity = jaccard_of(overlap(set, self.sets[other]), size, other_size);
        nearest.most = Some(most.max(similarity));
        if similarity >= self.least {
            nearest.near.extend(self.members[other].iter().map(|&text| (text, similarity)));
        }
    }
}
