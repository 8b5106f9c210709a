//! The direction of the Aligner inside the program, for a server that was given none.

use redline_model::Qac;
use redline_probe::{ExtractOptions, Reading};
use redline_steer::Result;

use redline_lab::aligner::Aligner;
use redline_lab::embedded;
use redline_lab::experiment::{ExtractionSettings, OnProgress, extract};

/// Extracts the direction from triples by the method of the embedded Aligner, as `redline reproduce` and `redline tune` do here.
///
/// # Errors
/// As [`extract`]; an error of `on_progress` ends the work.
pub fn own_reading(aligner: &Aligner, triples: &[Qac], on_progress: OnProgress<'_>) -> Result<Reading> {
    let numbered: Vec<(usize, &Qac)> = triples.iter().enumerate().collect();
    let extract_options = ExtractOptions { method: embedded::METHOD, ..ExtractOptions::default() };
    let settings = ExtractionSettings { extract: extract_options, ..ExtractionSettings::default() };
    Ok(extract(&aligner.model, &aligner.template, &numbered, &settings, on_progress)?.reading)
}
