//! Near-duplicates: texts that share most of their shingles.
//!
//! Two texts are near when the Jaccard similarity of their shingle sets, |A ∩ B| / |A ∪ B|, is at least the threshold. Clusters are the
//! connected components of that relation (single linkage): two texts of a cluster may be less alike than the threshold when others lie
//! between them. The first text of a cluster is the one to keep.
//!
//! | method | which pairs are looked at | finds |
//! |---|---|---|
//! | exact | all of fitting size | every near pair |
//! | MinHash | those that agree in a whole band of 128 MinHash values, 32 bands of 4 | at similarity s a share 1 − (1 − s⁴)³² of the pairs: 0.87 at 0.5, 0.9998 at 0.7, all but one of 10⁷ at 0.8 |
//!
//! Either way a pair counts only when its exact similarity reaches the threshold. Pairs whose texts are in one cluster already are not
//! looked at, which changes no component. A text whose buckets hold more entries than there are texts is compared with all of them:
//! then MinHash costs what the exact method costs, and finds what it finds.
//!
//! Texts are compared as [`normalise`](redline_probe::split::normalise) leaves them (lower case, single spaces). A text shorter than a shingle
//! is one shingle, so that it is near to equal texts alone. An empty text is near to nothing, not even to another empty one.
//!
//! # Memory
//! Eight bytes for each distinct shingle of a text, a sketch of 32 to 1,024 bytes a text, and 512 bytes a text for MinHash.
//!
//! # Example
//! ```
//! use redline_data::near::{NearOptions, near_duplicates};
//!
//! let texts = ["How tall is the Eiffel Tower in Paris?", "Who was Ada?", "how tall is the  Eiffel tower in Paris"];
//! let near = near_duplicates(&texts, &NearOptions::default(), &mut ())?;
//! assert_eq!(near.clusters.shared(), [vec![0, 2]]);
//! # Ok::<(), redline_data::DataError>(())
//! ```

mod compare;
mod min_hash;
mod nearest;
mod search;
mod shingles;
mod sketch;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::clusters::{Clusters, Forest};
use super::error::DataError;
use crate::observer::Observer;
use compare::Comparison;
use min_hash::Buckets;
use search::Search;

pub(super) use nearest::NearestSearch;
pub(super) use shingles::{ShingleSet, hash, jaccard_of, overlap, set_of_runs};
pub use shingles::{ShingleUnit, Shingling, jaccard};

/// Texts up to which [`NearMethod::Auto`] compares all pairs.
pub const MOST_EXACT: usize = 20_000;

/// How pairs to compare are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NearMethod {
    /// Exact for up to [`MOST_EXACT`] different texts, MinHash for more.
    #[default]
    Auto,
    /// All pairs.
    Exact,
    /// Pairs that agree in a band of MinHash values.
    MinHash,
}

/// What counts as near.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NearOptions {
    /// Least Jaccard similarity of near texts, above 0 and at most 1.
    pub threshold: f64,
    /// What the texts are cut into.
    pub shingling: Shingling,
    /// How pairs are found.
    pub method: NearMethod,
}

impl Default for NearOptions {
    fn default() -> Self {
        Self { threshold: 0.7, shingling: Shingling::default(), method: NearMethod::Auto }
    }
}

/// What was compared and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearReport {
    /// The method that was used.
    pub method: NearMethod,
    /// Texts.
    pub n_texts: usize,
    /// Texts with nothing but white space.
    pub n_empty: usize,
    /// Different sets of shingles among the others.
    pub n_different: usize,
    /// Pairs of these that the method proposed, but for those in one cluster already.
    pub n_candidates: u64,
    /// Pairs whose exact similarity was computed, because a bound on it did not rule them out.
    pub n_compared: u64,
    /// Clusters of more than one text.
    pub n_clusters: usize,
    /// Texts that are not the first of their cluster.
    pub n_repeated: usize,
}

/// Texts grouped by nearness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearDuplicates {
    /// Who is near to whom, over the numbers of the texts from 0.
    pub clusters: Clusters,
    /// What was compared and found.
    pub report: NearReport,
}

/// Two near texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NearPair {
    /// The earlier text, from 0.
    pub first: usize,
    /// The later text.
    pub second: usize,
    /// Their similarity.
    pub jaccard: f64,
}

