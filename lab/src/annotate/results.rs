//! What annotations come to: preferences, triples, and means by who gave the answers.

use std::collections::BTreeMap;

use redline_model::random::Random;
use redline_steer::EditRatios;
use serde::Serialize;

use super::aspect::Aspect;
use super::record::{AnnotatedAnswer, AnnotationRecord};
use crate::judge::Message;
use crate::judge::record::PreferenceRecord;

/// Preferences made of ratings.
#[derive(Debug, Clone, PartialEq)]
pub struct Binarised {
    /// One for each question with a best answer.
    pub pairs: Vec<PreferenceRecord>,
    /// Questions whose best score several answers have.
    pub n_tied: usize,
    /// Questions with fewer than two rated answers.
    pub n_single: usize,
}

/// Makes a preference of each question: chosen is the answer with the best overall score, rejected another one, drawn by the seed and the
/// question. Where several answers share the best score there is none.
pub fn binarise<'a>(records: impl IntoIterator<Item = &'a AnnotationRecord>, seed: u64) -> Binarised {
    let mut questions: Vec<&AnnotationRecord> = Vec::new();
    let mut rated: BTreeMap<&str, Vec<(f64, &AnnotatedAnswer)>> = BTreeMap::new();
    for record in records {
        let of_question = rated.entry(&record.question).or_insert_with(|| {
            questions.push(record);
            Vec::new()
        });
        of_question.extend(record.answers.iter().filter_map(|answer| Some((answer.overall?, answer))));
    }
    let mut found = Binarised { pairs: Vec::new(), n_tied: 0, n_single: 0 };
    for record in questions {
        let mut answers = rated.remove(record.question.as_str()).unwrap_or_default();
        // in an order that does not depend on the order of replies
        answers.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.text.cmp(&b.1.text)));
        match &answers[..] {
            [] | [_] => found.n_single += 1,
            [best, second, ..] if best.0 == second.0 => found.n_tied += 1,
            [best, others @ ..] => found.pairs.extend(preference(record, best, others, seed)),
        }
    }
    found
}

fn preference(
    record: &AnnotationRecord,
    best: &(f64, &AnnotatedAnswer),
    others: &[(f64, &AnnotatedAnswer)],
    seed: u64,
) -> Option<PreferenceRecord> {
    let (score, rejected) = Random::named(&[seed], &record.question).pick(others)?;
    Some(PreferenceRecord {
        prompt: vec![Message::user(&record.question)],
        chosen: vec![Message::assistant(&best.1.text)],
        rejected: vec![Message::assistant(&rejected.text)],
        source: format!("aspects by {}", record.model),
        round: 0,
        edit_ratio: EditRatios::new(&rejected.text, &best.1.text).char.unwrap_or_default(),
        margin: Some(best.0 - score),
    })
}

/// A triple whose correction a model wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CorrectedRow {
    /// What was asked.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// How it should be.
    pub correction: String,
    /// Who gave the answer, or the field it stood in.
    pub source: String,
    /// The model.
    pub corrected_by: String,
}

/// The corrections as triples.
pub fn triples<'a>(records: impl IntoIterator<Item = &'a AnnotationRecord>) -> Vec<CorrectedRow> {
    let of_record = |record: &'a AnnotationRecord| {
        record.answers.iter().filter_map(|answer| {
            let correction = answer.correction.clone()?;
            Some(CorrectedRow {
                question: record.question.clone(),
                answer: answer.text.clone(),
                correction,
                source: answer.source.clone(),
                corrected_by: record.model.clone(),
            })
        })
    };
    records.into_iter().flat_map(of_record).collect()
}

/// Mean scores of the answers of one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceMeans {
    /// Who gave them.
    pub source: String,
    /// Answers with scores.
    pub n: usize,
    /// Mean of the overall scores.
    pub overall: f64,
    /// Mean of each aspect.
    pub aspects: BTreeMap<Aspect, f64>,
}

/// Mean scores by source, in alphabetical order.
pub fn means_by_source<'a>(records: impl IntoIterator<Item = &'a AnnotationRecord>) -> Vec<SourceMeans> {
    let mut by_source: BTreeMap<&str, Vec<&AnnotatedAnswer>> = BTreeMap::new();
    let answers = records.into_iter().flat_map(|record| &record.answers);
    for answer in answers.filter(|answer| answer.overall.is_some()) {
        by_source.entry(&answer.source).or_default().push(answer);
    }
    let means = |(source, answers): (&str, Vec<&AnnotatedAnswer>)| {
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let aspect = |aspect: Aspect| {
            let scores = answers.iter().filter_map(|answer| Some(f64::from(answer.aspects.get(&aspect)?.score)));
            let scores: Vec<f64> = scores.collect();
            (!scores.is_empty()).then(|| (aspect, mean(scores)))
        };
        SourceMeans {
            source: source.to_owned(),
            n: answers.len(),
            overall: mean(answers.iter().filter_map(|answer| answer.overall).collect()),
            aspects: Aspect::ALL.into_iter().filter_map(aspect).collect(),
        }
    };
    by_source.into_iter().map(means).collect()
}
