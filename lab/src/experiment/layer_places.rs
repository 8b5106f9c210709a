//! Where correction can be read: layers × places in the text, on held-out pairs.
//!
//! Every place gets directions of its own from the training pairs. At the places around the first difference, one more set of
//! directions is read: those of the place where the first differing token is chosen, kept fixed, which show how the decision
//! builds up on the way there.

use redline_model::{AlignerTemplate, Model, Qac, Site};
use redline_probe::reading::ReportOptions;
use redline_probe::{
    ContrastPair, LayerReading, LayerVector, PlaceActivations, ReadAt, Skip, capture_places, extract_directions,
    fit_layers, report_layers,
};
use redline_steer::Result;
use serde::{Deserialize, Serialize};

use super::depth::Depth;
use super::pair_reading::SplitPairs;
use super::{ExtractionSettings, OnProgress};

/// Fewest pairs, in training and held out, that a place is reported for.
pub const MIN_PAIRS: usize = 16;
/// Where the first differing token is chosen.
const DECIDED: ReadAt = ReadAt::AtDifference(-1);

/// What one place says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlaceProfile {
    /// The place, as [`ReadAt`] writes it.
    pub place: String,
    /// Training pairs whose texts reach the place and differ up to it.
    pub n_train: usize,
    /// Held-out pairs likewise.
    pub n_held_out: usize,
    /// A line a layer, with directions of this place; empty where there are too few pairs.
    pub layers: Vec<LayerReading>,
    /// A line a layer, with the directions of the place where the first differing token is chosen.
    pub fixed: Vec<LayerReading>,
    /// At which depth it is read; `None` where there are too few pairs.
    pub depth: Option<Depth>,
}

/// Layers × places.
#[derive(Debug, Clone)]
pub struct LayerProfiles {
    /// In the order asked for.
    pub places: Vec<PlaceProfile>,
    /// Training and held-out pairs in all.
    pub n_pairs: [usize; 2],
    /// Triples that gave no pair.
    pub skipped: Vec<(usize, Skip)>,
}

/// The last prompt token, the first `n_tokens` output tokens, and `around` places before and after the first difference.
pub fn places(n_tokens: usize, around: usize) -> Vec<ReadAt> {
    let around = around as isize;
    let aligned = (-around..=around).map(ReadAt::AtDifference).filter(|_| around > 0);
    std::iter::once(ReadAt::LastPromptToken).chain((0..n_tokens).map(ReadAt::OutputToken)).chain(aligned).collect()
}

/// Makes pairs, splits them by question, reads all places in one pass a text, extracts on the one part and reports on the
/// other. `settings.read` does not matter here.
///
/// # Errors
/// No pair is left, the split leaves a part empty, or reading fails; an error of `on_progress` ends the work.
pub fn profile_layers(
    model: &Model,
    template: &AlignerTemplate,
    triples: &[(usize, &Qac)],
    places: &[ReadAt],
    settings: &ExtractionSettings,
    on_progress: OnProgress<'_>,
) -> Result<LayerProfiles> {
    let pairs = SplitPairs::new(model, template, triples, settings)?;
    let site: Site = settings.site.parse()?;
    let layers: Vec<usize> = (0..model.decoder.config().n_layers).collect();
    let n_pairs = [pairs.train.len(), pairs.held_out.len()];
    let total = n_pairs[0] + n_pairs[1];
    let mut read = |part: &[ContrastPair], before: usize| {
        let mut progress = |done: usize, _: usize| Ok(on_progress(before + done, total)?);
        capture_places(&model.decoder, part, site, &layers, places, &mut progress)
    };
    let train = read(&pairs.train, 0)?;
    let held_out = read(&pairs.held_out, n_pairs[0])?;

    let mut found = Vec::with_capacity(places.len());
    for (&place, (train, held_out)) in places.iter().zip(train.into_iter().zip(held_out)) {
        let train = with_contrast(train, &pairs.train, place)?;
        let held_out = with_contrast(held_out, &pairs.held_out, place)?;
        let vectors = match train.read.len().min(held_out.read.len()) < MIN_PAIRS {
            true => Vec::new(),
            false => fit_layers(&extract_directions(&train.layers, &settings.extract)?.directions, &train.layers)?,
        };
        found.push(Place { place, n_train: train.read.len(), held_out, vectors });
    }
    let decided: Vec<LayerVector> =
        found.iter().find(|found| found.place == DECIDED).map_or_else(Vec::new, |found| found.vectors.clone());
    let options = ReportOptions { seed: settings.seed, ..ReportOptions::default() };
    let places = found.iter().map(|found| found.profile(&decided, &options)).collect::<Result<_>>()?;
    Ok(LayerProfiles { places, n_pairs, skipped: pairs.skipped })
}

/// One place, read.
struct Place {
    place: ReadAt,
    n_train: usize,
    held_out: PlaceActivations,
    vectors: Vec<LayerVector>,
}

impl Place {
    fn profile(&self, decided: &[LayerVector], options: &ReportOptions) -> Result<PlaceProfile> {
        let Self { place, n_train, held_out, vectors } = self;
        let is_aligned = matches!(place, ReadAt::AtDifference(_));
        let report = |vectors: &[LayerVector]| match vectors.is_empty() || held_out.read.len() < MIN_PAIRS {
            true => Ok(Vec::new()),
            false => report_layers(vectors, &held_out.layers, options),
        };
        Ok(PlaceProfile {
            place: place.to_string(),
            n_train: *n_train,
            n_held_out: held_out.read.len(),
            layers: report(vectors)?,
            fixed: report(if is_aligned { decided } else { &[] })?,
            depth: Depth::measure(vectors, &held_out.layers, options)?,
        })
    }
}

/// The pairs whose texts differ up to the place.
fn with_contrast(read: PlaceActivations, pairs: &[ContrastPair], place: ReadAt) -> Result<PlaceActivations> {
    let kept: Vec<usize> = (0..read.read.len()).filter(|&index| pairs[read.read[index]].has_contrast(place)).collect();
    if kept.is_empty() {
        return Ok(PlaceActivations::default());
    }
    let layers = read.layers.iter().map(|layer| layer.select(&kept)).collect::<redline_probe::Result<_>>()?;
    Ok(PlaceActivations { layers, read: kept.into_iter().map(|index| read.read[index]).collect() })
}
