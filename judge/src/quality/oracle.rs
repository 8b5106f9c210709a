//! The flaw oracle: what became of each flaw of an answer, and of the text that was fine.
//!
//! A row says what its clean text is and which flaws were put into it. So an output can be judged exactly, without another model:
//!
//! - a flaw is **mended** when what stands in its place is what the clean text has there, **kept** when it is what the answer has
//!   there, and **other** when it is neither;
//! - **gain** = 1 − distance(output, clean) / distance(answer, clean): 0 when the answer was copied, 1 for the clean text, below 0 when the
//!   output is farther from it than the answer was; undefined for an answer without flaws;
//! - **damage** = the share of the text that clean text and answer have in common which the output deletes or replaces;
//!   **added** = characters that the output has beyond both texts, those that replace others not counted, over the length of what they have in common.
//!
//! Distances are Levenshtein distances over Unicode scalar values, of texts without white space at their ends, as in the edit ratio.
//!
//! # Finding a flaw's place
//! The output is aligned with the clean text and the answer at once (the private module `align`): at each flaw either of its texts may stand, and
//! the cheapest reading counts, where an edit costs one a character and six a run, as readers see few long edits rather than many short ones. Of
//! several such readings the one counts that cuts into fewest flaws, then the one that keeps a flaw rather than mending it: no mend is
//! claimed which another reading denies. What is written directly where a flaw was taken out makes it *other* (an insult that was
//! replaced by another insult is not mended), unless it repeats what stands beside it or replaces sound text; so does what makes a mended word or number
//! another one (`10` in `100`).
//!
//! A sentence that stands twice is mended when either of the two is gone; where it is the first, and they are not neighbours, that counts as
//! damage too.
//!
//! # Outputs that the limit cut
//! are compared with as much of the texts as they reach: the beginning that costs least, the shortest of several. Flaws behind it are
//! **unreached** and no share counts them; lengths, gain and damage are those of the beginning. Where less than half of the output is found in
//! it, the output is noise or a loop, and is compared with the whole. A cut output never counts as a copy or as a possible correction.
//!
//! # Example
//! ```
//! use redline_data::corrupt::{CorruptOptions, Corruptor};
//! use redline_judge::quality::{Fate, FlawOracle};
//!
//! let corruptor = Corruptor::new(CorruptOptions { seed: 1, clean_share: 0.0 })?;
//! let row = corruptor.corrupt(0, "How hot is boiling water?", "Water boils at 100 degrees. Salt raises that a little.")?;
//! let oracle = FlawOracle::new(&row)?;
//! let copied = oracle.judge(&row.answer, false)?;
//! assert!(copied.fates.iter().all(|&fate| fate == Fate::Kept));
//! assert_eq!((copied.gain, copied.damage), (Some(0.0), Some(0.0)));
//! assert_eq!(oracle.judge(&row.clean, false)?.gain, Some(1.0));
//! # Ok::<(), redline_judge::quality::QualityError>(())
//! ```

use redline_steer::levenshtein_distance;
use serde::{Deserialize, Serialize};

use super::align::{Alignment, Edit, End, Place, RUN, Reached, Side, Step, align};
use super::error::QualityError;
use super::lattice::{Piece, pieces};
use super::runs::{added, touched};
use redline_data::corrupt::{CorruptedRow, Flaw, FlawKind};

/// What became of a flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The clean text stands in its place.
    Mended,
    /// It stands where it stood.
    Kept,
    /// Something else stands there.
    Other,
    /// The output was cut before it.
    Unreached,
}

