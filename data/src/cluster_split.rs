//! Splitting rows so that no cluster is on both sides: rows that are nearly the same, or belong together otherwise, are trained on or
//! measured on, never both.

use serde::{Deserialize, Serialize};

use super::clusters::Clusters;
use super::error::DataError;
use redline_model::random::Random;

/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x00c1_7e25;

/// The numbers of rows on two sides, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSplit {
    /// To train on.
    pub train: Vec<usize>,
    /// To measure on.
    pub held_out: Vec<usize>,
}

/// Draws clusters to hold out, in random order, until they have as near to `share` of the rows as whole clusters allow without having
/// more; a cluster that would be too much is passed over, so that large ones are rather trained on. At least one cluster is held out (the
/// smallest, if all are too large) and at least one is not.
///
/// # Errors
/// [`DataError::Share`] for a share that is not between 0 and 1, [`DataError::OneCluster`] when there are fewer than two clusters.
///
/// # Example
/// ```
/// use redline_data::cluster_split::split_by_cluster;
/// use redline_data::clusters::Clusters;
///
/// let clusters = Clusters::of_pairs(10, [(0, 9), (3, 4)]);
/// let split = split_by_cluster(&clusters, 0.3, 7)?;
/// assert_eq!((split.train.len(), split.held_out.len()), (7, 3));
/// assert_eq!(split.train.contains(&0), split.train.contains(&9));
/// # Ok::<(), redline_data::DataError>(())
/// ```
pub fn split_by_cluster(clusters: &Clusters, share: f64, seed: u64) -> Result<ClusterSplit, DataError> {
    if !(share > 0.0 && share < 1.0) {
        return Err(DataError::Share { what: "the share of held-out rows", got: share });
    }
    let mut groups = clusters.groups();
    if groups.len() < 2 {
        return Err(DataError::OneCluster { n_rows: clusters.n_rows(), n_clusters: groups.len() });
    }
    Random::of_row(seed, STREAM, 0).shuffle(&mut groups);
    let most = (share * clusters.n_rows() as f64).round() as usize;
    let (mut n_held_out, mut n_groups) = (0, 0);
    let mut is_held_out = vec![false; groups.len()];
    for (group, is_held_out) in groups.iter().zip(&mut is_held_out) {
        if n_held_out + group.len() <= most && n_groups + 1 < groups.len() {
            (n_held_out, n_groups, *is_held_out) = (n_held_out + group.len(), n_groups + 1, true);
        }
    }
    if n_groups == 0 {
        // of equally small ones the first in the random order
        let smallest = (0..groups.len()).min_by_key(|&group| groups[group].len());
        smallest.and_then(|group| is_held_out.get_mut(group)).into_iter().for_each(|is_held_out| *is_held_out = true);
    }
    let side = |wanted: bool| {
        let groups = groups.iter().zip(&is_held_out).filter(|(_, is_held_out)| **is_held_out == wanted);
        let mut rows: Vec<usize> = groups.flat_map(|(group, _)| group.iter().copied()).collect();
        rows.sort_unstable();
        rows
    };
    Ok(ClusterSplit { train: side(false), held_out: side(true) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clusters of 1, 2, 3, … rows.
    fn growing(n_clusters: usize) -> Clusters {
        let n_rows = n_clusters * (n_clusters + 1) / 2;
        let starts = (0..n_clusters).map(|n| n * (n + 1) / 2);
        let pairs = starts.enumerate().flat_map(|(n, start)| (1..=n).map(move |other| (start, start + other)));
        Clusters::of_pairs(n_rows, pairs)
    }

    #[test]
    fn no_cluster_is_on_both_sides_and_none_is_lost() {
        let clusters = growing(20);
        for (seed, share) in (0..20).flat_map(|seed| [0.05, 0.2, 0.5, 0.9].map(|share| (seed, share))) {
            let split = split_by_cluster(&clusters, share, seed).unwrap();
            let mut all = [split.train.clone(), split.held_out.clone()].concat();
            all.sort_unstable();
            assert_eq!(all, (0..210).collect::<Vec<_>>());
            let firsts = |rows: &[usize]| rows.iter().filter_map(|row| clusters.first_of(*row)).collect::<Vec<_>>();
            let train = firsts(&split.train);
            assert!(firsts(&split.held_out).iter().all(|first| !train.contains(first)));
            let got = split.held_out.len() as f64 / 210.0;
            assert!(got <= share + 0.005 && got > share - 0.06, "{share} {got}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let clusters = Clusters::single(100);
        let held_out = |seed| split_by_cluster(&clusters, 0.1, seed).unwrap().held_out;
        assert_eq!(held_out(1), held_out(1));
        assert_ne!(held_out(1), held_out(2));
        assert_eq!(held_out(3), [8, 9, 14, 25, 30, 41, 50, 56, 62, 80], "the same on every machine");
    }

    #[test]
    fn both_sides_have_a_cluster_however_large() {
        let two = Clusters::of_pairs(10, (1..9).map(|row| (0, row)));
        for share in [0.01, 0.5, 0.99] {
            assert_eq!(split_by_cluster(&two, share, 5).unwrap().held_out, [9], "{share}");
        }
        let single = Clusters::single(2);
        assert_eq!(split_by_cluster(&single, 0.999, 5).unwrap().train.len(), 1);
    }

    #[test]
    fn what_cannot_be_split_is_an_error() {
        let one = Clusters::of_pairs(2, [(0, 1)]);
        let error = split_by_cluster(&one, 0.5, 0).unwrap_err();
        assert_eq!(error.to_string(), "2 rows in 1 clusters cannot be split into two parts that share no cluster");
        assert!(split_by_cluster(&Clusters::single(0), 0.5, 0).is_err());
        for share in [0.0, 1.0, f64::NAN] {
            assert!(matches!(split_by_cluster(&Clusters::single(9), share, 0), Err(DataError::Share { .. })));
        }
    }
}
