//! The built-in Aligners, with rows whose questions they were not trained on: enough to run the whole experiment.
//!
//! The default is a whole small model. `smollm2` is a LoRA adapter, for which the base file has to be fetched
//! (`scripts/fetch-smollm2.sh`). `assets/aligner/README.md` and `assets/smollm2/README.md` say how they were trained and
//! what they can do.

use std::path::Path;

use flate2::read::GzDecoder;
use redline_model::{Adapter, Model, Qac, Result};
use redline_probe::split::normalise;
use redline_probe::{Method, Reading};

use crate::built_in::EMBEDDED_STRICTNESS;
use crate::data::DataError;
use crate::data::corrupt::CorruptedRow;
use crate::rows::at_strictness;

/// The weights with their tokenizer: GGUF, Q8_0.
pub const MODEL: &[u8] = include_bytes!("../../assets/aligner/redline-tiny.gguf");
/// What stands for its path.
pub const MODEL_NAME: &str = "redline-tiny.gguf";
/// Its direction of correction, by [`METHOD`] from the first [`READING_PAIRS`] of its [`triples`], in all layers.
pub const READING: &[u8] = include_bytes!("../../assets/aligner/correction.safetensors");
/// Pairs that it was found from.
pub const READING_PAIRS: usize = 160;
/// The prompt template that both were trained with.
pub const TEMPLATE: &str = "aligner";
/// How `reproduce`, `serve` and `tune` find its direction, and that of `smollm2`, unless told otherwise. From other pairs of the same kind PCA gives dials that differ by a
/// factor of four; the mean difference is steadier. Chosen on development questions, see assets/aligner/README.md and docs/results/figure-4.md.
pub const METHOD: Method = Method::MeanDiff;
/// Held-out rows of its corpus, with their flaws: JSON Lines, gzip.
pub const ROWS: &[u8] = include_bytes!("../../assets/aligner/held-out.jsonl.gz");
/// What stands for their path.
pub const ROWS_NAME: &str = "held-out.jsonl.gz";

/// Name of the Aligner on SmolLM2-135M-Instruct, where a model can be given.
pub const SMOLLM2: &str = "smollm2";
/// File of the model it adapts.
pub const SMOLLM2_BASE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// Its adapter: `adapter_config.json` and `adapter_model.safetensors`, f16.
pub const SMOLLM2_ADAPTER: [&[u8]; 2] = [
    include_bytes!("../../assets/smollm2/adapter/adapter_config.json"),
    include_bytes!("../../assets/smollm2/adapter/adapter_model.safetensors"),
];

/// What the two know, as `redline check --domain-out` wrote it; `docs/when-steering-fails.md` has the commands.
pub const DOMAINS: [&str; 2] =
    [include_str!("../../assets/aligner/domain.json"), include_str!("../../assets/smollm2/domain.json")];

/// The adapter of the Aligner on SmolLM2.
///
/// # Errors
/// None that a program whose tests pass can meet.
pub fn smollm2_adapter() -> Result<Adapter> {
    let [config, weights] = SMOLLM2_ADAPTER;
    // its base is looked for by name, in whatever precision
    Ok(Adapter::from_bytes(Path::new("smollm2 (built in)"), config, weights)?.without_base_check())
}

/// Loads the Aligner.
///
/// # Errors
/// None that a program whose tests pass can meet.
pub fn model() -> Result<Model> {
    Model::from_gguf_bytes(Path::new(MODEL_NAME), MODEL)
}

/// Reads its direction, which `redline serve` steers by where it is given no other.
///
/// # Errors
/// None that a program whose tests pass can meet.
pub fn reading() -> redline_probe::Result<Reading> {
    Reading::from_bytes(Path::new("correction.safetensors (built in)"), READING)
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

/// Triples of the rows to find a direction with and to measure it on: one of each question, those whose answer has flaws, with
/// the correction that mends all of them.
///
/// # Errors
/// None that a program whose tests pass can meet.
///
/// # Example
/// ```no_run
/// let triples = redline_lab::embedded::triples()?;
/// let (pairs, prompts) = triples.split_at(64);
/// # Ok::<(), redline_lab::data::DataError>(())
/// ```
pub fn triples() -> std::result::Result<Vec<Qac>, DataError> {
    let mut seen = std::collections::HashSet::new();
    let mut triples = at_strictness(&rows()?, EMBEDDED_STRICTNESS)?;
    triples.retain(|qac| qac.answer.trim() != qac.correction.trim() && seen.insert(normalise(&qac.question)));
    Ok(triples)
}

#[cfg(test)]
mod tests {
    use redline_model::AlignerTemplate;
    use redline_probe::{ExtractOptions, LayerVector};

    use super::*;
    use crate::experiment::{ExtractionSettings, extract};

    /// With `REDLINE_WRITE_ASSETS` set, the direction is written first.
    #[test]
    fn the_direction_that_is_kept_is_the_one_that_is_found() {
        let (model, template, triples) =
            (model().unwrap(), AlignerTemplate::by_name(TEMPLATE).unwrap(), triples().unwrap());
        let pairs: Vec<(usize, &Qac)> = triples.iter().take(READING_PAIRS).enumerate().collect();
        let settings = ExtractionSettings {
            extract: ExtractOptions { method: METHOD, ..ExtractOptions::default() },
            ..ExtractionSettings::default()
        };
        let found = extract(&model, &template, &pairs, &settings, &mut |_, _| Ok(())).unwrap().reading;
        if std::env::var_os("REDLINE_WRITE_ASSETS").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/aligner/correction.safetensors");
            return found.save(&path).unwrap();
        }
        let kept = reading().unwrap();
        assert_eq!(kept.provenance.model_hash, found.provenance.model_hash);
        assert_eq!(kept.layers.len(), found.layers.len());
        for (kept, found) in kept.layers.iter().zip(&found.layers) {
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-4 * b.abs().max(1e-3);
            let cosine = |a: &LayerVector, b: &LayerVector| -> f64 {
                a.direction.iter().zip(&b.direction).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            assert!(cosine(kept, found) > 1.0 - 1e-6, "layer {}", kept.layer);
            assert!(near(kept.gap, found.gap) && near(kept.score_std, found.score_std), "layer {}", kept.layer);
        }
    }
}
