//! The random numbers of the whole program: SplitMix64, written out here.
//!
//! Every use names its own stream by keys: a seed, a number such as that of a row or a layer, a word. So a draw depends on nothing
//! else: it is the same on every machine, in any order of the work, and whatever versions of other crates are in the build; a
//! checkpoint has nothing to save. The generator is that of Steele, Lea and Flood (2014): the state grows by the golden gamma, and the
//! output is the state, mixed by two multiplications. Not for secrets.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes all bits of a number into all others.
fn finish(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// SplitMix64's output number `count` of the stream that begins at 0: a hash of a number.
pub(crate) fn mix(count: u64) -> u64 {
    finish(count.wrapping_mul(GOLDEN_GAMMA))
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of these keys.
    pub fn new(keys: &[u64]) -> Self {
        let count = keys.iter().fold(0, |state, key| mix(state ^ mix(*key)));
        Self { state: count.wrapping_mul(GOLDEN_GAMMA) }
    }

    /// The stream of these keys and a name.
    ///
    /// # Example
    /// ```
    /// use redline_model::random::Random;
    /// let mut dice = Random::named(&[7], "dice");
    /// let throws: Vec<usize> = (0..5).map(|_| 1 + dice.below(6)).collect();
    /// assert_eq!(throws, [1, 1, 1, 5, 3]);
    /// ```
    pub fn named(keys: &[u64], name: &str) -> Self {
        let letters = name.bytes().map(u64::from);
        Self::new(&keys.iter().copied().chain(letters).collect::<Vec<_>>())
    }

    /// The stream of one row of made data, for one use.
    pub fn of_row(seed: u64, stream: u64, row: u64) -> Self {
        let state = finish(seed.wrapping_add(GOLDEN_GAMMA));
        let state = finish(state.wrapping_add(stream).wrapping_add(GOLDEN_GAMMA));
        Self { state: finish(state.wrapping_add(row).wrapping_add(GOLDEN_GAMMA)) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        finish(self.state)
    }

    /// Uniform in 0 ≤ x < 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0 ≤ i < n; 0 when `n` is 0. (The bias of the multiplication is below n / 2⁶⁴.)
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
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

    /// Puts the items into a random order (Fisher and Yates).
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
        let mut random = Random { state: 1_234_567 };
        let numbers: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut from_zero = Random { state: 0 };
        assert!((1..9).all(|count| mix(count) == from_zero.next_u64()));
    }

    #[test]
    fn the_streams_stay_what_they_are() {
        // checkpoints, made rows and published tables rest on these
        assert_eq!(Random::new(&[1, 2]).next_u64(), PINNED[0]);
        assert_eq!(Random::named(&[0], "bootstrap").next_u64(), PINNED[1]);
        assert_eq!(Random::of_row(1, 2, 3).next_u64(), PINNED[2]);
        let normal = Random::named(&[0], "normal").normal();
        assert!((normal - PINNED_NORMAL).abs() < 1e-12, "{normal}");
    }

    const PINNED: [u64; 3] = [9_308_501_310_568_778_746, 9_958_951_186_600_239_237, 2_399_657_773_382_937_285];
    const PINNED_NORMAL: f64 = 0.473_765_418_296_366;

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = Random::named(&[3], "normal");
        let values: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn streams_differ_by_key_and_name_and_repeat() {
        let draw = |keys: &[u64], name: &str| Random::named(keys, name).next_u64();
        assert_eq!(draw(&[1, 2], "a"), draw(&[1, 2], "a"));
        assert_ne!(draw(&[1, 2], "a"), draw(&[2, 1], "a"));
        assert_ne!(draw(&[1, 2], "a"), draw(&[1, 2], "b"));
        let first = |seed, stream, row| Random::of_row(seed, stream, row).next_u64();
        let all = [first(1, 2, 3), first(2, 2, 3), first(1, 3, 3), first(1, 2, 4), first(1, 3, 2)];
        (1..all.len()).for_each(|i| assert!(!all[..i].contains(&all[i])));
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
    }

    #[test]
    fn draws_stay_in_range_and_reach_everything() {
        let mut random = Random::of_row(0, 0, 0);
        let mut counts = [0_usize; 5];
        (0..5000).for_each(|_| counts[random.below(5)] += 1);
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
        let mut weighted = [0_usize; 3];
        (0..4000).for_each(|_| weighted[random.weighted(&[3, 0, 1])] += 1);
        assert!(weighted[1] == 0 && (850..1150).contains(&weighted[2]), "{weighted:?}");
        assert_eq!((random.below(0), random.weighted(&[]), random.pick::<u8>(&[])), (0, 0, None));
        let mut items: Vec<usize> = (0..20).collect();
        random.shuffle(&mut items);
        assert_ne!(items, (0..20).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    }
}
