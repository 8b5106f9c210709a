//! Cleaning rows from beginning to end, with an account of every row that is removed.
//!
//! | stage | removes |
//! |---|---|
//! | `normalise` | rows with a text of white space only |
//! | `exact duplicates` | rows all of whose texts equal those of an earlier row after normalising (lower case, single spaces) |
//! | `filters` | rows that a filter of [`filters`](super::filters) objects to |
//! | `near-duplicates` | rows that are near to an earlier one, see [`near`](super::near) |
//! | `leak` | rows that are near to a text of another set, see [`near_leak`](super::near_leak) |
//!
//! Rows are compared in their normalised form and written as they were: no text is changed. Whoever splits what is left should do so
//! [by cluster](super::cluster_split), not by row.

use std::borrow::Cow;
use std::collections::HashSet;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::clusters::Clusters;
use super::error::DataError;
use super::filters::{RowFilter, RowFilterOptions, TargetRow, count_reasons, first_reasons};
use super::funnel::{Funnel, FunnelStage};
use super::near::{NearOptions, NearReport, near_duplicates};
use super::near_leak::{NearLeak, NearLeakOptions, near_leak};
use crate::observer::Observer;
use redline_probe::split::normalise;

/// Which text of a row is compared with those of others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedText {
    /// The question. Of several answers to a question one row is left.
    #[default]
    Question,
    /// The question and the text that is learnt, one behind the other.
    QuestionAndTarget,
    /// The text that is learnt, or the question where there is none.
    Target,
}

impl ComparedText {
    /// The text of a row.
    pub fn of<R: TargetRow + ?Sized>(self, row: &R) -> Cow<'_, str> {
        match (self, row.target()) {
            (Self::Question, _) | (_, None) => row.question().into(),
            (Self::Target, Some(target)) => target.into(),
            (Self::QuestionAndTarget, Some(target)) => format!("{}\n{target}", row.question()).into(),
        }
    }
}

/// What to do about near-duplicates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CleanNearOptions {
    /// What is compared.
    pub compared: ComparedText,
    /// What is near.
    pub near: NearOptions,
    /// Keeps the rows and finds clusters alone, to split by.
    pub keep: bool,
}

/// Texts that rows must not be near to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CleanLeakOptions {
    /// What is compared with them.
    pub compared: ComparedText,
    /// The texts, such as the questions of a test set.
    pub texts: Vec<String>,
    /// What is near.
    pub leak: NearLeakOptions,
}

/// Which stages to go through, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanOptions {
    /// Removes exact duplicates.
    pub exact_duplicates: bool,
    /// What rows must be like; [`RowFilterOptions::off`] for no filter.
    pub filters: RowFilterOptions,
    /// Near-duplicates; none leaves them.
    pub near: Option<CleanNearOptions>,
    /// Another set of texts; none when there is no such set.
    pub leak: Option<CleanLeakOptions>,
}

impl Default for CleanOptions {
    fn default() -> Self {
        Self {
            exact_duplicates: true,
            filters: RowFilterOptions::default(),
            near: Some(CleanNearOptions::default()),
            leak: None,
        }
    }
}

/// Rows that are clean, and what became of the others.
#[derive(Debug, Clone)]
pub struct Cleaned<R> {
    /// The rows left, in their order.
    pub kept: Vec<R>,
    /// For each of them its number among the rows before, from 0.
    pub numbers: Vec<usize>,
    /// What each stage removed.
    pub funnel: Funnel,
    /// Clusters of the rows left; each row alone, unless near-duplicates were kept.
    pub clusters: Clusters,
    /// Numbers among the rows before of near-duplicates, a list for each cluster, the row that was kept first.
    pub near_rows: Vec<Vec<usize>>,
    /// What was compared to find them; none when they were not looked for.
    pub near: Option<NearReport>,
    /// What was found of the other set; the first numbers are those of rows before. None without another set.
    pub leak: Option<NearLeak>,
    /// The rows removed, stage by stage.
    pub removed: Vec<RemovedRow<R>>,
}

