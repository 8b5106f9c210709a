//! Candidates by MinHash: texts that agree in a whole band of their signatures share a bucket.
//!
//! Shingles are hashes already, so that a signature is the least of a·x + b over them, for as many odd a and any b as it has values
//! (Broder 1997; multiply-shift hashing, Dietzfelbinger et al. 1997). Indexes of libraries hand out every text of a bucket for every
//! other, which for n texts that are all alike are n² of them; here a search skips what is joined already.

use rayon::prelude::*;
use redline_model::random::Random;

use super::shingles::hash;

/// Bands of a signature.
const N_BANDS: usize = 32;
/// Values in a band.
const BAND_WIDTH: usize = 4;
/// Entries of buckets that are gone through whatever the number of sets.
const FEW: usize = 1_000;

/// For each band, which sets are together in a bucket.
pub(super) struct Buckets {
    bands: Vec<Band>,
}

/// The buckets of one band.
struct Band {
    /// Sets, bucket by bucket, ascending within each.
    order: Vec<u32>,
    /// For each set where its bucket begins, and where in it the set stands.
    places: Vec<(u32, u32)>,
}

/// As many hash functions as a signature has values.
struct Hashes([(u64, u64); N_BANDS * BAND_WIDTH]);

impl Hashes {
    fn new() -> Self {
        let mut random = Random::named(&[], "MinHash");
        Self(std::array::from_fn(|_| (random.next_u64() | 1, random.next_u64())))
    }

    /// The least value of each function over a set; the largest number for an empty one.
    fn signature(&self, set: &[u64]) -> [u32; N_BANDS * BAND_WIDTH] {
        let mut least = [u32::MAX; N_BANDS * BAND_WIDTH];
        for shingle in set {
            for (least, (a, b)) in least.iter_mut().zip(&self.0) {
                *least = (*least).min((shingle.wrapping_mul(*a).wrapping_add(*b) >> 32) as u32);
            }
        }
        least
    }
}

impl Buckets {
    /// Puts each set into a bucket of each band.
    pub fn new(sets: &[&[u64]]) -> Self {
        let hashes = Hashes::new();
        let keys: Vec<Vec<u64>> = sets
            .par_iter()
            .map(|set| {
                let signature = hashes.signature(set);
                signature.chunks(BAND_WIDTH).map(|band| hash(band.iter().copied().map(u64::from))).collect()
            })
            .collect();
        Self { bands: (0..N_BANDS).into_par_iter().map(|band| Band::new(&keys, band)).collect() }
    }

    /// The sets before this one, from `lowest` on, that share a bucket with it, in order; none when the buckets hold as many as there
    /// are, and more than a few, so that it is less work to take all.
    pub fn candidates(&self, place: usize, lowest: usize) -> Option<Vec<u32>> {
        let buckets = || self.bands.iter().map(|band| band.before(place, lowest));
        let n_in_buckets: usize = buckets().map(<[u32]>::len).sum();
        if n_in_buckets > FEW && n_in_buckets >= place.saturating_sub(lowest) {
            return None;
        }
        let mut candidates: Vec<u32> = buckets().flatten().copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        Some(candidates)
    }
}

impl Band {
    fn new(keys: &[Vec<u64>], band: usize) -> Self {
        let key = |set: u32| keys[set as usize].get(band);
        let mut order: Vec<u32> = (0..u32::try_from(keys.len()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|&set| (key(set), set));
        let mut places = vec![(0, 0); order.len()];
        let mut start = 0;
        for bucket in order.chunk_by(|&a, &b| key(a) == key(b)) {
            for (at, &set) in (start..).zip(bucket) {
                places[set as usize] = (start, at);
            }
            start += bucket.len() as u32;
        }
        Self { order, places }
    }

    /// The sets of the bucket before this one, from `lowest` on.
    fn before(&self, place: usize, lowest: usize) -> &[u32] {
        let (start, at) = self.places[place];
        let before = &self.order[start as usize..at as usize];
        &before[before.partition_point(|&set| (set as usize) < lowest)..]
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shingling;
    use super::*;

    #[test]
    fn equal_sets_share_all_buckets_and_unlike_ones_none() {
        let texts =
            ["the quick brown fox jumps over it", "0123456789 9876543210", "the quick brown fox jumps over it!"];
        let sets: Vec<_> = texts.iter().map(|text| Shingling::default().set_of(text)).collect();
        let sets: Vec<&[u64]> = sets.iter().map(|set| &**set).collect();
        let buckets = Buckets::new(&[sets[0], sets[1], sets[2], sets[1]]);
        let shared = |place: usize, other: u32| {
            buckets.bands.iter().filter(|band| band.before(place, 0).contains(&other)).count()
        };
        assert_eq!((shared(3, 1), shared(1, 0), shared(3, 0)), (32, 0, 0));
        assert!((10..32).contains(&shared(2, 0)), "{}", shared(2, 0));
        assert_eq!(buckets.candidates(1, 0), Some(vec![]));
        assert_eq!(buckets.candidates(3, 0), Some(vec![1]));
        assert_eq!(buckets.candidates(3, 2), Some(vec![]));
        let crowded = Buckets::new(&[sets[0]; 50]);
        assert_eq!((crowded.candidates(49, 0), crowded.candidates(20, 0).map(|list| list.len())), (None, Some(20)));
    }

    #[test]
    fn no_sets_no_buckets() {
        assert!(Buckets::new(&[]).bands.iter().all(|band| band.order.is_empty()));
    }
}
