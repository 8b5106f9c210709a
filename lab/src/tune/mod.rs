//! From what is asked for to a coefficient: for an edit ratio the place on the line of a sweep, for a utility the best of the sweep's
//! coefficients; and what it does on prompts that were not used to choose it.

mod dial;
mod options;
mod past_sweep;
mod rows;
mod save;
mod utility;
mod verify;

use std::path::Path;

use redline_steer::{CORRECTION, EditRatios, NamedVector, Operator, SweepLog, SweepOptions, SweepRow, Tuned, arms};

pub use dial::Dial;
pub use options::{GivenVector, TuneOptions, only_add};
pub use past_sweep::{PastSettings, PastSweep};
pub use rows::Counts;
pub use save::{Place, Saved, save};
pub use utility::ChosenFor;

use crate::aligner::Aligner;
use crate::domain::{Domain, LEAST_ROWS, calibrate};
use crate::error::{Error, Result};
use crate::experiment::{SweepAnalysis, SweepSettings, Swept, analyse, sweep_logged, sweep_prompts};
use crate::observer::Observer;
use crate::profile::Verification;
use crate::quality::Utility;
use crate::rows::Rows;
use crate::steering::Steering;
use redline_model::Qac;
use redline_model::sampling::SamplingOptions;
use rows::Chosen;

/// A tuned coefficient and all that speaks for it.
pub struct Outcome {
    /// The mean edit ratio that was asked for, or that the line has at the coefficient.
    pub target: f64,
    /// The choice, where a utility was asked for.
    pub chosen_for: Option<ChosenFor>,
    /// The sweep.
    pub analysis: SweepAnalysis,
    /// The coefficient, with its interval.
    pub tuned: Tuned,
    /// What it does on other prompts.
    pub verification: Verification,
    /// The vector and how it is injected.
    pub dial: Dial,
    /// What answers the Aligner knows, by the rows that served; none where they are too few.
    pub domain: Option<Domain>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// A mean edit ratio.
    Ratio(f64),
    /// The highest utility, of rows whose flaws are known.
    Utility(Utility),
}

/// Where the line comes from and where the files go.
#[derive(Default)]
pub struct TuneFiles<'a> {
    /// A vector that is given; without one, and without a sweep, a direction is extracted.
    pub steering: Option<Steering>,
    /// A sweep that was run before.
    pub past: Option<PastSweep>,
    /// File that keeps the sweep.
    pub out: Option<&'a Path>,
}

/// What every stage works with.
#[derive(Clone, Copy)]
struct Tuning<'a> {
    aligner: &'a Aligner,
    rows: &'a Rows,
    options: &'a TuneOptions,
}

/// A dial and the rows it is measured on.
struct Sweeping<'a> {
    run: Tuning<'a>,
    dial: &'a Dial,
    chosen: &'a Chosen,
    sampling: SamplingOptions,
    max_new_tokens: usize,
    scratch: &'a Path,
}

/// The mean edit ratio over rows whose correction is what is asked for, in the measure of a sweep.
///
/// # Errors
/// The model came without a tokenizer.
pub fn target_of(like: &[Qac], options: &TuneOptions, aligner: &Aligner) -> Result<f64> {
    let tokenizer = aligner.tokenizer()?;
    let mut sum = 0.0;
    for qac in like {
        let (answer, correction) = (qac.answer.trim(), qac.correction.trim());
        let (answer_tokens, tokens) = (tokenizer.encode_text(answer)?, tokenizer.encode_text(correction)?);
        let ratio = EditRatios::with_tokens(answer, correction, &answer_tokens, &tokens).ratio(options.variant);
        sum += ratio.unwrap_or_default();
    }
    Ok(sum / like.len() as f64)
}

