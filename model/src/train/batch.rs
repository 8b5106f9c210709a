//! Length-bucketed batches, whose order is a pure function of seed and epoch.

use super::TrainOptions;
use crate::random::Random;

/// Batches whose rows are sorted by length together: enough for narrow buckets, few enough for a random order.
const BATCHES_PER_BUCKET: usize = 16;

/// The batches of an epoch, as indices into `lengths`: every index once, rows of similar length together, batches in random
/// order. The last batch may be smaller.
pub fn epoch_batches(lengths: &[usize], batch_rows: usize, seed: u64, epoch: u64) -> Vec<Vec<usize>> {
    let mut random = Random::named(&[seed, epoch], "batches");
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    random.shuffle(&mut order);
    let batch_rows = batch_rows.max(1);
    let mut batches = Vec::with_capacity(lengths.len().div_ceil(batch_rows));
    for bucket in order.chunks_mut(batch_rows * BATCHES_PER_BUCKET) {
        bucket.sort_by_key(|&index| lengths[index]); // stable: ties stay in random order
        batches.extend(bucket.chunks(batch_rows).map(<[usize]>::to_vec));
    }
    random.shuffle(&mut batches);
    batches
}

/// The batches of a run, epoch after epoch.
pub(super) struct Batches {
    lengths: Vec<usize>,
    batch_rows: usize,
    seed: u64,
    /// The epoch whose batches were made last.
    current: Option<(usize, Vec<Vec<usize>>)>,
}

impl Batches {
    /// Of rows of these lengths.
    pub(super) fn new(lengths: Vec<usize>, options: &TrainOptions) -> Self {
        Self { lengths, batch_rows: options.batch_rows, seed: options.seed, current: None }
    }

    fn n_an_epoch(&self) -> usize {
        self.lengths.len().div_ceil(self.batch_rows.max(1))
    }

    /// Steps of the whole run.
    pub(super) fn n_steps(&self, options: &TrainOptions) -> usize {
        options.n_steps.unwrap_or(options.epochs.saturating_mul(self.n_an_epoch()))
    }

    /// The rows of a step.
    pub(super) fn of_step(&mut self, step: usize) -> Vec<usize> {
        let n_batches = self.n_an_epoch().max(1);
        let epoch = step / n_batches;
        if !matches!(&self.current, Some((current, _)) if *current == epoch) {
            self.current = Some((epoch, epoch_batches(&self.lengths, self.batch_rows, self.seed, epoch as u64)));
        }
        let batches = self.current.as_ref().map(|(_, batches)| batches.as_slice()).unwrap_or_default();
        batches.get(step % n_batches).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_once_and_the_same_again(
            lengths in prop::collection::vec(1usize..300, 1..400),
            batch_rows in 1usize..40,
            seed: u64,
            epoch in 0u64..5,
        ) {
            let batches = epoch_batches(&lengths, batch_rows, seed, epoch);
            prop_assert_eq!(&batches, &epoch_batches(&lengths, batch_rows, seed, epoch));
            prop_assert_eq!(batches.len(), lengths.len().div_ceil(batch_rows));
            let mut rows: Vec<usize> = batches.concat();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..lengths.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn rows_of_a_batch_are_of_similar_length_and_epochs_differ() {
        let lengths: Vec<usize> = (0..320).map(|i| 10 + (i * 37) % 100).collect();
        let spread = |batch: &Vec<usize>| {
            let lengths = batch.iter().map(|&i| lengths[i]);
            lengths.clone().max().unwrap() - lengths.min().unwrap()
        };
        let batches = epoch_batches(&lengths, 10, 1, 0);
        let mean = batches.iter().map(spread).sum::<usize>() / batches.len();
        assert!(mean <= 12, "{mean}");
        assert_ne!(batches, epoch_batches(&lengths, 10, 1, 1));
    }
}
