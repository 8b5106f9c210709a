//! The random numbers behind corrupted and synthetic rows: SplitMix64, written out here.
//!
//! A row's numbers depend on the seed, a stream (one for each use) and the row's number only, so the same row comes out on every
//! platform, in any order, and whatever versions of other crates are in the build. The generator is the one of Steele, Lea and
//! Flood (2014): the state grows by the golden gamma, and the output is the state mixed by two multiplications.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers for one row.
#[derive(Debug, Clone)]
pub struct RowRng {
    state: u64,
}

/// Mixes all bits of a number into all others.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl RowRng {
    /// The numbers of one row in one stream.
    pub fn new(seed: u64, stream: u64, row: u64) -> Self {
        let state = mix(seed.wrapping_add(GOLDEN_GAMMA));
        let state = mix(state.wrapping_add(stream).wrapping_add(GOLDEN_GAMMA));
        Self { state: mix(state.wrapping_add(row).wrapping_add(GOLDEN_GAMMA)) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// A number below `n`; 0 when `n` is 0. (The bias of the multiplication is below n / 2⁶⁴.)
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// True in `part` of `whole` cases.
    pub fn chance(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) < part
    }

    /// One of the items, or `None` when there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// A place in the list, drawn in proportion to its weight; 0 when all weights are 0.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (place, &weight) in weights.iter().enumerate() {
            if left < weight {
                return place;
            }
            left -= weight;
        }
        0
    }

    /// Puts the items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence_comes_out() {
        // SplitMix64 from state 1234567, as in the reference implementation
        let mut rng = RowRng { state: 1_234_567 };
        let numbers: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn seed_stream_and_row_each_change_the_numbers() {
        let first = |seed, stream, row| RowRng::new(seed, stream, row).next_u64();
        let all = [first(1, 2, 3), first(2, 2, 3), first(1, 3, 3), first(1, 2, 4), first(1, 3, 2)];
        (1..all.len()).for_each(|i| assert!(!all[..i].contains(&all[i])));
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
    }

    #[test]
    fn draws_stay_in_range_and_reach_everything() {
        let mut rng = RowRng::new(0, 0, 0);
        let mut counts = [0_usize; 5];
        (0..5000).for_each(|_| counts[rng.below(5)] += 1);
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
        let mut weighted = [0_usize; 3];
        (0..4000).for_each(|_| weighted[rng.weighted(&[3, 0, 1])] += 1);
        assert!(weighted[1] == 0 && (850..1150).contains(&weighted[2]), "{weighted:?}");
        assert_eq!((rng.below(0), rng.weighted(&[]), rng.pick::<u8>(&[])), (0, 0, None));
        let mut items: Vec<usize> = (0..20).collect();
        rng.shuffle(&mut items);
        assert_ne!(items, (0..20).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    }
}