/// Sweeps, fits the line, finds the coefficient for `goal` and verifies it. Files that go away afterwards lie in `scratch`.
///
/// # Errors
/// Options that break a rule, too few rows, a vector or sweep of another model, no line, a ratio that it does not reach, or a utility of rows
/// whose flaws are not known.
pub fn tune(
    aligner: &Aligner,
    rows: &Rows,
    options: &TuneOptions,
    goal: Goal,
    files: TuneFiles<'_>,
    scratch: &Path,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    options.check()?;
    if let (Goal::Utility(_), None) = (&goal, &rows.flawed) {
        let message = format!("{}: utility takes rows that carry their flaws", rows.name.display());
        return Err(Error::option(message, "make them with `redline data corrupt`, or give --target-ratio"));
    }
    let run = Tuning { aligner, rows, options };
    let TuneFiles { steering, past, out } = files;
    let (mut dial, chosen) = run.prepare(steering, past.as_ref(), observer)?;
    if let Some(out) = out {
        dial.keep_beside(out, observer)?;
    }
    let (sampling, max_new_tokens) = match &past {
        Some(past) => (past.settings.sampling.clone(), past.settings.max_new_tokens),
        None => (options.sampling.clone(), options.max_new_tokens),
    };
    let sweeping = Sweeping { run, dial: &dial, chosen: &chosen, sampling, max_new_tokens, scratch };
    let outputs = match past {
        Some(past) => past.rows,
        None => sweeping.sweep(out, observer)?,
    };
    let analysis = analyse(&outputs, CORRECTION, options.variant, options.coherence_bound, &options.bootstrap())?;
    if analysis.fit.is_none() {
        return Err(no_line(&analysis));
    }
    let (tuned, chosen_for) = match goal {
        Goal::Ratio(target) => (analysis.tune(target)?, None),
        Goal::Utility(utility) => {
            let chosen = sweeping.choose(&outputs, utility, observer)?;
            (chosen.tuned(&analysis), Some(chosen))
        }
    };
    let verification = sweeping.verify(tuned.coefficient as f32, observer)?;
    let domain = sweeping.domain(observer)?;
    Ok(Outcome { target: tuned.target, chosen_for, analysis, tuned, verification, dial, domain })
}

impl Sweeping<'_> {
    /// What answers the Aligner knows, by all rows that serve.
    fn domain(&self, observer: &mut dyn Observer) -> Result<Option<Domain>> {
        // of an Aligner of the project more is known than these rows tell
        if Domain::built_in(self.run.aligner)?.is_some() {
            return Ok(None);
        }
        let Chosen { pairs, prompts, verify } = self.chosen;
        let rows: Vec<usize> = [pairs.as_slice(), prompts, verify].concat();
        if rows.len() < LEAST_ROWS {
            observer.note(&format!("note: {} rows are too few to tell what answers the Aligner knows", rows.len()));
            return Ok(None);
        }
        let rows = self.run.rows.at(&rows).into_iter().map(|(_, qac)| (qac.question.as_str(), qac.answer.as_str()));
        calibrate(self.run.aligner, rows, observer).map(Some)
    }

    /// Runs the sweep, in the file that was asked for or one that goes away.
    fn sweep(&self, out: Option<&Path>, observer: &mut dyn Observer) -> Result<Vec<SweepRow>> {
        let options = self.run.options;
        let file = out.map_or_else(|| self.scratch.join("sweep.jsonl"), Path::to_path_buf);
        let settings = SweepSettings {
            aligner: self.run.aligner,
            steering: &self.dial.steering,
            loaded: &self.dial.loaded,
            coefficients: &options.coefficients,
            data: &self.run.rows.name,
            triples: &self.run.rows.triples,
            skip: options.skip,
            share: None,
            max_new_tokens: self.max_new_tokens,
            sampling: &self.sampling,
        };
        let mut log = SweepLog::open(&file, &settings.to_json())?;
        let rows = self.generate(&self.chosen.prompts, &options.coefficients, &mut log, "sweep", observer)?;
        if out.is_some() {
            observer.note(&format!("wrote {}", file.display()));
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
        observer: &mut dyn Observer,
    ) -> Result<Vec<SweepRow>> {
        let rows = self.write(&self.run.rows.at(chosen), coefficients, log, label, observer)?;
        // a file that is continued may hold rows that this run did not choose
        Ok(rows.into_iter().filter(|row| chosen.contains(&row.row)).collect())
    }

    /// Corrections of these triples at these coefficients, and whatever else the log holds.
    fn write(
        &self,
        triples: &[(usize, &Qac)],
        coefficients: &[f32],
        log: &mut SweepLog,
        label: &str,
        observer: &mut dyn Observer,
    ) -> Result<Vec<SweepRow>> {
        let prompts = &sweep_prompts(self.run.aligner, triples, self.max_new_tokens, &self.run.rows.name)?;
        let vectors = &[NamedVector { name: CORRECTION.into(), vector: self.dial.loaded.vector.clone() }];
        let options = &SweepOptions {
            range: self.dial.steering.range,
            operator: Operator::Add,
            copy_bias: self.dial.steering.copy_bias,
            max_new_tokens: self.max_new_tokens,
            sampling: self.sampling.clone(),
            batch_rows: self.run.options.batch_rows,
        };
        let arms = &arms(1, coefficients)?;
        sweep_logged(self.run.aligner, &Swept { prompts, vectors, arms, options }, log, label, observer)?;
        Ok(log.rows().to_vec())
    }
}

/// Why there is no line to read a coefficient from.
fn no_line(analysis: &SweepAnalysis) -> Error {
    match &analysis.coherent_range {
        None => Error::option(
            "the sweep has no output at coefficient 0, the baseline",
            "sweep again with 0 among --coefficients",
        ),
        Some(range) => Error::option(
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
