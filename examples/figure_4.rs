//! The paper's experiment with its controls, in a small size: a direction from 48 pairs, corrections of 12 other prompts at three
//! coefficients, random and shuffled directions, clean answers, propensity. `redline reproduce` runs the same in full.

use std::error::Error;
use std::path::Path;

use redline::lab::reproduce::{ReproduceOptions, Reproduction, reproduce};
use redline::lab::rows::Rows;
use redline::prelude::*;

/// Runs it in a folder that goes away, and prints the slope.
pub fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let run = figure_4(folder.path())?;
    let fit = run.results.analysis.fit_all.as_ref().ok_or("no line")?;
    println!("slope {:.3} of {} prompts", fit.line.slope, fit.n_prompts);
    Ok(())
}

/// Runs it in a folder, which holds all numbers and `summary.json` afterwards.
pub fn figure_4(folder: &Path) -> Result<Reproduction, Box<dyn Error>> {
    let aligner = Aligner::embedded()?;
    let rows = Rows::embedded(None)?;
    let options = ReproduceOptions {
        n_pairs: 48,
        n_prompts: 12,
        coefficients: vec![-1.0, 0.0, 1.0],
        max_new_tokens: 48,
        random_generated: 1,
        shuffled_generated: 2,
        random_propensity: 2,
        control_prompts: 4,
        ..ReproduceOptions::embedded()
    };
    Ok(reproduce(&aligner, &rows, &options, folder, &mut ())?)
}
