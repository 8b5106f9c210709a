//! What is doubtful about a direction that was found: nothing is refused for it, but the user should know.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{LayerDirection, LayerPairs};

/// Explained variance above which a low cosine to the mean difference is suspect.
const SUSPECT_VARIANCE: f64 = 0.95;
/// Cosine to the mean difference below which it is low.
const LOW_COSINE: f64 = 0.5;
/// Share of a direction's squared length that its largest few dimensions may hold before they are suspect.
const SUSPECT_SHARE: f64 = 0.8;
/// How many those few are, and the hidden size from which on they are few.
const FEW_DIMENSIONS: usize = 3;
const MANY_DIMENSIONS: usize = 64;

/// Something doubtful about the direction of one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The component explains nearly everything but has little to do with the mean difference: a few massive dimensions.
    VarianceWithoutSignal {
        /// The layer.
        layer: usize,
        /// Explained variance ratio of the component.
        explained_variance_ratio: f64,
        /// Its cosine to the mean difference, 0 where that is zero.
        cosine_to_mean_diff: f64,
    },
    /// A few dimensions make up nearly the whole direction.
    FewDimensions {
        /// The layer.
        layer: usize,
        /// The dimensions, the largest first.
        dimensions: Vec<usize>,
        /// Their share of the direction's squared length.
        share: f64,
    },
    /// Most pairs point one way along the component, but their mean points the other.
    MeanAgainstMajority {
        /// The layer.
        layer: usize,
        /// Cosine to the mean difference, below zero.
        cosine_to_mean_diff: f64,
    },
    /// Some pairs hold two identical activations and add nothing.
    IdenticalPairs {
        /// The layer.
        layer: usize,
        /// How many.
        n_identical: usize,
        /// Of how many.
        n_pairs: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VarianceWithoutSignal { layer, explained_variance_ratio, cosine_to_mean_diff } => write!(
                f,
                "layer {layer}: the component explains {:.1} % of the variance, but its cosine to the mean difference is only \
                 {cosine_to_mean_diff:.2}; a few massive dimensions may dominate (scale per dimension, mirror the differences)",
                100.0 * explained_variance_ratio
            ),
            Self::FewDimensions { layer, dimensions, share } => write!(
                f,
                "layer {layer}: dimensions {dimensions:?} alone hold {:.1} % of the direction; they may be massive \
                 activations (scale per dimension)",
                100.0 * share
            ),
            Self::MeanAgainstMajority { layer, cosine_to_mean_diff } => write!(
                f,
                "layer {layer}: the direction follows the majority of the pairs, but their mean points the other way (cosine \
                 {cosine_to_mean_diff:.2})"
            ),
            Self::IdenticalPairs { layer, n_identical, n_pairs } => {
                write!(
                    f,
                    "layer {layer}: {n_identical} of {n_pairs} pairs hold two identical activations and add nothing"
                )
            }
        }
    }
}

/// What is doubtful about the direction `found` in `pairs`.
pub(crate) fn doubts(pairs: &LayerPairs, found: &LayerDirection) -> Vec<Warning> {
    let layer = found.layer;
    let mut warnings = Vec::new();
    let (n_identical, n_pairs) = (pairs.n_identical(), pairs.n_pairs());
    if n_identical > 0 {
        warnings.push(Warning::IdenticalPairs { layer, n_identical, n_pairs });
    }
    warnings.extend(few_dimensions(found));
    // a direction without explained variance is no component: nothing to suspect
    let Some(explained_variance_ratio) = found.explained_variance_ratio else {
        return warnings;
    };
    let cosine_to_mean_diff = found.cosine_to_mean_diff.unwrap_or(0.0);
    if explained_variance_ratio > SUSPECT_VARIANCE && cosine_to_mean_diff.abs() < LOW_COSINE {
        warnings.push(Warning::VarianceWithoutSignal { layer, explained_variance_ratio, cosine_to_mean_diff });
    }
    if cosine_to_mean_diff < 0.0 {
        warnings.push(Warning::MeanAgainstMajority { layer, cosine_to_mean_diff });
    }
    warnings
}

fn few_dimensions(found: &LayerDirection) -> Option<Warning> {
    let square = |&dimension: &usize| f64::from(found.direction[dimension]).powi(2);
    let mut dimensions: Vec<usize> = (0..found.direction.len()).collect();
    dimensions.sort_by(|a, b| square(b).total_cmp(&square(a)));
    let many = dimensions.len() >= MANY_DIMENSIONS;
    dimensions.truncate(FEW_DIMENSIONS);
    let share = dimensions.iter().map(square).sum();
    (many && share > SUSPECT_SHARE).then_some(Warning::FewDimensions { layer: found.layer, dimensions, share })
}
