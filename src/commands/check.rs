//! `redline check`: a model tests itself, or is compared with reference numbers.

use std::path::Path;
use std::process::ExitCode;

use redline::embedded;
use redline::lab::domain::calibrate;
use redline::lab::rows::at_strictness;
use redline::model::Qac;
use redline::reference::{Comparison, Objective, compare, compare_objective};
use redline::self_test::{Finding, SelfTest, Verdict};
use serde_json::json;

use crate::cli::inspect::CheckArgs;
use crate::failure::hinted;
use crate::models;
use crate::models::open_model;
use crate::observer::Shown;
use crate::output;
use crate::progress::Progress;
use crate::rows;
use redline::lab::steering::Steering;

/// Names of tensors that are listed at most; all are in the JSON.
const MOST_NAMES: usize = 10;

pub fn run(args: &CheckArgs, json: bool) -> anyhow::Result<ExitCode> {
    match &args.reference {
        Some(reference) => match args.objective {
            Some(objective) => objective_against(args, objective, reference, json),
            None => against(args, reference, json),
        },
        None => match &args.domain_out {
            Some(out) => calibrated(args, out, json),
            None => alone(args, json),
        },
    }
}

/// Tells what answers the Aligner knows, and writes it.
fn calibrated(args: &CheckArgs, out: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let triples = match &args.data {
        Some(path) => rows::triples(path)?,
        None => at_strictness(&embedded::rows()?, 1)?,
    };
    let aligner = models::open(&args.model_args())?;
    let rows = triples.iter().map(|qac| (qac.question.as_str(), qac.answer.as_str()));
    let domain = calibrate(&aligner, rows, &mut Shown::default())?;
    domain.save(out)?;
    if json {
        output::json(&json!(domain))?;
    } else {
        output::line(&format!(
            "{}, from {} answers; at least {:.1} % of others of their kind pass by expectation\n{}",
            domain.in_words(),
            domain.n_rows,
            100.0 * domain.passes,
            out.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn alone(args: &CheckArgs, json: bool) -> anyhow::Result<ExitCode> {
    let triples = triples(args)?;
    let aligner = models::open(&args.model_args())?;
    let steering = args.vector.as_ref().map(|vector| Steering::by(vector, args.layers.clone(), args.unit));
    let vector = steering.map(|steering| steering.load(&aligner.model)).transpose()?;
    let test = SelfTest {
        model: &aligner.model,
        template: &aligner.template,
        triples: &triples,
        vector: vector.as_ref().map(|loaded| (&loaded.vector, args.range)),
    };
    let mut progress = Progress::new("testing", 8);
    let findings = test.run(&mut |done, total| progress.set(done, total))?;
    progress.finish();
    let fails = findings.iter().any(|finding| finding.verdict == Verdict::Failed);
    if json {
        output::json(&json!({
            "schema": "redline.self-test.v1",
            "model": aligner.model.path,
            "template": aligner.template.name(),
            "n_triples": triples.len(),
            "findings": findings,
            "passes": !fails,
        }))?;
    } else {
        findings.iter().try_for_each(|finding| output::line(&line(finding)))?;
    }
    Ok(if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn line(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Passed => "ok",
        Verdict::Failed => "FAILS",
        Verdict::Doubtful => "DOUBT",
        Verdict::Skipped => "–",
    };
    format!("{verdict:<6} {:<14} {}", finding.test, finding.detail)
}

/// Triples to test on: flawed and clean ones in turn, as far as there are both.
fn triples(args: &CheckArgs) -> anyhow::Result<Vec<Qac>> {
    let all = match &args.data {
        Some(path) => rows::triples(path)?,
        None => at_strictness(&embedded::rows()?, 1)?,
    };
    let n = usize::from(args.prompts);
    let (clean, flawed): (Vec<Qac>, Vec<Qac>) =
        all.into_iter().partition(|qac| qac.answer.trim() == qac.correction.trim());
    let n_clean = clean.len().min((n / 2).max(n.saturating_sub(flawed.len())));
    let chosen: Vec<Qac> = flawed.into_iter().take(n - n_clean).chain(clean.into_iter().take(n_clean)).collect();
    match chosen.is_empty() {
        false => Ok(chosen),
        true => Err(hinted("there are no triples to test on", "give a file with question, answer and correction")),
    }
}

fn against(args: &CheckArgs, reference: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let model = open_model(&args.model_args())?;
    let comparison = compare(&model.decoder, reference)?;
    if comparison.is_empty() {
        return Err(hinted(
            format!("{}: holds no numbers to compare", reference.display()),
            "a file of pairs is compared with --objective dpo or --objective reward",
        ));
    }
    let passes = comparison.within(args.tolerance);
    if json {
        let mut value = serde_json::to_value(&comparison)?;
        value["schema"] = json!("redline.check.v1");
        value["tolerance"] = json!(args.tolerance);
        value["passes"] = json!(passes);
        output::json(&value)?;
    } else {
        output::line(&as_text(&comparison, args.tolerance, passes))?;
    }
    Ok(if passes { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Losses and gradients of pairs beside those of the reference.
fn objective_against(args: &CheckArgs, objective: Objective, reference: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let model = args.model.as_deref().unwrap_or(Path::new(""));
    let comparison = compare_objective(model, args.adapter.as_deref(), reference, objective)?;
    let passes = comparison.within(args.tolerance);
    if !comparison.not_compared.is_empty() {
        let names: Vec<&str> = comparison.not_compared.iter().take(MOST_NAMES).map(String::as_str).collect();
        let more = match comparison.not_compared.len() - names.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        output::note!(
            "note: {}: {} tensors were compared with nothing, as they are of another objective or of no known name: {}{more}",
            reference.display(),
            comparison.not_compared.len(),
            names.join(", ")
        );
    }
    if json {
        let mut value = serde_json::to_value(&comparison)?;
        value["schema"] = json!("redline.check-objective.v1");
        value["tolerance"] = json!(args.tolerance);
        value["passes"] = json!(passes);
        output::json(&value)?;
    } else {
        let rows: Vec<Vec<String>> =
            comparison.all.iter().map(|(name, difference)| vec![name.clone(), format!("{difference:.2e}")]).collect();
        output::line(&output::table(&["number", "largest difference"], &rows))?;
        output::line(&format!(
            "loss_max_rel      {}\ngradient_max_rel  {}\n{} (tolerance {:.0e})",
            shown(comparison.loss_max_rel),
            shown(comparison.gradient_max_rel),
            if passes { "passes" } else { "FAILS" },
            args.tolerance
        ))?;
    }
    Ok(if passes { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A difference, or that there is none to tell.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "not in the reference".into(), |value| format!("{value:.2e}"))
}

fn as_text(comparison: &Comparison, tolerance: f64, passes: bool) -> String {
    let greedy = match comparison.greedy_equal {
        Some(true) => "equal",
        Some(false) => "different",
        None => "not in the reference",
    };
    format!(
        "hidden_max_rel          {}\nlogits_max_rel          {}\nsteered_logits_max_rel  {}\ngreedy_equal            {}\n\
         {} (tolerance {tolerance:.0e})",
        shown(comparison.hidden_max_rel),
        shown(comparison.logits_max_rel),
        shown(comparison.steered_logits_max_rel),
        greedy,
        if passes { "passes" } else { "FAILS" },
    )
}