/// A row that a stage removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedRow<R> {
    /// The row.
    pub row: R,
    /// Its number among the rows before, from 0.
    pub number: usize,
    /// The stage.
    pub stage: String,
    /// The filter, or the reason.
    pub filter: String,
}

/// Cleans rows: normalise, exact duplicates, filters, near-duplicates, leak. That nothing is left is no error here; the funnel says why.
///
/// # Errors
/// [`DataError::Share`] for a similarity that is none, and whatever the observer says.
///
/// # Example
/// ```
/// use redline_data::clean::{CleanOptions, clean_rows};
/// use redline_model::Question;
///
/// let row = |question: &str, answer: &str| Question { question: question.into(), answer: answer.into() };
/// let rows = vec![row("What is two plus two?", "4"), row("What is two plus two", "four"), row("Why?", " ")];
/// let cleaned = clean_rows(rows, &CleanOptions::default(), &mut ())?;
/// assert_eq!(cleaned.kept, [row("What is two plus two?", "4")]);
/// assert_eq!(cleaned.near_rows, [vec![0, 1]]);
/// # Ok::<(), redline_data::DataError>(())
/// ```
pub fn clean_rows<R: TargetRow + Sync>(
    rows: Vec<R>,
    options: &CleanOptions,
    observer: &mut dyn Observer,
) -> Result<Cleaned<R>, DataError> {
    let n_rows = rows.len();
    let mut work = Cleaned {
        kept: rows,
        numbers: (0..n_rows).collect(),
        funnel: Funnel::default(),
        clusters: Clusters::single(n_rows),
        near_rows: Vec::new(),
        near: None,
        leak: None,
        removed: Vec::new(),
    };
    work.remove_empty();
    if options.exact_duplicates {
        work.remove_duplicates();
    }
    work.filter(&options.filters);
    if let Some(options) = &options.near {
        work.remove_near(options, observer)?;
    }
    if let Some(options) = &options.leak {
        work.remove_leaks(options, observer)?;
    }
    Ok(work)
}

impl<R: TargetRow + Sync> Cleaned<R> {
    fn remove_empty(&mut self) {
        let has_text = |row: &R| row.texts().iter().all(|text| !text.trim().is_empty());
        let is_kept: Vec<bool> = self.kept.par_iter().map(has_text).collect();
        let n_removed = n_false(&is_kept);
        self.retain("normalise", &is_kept, [("empty", n_removed)], |_| "empty");
    }

    fn remove_duplicates(&mut self) {
        let digests: Vec<[u8; 32]> = self.kept.par_iter().map(digest).collect();
        let mut seen = HashSet::with_capacity(digests.len());
        let is_kept: Vec<bool> = digests.iter().map(|digest| seen.insert(digest)).collect();
        let n_removed = n_false(&is_kept);
        self.retain("exact duplicates", &is_kept, [("equal texts", n_removed)], |_| "equal texts");
    }

    fn filter(&mut self, options: &RowFilterOptions) {
        let reasons = first_reasons(&self.kept, options);
        let counts = count_reasons(&reasons, options);
        let is_kept: Vec<bool> = reasons.iter().map(Option::is_none).collect();
        let counts = counts.iter().map(|count| (count.filter.name(), count.removed));
        self.retain("filters", &is_kept, counts, |row| reasons[row].map_or("", RowFilter::name));
    }

