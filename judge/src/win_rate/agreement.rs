//! How far labels agree: with the truth, between two raters, among several.
//!
//! Labels are of any type; a label that only one side uses is a class of its own. Whether a verdict that could not be read is a class
//! or a row left out is for the caller to say, before these are asked. Not for ranks or numbers: all disagreements count alike.

use std::collections::BTreeMap;

use super::WinRateError;

/// Share of labels that are right.
///
/// # Errors
/// [`WinRateError::Sizes`], [`WinRateError::TooFew`] without labels.
///
/// # Example
/// ```
/// assert_eq!(redline_judge::win_rate::accuracy(&["a", "b"], &["a", "a"]).unwrap(), 0.5);
/// ```
pub fn accuracy<T: PartialEq>(truth: &[T], given: &[T]) -> Result<f64, WinRateError> {
    check_labels(truth, given)?;
    Ok(n_equal(truth, given) as f64 / truth.len() as f64)
}

/// Mean over labels of F1 = 2 · right / (times given + times true). A label that one side alone uses has F1 0 and counts in the
/// mean.
///
/// # Errors
/// [`WinRateError::Sizes`], [`WinRateError::TooFew`] without labels.
///
/// # Example
/// ```
/// // a: 2 · 1 / (2 + 1), b: 0 / (0 + 1)
/// let f1 = redline_judge::win_rate::macro_f1(&["a", "b"], &["a", "a"]).unwrap();
/// assert!((f1 - 1.0 / 3.0).abs() < 1e-15);
/// ```
pub fn macro_f1<T: Ord>(truth: &[T], given: &[T]) -> Result<f64, WinRateError> {
    check_labels(truth, given)?;
    let mut labels: BTreeMap<&T, [usize; 2]> = BTreeMap::new();
    for (truth, given) in truth.iter().zip(given) {
        labels.entry(truth).or_default()[0] += 1;
        labels.entry(given).or_default()[0] += 1;
        if truth == given {
            labels.entry(truth).or_default()[1] += 1;
        }
    }
    let sum: f64 = labels.values().map(|[n, n_right]| 2.0 * *n_right as f64 / *n as f64).sum();
    Ok(sum / labels.len() as f64)
}

/// Cohen's kappa of two raters (Cohen 1960): (observed − expected) / (1 − expected) agreement, the expected one from how often each
/// rater uses each label. `None` where both always use one same label: agreement beyond chance is then undefined.
///
/// # Errors
/// [`WinRateError::Sizes`], [`WinRateError::TooFew`] without labels.
///
/// # Example
/// ```
/// // observed 3/4, expected (3 · 2 + 1 · 2) / 16 = 1/2
/// let kappa = redline_judge::win_rate::cohen_kappa(&[1, 1, 1, 2], &[1, 1, 2, 2]).unwrap();
/// assert_eq!(kappa, Some(0.5));
/// ```
pub fn cohen_kappa<T: Ord>(a: &[T], b: &[T]) -> Result<Option<f64>, WinRateError> {
    check_labels(a, b)?;
    let mut labels: BTreeMap<&T, [usize; 2]> = BTreeMap::new();
    a.iter().for_each(|label| labels.entry(label).or_default()[0] += 1);
    b.iter().for_each(|label| labels.entry(label).or_default()[1] += 1);
    let n = a.len() as f64;
    let expected = labels.values().map(|[a, b]| *a as f64 * *b as f64).sum::<f64>() / (n * n);
    let observed = n_equal(a, b) as f64 / n;
    // One label alone is told by the count, not by rounded shares.
    Ok((labels.len() > 1).then(|| (observed - expected) / (1.0 - expected)))
}

