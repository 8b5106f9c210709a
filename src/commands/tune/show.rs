//! What tuning found, for people and as JSON.

use redline::profile::Measured;
use redline::steer::{Interval, Reach};
use serde_json::json;

use super::Outcome;
use super::save::Saved;
use crate::output;

/// Says on standard error what a user should know.
pub fn warn(outcome: &Outcome) {
    let steered = &outcome.verification.steered;
    if !steered.interval.contains(outcome.target.ratio) {
        output::note!(
            "warning: on the prompts it was verified on, the ratio is {:.3} with an interval of {}, which does not hold the target",
            steered.edit_ratio,
            interval(&steered.interval)
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
pub fn show(outcome: &Outcome, saved: Option<&Saved>, json: bool) -> anyhow::Result<()> {
    if json { as_json(outcome, saved) } else { output::line(&as_text(outcome, saved)) }
}

fn as_json(outcome: &Outcome, saved: Option<&Saved>) -> anyhow::Result<()> {
    let analysis = &outcome.analysis;
    output::json(&json!({
        "schema": "redline.tune.v1",
        "variant": analysis.variant,
        "target": outcome.target.ratio,
        "target_rows": outcome.target.n_like,
        "coefficient": outcome.tuned.coefficient,
        "coefficient_interval": outcome.tuned.interval,
        "n_level_resamples": outcome.tuned.n_level_resamples,
        "reach": analysis.fit.as_ref().map(Reach::of),
        "coherent_range": analysis.coherent_range,
        "fit": analysis.fit,
        "verified": outcome.verification,
        "target_in_verified_interval": outcome.verification.steered.interval.contains(outcome.target.ratio),
        "profile": saved.map(|saved| &saved.path),
        "vector": saved.map(|saved| &saved.vector),
    }))
}

fn as_text(outcome: &Outcome, saved: Option<&Saved>) -> String {
    let (analysis, verification) = (&outcome.analysis, &outcome.verification);
    let from = outcome.target.n_like.map_or_else(String::new, |n| format!(", the mean of {n} wished rows"));
    let mut lines = vec![
        format!("target       {} ratio {:.3}{from}", analysis.variant, outcome.target.ratio),
        format!("coefficient  {:.3} {}", outcome.tuned.coefficient, interval(&outcome.tuned.interval)),
    ];
    if let (Some(fit), Some(range)) = (&analysis.fit, &analysis.coherent_range) {
        let reach = Reach::of(fit);
        lines.push(format!(
            "line         {:.3} at 0, slope {:.4} {}, R² {}, {} prompts; within reach {:.3} to {:.3}, coherent {} to {}",
            fit.line.intercept,
            fit.line.slope,
            interval(&fit.slope_interval),
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
    lines.join("\n")
}

fn measured(at: &Measured) -> String {
    format!(
        "{:.3} {}, exact copies {:.3}, nll/token {}, repetition {:.3}, cut off {:.3}",
        at.edit_ratio,
        interval(&at.interval),
        at.exact_copy_share,
        output::number(at.nll),
        at.repetition,
        at.truncated_share
    )
}

fn interval(interval: &Interval) -> String {
    format!("[{:.3}, {:.3}]", interval.low, interval.high)
}