    fn remove_near(&mut self, options: &CleanNearOptions, observer: &mut dyn Observer) -> Result<(), DataError> {
        let texts: Vec<Cow<str>> = self.kept.iter().map(|row| options.compared.of(row)).collect();
        let near = near_duplicates(&texts, &options.near, observer)?;
        drop(texts);
        let number = |row: &usize| self.numbers.get(*row).copied();
        self.near_rows = near.clusters.shared().iter().map(|rows| rows.iter().filter_map(number).collect()).collect();
        self.near = Some(near.report);
        let is_kept: Vec<bool> = (0..self.kept.len()).map(|row| options.keep || near.clusters.is_first(row)).collect();
        self.clusters = near.clusters;
        let n_removed = n_false(&is_kept);
        const WHY: &str = "near to an earlier row";
        self.retain("near-duplicates", &is_kept, [(WHY, n_removed)], |_| WHY);
        Ok(())
    }

    fn remove_leaks(&mut self, options: &CleanLeakOptions, observer: &mut dyn Observer) -> Result<(), DataError> {
        let texts: Vec<Cow<str>> = self.kept.iter().map(|row| options.compared.of(row)).collect();
        let mut leak = near_leak(&texts, &options.texts, &options.leak, observer)?;
        drop(texts);
        let mut is_kept = vec![true; self.kept.len()];
        leak.first.iter().filter_map(|row| self.numbers.get(*row).map(|_| *row)).for_each(|row| is_kept[row] = false);
        let n_removed = n_false(&is_kept);
        let new_number = |row: usize| self.numbers.get(row).copied().unwrap_or(row);
        leak.first.iter_mut().for_each(|row| *row = new_number(*row));
        leak.pairs.iter_mut().for_each(|pair| pair.first = new_number(pair.first));
        self.leak = Some(leak);
        const WHY: &str = "near to a text of the other set";
        self.retain("leak", &is_kept, [(WHY, n_removed)], |_| WHY);
        Ok(())
    }

    /// Keeps some of the rows and writes the stage down; `why` names the filter of a row that goes.
    fn retain<'a>(
        &mut self,
        stage: &str,
        is_kept: &[bool],
        removed: impl IntoIterator<Item = (&'a str, usize)>,
        why: impl Fn(usize) -> &'a str,
    ) {
        self.funnel.stages.push(FunnelStage::new(stage, self.kept.len(), removed));
        let places: Vec<usize> = (0..is_kept.len()).filter(|&row| is_kept[row]).collect();
        self.clusters = self.clusters.among(&places);
        let rows = std::mem::take(&mut self.kept).into_iter().zip(std::mem::take(&mut self.numbers));
        for (place, (row, number)) in rows.enumerate() {
            if is_kept.get(place).copied().unwrap_or(true) {
                self.kept.push(row);
                self.numbers.push(number);
            } else {
                self.removed.push(RemovedRow { row, number, stage: stage.into(), filter: why(place).into() });
            }
        }
    }
}

fn n_false(flags: &[bool]) -> usize {
    flags.iter().filter(|flag| !**flag).count()
}

