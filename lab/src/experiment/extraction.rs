//! From triples to a reading vector with its held-out report and calibration.

use redline_model::{AlignerTemplate, Model, Qac, Site};
use redline_probe::artifact::Training;
use redline_probe::reading::ReportOptions;
use redline_probe::shard::Shard;
use redline_probe::{
    Calibration, ContrastPair, ExtractOptions, LatScan, LayerDirection, LayerPairs, LayerReading, LayerVector,
    PairDesign, PairFile, Provenance, ReadAt, Reading, Skip, TokenActivations, TokenText, Warning, capture_tokens,
    extract_directions, fit_layers, report_layers,
};
use redline_steer::Result;
use serde::{Deserialize, Serialize};

use super::OnProgress;
use super::pair_reading::{ReadPairs, read_pairs, read_settings};

/// How a reading vector is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExtractionSettings {
    /// How pairs are made.
    pub design: PairDesign,
    /// Positions read.
    pub read: ReadAt,
    /// Name of the site read, `hook_resid_post` unless told otherwise.
    pub site: String,
    /// Method, scaling, seed of the directions.
    pub extract: ExtractOptions,
    /// Longest prompt with output, in tokens.
    pub max_tokens: usize,
    /// Share of the questions kept for the layer report.
    pub held_out_share: f64,
    /// Output tokens of a scan.
    pub scan_tokens: usize,
    /// Training pairs whose single tokens calibrate scans.
    pub calibration_pairs: usize,
    /// Seed of the split and of the intervals.
    pub seed: u64,
}

impl Default for ExtractionSettings {
    /// Forced pairs, read as the mean over output tokens from the first difference on, at the output of every block.
    fn default() -> Self {
        let design = PairDesign::default();
        Self {
            design,
            read: ReadAt::default_for(design),
            site: Site::ResidPost.to_string(),
            extract: ExtractOptions::default(),
            max_tokens: 1536,
            held_out_share: 0.25,
            scan_tokens: redline_probe::scan::SCAN_TOKENS,
            calibration_pairs: 32,
            seed: 0,
        }
    }
}

/// A reading vector and how it was come by.
pub struct Extracted {
    /// The vector, calibrated.
    pub reading: Reading,
    /// Held-out report, a line a layer.
    pub report: Vec<LayerReading>,
    /// What a user should know.
    pub warnings: Vec<Warning>,
    /// Activations of the training pairs.
    pub train: Vec<LayerPairs>,
    /// Activations of the held-out pairs.
    held_out_layers: Vec<LayerPairs>,
    /// Activations that calibrate scans.
    calibration_texts: Vec<TokenActivations>,
    /// Held-out pairs, whose texts make example scans.
    pub held_out: Vec<ContrastPair>,
    /// Triples that gave no pair.
    pub skipped: Vec<(usize, Skip)>,
    /// Longest prompt with output, in tokens.
    pub(super) max_tokens: usize,
    seed: u64,
}

/// Makes pairs, splits them by question, reads them, extracts on the one part and reports on the other.
///
/// `triples` come with the row number they shall have in results.
///
/// # Shapes
/// Directions and centres of the reading vector are (hidden size) each, one a block; `train` holds (pairs, hidden size) a pole and block.
///
/// # Errors
/// No pair is left, the split leaves a part empty, or reading fails; an error of `on_progress` ends the work.
pub fn extract(
    model: &Model,
    template: &AlignerTemplate,
    triples: &[(usize, &Qac)],
    settings: &ExtractionSettings,
    on_progress: OnProgress<'_>,
) -> Result<Extracted> {
    let ReadPairs { file, held_out } = read_pairs(model, template, triples, settings, Shard::WHOLE, on_progress)?;
    Ok(Extracted { held_out, ..extract_from(file, &settings.extract)? })
}

/// Finds directions in activations that were read before: as [`extract`], but without the texts of held-out pairs.
///
/// # Errors
/// The activations hold no training pair or no held-out one, their settings are of no extraction, or no direction is found.
pub fn extract_from(file: PairFile, options: &ExtractOptions) -> Result<Extracted> {
    let PairFile { header, train, held_out } = file;
    let settings = read_settings(&header)?;
    for part in [&train, &held_out] {
        if part.layers.is_empty() {
            let (read, n_pairs) = (settings.read.to_string(), header.share.n);
            return Err(redline_probe::Error::NothingToRead { read, n_pairs }.into());
        }
    }
    let extraction = extract_directions(&train.layers, options)?;
    let vectors = fit_layers(&extraction.directions, &train.layers)?;
    let report =
        report_layers(&vectors, &held_out.layers, &ReportOptions { seed: settings.seed, ..ReportOptions::default() })?;
    let calibration_texts: Vec<TokenActivations> = train.tokens.into_iter().flatten().collect();
    let calibration = calibrated(&vectors, &calibration_texts)?;
    let provenance = Provenance { extract: *options, n_pairs: train.read.len(), ..header.provenance };
    Ok(Extracted {
        reading: Reading { layers: vectors, calibration, provenance },
        report,
        warnings: extraction.warnings,
        train: train.layers,
        held_out_layers: held_out.layers,
        calibration_texts,
        held_out: Vec::new(),
        skipped: header.skipped,
        max_tokens: settings.max_tokens,
        seed: settings.seed,
    })
}