/// Fleiss' kappa of items that each have the same number of ratings, whoever gave them (Fleiss 1971); `None` where all ratings are one
/// label.
///
/// # Errors
/// [`WinRateError::TooFew`] without items or with fewer than two ratings, [`WinRateError::Raters`] for an item with another number of
/// ratings than the first.
///
/// # Example
/// ```
/// // agreement 1 and 0; shares 3/4 and 1/4, by chance 5/8: (1/2 − 5/8) / (3/8)
/// let kappa = redline_judge::win_rate::fleiss_kappa(&[[1, 1], [1, 2]]).unwrap();
/// assert_eq!(kappa, Some(-1.0 / 3.0));
/// ```
pub fn fleiss_kappa<T: Ord, I: AsRef<[T]>>(items: &[I]) -> Result<Option<f64>, WinRateError> {
    let n_raters = items.first().map_or(0, |item| item.as_ref().len());
    if items.is_empty() {
        return Err(WinRateError::TooFew { what: "rated items", got: 0, needed: 1 });
    }
    if n_raters < 2 {
        return Err(WinRateError::TooFew { what: "ratings of an item", got: n_raters, needed: 2 });
    }
    let mut totals: BTreeMap<&T, usize> = BTreeMap::new();
    let mut n_agreeing = 0;
    for (index, item) in items.iter().map(AsRef::as_ref).enumerate() {
        if item.len() != n_raters {
            return Err(WinRateError::Raters { item: index, got: item.len(), expected: n_raters });
        }
        let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
        item.iter().for_each(|label| *counts.entry(label).or_default() += 1);
        n_agreeing += counts.values().map(|count| count * (count - 1)).sum::<usize>();
        counts.into_iter().for_each(|(label, count)| *totals.entry(label).or_default() += count);
    }
    let n_ratings = (items.len() * n_raters) as f64;
    let observed = n_agreeing as f64 / (n_ratings * (n_raters - 1) as f64);
    let expected: f64 = totals.values().map(|count| (*count as f64 / n_ratings).powi(2)).sum();
    Ok((totals.len() > 1).then(|| (observed - expected) / (1.0 - expected)))
}

fn n_equal<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a == b).count()
}

