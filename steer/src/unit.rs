//! From reading vectors to control vectors: what one unit of coefficient means.

use std::collections::BTreeMap;

use redline_probe::{LayerVector, Reading};
use serde::{Deserialize, Serialize};

use crate::{ControlVector, Error, Result};

/// The scale s of a layer in h ← h + c · s · direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A step from copy to correction, for any model. Of a vector that was read: the mean gap between the poles, divided by the number of
    /// injected layers, so that c = 1 adds one such step in total. Of a vector that was trained: what it was trained to add at c = 1.
    #[default]
    Gap,
    /// The standard deviation of the training scores.
    Std,
    /// 1: the plain unit direction.
    Unit,
}

redline_model::named_enum! {
    "unit", Unit { Gap = "gap", Std = "std", Unit = "unit" }
}

/// Scaled directions of the layers in `layers`.
///
/// # Errors
/// A layer that the reading vector lacks, or no layer.
pub fn control_vector(reading: &[LayerVector], layers: &[usize], unit: Unit) -> Result<ControlVector> {
    let scaled = |&layer: &usize| {
        let vector = reading.iter().find(|vector| vector.layer == layer).ok_or(Error::LayerNotRead { layer })?;
        let scale = match unit {
            Unit::Gap => vector.trained_norm.unwrap_or(vector.gap / layers.len() as f64),
            Unit::Std => vector.score_std,
            Unit::Unit => 1.0,
        };
        Ok((layer, vector.direction.iter().map(|value| (f64::from(*value) * scale) as f32).collect()))
    };
    ControlVector::new(layers.iter().map(scaled).collect::<Result<BTreeMap<_, Vec<f32>>>>()?)
}

/// Scaled directions of the layers in `layers` of a reading vector, injected at the site where it was read.
///
/// # Errors
/// A layer that the reading vector lacks, no layer, or an unknown site.
pub fn reading_control_vector(reading: &Reading, layers: &[usize], unit: Unit) -> Result<ControlVector> {
    Ok(control_vector(&reading.layers, layers, unit)?.at(reading.site()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> Vec<LayerVector> {
        let vector = |layer, gap| LayerVector {
            layer,
            direction: vec![0.6, 0.8],
            centre: vec![0.0, 0.0],
            gap,
            score_std: 3.0,
            explained_variance_ratio: None,
            cosine_to_mean_diff: None,
            trained_norm: None,
        };
        vec![vector(0, 1.0), vector(1, 2.0), vector(2, 4.0)]
    }

    #[test]
    fn scales() {
        let norm = |unit| control_vector(&reading(), &[1, 2], unit).unwrap().norms();
        let near = |norms: BTreeMap<usize, f64>, expected: [f64; 2]| {
            assert!((norms[&1] - expected[0]).abs() < 1e-6 && (norms[&2] - expected[1]).abs() < 1e-6, "{norms:?}");
        };
        near(norm(Unit::Gap), [1.0, 2.0]);
        near(norm(Unit::Std), [3.0, 3.0]);
        near(norm(Unit::Unit), [1.0, 1.0]);
    }

    #[test]
    fn layers_must_have_been_read() {
        assert!(matches!(control_vector(&reading(), &[7], Unit::Gap), Err(Error::LayerNotRead { layer: 7 })));
        assert!(matches!(control_vector(&reading(), &[], Unit::Gap), Err(Error::NoLayers)));
    }
}
