//! Who takes part: answers by system and row.

use std::collections::{BTreeMap, BTreeSet};

use super::{ContestError, Result, TextStyle};
use crate::judge::record::AnswerRecord;
use crate::observer::Observer;

/// An answer with what is counted in it.
pub(super) struct Entry<'a> {
    pub(super) record: &'a AnswerRecord,
    pub(super) style: TextStyle,
}

/// A system with its answers.
pub(super) struct System<'a> {
    /// With its coefficient: `aligner@0.5`.
    pub(super) name: String,
    pub(super) coefficient: Option<f64>,
    by_row: BTreeMap<usize, Entry<'a>>,
}

/// All systems.
pub(super) struct Field<'a> {
    pub(super) baseline: System<'a>,
    /// The others, in the order of their first answers.
    pub(super) systems: Vec<System<'a>>,
    /// Rows that some system answered.
    pub(super) n_rows: usize,
}

impl<'a> Field<'a> {
    /// Puts answers in order.
    pub(super) fn of(answers: &'a [AnswerRecord], baseline: &str) -> Result<Self> {
        check_questions(answers)?;
        let mut systems: Vec<System<'a>> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for record in answers {
            let name = record.name();
            let place = *places.entry(name.clone()).or_insert(systems.len());
            if place == systems.len() {
                systems.push(System { name, coefficient: record.coefficient, by_row: BTreeMap::new() });
            }
            systems[place].insert(record)?;
        }
        let Some(&place) = places.get(baseline) else {
            let systems = systems.into_iter().map(|own| own.name).collect();
            return Err(ContestError::UnknownBaseline { baseline: baseline.into(), systems });
        };
        let baseline = systems.remove(place);
        if systems.is_empty() {
            return Err(ContestError::OnlyBaseline { baseline: baseline.name });
        }
        let n_rows = answers.iter().map(|record| record.row).collect::<BTreeSet<usize>>().len();
        let field = Self { baseline, systems, n_rows };
        match field.systems.iter().find(|own| field.common(own).next().is_none()) {
            None => Ok(field),
            Some(own) => {
                let (system, baseline) = (own.name.clone(), field.baseline.name.clone());
                Err(ContestError::NoCommonRows { system, baseline })
            }
        }
    }

    /// The rows that a system and the baseline both answered, with both answers.
    pub(super) fn common<'s>(
        &'s self,
        system: &'s System<'a>,
    ) -> impl Iterator<Item = (usize, &'s Entry<'a>, &'s Entry<'a>)> {
        system.by_row.iter().filter_map(|(row, own)| Some((*row, own, self.baseline.by_row.get(row)?)))
    }

    /// Rows that the system did not answer, and rows that it answered and the baseline did not.
    pub(super) fn n_missing(&self, system: &System<'a>) -> [usize; 2] {
        let n_answered = system.by_row.len();
        [self.n_rows - n_answered, n_answered - self.common(system).count()]
    }

    /// Says which rows are left out.
    pub(super) fn note_missing(&self, observer: &mut dyn Observer) {
        for system in &self.systems {
            let [without_answer, without_baseline] = self.n_missing(system);
            if without_answer + without_baseline > 0 {
                let (name, baseline, n_rows) = (&system.name, &self.baseline.name, self.n_rows);
                observer.note(&format!(
                    "{name}: of {n_rows} rows, {without_answer} have no answer of it and {without_baseline} none of {baseline}; they are \
                     left out"
                ));
            }
        }
    }
}

impl<'a> System<'a> {
    fn insert(&mut self, record: &'a AnswerRecord) -> Result<()> {
        if record.coefficient.is_some() != self.coefficient.is_some() {
            return Err(ContestError::SameName { system: self.name.clone() });
        }
        let entry = Entry { record, style: TextStyle::of(&record.output) };
        match self.by_row.insert(record.row, entry) {
            None => Ok(()),
            Some(_) => Err(ContestError::Twice { system: self.name.clone(), row: record.row }),
        }
    }
}

/// Refuses answers to different questions in one row.
fn check_questions(answers: &[AnswerRecord]) -> Result<()> {
    let mut first: BTreeMap<usize, &AnswerRecord> = BTreeMap::new();
    for record in answers {
        let known = *first.entry(record.row).or_insert(record);
        if known.question != record.question {
            let (row, first, second) = (record.row, known.name(), record.name());
            return Err(ContestError::OtherQuestion { row, first, second });
        }
    }
    Ok(())
}
