//! Options that would have no effect are refused.

use crate::cli::EvaluateArgs;
use crate::cli::judging::SystemSpec;
use crate::failure::{hinted, refuse_useless};

/// Where the Aligner writes without a vector and nobody judges.
pub fn refuse_without_judges(args: &EvaluateArgs) -> anyhow::Result<()> {
    match args.steering.steering()? {
        None => Ok(()),
        Some(_) => Err(hinted(
            "evaluate without --judge measures the Aligner without a vector",
            "leave the vector or profile out, or give --judge flaws --systems upstream,aligner,aligner@COEFFICIENT",
        )),
    }
}

/// Where preferences are there already.
pub fn refuse_for_preferences(args: &EvaluateArgs) -> anyhow::Result<()> {
    refuse_useless(&[(args.out.is_some(), "--out"), (args.domain.is_some(), "--domain")], "beside --preferences")
}

/// Where the judges are judged.
pub fn refuse_for_pairs(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    let options = [
        (args.out.is_some(), "--out"),
        (args.domain.is_some(), "--domain"),
        (judging.answers.is_some(), "--answers"),
        (!judging.systems.is_empty(), "--systems"),
        (judging.score_shift.is_some(), "--score-shift"),
    ];
    refuse_useless(&options, "beside pairs that people have labelled")
}

/// Where systems are judged.
pub fn refuse_for_systems(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    refuse_useless(&[(args.domain.is_some(), "--domain")], "beside --judge")?;
    if judging.answers.is_some() {
        refuse_useless(&[(args.out.is_some(), "--out")], "beside --answers")?;
    }
    let is_steered = |system: &SystemSpec| matches!(system, SystemSpec::Aligner(Some(_)));
    match args.steering.steering()? {
        Some(_) if !judging.systems.iter().any(is_steered) => Err(hinted(
            "a vector is given, and no system is steered by it",
            "add aligner@COEFFICIENT to --systems, or leave the vector out",
        )),
        _ => Ok(()),
    }
}
