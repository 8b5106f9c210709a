//! Texts of one set that are found again in another: what was to be measured on has been trained on.
//!
//! A pair of texts is reported under the first measure that applies:
//!
//! | measure | value | reported when |
//! |---|---|---|
//! | equal | 1 | the texts are the same after normalising (lower case, single spaces) |
//! | jaccard | \|A ∩ B\| / \|A ∪ B\| of the shingles | at least 0.5 |
//! | containment | \|A ∩ B\| / min(\|A\|, \|B\|) of the runs of 13 words | at least 0.5: a short text stands in a long one |
//!
//! All pairs are compared, none is missed. Words are runs of letters and digits; a text of fewer than 13 has no run and is found by the
//! other measures alone. An empty text is equal to nothing.

use rayon::prelude::*;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::near::{NearestSearch, ShingleSet, Shingling, check_similarity, hash, jaccard_of, overlap, set_of_runs};
use crate::observer::Observer;
use redline_probe::split::normalise;

/// Texts of either set that are compared before their pairs are sorted out: so few that all pairs of texts that are all alike fit into
/// memory.
const SECOND_CHUNK: usize = 64;
const FIRST_CHUNK: usize = 1024;

/// What counts as a leak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NearLeakOptions {
    /// Least Jaccard similarity, above 0 and at most 1.
    pub jaccard: f64,
    /// Least containment, above 0 and at most 1.
    pub containment: f64,
    /// Words in a run for the containment; 0 looks for none.
    pub n_gram: usize,
    /// What texts are cut into for the similarity.
    pub shingling: Shingling,
    /// Most pairs to return for each text of the second set, the most alike first. The others are counted.
    pub most_pairs_per_text: usize,
}

impl Default for NearLeakOptions {
    fn default() -> Self {
        Self { jaccard: 0.5, containment: 0.5, n_gram: 13, shingling: Shingling::default(), most_pairs_per_text: 10 }
    }
}

/// How two texts are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeakMeasure {
    /// The same after normalising.
    Equal,
    /// Jaccard similarity of the shingles.
    Jaccard,
    /// Share of the shorter text's runs of words that are in the other.
    Containment,
}

/// Two texts that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LeakPair {
    /// The text of the first set, from 0.
    pub first: usize,
    /// The text of the second set, from 0.
    pub second: usize,
    /// How they are alike.
    pub measure: LeakMeasure,
    /// How much, up to 1.
    pub value: f64,
}

/// What two sets of texts share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NearLeak {
    /// Pairs in order of the second text, then by measure and value.
    pub pairs: Vec<LeakPair>,
    /// Number of all pairs, those not returned included.
    pub n_pairs: u64,
    /// Texts of the first set that are in a pair, ascending.
    pub first: Vec<usize>,
    /// Texts of the second set that are in a pair, ascending.
    pub second: Vec<usize>,
    /// For each text of the second set the Jaccard similarity of the most similar text of the first set; none for an empty text, and 0
    /// when nothing is shared.
    pub nearest: Vec<Option<f64>>,
}

/// Numbers of texts by similarity to their nearest: bin i of n holds i / n ≤ x < (i + 1) / n, the last one 1 too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearestHistogram {
    /// Texts in each bin.
    pub counts: Vec<usize>,
    /// Empty texts, which are in no bin.
    pub n_empty: usize,
}

impl NearLeak {
    /// Counts the second set's texts by the similarity of their nearest; one bin at least.
    pub fn histogram(&self, n_bins: usize) -> NearestHistogram {
        let n_bins = n_bins.max(1);
        let mut counts = vec![0; n_bins];
        for value in self.nearest.iter().flatten() {
            counts[((value * n_bins as f64) as usize).min(n_bins - 1)] += 1;
        }
        NearestHistogram { counts, n_empty: self.nearest.iter().filter(|value| value.is_none()).count() }
    }
}

