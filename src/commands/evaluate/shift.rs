//! `redline evaluate --score-shift`: what systems do to two scores at once.

use std::path::Path;

use redline::figures::score_shift_plot;
use redline::lab::Error;
use redline::lab::contest::{HeldOutAccuracy, ScoreShift, scored_pairs};
use redline::lab::judge::local::Score;
use redline::lab::judge::record::AnswerRecord;
use redline::lab::reward::held_out_accuracy;
use redline::plot::write_both;
use serde_json::json;

use crate::cli::EvaluateArgs;
use crate::cli::judging::JudgeSpec;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::output;

/// Draws the figure and tells its numbers: the first judge is the axis to the right, the second the one upwards.
pub fn run(
    args: &EvaluateArgs,
    stem: &Path,
    answers: &[AnswerRecord],
    scores: [Box<dyn Score>; 2],
    json: bool,
) -> anyhow::Result<()> {
    let mut scores = scores;
    let names = [scores[0].id().to_owned(), scores[1].id().to_owned()];
    let accuracies = accuracies(&args.judging.judge)?;
    let pairs = scored_pairs(answers, &args.judging.against, &mut scores, &mut Shown::default())?;
    let shift = |of: &redline::lab::contest::ScoredPairs| {
        if of.n_left_out > 0 {
            output::note!("{}: {} rows left out: no answer, or no score", of.system, of.n_left_out);
        }
        ScoreShift::of(&of.system, names.clone(), &of.before, &of.after, accuracies, 0)
    };
    let shifts = pairs.iter().map(shift).collect::<Result<Vec<_>, _>>().map_err(|error| {
        let hint = error.hint();
        hinted(error.to_string(), hint)
    })?;
    write_both(
        &score_shift_plot(&shifts, &format!("Scores before and after, against {}", args.judging.against)),
        stem,
    )?;
    match json {
        true => output::json(&json!({ "schema": "redline.score-shift.v1", "shifts": shifts })),
        false => shifts.iter().try_for_each(|shift| output::line(&as_text(shift))),
    }
}

/// What the two models are worth, as their runs found.
fn accuracies(judges: &[JudgeSpec]) -> anyhow::Result<[Option<HeldOutAccuracy>; 2]> {
    let accuracy = |spec: &JudgeSpec| match spec {
        JudgeSpec::Reward(path) | JudgeSpec::Cost(path) => held_out_accuracy(path).map_err(Error::from),
        _ => Ok(None),
    };
    let mut found = judges.iter().map(accuracy);
    let mut next = || found.next().transpose().map(Option::flatten);
    Ok([next()?, next()?])
}

fn as_text(shift: &ScoreShift) -> String {
    let moved = |axis: usize| {
        let at = &shift.mean_shift[axis];
        let interval = at.interval.map_or_else(String::new, |at| format!(" [{:.3}, {:.3}]", at.low, at.high));
        format!("{}: {:+.3}{interval}, worse in {:.0} %", shift.names[axis], at.value, 100.0 * shift.worse[axis])
    };
    format!(
        "{} ({} rows, in standard deviations of the answers before)\n  {}\n  {}",
        shift.system,
        shift.n,
        moved(0),
        moved(1)
    )
}
