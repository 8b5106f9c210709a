//! `redline reproduce`: the whole experiment, its figures and its page.

use std::path::Path;
use std::process::ExitCode;

use redline::lab::reproduce::{QualityResults, Reproduction, UtilityNulls, reproduce};
use redline::model::files::remove_if_there;
use redline::probe::LayerReading;
use redline::probe::stats::NullPlace;
use redline::report::SettingsGroup;
use redline::reproduction::{draw, page};
use serde_json::Value;

use crate::cli::ReproduceArgs;
use crate::cli::writes::reproduced;
use crate::observer::Shown;
use crate::outputs::make_folder;
use crate::sweep_words::{coefficient_table, fit_lines, quality_text};
use crate::{models, output, provenance, rows};

pub fn run(args: &ReproduceArgs, json: bool) -> anyhow::Result<ExitCode> {
    let rows = rows::of_experiment(args.data.as_deref(), args.pair.strictness)?;
    let options = args.options(&rows)?;
    options.check()?;
    if args.quick {
        let (random, shuffled) = (options.random_generated, options.shuffled_generated);
        output::note!(
            "quick: {random} random and {shuffled} shuffled directions generate; a p value of 0.05 takes 19 (those to first order are all there)"
        );
    }
    let aligner = models::open(&args.model)?;
    make_folder(&args.out)?;
    clear(&args.out)?;
    let run = reproduce(&aligner, &rows, &options, &args.out, &mut Shown::default())?;
    let figure = draw(&run, &rows)?;
    let data = rows.name.display().to_string();
    let program = program(&run.settings, aligner.model.path.display().to_string(), data);
    let file = run.folder.file("index.html");
    page(&run, &rows, figure, program).write(&file)?;
    if json {
        output::json(&run.summary())?;
    } else {
        output::line(&as_text(&run))?;
        output::line(&format!("\nreport: {}", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes pages and pictures that lie in a folder without settings: they belong to no run.
fn clear(folder: &Path) -> anyhow::Result<()> {
    if folder.join("settings.json").exists() {
        return Ok(());
    }
    for path in reproduced().iter().map(|named| folder.join(&named.name)).filter(|path| path.is_file()) {
        remove_if_there(&path)?;
    }
    Ok(())
}

/// What made the numbers.
fn program(settings: &Value, model: String, data: String) -> SettingsGroup {
    let hash = |key: &str| settings[key].as_str().unwrap_or_default().to_owned();
    provenance::program([
        ("model", model),
        ("model hash (SHA-256)", hash("model_hash")),
        ("data", data),
        ("data hash (SHA-256)", hash("data_hash")),
    ])
}

/// One table, the fit, the controls, and a word on what they mean.
fn as_text(run: &Reproduction) -> String {
    let (reading, results) = (&run.reading, &run.results);
    let mut text = String::new();
    if let Some(best) = reading.report.iter().rev().max_by(|a, b| auroc(a).total_cmp(&auroc(b))) {
        text.push_str(&format!(
            "reading   held-out AUROC is highest in layer {}: {:.3}, pair accuracy there {}\n\n",
            best.layer,
            auroc(best),
            output::number(best.pair_accuracy.as_ref().map(|estimate| estimate.value)),
        ));
    }
    text.push_str(&quality_text(&results.quality.quality));
    text.push_str(&nulls_text(&results.quality));
    text.push_str("\n\nhow much changes\n");
    text.push_str(&coefficient_table(&results.analysis));
    text.push('\n');
    text.push_str(&fit_lines(&results.analysis));
    text.push_str("\n\ncontrols");
    if let Some(controls) = &results.controls {
        text.push_str(&format!(
            "\n  slope on {} prompts at {:?}: correction {:.4}, random |95 %| {:.4} of {}, shuffled {}",
            controls.prompts.len(),
            controls.coefficients,
            controls.correction.slope,
            controls.random_p95,
            controls.random.len(),
            slopes(controls.shuffled.iter().map(|line| line.slope)),
        ));
    }
    let first = &reading.first_order;
    text.push_str(&format!(
        "\n  propensity slope to first order, {} pairs: {:.3} nats; among 10,000 directions each, isotropic p = {:.4}, covariance-matched p = {:.4}, shuffled labels p = {:.4}",
        first.n_pairs, first.slope, first.places.isotropic.p, first.places.covariance_matched.p, first.places.shuffled.p,
    ));
    let propensity = &results.propensity;
    text.push_str(&format!(
        "\n  propensity slope on {} pairs at {:?}, nats: correction {:.3}, random |95 %| {:.3} of {}, shuffled {}",
        propensity.n_pairs,
        propensity.coefficients,
        propensity.correction,
        propensity.random_p95,
        propensity.random.len(),
        slopes(propensity.shuffled.iter().copied()),
    ));
    if let Some(clean) = &results.clean {
        let ratios: Vec<String> =
            clean.coefficients.iter().map(|at| format!("{:.3} at {}", at.mean_edit_ratio, at.coefficient)).collect();
        text.push_str(&format!("\n  clean answers, edit ratio: {}", ratios.join(", ")));
    }
    for (name, ratio) in &results.prompting {
        text.push_str(&format!("\n  {name}, unsteered: edit ratio {ratio:.3}"));
    }
    text
}

fn auroc(reading: &LayerReading) -> f64 {
    reading.auroc.as_ref().map_or(0.0, |estimate| estimate.value)
}

/// Nulls, straightness and limits of the dial.
fn nulls_text(results: &QualityResults) -> String {
    let QualityResults { quality, nulls, straightness, attainable_share, prompting } = results;
    let place = |name: &str, place: Option<NullPlace>| match place {
        Some(at) => format!("{name} p = {:.3} of {}", at.p, at.n_nulls),
        None => format!("{name} none"),
    };
    let mut text = format!(
        "\n\nslope of the {} {:.4}; on the controls' prompts {}; its place among nulls there: {}, {}",
        quality.measure,
        quality.slope.value,
        output::number(nulls.slope),
        place("random", nulls.places.and_then(|places| places.random)),
        place("shuffled labels", nulls.places.and_then(|places| places.shuffled)),
    );
    if let Some(UtilityNulls { utility, gained, places, .. }) = &nulls.utility {
        text.push_str(&format!(
            "\nits best coefficient there is worth {gained:.3} more than 0 ({utility}): {}, {}",
            place("random", places.random),
            place("shuffled labels", places.shuffled),
        ));
    }
    for (name, line) in prompting {
        let gain = output::number(line.gain);
        text.push_str(&format!("\n{name}, unsteered: gain {gain}, damage {}", output::number(line.damage)));
    }
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    if let Some(unmoved) = quality.table.unmoved {
        text.push_str(&format!("\n{} of the prompts have one output at all coefficients", percent(unmoved)));
    }
    if let Some(share) = attainable_share {
        let share = percent(*share);
        text.push_str(&format!(
            "\nthe edit ratio covers {share} of the range that the rows' possible corrections span"
        ));
    }
    if let Some(line_share) = straightness.as_ref().and_then(|found| found.line_share) {
        let fit = straightness.as_ref().and_then(|found| found.lack_of_fit);
        let fit = fit.map_or_else(String::new, |fit| format!("; lack of fit p = {:.3}", fit.p));
        text.push_str(&format!("\na line explains {} of what a monotone curve does{fit}", percent(line_share)));
    }
    text
}

/// The range of the slopes of null directions.
fn slopes(all: impl Iterator<Item = f64>) -> String {
    let (low, high, n) =
        all.fold((f64::MAX, f64::MIN, 0), |(low, high, n), slope| (slope.min(low), slope.max(high), n + 1));
    if n == 0 { "–".into() } else { format!("{low:.4} to {high:.4} of {n}") }
}
