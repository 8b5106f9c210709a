//! `redline sweep`: held-out prompts at several coefficients, written row by row.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{
    DEFAULT_COHERENCE_BOUND, SweepQuality, SweepSettings, Swept, analyse, judge_sweep, sweep_logged, sweep_prompts,
};
use redline::figures::{quality_curves, slope_plot, sweep_plot};
use redline::lab::quality::Evidence;
use redline::lab::rows::Rows;
use redline::lab::steering::{Steering, check_leak};
use redline::model::Qac;
use redline::probe::shard::Share;
use redline::probe::split::normalise;
use redline::report::{
    Examples, QualityPart, Report, SettingsGroup, SlopesPart, SweepPart, coefficient_cells, flattened, sweep_findings,
    sweep_warnings,
};
use redline::steer::{
    BootstrapOptions, CORRECTION, EditRatioVariant, NamedVector, SweepLog, SweepRow, arms, total_effect,
};
use serde_json::{Value, json};

use crate::cli::SweepArgs;
use crate::cli::writes::{SWEEP, sweep_report};
use crate::failure::hinted;
use crate::observer::Shown;
use crate::outputs::clear_for_log;
use crate::provenance::program;
use crate::{models, output, rows};

pub fn run(args: &SweepArgs, json: bool) -> anyhow::Result<ExitCode> {
    let sampling = args.sampling.options(args.seed)?;
    let rows = rows::of_experiment(Some(&args.data), None)?;
    let triples = &rows.triples;
    let chosen: Vec<(usize, &Qac)> = triples.iter().enumerate().skip(args.skip).take(args.prompts).collect();
    if chosen.is_empty() {
        let message =
            format!("{} has {} rows; none is left after --skip {}", args.data.display(), triples.len(), args.skip);
        return Err(hinted(message, "lower --skip, or raise --prompts above 0"));
    }
    let share = args.shard.map(|shard| shard.of_rows(chosen.len()));
    let chosen = share.map_or(chosen.as_slice(), |share| &chosen[share.rows()]);
    if !args.coefficients.0.contains(&0.0) {
        output::note!(
            "warning: coefficient 0 is not among them: there will be no coherent range, and no line within it"
        );
    }
    warn_of_repeated(chosen);
    let steering = args.steering.steering()?.context("clap asks for a vector or a profile")?;
    let aligner = models::open_with(&args.model, steering.template()?)?;
    let loaded = steering.load(&aligner.model)?;
    loaded.notes.iter().for_each(|note| output::note!("{note}"));
    check_leak(&loaded.questions, chosen.iter().map(|(_, qac)| qac.question.as_str()), args.allow_overlap)?;

    let arms = arms(1, &args.coefficients.0)?;
    let settings = SweepSettings {
        aligner: &aligner,
        steering: &steering,
        loaded: &loaded,
        coefficients: &args.coefficients.0,
        data: &args.data,
        triples,
        skip: args.skip,
        share,
        max_new_tokens: args.sampling.max_new_tokens,
        sampling: &sampling,
    };
    let settings = settings.to_json();
    let prompts = sweep_prompts(&aligner, chosen, args.sampling.max_new_tokens, &args.data)?;
    clear_for_log(&args.out, SWEEP, args.force.force)?;
    let mut log = SweepLog::open(&args.out, &settings)?;
    let vectors = [NamedVector { name: CORRECTION.into(), vector: loaded.vector }];
    let options = steering.sweep_options(args.sampling.max_new_tokens, sampling, args.batch_rows);
    let swept = Swept { prompts: &prompts, vectors: &vectors, arms: &arms, options: &options };
    sweep_logged(&aligner, &swept, &mut log, "sweep", &mut Shown::default())?;
    output::note!("wrote {}", args.out.display());
    let judged = if share.is_none() {
        told(args, &steering, &log, &rows, &loaded.unit.to_string(), &settings)?
    } else {
        Told::default()
    };
    tell(args, &log, share, &settings, judged, json).map(|()| ExitCode::SUCCESS)
}

/// Warns where a question stands twice.
fn warn_of_repeated(chosen: &[(usize, &Qac)]) {
    let n_questions = chosen.iter().map(|(_, qac)| normalise(&qac.question)).collect::<HashSet<_>>().len();
    if n_questions < chosen.len() {
        let n = chosen.len();
        output::note!(
            "warning: {n} prompts have {n_questions} questions; intervals take prompts to be independent, so they come out too narrow"
        );
    }
}

