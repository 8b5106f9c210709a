//! Control vectors: what one unit of coefficient adds to activations, per layer, and their algebra.

use std::collections::BTreeMap;
use std::ops::{Add, Mul, Neg, Sub};

use redline_model::{ModelConfig, Site};

use crate::{Error, Result};

/// One vector for each steered layer; at coefficient c, c times the vector is added at the layer's site, by default its output.
///
/// Scales are part of the vectors: a unit of coefficient means the same wherever the vector goes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ControlVector {
    /// Layer → vector, of `hidden_size` values or as wide as the site.
    pub layers: BTreeMap<usize, Vec<f32>>,
    /// Where in a block it is added.
    pub site: Site,
}

impl ControlVector {
    /// A vector for the outputs of blocks.
    ///
    /// # Errors
    /// No layer, layers of different sizes, or a value that is not finite.
    pub fn new(layers: BTreeMap<usize, Vec<f32>>) -> Result<Self> {
        let Some((_, first)) = layers.first_key_value() else { return Err(Error::NoLayers) };
        let expected = first.len();
        for (&layer, values) in &layers {
            if values.len() != expected {
                return Err(Error::VectorSize { layer, got: values.len(), expected });
            }
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::VectorNotFinite { layer, index, value: values[index] });
            }
        }
        Ok(Self { layers, site: Site::ResidPost })
    }

    /// The same for another site.
    #[must_use]
    pub fn at(self, site: Site) -> Self {
        Self { site, ..self }
    }

    /// Refuses a vector that does not fit the model.
    ///
    /// # Errors
    /// Another hidden size, or a layer the model does not have.
    pub fn check(&self, config: &ModelConfig) -> Result<()> {
        let site = self.site;
        let expected = site.width(config).ok_or(Error::SiteNotSteered { site: site.to_string() })?;
        for (&layer, values) in &self.layers {
            if values.len() != expected {
                return Err(Error::VectorSize { layer, got: values.len(), expected });
            }
            if layer >= config.n_layers {
                return Err(Error::LayerBeyondModel { layer, n_layers: config.n_layers });
            }
        }
        if self.layers.is_empty() { Err(Error::NoLayers) } else { Ok(()) }
    }

    /// Only these layers.
    ///
    /// # Errors
    /// One of them is not in the vector.
    pub fn restrict(&self, layers: impl IntoIterator<Item = usize>) -> Result<Self> {
        let values = |layer| self.layers.get(&layer).ok_or(Error::LayerNotRead { layer });
        let kept = layers.into_iter().map(|layer| Ok((layer, values(layer)?.clone()))).collect::<Result<_>>()?;
        Ok(Self::new(kept)?.at(self.site))
    }

    /// Euclidean norm of each layer's vector.
    pub fn norms(&self) -> BTreeMap<usize, f64> {
        self.layers.iter().map(|(&layer, values)| (layer, norm(values))).collect()
    }

    /// Combines two vectors layer by layer; a layer that one of them lacks counts as zero there.
    ///
    /// # Panics
    /// When they are for different sites.
    fn zip_with(&self, other: &Self, combine: impl Fn(f32, f32) -> f32) -> Self {
        assert_eq!(self.site, other.site, "vectors for the same site");
        let mut layers = BTreeMap::new();
        for &layer in self.layers.keys().chain(other.layers.keys()) {
            let (a, b) = (self.layers.get(&layer), other.layers.get(&layer));
            let size = a.or(b).map_or(0, Vec::len);
            let value = |v: Option<&Vec<f32>>, i: usize| v.and_then(|v| v.get(i)).copied().unwrap_or(0.0);
            layers.entry(layer).or_insert_with(|| (0..size).map(|i| combine(value(a, i), value(b, i))).collect());
        }
        Self { layers, site: self.site }
    }
}

/// Euclidean norm, summed in f64.
pub(crate) fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

impl Add for &ControlVector {
    type Output = ControlVector;
    fn add(self, other: Self) -> ControlVector {
        self.zip_with(other, |a, b| a + b)
    }
}

impl Sub for &ControlVector {
    type Output = ControlVector;
    fn sub(self, other: Self) -> ControlVector {
        self.zip_with(other, |a, b| a - b)
    }
}

impl Neg for &ControlVector {
    type Output = ControlVector;
    fn neg(self) -> ControlVector {
        self * -1.0
    }
}

impl Mul<f32> for &ControlVector {
    type Output = ControlVector;
    fn mul(self, factor: f32) -> ControlVector {
        let scale = |values: &Vec<f32>| values.iter().map(|value| value * factor).collect();
        let layers = self.layers.iter().map(|(&layer, values)| (layer, scale(values))).collect();
        ControlVector { layers, site: self.site }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vectors() -> impl Strategy<Value = ControlVector> {
        let layer = (0usize..6, prop::collection::vec(-10f32..10.0, 4));
        prop::collection::vec(layer, 1..5).prop_map(|layers| ControlVector::new(layers.into_iter().collect()).unwrap())
    }

    proptest! {
        #[test]
        fn algebra(a in vectors(), b in vectors()) {
            prop_assert_eq!(&a + &b, &b + &a);
            prop_assert_eq!(&a - &b, &a + &-&b);
            prop_assert_eq!(&a * 2.0, &a + &a);
            let zero = &a - &a;
            prop_assert!(zero.layers.values().flatten().all(|value| *value == 0.0));
            prop_assert!((&a * 0.0).layers.values().flatten().all(|value| *value == 0.0));
        }
    }

    #[test]
    fn sizes_and_values_are_checked() {
        assert!(matches!(ControlVector::new(BTreeMap::new()), Err(Error::NoLayers)));
        let uneven = BTreeMap::from([(0, vec![1.0]), (1, vec![1.0, 2.0])]);
        assert!(matches!(ControlVector::new(uneven), Err(Error::VectorSize { layer: 1, got: 2, expected: 1 })));
        let nan = BTreeMap::from([(3, vec![1.0, f32::NAN])]);
        assert!(matches!(ControlVector::new(nan), Err(Error::VectorNotFinite { layer: 3, index: 1, .. })));
    }
}
