//! From triples to activations of pairs: all that directions are found in, and all that needs the model.

use redline_model::{AlignerTemplate, Decoder, Model, Qac, Site};
use redline_probe::activation_file::{ActivationHeader, FORMAT};
use redline_probe::artifact::question_hash;
use redline_probe::shard::Shard;
use redline_probe::split::{PartSizes, split_by_question};
use redline_probe::{
    CaptureOptions, ContrastPair, Error as ProbeError, ExtractOptions, PairActivations, PairBuilder, PairFile,
    Provenance, Skip, capture_pairs,
};
use redline_steer::{Error, Result};

use super::OnProgress;
use super::extraction::ExtractionSettings;
use crate::rows::rows_hash;

/// Key of the settings of an extraction that say nothing about what is read.
const METHOD: &str = "extract";

/// Pairs, split by question.
pub(super) struct SplitPairs {
    pub(super) train: Vec<ContrastPair>,
    pub(super) held_out: Vec<ContrastPair>,
    /// Places of both parts among all pairs, ascending.
    places: [Vec<usize>; 2],
    /// Of both parts.
    questions: Vec<String>,
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
        let mut parts = split_by_question(&keys, &shares, settings.seed)?.into_iter();
        let places = [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()];
        let [train, held_out] =
            places.each_ref().map(|places| places.iter().map(|&place| set.pairs[place].clone()).collect());
        let questions = keys.into_iter().map(str::to_owned).collect();
        Ok(Self { train, held_out, places, questions, skipped: set.skipped })
    }
}

/// What was read, and the texts of the held-out pairs.
pub struct ReadPairs {
    /// Activations, as a file keeps them.
    pub file: PairFile,
    /// Held-out pairs of all parts.
    pub held_out: Vec<ContrastPair>,
}

/// Makes the pairs of all triples, splits them by question, and reads those of a part; the parts together are what is read at once
/// ([`PairFile::merged`]).
///
/// # Shapes
/// (pairs, hidden size) a pole and block; single tokens of the pairs that calibrate scans are (tokens, blocks, hidden size).
///
/// # Errors
/// No pair is left, the split leaves a part empty, or reading fails; an error of `on_progress` ends the work.
pub fn read_pairs(
    model: &Model,
    template: &AlignerTemplate,
    triples: &[(usize, &Qac)],
    settings: &ExtractionSettings,
    shard: Shard,
    on_progress: OnProgress<'_>,
) -> Result<ReadPairs> {
    let config = model.decoder.config();
    let site: Site = settings.site.parse()?;
    let SplitPairs { train, held_out, places, questions, skipped } =
        SplitPairs::new(model, template, triples, settings)?;
    let share = shard.of_rows(questions.len());
    // where the part begins and ends among the training pairs, and among the held-out ones
    let [of_train, of_held_out] = places.each_ref().map(|places| {
        places.partition_point(|place| *place < share.first)..places.partition_point(|place| *place < share.end)
    });
    let mut reader = Reader {
        decoder: &model.decoder,
        is_part: shard != Shard::WHOLE,
        done: 0,
        total: of_train.len() + of_held_out.len(),
        on_progress,
    };
    let capture = CaptureOptions {
        site,
        layers: (0..config.n_layers).collect(),
        read: settings.read,
        n_tokens: settings.scan_tokens,
        token_pairs: settings.calibration_pairs.saturating_sub(of_train.start),
    };
    let train = reader.read(&train[of_train], &capture)?;
    let held = reader.read(&held_out[of_held_out], &CaptureOptions { token_pairs: 0, ..capture.clone() })?;

    let texts = triples.iter().map(|(_, row)| [row.question.as_str(), &row.answer, &row.correction]);
    let header = ActivationHeader {
        format: FORMAT.into(),
        share,
        settings: without_method(settings)?,
        data_hash: rows_hash(texts),
        layers: capture.layers,
        skipped,
        n_token_pairs: train.tokens.len(),
        provenance: Provenance {
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
            extract: ExtractOptions { seed: settings.seed, ..ExtractOptions::default() },
            n_pairs: 0,
            questions: questions.iter().map(|question| question_hash(question)).collect(),
            training: None,
        },
    };
    Ok(ReadPairs { file: PairFile { header, train, held_out: held }, held_out })
}

/// The settings under which activations were read; method, scaling and mirroring are the usual ones.
///
/// # Errors
/// They are of no extraction.
pub fn read_settings(header: &ActivationHeader) -> Result<ExtractionSettings> {
    let mut settings = header.settings.clone();
    settings[METHOD] = serde_json::to_value(header.provenance.extract).map_err(|source| Error::Serialize { source })?;
    serde_json::from_value(settings).map_err(|source| Error::Serialize { source })
}

fn without_method(settings: &ExtractionSettings) -> Result<serde_json::Value> {
    let mut value = serde_json::to_value(settings).map_err(|source| Error::Serialize { source })?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove(METHOD);
    }
    Ok(value)
}

/// Reads pairs, one list after the other, and tells how far it is.
struct Reader<'a, 'p> {
    decoder: &'a Decoder,
    /// Whether there are other parts, which may hold what this one lacks.
    is_part: bool,
    done: usize,
    total: usize,
    on_progress: OnProgress<'p>,
}

impl Reader<'_, '_> {
    fn read(&mut self, pairs: &[ContrastPair], capture: &CaptureOptions) -> Result<PairActivations> {
        let (before, total) = (self.done, self.total);
        let mut progress = |done: usize, _: usize| Ok((self.on_progress)(before + done, total)?);
        let read = capture_pairs(self.decoder, pairs, capture, &mut progress);
        self.done += pairs.len();
        match read {
            Err(ProbeError::NothingToRead { .. }) if self.is_part => Ok(PairActivations::default()),
            read => Ok(read?),
        }
    }
}
