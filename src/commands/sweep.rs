//! `redline sweep`: held-out prompts at several coefficients, written row by row.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{DEFAULT_COHERENCE_BOUND, analyse};
use redline::figures::{slope_plot, sweep_plot};
use redline::model::Qac;
use redline::model::sampling::SamplingOptions;
use redline::probe::split::normalise;
use redline::profile::hash_of;
use redline::report::{
    Examples, Report, SettingsGroup, SlopesPart, SweepPart, flattened, sweep_findings, sweep_warnings,
};
use redline::steer::{
    BootstrapOptions, CORRECTION, EditRatioVariant, NamedVector, SweepLog, SweepObserver, SweepOptions, SweepPrompt,
    SweepRow, arms, sweep, total_effect,
};
use serde_json::{Value, json};

use crate::cli::writes::{SWEEP, sweep_report};
use crate::cli::{SamplingArgs, SweepArgs};
use crate::commands::fit::coefficient_cells;
use crate::output;
use crate::outputs::clear_for_log;
use crate::progress::Progress;
use crate::provenance::program;
use crate::rows;
use crate::session::{Session, check_leak, hinted};
use crate::steering::{LoadedVector, Steering};

pub fn run(args: &SweepArgs, json: bool) -> anyhow::Result<ExitCode> {
    let sampling = sampling_options(&args.sampling, args.seed)?;
    let triples = rows::triples(&args.data)?;
    let chosen: Vec<(usize, &Qac)> = triples.iter().enumerate().skip(args.skip).take(args.prompts).collect();
    if chosen.is_empty() {
        let message =
            format!("{} has {} rows; none is left after --skip {}", args.data.display(), triples.len(), args.skip);
        return Err(hinted(message, "lower --skip, or raise --prompts above 0"));
    }
    if !args.coefficients.0.contains(&0.0) {
        output::note!(
            "warning: coefficient 0 is not among them: there will be no coherent range, and no line within it"
        );
    }
    let n_questions = chosen.iter().map(|(_, qac)| normalise(&qac.question)).collect::<HashSet<_>>().len();
    if n_questions < chosen.len() {
        let n = chosen.len();
        output::note!(
            "warning: {n} prompts have {n_questions} questions; intervals take prompts to be independent, so they come out too narrow"
        );
    }
    let page = sweep_report(args);
    let steering = Steering::resolve(&args.steering)?.context("clap asks for a vector or a profile")?;
    let session = Session::open_with(&args.model, steering.template()?)?;
    let loaded = steering.load(&session.model)?;
    check_leak(&loaded.questions, chosen.iter().map(|(_, qac)| *qac), args.allow_overlap)?;

    let arms = arms(1, &args.coefficients.0)?;
    let settings = settings(&SweepSettings {
        session: &session,
        steering: &steering,
        loaded: &loaded,
        coefficients: &args.coefficients.0,
        data: &args.data,
        triples: &triples,
        skip: args.skip,
        max_new_tokens: args.sampling.max_new_tokens,
        sampling: &sampling,
    });
    let prompts = prompts(&session, &chosen, args.sampling.max_new_tokens, &args.data)?;
    clear_for_log(&args.out, SWEEP, args.force.force)?;
    let mut log = SweepLog::open(&args.out, &settings)?;
    let vectors = [NamedVector { name: CORRECTION.into(), vector: loaded.vector }];
    let options = SweepOptions {
        range: steering.range,
        operator: steering.operator,
        max_new_tokens: args.sampling.max_new_tokens,
        sampling,
        batch_rows: args.batch_rows,
    };
    run_logged(&session, &prompts, &vectors, &arms, &options, &mut log, "sweep")?;
    output::note!("wrote {}", args.out.display());
    match report(args, &steering, log.rows(), &triples, &loaded.unit, &settings) {
        Ok(report) => {
            report.write(&page)?;
            output::note!("wrote {}", page.display());
        }
        Err(error) => output::note!("warning: no report: {error}"),
    }
    let effect = total_effect(log.rows());
    if json {
        output::json(&json!({
            "schema": "redline.sweep-summary.v1",
            "file": args.out,
            "report": page,
            "n_rows": log.rows().len(),
            "settings": settings,
            "effect": effect,
        }))?;
    } else {
        output::line(&format!(
            "{} rows of {} prompts; {} activations changed; `redline fit {}` fits the line",
            log.rows().len(),
            prompts.len(),
            effect.values().map(|layer| layer.edits).sum::<u64>(),
            args.out.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// SHA-256 of question, answer and correction of all rows, whatever file they stand in.
pub fn rows_hash<'a>(rows: impl Iterator<Item = [&'a str; 3]>) -> String {
    hash_of(json!(rows.collect::<Vec<_>>()).to_string().as_bytes())
}

/// Everything that the outputs of a sweep depend on.
pub struct SweepSettings<'a> {
    pub session: &'a Session,
    pub steering: &'a Steering,
    pub loaded: &'a LoadedVector,
    pub coefficients: &'a [f32],
    pub data: &'a Path,
    /// All rows of `data`: a sweep goes on only where they are the same.
    pub triples: &'a [Qac],
    pub skip: usize,
    pub max_new_tokens: usize,
    pub sampling: &'a SamplingOptions,
}

/// The settings as they stand in the first line of a sweep file.
pub fn settings(of: &SweepSettings<'_>) -> Value {
    json!({
        "model_hash": of.session.model.fingerprint,
        "numerics": of.session.model.decoder.numerics(),
        "template": of.session.template.source(),
        "vector": of.steering.vector,
        "vector_norms": of.loaded.vector.norms(),
        "unit": of.loaded.unit,
        "range": of.steering.range.to_string(),
        "operator": of.steering.operator,
        "coefficients": of.coefficients,
        "data": of.data,
        "data_hash": rows_hash(of.triples.iter().map(|row| [row.question.as_str(), &row.answer, &row.correction])),
        "skip": of.skip,
        "max_new_tokens": of.max_new_tokens,
        "sampling": of.sampling,
    })
}

/// The sweep on one page.
fn report(
    args: &SweepArgs,
    steering: &Steering,
    rows: &[SweepRow],
    triples: &[Qac],
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
    report.sweep = Some(SweepPart::new(&analysis, figure, coefficient_cells(&analysis)));
    report.slopes = slope_plot(&analysis, None).map(|plot| SlopesPart { plot, rows: analysis.prompts.clone() });
    report.examples = Examples::of_sweep(rows, &analysis, unit, |row| triples.get(row));
    report.settings = vec![program([]), SettingsGroup::new("Settings", flattened(settings))];
    Ok(report)
}

/// Sampling from its options, checked.
pub fn sampling_options(args: &SamplingArgs, seed: u64) -> anyhow::Result<SamplingOptions> {
    let options = SamplingOptions {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        repetition_penalty: args.repetition_penalty,
        seed,
    };
    options.check()?;
    check_new_tokens(args.max_new_tokens)?;
    Ok(options)
}

/// Refuses outputs of no token.
pub fn check_new_tokens(max_new_tokens: usize) -> anyhow::Result<()> {
    match max_new_tokens {
        0 => Err(hinted("--max-new-tokens is 0", "give at least 1")),
        _ => Ok(()),
    }
}

/// The prompts of triples of the file `data`, which must leave room for the output.
pub fn prompts(
    session: &Session,
    triples: &[(usize, &Qac)],
    max_new_tokens: usize,
    data: &Path,
) -> anyhow::Result<Vec<SweepPrompt>> {
    let prompt = |&(row, qac): &(usize, &Qac)| {
        let origin = format!("{}: row {row}", data.display());
        Ok(SweepPrompt {
            row,
            tokens: session.prompt_with_room([&qac.question, &qac.answer], max_new_tokens, &origin)?,
            answer: qac.answer.clone(),
            correction: Some(qac.correction.clone()),
        })
    };
    triples.iter().map(prompt).collect()
}

/// Sweeps the prompts that the log does not hold yet.
pub fn run_logged(
    session: &Session,
    prompts: &[SweepPrompt],
    vectors: &[NamedVector],
    arms: &[redline::steer::Arm],
    options: &SweepOptions,
    log: &mut SweepLog,
    label: &str,
) -> anyhow::Result<()> {
    log.drop_incomplete(arms.len())?;
    let complete = log.complete_rows(arms.len());
    let left: Vec<SweepPrompt> = prompts.iter().filter(|prompt| !complete.contains(&prompt.row)).cloned().collect();
    if left.len() < prompts.len() {
        output::note!("{label}: {} of {} prompts are there already", prompts.len() - left.len(), prompts.len());
    }
    let mut watch = Watch::new(label, left.len(), arms.len().saturating_mul(options.max_new_tokens), log);
    sweep(&session.model.decoder, session.tokenizer()?, &left, vectors, arms, options, &mut watch)?;
    watch.progress.finish();
    Ok(())
}

/// Shows progress and writes rows to the log. Tokens are what takes time; outputs end early, so a finished prompt
/// counts as all the tokens it could have had.
struct Watch<'a> {
    progress: Progress,
    log: &'a mut SweepLog,
    tokens: usize,
    prompts: usize,
    tokens_per_prompt: usize,
    total: usize,
}

impl<'a> Watch<'a> {
    fn new(label: &str, n_prompts: usize, tokens_per_prompt: usize, log: &'a mut SweepLog) -> Self {
        let total = n_prompts.saturating_mul(tokens_per_prompt);
        Self { progress: Progress::new(label, total), log, tokens: 0, prompts: 0, tokens_per_prompt, total }
    }
}

impl SweepObserver for Watch<'_> {
    fn on_token(&mut self) -> redline::model::Result<()> {
        self.tokens += 1;
        self.progress.set(self.tokens.min(self.total), self.total)
    }

    fn on_rows(&mut self, rows: &[SweepRow]) -> redline::steer::Result<()> {
        self.log.append(rows)?;
        self.prompts += 1;
        self.tokens = self.tokens.max(self.prompts.saturating_mul(self.tokens_per_prompt));
        Ok(self.progress.set(self.tokens.min(self.total), self.total)?)
    }
}