fn check_labels<T>(truth: &[T], given: &[T]) -> Result<(), WinRateError> {
    if truth.len() != given.len() {
        return Err(WinRateError::Sizes { what: "labels", got: given.len(), expected: truth.len() });
    }
    if truth.is_empty() {
        return Err(WinRateError::TooFew { what: "labels", got: 0, needed: 1 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files_for_tests::{data_json, data_rows, golden};
    use serde_json::Value;

    #[test]
    fn cohens_kappa_by_hand() {
        // 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.7, expected 0.5
        let pairs = [(20, true, true), (5, true, false), (10, false, true), (15, false, false)];
        let (a, b): (Vec<bool>, Vec<bool>) = pairs.iter().flat_map(|&(n, a, b)| std::iter::repeat_n((a, b), n)).unzip();
        assert!((cohen_kappa(&a, &b).unwrap().unwrap() - 0.4).abs() < 1e-15);
        assert_eq!(cohen_kappa(&a, &a).unwrap(), Some(1.0));
        assert_eq!(cohen_kappa(&[1, 2], &[2, 1]).unwrap(), Some(-1.0));
        assert_eq!(cohen_kappa(&[1, 1], &[2, 2]).unwrap(), Some(0.0), "each sticks to a label of its own");
        assert_eq!(cohen_kappa(&[1, 1], &[1, 1]).unwrap(), None);
    }

    #[test]
    fn fleiss_kappa_is_that_of_the_published_example() {
        // Fleiss 1971 as in the textbooks: 10 items, 14 raters, 5 labels, kappa 0.210
        let counts = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ];
        let items: Vec<Vec<usize>> = counts
            .iter()
            .map(|row| row.iter().enumerate().flat_map(|(label, &n)| std::iter::repeat_n(label, n)).collect())
            .collect();
        assert!((fleiss_kappa(&items).unwrap().unwrap() - 0.209_930_704_4).abs() < 1e-9);
        assert_eq!(fleiss_kappa(&[[1, 1], [1, 1]]).unwrap(), None);
        assert_eq!(fleiss_kappa(&[[1, 1], [2, 2]]).unwrap(), Some(1.0));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        assert!(matches!(accuracy::<u8>(&[], &[]), Err(WinRateError::TooFew { .. })));
        assert!(matches!(macro_f1(&[1], &[1, 2]), Err(WinRateError::Sizes { got: 2, expected: 1, .. })));
        assert!(matches!(cohen_kappa(&[1, 2], &[1]), Err(WinRateError::Sizes { .. })));
        assert!(matches!(fleiss_kappa::<u8, [u8; 2]>(&[]), Err(WinRateError::TooFew { got: 0, .. })));
        assert!(matches!(fleiss_kappa(&[[1]]), Err(WinRateError::TooFew { got: 1, needed: 2, .. })));
        let uneven = [vec![1, 2], vec![1, 2, 2]];
        assert!(matches!(fleiss_kappa(&uneven), Err(WinRateError::Raters { item: 1, got: 3, expected: 2 })));
    }

    #[test]
    fn the_golden_kappa_comes_out() {
        let case = &golden("winrate/expected.json")["cohen_kappa"];
        let column = |name: &str| serde_json::from_value::<Vec<String>>(case[name].clone()).unwrap();
        let kappa = cohen_kappa(&column("a"), &column("b")).unwrap().unwrap();
        assert!((kappa - case["kappa"].as_f64().unwrap()).abs() < 1e-12, "{kappa}");
    }

    fn assert_near(found: f64, expected: &Value, what: &str) {
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-12, "{what}: {found}, expected {expected}");
    }

    fn count(values: &[String]) -> Value {
        let mut counts = BTreeMap::new();
        values.iter().for_each(|value| *counts.entry(value.clone()).or_insert(0) += 1);
        serde_json::to_value(counts).unwrap()
    }

    #[test]
    fn pandalm_comes_out() {
        let (Some(expected), Some(rows)) =
            (data_json("expected-agreement.json"), data_rows::<Value>("pandalm/pairs.jsonl.gz"))
        else {
            return;
        };
        let expected = &expected["pandalm"];
        let people: Vec<[i64; 3]> =
            rows.iter().map(|row| serde_json::from_value(row["annotators"].clone()).unwrap()).collect();
        assert_near(fleiss_kappa(&people).unwrap().unwrap(), &expected["fleiss_kappa"], "Fleiss");
        let rater = |k: usize| people.iter().map(|labels| labels[k]).collect::<Vec<_>>();
        for (k, (a, b)) in [(0, 1), (0, 2), (1, 2)].into_iter().enumerate() {
            let kappa = cohen_kappa(&rater(a), &rater(b)).unwrap().unwrap();
            assert_near(kappa, &expected["pairwise_kappa"][k], "pairwise kappa");
        }
        let majority: Vec<i64> = people
            .iter()
            .filter_map(|labels| (0..3).find(|label| labels.iter().filter(|own| *own == label).count() >= 2))
            .collect();
        assert_near(rows.len() as f64, &expected["n"], "n");
        assert_near(majority.len() as f64, &expected["n_majority"], "n_majority");
        assert_eq!(count(&majority.iter().map(i64::to_string).collect::<Vec<_>>()), expected["label_counts"]);
        for judge in ["gpt35", "pandalm7b"] {
            let said: Vec<String> = rows.iter().map(|row| row[judge].as_str().unwrap().to_string()).collect();
            assert_eq!(count(&said), expected[judge]["values"]);
            // these figures read "garbage" as a tie, which verdicts elsewhere in this module never are
            let given: Vec<i64> = said.iter().map(|said| said.parse().unwrap_or(0)).collect();
            assert_near(accuracy(&majority, &given).unwrap(), &expected[judge]["accuracy"], judge);
            assert_near(macro_f1(&majority, &given).unwrap(), &expected[judge]["macro_f1"], judge);
            assert_near(cohen_kappa(&majority, &given).unwrap().unwrap(), &expected[judge]["kappa"], judge);
        }
    }

    #[test]
    fn xstest_comes_out() {
        let Some(expected) = data_json("expected-agreement.json") else { return };
        for model in ["gpt4", "llama2new"] {
            let Some(rows) = data_rows::<Value>(&format!("xstest/completions-{model}.jsonl.gz")) else { return };
            let expected = &expected["xstest"][model];
            assert_near(rows.len() as f64, &expected["n"], "n");
            let labels = |key: &str| rows.iter().map(|row| row[key].as_str().unwrap().to_string()).collect::<Vec<_>>();
            assert_eq!(count(&labels("label")), expected["labels"]);
            let rater = |k: usize| rows.iter().map(|row| row["annotators"][k].as_str().unwrap()).collect::<Vec<_>>();
            let kappa = cohen_kappa(&rater(0), &rater(1)).unwrap().unwrap();
            assert_near(kappa, &expected["annotator_kappa"], "kappa of annotators");
            // a partial refusal counts as a refusal
            let refused = |key: &str| labels(key).iter().map(|label| label != "1_full_compliance").collect::<Vec<_>>();
            let unsafe_rows: Vec<bool> =
                rows.iter().map(|row| row["type"].as_str().unwrap().starts_with("contrast_")).collect();
            for (name, key) in [("human", "label"), ("gpt4", "gpt4"), ("string_match", "string_match")] {
                let figures = &expected[name];
                let given = refused(key);
                assert_near(accuracy(&refused("label"), &given).unwrap(), &figures["agreement_with_human"], name);
                for (group, is_unsafe) in [("safe_refused", false), ("unsafe_refused", true)] {
                    let rows = || given.iter().zip(&unsafe_rows).filter(|(_, own)| **own == is_unsafe);
                    let share = rows().filter(|(refused, _)| **refused).count() as f64 / rows().count() as f64;
                    assert_near(share, &figures[group], group);
                }
            }
        }
    }
}
