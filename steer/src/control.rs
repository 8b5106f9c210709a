//! Control vectors: what one unit of coefficient adds to activations, per layer, and their algebra.
//!
//! What is added is a vector, the same for every activation, or what a small network makes of the activation (an Aligner inside a model,
//! see [`InsideBlock`]), or both.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Add, Mul, Neg, Sub};
use std::sync::Arc;

use redline_model::{InsideBlock, ModelConfig, Site};

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
    /// Layer → network whose output is added there, c times; empty for all but an Aligner inside a model.
    pub inside: BTreeMap<usize, Arc<InsideBlock>>,
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
        Ok(Self { layers, site: Site::ResidPost, inside: BTreeMap::new() })
    }

    /// Networks for the outputs of blocks: an Aligner inside a model.
    ///
    /// # Errors
    /// No layer, or networks of different widths.
    pub fn of_networks(inside: BTreeMap<usize, InsideBlock>) -> Result<Self> {
        let Some(expected) = inside.values().next().map(InsideBlock::width) else { return Err(Error::NoLayers) };
        if let Some((&layer, other)) = inside.iter().find(|(_, block)| block.width() != expected) {
            return Err(Error::VectorSize { layer, got: other.width(), expected });
        }
        let inside = inside.into_iter().map(|(layer, block)| (layer, Arc::new(block))).collect();
        Ok(Self { layers: BTreeMap::new(), site: Site::ResidPost, inside })
    }

    /// Whether what is added depends on the activation: such a thing has no direction, and can only be added.
    pub fn has_networks(&self) -> bool {
        !self.inside.is_empty()
    }

    /// Refuses an Aligner inside a model where a direction is needed; `what` needs it.
    ///
    /// # Errors
    /// [`Error::NoDirection`].
    pub(crate) fn check_is_direction(&self, what: &'static str) -> Result<()> {
        if self.has_networks() { Err(Error::NoDirection { what }) } else { Ok(()) }
    }

    /// The steered layers, ascending.
    pub fn steered_layers(&self) -> Vec<usize> {
        let layers: BTreeSet<usize> = self.layers.keys().chain(self.inside.keys()).copied().collect();
        layers.into_iter().collect()
    }

    /// Numbers that it is made of.
    pub fn n_parameters(&self) -> usize {
        let networks = self.inside.values().map(|block| block.n_parameters());
        self.layers.values().map(Vec::len).chain(networks).sum()
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
        let vectors = self.layers.iter().map(|(&layer, values)| (layer, values.len()));
        let networks = self.inside.iter().map(|(&layer, block)| (layer, block.width()));
        for (layer, got) in vectors.chain(networks) {
            if got != expected {
                return Err(Error::VectorSize { layer, got, expected });
            }
            if layer >= config.n_layers {
                return Err(Error::LayerBeyondModel { layer, n_layers: config.n_layers });
            }
        }
        if self.layers.is_empty() && self.inside.is_empty() { Err(Error::NoLayers) } else { Ok(()) }
    }

    /// Only these layers.
    ///
    /// # Errors
    /// One of them is not in the vector.
    pub fn restrict(&self, layers: impl IntoIterator<Item = usize>) -> Result<Self> {
        let kept: BTreeSet<usize> = layers.into_iter().collect();
        let steered = self.steered_layers();
        if let Some(&layer) = kept.iter().find(|layer| !steered.contains(layer)) {
            return Err(Error::LayerNotRead { layer });
        }
        if kept.is_empty() {
            return Err(Error::NoLayers);
        }
        let mut restricted = self.clone();
        restricted.layers.retain(|layer, _| kept.contains(layer));
        restricted.inside.retain(|layer, _| kept.contains(layer));
        Ok(restricted)
    }

    /// Euclidean norm of what each layer is made of: its vector and, of a network, W_up. Where it is 0, nothing is added.
    pub fn norms(&self) -> BTreeMap<usize, f64> {
        let of_layer = |layer: usize| {
            let vector = self.layers.get(&layer).map_or(0.0, |values| norm(values));
            let network = self.inside.get(&layer).map_or(0.0, |block| norm(block.up()));
            // not a root of squares where one is missing: a vector's norm stays what it was
            if vector == 0.0 || network == 0.0 { vector + network } else { vector.hypot(network) }
        };
        self.steered_layers().into_iter().map(|layer| (layer, of_layer(layer))).collect()
    }

    /// Combines two vectors layer by layer; a layer that one of them lacks counts as zero there. Networks stand side by side, those of
    /// `other` as they are.
    ///
    /// # Panics
    /// When they are for different sites, or networks of different widths.
    fn zip_with(&self, other: &Self, combine: impl Fn(f32, f32) -> f32) -> Self {
        assert_eq!(self.site, other.site, "vectors for the same site");
        let mut layers = BTreeMap::new();
        for &layer in self.layers.keys().chain(other.layers.keys()) {
            let (a, b) = (self.layers.get(&layer), other.layers.get(&layer));
            let size = a.or(b).map_or(0, Vec::len);
            let value = |v: Option<&Vec<f32>>, i: usize| v.and_then(|v| v.get(i)).copied().unwrap_or(0.0);
            layers.entry(layer).or_insert_with(|| (0..size).map(|i| combine(value(a, i), value(b, i))).collect());
        }
        let mut inside = self.inside.clone();
        for (&layer, block) in &other.inside {
            let both = self.inside.get(&layer).map(|own| Arc::new(own.beside(block).expect("networks of one width")));
            inside.insert(layer, both.unwrap_or_else(|| block.clone()));
        }
        Self { layers, site: self.site, inside }
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
        self + &-other
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
        let inside = self.inside.iter().map(|(&layer, block)| (layer, Arc::new(block.scaled(factor)))).collect();
        ControlVector { layers, site: self.site, inside }
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
    fn networks_have_the_same_algebra() {
        let block = |seed: f32| InsideBlock::new(2, vec![seed, 0.5, -1.0, 2.0], vec![1.0, seed, 0.0, -0.5]).unwrap();
        let a = ControlVector::of_networks([(0, block(0.3)), (2, block(1.0))].into()).unwrap();
        let b = ControlVector::of_networks([(2, block(-2.0))].into()).unwrap();
        let added = |vector: &ControlVector, layer: usize| {
            let mut h = [0.7f32, -1.3];
            vector.inside[&layer].add_to(&mut h, 1.0);
            [h[0] - 0.7, h[1] + 1.3]
        };
        let near =
            |x: [f32; 2], y: [f32; 2]| assert!(x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-5), "{x:?} {y:?}");
        let plus = |x: [f32; 2], y: [f32; 2]| [x[0] + y[0], x[1] + y[1]];
        near(added(&(&a + &b), 2), plus(added(&a, 2), added(&b, 2)));
        near(added(&(&a * 2.0), 0), plus(added(&a, 0), added(&a, 0)));
        near(added(&(&a - &a), 2), [0.0, 0.0]);
        assert!((&a * 0.0).norms().values().all(|norm| *norm == 0.0));
        assert_eq!(a.n_parameters(), 16);
        assert_eq!(a.restrict([2]).unwrap().steered_layers(), [2]);
        assert!(matches!(a.restrict([1]), Err(Error::LayerNotRead { layer: 1 })));
        assert!(matches!(a.check_is_direction("a null"), Err(Error::NoDirection { .. })));
        assert!(ControlVector::of_networks(BTreeMap::new()).is_err());
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