/// Scores of the calibration texts; none without any.
fn calibrated(vectors: &[LayerVector], texts: &[TokenActivations]) -> Result<Option<Calibration>> {
    Ok(if texts.is_empty() { None } else { Some(Calibration::fit(vectors, texts)?) })
}

impl Extracted {
    /// The same pairs along trained directions, each with the length that it was trained to add; `seen` are hashes of the questions they were
    /// trained on.
    pub(super) fn along(
        self,
        directions: &[(LayerDirection, f64)],
        seen: Vec<String>,
        training: Training,
    ) -> Result<Self> {
        let is_trained = |layer: usize| directions.iter().any(|(direction, _)| direction.layer == layer);
        let of_pairs = |all: Vec<LayerPairs>| -> Vec<LayerPairs> {
            all.into_iter().filter(|pairs| is_trained(pairs.layer())).collect()
        };
        let (train, held_out_layers) = (of_pairs(self.train), of_pairs(self.held_out_layers));
        let fit = |((direction, norm), pairs): (&(LayerDirection, f64), &LayerPairs)| {
            Ok(LayerVector { trained_norm: Some(*norm), ..LayerVector::fit(direction, pairs)? })
        };
        let layers = directions.iter().zip(&train).map(fit).collect::<redline_probe::Result<Vec<_>>>()?;
        let options = ReportOptions { seed: self.seed, ..ReportOptions::default() };
        let report = report_layers(&layers, &held_out_layers, &options)?;
        let of_token = |token: Vec<Vec<f32>>| -> Vec<Vec<f32>> {
            let read = token.into_iter().zip(&self.reading.layers);
            read.filter(|(_, vector)| is_trained(vector.layer)).map(|(layer, _)| layer).collect()
        };
        let of_text = |text: TokenActivations| -> TokenActivations { text.into_iter().map(of_token).collect() };
        let calibration_texts: Vec<TokenActivations> = self.calibration_texts.into_iter().map(of_text).collect();
        let calibration = calibrated(&layers, &calibration_texts)?;
        let mut provenance = Provenance { training: Some(training), ..self.reading.provenance };
        provenance.questions.extend(seen);
        provenance.questions.sort();
        provenance.questions.dedup();
        let reading = Reading { layers, calibration, provenance };
        // what is doubtful about the directions that were read says nothing about trained ones
        Ok(Self { reading, report, warnings: Vec::new(), train, held_out_layers, calibration_texts, ..self })
    }
}

/// Label of the scan of a correction.
pub const SCAN_CORRECTION: &str = "correction";
/// Label of the scan of a copy.
pub const SCAN_COPY: &str = "copy";

/// Scans of the two texts of a pair: the correction and the copy.
///
/// # Shapes
/// Scores of each scan are (layers, output tokens), at most `n_tokens` of them.
///
/// # Errors
/// The vector has no calibration, belongs to another model, or the pass fails.
pub fn scan_pair(model: &Model, reading: &Reading, pair: &ContrastPair, n_tokens: usize) -> Result<[LatScan; 2]> {
    let scan = |label, text| scan_text(model, reading, label, pair.row, text, n_tokens);
    Ok([scan(SCAN_CORRECTION, &pair.positive)?, scan(SCAN_COPY, &pair.negative)?])
}

/// The scan of one text, of the row `row`.
///
/// # Shapes
/// Scores are (layers, output tokens), at most `n_tokens` of them.
///
/// # Errors
/// As for [`scan_pair`].
pub fn scan_text(
    model: &Model,
    reading: &Reading,
    label: &str,
    row: usize,
    text: &TokenText,
    n_tokens: usize,
) -> Result<LatScan> {
    let calibration = reading.calibration.as_ref().ok_or(redline_probe::Error::NoCalibration)?;
    let layers: Vec<usize> = reading.layers.iter().map(|vector| vector.layer).collect();
    let tokenizer = model.tokenizer()?;
    let tokens = capture_tokens(&model.decoder, text, reading.site()?, &layers, n_tokens)?;
    let names = text.output.iter().take(tokens.len()).map(|&id| tokenizer.token_text(id).unwrap_or_default());
    Ok(LatScan::new(label, row, &reading.layers, calibration, &tokens, names.collect())?)
}

/// How many triples gave no pair and why, a sentence a reason.
pub fn skipped_in_words(skipped: &[(usize, Skip)]) -> Vec<String> {
    let reasons = [
        (Skip::Identical, "their correction equals the answer"),
        (Skip::TooLong, "too long"),
        (Skip::OneDifference, "they differ in one place only"),
    ];
    let count = |reason: Skip| skipped.iter().filter(|(_, skip)| *skip == reason).count();
    let counted = reasons.into_iter().map(|(reason, text)| (count(reason), text));
    counted.filter(|(n, _)| *n > 0).map(|(n, text)| format!("note: {n} triples left out: {text}")).collect()
}
