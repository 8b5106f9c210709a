//! Length-bucketed batches, whose order is a pure function of seed and epoch.

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
