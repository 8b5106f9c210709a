//! The first stage: direction, held-out report, scans of an example pair, and the shuffled directions.

use std::collections::BTreeMap;

use redline_model::files::remove_if_there;
use redline_probe::{ContrastPair, LatScan, LayerReading, PairBuilder, PairDesign, Reading};
use redline_steer::control_file::write_control_vector;
use redline_steer::controls::shuffled_like;
use redline_steer::{ControlVector, reading_control_vector};
use serde::{Deserialize, Serialize};

use super::Run;
use super::choice::Choice;
use super::first_order::FirstOrder;
use crate::error::Result;
use crate::experiment::{TrainingPlan, extract, scan_pair, skipped_in_words, train_extracted};
use crate::observer::Observer;

/// The direction, calibrated; written last, so that its presence says that the stage is complete.
pub(super) const VECTOR_FILE: &str = "vector.safetensors";

/// State of the training of a vector while it runs.
pub(super) const TRAINING_FILE: &str = "training.checkpoint";

/// The shuffled directions, one a line.
pub(super) const SHUFFLED_FILE: &str = "shuffled.jsonl";

/// The direction among nulls to first order.
pub(super) const FIRST_ORDER_FILE: &str = "first-order.json";

/// A direction as a line of JSON: what one unit of coefficient adds, by layer.
#[derive(Serialize, Deserialize)]
struct DirectionLine {
    layers: BTreeMap<usize, Vec<f32>>,
}

/// What the first stage found.
pub struct ReadingStage {
    /// The direction, calibrated.
    pub reading: Reading,
    /// Its held-out report, a line a layer.
    pub report: Vec<LayerReading>,
    /// Scans of the correction and the copy of one held-out pair.
    pub scans: Vec<LatScan>,
    /// What one unit of coefficient adds at each injected layer.
    pub control: ControlVector,
    /// Mean differences of the same pairs with exchanged labels, of the same norms.
    pub shuffled: Vec<ControlVector>,
    /// The direction among ten thousand nulls, to first order.
    pub first_order: FirstOrder,
}

impl Run<'_> {
    /// Extracts the vector and scans an example pair, or reads what is there.
    pub(super) fn read(&self, choice: &Choice, observer: &mut dyn Observer) -> Result<ReadingStage> {
        if let Some(there) = self.reading_there()? {
            return Ok(there);
        }
        let triples = self.rows.at(&choice.pairs);
        let (model, template) = (&self.aligner.model, &self.aligner.template);
        let mut extracted = extract(model, template, &triples, &self.options.extraction, &mut |done, total| {
            observer.progress("reading pairs", done, total)
        })?;
        observer.end("reading pairs");
        if let Some(settings) = &self.options.trained {
            let (aligner, rows, layers) = (self.aligner, self.rows, self.layers);
            let plan = TrainingPlan { aligner, rows, numbers: &choice.training, layers, settings };
            extracted = train_extracted(&plan, extracted, Some(&self.folder.file(TRAINING_FILE)), observer)?;
        }
        extracted.warnings.iter().for_each(|warning| observer.note(&format!("warning: {warning}")));
        skipped_in_words(&extracted.skipped).iter().for_each(|note| observer.note(note));
        let scans = match extracted.held_out.first() {
            Some(pair) => {
                let pair = self.forced_pair(pair.row)?;
                scan_pair(model, &extracted.reading, &pair, self.options.extraction.scan_tokens)?.to_vec()
            }
            None => Vec::new(),
        };
        let control = self.control(&extracted.reading)?;
        let seed = |i: usize| self.options.null_seed(i);
        let shuffled = (0..self.options.shuffled_generated)
            .map(|i| shuffled_like(&control, &extracted.train, seed(i)))
            .collect::<redline_steer::Result<Vec<_>>>()?;

        let first_order = self.first_order(&control, &extracted.train, &choice.prompts, observer)?;

        let architecture = &model.decoder.config().architecture;
        write_control_vector(&self.folder.file("vector.gguf"), &control, architecture)?;
        self.folder.write_lines("layers.jsonl", &extracted.report)?;
        self.folder.write_lines("scans.jsonl", &scans.iter().map(ScanLine::new).collect::<Vec<_>>())?;
        let lines = shuffled.iter().map(|vector| DirectionLine { layers: vector.layers.clone() });
        self.folder.write_lines(SHUFFLED_FILE, &lines.collect::<Vec<_>>())?;
        self.folder.write_json(FIRST_ORDER_FILE, &first_order)?;
        // last: its presence says that the stage is complete
        extracted.reading.save(&self.folder.file(VECTOR_FILE))?;
        remove_if_there(&self.folder.file(TRAINING_FILE))?;
        Ok(ReadingStage { reading: extracted.reading, report: extracted.report, scans, control, shuffled, first_order })
    }

    /// What an earlier run left of this stage, where that is all of it.
    fn reading_there(&self) -> Result<Option<ReadingStage>> {
        let file = self.folder.file(VECTOR_FILE);
        let (true, Some(report), Some(scans), Some(lines), Some(first_order)) = (
            file.exists(),
            self.folder.read_lines("layers.jsonl")?,
            self.folder.read_lines("scans.jsonl")?,
            self.folder.read_lines::<DirectionLine>(SHUFFLED_FILE)?,
            self.folder.read_json(FIRST_ORDER_FILE)?,
        ) else {
            return Ok(None);
        };
        let reading = Reading::load(&file)?;
        let shuffled = lines.into_iter().map(|line| ControlVector::new(line.layers));
        let shuffled = shuffled.collect::<redline_steer::Result<Vec<_>>>()?;
        Ok(Some(ReadingStage { control: self.control(&reading)?, reading, report, scans, shuffled, first_order }))
    }

    /// What one unit of coefficient adds.
    fn control(&self, reading: &Reading) -> Result<ControlVector> {
        Ok(reading_control_vector(reading, self.layers, self.options.unit)?)
    }

    /// The forced pair of a triple, whatever design the vector was made with: only it has two outputs to scan.
    fn forced_pair(&self, row: usize) -> Result<ContrastPair> {
        Ok(self.pair_builder()?.pair(row, &self.rows.triples[row])?)
    }

    pub(super) fn pair_builder(&self) -> Result<PairBuilder<'_>> {
        let (model, template) = (&self.aligner.model, &self.aligner.template);
        Ok(PairBuilder::new(model, template, PairDesign::Forced, self.options.extraction.max_tokens)?)
    }
}

/// A scan as a line of JSON, under its schema.
#[derive(Serialize)]
pub struct ScanLine<'a> {
    schema: &'static str,
    #[serde(flatten)]
    scan: &'a LatScan,
}

impl<'a> ScanLine<'a> {
    /// A scan under its schema.
    pub fn new(scan: &'a LatScan) -> Self {
        Self { schema: "redline.scan.v1", scan }
    }
}
