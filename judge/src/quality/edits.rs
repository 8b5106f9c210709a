//! Rows with a reference only: which words an output edits, against which words the reference edits.
//!
//! An **edit** is one word of the answer that is deleted, or one new word before a word of the answer; a replaced word is one of each. That is
//! finer than the edits of ERRANT (Bryant, Felice and Briscoe 2017), where a phrase is one edit, so a phrase that is half right counts
//! half. Words are those of [`split_words`](redline_steer::split_words) without white space. Edits come from the alignment with the most
//! words in common, chosen as `align` says; new words stand where the edited stretch begins. An edit of the output is right when the
//! reference has the same edit at the same place, each counted once.
//!
//! precision = shared / proposed, recall = shared / wanted, F₀.₅ = 1.25·P·R / (0.25·P + R), which weighs precision twice, as M² does
//! (Dahlmeier and Ng 2012): a corrector that leaves a flaw does less harm than one that makes a new one. Without wrong edits the
//! precision is 1, without missing ones the recall is 1, so the unchanged answer has precision 1, recall 0 and F₀.₅ 0.
//!
//! There are many good corrections and one reference: these figures compare coefficients with each other, and with the unchanged answer. They do not
//! say how good a text is.

use std::collections::BTreeMap;

use redline_model::Qac;
use redline_steer::{EditRatios, split_words};
use serde::{Deserialize, Serialize};

use super::align::{Edit, End, Step, align};
use super::error::QualityError;
use super::lattice::Piece;

/// One word deleted, or one inserted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WordEdit {
    /// The word of the answer from which on, counted from 0.
    pub start: usize,
    /// `start` for an insertion, otherwise the word behind the one deleted.
    pub end: usize,
    /// The new word; empty for a deletion.
    pub text: String,
}

/// The edits that turn one text into another, in the order of the first; white space is of no account.
///
/// # Errors
/// [`QualityError::TooLong`].
///
/// # Example
/// ```
/// let edits = redline_judge::quality::word_edits("It is dreadful hot.", "It is very hot")?;
/// let found: Vec<_> = edits.iter().map(|edit| (edit.start, edit.end, edit.text.as_str())).collect();
/// assert_eq!(found, [(2, 3, ""), (2, 2, "very"), (4, 5, "")]);
/// # Ok::<(), redline_judge::quality::QualityError>(())
/// ```
pub fn word_edits(from: &str, to: &str) -> Result<Vec<WordEdit>, QualityError> {
    let words = |text| split_words(text).filter(|word| !word.trim().is_empty()).collect::<Vec<&str>>();
    let (from, to) = (words(from), words(to));
    let steps = align(&[Piece::Common(from)], &to, End::Whole, 0)?.steps;
    let (mut at, mut read, mut run) = (0, 0, 0);
    let mut edits = Vec::new();
    for step in steps {
        match step {
            Step::Symbol { edit: Edit::Match, .. } => {
                (at, read) = (at + 1, read + 1);
                run = at;
            }
            Step::Symbol { edit: Edit::Delete, .. } => {
                edits.push(WordEdit { start: at, end: at + 1, text: String::new() });
                at += 1;
            }
            Step::Symbol { edit: Edit::Insert, .. } => {
                edits.push(WordEdit { start: run, end: run, text: to[read].to_owned() });
                read += 1;
            }
            Step::Passed { .. } => {}
        }
    }
    Ok(edits)
}

/// How many edits are in both of two lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditCounts {
    /// Edits of the output.
    pub proposed: usize,
    /// Edits of the reference.
    pub wanted: usize,
    /// Edits in both.
    pub shared: usize,
}

impl EditCounts {
    /// Compares edits of one answer.
    pub fn new(proposed: &[WordEdit], wanted: &[WordEdit]) -> Self {
        let mut left: BTreeMap<&WordEdit, usize> = BTreeMap::new();
        wanted.iter().for_each(|edit| *left.entry(edit).or_default() += 1);
        let is_wanted = |edit: &&WordEdit| match left.get_mut(*edit) {
            Some(n) if *n > 0 => {
                *n -= 1;
                true
            }
            _ => false,
        };
        Self { proposed: proposed.len(), wanted: wanted.len(), shared: proposed.iter().filter(is_wanted).count() }
    }