/// What the oracle says of one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What became of each flaw, in the order of the row.
    pub fates: Vec<Fate>,
    /// 1 − distance(output, clean) / distance(answer, clean); none where the answer has no flaw as far as the output goes.
    pub gain: Option<f64>,
    /// Share of what clean text and answer have in common that the output deletes or replaces; none where they have nothing.
    pub damage: Option<f64>,
    /// Characters beyond both texts, without those that replace others, over the length of what these have in common; none where they have nothing.
    pub added: Option<f64>,
    /// Edits between the output and the nearest combination of mended and kept flaws, over the longer length: 0 for the answer, the clean text
    /// and every correction of some flaws, 1 for a text that has nothing to do with them.
    pub stray: f64,
    /// How much shorter than that combination the output is, over the length of the combination, below 0 for a longer one; none where that is empty.
    pub shortfall: Option<f64>,
    /// Of an answer without flaws: whether the output is the answer.
    pub clean_kept: Option<bool>,
    /// Length of the output over that of the answer; none for an empty answer.
    pub length_ratio: Option<f64>,
    /// (Deleted − inserted characters) over the length of the answer, which is 1 − `length_ratio`.
    pub net_deletion: Option<f64>,
    /// The nearest of the corrections that were possible; none for an answer without flaws, and for a cut output.
    pub closest: Option<Closest>,
    /// Whether the length limit cut the output.
    pub truncated: bool,
}

/// The nearest of the corrections that were possible, one for each strictness.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Closest {
    /// 1 − distance / longer length, between the output and that correction.
    pub similarity: f64,
    /// The gain that the correction itself has.
    pub gain: f64,
    /// Whether the output is that correction, character for character.
    pub exact: bool,
}

/// One row, ready to judge outputs.
#[derive(Debug, Clone)]
pub struct FlawOracle {
    pieces: Vec<Piece<char>>,
    flaws: Vec<Flaw>,
    clean: String,
    answer: String,
    /// Distance of answer and clean text.
    distance: usize,
    /// The corrections that were possible, with their gains, from strictness 1; none for an answer without flaws.
    possible: Vec<(String, f64)>,
}

impl FlawOracle {
    /// Takes a row apart.
    ///
    /// # Errors
    /// [`QualityError::Data`] when a flaw does not fit the clean text, [`QualityError::Inconsistent`] when the answer is not the clean text
    /// with the flaws, [`QualityError::NoFlaw`] for a flaw that changes nothing.
    pub fn new(row: &CorruptedRow) -> Result<Self, QualityError> {
        let pieces = pieces(row)?;
        if !row.is_consistent() {
            return Err(QualityError::Inconsistent { question: row.question.clone() });
        }
        let is_none = |flaw: &Flaw| row.clean.get(flaw.start..flaw.end) == Some(flaw.text.as_str());
        if let Some(flaw) = row.flaws.iter().position(is_none) {
            return Err(QualityError::NoFlaw { flaw, question: row.question.clone() });
        }
        let (clean, answer) = (row.clean.trim().to_owned(), row.answer.trim().to_owned());
        let distance = levenshtein_distance(&answer, &clean);
        let mut oracle = Self { pieces, flaws: row.flaws.clone(), clean, answer, distance, possible: Vec::new() };
        if !row.is_clean() {
            let with_gain = |text: String| {
                let gain = gain(text.trim(), &oracle.clean, distance).unwrap_or(1.0);
                (text.trim().to_owned(), gain)
            };
            oracle.possible = row.possible_corrections()?.into_iter().map(with_gain).collect();
        }
        Ok(oracle)
    }

    /// The flaws, in the order in which [`Judgement::fates`] speaks of them.
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    /// Distance of the answer from the clean text, in characters.
    pub fn distance(&self) -> usize {
        self.distance
    }

    /// Whether the answer has no flaw.
    pub fn is_clean(&self) -> bool {
        self.flaws.is_empty()
    }

    /// What is to be said of the answer itself: the baseline of every output.
    ///
    /// # Errors
    /// As [`FlawOracle::judge`].
    pub fn unchanged(&self) -> Result<Judgement, QualityError> {
        self.judge(&self.answer, false)
    }

