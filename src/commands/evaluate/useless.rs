//! Options that would have no effect are refused, each by its name.

use crate::cli::EvaluateArgs;
use crate::cli::given::Given;
use crate::cli::judging::JudgeSpec;
use crate::cli::systems::{SystemSpec, WriterSpec};
use crate::failure::{hinted, refuse_given};

/// What says which model runs here.
const MODEL: [&str; 4] = ["model", "adapter", "adapter_scale", "device"];
/// How it is prompted.
const PROMPTED: [&str; 2] = ["template", "instruction"];
/// What steers it.
const STEERING: [&str; 9] =
    ["vector", "profile", "layers", "unit", "range", "operator", "copy_bias", "any_model", "from_llama_cpp_generator"];
/// How outputs are written.
const WRITING: [&str; 2] = ["max_new_tokens", "batch_rows"];
/// Who writes systems, and how.
const SYSTEMS: [&str; 6] = ["systems", "writer", "upstream", "writer_key_env", "choose_by", "draw_temperature"];
/// How a server judges.
const SERVER: [&str; 6] =
    ["judge_form", "judge_workers", "judge_key_env", "judge_per_minute", "judge_prompt_price", "show_references"];
/// How verdicts become rates.
const RATES: [&str; 3] = ["dimension", "against", "rule"];
/// What belongs to preferences.
const PREFERENCES: [&str; 2] = ["instructions", "gamed"];

/// Where the Aligner writes without a vector and nobody judges.
pub fn refuse_without_judges(args: &EvaluateArgs) -> anyhow::Result<()> {
    if args.steering.steering()?.is_some() {
        return Err(hinted(
            "evaluate without --judge measures the Aligner without a vector",
            "leave the vector or profile out, or give --judge flaws --systems upstream,aligner,aligner@COEFFICIENT",
        ));
    }
    let here = "without --judge";
    refuse_all(&args.given, &[&STEERING, &SYSTEMS, &SERVER, &RATES, &["judgements", "score_shift"]], here)?;
    refuse_force(args)
}

/// Coefficients of nothing.
pub fn refuse_coefficients(args: &EvaluateArgs) -> anyhow::Result<()> {
    match args.depth.is_some() || args.turns {
        true => Ok(()),
        false => refuse_given(&args.given, &["coefficients"], "without --depth or --turns"),
    }
}

/// Where the Aligner passes over its own texts, or over conversations.
pub fn refuse_for_passes(args: &EvaluateArgs) -> anyhow::Result<()> {
    let own = ["domain", "judgements", "score_shift"];
    refuse_all(&args.given, &[&own, &SYSTEMS, &SERVER, &RATES, &PREFERENCES], "beside --depth or --turns")?;
    if args.coefficients.is_none() {
        if args.steering.steering()?.is_some() {
            return Err(hinted(
                "a vector is given, and no coefficient",
                "give --coefficients, or leave the vector out",
            ));
        }
        refuse_given(&args.given, &STEERING, "without --coefficients")?;
    }
    refuse_force(args)
}

/// Where a model chooses.
pub fn refuse_for_choices(args: &EvaluateArgs) -> anyhow::Result<()> {
    let here = "beside --choices";
    let own = ["out", "domain", "judgements", "score_shift", "force"];
    refuse_all(&args.given, &[&own, &PROMPTED, &STEERING, &WRITING, &SYSTEMS, &SERVER, &RATES, &PREFERENCES], here)
}

/// Where preferences are there already.
pub fn refuse_for_preferences(args: &EvaluateArgs) -> anyhow::Result<()> {
    let here = "beside --preferences";
    let own = ["out", "domain", "prompts", "judgements", "score_shift", "force", "answers"];
    refuse_all(&args.given, &[&own, &MODEL, &PROMPTED, &STEERING, &WRITING, &SYSTEMS, &SERVER, &RATES], here)
}

/// Where the judges are judged.
pub fn refuse_for_pairs(args: &EvaluateArgs) -> anyhow::Result<()> {
    refuse_without_server(args)?;
    let here = "beside pairs that people have labelled";
    let own = ["out", "domain", "answers", "score_shift", "show_references"];
    refuse_all(&args.given, &[&own, &MODEL, &PROMPTED, &STEERING, &WRITING, &SYSTEMS, &RATES], here)?;
    refuse_idle_log(args)?;
    refuse_force(args)
}