    /// The counts of several rows together.
    pub fn sum(counts: impl IntoIterator<Item = Self>) -> Self {
        counts.into_iter().fold(Self::default(), |sum, other| Self {
            proposed: sum.proposed + other.proposed,
            wanted: sum.wanted + other.wanted,
            shared: sum.shared + other.shared,
        })
    }

    /// Share of the proposed edits that are wanted; 1 without any.
    pub fn precision(&self) -> f64 {
        share(self.shared, self.proposed)
    }

    /// Share of the wanted edits that are proposed; 1 without any.
    pub fn recall(&self) -> f64 {
        share(self.shared, self.wanted)
    }

    /// F₀.₅.
    pub fn f_half(&self) -> f64 {
        const BETA_SQUARED: f64 = 0.25;
        let (precision, recall) = (self.precision(), self.recall());
        let both = BETA_SQUARED * precision + recall;
        if precision + recall == 0.0 { 0.0 } else { (1.0 + BETA_SQUARED) * precision * recall / both }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// What is to be said of an output beside a reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReferenceJudgement {
    /// Its word edits beside those of the reference.
    pub edits: EditCounts,
    /// 1 − distance / longer length, between output and reference.
    pub similarity: f64,
    /// The same between the answer and the reference: what an output has that changes nothing.
    pub unchanged_similarity: f64,
    /// Length of the output over that of the answer; none for an empty answer.
    pub length_ratio: Option<f64>,
    /// (Deleted − inserted characters) over the length of the answer, which is 1 − `length_ratio`.
    pub net_deletion: Option<f64>,
    /// How much shorter than both answer and reference the output is, over the length of the reference; below 0 where it is longer than both.
    pub shortfall: Option<f64>,
    /// Whether the reference is the answer; if so, whether the output is too.
    pub clean_kept: Option<bool>,
    /// Whether the length limit cut the output. It is compared with the whole reference all the same: where it would have gone on is not known.
    pub truncated: bool,
}

impl ReferenceJudgement {
    /// Judges an output of a row.
    ///
    /// # Errors
    /// [`QualityError::TooLong`].
    pub fn new(row: &Qac, output: &str, truncated: bool) -> Result<Self, QualityError> {
        let (answer, reference, output) = (row.answer.trim(), row.correction.trim(), output.trim());
        let (proposed, wanted) = (word_edits(answer, output)?, word_edits(answer, reference)?);
        let to_answer = EditRatios::new(answer, output);
        let to_reference = EditRatios::new(reference, output);
        let ratio = |measured: &EditRatios| {
            (measured.original_length > 0).then(|| measured.output_length as f64 / measured.original_length as f64)
        };
        let length_ratio = ratio(&to_answer);
        Ok(Self {
            edits: EditCounts::new(&proposed, &wanted),
            similarity: to_reference.similarity,
            unchanged_similarity: EditRatios::new(reference, answer).similarity,
            length_ratio,
            net_deletion: length_ratio.map(|ratio| 1.0 - ratio),
            shortfall: shortfall(&to_reference, to_answer.original_length),
            clean_kept: (answer == reference).then(|| !truncated && output == answer),
            truncated,
        })
    }
}

/// How far the output's length lies outside of what lies between reference and answer.
fn shortfall(to_reference: &EditRatios, answer: usize) -> Option<f64> {
    let (reference, output) = (to_reference.original_length, to_reference.output_length);
    let nearest = output.clamp(reference.min(answer), reference.max(answer));
    (reference > 0).then(|| (nearest as f64 - output as f64) / reference as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(answer: &str, correction: &str) -> Qac {
        Qac { question: "q".into(), answer: answer.into(), correction: correction.into() }
    }

    fn judge(output: &str) -> ReferenceJudgement {
        ReferenceJudgement::new(&row("You fool. It are 9 eggs.", "It is 3 eggs."), output, false).unwrap()
    }

    #[test]
    fn edits_are_compared_word_by_word() {
        // wanted: three deletions and two replacements, which are two edits each
        let whole = judge("It is 3 eggs.").edits;
        assert_eq!((whole.proposed, whole.wanted, whole.shared), (7, 7, 7));
        let half = judge("It are 9 eggs.").edits;
        assert_eq!((half.precision(), half.recall()), (1.0, 3.0 / 7.0));
        assert_eq!(half.f_half(), 1.25 * (3.0 / 7.0) / (0.25 + 3.0 / 7.0));
        let other = judge("You fool. It were 9 eggs.").edits;
        assert_eq!((other.proposed, other.shared), (2, 1), "another word is another edit");
        let copied = judge("You fool. It are 9 eggs.");
        assert_eq!((copied.edits.precision(), copied.edits.recall(), copied.edits.f_half()), (1.0, 0.0, 0.0));
        assert_eq!(copied.similarity, copied.unchanged_similarity);
        let nothing = EditCounts::default();
        assert_eq!((nothing.precision(), nothing.recall(), nothing.f_half()), (1.0, 1.0, 1.0));
        let all_wrong = EditCounts { proposed: 2, wanted: 1, shared: 0 };
        assert_eq!(all_wrong.f_half(), 0.0);
    }

    #[test]
    fn an_edit_counts_as_often_as_it_is_wanted() {
        let twice = word_edits("a", "x x a").unwrap();
        let once = word_edits("a", "x a").unwrap();
        assert_eq!(EditCounts::new(&twice, &once), EditCounts { proposed: 2, wanted: 1, shared: 1 });
        let sum = EditCounts::sum([EditCounts::new(&twice, &twice), EditCounts::new(&once, &twice)]);
        assert_eq!(sum, EditCounts { proposed: 3, wanted: 4, shared: 3 });
    }

    #[test]
    fn deletion_is_told_from_correction() {
        let deleted = judge("eggs.");
        assert!(deleted.similarity < deleted.unchanged_similarity);
        assert_eq!(deleted.net_deletion, Some(1.0 - 5.0 / 24.0));
        assert_eq!(deleted.shortfall, Some(8.0 / 13.0));
        for between in ["It is 3 eggs.", "It is maybe 3 eggs.", "You fool. It are 9 eggs."] {
            assert_eq!(judge(between).shortfall, Some(0.0));
        }
        assert_eq!(judge("You are a fool. It is 9 eggs.").shortfall, Some(-5.0 / 13.0));
        let kept = |output, cut| ReferenceJudgement::new(&row("a b", "a b"), output, cut).unwrap().clean_kept;
        assert_eq!(
            [kept("a b ", false), kept("a c", false), kept("a b", true)],
            [Some(true), Some(false), Some(false)]
        );
        assert_eq!(judge("x").clean_kept, None);
    }

    proptest! {
        #[test]
        fn edits_made_in_the_answer_give_the_output(from in "[a-d ,.]{0,40}", to in "[a-d ,.]{0,40}") {
            let words = |text: &str| {
                split_words(text).filter(|word| !word.trim().is_empty()).map(str::to_owned).collect::<Vec<_>>()
            };
            let (mut made, edits) = (words(&from), word_edits(&from, &to).unwrap());
            let deleted = edits.iter().rev().filter(|edit| edit.text.is_empty());
            let mut at: Vec<Option<String>> = made.drain(..).map(Some).collect();
            deleted.for_each(|edit| at[edit.start] = None);
            for (place, word) in at.into_iter().chain([None]).enumerate() {
                let new = edits.iter().filter(|edit| edit.start == place && !edit.text.is_empty());
                made.extend(new.map(|edit| edit.text.clone()));
                made.extend(word);
            }
            prop_assert_eq!(made, words(&to));
            prop_assert_eq!(EditCounts::new(&edits, &edits).f_half(), 1.0);
        }
    }
}