    /// Judges an output; `truncated` says that the length limit cut it.
    ///
    /// # Errors
    /// [`QualityError::TooLong`] when output and texts are too long to be aligned.
    pub fn judge(&self, output: &str, truncated: bool) -> Result<Judgement, QualityError> {
        let output = output.trim();
        let symbols: Vec<char> = output.chars().collect();
        let end = if truncated { End::Cut } else { End::Whole };
        let alignment = align(&self.pieces, &symbols, end, RUN)?;
        let way = self.way(&alignment);
        let longer = symbols.len().max(way.chars().count()).max(1);
        let (common, changed) = counts(&alignment, &self.pieces);
        let share = |part: usize| (common > 0).then(|| part as f64 / common as f64);
        let is_whole = alignment.reached.iter().all(|reached| *reached == Reached::Whole);
        let (clean, answer) = match is_whole {
            true => (self.clean.clone(), self.answer.clone()),
            false => self.beginning(&alignment.reached),
        };
        let distance = if is_whole { self.distance } else { levenshtein_distance(&answer, &clean) };
        let ratio = |length: usize| (length > 0).then(|| symbols.len() as f64 / length as f64);
        let length_ratio = ratio(answer.chars().count());
        Ok(Judgement {
            fates: self.fates(&alignment, &symbols),
            gain: gain(output, &clean, distance),
            damage: share(changed),
            added: share(added(&alignment.steps)),
            stray: levenshtein_distance(&way, output) as f64 / longer as f64,
            shortfall: ratio(way.chars().count()).map(|ratio| 1.0 - ratio),
            clean_kept: self.is_clean().then(|| !truncated && output == self.answer),
            length_ratio,
            net_deletion: length_ratio.map(|ratio| 1.0 - ratio),
            closest: if truncated { None } else { self.closest(output) },
            truncated,
        })
    }

    fn fates(&self, alignment: &Alignment, output: &[char]) -> Vec<Fate> {
        let mut fates = vec![Fate::Unreached; self.flaws.len()];
        let (mut read, mut begin) = (0, None);
        for step in &alignment.steps {
            match *step {
                Step::Symbol { edit, place } => {
                    if place != Place::Common {
                        begin.get_or_insert(read);
                    }
                    read += usize::from(edit != Edit::Delete);
                }
                Step::Passed { flaw, side, is_whole } => {
                    let start = begin.take().unwrap_or(read);
                    fates[flaw] = match (is_whole, side) {
                        (true, Side::Clean) => Fate::Mended,
                        (true, Side::Flawed) => Fate::Kept,
                        (false, Side::Flawed) if self.still_stands(flaw, &output[start..], &output[..read]) => {
                            Fate::Kept
                        }
                        (false, _) => Fate::Other,
                    };
                }
            }
        }
        let flawed: Vec<&str> = self.flaws.iter().map(|flaw| flaw.text.as_str()).collect();
        for flaw in touched(&alignment.steps, output, &flawed) {
            // a text that was put in and still stands is kept, whatever stands beside it
            let is_put_in = self.flaws[flaw].start == self.flaws[flaw].end;
            if !(is_put_in && fates[flaw] == Fate::Kept) {
                fates[flaw] = Fate::Other;
            }
        }
        for (flaw, fate) in self.flaws.iter().zip(&mut fates) {
            if flaw.kind == FlawKind::RepeatedSentence && *fate == Fate::Kept && !self.is_repeated(&flaw.text, output) {
                *fate = Fate::Mended;
            }
        }
        fates
    }

    /// Whether a sentence stands more often in the output than in the clean text.
    fn is_repeated(&self, sentence: &str, output: &[char]) -> bool {
        let output: String = output.iter().collect();
        let sentence = sentence.trim();
        output.matches(sentence).count() > self.clean.matches(sentence).count()
    }

    /// Whether a sentence that was put in stands in the output from or up to its place. An alignment may well take its stop and blank for those of
    /// the sentence beside it, when that one is gone.
    fn still_stands(&self, flaw: usize, from: &[char], up_to: &[char]) -> bool {
        let Flaw { start, end, text, .. } = &self.flaws[flaw];
        let sentence: Vec<char> = text.trim().chars().collect();
        let is_blank = |symbol: &&char| symbol.is_whitespace();
        let n_before = from.iter().take_while(is_blank).count();
        let n_behind = up_to.iter().rev().take_while(is_blank).count();
        start == end
            && !sentence.is_empty()
            && (from[n_before..].starts_with(&sentence) || up_to[..up_to.len() - n_behind].ends_with(&sentence))
    }

