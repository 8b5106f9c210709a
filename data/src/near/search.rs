//! Going through pairs of sets, in parallel and in blocks, and joining those that are near.

use rayon::prelude::*;

use super::compare::Comparison;
use super::min_hash::Buckets;
use crate::clusters::Forest;
use crate::error::DataError;
use crate::observer::Observer;

/// Sets that one thread takes at a time.
const CHUNK: usize = 64;
/// Chunks between which what was joined is made known to all. No number of threads: so the counts are the same on every machine.
const CHUNKS_PER_BLOCK: usize = 8;
/// Sets whose sketches are compared with those of a chunk before the next ones are fetched from memory.
const TILE: usize = 256;
/// What an observer sees.
const STAGE: &str = "near-duplicates";

/// How many pairs were looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub n_candidates: u64,
    pub n_compared: u64,
}

/// A search for near pairs: among all, or among those that share a bucket.
pub(super) struct Search<'a> {
    pub comparison: &'a Comparison<'a>,
    pub buckets: Option<&'a Buckets>,
}

/// What a chunk found.
#[derive(Default)]
struct Found {
    pairs: Vec<(usize, usize, f64)>,
    counts: Counts,
}

impl Search<'_> {
    /// Joins all sets that are connected by near pairs.
    pub fn joins(&self, observer: &mut dyn Observer) -> Result<(Forest, Counts), DataError> {
        let n = self.comparison.sets.len();
        let (mut forest, mut counts) = (Forest::new(n), Counts::default());
        for start in (0..n).step_by(CHUNK * CHUNKS_PER_BLOCK) {
            let end = (start + CHUNK * CHUNKS_PER_BLOCK).min(n);
            forest.flatten();
            let starts: Vec<usize> = (start..end).step_by(CHUNK).collect();
            let found = starts.par_iter().map(|&start| {
                let mut known = Some(forest.clone());
                self.chunk(start..(start + CHUNK).min(end), &mut known)
            });
            for found in found.collect::<Vec<Found>>() {
                counts.n_candidates += found.counts.n_candidates;
                counts.n_compared += found.counts.n_compared;
                found.pairs.iter().for_each(|(a, b, _)| {
                    forest.join(*a, *b);
                });
            }
            observer.progress(STAGE, end, n)?;
        }
        observer.end(STAGE);
        Ok((forest, counts))
    }

    /// All near pairs with their similarities.
    pub fn pairs(&self) -> Vec<(usize, usize, f64)> {
        let n = self.comparison.sets.len();
        let starts: Vec<usize> = (0..n).step_by(CHUNK).collect();
        let found =
            starts.par_iter().flat_map_iter(|&start| self.chunk(start..(start + CHUNK).min(n), &mut None).pairs);
        found.collect()
    }

    /// Compares some sets with those before them. What is joined already, if anybody keeps account of it, is left out.
    fn chunk(&self, places: std::ops::Range<usize>, joined: &mut Option<Forest>) -> Found {
        let mut found = Found::default();
        let mut with_all = Vec::new();
        for place in places {
            let lowest = self.comparison.lowest(place);
            match self.buckets.and_then(|buckets| buckets.candidates(place, lowest)) {
                Some(list) => list.iter().for_each(|&other| self.compare(place, other as usize, joined, &mut found)),
                None => with_all.push((place, lowest)),
            }
        }
        let first = with_all.iter().map(|(_, lowest)| *lowest).min().unwrap_or(0);
        let last = with_all.last().map_or(0, |(place, _)| *place);
        for tile in (first..last).step_by(TILE) {
            for &(place, lowest) in &with_all {
                for other in tile.max(lowest)..(tile + TILE).min(place) {
                    self.compare(place, other, joined, &mut found);
                }
            }
        }
        found
    }

    fn compare(&self, place: usize, other: usize, joined: &mut Option<Forest>, found: &mut Found) {
        if joined.as_mut().is_some_and(|forest| forest.root(place) == forest.root(other)) {
            return;
        }
        found.counts.n_candidates += 1;
        let (similarity, is_computed) = self.comparison.compare(place, other);
        found.counts.n_compared += u64::from(is_computed);
        if let Some(similarity) = similarity {
            found.pairs.push((other, place, similarity));
            joined.as_mut().map(|forest| forest.join(place, other));
        }
    }
}
