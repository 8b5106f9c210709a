//! What an Aligner's corrections are worth on rows whose right correction is known.

use std::ops::ControlFlow;
use std::path::Path;

use redline_model::generate::{Finish, GenerateOptions, Prompt, generate};
use redline_model::{NoHook, Qac};
use serde::Serialize;

use crate::aligner::Aligner;
use crate::data::corrupt::CorruptedRow;
use crate::domain::{Domain, KeptByDomain, Outside, Standing};
use crate::error::Result;
use crate::experiment::{Quality, StrictnessQuality, Written, similarity};
use crate::observer::Observer;
use crate::quality::{OracleRun, QualityTable, ReferenceRun, Sample, solutions_among};

/// A row with what was written for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluatedRow<'a> {
    /// The question.
    pub question: &'a str,
    /// The answer.
    pub answer: &'a str,
    /// The right correction.
    pub correction: &'a str,
    /// What the Aligner wrote.
    pub output: String,
    /// 1 − distance / longer length of output and right correction.
    pub similarity: f64,
    /// Whether the length limit cut it.
    pub is_cut: bool,
    /// How the answer stands to what the Aligner knows, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Standing>,
}

/// How rows are corrected.
#[derive(Debug, Clone, Copy)]
pub struct CorrectRows<'a> {
    /// What errors call the rows.
    pub data: &'a Path,
    /// What each row asks for beyond correcting; an empty text, or none at all, for nothing.
    pub instructions: &'a [String],
    /// What the Aligner knows, where answers are held against it.
    pub domain: Option<&'a Domain>,
    /// Longest output, in tokens.
    pub max_new_tokens: usize,
    /// Rows written together.
    pub batch_rows: usize,
}

/// Writes the most likely correction of each row, those of similar length together.
///
/// # Errors
/// A prompt that leaves no room for the output, a template without a place for an instruction, or the observer ends the work.
pub fn correct_rows<'a>(
    aligner: &Aligner,
    triples: &'a [Qac],
    how: &CorrectRows<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<EvaluatedRow<'a>>> {
    const STAGE: &str = "correcting";
    let prompt = |(row, qac): (usize, &Qac)| {
        let origin = format!("{}: row {row}", how.data.display());
        let tokens = match how.instructions.get(row).map_or("", String::as_str) {
            "" => aligner.prompt(&qac.question, &qac.answer)?,
            asked => aligner.prompt_asking(&qac.question, &qac.answer, asked)?,
        };
        aligner.with_room(tokens, how.max_new_tokens, &origin)
    };
    let prompts: Vec<Vec<u32>> = triples.iter().enumerate().map(prompt).collect::<Result<_>>()?;
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|&row| prompts[row].len());
    let tokenizer = aligner.tokenizer()?;
    let options = GenerateOptions {
        max_new_tokens: how.max_new_tokens,
        stop_ids: tokenizer.stop_ids().to_vec(),
        ..GenerateOptions::default()
    };
    let mut rows: Vec<Option<EvaluatedRow<'a>>> = vec![None; prompts.len()];
    let mut done = 0;
    observer.progress(STAGE, done, prompts.len())?;
    for part in order.chunks(how.batch_rows.max(1)) {
        let batch: Vec<Prompt> = part.iter().map(|&row| Prompt::new(prompts[row].clone(), vec![row])).collect();
        let written = generate(&aligner.model.decoder, &batch, &options, &mut NoHook, &mut |_, _| {
            observer.progress(STAGE, done, prompts.len())?;
            Ok(ControlFlow::Continue(()))
        })?;
        for generated in written {
            let output = tokenizer.decode(&generated.tokens, true)?;
            let Qac { question, answer, correction } = &triples[generated.row];
            let judge = |domain: &Domain| domain.judge_text(aligner, &prompts[generated.row], answer, Outside::Warn);
            let judged = how.domain.map(judge).transpose()?.flatten();
            rows[generated.row] = Some(EvaluatedRow {
                question,
                answer,
                correction,
                similarity: similarity(&output, correction),
                output,
                is_cut: generated.finish == Finish::Length,
                domain: judged.map(|judged| judged.standing),
            });
        }
        done += part.len();
        observer.progress(STAGE, done, prompts.len())?;
    }
    observer.end(STAGE);
    Ok(rows.into_iter().flatten().collect())
}

/// Good answers that stay as they are, inside and outside of what the Aligner knows.
pub fn kept_by_domain(rows: &[EvaluatedRow<'_>]) -> KeptByDomain {
    let mut kept = KeptByDomain::default();
    for row in rows {
        let answer = row.answer.trim();
        kept.add(row.domain, answer == row.correction.trim(), answer == row.output.trim());
    }
    kept
}

/// What outputs are worth, beside the unchanged answers.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// Without looking at flaws; none without rows.
    pub quality: Option<Quality>,
    /// By flaws, by the right corrections, or by results that can be computed.
    pub table: QualityTable,
    /// Which strictness the outputs come nearest to, where flaws are known.
    pub strictness: Option<StrictnessQuality>,
}

impl Evaluation {
    /// Judges the outputs of rows, in their order, each with whether the length limit cut it.
    ///
    /// # Errors
    /// Flaws that do not fit the rows.
    pub fn of(triples: &[Qac], flawed: Option<&[CorruptedRow]>, outputs: &[(&str, bool)]) -> Result<Self> {
        let written = triples.iter().zip(outputs).map(|(row, &(output, is_cut))| Written { row, output, is_cut });
        let quality = Quality::measure(&written.collect::<Vec<_>>());
        let numbered = outputs.iter().enumerate();
        let samples: Vec<Sample<'_>> = numbered
            .map(|(row, &(output, truncated))| Sample { row, coefficient: 0.0, output, truncated, nll: None })
            .collect();
        let solutions = solutions_among(triples, &samples)?;
        let table = match flawed {
            _ if samples.is_empty() => QualityTable::default(),
            Some(rows) => QualityTable::new(Some(&OracleRun::new(rows, &samples)?), None, solutions.as_ref()),
            None => QualityTable::new(None, Some(&ReferenceRun::new(triples, &samples)?), solutions.as_ref()),
        };
        let texts: Vec<&str> = outputs.iter().map(|(output, _)| *output).collect();
        let strictness = flawed.map(|rows| StrictnessQuality::measure(rows, &texts)).transpose()?;
        Ok(Self { quality, table, strictness })
    }
}
