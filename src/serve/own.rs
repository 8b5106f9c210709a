//! The direction of the Aligner inside the program, for a server that was given none.

use redline_model::Qac;
use redline_probe::Reading;
use redline_steer::Result;

use super::state::Aligner;
use crate::data::DataError;
use crate::embedded;
use crate::experiment::{ExtractionSettings, OnProgress, extract};

/// Strictness of the corrections: everything is mended against nothing, as `redline reproduce` has it.
const STRICTNESS: u8 = 1;

/// The first rows inside the program, to extract a direction from.
///
/// # Errors
/// None that a program whose tests pass can meet.
pub fn own_triples(n: usize) -> std::result::Result<Vec<Qac>, DataError> {
    let rows = embedded::rows()?;
    let triple = |row: &crate::data::corrupt::CorruptedRow| {
        Ok(Qac { correction: row.correction_at(STRICTNESS)?, ..row.to_qac() })
    };
    rows.iter().take(n).map(triple).collect()
}

/// Extracts the direction from triples.
///
/// # Errors
/// As [`extract`]; an error of `on_progress` ends the work.
pub fn own_reading(aligner: &Aligner, triples: &[Qac], on_progress: OnProgress<'_>) -> Result<Reading> {
    let numbered: Vec<(usize, &Qac)> = triples.iter().enumerate().collect();
    let settings = ExtractionSettings::default();
    Ok(extract(&aligner.model, &aligner.template, &numbered, &settings, on_progress)?.reading)
}
