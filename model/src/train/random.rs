//! Seeded random numbers whose every stream is named by keys: the same on every machine, nothing to save.

use crate::layers::mix;

/// A stream of random numbers (SplitMix64 over a counter).
#[derive(Debug, Clone)]
pub(super) struct Random {
    counter: u64,
}

impl Random {
    /// The stream of these keys.
    pub(super) fn new(keys: &[u64]) -> Self {
        Self { counter: keys.iter().fold(0, |state, key| mix(state ^ mix(*key))) }
    }

    /// The stream of these keys and a name.
    pub(super) fn named(keys: &[u64], name: &str) -> Self {
        let letters = name.bytes().map(u64::from);
        Self::new(&keys.iter().copied().chain(letters).collect::<Vec<_>>())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.counter)
    }

    /// Uniform in 0 ≤ x < 1.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0 ≤ i < n.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
    }

    /// Puts the elements into a random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let draw = |keys: &[u64], name: &str| Random::named(keys, name).next();
        assert_eq!(draw(&[1, 2], "a"), draw(&[1, 2], "a"));
        assert_ne!(draw(&[1, 2], "a"), draw(&[2, 1], "a"));
        assert_ne!(draw(&[1, 2], "a"), draw(&[1, 2], "b"));
        let mut order: Vec<usize> = (0..50).collect();
        Random::new(&[7]).shuffle(&mut order);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