/// SHA-256 of the normalised texts of a row, each behind its length.
fn digest<R: TargetRow>(row: &R) -> [u8; 32] {
    let mut sha = Sha256::new();
    for text in row.texts() {
        let text = normalise(text);
        sha.update((text.len() as u64).to_le_bytes());
        sha.update(text);
    }
    sha.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_split::split_by_cluster;
    use crate::filter::TextRow;
    use crate::near_leak::LeakMeasure;
    use redline_model::Question;

    #[derive(Debug, Clone, PartialEq)]
    struct Row {
        text: Question,
        id: u32,
    }

    impl TextRow for Row {
        fn texts(&self) -> Vec<&str> {
            self.text.texts()
        }
    }

    impl TargetRow for Row {
        fn question(&self) -> &str {
            &self.text.question
        }
        fn target(&self) -> Option<&str> {
            Some(&self.text.answer)
        }
    }

    fn rows() -> Vec<Row> {
        let texts = [
            ("Who built the tower in the old town?", "A mason."),
            ("How deep is the lake behind the hill?", "Forty metres."),
            ("Who built the tower in the old town?", "a  Mason."),
            ("Who built the tower in the old town", "Nobody knows."),
            ("Where does the river begin?", "As an AI language model, I do not know."),
            ("What now?", "\t"),
            ("How deep is the lake behind the hills?", "Thirty."),
            ("When did the library open its doors?", "In spring."),
        ];
        let row = |(id, (question, answer)): (u32, (&str, &str))| Row {
            text: Question { question: question.into(), answer: answer.into() },
            id,
        };
        (0..).zip(texts).map(row).collect()
    }

    fn ids(cleaned: &Cleaned<Row>) -> Vec<u32> {
        cleaned.kept.iter().map(|row| row.id).collect()
    }

    #[test]
    fn every_removed_row_is_accounted_for() {
        let texts = vec!["When did the library open its door?".to_owned()];
        let leak = Some(CleanLeakOptions { texts, ..CleanLeakOptions::default() });
        let cleaned = clean_rows(rows(), &CleanOptions { leak, ..CleanOptions::default() }, &mut ()).unwrap();
        assert_eq!((ids(&cleaned), &cleaned.numbers), (vec![0, 1], &vec![0, 1]));
        let out: Vec<_> = cleaned.funnel.stages.iter().map(|stage| (stage.name.as_str(), stage.n_out)).collect();
        let expected = [("normalise", 7), ("exact duplicates", 6), ("filters", 5), ("near-duplicates", 3), ("leak", 2)];
        assert_eq!(out, expected);
        assert!(cleaned.funnel.stages.windows(2).all(|two| two[0].n_out == two[1].n_in));
        assert_eq!(cleaned.near_rows, [vec![0, 3], vec![1, 6]]);
        let leak = cleaned.leak.unwrap();
        assert_eq!((leak.first, leak.pairs[0].first, leak.pairs[0].measure), (vec![7], 7, LeakMeasure::Jaccard));
        assert_eq!(cleaned.clusters, Clusters::single(2));
        let table = cleaned.funnel.table();
        assert!(table.contains("filters           boilerplate"), "{table}");
    }

    #[test]
    fn near_duplicates_that_are_kept_are_split_together() {
        let near = Some(CleanNearOptions { keep: true, ..CleanNearOptions::default() });
        let cleaned = clean_rows(rows(), &CleanOptions { near, ..CleanOptions::default() }, &mut ()).unwrap();
        assert_eq!(ids(&cleaned), [0, 1, 3, 6, 7]);
        assert_eq!(cleaned.clusters.groups(), [vec![0, 2], vec![1, 3], vec![4]]);
        let split = split_by_cluster(&cleaned.clusters, 0.4, 1).unwrap();
        assert_eq!(split.train.contains(&0), split.train.contains(&2));
    }

    #[test]
    fn stages_can_be_left_out_and_other_texts_compared() {
        let off = CleanOptions { exact_duplicates: false, filters: RowFilterOptions::off(), near: None, leak: None };
        let cleaned = clean_rows(rows(), &off, &mut ()).unwrap();
        assert_eq!((ids(&cleaned), cleaned.funnel.stages.len()), (vec![0, 1, 2, 3, 4, 6, 7], 2));
        assert_eq!(cleaned.numbers, [0, 1, 2, 3, 4, 6, 7]);
        let compared = ComparedText::Target;
        let near = Some(CleanNearOptions { compared, ..CleanNearOptions::default() });
        let cleaned = clean_rows(rows(), &CleanOptions { near, ..off.clone() }, &mut ()).unwrap();
        assert_eq!(cleaned.near_rows, [vec![0, 2]]);
        assert_eq!(
            ComparedText::QuestionAndTarget.of(&rows()[1]),
            "How deep is the lake behind the hill?\nForty metres."
        );
        let none = clean_rows(Vec::<Row>::new(), &CleanOptions::default(), &mut ()).unwrap();
        assert_eq!((none.kept.len(), none.funnel.n_out()), (0, Some(0)));
    }
}
