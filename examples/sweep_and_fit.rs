//! What the dial does, measured: a sweep over coefficients, its line, and the coefficient for a wished ratio.
//!
//! `cargo run --release --example sweep_and_fit`

use redline::aligner::shared_questions;
use redline::plot::write_both;
use redline::prelude::*;

/// The whole example; public, because a test runs it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let aligner = Aligner::embedded()?;
    let triples = redline::embedded::triples()?;
    let (pairs, prompts) = (&triples[..96], &triples[96..144]);
    assert!(shared_questions(pairs, prompts).is_empty(), "measured on what it was made from");

    let extracted = aligner.extract().method(Method::MeanDiff).run(pairs)?;
    let vector = extracted.control_vector(&LayerSpec::All, Unit::Gap)?;
    let sweep = aligner.sweep(&vector).coefficients(&[-1.0, -0.5, 0.0, 0.5, 1.0]).run(prompts)?;
    let analysis = sweep.analyse()?;
    for at in &analysis.coefficients {
        println!("{:>5}  ratio {:.3}  repetition {:.3}", at.coefficient, at.mean_edit_ratio, at.repetition);
    }
    let fit = analysis.fit.as_ref().ok_or("outputs are incoherent, or fewer than three coefficients are coherent")?;
    let (low, high) = (fit.slope_interval.low, fit.slope_interval.high);
    println!("slope {:.4} [{low:.4}, {high:.4}], R² {:.3}", fit.line.slope, fit.line.r2.unwrap_or_default());

    let tuned = sweep.tune(fit.line.at(0.5))?;
    println!("ratio {:.3} is at coefficient {:.2}", tuned.target, tuned.coefficient);
    let folder = tempfile::tempdir()?;
    write_both(&sweep.plot("gap")?, &folder.path().join("sweep"))?;
    Ok(())
}
