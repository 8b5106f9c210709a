//! The LAT score of a prompt's last token.

use redline_model::Site;
use redline_probe::Reading;

use super::head::finite;
use crate::error::{Error, Result};
use crate::policy::ScoreScale;
use crate::prompt_read::PromptPlaces;

/// The LAT score of prompts.
pub(crate) struct LatScore {
    reading: Reading,
    site: Site,
    /// Layers that are read, and what their scores are like in the vector's own calibration.
    scale: ScoreScale,
}

impl LatScore {
    /// Puts a vector to layers; all of its own where none are given.
    ///
    /// # Errors
    /// No calibration in the vector, a layer that it lacks or whose scores never vary, or a vector of another model.
    pub(crate) fn new(reading: Reading, layers: Option<&[usize]>) -> Result<Self> {
        let site = reading.site()?;
        let calibration = reading.calibration.as_ref().ok_or(redline_probe::Error::NoCalibration)?;
        let layers = layers.map_or_else(|| calibration.layers.clone(), <[usize]>::to_vec);
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for layer in &layers {
            let place = calibration.layers.iter().position(|other| other == layer);
            let place = place.ok_or(redline_steer::Error::LayerNotRead { layer: *layer })?;
            if calibration.std[place] <= 0.0 || calibration.std[place].is_nan() {
                let message = format!("layer {layer}: the vector's scores never vary in its calibration");
                return Err(Error::option(message, "choose other layers"));
            }
            mean.push(calibration.mean[place]);
            deviation.push(calibration.std[place]);
        }
        Ok(Self { reading, site, scale: ScoreScale { layers, mean, deviation } })
    }

    pub(crate) fn places(&self) -> PromptPlaces {
        PromptPlaces { last: Some((self.site, self.scale.layers.clone())), mean: None }
    }

    pub(crate) fn layers(&self) -> &[usize] {
        &self.scale.layers
    }

    /// Hashes of the questions that the vector was extracted from.
    pub(super) fn questions(&self) -> &[String] {
        &self.reading.provenance.questions
    }

    /// Whether all layers of the vector are read.
    pub(super) fn reads_all(&self) -> bool {
        self.scale.layers.len() == self.reading.layers.len()
    }

    /// z of each layer at the last token: activations are (layers, hidden).
    pub(crate) fn of_layers(&self, last: &[Vec<f32>]) -> Result<Vec<f64>> {
        let ScoreScale { layers, mean, deviation } = &self.scale;
        if last.len() != layers.len() {
            return Err(Error::option("the prompt was not read where the gate reads", "read it at the gate's places"));
        }
        let scaled = |(place, x): (usize, &Vec<f32>)| -> Result<f64> {
            let vector = self.reading.layers.iter().find(|vector| vector.layer == layers[place]);
            let vector = vector.ok_or(redline_steer::Error::LayerNotRead { layer: layers[place] })?;
            Ok((vector.score(x)? - mean[place]) / deviation[place])
        };
        last.iter().enumerate().map(scaled).collect()
    }

    pub(super) fn score(&self, last: &[Vec<f32>]) -> Result<f64> {
        let scores = self.of_layers(last)?;
        finite("LAT score", scores.iter().sum::<f64>() / scores.len().max(1) as f64)
    }
}