    /// The beginnings of clean text and answer that an output reaches.
    fn beginning(&self, reached: &[Reached]) -> (String, String) {
        let (mut clean, mut answer) = (String::new(), String::new());
        for (piece, reached) in self.pieces.iter().zip(reached) {
            let (clean_text, answer_text) = match piece {
                Piece::Common(text) => (text, text),
                Piece::Flaw { clean, flawed } => (clean, flawed),
            };
            let (n_clean, n_answer) = match (piece, *reached) {
                (_, Reached::Whole) => (clean_text.len(), answer_text.len()),
                (Piece::Common(_), Reached::Part(n, _)) => (n, n),
                (Piece::Flaw { .. }, Reached::Part(n, Side::Clean)) => (n, 0),
                (Piece::Flaw { .. }, Reached::Part(n, Side::Flawed)) => (0, n),
            };
            clean.extend(&clean_text[..n_clean]);
            answer.extend(&answer_text[..n_answer]);
        }
        (clean, answer)
    }

    /// The combination of mended and kept flaws that an output was aligned with, as far as it goes.
    fn way(&self, alignment: &Alignment) -> String {
        let passed = alignment.steps.iter().filter_map(|step| match step {
            Step::Passed { side, .. } => Some(*side),
            Step::Symbol { .. } => None,
        });
        let mut sides = passed;
        let mut way = String::new();
        for (piece, reached) in self.pieces.iter().zip(&alignment.reached) {
            let (text, n) = match (piece, *reached) {
                (Piece::Common(text), Reached::Whole) => (text, text.len()),
                (Piece::Common(text), Reached::Part(n, _)) => (text, n),
                (Piece::Flaw { clean, flawed }, Reached::Whole) => match sides.next() {
                    Some(Side::Flawed) => (flawed, flawed.len()),
                    _ => (clean, clean.len()),
                },
                (Piece::Flaw { clean, .. }, Reached::Part(n, Side::Clean)) => (clean, n),
                (Piece::Flaw { flawed, .. }, Reached::Part(n, Side::Flawed)) => (flawed, n),
            };
            way.extend(&text[..n]);
        }
        way
    }

    fn closest(&self, output: &str) -> Option<Closest> {
        let similarity = |(text, gain): &(String, f64)| {
            let length = text.chars().count().max(output.chars().count()).max(1);
            let similarity = 1.0 - levenshtein_distance(text, output) as f64 / length as f64;
            Closest { similarity, gain: *gain, exact: text == output }
        };
        let all = self.possible.iter().map(similarity);
        // of several at the same distance the strictest, which comes first
        all.reduce(|best, other| if other.similarity > best.similarity { other } else { best })
    }
}

/// The gain of a text, where there is anything to gain.
fn gain(text: &str, clean: &str, distance: usize) -> Option<f64> {
    (distance > 0).then(|| 1.0 - levenshtein_distance(text, clean) as f64 / distance as f64)
}

/// Symbols of the common text that were reached, and those of them that the output lacks.
fn counts(alignment: &Alignment, pieces: &[Piece<char>]) -> (usize, usize) {
    let common = pieces.iter().zip(&alignment.reached).map(|(piece, reached)| match (piece, reached) {
        (Piece::Common(text), Reached::Whole) => text.len(),
        (Piece::Common(_), Reached::Part(n, _)) => *n,
        (Piece::Flaw { .. }, _) => 0,
    });
    let is_changed = |step: &&Step| matches!(step, Step::Symbol { edit: Edit::Delete, place: Place::Common });
    (common.sum(), alignment.steps.iter().filter(is_changed).count())
}

#[cfg(test)]
mod tests;
