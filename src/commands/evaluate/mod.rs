//! `redline evaluate`: how good an Aligner's corrections are.

mod choices;
mod contest;
mod depth;
mod joined;
mod preferences;
mod shift;
mod stacks;
mod systems;
mod turns;
mod useless;

use std::path::Path;
use std::process::ExitCode;

use redline::aligner::Aligner;
use redline::data::write_json_lines;
use redline::experiment::{Quality, StrictnessQuality};
use redline::lab::domain::{Domain, Kept, KeptByDomain, Outside};
use redline::lab::evaluation::{CorrectRows, Evaluation, correct_rows, kept_by_domain};
use redline::report::{Table, evaluated_cells};
use serde_json::json;

use crate::cli::EvaluateArgs;
use crate::failure::hinted;
use crate::known::Known;
use crate::models;
use crate::observer::Shown;
use crate::output;

pub fn run(args: &EvaluateArgs, json: bool) -> anyhow::Result<ExitCode> {
    useless::refuse_coefficients(args)?;
    match (&args.judging.preferences, &args.data) {
        (Some(preferences), _) => {
            useless::refuse_for_preferences(args)?;
            preferences::run(preferences, &args.judging, json)?;
        }
        (None, Some(data)) if args.choices => {
            useless::refuse_for_choices(args)?;
            choices::run(args, data, json)?;
        }
        (None, Some(data)) if args.depth.is_some() || args.turns => {
            useless::refuse_for_passes(args)?;
            match args.depth {
                Some(most_depth) => depth::run(args, data, most_depth, json)?,
                None => turns::run(args, data, json)?,
            }
        }
        (None, _) if !args.judging.judge.is_empty() => contest::run(args, json)?,
        (None, Some(data)) => {
            useless::refuse_without_judges(args)?;
            corrections(args, data, json)?;
        }
        (None, None) => return Err(hinted("there is nothing to evaluate", "give --data")),
    }
    Ok(ExitCode::SUCCESS)
}

/// How good an Aligner's corrections are, by their rows.
fn corrections(args: &EvaluateArgs, data: &Path, json: bool) -> anyhow::Result<()> {
    let known = Known::read(data, args.prompts)?;
    let aligner = models::open(&args.model)?;
    refuse_instructions(args, data, &aligner, &known)?;
    let Known { triples, flawed: corrupted, instructions } = known;
    let given = args.domain.as_deref().map(Domain::load).transpose()?;
    let domain = Domain::of(&aligner, given.as_ref(), None, Outside::Warn)?;
    let how = CorrectRows {
        data,
        instructions: &instructions,
        domain: domain.as_ref(),
        max_new_tokens: args.max_new_tokens,
        batch_rows: args.batch_rows,
    };
    let rows = correct_rows(&aligner, &triples, &how, &mut Shown::default())?;
    let kept = domain.as_ref().map(|_| kept_by_domain(&rows));
    let outputs: Vec<(&str, bool)> = rows.iter().map(|row| (row.output.as_str(), row.is_cut)).collect();
    let Evaluation { quality, table, strictness } = Evaluation::of(&triples, corrupted.as_deref(), &outputs)?;
    if let Some(path) = &args.out {
        write_json_lines(&rows, path)?;
    }
    if json {
        output::json(&json!({
            "schema": "redline.evaluate.v1",
            "model_hash": aligner.model.fingerprint,
            "data": data,
            "quality": quality,
            "oracle": table.oracle.first(),
            "reference": table.reference.first(),
            "solutions": table.verifiable.first(),
            "unchanged": table.unchanged,
            "strictness": strictness,
            "domain": domain.as_ref().map(|domain| {
                json!({
                    "most_cost": domain.most_cost,
                    "most_tokens": domain.most_tokens,
                    "least_letters_per_token": domain.least_letters_per_token,
                    "answers": kept,
                })
            }),
        }))?;
    } else {
        output::line(&as_text(quality.as_ref(), strictness.as_ref()))?;
        kept.iter().zip(&domain).try_for_each(|(kept, domain)| output::line(&kept_in_words(kept, domain)))?;
        let Table { header, rows } = evaluated_cells(&table);
        output::line(&format!("\n{}", output::table(&header.iter().map(String::as_str).collect::<Vec<_>>(), &rows)))?;
        table.verifiable.iter().try_for_each(|line| output::line(&line.sentence()))?;
    }
    Ok(())
}

/// Rows that ask for something need a place for it in the template, which is not taken yet.
fn refuse_instructions(args: &EvaluateArgs, data: &Path, aligner: &Aligner, known: &Known) -> anyhow::Result<()> {
    if !known.has_instructions() {
        return Ok(());
    }
    if args.model.instruction.is_some() {
        return Err(hinted(
            format!("{}: rows hold an `instruction` of their own, and --instruction is given", data.display()),
            "leave one of the two out",
        ));
    }
    if !aligner.template.takes_instruction() {
        return Err(hinted(
            format!("{}: rows hold an `instruction`, and the template has no place for it", data.display()),
            "put {instruction} into the template, or remove the field from the rows",
        ));
    }
    output::note!("{}: the `instruction` of a row stands in its prompt", data.display());
    Ok(())
}

fn kept_in_words(kept: &KeptByDomain, domain: &Domain) -> String {
    let line = |name: &str, Kept { n, n_clean, n_kept }: Kept| {
        format!("{name:<36} {n}; of {n_clean} good answers {n_kept} stay as they are")
    };
    let mut lines = vec![
        format!("limits of what it knows              {}", domain.in_words()),
        line("inside of them", kept.inside),
        line("outside", kept.outside),
    ];
    lines.extend((kept.not_judged.n > 0).then(|| line("too short to tell", kept.not_judged)));
    lines.join("\n")
}

fn as_text(quality: Option<&Quality>, strictness: Option<&StrictnessQuality>) -> String {
    let Some(quality) = quality else { return "no rows".into() };
    let percent = |share: Option<f64>| share.map_or_else(|| "–".into(), |share| format!("{:.1} %", 100.0 * share));
    let mut lines = vec![
        format!("rows                                 {}", quality.n),
        format!(
            "  … to be copied                     {}, done exactly {}",
            quality.n_copies,
            percent(quality.exact_copy_rate)
        ),
        format!("edit ratio                           {:.3}", quality.edit_ratio),
        format!("similarity to the correction         {:.3}", quality.similarity),
        format!("  … where it is not the answer       {}", output::number(quality.flawed_similarity)),
        format!("outputs cut by the length limit      {}", percent(Some(quality.cut_share))),
    ];
    if let Some(strictness) = strictness {
        let chosen: Vec<String> = strictness.chosen.iter().map(|share| percent(Some(*share))).collect();
        lines.extend([
            format!("clean answers                        {}", strictness.n_clean),
            format!("  … copied exactly                   {}", percent(strictness.clean_copy_rate)),
            format!("similarity to the closest correction {}", output::number(strictness.closest_similarity)),
            format!("exactly a possible correction        {}", percent(strictness.exact_share)),
            format!("strictness chosen, 1 to 5            {}", chosen.join(", ")),
        ]);
    }
    lines.join("\n")
}
