//! `redline tune`: from a wished edit ratio to a coefficient, verified by generating, kept as a profile.

mod dial;
mod past_sweep;
mod rows;
mod save;
mod show;
mod verify;

use std::process::ExitCode;

use redline::experiment::{SweepAnalysis, analyse};
use redline::model::sampling::SamplingOptions;
use redline::profile::Verification;
use redline::steer::{
    BootstrapOptions, CORRECTION, EditRatios, Error as SteerError, NamedVector, Operator, SweepLog, SweepOptions,
    SweepRow, Tuned, arms,
};

use crate::cli::tune::TuneArgs;
use crate::cli::writes::SWEEP;
use crate::commands::sweep::{SweepSettings, prompts, run_logged, sampling_options, settings};
use crate::defaults;
use crate::output;
use crate::outputs::{Scratch, clear_for_log};
use crate::session::{Session, hinted};
use crate::steering::Steering;
use dial::Dial;
use past_sweep::PastSweep;
use rows::{Chosen, Rows};

/// Everything that was found.
struct Outcome {
    target: Target,
    analysis: SweepAnalysis,
    tuned: Tuned,
    verification: Verification,
}

/// What was asked for.
struct Target {
    ratio: f64,
    /// Rows it was read from, where it was not given as a number.
    n_like: Option<usize>,
}

/// What every stage works with.
struct Run<'a> {
    args: &'a TuneArgs,
    session: &'a Session,
    dial: &'a Dial,
    rows: &'a Rows,
    sampling: SamplingOptions,
    max_new_tokens: usize,
    bootstrap: BootstrapOptions,
}

pub fn run(args: &TuneArgs, json: bool) -> anyhow::Result<ExitCode> {
    let sampling = sampling_options(&args.sampling, args.seed)?;
    let coefficients = coefficients(args)?;
    check_options(args)?;
    let place = args.save.as_deref().map(save::Place::new).transpose()?;
    let steering = Steering::resolve(&args.steering)?;
    let past = args.sweep.as_deref().map(PastSweep::read).transpose()?;
    past.as_ref().map_or(Ok(()), |past| only_add(past.settings.operator))?;
    let rows = Rows::read(args, past.as_ref())?;
    let like = args.like.as_deref().map(crate::rows::triples).transpose()?;

    let template = match &past {
        Some(past) => Some(past.template()?),
        None => steering.as_ref().map(Steering::template).transpose()?.flatten(),
    };
    let session = Session::open_with(&args.model, template)?;
    let target = target(args, &session, like.as_deref())?;
    let (mut dial, chosen) = dial::prepare(args, &session, &rows, steering, past.as_ref())?;
    if let Some(out) = &args.out {
        dial.keep_beside(out)?;
    }
    let (sampling, max_new_tokens) = match &past {
        Some(past) => (past.settings.sampling.clone(), past.settings.max_new_tokens),
        None => (sampling, args.sampling.max_new_tokens),
    };
    let bootstrap = BootstrapOptions { seed: args.seed, ..BootstrapOptions::default() };
    let run = Run { args, session: &session, dial: &dial, rows: &rows, sampling, max_new_tokens, bootstrap };
    let outputs = match past {
        Some(past) => past.rows,
        None => run.sweep(&chosen.prompts, &coefficients)?,
    };
    let outcome = run.tune(target, &outputs, &chosen)?;
    show::warn(&outcome);
    let profile = place.map(|place| save::save(&run, &outcome, &place)).transpose()?;
    show::show(&outcome, profile.as_ref(), json)?;
    Ok(ExitCode::SUCCESS)
}

/// The coefficients of the sweep that is run.
fn coefficients(args: &TuneArgs) -> anyhow::Result<Vec<f32>> {
    let coefficients = defaults::coefficients(&args.model, args.coefficients.as_ref())?;
    if !coefficients.contains(&0.0) {
        return Err(SteerError::NoBaseline { n: coefficients.len() }.into());
    }
    match coefficients.len() {
        0..3 => {
            Err(hinted("a line takes at least three coefficients", "give more --coefficients, such as -1,-0.5,0,0.5"))
        }
        _ => Ok(coefficients),
    }
}

/// Only additions are read from a line and kept in profiles.
fn only_add(operator: Operator) -> anyhow::Result<()> {
    match operator {
        Operator::Add => Ok(()),
        other => Err(hinted(format!("operator {other}: profiles hold additions"), "tune with --operator add")),
    }
}

