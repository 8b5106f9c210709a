//! From triples to a direction.

use redline_model::Qac;
use redline_probe::{Method, PairDesign, ReadAt, Scaling};
use redline_steer::{ControlVector, Result, Unit, reading_control_vector};

use super::Aligner;
use crate::experiment::{Extracted, ExtractionSettings, LayerSpec, extract};

/// How a direction is found; see [`ExtractionSettings`] for the defaults.
pub struct Extract<'a> {
    aligner: &'a Aligner,
    settings: ExtractionSettings,
    read: Option<ReadAt>,
}

impl<'a> Extract<'a> {
    pub(super) fn new(aligner: &'a Aligner) -> Self {
        Self { aligner, settings: ExtractionSettings::default(), read: None }
    }

    /// How pairs are made; `forced` unless told otherwise.
    pub fn design(mut self, design: PairDesign) -> Self {
        self.settings.design = design;
        self
    }

    /// Positions read; by design unless told otherwise.
    pub fn read(mut self, read: ReadAt) -> Self {
        self.read = Some(read);
        self
    }

    /// How the direction is found; `pca_diff` unless told otherwise.
    pub fn method(mut self, method: Method) -> Self {
        self.settings.extract.method = method;
        self
    }

    /// What dimensions are divided by before PCA.
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.settings.extract.scaling = scaling;
        self
    }

    /// Seed of the split, of random directions and of intervals; 0 unless told otherwise.
    pub fn seed(mut self, seed: u64) -> Self {
        (self.settings.seed, self.settings.extract.seed) = (seed, seed);
        self
    }

    /// Share of the questions kept for the layer report; a quarter unless told otherwise.
    pub fn held_out_share(mut self, share: f64) -> Self {
        self.settings.held_out_share = share;
        self
    }

    /// All settings at once; those given before are forgotten.
    pub fn settings(mut self, settings: ExtractionSettings) -> Self {
        self.read = Some(settings.read);
        self.settings = settings;
        self
    }

    /// Makes pairs, splits them by question, reads them, extracts on the one part and reports on the other.
    ///
    /// # Errors
    /// No triple gives a pair, the split leaves a part empty, or reading fails.
    pub fn run(&self, triples: &[Qac]) -> Result<Extracted> {
        let read = self.read.unwrap_or_else(|| ReadAt::default_for(self.settings.design));
        let settings = ExtractionSettings { read, ..self.settings.clone() };
        let rows: Vec<(usize, &Qac)> = triples.iter().enumerate().collect();
        extract(&self.aligner.model, &self.aligner.template, &rows, &settings, &mut |_, _| Ok(()))
    }
}

impl Extracted {
    /// What one unit of coefficient adds at each of these layers.
    ///
    /// # Shapes
    /// (layers, hidden size).
    ///
    /// # Errors
    /// A layer the model does not have.
    pub fn control_vector(&self, layers: &LayerSpec, unit: Unit) -> Result<ControlVector> {
        let layers = layers.resolve(self.reading.provenance.n_layers)?;
        reading_control_vector(&self.reading, &layers, unit)
    }
}
