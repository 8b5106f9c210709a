//! Two scores of each answer of a system, beside those of the baseline for the same row.

use std::collections::BTreeMap;

use super::{AnswerRecord, ContestError};
use crate::error::{Error, Result};
use crate::judge::Dimension;
use crate::judge::local::Score;
use crate::observer::Observer;

/// Scores of one system, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredPairs {
    /// The system.
    pub system: String,
    /// Two scores of the baseline's answer.
    pub before: Vec<[f64; 2]>,
    /// Two scores of the system's.
    pub after: Vec<[f64; 2]>,
    /// Rows left out, as an answer is missing or cannot be scored.
    pub n_left_out: usize,
}

/// Scores all answers, each text once, and pairs them with those of the baseline; the systems in the order of their first answers.
///
/// # Errors
/// [`ContestError::UnknownBaseline`], or whatever a score or the observer returns.
pub fn scored_pairs(
    answers: &[AnswerRecord],
    baseline: &str,
    scores: &mut [Box<dyn Score>; 2],
    observer: &mut dyn Observer,
) -> Result<Vec<ScoredPairs>> {
    let mut names: Vec<String> = Vec::new();
    let mut found: BTreeMap<(String, usize), Option<[f64; 2]>> = BTreeMap::new();
    let mut known: BTreeMap<(usize, String), Option<[f64; 2]>> = BTreeMap::new();
    for (done, record) in answers.iter().enumerate() {
        let name = record.name();
        if !names.contains(&name) {
            names.push(name.clone());
        }
        let text = (record.row, record.output.trim().to_owned());
        let both = match known.get(&text) {
            Some(both) => *both,
            None => {
                let mut of =
                    |place: usize| scores[place].score(record.row, &record.question, &text.1, Dimension::Overall);
                let both = of(0)?.zip(of(1)?).map(|(x, y)| [x, y]);
                *known.entry(text).or_insert(both)
            }
        };
        found.insert((name, record.row), both);
        observer.progress("scoring", done + 1, answers.len())?;
    }
    observer.end("scoring");
    if !names.iter().any(|name| name == baseline) {
        return Err(Error::from(ContestError::UnknownBaseline { baseline: baseline.into(), systems: names }));
    }
    let of_system = |system: &String| {
        let rows = found.iter().filter(|((name, _), _)| name == system);
        let pair = |((_, row), after): (&(String, usize), &Option<[f64; 2]>)| {
            Some((found.get(&(baseline.to_owned(), *row)).copied().flatten()?, (*after)?))
        };
        let n = rows.clone().count();
        let (before, after): (Vec<_>, Vec<_>) = rows.filter_map(pair).unzip();
        ScoredPairs { system: system.clone(), n_left_out: n - before.len(), before, after }
    };
    Ok(names.iter().filter(|name| *name != baseline).map(of_system).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::local::ScoreFn;

    #[test]
    fn texts_are_scored_once_and_paired_by_row() {
        let answer = |system: &str, row: usize, output: &str| AnswerRecord {
            row,
            system: system.into(),
            coefficient: None,
            question: "q".into(),
            answer: "a".into(),
            output: output.into(),
            n_tokens: Some(1),
            passes: 1,
            context: 0,
            seconds: 0.0,
            made_by: String::new(),
            is_unread: false,
        };
        let answers = [
            answer("upstream", 0, "aa"),
            answer("aligner", 0, "aa"),
            answer("upstream", 1, "b"),
            answer("aligner", 1, "bbb"),
            answer("aligner", 2, "c"),
        ];
        let n_asked = std::rc::Rc::new(std::cell::Cell::new(0));
        let counter = n_asked.clone();
        let length: Box<dyn Score> = Box::new(ScoreFn::new("length", "1", move |_, _, output: &str, _| {
            counter.set(counter.get() + 1);
            Ok(Some(output.len() as f64))
        }));
        let row: Box<dyn Score> =
            Box::new(ScoreFn::new("row", "1", |row, _, _, _| Ok((row < 2).then_some(row as f64))));
        let mut scores = [length, row];
        let found = scored_pairs(&answers, "upstream", &mut scores, &mut ()).unwrap();
        let [aligner] = &found[..] else { panic!("one system") };
        assert_eq!(
            (aligner.before.as_slice(), aligner.after.as_slice()),
            (&[[2.0, 0.0], [1.0, 1.0]][..], &[[2.0, 0.0], [3.0, 1.0]][..])
        );
        assert_eq!((aligner.n_left_out, n_asked.get()), (1, 4));
        assert!(scored_pairs(&answers, "nobody", &mut scores, &mut ()).is_err());
    }
}
