//! Length-controlled win rates of all systems of a contest, with difficulties estimated from the contest itself.
//!
//! Difficulties come from one joint fit of all systems with a common slope of length, which needs
//! [five systems](crate::win_rate::FEWEST_SYSTEMS); below, there is no such rate, since without difficulties it would lie further off
//! than the raw one.

use std::collections::BTreeMap;

use super::Attempt;
use super::field::{Entry, Field, System};
use super::standing::Verdicts;
use crate::win_rate::{
    Annotation, Controlled, ControlledRate, Instruction, JointDifficulty, LengthControl, PairScore, Regularisation,
    Slopes, SystemRows, WinRateError,
};

/// The rate of each system, or why it has none.
pub(super) fn length_controlled(field: &Field<'_>, verdicts: &[Verdicts]) -> Vec<Attempt<ControlledRate>> {
    let rows: Vec<Vec<Annotation>> =
        field.systems.iter().zip(verdicts).map(|(system, own)| annotations(field, system, own)).collect();
    match instructions(field, &rows) {
        Ok(instructions) => rows.iter().map(|rows| of_system(rows, &instructions)).collect(),
        Err(error) => rows.iter().map(|_| Attempt::Withheld(error.to_string())).collect(),
    }
}

/// What the judge said of a system, as preferences from 1 to 2.
fn annotations(field: &Field<'_>, system: &System<'_>, verdicts: &Verdicts) -> Vec<Annotation> {
    let annotation = |((row, own, _), score): ((usize, &Entry<'_>, _), &Option<PairScore>)| Annotation {
        index: row as u64,
        length: own.style.n_characters as u64,
        preference: score.map(|score| 1.0 + score.score),
    };
    field.common(system).zip(&verdicts.scores).map(annotation).collect()
}

/// The rows that some system shares with the baseline, with difficulties.
fn instructions(field: &Field<'_>, rows: &[Vec<Annotation>]) -> Result<Vec<Instruction>, WinRateError> {
    let mut bare = BTreeMap::new();
    for (row, _, baseline) in field.systems.iter().flat_map(|system| field.common(system)) {
        let baseline_length = baseline.style.n_characters as u64;
        let index = row as u64;
        bare.insert(row, Instruction { index, dataset: String::new(), difficulty: None, baseline_length });
    }
    let bare: Vec<Instruction> = bare.into_values().collect();
    let judged = field.systems.iter().zip(rows).filter(|(_, rows)| rows.iter().any(|row| row.preference.is_some()));
    let systems: Vec<SystemRows<'_>> = judged.map(|(own, rows)| SystemRows { system: &own.name, rows }).collect();
    Ok(JointDifficulty::estimate(&systems, &bare, Slopes::Common)?.with_difficulties(&bare))
}

fn of_system(rows: &[Annotation], instructions: &[Instruction]) -> Attempt<ControlledRate> {
    match LengthControl::of(rows, instructions, &[], Regularisation::CrossValidated) {
        Ok(LengthControl { controlled: Controlled::Rate(rate), .. }) => Attempt::Found(rate),
        Ok(LengthControl { controlled: Controlled::Withheld(reason), .. }) => Attempt::Withheld(reason.to_string()),
        Err(error) => Attempt::Withheld(error.to_string()),
    }
}