/// Finds the texts of the second set again in the first.
///
/// # Errors
/// [`DataError::Share`] for a least value outside 0 < x ≤ 1, and whatever the observer says.
///
/// # Example
/// ```
/// use redline_data::near_leak::{LeakMeasure, NearLeakOptions, near_leak};
///
/// let train = ["Who wrote Hamlet?", "How far is it to the moon from here?"];
/// let test = ["how far is it to the moon from  here", "Why?"];
/// let leak = near_leak(&train, &test, &NearLeakOptions::default(), &mut ())?;
/// assert_eq!((leak.pairs[0].first, leak.pairs[0].second), (1, 0));
/// assert_eq!((leak.pairs[0].measure, leak.second), (LeakMeasure::Jaccard, vec![0]));
/// # Ok::<(), redline_data::DataError>(())
/// ```
pub fn near_leak<A: AsRef<str> + Sync, B: AsRef<str> + Sync>(
    first: &[A],
    second: &[B],
    options: &NearLeakOptions,
    observer: &mut dyn Observer,
) -> Result<NearLeak, DataError> {
    check_similarity("the least Jaccard similarity of a leak", options.jaccard)?;
    check_similarity("the least containment of a leak", options.containment)?;
    let (first, second) = (Side::new(first, options), Side::new(second, options));
    let mut leak = Collected::new(first.sets.len(), second.sets.len(), options.most_pairs_per_text);
    let search = NearestSearch::new(&first.sets, options.jaccard);
    for start in (0..second.sets.len()).step_by(SECOND_CHUNK) {
        let end = (start + SECOND_CHUNK).min(second.sets.len());
        let nearest = search.nearest(&second.sets[start..end]);
        for (text, nearest) in (start..end).zip(nearest) {
            leak.nearest[text] = nearest.most;
            for (other, value) in nearest.near {
                let is_equal = first.texts[other] == second.texts[text];
                let measure = if is_equal { LeakMeasure::Equal } else { LeakMeasure::Jaccard };
                leak.add(LeakPair { first: other, second: text, measure, value });
            }
        }
        observer.progress("near leaks", end, second.sets.len())?;
    }
    contained(&first, &second, options, &mut leak);
    observer.end("near leaks");
    Ok(leak.finish())
}

/// A set of texts in the forms that are compared.
struct Side {
    /// Hashes of the normalised texts.
    texts: Vec<u64>,
    sets: Vec<ShingleSet>,
    /// Runs of words.
    runs: Vec<ShingleSet>,
}

impl Side {
    fn new<S: AsRef<str> + Sync>(texts: &[S], options: &NearLeakOptions) -> Self {
        let whole = |text: &S| hash(normalise(text.as_ref()).bytes().map(u64::from));
        Self {
            texts: texts.par_iter().map(whole).collect(),
            sets: texts.par_iter().map(|text| options.shingling.set_of(text.as_ref())).collect(),
            runs: texts.par_iter().map(|text| runs_of_words(text.as_ref(), options.n_gram)).collect(),
        }
    }
}

/// Hashes of all runs of `n` words; none of a shorter text.
fn runs_of_words(text: &str, n: usize) -> ShingleSet {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<u64> = words.map(|word| hash(word.bytes().map(u64::from))).collect();
    set_of_runs(&words, n)
}

/// Adds pairs by containment, but for those that are near already.
fn contained(first: &Side, second: &Side, options: &NearLeakOptions, leak: &mut Collected) {
    let mut texts_of: HashMap<u64, Vec<u32>> = HashMap::new();
    for (text, runs) in (0..).zip(&second.runs) {
        runs.iter().for_each(|run| texts_of.entry(*run).or_default().push(text));
    }
    for start in (0..first.runs.len()).step_by(FIRST_CHUNK) {
        let texts: Vec<usize> = (start..(start + FIRST_CHUNK).min(first.runs.len())).collect();
        let pairs = texts.par_iter().flat_map_iter(|&text| {
            let mut shared: HashMap<u32, usize> = HashMap::new();
            let others = first.runs[text].iter().filter_map(|run| texts_of.get(run)).flatten();
            others.for_each(|other| *shared.entry(*other).or_default() += 1);
            shared.into_iter().filter_map(move |(other, n_shared)| {
                let other = other as usize;
                let shorter = first.runs[text].len().min(second.runs[other].len());
                let value = n_shared as f64 / shorter as f64;
                let (a, b) = (&first.sets[text], &second.sets[other]);
                let is_new = || jaccard_of(overlap(a, b), a.len(), b.len()) < options.jaccard;
                let measure = LeakMeasure::Containment;
                (value >= options.containment && is_new()).then_some(LeakPair {
                    first: text,
                    second: other,
                    measure,
                    value,
                })
            })
        });
        pairs.collect::<Vec<_>>().into_iter().for_each(|pair| leak.add(pair));
    }
}

/// Pairs as they are found: so many for each text of the second set, and who is in any.
struct Collected {
    most: usize,
    pairs: Vec<Vec<LeakPair>>,
    n_pairs: u64,
    is_first_in: Vec<bool>,
    is_second_in: Vec<bool>,
    nearest: Vec<Option<f64>>,
}

impl Collected {
    fn new(n_first: usize, n_second: usize, most: usize) -> Self {
        Self {
            most,
            pairs: vec![Vec::new(); n_second],
            n_pairs: 0,
            is_first_in: vec![false; n_first],
            is_second_in: vec![false; n_second],
            nearest: vec![None; n_second],
        }
    }

    fn add(&mut self, pair: LeakPair) {
        self.n_pairs += 1;
        self.is_first_in[pair.first] = true;
        self.is_second_in[pair.second] = true;
        let pairs = &mut self.pairs[pair.second];
        pairs.push(pair);
        if pairs.len() >= 2 * self.most.max(8) {
            sort(pairs);
            pairs.truncate(self.most);
        }
    }

