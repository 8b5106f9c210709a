//! The first stage: direction, held-out report, scans of an example pair, and the shuffled control.

use redline_model::Qac;
use redline_probe::{ContrastPair, LatScan, LayerReading, PairBuilder, PairDesign, Reading};
use redline_steer::control_file::{read_control_vector, write_control_vector};
use redline_steer::controls::shuffled_like;
use redline_steer::{ControlVector, reading_control_vector};
use serde::Serialize;

use super::Run;
use crate::error::Result;
use crate::experiment::{extract, scan_pair, skipped_in_words};
use crate::observer::Observer;

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
    /// The mean difference of pairs with exchanged labels, of the same norms.
    pub shuffled: ControlVector,
}

impl Run<'_> {
    /// Extracts the vector and scans an example pair, or reads what is there.
    pub(super) fn read(&self, rows: &[usize], observer: &mut dyn Observer) -> Result<ReadingStage> {
        let vector_file = self.folder.file("vector.safetensors");
        let shuffled_file = self.folder.file("shuffled.gguf");
        let control =
            |reading: &Reading| Ok::<_, crate::Error>(reading_control_vector(reading, self.layers, self.options.unit)?);
        if let (true, Some(report), Some(scans)) =
            (shuffled_file.exists(), self.folder.read_lines("layers.jsonl")?, self.folder.read_lines("scans.jsonl")?)
        {
            let reading = Reading::load(&vector_file)?;
            let shuffled = read_control_vector(&shuffled_file)?.vector;
            return Ok(ReadingStage { control: control(&reading)?, reading, report, scans, shuffled });
        }
        let triples = self.rows.at(rows);
        let (model, template) = (&self.aligner.model, &self.aligner.template);
        let extracted = extract(model, template, &triples, &self.options.extraction, &mut |done, total| {
            observer.progress("reading pairs", done, total)
        })?;
        observer.end("reading pairs");
        extracted.warnings.iter().for_each(|warning| observer.note(&format!("warning: {warning}")));
        skipped_in_words(&extracted.skipped).iter().for_each(|note| observer.note(note));
        let scans = match extracted.held_out.first() {
            Some(pair) => {
                let pair = self.forced_pair(pair.row)?;
                scan_pair(model, &extracted.reading, &pair, self.options.extraction.scan_tokens)?.to_vec()
            }
            None => Vec::new(),
        };
        let control = control(&extracted.reading)?;
        let shuffled = shuffled_like(&control, &extracted.train, self.options.seed)?;

        let architecture = &model.decoder.config().architecture;
        extracted.reading.save(&vector_file)?;
        write_control_vector(&self.folder.file("vector.gguf"), &control, architecture)?;
        self.folder.write_lines("layers.jsonl", &extracted.report)?;
        self.folder.write_lines("scans.jsonl", &scans.iter().map(ScanLine::new).collect::<Vec<_>>())?;
        // last: its presence says that the stage is complete
        write_control_vector(&shuffled_file, &shuffled, architecture)?;
        Ok(ReadingStage { reading: extracted.reading, report: extracted.report, scans, control, shuffled })
    }

    /// The forced pair of a triple, whatever design the vector was made with: only it has two outputs to scan.
    fn forced_pair(&self, row: usize) -> Result<ContrastPair> {
        Ok(self.pair_builder()?.pair(row, &self.rows.triples[row])?)
    }

    pub(super) fn pair_builder(&self) -> Result<PairBuilder<'_>> {
        let (model, template) = (&self.aligner.model, &self.aligner.template);
        Ok(PairBuilder::new(model, template, PairDesign::Forced, self.options.extraction.max_tokens)?)
    }

    /// Some of the triples as an answer that is already clean.
    pub(super) fn clean_triples(&self, rows: &[usize]) -> Vec<Qac> {
        let triples = rows.iter().map(|&row| &self.rows.triples[row]);
        triples.map(|qac| Qac { answer: qac.correction.clone(), ..qac.clone() }).collect()
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