/// Groups texts by nearness. The result depends on nothing but texts and options.
///
/// # Errors
/// [`DataError::Share`] for a threshold outside 0 < t ≤ 1, and whatever the observer says.
pub fn near_duplicates<S: AsRef<str> + Sync>(
    texts: &[S],
    options: &NearOptions,
    observer: &mut dyn Observer,
) -> Result<NearDuplicates, DataError> {
    let different = Different::new(texts, options)?;
    let comparison = different.comparison(options.threshold);
    let buckets = different.buckets(options.method);
    let search = Search { comparison: &comparison, buckets: buckets.as_ref() };
    let (joins, counts) = search.joins(observer)?;
    let clusters = different.clusters(joins);
    let n_clusters = clusters.shared().len();
    let report = NearReport {
        method: if buckets.is_some() { NearMethod::MinHash } else { NearMethod::Exact },
        n_texts: texts.len(),
        n_empty: different.sets.iter().filter(|set| set.is_empty()).count(),
        n_different: different.members.len(),
        n_candidates: counts.n_candidates,
        n_compared: counts.n_compared,
        n_clusters,
        n_repeated: texts.len() - clusters.n_clusters(),
    };
    Ok(NearDuplicates { clusters, report })
}

/// All pairs of near texts, in order. Of n texts that are all alike there are n² / 2.
///
/// # Errors
/// As [`near_duplicates`].
pub fn near_pairs<S: AsRef<str> + Sync>(texts: &[S], options: &NearOptions) -> Result<Vec<NearPair>, DataError> {
    let different = Different::new(texts, options)?;
    let comparison = different.comparison(options.threshold);
    let buckets = different.buckets(options.method);
    let between = Search { comparison: &comparison, buckets: buckets.as_ref() }.pairs();
    let within = (0..different.members.len()).map(|place| (place, place, 1.0));
    let mut pairs = Vec::new();
    for (a, b, jaccard) in between.into_iter().chain(within) {
        for &one in &different.members[a] {
            let others = different.members[b].iter().filter(|other| a != b || one < **other);
            pairs.extend(others.map(|&other| NearPair { first: one.min(other), second: one.max(other), jaccard }));
        }
    }
    pairs.sort_unstable_by_key(|pair| (pair.first, pair.second));
    Ok(pairs)
}

/// The shingle sets of texts, and which of them are different. Places are numbers of different sets, smallest sets first.
struct Different {
    /// For each text its set.
    sets: Vec<ShingleSet>,
    /// For each place the texts that have the set, in order.
    members: Vec<Vec<usize>>,
}

impl Different {
    fn new<S: AsRef<str> + Sync>(texts: &[S], options: &NearOptions) -> Result<Self, DataError> {
        check_similarity("the threshold of near-duplicates", options.threshold)?;
        let sets: Vec<ShingleSet> = texts.par_iter().map(|text| options.shingling.set_of(text.as_ref())).collect();
        let members = same_sets(&sets);
        Ok(Self { sets, members })
    }

    /// The different sets, by place.
    fn distinct(&self) -> Vec<&[u64]> {
        self.members.iter().map(|texts| &*self.sets[texts[0]]).collect()
    }

    fn comparison(&self, threshold: f64) -> Comparison<'_> {
        Comparison::new(self.distinct(), threshold)
    }

    fn buckets(&self, method: NearMethod) -> Option<Buckets> {
        let is_exact = match method {
            NearMethod::Auto => self.members.len() <= MOST_EXACT,
            NearMethod::Exact => true,
            NearMethod::MinHash => false,
        };
        (!is_exact).then(|| Buckets::new(&self.distinct()))
    }

    /// Clusters of texts from joined places.
    fn clusters(&self, mut joins: Forest) -> Clusters {
        let same = self.members.iter().flat_map(|texts| texts.windows(2).map(|two| (two[0], two[1])));
        let near = (0..self.members.len()).map(|place| (self.members[place][0], self.members[joins.root(place)][0]));
        Clusters::of_pairs(self.sets.len(), same.chain(near))
    }
}

/// The sets that are not empty, each once with the texts that have it, smallest first.
pub(super) fn same_sets(sets: &[ShingleSet]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sets.len()).filter(|&text| !sets[text].is_empty()).collect();
    let key = |text: usize| (sets[text].len(), &*sets[text], text);
    order.par_sort_unstable_by(|&a, &b| key(a).cmp(&key(b)));
    order.chunk_by(|&a, &b| sets[a] == sets[b]).map(<[usize]>::to_vec).collect()
}

/// Refuses a similarity that is not above 0 and at most 1.
pub(super) fn check_similarity(what: &'static str, got: f64) -> Result<(), DataError> {
    if got > 0.0 && got <= 1.0 { Ok(()) } else { Err(DataError::Share { what, got }) }
}

#[cfg(test)]
mod tests;
