//! The Aligner inside the program, with rows whose questions it was not trained on: enough to run the whole experiment.
//!
//! `assets/aligner/README.md` says how it was trained and what it can do.

use std::path::Path;

use flate2::read::GzDecoder;
use redline_model::{Model, Result};

use crate::data::DataError;
use crate::data::corrupt::CorruptedRow;

/// The weights with their tokenizer: GGUF, Q8_0.
pub const MODEL: &[u8] = include_bytes!("../assets/aligner/redline-tiny.gguf");
/// What stands for its path.
pub const MODEL_NAME: &str = "redline-tiny.gguf";
/// The prompt template it was trained with.
pub const TEMPLATE: &str = "aligner";
/// Held-out rows of its corpus, with their flaws: JSON Lines, gzip.
pub const ROWS: &[u8] = include_bytes!("../assets/aligner/held-out.jsonl.gz");
/// What stands for their path.
pub const ROWS_NAME: &str = "held-out.jsonl.gz";

/// Loads the Aligner.
///
/// # Errors
/// None that a program whose tests pass can meet.
pub fn model() -> Result<Model> {
    Model::from_gguf_bytes(Path::new(MODEL_NAME), MODEL)
}

/// Reads the rows.
///
/// # Errors
/// None that a program whose tests pass can meet.
pub fn rows() -> std::result::Result<Vec<CorruptedRow>, DataError> {
    let malformed = |line: usize, rule: String| DataError::Corrupted { path: ROWS_NAME.into(), line, rule };
    let text = std::io::read_to_string(GzDecoder::new(ROWS)).map_err(|error| malformed(0, error.to_string()))?;
    let row = |(place, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| malformed(place + 1, error.to_string()))
    };
    text.lines().enumerate().map(row).collect()
}
