//! `redline tune`: from an edit ratio that is asked for to a coefficient, kept as a profile.

use std::process::ExitCode;

use redline::lab::policy::Policy;
use redline::lab::quality::PolicyTest;
use redline::lab::steering::Steering;
use redline::lab::tune::{
    ChosenFor, Goal, Outcome, PastSweep, Place, Saved, TuneFiles, only_add, save, target_of, tune,
};
use redline::profile::Measured;
use redline::steer::Reach;
use serde_json::json;

use crate::cli::tune::TuneArgs;
use crate::cli::writes::SWEEP;
use crate::observer::Shown;
use crate::outputs::{Scratch, clear_for_log};
use crate::{models, output, rows};

pub fn run(args: &TuneArgs, json: bool) -> anyhow::Result<ExitCode> {
    let place = args.save.as_deref().map(Place::new).transpose()?;
    let steering = args.steering.steering()?;
    let past = args.sweep.as_deref().map(PastSweep::read).transpose()?;
    only_add(args.steering.operator)?;
    past.as_ref().map_or(Ok(()), |past| only_add(past.settings.operator))?;
    let rows = rows::to_tune(args.data.as_deref(), past.as_ref(), args.pair.strictness)?;
    let options = args.options(rows.is_embedded)?;
    options.check()?;
    let like = args.like.as_deref().map(rows::triples).transpose()?;

    let template = match &past {
        Some(past) => Some(past.template()?),
        None => steering.as_ref().map(Steering::template).transpose()?.flatten(),
    };
    let aligner = models::open_with(&args.model, template)?;
    let goal = match (&like, args.for_utility) {
        (_, Some(utility)) => Goal::Utility(utility),
        (Some(like), None) => {
            let ratio = target_of(like, &options, &aligner)?;
            output::note!("target: {} ratio {ratio:.3}, the mean of {} wished rows", args.variant, like.len());
            Goal::Ratio(ratio)
        }
        (None, None) => Goal::Ratio(args.target_ratio.unwrap_or_default()),
    };
    if let Some(out) = args.out.as_ref().filter(|_| past.is_none()) {
        clear_for_log(out, SWEEP, args.force.force)?;
    }
    let scratch = Scratch::new()?;
    let files = TuneFiles { steering, past, out: args.out.as_deref() };
    let outcome = tune(&aligner, &rows, &options, goal, files, scratch.path(), &mut Shown::default())?;
    warn(&outcome);
    let saved = place.map(|place| save(&aligner, &outcome, &place)).transpose()?;
    show(&outcome, like.map(|rows| rows.len()), saved.as_ref(), json)?;
    Ok(ExitCode::SUCCESS)
}

/// Says on standard error what a user should know.
fn warn(outcome: &Outcome) {
    let steered = &outcome.verification.steered;
    if outcome.chosen_for.is_none() && !steered.interval.contains(outcome.target) {
        output::note!(
            "warning: on the prompts it was verified on, the ratio is {:.3} with an interval of {}, which does not hold the target",
            steered.edit_ratio,
            output::interval(&steered.interval)
        );
    }
    if outcome.analysis.fit.as_ref().is_some_and(|fit| fit.line.slope < 0.0) {
        output::note!("warning: the line falls: along this vector a coefficient below 0 corrects more");
    }
    if steered.repetition > outcome.verification.unsteered.repetition + 0.1 {
        output::note!(
            "warning: outputs repeat themselves more than unsteered ones: part of the ratio is that, no correction"
        );
    }
}

/// Prints the result.
fn show(outcome: &Outcome, n_like: Option<usize>, saved: Option<&Saved>, json: bool) -> anyhow::Result<()> {
    if json { as_json(outcome, n_like, saved) } else { output::line(&as_text(outcome, n_like, saved)) }
}

fn as_json(outcome: &Outcome, n_like: Option<usize>, saved: Option<&Saved>) -> anyhow::Result<()> {
    let analysis = &outcome.analysis;
    output::json(&json!({
        "schema": "redline.tune.v1",
        "variant": analysis.variant,
        "target": outcome.target,
        "target_rows": n_like,
        "chosen_for": outcome.chosen_for,
        "coefficient": outcome.tuned.coefficient,
        "coefficient_interval": outcome.tuned.interval,
        "n_level_resamples": outcome.tuned.n_level_resamples,
        "reach": analysis.fit.as_ref().map(Reach::of),
        "coherent_range": analysis.coherent_range,
        "fit": analysis.fit,
        "verified": outcome.verification,
        "target_in_verified_interval": outcome.verification.steered.interval.contains(outcome.target),
        "profile": saved.map(|saved| &saved.path),
        "vector": saved.map(|saved| &saved.vector),
    }))
}