/// Where systems are judged.
pub fn refuse_for_systems(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    refuse_without_server(args)?;
    refuse_given(&args.given, &["domain"], "beside --judge")?;
    match judging.answers.is_empty() {
        true => refuse_idle_writers(args)?,
        false => refuse_beside_answers(args)?,
    }
    if judging.score_shift.is_some() {
        let chooses = judging.choose_by.is_some();
        refuse_given(&args.given, if chooses { &["rule"] } else { &["rule", "dimension"] }, "beside --score-shift")?;
        refuse_given(&args.given, &["show_references"], "beside --score-shift")?;
    }
    refuse_idle_log(args)?;
    refuse_force(args)
}

/// Models that write nothing, as the outputs are there.
fn refuse_beside_answers(args: &EvaluateArgs) -> anyhow::Result<()> {
    let here = "beside --answers";
    refuse_all(&args.given, &[&["out"], &MODEL, &PROMPTED, &STEERING, &WRITING, &SYSTEMS], here)?;
    match args.data {
        Some(_) => Ok(()),
        None => refuse_given(&args.given, &["prompts"], "beside --answers without --data"),
    }
}

/// Models that write no system.
fn refuse_idle_writers(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    let any = |is: fn(&SystemSpec) -> bool| judging.systems.iter().any(is);
    let (is_own, is_aligner) = (any(|system| matches!(system, SystemSpec::Own { .. })), any(SystemSpec::is_aligner));
    let here = "beside these --systems";
    let refuse = |acts: bool, ids: &[&str]| if acts { Ok(()) } else { refuse_given(&args.given, ids, here) };
    refuse(any(SystemSpec::is_written) || is_own, &["writer"])?;
    refuse(
        any(|system| matches!(system, SystemSpec::BestOf(_) | SystemSpec::AnswerBestOf(_))),
        &["choose_by", "draw_temperature"],
    )?;
    let is_server = |spec: &Option<WriterSpec>| matches!(spec, Some(WriterSpec::Server { .. }));
    if !is_server(&judging.writer) && !is_server(&judging.upstream) {
        refuse_given(&args.given, &["writer_key_env"], "where neither --writer nor --upstream is a server")?;
    }
    let writes = is_aligner || is_own || any(SystemSpec::is_written) || judging.upstream.is_some();
    refuse(writes, &WRITING)?;
    let is_steered = any(|system| system.coefficient().is_some());
    if args.steering.steering()?.is_some() && !is_steered {
        return Err(hinted(
            "a vector is given, and no system is steered by it",
            "add aligner@COEFFICIENT or stack-N@COEFFICIENT to --systems, or leave the vector out",
        ));
    }
    refuse(is_steered, &STEERING)?;
    // an Aligner that is named wrongly is missed by its error, not by this
    refuse(is_aligner || judging.systems.is_empty(), &[&MODEL[..], &PROMPTED].concat())
}

/// A file of judgements that nothing is added to.
fn refuse_idle_log(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judges = &args.judging.judge;
    match judges.iter().all(|judge| matches!(judge, JudgeSpec::Recorded { .. })) {
        true => refuse_given(&args.given, &["judgements"], "beside judges whose judgements are there already"),
        false => Ok(()),
    }
}

/// `--force` where nothing is written.
fn refuse_force(args: &EvaluateArgs) -> anyhow::Result<()> {
    let judging = &args.judging;
    match args.out.is_some() || judging.judgements.is_some() || judging.score_shift.is_some() {
        true => Ok(()),
        false => refuse_given(&args.given, &["force"], "where no file is written"),
    }
}

/// Where no judge is behind a server.
fn refuse_without_server(args: &EvaluateArgs) -> anyhow::Result<()> {
    match args.judging.judge.iter().any(|judge| matches!(judge, JudgeSpec::Server { .. })) {
        true => Ok(()),
        false => refuse_given(&args.given, &SERVER, "without a judge behind a server (URL#MODEL)"),
    }
}

fn refuse_all(given: &Given, groups: &[&[&str]], here: &str) -> anyhow::Result<()> {
    groups.iter().try_for_each(|ids| refuse_given(given, ids, here))
}

#[cfg(test)]
mod tests;
