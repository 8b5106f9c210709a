//! The directions of vector files, layer by layer, and how alike two of them are.

use std::collections::BTreeMap;
use std::path::Path;

use redline_probe::Reading;
use redline_probe::stats::cosine;
use redline_steer::control_file::read_control_vector;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Directions by layer.
pub type Directions = BTreeMap<usize, Vec<f32>>;

/// How alike two vectors are at a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerCosine {
    /// The layer.
    pub layer: usize,
    /// −1 … 1; none where one of the two is zero.
    pub cosine: Option<f64>,
}

/// The directions of a reading vector (`.safetensors`) or control vector (`.gguf`); none for a file of another name.
///
/// # Errors
/// The file cannot be read.
pub fn read_directions(path: &Path) -> Result<Option<Directions>> {
    let has_ending = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    if has_ending("gguf") {
        return Ok(Some(read_control_vector(path)?.vector.layers));
    }
    if has_ending("safetensors") {
        let layers = Reading::load(path)?.layers;
        return Ok(Some(layers.into_iter().map(|layer| (layer.layer, layer.direction)).collect()));
    }
    Ok(None)
}

/// The cosine of two vectors at each layer that both have.
///
/// # Errors
/// They share no layer, or differ in width.
///
/// # Example
/// ```
/// use redline_lab::directions::{Directions, layer_cosines};
///
/// let vector = |value: [f32; 2]| Directions::from([(3, value.to_vec())]);
/// let found = layer_cosines(&vector([1.0, 0.0]), &vector([1.0, 1.0]))?;
/// assert!((found[0].cosine.unwrap() - 0.5f64.sqrt()).abs() < 1e-9);
/// assert!(layer_cosines(&vector([1.0, 0.0]), &Directions::new()).is_err());
/// # Ok::<(), redline_lab::Error>(())
/// ```
pub fn layer_cosines(a: &Directions, b: &Directions) -> Result<Vec<LayerCosine>> {
    let mut found = Vec::new();
    for (&layer, direction) in a {
        let Some(other) = b.get(&layer) else { continue };
        if other.len() != direction.len() {
            let message =
                format!("layer {layer} is {} wide in one vector and {} in the other", direction.len(), other.len());
            return Err(Error::option(message, "give two vectors of one model"));
        }
        found.push(LayerCosine { layer, cosine: cosine(direction, other) });
    }
    match found.is_empty() {
        true => Err(Error::option("the two vectors have no layer in common", "give two vectors of one model")),
        false => Ok(found),
    }
}
