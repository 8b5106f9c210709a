//! From triples to a reading vector with its held-out report and calibration.

use redline_model::{AlignerTemplate, Model, Qac, Site};
use redline_probe::artifact::{Training, question_hash};
use redline_probe::reading::ReportOptions;
use redline_probe::split::{PartSizes, split_by_question};
use redline_probe::{
    Calibration, CaptureOptions, ContrastPair, ExtractOptions, LatScan, LayerDirection, LayerPairs, LayerReading,
    LayerVector, PairBuilder, PairDesign, Provenance, ReadAt, Reading, Skip, TokenActivations, TokenText, Warning,
    capture_pairs, capture_tokens, extract_directions, fit_layers, report_layers,
};
use redline_steer::Result;
use serde::{Deserialize, Serialize};

use super::OnProgress;

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

/// Pairs, split by question.
pub(super) struct SplitPairs {
    pub(super) train: Vec<ContrastPair>,
    pub(super) held_out: Vec<ContrastPair>,
    /// Of both parts.
    pub(super) questions: Vec<String>,
    /// Triples that gave no pair.
    pub(super) skipped: Vec<(usize, Skip)>,
}

impl SplitPairs {
    pub(super) fn new(
        model: &Model,
        template: &AlignerTemplate,
        triples: &[(usize, &Qac)],
        settings: &ExtractionSettings,
    ) -> Result<Self> {
        let builder = PairBuilder::new(model, template, settings.design, settings.max_tokens)?;
        let set = builder.pairs(triples.iter().copied())?;
        let question =
            |row: usize| triples.iter().find(|(r, _)| *r == row).map_or("", |(_, qac)| qac.question.as_str());
        let keys: Vec<&str> = set.pairs.iter().map(|pair| question(pair.row)).collect();
        let shares = PartSizes::Shares(vec![1.0 - settings.held_out_share, settings.held_out_share]);
        let parts = split_by_question(&keys, &shares, settings.seed)?;
        let part = |rows: &[usize]| rows.iter().map(|&row| set.pairs[row].clone()).collect::<Vec<_>>();
        let (train, held_out) = (part(&parts[0]), part(&parts[1]));
        Ok(Self { train, held_out, questions: keys.into_iter().map(str::to_owned).collect(), skipped: set.skipped })
    }
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
    let config = model.decoder.config();
    let site: Site = settings.site.parse()?;
    let SplitPairs { train: train_pairs, held_out: held_out_pairs, questions, skipped } =
        SplitPairs::new(model, template, triples, settings)?;

    let capture = CaptureOptions {
        site,
        layers: (0..config.n_layers).collect(),
        read: settings.read,
        n_tokens: settings.scan_tokens,
        token_pairs: settings.calibration_pairs,
    };
    let total = train_pairs.len() + held_out_pairs.len();
    let mut progress = |done: usize, _: usize| Ok(on_progress(done, total)?);
    let train = capture_pairs(&model.decoder, &train_pairs, &capture, &mut progress)?;
    let offset = train_pairs.len();
    let mut progress = |done: usize, _: usize| Ok(on_progress(offset + done, total)?);
    let held_out_capture = CaptureOptions { token_pairs: 0, ..capture };
    let held_out = capture_pairs(&model.decoder, &held_out_pairs, &held_out_capture, &mut progress)?;

    let extraction = extract_directions(&train.layers, &settings.extract)?;
    let vectors = fit_layers(&extraction.directions, &train.layers)?;
    let report =
        report_layers(&vectors, &held_out.layers, &ReportOptions { seed: settings.seed, ..ReportOptions::default() })?;
    let calibration_texts: Vec<TokenActivations> = train.tokens.into_iter().flatten().collect();
    let calibration = calibrated(&vectors, &calibration_texts)?;
    let provenance = Provenance {
        model_hash: model.fingerprint.clone(),
        model_name: model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        architecture: config.architecture.clone(),
        hidden_size: config.hidden_size,
        n_layers: config.n_layers,
        template: template.name().to_string(),
        design: settings.design,
        read: settings.read.to_string(),
        site: site.to_string(),
        site_width: site.width(config).filter(|width| *width != config.hidden_size),
        extract: settings.extract,
        n_pairs: train.read.len(),
        questions: questions.iter().map(|question| question_hash(question)).collect(),
        training: None,
    };
    Ok(Extracted {
        reading: Reading { layers: vectors, calibration, provenance },
        report,
        warnings: extraction.warnings,
        train: train.layers,
        held_out_layers: held_out.layers,
        calibration_texts,
        held_out: held_out_pairs,
        skipped,
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