fn as_text(outcome: &Outcome, n_like: Option<usize>, saved: Option<&Saved>) -> String {
    let analysis = &outcome.analysis;
    let from = n_like.map_or_else(String::new, |n| format!(", the mean of {n} wished rows"));
    if let Some(chosen) = &outcome.chosen_for {
        return [utility_text(chosen), sweep_text(outcome, saved)].concat().join("\n");
    }
    let mut lines = vec![
        format!("target       {} ratio {:.3}{from}", analysis.variant, outcome.target),
        format!("coefficient  {:.3} {}", outcome.tuned.coefficient, output::interval(&outcome.tuned.interval)),
    ];
    lines.extend(sweep_text(outcome, saved));
    lines.join("\n")
}

/// The choice by utility: a line a coefficient.
fn utility_text(chosen: &ChosenFor) -> Vec<String> {
    let ChosenFor { utility, choice, verified, policy } = chosen;
    let set: Vec<String> = choice.not_distinguishable.iter().map(|c| format!("{c}")).collect();
    let rows: Vec<Vec<String>> = choice
        .coefficients
        .iter()
        .map(|at| {
            vec![
                format!("{}", at.coefficient),
                format!("{:.3}", at.utility),
                format!("[{:.3}, {:.3}]", at.behind[0], at.behind[1]),
                format!("{:.0} %", 100.0 * at.best_share),
            ]
        })
        .collect();
    let mut lines = vec![
        format!("for          {utility}"),
        output::table(&["coefficient", "utility", "behind the best [95 %]", "best in"], &rows),
        format!("coefficient  {}; these rows cannot tell it from {}", choice.best, set.join(", ")),
    ];
    lines.extend(policy.as_ref().map(policy_text));
    if let Some(verified) = verified {
        let at = |coefficient: f64| {
            let found = verified.coefficients.iter().find(|at| at.coefficient == coefficient);
            output::number(found.map(|at| at.utility))
        };
        lines.push(format!("on others    utility {} at {}, {} at 0", at(choice.best), choice.best, at(0.0)));
    }
    lines
}

/// What a coefficient for each request is worth.
fn policy_text(policy: &Policy) -> String {
    let tested = &policy.tested;
    let (line, PolicyTest { n_test, constant, constant_utility, policy_utility, hindsight_utility, .. }) =
        (&tested.line, tested);
    let kept = match tested.is_better() {
        true => "a profile keeps it",
        false => "no better than one coefficient for all, so a profile keeps that",
    };
    format!(
        "per request  {:.3} + {:.3} · score: utility {policy_utility:.3} on {n_test} other questions, {constant_utility:.3} at {constant} for all \
         (difference {}; {hindsight_utility:.3} with hindsight); {kept}",
        line.intercept,
        line.slope,
        output::interval(&tested.difference),
    )
}

/// The line, what it does on other prompts, and where it is kept.
fn sweep_text(outcome: &Outcome, saved: Option<&Saved>) -> Vec<String> {
    let (analysis, verification) = (&outcome.analysis, &outcome.verification);
    let mut lines = Vec::new();
    if let (Some(fit), Some(range)) = (&analysis.fit, &analysis.coherent_range) {
        let reach = Reach::of(fit);
        lines.push(format!(
            "line         {:.3} at 0, slope {:.4} {}, R² {}, {} prompts; within reach {:.3} to {:.3}, coherent {} to {}",
            fit.line.intercept,
            fit.line.slope,
            output::interval(&fit.slope_interval),
            output::number(fit.line.r2),
            fit.n_prompts,
            reach.lowest,
            reach.highest,
            range.low,
            range.high,
        ));
    }
    lines.push(format!("verified     {} on {} other prompts", measured(&verification.steered), verification.n_prompts));
    lines.push(format!("unsteered    {}", measured(&verification.unsteered)));
    if let Some(Saved { path, name, vector }) = saved {
        lines.push(format!("profile      {} ({})", path.display(), vector.display()));
        let is_named = redline::profile::place(name).is_ok_and(|place| place == *path);
        let shown = if is_named { name.clone() } else { path.display().to_string() };
        lines.push(format!("             use it with `redline correct --profile {shown}`"));
    }
    lines
}

fn measured(at: &Measured) -> String {
    format!(
        "{:.3} {}, exact copies {:.3}, nll/token {}, repetition {:.3}, cut off {:.3}",
        at.edit_ratio,
        output::interval(&at.interval),
        at.exact_copy_share,
        output::number(at.nll),
        at.repetition,
        at.truncated_share
    )
}
