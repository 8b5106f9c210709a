//! Options that would have no effect are refused.

use crate::cli::EvaluateArgs;
use crate::cli::judging::JudgeSpec;
use crate::cli::systems::SystemSpec;
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

/// Coefficients of nothing.
pub fn refuse_coefficients(args: &EvaluateArgs) -> anyhow::Result<()> {
    let is_idle = args.coefficients.is_some() && args.depth.is_none() && !args.turns;
    refuse_useless(&[(is_idle, "--coefficients")], "without --depth or --turns")
}

/// Where the Aligner passes over its own texts, or over conversations.
pub fn refuse_for_passes(args: &EvaluateArgs) -> anyhow::Result<()> {
    let options = [
        (args.domain.is_some(), "--domain"),
        (!args.judging.systems.is_empty(), "--systems"),
        (args.judging.score_shift.is_some(), "--score-shift"),
        (args.judging.judgements.is_some(), "--judgements"),
    ];
    refuse_useless(&options, "beside --depth or --turns")?;
    match args.steering.steering()? {
        Some(_) if args.coefficients.is_none() => {
            Err(hinted("a vector is given, and no coefficient", "give --coefficients, or leave the vector out"))
        }
        _ => Ok(()),
    }
}

/// Where a model chooses.
pub fn refuse_for_choices(args: &EvaluateArgs) -> anyhow::Result<()> {
    let is_steered = args.steering.steering()?.is_some();
    let options = [
        (args.out.is_some(), "--out"),
        (args.domain.is_some(), "--domain"),
        (is_steered, "a vector or profile"),
        (args.model.template.is_some(), "--template"),
        (args.model.instruction.is_some(), "--instruction"),
        (!args.judging.systems.is_empty(), "--systems"),
        (args.judging.rule.is_some(), "--rule"),
        (args.judging.judgements.is_some(), "--judgements"),
        (args.judging.score_shift.is_some(), "--score-shift"),
        (args.judging.choose_by.is_some(), "--choose-by"),
        (args.judging.instructions.is_some(), "--instructions"),
    ];
    refuse_without_server(args)?;
    refuse_useless(&options, "beside --choices")
}

/// Where preferences are there already.
pub fn refuse_for_preferences(args: &EvaluateArgs) -> anyhow::Result<()> {
    refuse_useless(&[(args.out.is_some(), "--out"), (args.domain.is_some(), "--domain")], "beside --preferences")
}

/// Where the judges are judged.
pub fn refuse_for_pairs(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    refuse_without_server(args)?;
    let options = [
        (args.out.is_some(), "--out"),
        (args.domain.is_some(), "--domain"),
        (judging.answers.is_some(), "--answers"),
        (!judging.systems.is_empty(), "--systems"),
        (judging.score_shift.is_some(), "--score-shift"),
    ];
    refuse_useless(&options, "beside pairs that people have labelled")
}

/// Where no judge is behind a server.
fn refuse_without_server(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    if judging.judge.iter().any(|judge| matches!(judge, JudgeSpec::Server { .. })) {
        return Ok(());
    }
    let options = [
        (judging.judge_form.is_some(), "--judge-form"),
        (judging.judge_workers.is_some(), "--judge-workers"),
        (judging.judge_key_env.is_some(), "--judge-key-env"),
        (judging.judge_per_minute.is_some(), "--judge-per-minute"),
        (judging.judge_prompt_price.is_some(), "--judge-prompt-price"),
        (judging.show_references, "--show-references"),
    ];
    refuse_useless(&options, "without a judge behind a server (URL#MODEL)")
}

/// Models that write no system.
fn refuse_idle_writers(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    let has_own = judging.systems.iter().any(|system| matches!(system, SystemSpec::Own { .. }));
    let writes = judging.systems.iter().any(SystemSpec::is_written) || has_own;
    let chooses = |system: &SystemSpec| matches!(system, SystemSpec::BestOf(_) | SystemSpec::AnswerBestOf(_));
    let options = [
        (judging.writer.is_some() && !writes, "--writer"),
        (
            judging.writer_key_env.is_some() && judging.writer.is_none() && judging.upstream.is_none(),
            "--writer-key-env",
        ),
        (judging.choose_by.is_some() && !judging.systems.iter().any(chooses), "--choose-by"),
    ];
    refuse_useless(&options, "beside these --systems")
}

/// Where systems are judged.
pub fn refuse_for_systems(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    refuse_without_server(args)?;
    refuse_idle_writers(args)?;
    refuse_useless(&[(args.domain.is_some(), "--domain")], "beside --judge")?;
    if judging.answers.is_some() {
        refuse_useless(&[(args.out.is_some(), "--out")], "beside --answers")?;
    }
    let is_steered = |system: &SystemSpec| system.coefficient().is_some();
    match args.steering.steering()? {
        Some(_) if !judging.systems.iter().any(is_steered) => Err(hinted(
            "a vector is given, and no system is steered by it",
            "add aligner@COEFFICIENT or stack-N@COEFFICIENT to --systems, or leave the vector out",
        )),
        _ => Ok(()),
    }
}
