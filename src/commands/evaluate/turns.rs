//! `redline evaluate --turns`: how edits drift over the turns of a conversation.

use std::path::Path;

use redline::data::{Need, RowFault};
use redline::lab::correct::Asked;
use redline::lab::judge::record::AnswerRecord;
use redline::lab::turns::{Dialogue, DriftReport, History, TurnLine, TurnRun, as_rows};
use redline::probe::stats::MeanEstimate;
use serde_json::json;

use super::systems::{Sheet, aligner, made_by};
use crate::cli::EvaluateArgs;
use crate::cli::systems::SystemSpec;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::{interrupt, output, rows};

pub fn run(args: &EvaluateArgs, data: &Path, json: bool) -> anyhow::Result<()> {
    let file = rows::read(data, Need::Answer)?;
    let wrong = |fault: RowFault| hinted(format!("{}: {fault}", data.display()), "leave the row out");
    let dialogues: Vec<Dialogue> =
        file.rows.iter().take(args.prompts).map(Dialogue::of).collect::<Result<_, _>>().map_err(wrong)?;
    let (triples, places) = as_rows(&dialogues).map_err(wrong)?;
    let mut sheet = Sheet::open(args, triples.len())?;
    let dials = args.dials();
    for &coefficient in &dials {
        let made_by = made_by(args, &SystemSpec::Aligner(coefficient))?;
        for history in History::ALL {
            sheet.refuse_other_maker(&name(history, coefficient), &made_by)?;
        }
    }
    sheet.keep_only(&triples)?;
    for &coefficient in &dials {
        let made_by = made_by(args, &SystemSpec::Aligner(coefficient))?;
        let mut corrector = None;
        for history in History::ALL {
            if sheet.open_rows(&triples, &name(history, coefficient)).is_empty() {
                continue;
            }
            let known = sheet.answers.clone();
            let corrector = match &mut corrector {
                Some(loaded) => loaded,
                none => none.insert(aligner(args, coefficient.map(|at| at as f32))?),
            };
            let mut correct = |asked: &[Asked<'_>]| corrector.correct(asked, &history.system(), interrupt::check);
            let mut keep = |record| sheet.keep(AnswerRecord { made_by: made_by.clone(), ..record });
            let (dialogues, places, batch_rows) = (&dialogues[..], &places[..], args.batch_rows);
            let mut run = TurnRun { dialogues, places, history, coefficient, batch_rows, correct: &mut correct };
            run.answer(&known, &mut keep, &mut Shown::default())?;
        }
    }
    sheet.note_empty();
    let report = DriftReport::measure(&sheet.answers, &places, &dials)?;
    match json {
        true => {
            output::json(&json!({ "schema": "redline.turns.v1", "data": data, "answers": args.out, "drift": report }))
        }
        false => as_text(&report),
    }
}

/// The name of a history at a coefficient, as its answers have it.
fn name(history: History, coefficient: Option<f64>) -> String {
    coefficient.map_or_else(|| history.system(), |at| format!("{}@{at}", history.system()))
}

fn as_text(report: &DriftReport) -> anyhow::Result<()> {
    let with_ends = |mean: &MeanEstimate| output::estimate(mean.value, mean.spread.interval().as_ref());
    let at = |coefficient: Option<f64>| coefficient.map_or_else(|| "–".into(), |at: f64| at.to_string());
    let cells = |line: &TurnLine| {
        let same = |other: &&redline::lab::turns::HistoryDifference| {
            other.turn == line.turn && other.coefficient == line.coefficient && line.history == History::Corrected
        };
        let difference =
            report.differences.iter().find(same).map_or_else(String::new, |own| with_ends(&own.difference));
        vec![
            at(line.coefficient),
            line.history.to_string(),
            line.turn.to_string(),
            line.edit_ratio.n.to_string(),
            with_ends(&line.edit_ratio),
            format!("{:.1} %", 100.0 * line.copied),
            difference,
        ]
    };
    let header = ["coefficient", "history", "turn", "n", "edit ratio [95 %]", "copied", "corrected less original"];
    output::line(&output::table(&header, &report.lines.iter().map(cells).collect::<Vec<_>>()))?;
    for own in &report.slopes {
        output::line(&format!(
            "slope by turn within a conversation, {} history, coefficient {}: {} (n = {})",
            own.history,
            at(own.coefficient),
            with_ends(&own.slope),
            own.slope.n
        ))?;
    }
    Ok(())
}
