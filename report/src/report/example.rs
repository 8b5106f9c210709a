//! Questions with answer, correction and outputs.

use std::collections::BTreeMap;

use redline_model::Qac;
use redline_steer::SweepRow;
use serde::Serialize;

use crate::difference::{Edit, edits};
use redline_lab::experiment::{SweepAnalysis, best_fit};

/// Most prompts that a page holds.
pub const MOST_EXAMPLES: usize = 200;

/// A part of texts.
#[derive(Debug, Clone, Serialize)]
pub struct Examples {
    /// Heading.
    pub title: String,
    /// A sentence under it.
    pub note: String,
    /// Unit of the coefficients.
    pub unit: String,
    /// The texts, one question each.
    pub examples: Vec<Example>,
}

/// A question with its texts.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Index of the triple.
    pub row: usize,
    /// The question.
    pub question: String,
    /// The upstream model's answer.
    pub answer: String,
    /// The data's correction, as edits on the answer.
    pub correction: Option<Vec<Edit>>,
    /// Slope of the prompt's own line.
    pub slope: Option<f64>,
    /// What was written, by ascending coefficient.
    pub outputs: Vec<Output>,
}

/// One output.
#[derive(Debug, Clone, Serialize)]
pub struct Output {
    /// What the output is.
    pub name: String,
    /// The signed strength, where it was steered.
    pub coefficient: Option<f64>,
    /// The output, as edits on the answer.
    pub edits: Vec<Edit>,
    /// Its edit ratio (`char`).
    pub edit_ratio: Option<f64>,
    /// Its length.
    pub n_tokens: Option<usize>,
    /// Mean negative log-likelihood per token under the unsteered model.
    pub nll: Option<f64>,
    /// Share of repeated 4-grams.
    pub repetition: Option<f64>,
    /// Whether the length limit cut it.
    pub truncated: bool,
}

impl Output {
    /// An output that is only known as text.
    pub fn new(name: impl Into<String>, answer: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            coefficient: None,
            edits: edits(answer, text),
            edit_ratio: redline_steer::EditRatios::new(answer.trim(), text.trim()).char,
            n_tokens: None,
            nll: None,
            repetition: None,
            truncated: false,
        }
    }

    fn of_row(answer: &str, row: &SweepRow) -> Self {
        Self {
            name: "output".into(),
            coefficient: Some(f64::from(row.coefficient)),
            edits: edits(answer, &row.output),
            edit_ratio: row.ratios.char,
            n_tokens: Some(row.n_tokens),
            nll: row.nll,
            repetition: Some(row.repetition),
            truncated: row.truncated,
        }
    }
}

impl Example {
    /// A question without outputs.
    pub fn new(row: usize, question: &str, answer: &str, correction: Option<&str>) -> Self {
        Self {
            row,
            question: question.into(),
            answer: answer.into(),
            correction: correction.map(|correction| edits(answer, correction)),
            slope: None,
            outputs: Vec::new(),
        }
    }

    /// A triple without outputs.
    pub fn of_triple(row: usize, qac: &Qac) -> Self {
        Self::new(row, &qac.question, &qac.answer, Some(&qac.correction))
    }
}

impl Examples {
    /// A part of these texts; `None` without any. Of more than [`MOST_EXAMPLES`] the first are taken, and the note says so.
    pub fn of(title: impl Into<String>, note: impl Into<String>, mut examples: Vec<Example>) -> Option<Self> {
        let (n, mut note) = (examples.len(), note.into());
        if n > MOST_EXAMPLES {
            examples.truncate(MOST_EXAMPLES);
            note = format!("{note} The first {MOST_EXAMPLES} of {n} prompts are here.");
        }
        (n > 0).then(|| Self { title: title.into(), note, unit: String::new(), examples })
    }

    /// The prompts of a sweep with the outputs of its vector at every coefficient. `triple` finds the row of a prompt; prompts
    /// that it does not know are left out.
    pub fn of_sweep<'a>(
        rows: &[SweepRow],
        analysis: &SweepAnalysis,
        unit: &str,
        triple: impl Fn(usize) -> Option<&'a Qac>,
    ) -> Option<Self> {
        let mut by_prompt: BTreeMap<usize, Vec<&SweepRow>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.vector == analysis.vector || row.coefficient == 0.0) {
            by_prompt.entry(row.row).or_default().push(row);
        }
        let slopes = best_fit(analysis).map(|fit| &fit.prompt_slopes);
        let slope = |prompt: usize| {
            let place = analysis.prompts.iter().position(|row| *row == prompt)?;
            slopes?.get(place).copied()
        };
        let example = |(prompt, mut rows): (usize, Vec<&SweepRow>)| {
            let mut example = Example::of_triple(prompt, triple(prompt)?);
            rows.sort_by(|a, b| a.coefficient.total_cmp(&b.coefficient));
            example.slope = slope(prompt);
            example.outputs = rows.into_iter().map(|row| Output::of_row(&example.answer, row)).collect();
            Some(example)
        };
        let note = "What was written at every coefficient, as it was recorded: move the slider. Marked is what an output \
                    takes from the answer and what it adds. Slopes are those of each prompt's own line.";
        let examples = by_prompt.into_iter().filter_map(example).collect();
        Self::of("One prompt under the dial", note, examples).map(|examples| Self { unit: unit.into(), ..examples })
    }
}
