//! How good corrections are: copies of clean answers, likeness to the reference or to the closest possible correction.

use redline_model::Qac;
use redline_probe::stats::mean;
use redline_steer::EditRatios;
use serde::{Deserialize, Serialize};

use crate::data::DataError;
use crate::data::corrupt::CorruptedRow;

/// A row with what was written for it.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The row.
    pub row: &'a Qac,
    /// The output.
    pub output: &'a str,
    /// Whether the length limit cut it.
    pub is_cut: bool,
}

/// What the outputs of some rows are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Rows.
    pub n: usize,
    /// Rows whose correction is their answer.
    pub n_copies: usize,
    /// Share of those that were copied, character for character; none without such rows.
    pub exact_copy_rate: Option<f64>,
    /// Mean edit ratio from answer to output (`char`).
    pub edit_ratio: f64,
    /// Mean similarity of output and reference correction: 1 − distance / longer length.
    pub similarity: f64,
    /// The same over rows whose correction is not their answer.
    pub flawed_similarity: Option<f64>,
    /// Share of outputs that the length limit cut.
    pub cut_share: f64,
}

impl Quality {
    /// Measures outputs; `None` without rows.
    pub fn measure(written: &[Written<'_>]) -> Option<Self> {
        let n = written.len();
        if n == 0 {
            return None;
        }
        let is_copy = |written: &&Written<'_>| written.row.answer == written.row.correction;
        let copied = written.iter().filter(is_copy).filter(|w| w.output.trim() == w.row.answer.trim()).count();
        let n_copies = written.iter().filter(is_copy).count();
        let similarities: Vec<f64> = written.iter().map(|w| similarity(w.output, &w.row.correction)).collect();
        let flawed: Vec<f64> =
            written.iter().zip(&similarities).filter(|(w, _)| !is_copy(w)).map(|(_, similarity)| *similarity).collect();
        let ratio = |w: &Written<'_>| EditRatios::new(w.row.answer.trim(), w.output.trim()).char.unwrap_or(0.0);
        Some(Self {
            n,
            n_copies,
            exact_copy_rate: (n_copies > 0).then(|| copied as f64 / n_copies as f64),
            edit_ratio: written.iter().map(ratio).sum::<f64>() / n as f64,
            similarity: mean(similarities.iter().copied()).unwrap_or(0.0),
            flawed_similarity: mean(flawed.iter().copied()),
            cut_share: written.iter().filter(|w| w.is_cut).count() as f64 / n as f64,
        })
    }
}

/// How outputs of corrupted rows compare with the corrections that were possible, one for each strictness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StrictnessQuality {
    /// Rows without flaws: of the others some have an answer for a correction too, where the strictness spares all flaws.
    pub n_clean: usize,
    /// Share of those that were copied, character for character.
    pub clean_copy_rate: Option<f64>,
    /// Rows with flaws.
    pub n_flawed: usize,
    /// Mean similarity to the closest possible correction over those rows.
    pub closest_similarity: Option<f64>,
    /// Share of those rows whose output is one of the possible corrections, character for character.
    pub exact_share: Option<f64>,
    /// For strictness 1 to 5, the share of rows with flaws whose output is closest to its correction; where several strictnesses
    /// have the same correction, each counts its part.
    pub chosen: Vec<f64>,
}

impl StrictnessQuality {
    /// Measures the outputs of rows, one each.
    ///
    /// # Errors
    /// [`DataError::FlawRange`] when a row's flaws do not fit its text.
    pub fn measure<S: AsRef<str>>(rows: &[CorruptedRow], outputs: &[S]) -> Result<Self, DataError> {
        let mut similarities = Vec::new();
        let mut n_exact = 0;
        let mut chosen = Vec::new();
        let copies: Vec<bool> = (rows.iter().zip(outputs))
            .filter(|(row, _)| row.is_clean())
            .map(|(row, output)| output.as_ref().trim() == row.answer.trim())
            .collect();
        for (row, output) in rows.iter().zip(outputs).filter(|(row, _)| !row.is_clean()) {
            let possible = row.possible_corrections()?;
            chosen.resize(possible.len(), 0.0);
            let scores: Vec<f64> = possible.iter().map(|text| similarity(output.as_ref(), text)).collect();
            let best = scores.iter().copied().fold(0.0, f64::max);
            let is_best: Vec<usize> = (0..scores.len()).filter(|&level| scores[level] == best).collect();
            is_best.iter().for_each(|&level| chosen[level] += 1.0 / is_best.len() as f64);
            n_exact += usize::from(best == 1.0);
            similarities.push(best);
        }
        let n_flawed = similarities.len();
        chosen.iter_mut().for_each(|share| *share /= n_flawed as f64);
        Ok(Self {
            n_clean: copies.len(),
            clean_copy_rate: mean(copies.iter().map(|&is_copy| f64::from(u8::from(is_copy)))),
            n_flawed,
            closest_similarity: mean(similarities.iter().copied()),
            exact_share: (n_flawed > 0).then(|| n_exact as f64 / n_flawed as f64),
            chosen,
        })
    }
}

/// 1 − distance / longer length, over Unicode scalar values, without white space at the ends; 1 for two empty texts.
pub fn similarity(a: &str, b: &str) -> f64 {
    EditRatios::new(a.trim(), b.trim()).similarity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::corrupt::{Flaw, FlawKind};

    fn qac(answer: &str, correction: &str) -> Qac {
        Qac { question: "q".into(), answer: answer.into(), correction: correction.into() }
    }

    #[test]
    fn copies_count_among_clean_rows_only() {
        let rows = [qac("abcd", "abcd"), qac("abcd", "abcd"), qac("abcx", "abcd")];
        let outputs = ["abcd", "abc", "abcd"];
        let written: Vec<Written<'_>> =
            rows.iter().zip(outputs).map(|(row, output)| Written { row, output, is_cut: output == "abc" }).collect();
        let quality = Quality::measure(&written).unwrap();
        assert_eq!((quality.n, quality.n_copies, quality.exact_copy_rate), (3, 2, Some(0.5)));
        assert!((quality.edit_ratio - 0.5 / 3.0).abs() < 1e-12);
        assert!((quality.similarity - 2.75 / 3.0).abs() < 1e-12);
        assert_eq!((quality.flawed_similarity, quality.cut_share), (Some(1.0), 1.0 / 3.0));
        assert!(Quality::measure(&[]).is_none());
    }

    #[test]
    fn the_strictness_chosen_is_that_of_the_closest_correction() {
        let flaw =
            |severity, start, end, text: &str| Flaw { kind: FlawKind::Insult, severity, start, end, text: text.into() };
        let row = CorruptedRow {
            fact: None,
            question: "q".into(),
            answer: "Fool. egsg".into(),
            correction: "egsg".into(),
            flaws: vec![flaw(5, 0, 0, "Fool. "), flaw(1, 0, 4, "egsg")],
            strictness: 3,
            clean: "eggs".into(),
        };
        let measure = |output: &str| StrictnessQuality::measure(std::slice::from_ref(&row), &[output]).unwrap();
        assert_eq!(measure("eggs").chosen, [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(measure("egsg").chosen, [0.0, 0.25, 0.25, 0.25, 0.25]);
        assert_eq!(measure("egsg").exact_share, Some(1.0));
        let near = measure("egs");
        assert_eq!((near.closest_similarity, near.exact_share), (Some(0.75), Some(0.0)));
    }
}