/// What was written, on standard output.
fn tell(
    args: &SweepArgs,
    log: &SweepLog,
    share: Option<Share>,
    settings: &Value,
    judged: Told,
    json: bool,
) -> anyhow::Result<()> {
    let effect = total_effect(log.rows());
    if json {
        output::json(&json!({
            "schema": "redline.sweep-summary.v1",
            "file": args.out,
            "report": judged.page,
            "n_rows": log.rows().len(),
            "settings": settings,
            "effect": effect,
            "quality": judged.quality,
        }))
    } else {
        let next = match share {
            Some(share) => format!("part {share}; `redline merge` puts it together with the others"),
            None => format!("`redline fit {}` fits the line", args.out.display()),
        };
        output::line(&format!(
            "{} rows of {} prompts; {} activations changed; {next}",
            log.rows().len(),
            log.complete_rows(args.coefficients.0.len()).len(),
            effect.values().map(|layer| layer.edits).sum::<u64>(),
        ))
    }
}

/// What is said of a whole sweep.
#[derive(Default)]
struct Told {
    page: Option<PathBuf>,
    quality: Option<SweepQuality>,
}

/// Judges the outputs and writes the report; what of it fails is told and ends nothing.
fn told(
    args: &SweepArgs,
    steering: &Steering,
    log: &SweepLog,
    rows: &Rows,
    unit: &str,
    settings: &Value,
) -> anyhow::Result<Told> {
    let complete = log.complete_rows(args.coefficients.0.len());
    let complete: Vec<SweepRow> = log.rows().iter().filter(|row| complete.contains(&row.row)).cloned().collect();
    let quality = judge_sweep(rows, &complete, &[], &Evidence::default(), &BootstrapOptions::default());
    let quality = quality.unwrap_or_else(|error| {
        output::note!("warning: quality is not measured: {error}");
        None
    });
    quality.iter().flat_map(|quality| &quality.verdicts).for_each(|verdict| output::note!("{}", verdict.sentence));
    let page = sweep_report(args);
    match report(args, steering, log.rows(), rows, quality.as_ref(), unit, settings) {
        Ok(report) => {
            report.write(&page)?;
            output::note!("wrote {}", page.display());
        }
        Err(error) => output::note!("warning: no report: {error}"),
    }
    Ok(Told { page: Some(page), quality })
}

/// The sweep on one page.
fn report(
    args: &SweepArgs,
    steering: &Steering,
    rows: &[SweepRow],
    swept: &Rows,
    quality: Option<&SweepQuality>,
    unit: &str,
    settings: &Value,
) -> redline::steer::Result<Report> {
    let (variant, bound) = (EditRatioVariant::default(), DEFAULT_COHERENCE_BOUND);
    let analysis = analyse(rows, CORRECTION, variant, bound, &BootstrapOptions::default())?;
    let lead = format!(
        "{} prompts of {}, corrected at {} coefficients along {}.",
        analysis.prompts.len(),
        args.data.display(),
        analysis.coefficients.len(),
        steering.vector.display(),
    );
    let mut report = Report::new("Redline: a sweep of the dial", lead);
    report.warnings = sweep_warnings(&analysis, None);
    report
        .warnings
        .push("No controls were run here: a slope means something beside those of `redline reproduce`.".into());
    report.findings = sweep_findings(&analysis, unit, None);
    let figure = sweep_plot(&analysis, unit, Vec::new(), Vec::new());
    report.quality = quality.map(QualityPart::new);
    report.curves = quality.map(|quality| quality_curves(quality, unit)).into_iter().collect();
    report.sweep = Some(SweepPart::new(&analysis, figure, coefficient_cells(&analysis)));
    report.slopes = slope_plot(&analysis, None).map(|plot| SlopesPart { plot, rows: analysis.prompts.clone() });
    report.examples = Examples::of_sweep(rows, &analysis, unit, |row| swept.triples.get(row));
    report.settings = vec![program([]), SettingsGroup::new("Settings", flattened(settings))];
    Ok(report)
}