    fn finish(mut self) -> NearLeak {
        for pairs in &mut self.pairs {
            sort(pairs);
            pairs.truncate(self.most);
        }
        let numbers = |is_in: &[bool]| (0..is_in.len()).filter(|&text| is_in[text]).collect();
        NearLeak {
            n_pairs: self.n_pairs,
            first: numbers(&self.is_first_in),
            second: numbers(&self.is_second_in),
            pairs: self.pairs.concat(),
            nearest: self.nearest,
        }
    }
}

/// By measure, then the most alike first, then by the first text.
fn sort(pairs: &mut [LeakPair]) {
    pairs.sort_unstable_by(|a, b| {
        a.measure.cmp(&b.measure).then(b.value.total_cmp(&a.value)).then(a.first.cmp(&b.first))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "The bridge was opened in the spring of that year and has carried a road and a railway ever since, \
                        which nobody had thought possible before the work began in earnest";

    fn leak(first: &[&str], second: &[&str]) -> NearLeak {
        near_leak(first, second, &NearLeakOptions::default(), &mut ()).unwrap()
    }

    #[test]
    fn each_measure_finds_its_pair_and_no_pair_is_found_twice() {
        let other = |from: u64| (from..from + 30).map(|i| format!("Ferry {} left at {}. ", i * 7919, i * 104_729));
        let around = other(1).chain([format!("{LONG}. ")]).chain(other(99)).collect::<String>();
        let train = ["Something else entirely.", "WHAT is   the time?", &around, &format!("{LONG}, they say."), ""];
        let got = leak(&train, &["what is the time?", LONG, "", "No match"]);
        let found: Vec<_> = got.pairs.iter().map(|pair| (pair.first, pair.second, pair.measure)).collect();
        assert_eq!(found, [(1, 0, LeakMeasure::Equal), (3, 1, LeakMeasure::Jaccard), (2, 1, LeakMeasure::Containment)]);
        assert_eq!((got.pairs[0].value, got.pairs[2].value, got.n_pairs), (1.0, 1.0, 3));
        assert_eq!((got.first, got.second), (vec![1, 2, 3], vec![0, 1]));
        assert_eq!((got.nearest[0], got.nearest[2]), (Some(1.0), None));
        assert!(got.nearest[3].is_some_and(|value| value < 0.2), "{:?}", got.nearest);
    }

    #[test]
    fn the_nearest_is_exact_for_every_text() {
        let golden = crate::tests::golden("minhash/near_duplicates.json");
        let texts: Vec<&str> = golden["texts"].as_array().unwrap().iter().filter_map(|text| text.as_str()).collect();
        let (first, second) = texts.split_at(70);
        let got = leak(first, second);
        let shingling = Shingling::default();
        let mut n_near = 0;
        for (text, nearest) in second.iter().zip(&got.nearest) {
            let all = first.iter().map(|other| super::super::near::jaccard(text, other, &shingling));
            n_near += all.clone().filter(|value| *value >= 0.5).count();
            assert_eq!(all.max_by(f64::total_cmp), *nearest);
        }
        assert_eq!(n_near, got.pairs.iter().filter(|pair| pair.measure != LeakMeasure::Containment).count());
        assert!(n_near > 20);
        let histogram = got.histogram(10);
        assert_eq!((histogram.counts.iter().sum::<usize>(), histogram.n_empty), (48, 0));
        assert!(histogram.counts[9] > 5, "{histogram:?}");
    }

    #[test]
    fn texts_that_are_all_alike_are_counted_but_not_all_returned() {
        let train = vec!["One and the same question?"; 5000];
        let got = leak(&train, &["one and the same question?", "One and the same question!"]);
        assert_eq!((got.n_pairs, got.pairs.len(), got.first.len()), (10_000, 20, 5000));
        assert_eq!(got.pairs[0].measure, LeakMeasure::Equal);
        assert_eq!((got.pairs[9].first, got.pairs[10].second), (9, 1));
    }

    #[test]
    fn nothing_leaks_from_nothing_and_options_are_checked() {
        assert_eq!(leak(&[], &["a"]).nearest, [Some(0.0)]);
        assert_eq!(leak(&["a"], &[]), NearLeak::default());
        assert_eq!(leak(&[], &[]).histogram(0).counts, [0]);
        for options in [
            NearLeakOptions { jaccard: 0.0, ..NearLeakOptions::default() },
            NearLeakOptions { containment: f64::NAN, ..NearLeakOptions::default() },
        ] {
            assert!(matches!(near_leak(&["a"], &["a"], &options, &mut ()), Err(DataError::Share { .. })));
        }
        let off = NearLeakOptions { n_gram: 0, ..NearLeakOptions::default() };
        assert_eq!(near_leak(&[LONG], &[LONG], &off, &mut ()).unwrap().n_pairs, 1);
    }
}