/// Refuses options before anything is loaded.
fn check_options(args: &TuneArgs) -> anyhow::Result<()> {
    if let Some(ratio) = args.target_ratio.filter(|ratio| !(ratio.is_finite() && *ratio >= 0.0)) {
        return Err(hinted(format!("--target-ratio is {ratio}"), "give a ratio of at least 0, such as 0.25"));
    }
    only_add(args.steering.operator)?;
    if !(args.coherence_bound.is_finite() && args.coherence_bound > 0.0) {
        return Err(hinted(format!("--coherence-bound is {}", args.coherence_bound), "give a number of nats above 0"));
    }
    for (name, count, least) in
        [("--prompts", args.prompts, 2), ("--verify", args.verify, 2), ("--pairs", args.pairs, 4)]
    {
        if let Some(count) = count.filter(|count| *count < least) {
            return Err(hinted(format!("{name} is {count}"), format!("give at least {least}")));
        }
    }
    Ok(())
}

/// The ratio to reach: the number given, or the mean over wished rows in the measure of a sweep.
fn target(args: &TuneArgs, session: &Session, like: Option<&[redline::model::Qac]>) -> anyhow::Result<Target> {
    let Some(like) = like else { return Ok(Target { ratio: args.target_ratio.unwrap_or_default(), n_like: None }) };
    let tokenizer = session.tokenizer()?;
    let mut sum = 0.0;
    for qac in like {
        let (answer, correction) = (qac.answer.trim(), qac.correction.trim());
        let (answer_tokens, tokens) = (tokenizer.encode_text(answer)?, tokenizer.encode_text(correction)?);
        let ratio = EditRatios::with_tokens(answer, correction, &answer_tokens, &tokens).ratio(args.variant);
        sum += ratio.unwrap_or_default();
    }
    let ratio = sum / like.len() as f64;
    output::note!("target: {} ratio {ratio:.3}, the mean of {} wished rows", args.variant, like.len());
    Ok(Target { ratio, n_like: Some(like.len()) })
}

impl Run<'_> {
    /// Runs the sweep, in the file that was asked for or one that goes away.
    fn sweep(&self, chosen: &[usize], coefficients: &[f32]) -> anyhow::Result<Vec<SweepRow>> {
        let scratch = Scratch::new()?;
        let file = self.args.out.clone().unwrap_or_else(|| scratch.path().join("sweep.jsonl"));
        let settings = settings(&SweepSettings {
            session: self.session,
            steering: &self.dial.steering,
            loaded: &self.dial.loaded,
            coefficients,
            data: &self.rows.name,
            triples: &self.rows.triples,
            skip: self.args.skip,
            max_new_tokens: self.max_new_tokens,
            sampling: &self.sampling,
        });
        clear_for_log(&file, SWEEP, self.args.force.force)?;
        let mut log = SweepLog::open(&file, &settings)?;
        let rows = self.generate(chosen, coefficients, &mut log, "sweep")?;
        if self.args.out.is_some() {
            output::note!("wrote {}", file.display());
        }
        Ok(rows)
    }

    /// Corrections of these rows at these coefficients.
    fn generate(
        &self,
        chosen: &[usize],
        coefficients: &[f32],
        log: &mut SweepLog,
        label: &str,
    ) -> anyhow::Result<Vec<SweepRow>> {
        let triples = self.rows.at(chosen);
        let prompts = prompts(self.session, &triples, self.max_new_tokens, &self.rows.name)?;
        let vectors = [NamedVector { name: CORRECTION.into(), vector: self.dial.loaded.vector.clone() }];
        let options = SweepOptions {
            range: self.dial.steering.range,
            operator: Operator::Add,
            max_new_tokens: self.max_new_tokens,
            sampling: self.sampling.clone(),
            batch_rows: self.args.batch_rows,
        };
        run_logged(self.session, &prompts, &vectors, &arms(1, coefficients)?, &options, log, label)?;
        // a file that is continued may hold rows that this run did not choose
        Ok(log.rows().iter().filter(|row| chosen.contains(&row.row)).cloned().collect())
    }

    /// Reads the coefficient from the line and looks what it does.
    fn tune(&self, target: Target, outputs: &[SweepRow], chosen: &Chosen) -> anyhow::Result<Outcome> {
        let args = self.args;
        let analysis = analyse(outputs, CORRECTION, args.variant, args.coherence_bound, &self.bootstrap)?;
        if analysis.fit.is_none() {
            return Err(no_line(&analysis));
        }
        let tuned = analysis.tune(target.ratio)?;
        let verification = verify::verify(self, tuned.coefficient as f32, &chosen.verify)?;
        Ok(Outcome { target, analysis, tuned, verification })
    }
}

/// Why there is no line to read a coefficient from.
fn no_line(analysis: &SweepAnalysis) -> anyhow::Error {
    match &analysis.coherent_range {
        None => {
            hinted("the sweep has no output at coefficient 0, the baseline", "sweep again with 0 among --coefficients")
        }
        Some(range) => hinted(
            format!(
                "no line: of the coefficients, {} … {} stay coherent, on {} prompts; it takes three coefficients and two prompts",
                range.low,
                range.high,
                analysis.prompts.len()
            ),
            "sweep closer to 0 with --coefficients, or more --prompts",
        ),
    }
}
