//! Systems that are several passes of the Aligner, each over what the one before wrote.

use std::collections::BTreeMap;

use redline::lab::contest::Keep;
use redline::lab::correct::Asked;
use redline::lab::judge::record::AnswerRecord;
use redline::lab::stacking::{PassBefore, StackRun, passes_before};

use super::systems::{Rows, aligner};
use crate::cli::EvaluateArgs;
use crate::cli::systems::SystemSpec;
use crate::interrupt;
use crate::observer::Shown;

/// The systems, and before each stack the passes that it rests on.
pub fn with_passes(systems: &[SystemSpec]) -> Vec<SystemSpec> {
    let mut all: Vec<SystemSpec> = Vec::new();
    let mut add = |system: SystemSpec| {
        if !all.contains(&system) {
            all.push(system);
        }
    };
    for system in systems {
        if let SystemSpec::Stack(depth, coefficient) = *system {
            add(SystemSpec::Aligner(coefficient));
            (2..depth).for_each(|below| add(SystemSpec::Stack(below, coefficient)));
        }
        add(system.clone());
    }
    all
}

/// What the pass before a stack's last one wrote, by row; nothing of other systems.
pub fn before(answers: &[AnswerRecord], system: &SystemSpec) -> BTreeMap<usize, PassBefore> {
    match system {
        SystemSpec::Stack(depth, coefficient) => passes_before(answers, *depth, *coefficient),
        _ => BTreeMap::new(),
    }
}

/// Writes the last pass of a stack.
pub fn answer(
    args: &EvaluateArgs,
    (depth, coefficient): (usize, Option<f64>),
    open: &Rows<'_>,
    before: &BTreeMap<usize, PassBefore>,
    keep: Keep<'_>,
) -> anyhow::Result<()> {
    let mut corrector = aligner(args, coefficient.map(|coefficient| coefficient as f32))?;
    let mut correct = |asked: &[Asked<'_>]| corrector.correct(asked, &format!("pass {depth}"), interrupt::check);
    let mut run = StackRun { depth, coefficient, batch_rows: args.batch_rows, correct: &mut correct };
    Ok(run.answer(open, before, keep, &mut Shown::default())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_that_a_stack_rests_on_come_before_it_and_once() {
        let systems: Vec<SystemSpec> =
            ["upstream", "stack-3@0.5", "aligner@0.5", "stack-2"].map(|name| name.parse().unwrap()).to_vec();
        let names: Vec<String> = with_passes(&systems).iter().map(SystemSpec::to_string).collect();
        assert_eq!(names, ["upstream", "aligner@0.5", "stack-2@0.5", "stack-3@0.5", "aligner", "stack-2"]);
    }
}
